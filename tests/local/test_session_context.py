from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import DatabaseError
from snowflake.snowpark import Session

from intentscore.local import results
from intentscore.local.results import Result, ResultStore
from intentscore.local.types import NUMBER

Connect = Callable[..., SnowflakeConnection]


def run(connection: SnowflakeConnection, *statements: str) -> list[Any]:
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    return cursor.fetchall()


def comes_true(condition: Callable[[], bool]) -> bool:
    """Within two minutes: sooner on a machine that does nothing else."""
    until = time.monotonic() + 120
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return condition()


def test_variables_stand_for_their_values(connection: SnowflakeConnection) -> None:
    run(connection, "SET LIMIT_OF = 2", "SET (NAME, DAY) = ('it''s', '2024-01-02'::DATE)", "CREATE TABLE T (N INT)")
    run(connection, "INSERT INTO T VALUES (1), (2), (3)")
    assert run(connection, "SELECT COUNT(*) FROM T WHERE N <= $LIMIT_OF") == [(2,)]
    assert run(connection, "SELECT $name, DAY($day), '$name', GETVARIABLE('NAME')") == [("it's", 2, "$name", "it's")]
    run(connection, "SET MOST = (SELECT MAX(N) FROM T)")
    assert run(connection, "SELECT $MOST + 1") == [(4,)]


def test_variables_are_shown_with_their_types(connection: SnowflakeConnection) -> None:
    run(connection, "SET (FIRST_ONE, OTHER) = (1, 'x')", "SET FIRST_ONE = 2.5::FLOAT")
    found = run(connection, "SHOW VARIABLES")
    assert [row[3:] for row in found] == [("FIRST_ONE", "2.5", "real", ""), ("OTHER", "x", "text", "")]
    created_on, updated_on = found[0][1:3]
    assert created_on < updated_on
    assert [row[3] for row in run(connection, "SHOW VARIABLES LIKE 'oth%'")] == ["OTHER"]


def test_variables_name_objects(connection: SnowflakeConnection) -> None:
    run(connection, "SET TARGET = 'MADE_BY_NAME'", "CREATE TABLE IDENTIFIER($TARGET) (N INT)")
    assert [row[1] for row in run(connection, "SHOW TABLES")] == ["MADE_BY_NAME"]


def test_unset_and_unknown_variables_are_refused(connection: SnowflakeConnection, connect: Connect) -> None:
    run(connection, "SET (A, B) = (1, 2)", "UNSET (A, B)")
    with pytest.raises(DatabaseError, match=r"Session variable '\$A' does not exist"):
        run(connection, "SELECT $A")
    with pytest.raises(DatabaseError, match="exceeds size limit"):
        run(connection, f"SET LONG = '{'x' * 257}'")
    run(connection, "SET A = 1")
    with pytest.raises(DatabaseError, match="does not exist"):
        run(connect(), "SELECT $A")


def test_dollar_quoted_text_and_positions_are_no_variables(connection: SnowflakeConnection) -> None:
    assert run(connection, "SELECT $$a $b c$$, $1 FROM VALUES (7)") == [("a $b c", 7)]


def test_use_of_what_is_not_there_leaves_the_context(connection: SnowflakeConnection, schema: str) -> None:
    for statement in ("USE DATABASE NOWHERE", "USE SCHEMA NOWHERE", "USE SCHEMA NOWHERE.PUBLIC", "USE ROLE NOBODY"):
        with pytest.raises(DatabaseError):
            run(connection, statement)
    assert run(connection, "SELECT CURRENT_DATABASE(), CURRENT_SCHEMA()") == [("INTENTSCORE", schema)]


def test_two_databases_keep_their_objects_apart(connection: SnowflakeConnection, schema: str) -> None:
    other = f"SECOND_{schema}"
    run(connection, "CREATE TABLE T AS SELECT 1 AS N", f"CREATE DATABASE {other}", "CREATE TABLE T AS SELECT 2 AS N")
    assert run(connection, "SELECT CURRENT_DATABASE(), CURRENT_SCHEMA()") == [(other, "PUBLIC")]
    both = f"SELECT A.N, B.N FROM INTENTSCORE.{schema}.T A, {other}..T B"
    assert run(connection, both) == [(1, 2)]
    run(connection, f"DROP DATABASE {other}")
    assert run(connection, "SELECT CURRENT_DATABASE(), CURRENT_SCHEMA()") == [(None, None)]
    with pytest.raises(DatabaseError, match="does not have a current database"):
        run(connection, "SELECT * FROM T")


def test_a_dropped_database_is_gone_for_others_too(
    connection: SnowflakeConnection, connect: Connect, schema: str
) -> None:
    other = connect()
    run(other, f"CREATE DATABASE GONE_{schema}", "CREATE TABLE T (N INT)")
    run(connection, f"DROP DATABASE GONE_{schema}")
    with pytest.raises(DatabaseError, match="does not exist"):
        run(other, "SELECT * FROM T")
    run(other, f"CREATE DATABASE GONE_{schema}")
    assert run(other, "SHOW TABLES") == []
    run(other, f"DROP DATABASE GONE_{schema}")


