from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError
from snowflake.snowpark import Session
from snowflake.snowpark.exceptions import SnowparkSQLException
from snowflake.snowpark.types import StructType

PYTHON = "LANGUAGE PYTHON RUNTIME_VERSION = 3.11 PACKAGES = ('snowflake-snowpark-python')"


def create(session: Session, head: str, code: str, more: str = "") -> None:
    session.sql(f"CREATE OR REPLACE PROCEDURE {head} {PYTHON} {more} HANDLER = 'run' AS $${code}$$").collect()


def value(session: Session, query: str) -> Any:
    return session.sql(query).collect()[0][0]


def test_a_procedure_sees_the_callers_temporary_table_and_leaves_its_own(session: Session) -> None:
    session.sql("CREATE TEMPORARY TABLE GIVEN AS SELECT 20 AS A").collect()
    create(
        session,
        "ADDS(X INT) RETURNS INT",
        """
def run(session, x):
    session.sql("CREATE OR REPLACE TEMPORARY TABLE LEFT_BEHIND AS SELECT A + 1 AS B FROM GIVEN").collect()
    return session.table("LEFT_BEHIND").collect()[0].B + x
""",
    )
    assert value(session, "CALL ADDS(21)") == 42
    assert value(session, "SELECT B FROM LEFT_BEHIND") == 21


def test_a_procedure_takes_part_in_the_callers_transaction(session: Session) -> None:
    session.sql("CREATE TABLE T (A INT)").collect()
    create(
        session, "WRITES() RETURNS INT", "\ndef run(s):\n    return s.sql('INSERT INTO T VALUES (1)').collect()[0][0]"
    )
    session.sql("BEGIN").collect()
    assert value(session, "CALL WRITES()") == 1
    assert value(session, "SELECT COUNT(*) FROM T") == 1
    session.sql("ROLLBACK").collect()
    assert value(session, "SELECT COUNT(*) FROM T") == 0


def test_a_transaction_left_open_by_a_procedure_is_rolled_back(session: Session) -> None:
    session.sql("CREATE TABLE T (A INT)").collect()
    create(
        session,
        "HANGS() RETURNS INT",
        "\ndef run(s):\n    s.sql('BEGIN').collect()\n    s.sql('INSERT INTO T VALUES (1)').collect()\n    return 1",
    )
    with pytest.raises(SnowparkSQLException, match="Scoped transaction started in stored procedure is incomplete"):
        session.sql("CALL HANGS()").collect()
    assert value(session, "SELECT COUNT(*) FROM T") == 0


def test_other_statements_of_the_session_wait_for_the_call_to_end(connection: SnowflakeConnection) -> None:
    connection.cursor().execute("CREATE TABLE T (A INT)")
    connection.cursor().execute(
        f"CREATE PROCEDURE SLOW() RETURNS INT {PYTHON} HANDLER = 'run' AS $$\nimport time\ndef run(s):\n"
        "    s.sql('INSERT INTO T VALUES (1)').collect()\n    time.sleep(0.3)\n"
        "    return s.sql('INSERT INTO T VALUES (2)').collect()[0][0]$$"
    )
    caller = threading.Thread(target=lambda: connection.cursor().execute("CALL SLOW()"))
    caller.start()
    counting: Any = connection.cursor()
    found, is_over = 0, False
    while not found:
        assert not is_over
        is_over = not caller.is_alive()
        found = counting.execute("SELECT COUNT(*) FROM T").fetchall()[0][0]
    caller.join()
    assert found == 2


def test_a_procedure_calls_a_procedure_that_calls_another(session: Session) -> None:
    create(
        session,
        "DOWN(N INT) RETURNS INT",
        "\ndef run(s, n):\n    return n if n == 0 else 1 + s.call('DOWN', n - 1)",
    )
    assert session.call("DOWN", 3) == 3


def test_the_overload_is_chosen_by_the_types_of_the_arguments(session: Session) -> None:
    create(session, "KIND(X INT) RETURNS STRING", "\ndef run(s, x):\n    return 'number'")
    create(session, "KIND(X STRING) RETURNS STRING", "\ndef run(s, x):\n    return 'text'")
    create(session, "KIND(X STRING, Y INT) RETURNS STRING", "\ndef run(s, x, y):\n    return 'two'")
    assert value(session, "CALL KIND(1)") == "number"
    assert value(session, "CALL KIND('a')") == "text"
    assert value(session, "CALL KIND('a', 1)") == "two"
    with pytest.raises(SnowparkSQLException, match="Invalid argument types for function 'KIND'"):
        session.sql("CALL KIND()").collect()
    with pytest.raises(SnowparkSQLException, match="Unknown function NOT_THERE"):
        session.sql("CALL NOT_THERE()").collect()


