from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from snowflake.connector import DictCursor, SnowflakeConnection
from snowflake.connector.errors import DatabaseError, ProgrammingError

Run = Callable[..., list[Any]]
Put = Callable[[str, Any], None]


@pytest.fixture
def run(connection: SnowflakeConnection) -> Run:
    def run(*statements: str, **others: Any) -> list[Any]:
        cursor = connection.cursor(**others)
        for statement in statements:
            cursor.execute(statement)
        rows: list[Any] = cursor.fetchall()
        return rows

    run("CREATE STAGE S")
    return run


@pytest.fixture
def put(run: Run, tmp_path: Path) -> Put:
    """Puts text, bytes or an Arrow table into the stage S under a name."""

    def put(name: str, content: Any) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pa.Table):
            pq.write_table(content, path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        folder = Path(name).parent
        run(f"PUT 'file://{path}' '@S/{folder if str(folder) != '.' else ''}' AUTO_COMPRESS = FALSE OVERWRITE = TRUE")

    return put


def test_csv_options_are_honoured(run: Run, put: Put) -> None:
    put("a.txt", 'N|S|D\n1|"a|b ""c"""|03/02/2024\n2|""|-\n3||\\N\n')
    run(
        "CREATE TABLE T (N INT, S TEXT, D DATE)",
        "COPY INTO T FROM @S FILE_FORMAT = (TYPE = CSV FIELD_DELIMITER = '|' SKIP_HEADER = 1 "
        "FIELD_OPTIONALLY_ENCLOSED_BY = '\"' NULL_IF = ('-', '\\\\N') DATE_FORMAT = 'DD/MM/YYYY')",
    )
    assert run("SELECT * FROM T ORDER BY N") == [(1, 'a|b "c"', date(2024, 2, 3)), (2, "", None), (3, None, None)]


def test_an_enclosed_field_may_span_lines_and_values_are_trimmed(run: Run, put: Put) -> None:
    put("a.csv", "1, 'two\r\nlines' \r\n2, plain \r\n")
    run(
        "CREATE TABLE T (N INT, S TEXT)",
        "COPY INTO T FROM @S FILE_FORMAT = (TYPE = CSV FIELD_OPTIONALLY_ENCLOSED_BY = '''' TRIM_SPACE = TRUE)",
    )
    assert run("SELECT * FROM T ORDER BY N") == [(1, "two\r\nlines"), (2, "plain")]


def test_every_type_loads_from_text(run: Run, put: Put) -> None:
    put("a.csv", '1.50,2.5e3,yes,2024-02-03,12:30:00,2024-02-03 04:05:06.789,ff01,{"a": 1}\n')
    run(
        "CREATE TABLE T (D NUMBER(10,2), F FLOAT, B BOOLEAN, DT DATE, TM TIME, TS TIMESTAMP_NTZ, X BINARY, V VARIANT)",
        "COPY INTO T FROM @S",
    )
    (row,) = run("SELECT D, F, B, DT, TS, X, V:a::INT FROM T")
    assert row == (Decimal("1.50"), 2500.0, True, date(2024, 2, 3), datetime(2024, 2, 3, 4, 5, 6, 789000),
                   bytearray(b"\xff\x01"), 1)  # fmt: skip


BAD = "1,one\nx,two\n3,three\ny,four\n"


def test_abort_is_the_default_and_names_the_place(run: Run, put: Put) -> None:
    put("a.csv", BAD)
    run("CREATE TABLE T (N INT, S TEXT)")
    with pytest.raises(ProgrammingError) as error:
        run("COPY INTO T FROM @S")
    assert error.value.errno == 100038
    for part in (
        "Numeric value 'x' is not recognized",
        "File 'a.csv', line 2, character 1",
        'column "T"["N":1]',
        "ON_ERROR",
    ):
        assert part in str(error.value)
    assert run("SELECT COUNT(*) FROM T") == [(0,)]


def test_continue_loads_the_rest_and_reports_the_first_error(run: Run, put: Put) -> None:
    put("a.csv", BAD)
    run("CREATE TABLE T (N INT, S TEXT)")
    (report,) = run("COPY INTO T FROM @S ON_ERROR = CONTINUE", cursor_class=DictCursor)
    assert report == {
        "file": "a.csv", "status": "PARTIALLY_LOADED", "rows_parsed": 4, "rows_loaded": 2, "error_limit": 4,
        "errors_seen": 2, "first_error": "Numeric value 'x' is not recognized", "first_error_line": 2,
        "first_error_character": 1, "first_error_column_name": '"T"["N":1]',
    }  # fmt: skip
    assert run("SELECT N FROM T ORDER BY N") == [(1,), (3,)]


@pytest.mark.parametrize(
    ("on_error", "loaded"),
    [("SKIP_FILE", 1), ("SKIP_FILE_2", 1), ("SKIP_FILE_3", 3), ("'SKIP_FILE_50%'", 1), ("'SKIP_FILE_75%'", 3)],
)
def test_skip_file_leaves_a_file_out_from_its_limit_on(run: Run, put: Put, on_error: str, loaded: int) -> None:
    put("a.csv", BAD)
    put("b.csv", "5,five\n")
    run("CREATE TABLE T (N INT, S TEXT)", f"COPY INTO T FROM @S ON_ERROR = {on_error}")
    assert run("SELECT COUNT(*) FROM T") == [(loaded,)]


def test_columns_are_counted_unless_the_format_says_otherwise(run: Run, put: Put) -> None:
    put("a.csv", "1,one,extra\n2\n")
    run("CREATE TABLE T (N INT, S TEXT)")
    with pytest.raises(ProgrammingError, match=r"Number of columns in file \(3\) does not match .* table \(2\)"):
        run("COPY INTO T FROM @S")
    run("COPY INTO T FROM @S FILE_FORMAT = (TYPE = CSV ERROR_ON_COLUMN_COUNT_MISMATCH = FALSE)")
    assert run("SELECT * FROM T ORDER BY N") == [(1, "one"), (2, None)]


def test_not_null_and_length_are_checked(run: Run, put: Put) -> None:
    put("a.csv", "1,abcdef\n,b\n")
    run("CREATE TABLE T (N INT NOT NULL, S VARCHAR(3))")
    (report,) = run("COPY INTO T FROM @S ON_ERROR = CONTINUE", cursor_class=DictCursor)
    assert (report["status"], report["errors_seen"]) == ("LOAD_FAILED", 2)
    assert report["first_error"] == "User character length limit (3) exceeded by string 'abcdef'"
    run("COPY INTO T FROM @S ON_ERROR = CONTINUE TRUNCATECOLUMNS = TRUE")
    assert run("SELECT * FROM T") == [(1, "abc")]


def test_a_file_is_loaded_once_unless_forced_or_changed(run: Run, put: Put) -> None:
    nothing = [("Copy executed with 0 files processed.",)]
    put("a.csv", "1\n")
    run("CREATE TABLE T (N INT)", "COPY INTO T FROM @S")
    assert run("COPY INTO T FROM @S") == nothing
    assert run("COPY INTO T FROM @S FILES = ('a.csv')")[0][1] == "LOAD_SKIPPED"
    assert run("COPY INTO T FROM @S FORCE = TRUE")[0][1] == "LOADED"
    put("a.csv", "2\n")
    assert run("COPY INTO T FROM @S")[0][1] == "LOADED"
    run("TRUNCATE TABLE T")
    assert run("COPY INTO T FROM @S")[0][1] == "LOADED"
    assert run("SELECT N FROM T") == [(2,)]
    run("CREATE OR REPLACE TABLE T (N INT)")
    assert run("COPY INTO T FROM @S")[0][1] == "LOADED"


def test_what_is_rolled_back_may_be_loaded_again_and_is_not_purged(run: Run, put: Put) -> None:
    put("a.csv", "1\n")
    run("CREATE TABLE T (N INT)", "BEGIN", "COPY INTO T FROM @S PURGE = TRUE", "ROLLBACK")
    assert len(run("LIST @S")) == 1
    assert run("COPY INTO T FROM @S PURGE = TRUE")[0][1] == "LOADED"
    assert run("LIST @S") == []


def test_pattern_and_files_choose(run: Run, put: Put) -> None:
    for name in ("x/a.csv", "x/b.csv", "y/a.csv"):
        put(name, "1\n")
    run("CREATE TABLE T (N INT)")
    assert [r[0] for r in run("COPY INTO T FROM @S PATTERN = '.*/a[.]csv'")] == ["x/a.csv", "y/a.csv"]
    assert [r[0] for r in run("COPY INTO T FROM @S/x FILES = ('b.csv')")] == ["x/b.csv"]
    with pytest.raises(ProgrammingError, match="was not found"):
        run("COPY INTO T FROM @S/x FILES = ('c.csv')")


def test_validation_mode_loads_nothing(run: Run, put: Put) -> None:
    put("a.csv", BAD)
    run("CREATE TABLE T (N INT, S TEXT)")
    errors = run("COPY INTO T FROM @S VALIDATION_MODE = RETURN_ERRORS", cursor_class=DictCursor)
    assert [(e["ERROR"], e["LINE"]) for e in errors] == [
        ("Numeric value 'x' is not recognized", 2), ("Numeric value 'y' is not recognized", 4),
    ]  # fmt: skip
    put("a.csv", "1,one\n2,two\n")
    assert run("COPY INTO T FROM @S VALIDATION_MODE = RETURN_1_ROWS") == [(1, "one")]
    assert run("SELECT COUNT(*) FROM T") == [(0,)]


def test_json_loads_whole_or_by_column_name(run: Run, put: Put) -> None:
    put("a.json", '[{"n": 1, "S": "one", "gone": null}, {"n": 2, "S": "two"}]')
    run("CREATE TABLE V (V VARIANT)", "CREATE TABLE T (N INT, S TEXT, X INT)")
    run("COPY INTO V FROM @S FILE_FORMAT = (TYPE = JSON STRIP_OUTER_ARRAY = TRUE STRIP_NULL_VALUES = TRUE)")
    assert run("SELECT V:n::INT, V:S::STRING, V:gone IS NULL FROM V ORDER BY 1") == [(1, "one", True), (2, "two", True)]
    run("COPY INTO T FROM @S FILE_FORMAT = (TYPE = JSON STRIP_OUTER_ARRAY = TRUE) "
        "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE")  # fmt: skip
    assert run("SELECT * FROM T ORDER BY N") == [(1, "one", None), (2, "two", None)]
    with pytest.raises(ProgrammingError, match="one and only one column of type variant"):
        run("COPY INTO T FROM @S FILE_FORMAT = (TYPE = JSON) FORCE = TRUE")


def test_csv_loads_by_header_with_metadata(run: Run, put: Put) -> None:
    put("d/a.csv", "s,n\none,1\ntwo,2\n")
    run(
        "CREATE TABLE T (N INT, S TEXT, F TEXT, R INT)",
        "COPY INTO T FROM @S FILE_FORMAT = (TYPE = CSV PARSE_HEADER = TRUE) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE "
        "INCLUDE_METADATA = (F = METADATA$FILENAME, R = METADATA$FILE_ROW_NUMBER)",
    )
    assert run("SELECT * FROM T ORDER BY N") == [(1, "one", "d/a.csv", 1), (2, "two", "d/a.csv", 2)]


def test_parquet_loads_by_name_and_through_a_query(run: Run, put: Put) -> None:
    put("a.parquet", pa.table({"N": [1, 2], "s": ["one", None], "l": [[1, 2], None]}))
    run("CREATE TABLE T (N INT, S TEXT, L ARRAY)", "CREATE TABLE Q (A TEXT, B INT, F TEXT)")
    run("COPY INTO T FROM @S FILE_FORMAT = (TYPE = PARQUET) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE")
    assert run("SELECT N, S, ARRAY_SIZE(L) FROM T ORDER BY N") == [(1, "one", 2), (2, None, None)]
    run("COPY INTO Q FROM (SELECT upper($1:\"s\"), $1:\"N\"::INT + 10, METADATA$FILENAME FROM @S) "
        "FILE_FORMAT = (TYPE = PARQUET)")  # fmt: skip
    assert run("SELECT * FROM Q ORDER BY B") == [("ONE", 11, "a.parquet"), (None, 12, "a.parquet")]
    with pytest.raises(ProgrammingError, match="does not match column list expecting 3 but got 1"):
        run('COPY INTO Q FROM (SELECT $1:"N" FROM @S) FILE_FORMAT = (TYPE = PARQUET) FORCE = TRUE')


def test_parquet_loads_documents_and_what_is_written_as_text(run: Run, put: Put) -> None:
    texts = {"o": ['{"a": 1}'], "l": ["[1, 2]"], "b": ["4A4B"]}
    put("a.parquet", pa.table(texts | {"d": [{"k": [1]}]}))
    run(
        "CREATE TABLE T (O OBJECT, L ARRAY, B BINARY, D VARIANT)",
        "CREATE FILE FORMAT P TYPE = PARQUET",
        "CREATE TABLE W (V VARIANT)",
    )
    run("COPY INTO T FROM @S FILE_FORMAT = (TYPE = PARQUET) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE")
    assert run("SELECT O:a::INT, L[0]::TEXT, B, D:k[0]::INT FROM T") == [(1, "[1, 2]", b"JK", 1)]
    ((key, changed),) = run("SELECT METADATA$FILE_CONTENT_KEY, METADATA$FILE_LAST_MODIFIED FROM @S (FILE_FORMAT => P)")
    assert len(key) == 32
    assert changed is not None
    run('COPY INTO W FROM (SELECT $1:"d"::VARIANT FROM @S) FILE_FORMAT = (TYPE = PARQUET)')
    run("COPY INTO W FROM @S FILE_FORMAT = (TYPE = PARQUET) FORCE = TRUE")
    run("COPY INTO W FROM (SELECT $1 FROM @S) FILE_FORMAT = (TYPE = PARQUET) FORCE = TRUE")
    assert run("SELECT V:k[0]::INT, V:d:k[0]::INT FROM W") == [(1, None), (None, 1), (None, 1)]


def test_a_missing_table_is_named(run: Run) -> None:
    with pytest.raises(DatabaseError) as error:
        run('COPY INTO "nowhere" FROM @S')
    assert str(error.value.msg).endswith("Table '\"nowhere\"' does not exist")


def test_nested_parquet_values_load_as_what_they_are(run: Run, put: Put) -> None:
    put("n.parquet", pa.table({"N": [1], "O": [{"a": 1, "b": None}], "L": [[1, 2]], "S": ["7"]}))
    run("CREATE TABLE T (N INT, V VARIANT, O OBJECT, L ARRAY, S VARIANT)")
    run('COPY INTO T FROM (SELECT $1:"N", $1:"O", $1:"O", $1:"L", $1:"S" FROM @S) FILE_FORMAT = (TYPE = PARQUET)')
    query = "SELECT TYPEOF(V), V:a, O:a, L[1], TYPEOF(S) FROM T"
    assert run(query) == [("OBJECT", "1", "1", "2", "VARCHAR")]


def test_parquet_columns_of_one_name_in_two_cases_load_apart(run: Run, put: Put) -> None:
    put("cases.parquet", pa.table({"is_A": [1, 2], "is_a": [3, 4]}))
    run('CREATE TABLE T ("is_a" INT, "is_A" INT)', "CREATE FILE FORMAT P TYPE = PARQUET")
    run('COPY INTO T FROM (SELECT $1:"is_a", $1:"is_A" FROM @S) FILE_FORMAT = P')
    run("COPY INTO T FROM @S FILE_FORMAT = P MATCH_BY_COLUMN_NAME = CASE_SENSITIVE FORCE = TRUE")
    assert run('SELECT "is_a", "is_A", COUNT(*) FROM T GROUP BY ALL ORDER BY 1') == [(3, 1, 2), (4, 2, 2)]
    ((whole,), _) = run("SELECT $1 FROM @S (FILE_FORMAT => P) ORDER BY METADATA$FILE_ROW_NUMBER")
    assert json.loads(whole) == {"is_A": 1, "is_a": 3}


def test_a_parquet_struct_has_the_fields_that_hold_something(run: Run, put: Put) -> None:
    put("sparse.parquet", pa.table({"N": [1, 2], "HITS": [{"a": 1, "b": None}, {"a": None, "b": 2}]}))
    run("CREATE TABLE T (N INT, HITS VARIANT)", "CREATE FILE FORMAT P TYPE = PARQUET")
    run("COPY INTO T FROM @S FILE_FORMAT = P MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE")
    run("COPY INTO T FROM (SELECT $1:N, $1:HITS FROM @S) FILE_FORMAT = P FORCE = TRUE")
    found = run("SELECT N, ARRAY_TO_STRING(OBJECT_KEYS(HITS), ',') FROM T ORDER BY N")
    assert found == [(1, "a"), (1, "a"), (2, "b"), (2, "b")]