def test_parameters_have_the_types_snowflake_gives_them(connection: SnowflakeConnection) -> None:
    with pytest.raises(DatabaseError, match="invalid value"):
        run(connection, "ALTER SESSION SET AUTOCOMMIT = 'perhaps'")
    with pytest.raises(DatabaseError, match="invalid value"):
        run(connection, "ALTER SESSION SET LOCK_TIMEOUT = 'soon'")
    run(connection, "ALTER SESSION SET LOCK_TIMEOUT = '5'")
    assert run(connection, "SHOW PARAMETERS LIKE 'LOCK_TIMEOUT'")[0][1] == "5"
    run(connection, "ALTER SESSION UNSET LOCK_TIMEOUT")
    assert run(connection, "SHOW PARAMETERS LIKE 'LOCK_TIMEOUT'")[0][1] == "43200"


def test_a_large_result_is_read_again_after_it_has_left_memory(session: Session) -> None:
    large = "SELECT SEQ8() AS N, 'text' || SEQ8() AS S FROM TABLE(GENERATOR(ROWCOUNT => 300000))"
    cursor = session.connection.cursor()
    cursor.execute(large)
    query_id = cursor.sfqid
    batches = cursor.get_result_batches() or []
    first = [len(list(batch.create_iter())) for batch in batches]
    assert sum(first) == 300_000
    assert [len(list(batch.create_iter())) for batch in batches] == first
    scanned = session.sql(f"SELECT COUNT(*), SUM(N) FROM TABLE(RESULT_SCAN('{query_id}'))").collect()
    assert tuple(scanned[0]) == (300_000, sum(range(300_000)))


def test_a_result_nobody_asks_for_leaves_memory_and_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "IDLE_AFTER_S", 0.05)
    store = ResultStore(tmp_path)
    kept = store.keep("q", Result(pa.table({"N": pa.array(range(1_000_000))}), [NUMBER]))
    first, *_ = kept.chunks
    before = store.chunk(first)
    assert not kept.spilled
    assert comes_true(lambda: kept.spilled)
    assert store.chunk(first) == before
    assert list(tmp_path.iterdir()) == []


def test_the_oldest_large_results_go_and_the_last_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "KEPT_BYTES", 20_000_000)
    store = ResultStore(tmp_path)
    table = pa.table({"N": pa.array(range(1_000_000))})
    for name in "abcd":
        store.keep(name, Result(table, [NUMBER]))
    assert [name for name in "abcd" if store.get(name)] == ["c", "d"]
    store.keep("e", Result(pa.concat_tables([table] * 3), [NUMBER]))
    assert [name for name in "cde" if store.get(name)] == ["e"]


def test_unloaded_numbers_may_be_no_numbers(connection: SnowflakeConnection, tmp_path: Path) -> None:
    run(connection, "CREATE STAGE OUT", "COPY INTO @OUT/a.csv FROM (SELECT 'NaN'::FLOAT, 2.0::FLOAT) SINGLE = TRUE "
        "FILE_FORMAT = (TYPE = CSV COMPRESSION = NONE)")  # fmt: skip
    run(connection, f"GET @OUT/a.csv file://{tmp_path}")
    assert (tmp_path / "a.csv").read_text().strip() == "NaN,2"


def test_a_view_lives_in_a_schema_called_like_its_database(connection: SnowflakeConnection) -> None:
    run(connection, "CREATE SCHEMA IF NOT EXISTS INTENTSCORE.INTENTSCORE")
    run(connection, "CREATE OR REPLACE TABLE INTENTSCORE.INTENTSCORE.NAMESAKE AS SELECT 1 AS N")
    run(
        connection,
        "CREATE OR REPLACE VIEW INTENTSCORE.INTENTSCORE.BOTH_NAMES AS SELECT a.N, b.N AS M "
        "FROM INTENTSCORE.INTENTSCORE.NAMESAKE a JOIN INTENTSCORE.INTENTSCORE.NAMESAKE b ON a.N = b.N",
    )
    assert run(connection, "SELECT N, M FROM INTENTSCORE.INTENTSCORE.BOTH_NAMES") == [(1, 1)]
    run(connection, "DROP VIEW INTENTSCORE.INTENTSCORE.BOTH_NAMES")
    run(connection, "DROP TABLE INTENTSCORE.INTENTSCORE.NAMESAKE")


def test_text_is_read_in_the_formats_of_the_session(connection: SnowflakeConnection) -> None:
    cursor: Any = connection.cursor()
    query = "select '31-01-2024'::date, try_to_date('2024-01-31'), '31.01.2024 7h'::timestamp"
    cursor.execute("alter session set date_input_format = 'DD-MM-YYYY'")
    cursor.execute("alter session set timestamp_input_format = 'DD.MM.YYYY HH24\"h\"'")
    assert cursor.execute(query).fetchone() == (date(2024, 1, 31), None, datetime(2024, 1, 31, 7))
    cursor.execute("alter session unset date_input_format")
    with pytest.raises(DatabaseError, match="Date '31-01-2024' is not recognized"):
        cursor.execute(query)


def test_a_client_is_told_by_its_name_and_version(connection: SnowflakeConnection) -> None:
    ((client,),) = run(connection, "select current_client()")
    assert re.fullmatch(r"PythonConnector \d+\.\d+\.\d+\S*", client)


def test_secondary_roles_are_all_none_or_roles_there_are(connection: SnowflakeConnection) -> None:
    run(
        connection,
        "CREATE ROLE ANALYST",
        "USE SECONDARY ROLES ANALYST",
        "USE SECONDARY ROLES NONE",
        "DROP ROLE ANALYST",
    )
    with pytest.raises(DatabaseError, match="Object does not exist, or operation cannot be performed"):
        run(connection, "USE SECONDARY ROLES ANALYST")