def test_arguments_have_defaults_and_may_be_named(session: Session) -> None:
    create(
        session,
        "JOINED(A STRING, B STRING DEFAULT 'b', C INT DEFAULT 2 + 1) RETURNS STRING",
        "\ndef run(s, a, b, c):\n    return f'{a}{b}{c}'",
    )
    assert value(session, "CALL JOINED('a')") == "ab3"
    assert value(session, "CALL JOINED(c => 9, a => 'x')") == "xb9"


@pytest.mark.parametrize(
    ("kind", "given", "seen", "returned"),
    [
        ("NUMBER(10, 2)", "1.5", "Decimal", "1.50"),
        ("FLOAT", "1.5", "float", "1.5"),
        ("BOOLEAN", "TRUE", "bool", "True"),
        ("DATE", "'2026-01-02'::DATE", "date", "2026-01-02"),
        ("TIMESTAMP_NTZ", "'2026-01-02 03:04:05'::TIMESTAMP", "datetime", "2026-01-02 03:04:05"),
        ("BINARY", "TO_BINARY('6162', 'HEX')", "bytes", "bytearray(b'ab')"),
        ("VARIANT", "PARSE_JSON('{\"a\": [1]}')", "dict", '{\n  "a": [\n    1\n  ]\n}'),
        ("ARRAY", "ARRAY_CONSTRUCT(1, 2)", "list", "[\n  1,\n  2\n]"),
        ("INT", "NULL", "NoneType", "None"),
    ],
)
def test_values_arrive_and_return_as_their_types(
    session: Session, kind: str, given: str, seen: str, returned: str
) -> None:
    create(session, f"SEEN(X {kind}) RETURNS STRING", "\ndef run(s, x):\n    return type(x).__name__")
    create(session, f"SAME(X {kind}) RETURNS {kind}", "\ndef run(s, x):\n    return x")
    assert value(session, f"CALL SEEN({given})") == seen
    assert str(value(session, f"CALL SAME({given})")) == returned


def test_an_exception_is_told_as_a_traceback_of_the_handler(session: Session) -> None:
    create(session, "FAILS() RETURNS INT", "\ndef inner():\n    1 / 0\n\ndef run(session):\n    inner()")
    with pytest.raises(SnowparkSQLException) as failure:
        session.sql("CALL FAILS()").collect()
    assert failure.value.sql_error_code == 100357
    assert (
        "Python Interpreter Error:\nTraceback (most recent call last):\n"
        '  File "_udf_code.py", line 6, in run\n  File "_udf_code.py", line 3, in inner\n'
        "ZeroDivisionError: division by zero in function FAILS with handler run"
    ) in failure.value.message


def test_a_returned_data_frame_is_the_result(session: Session) -> None:
    create(
        session,
        "ROWS_OF(N INT) RETURNS TABLE (K INT, V STRING)",
        "\ndef run(s, n):\n    return s.create_dataframe([(i, str(i)) for i in range(n)], ['A', 'B'])",
    )
    assert [tuple(row) for row in session.sql("CALL ROWS_OF(2)").collect()] == [(0, "0"), (1, "1")]
    assert session.sql("CALL ROWS_OF(2)").columns == ["K", "V"]
    assert value(session, "SELECT SUM(K) FROM TABLE(ROWS_OF(4)) WHERE V <> '1'") == 5
    called: Any = session.call("ROWS_OF", 3)
    assert called.count() == 3


def test_an_anonymous_procedure_leaves_nothing_behind(session: Session) -> None:
    twice = (
        f"WITH TWICE AS PROCEDURE (N INT) RETURNS INT {PYTHON} "
        "HANDLER = 'run' AS $$\ndef run(s, n):\n    return 2 * n$$"
    )
    assert value(session, f"{twice} CALL TWICE(21)") == 42
    assert session.sql("SHOW PROCEDURES").collect() == []


def test_a_registered_python_function_runs_with_its_closure(session: Session) -> None:
    factor = 3

    def times(session: Session, n: int) -> int:
        return int(session.sql(f"SELECT {n} * {factor} AS A").collect()[0].A)

    assert session.sproc.register(times)(14) == 42

    def table(session):  # type: ignore[no-untyped-def]
        return session.sql("SELECT 1 AS ONE")

    assert session.sproc.register(table, return_type=StructType())().collect()[0].ONE == 1


