from __future__ import annotations

import contextlib
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import duckdb
import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.constants import QueryStatus
from snowflake.connector.errors import DatabaseError, NotSupportedError, ProgrammingError
from snowflake.snowpark import Row, Session

from intentscore.local import queries
from intentscore.local.engine import Engine
from intentscore.local.errors import SnowflakeError


def run(connection: SnowflakeConnection, statement: str, **options: Any) -> list[Any]:
    cursor = connection.cursor()
    cursor.execute(statement, **options)
    return cursor.fetchall()


def wait_for(connection: SnowflakeConnection, query_id: str) -> QueryStatus:
    while connection.is_still_running(status := connection.get_query_status(query_id)):
        time.sleep(0.01)
    return status


def test_an_asynchronous_query_is_fetched_later(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute_async("SELECT SYSTEM$WAIT(0.2), 7")
    query_id = str(cursor.sfqid)
    assert connection.get_query_status(query_id) == QueryStatus.RUNNING
    cursor.get_results_from_sfqid(query_id)
    assert [row[1] for row in cursor.fetchall()] == [7]
    assert connection.get_query_status(query_id) == QueryStatus.SUCCESS


def test_a_failed_asynchronous_query_tells_why(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute_async("SELECT * FROM MISSING")
    query_id = str(cursor.sfqid)
    assert wait_for(connection, query_id) == QueryStatus.FAILED_WITH_ERROR
    with pytest.raises(ProgrammingError, match="MISSING"):
        cursor.get_results_from_sfqid(query_id)


def test_an_unknown_query_has_no_status(connection: SnowflakeConnection) -> None:
    assert connection.get_query_status(str(uuid.uuid4())) == QueryStatus.NO_DATA


def test_snowpark_collects_later(session: Session) -> None:
    session.sql("CREATE TABLE T AS SELECT 1 AS N").collect()
    collected = session.table("T").collect_nowait()
    assert collected.result() == [Row(N=1)]
    assert session.create_async_job(collected.query_id).result() == [Row(N=1)]
    frame: Any = session.table("T").to_pandas(block=False)
    assert frame.result()["N"].tolist() == [1]
    saved: Any = session.table("T").write.save_as_table("U", block=False)
    saved.result()
    assert session.table("U").count() == 1


def test_a_running_query_is_cancelled(session: Session) -> None:
    session.sql("CREATE TABLE T (N INT)").collect()
    job = session.sql("INSERT INTO T SELECT SEQ4() FROM TABLE(GENERATOR(ROWCOUNT => 1)), "
                      "(SELECT SYSTEM$WAIT(300))").collect_nowait()  # fmt: skip
    started = time.monotonic()
    job.cancel()
    with pytest.raises(DatabaseError, match="canceled"):
        job.result()
    assert job.is_failed()
    assert session.table("T").count() == 0
    assert time.monotonic() - started < 120


def test_work_inside_duckdb_is_cancelled(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute_async(
        "SELECT SUM(A.G * B.G) FROM (SELECT SEQ4() AS G FROM TABLE(GENERATOR(ROWCOUNT => 1000000))) A, "
        "(SELECT SEQ4() AS G FROM TABLE(GENERATOR(ROWCOUNT => 1000000))) B WHERE MOD(A.G + B.G, 3) = 1"
    )
    query_id = str(cursor.sfqid)
    time.sleep(0.1)
    connection.cursor().execute(f"SELECT SYSTEM$CANCEL_QUERY('{query_id}')")
    assert wait_for(connection, query_id) == QueryStatus.FAILED_WITH_ERROR
    assert run(connection, "SELECT 1") == [(1,)]  # and nothing else is


def test_a_cancelled_statement_leaves_the_transaction_it_is_in_as_it_was(
    connection: SnowflakeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "INTERRUPT_EVERY_S", 0.0)
    run(connection, "CREATE TABLE T (N INT, S VARCHAR DEFAULT UUID_STRING())")
    run(connection, "BEGIN")
    run(connection, "INSERT INTO T (N) VALUES (1)")
    cursor = connection.cursor()
    cursor.execute_async(
        "UPDATE T SET N = (SELECT SUM(SQRT(G)) FROM (SELECT SEQ4() AS G FROM TABLE(GENERATOR(ROWCOUNT => 1000000))) A, "
        "TABLE(GENERATOR(ROWCOUNT => 1000000)) B)"
    )
    query_id = str(cursor.sfqid)
    time.sleep(0.1)
    run(connection, f"SELECT SYSTEM$CANCEL_QUERY('{query_id}')")
    assert wait_for(connection, query_id) == QueryStatus.FAILED_WITH_ERROR
    run(connection, "INSERT INTO T (N) VALUES (2)")
    run(connection, "COMMIT")
    assert run(connection, "SELECT N FROM T ORDER BY N") == [(1,), (2,)]


def test_a_cancel_leaves_no_transaction_that_nobody_began(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    session, ended = engine.open_session({}), threading.Event()

    def interrupt() -> None:
        while not ended.is_set():
            session.duck.interrupt()
            time.sleep(1e-5)

    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    for _ in range(300):
        with contextlib.suppress(duckdb.Error, SnowflakeError), session.transaction.own():
            pass
    ended.set()
    interrupting.join()
    assert session.fetch("SELECT 1") == [(1,)]
    engine.close()


def test_all_queries_of_a_session_are_cancelled(session: Session) -> None:
    jobs = [session.sql("SELECT SYSTEM$WAIT(300)").collect_nowait() for _ in range(3)]
    session.cancel_all()
    assert all(wait_for(session.connection, job.query_id) == QueryStatus.FAILED_WITH_ERROR for job in jobs)


def test_a_statement_ends_at_its_timeout(connection: SnowflakeConnection) -> None:
    with pytest.raises(ProgrammingError, match="timeout of 1 second") as error:
        connection.cursor().execute("SELECT SYSTEM$WAIT(300)", _statement_params={"STATEMENT_TIMEOUT_IN_SECONDS": "1"})
    assert (error.value.errno, error.value.sqlstate) == (630, "57014")
    assert run(connection, "SELECT 1") == [(1,)]


def test_the_clients_own_timeout_stops_the_query(connection: SnowflakeConnection) -> None:
    started = time.monotonic()
    with pytest.raises(ProgrammingError) as error:
        connection.cursor().execute("SELECT SYSTEM$WAIT(300)", timeout=1)
    assert error.value.errno == 604
    assert time.monotonic() - started < 120


def test_several_statements_in_one_request(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE T (N INT); INSERT INTO T VALUES (1), (2); SELECT SUM(N) FROM T;", num_statements=3)
    assert cursor.fetchall() == [("Table T successfully created.",)]
    assert cursor.nextset()
    assert cursor.fetchall() == [(2,)]
    assert cursor.nextset()
    assert cursor.fetchall() == [(3,)]
    assert cursor.nextset() is None


def test_the_statements_of_a_request_are_counted(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    with pytest.raises(ProgrammingError, match="Actual statement count 2 did not match the desired statement count 1"):
        cursor.execute("USE SCHEMA PUBLIC; DROP TABLE IMPORTANT")
    with pytest.raises(ProgrammingError, match="count 2 did not match the desired statement count 3"):
        cursor.execute("SELECT 1; SELECT 2", num_statements=3)
    assert run(connection, "SELECT ';'; SELECT 2", num_statements=0) == [(";",)]


def test_the_first_failing_statement_is_the_last(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    with pytest.raises(ProgrammingError, match="MISSING"):
        cursor.execute("CREATE TABLE A (N INT); SELECT * FROM MISSING; CREATE TABLE B (N INT)", num_statements=3)
    assert [row[1] for row in run(connection, "SHOW TABLES")] == ["A"]


def test_the_history_tells_what_ran(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute("ALTER SESSION SET QUERY_TAG = 'nightly'")
    cursor.execute("SELECT 1 AS N")
    query_id = cursor.sfqid
    with pytest.raises(ProgrammingError):
        cursor.execute("SELECT * FROM MISSING")
    by_session = "TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_SESSION(RESULT_LIMIT => 3))"
    rows = run(
        connection,
        f"SELECT QUERY_ID, EXECUTION_STATUS, ERROR_CODE, QUERY_TAG, ROWS_PRODUCED FROM {by_session} "
        "ORDER BY START_TIME LIMIT 2",
    )
    assert rows[0] == (query_id, "SUCCESS", None, "nightly", 1)
    assert rows[1][1:] == ("FAILED_WITH_ERROR", "002003", "nightly", None)


def test_the_history_is_limited_by_time(connection: SnowflakeConnection) -> None:
    run(connection, "SELECT 1")
    future = "DATEADD('day', 1, CURRENT_TIMESTAMP())"
    later = f"TABLE(INFORMATION_SCHEMA.QUERY_HISTORY(END_TIME_RANGE_START => {future}))"
    assert run(connection, f"SELECT COUNT(*) FROM {later} WHERE EXECUTION_STATUS = 'SUCCESS'") == [(0,)]


def test_snowpark_records_its_queries(session: Session) -> None:
    with session.query_history() as history:
        session.sql("SELECT 1").collect()
    recorded = session.sql("SELECT QUERY_ID, QUERY_TEXT FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY())").collect()
    assert Row(history.queries[0].query_id, "SELECT 1") in recorded


def test_a_tag_for_one_statement_is_not_the_sessions(session: Session) -> None:
    session.query_tag = "session"
    session.sql("SELECT 1").collect(statement_params={"QUERY_TAG": "statement"})
    session.sql("SELECT 2").collect()
    found = session.sql(
        "SELECT QUERY_TAG FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_SESSION()) "
        "WHERE QUERY_TEXT IN ('SELECT 1', 'SELECT 2') ORDER BY START_TIME"
    ).collect()
    assert [row.QUERY_TAG for row in found] == ["statement", "session"]


def test_long_chains_of_operators_are_read_once(connection: SnowflakeConnection) -> None:
    """Each operator asks for the types of its two sides; were they settled anew each time, this would not end."""
    cursor = connection.cursor()
    cursor.execute("CREATE TEMPORARY TABLE CHAIN AS SELECT 1 AS A, 'x' AS B")
    conditions = " OR ".join(["(A > 1 AND B IS NULL)"] * 60)
    cursor.execute(f"SELECT {' + '.join(['A'] * 60)}, {' || '.join(['B'] * 60)}, {conditions} FROM CHAIN")
    assert cursor.fetchall() == [(60, "x" * 60, False)]


def test_a_query_tells_the_rows_of_its_result_as_an_operator(session: Session) -> None:
    cursor: Any = session.connection.cursor()
    query_id = cursor.execute("select column1 from values (1), (2), (3)").sfqid
    stats = f"table(get_query_operator_stats('{query_id}'))"
    told = cursor.execute(f"select operator_type, operator_statistics:output_rows::number from {stats}").fetchall()
    assert told == [("Result", 3)]


EVERY_KIND = """select 1 a, 1.5 b, 2.5::float c, true d, '2020-01-02'::date e, '10:20:30.5'::time f, 'x' g, null h,
    '1969-12-31 23:59:58.5'::timestamp i, '2020-01-02 03:04:05 +0200'::timestamp_tz j, to_binary('4a') k,
    parse_json('{"a": [1]}') l, '2020-01-02 03:04:05'::timestamp_ltz m"""


def test_a_client_may_ask_for_rows_in_json(connection: SnowflakeConnection) -> None:
    in_arrow = run(connection, EVERY_KIND)
    run(connection, "alter session set python_connector_query_result_format = 'JSON'")
    assert run(connection, EVERY_KIND) == in_arrow
    assert len(run(connection, "select seq4() from table(generator(rowcount => 6000))")) == 6000
    with pytest.raises(NotSupportedError):
        connection.cursor().execute("select 1").fetch_pandas_all()  # type: ignore[union-attr]


def test_what_is_no_query_answers_in_json(session: Session) -> None:
    told = session.sql("create table visits (id int)").to_pandas()
    assert told['"status"'][0] == "Table VISITS successfully created."
    assert session.sql("show tables").to_pandas()['"name"'].tolist() == ["VISITS"]