def test_handlers_share_neither_modules_nor_globals(session: Session, tmp_path: Path) -> None:
    session.sql("CREATE STAGE CODE").collect()
    for word in ("first", "second"):
        folder = tmp_path / word
        folder.mkdir()
        (folder / "told.py").write_text(
            f"WORD = '{word}'\nCALLS = []\ndef run(s):\n    CALLS.append(1)\n    return f'{{WORD}} {{len(CALLS)}}'\n"
        )
        session.file.put(str(folder / "told.py"), f"@CODE/{word}", auto_compress=False)
        session.sql(
            f"CREATE PROCEDURE {word}() RETURNS STRING {PYTHON} IMPORTS = ('@CODE/{word}/told.py') HANDLER = 'told.run'"
        ).collect()
    assert value(session, "CALL FIRST()") == "first 1"
    assert value(session, "CALL SECOND()") == "second 1"
    assert value(session, "CALL FIRST()") == "first 2"  # the same process, still warm


def test_a_handler_finds_its_files_but_nothing_of_the_engine(session: Session, tmp_path: Path) -> None:
    session.sql("CREATE STAGE CODE").collect()
    (tmp_path / "table.txt").write_text("42")
    session.file.put(str(tmp_path / "table.txt"), "@CODE", auto_compress=False)
    create(
        session,
        "READS() RETURNS STRING",
        """
import sys, _snowflake
def run(session):
    engine = [name for name in sys.modules if name.startswith("intentscore") or name == "duckdb"]
    with open(sys._xoptions["snowflake_import_directory"] + "table.txt") as file:
        return file.read() + str(engine)
""",
        "IMPORTS = ('@CODE/table.txt')",
    )
    assert value(session, "CALL READS()") == "42[]"


def test_a_package_that_is_not_installed_is_refused_at_create(session: Session) -> None:
    for package in ("no-such-package", "pandas==0.1", "numpy>=99"):
        with pytest.raises(SnowparkSQLException, match="with the specified packages") as refused:
            session.sql(
                f"CREATE PROCEDURE P() RETURNS INT LANGUAGE PYTHON RUNTIME_VERSION = 3.11 PACKAGES = ('{package}') "
                "HANDLER = 'run' AS 'def run(s): return 1'"
            ).collect()
        assert package in refused.value.message


def test_procedures_are_listed_described_commented_and_dropped(session: Session) -> None:
    create(session, "LISTED(A INT, B STRING DEFAULT 'x') RETURNS TABLE (N INT)", "\ndef run(s, a, b):\n    return None")
    session.sql("COMMENT ON PROCEDURE LISTED(INT, STRING) IS 'what it''s for'").collect()
    shown = session.sql("SHOW PROCEDURES LIKE 'list%'").collect()[0].as_dict()
    assert shown["arguments"] == "LISTED(NUMBER, DEFAULT VARCHAR) RETURN TABLE (N NUMBER)"
    assert (shown["min_num_arguments"], shown["max_num_arguments"]) == (1, 2)
    assert shown["description"] == "what it's for"
    described = {row[0]: row[1] for row in session.sql("DESCRIBE PROCEDURE LISTED(INT, STRING)").collect()}
    assert described["signature"] == "(A NUMBER, B VARCHAR)"
    assert described["handler"] == "run"
    assert "snowflake-snowpark-python" in described["packages"]
    session.sql("DROP PROCEDURE LISTED(INT, STRING)").collect()
    with pytest.raises(SnowparkSQLException, match="'LISTED' does not exist"):
        session.sql("DROP PROCEDURE LISTED(INT, STRING)").collect()


def test_a_procedure_with_its_owners_rights_stands_in_its_own_schema(session: Session, schema: str) -> None:
    code = "\ndef run(s):\n    return s.sql('SELECT CURRENT_SCHEMA()').collect()[0][0]"
    create(session, "OWNED() RETURNS STRING", code, "EXECUTE AS OWNER")
    create(session, "CALLED() RETURNS STRING", code, "EXECUTE AS CALLER")
    session.use_schema("PUBLIC")
    assert value(session, f"CALL {schema}.OWNED()") == schema
    assert value(session, f"CALL {schema}.CALLED()") == "PUBLIC"
    assert session.get_current_schema() == '"PUBLIC"'


def test_a_warm_procedure_answers_fast(session: Session) -> None:
    create(session, "QUICK() RETURNS INT", "\ndef run(s):\n    return s.sql('SELECT 1').collect()[0][0]")
    session.sql("CALL QUICK()").collect()
    started = time.perf_counter()
    assert value(session, "CALL QUICK()") == 1
    assert time.perf_counter() - started < 0.3


def test_a_handler_that_kills_its_process_is_an_error_and_the_next_call_works(
    session: Session, connect: Callable[..., SnowflakeConnection]
) -> None:
    create(
        session,
        "DIES(YES BOOLEAN) RETURNS INT",
        "\nimport os\ndef run(s, yes):\n    if yes:\n        os._exit(3)\n    return 1",
    )
    with pytest.raises(ProgrammingError, match="its Python process stopped"):
        session.connection.cursor().execute("CALL DIES(TRUE)")
    assert value(session, "CALL DIES(FALSE)") == 1
