from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import DatabaseError

Connect = Callable[..., SnowflakeConnection]


def run(connection: SnowflakeConnection, *statements: str) -> list[Any]:
    """The rows of the last statement."""
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    return cursor.fetchall()


def refused(connection: SnowflakeConnection, statement: str) -> int:
    with pytest.raises(DatabaseError) as error:
        run(connection, statement)
    return int(error.value.errno or 0)


@pytest.fixture
def one(connection: SnowflakeConnection) -> SnowflakeConnection:
    run(connection, "CREATE TABLE T (N INT NOT NULL, S VARCHAR DEFAULT UUID_STRING())")
    return connection


@pytest.fixture
def other(one: SnowflakeConnection, connect: Connect, schema: str) -> SnowflakeConnection:
    return connect(schema=schema)


def test_changes_are_seen_by_others_once_committed(one: SnowflakeConnection, other: SnowflakeConnection) -> None:
    run(one, "BEGIN", "INSERT INTO T (N) VALUES (1), (2)")
    assert run(one, "SELECT COUNT(*) FROM T") == [(2,)]
    assert run(other, "SELECT COUNT(*) FROM T") == [(0,)]
    run(one, "COMMIT")
    assert run(other, "SELECT COUNT(*) FROM T") == [(2,)]


def test_rollback_undoes_changes(one: SnowflakeConnection) -> None:
    run(
        one,
        "INSERT INTO T (N) VALUES (1)",
        "BEGIN",
        "UPDATE T SET N = 5",
        "DELETE FROM T",
        "TRUNCATE TABLE T",
        "ROLLBACK",
    )
    assert run(one, "SELECT N FROM T") == [(1,)]


def test_a_transaction_reads_what_others_have_committed_since_it_began(
    one: SnowflakeConnection, other: SnowflakeConnection
) -> None:
    assert run(one, "BEGIN", "SELECT COUNT(*) FROM T") == [(0,)]
    run(other, "INSERT INTO T (N) VALUES (1)")
    assert run(one, "SELECT COUNT(*) FROM T") == [(1,)]


@pytest.mark.parametrize(
    "failing",
    [
        "SELECT * FROM MISSING",
        "SELECT nonsense FROM",
        "SELECT 1 / 0 FROM T",
        "INSERT INTO T (N) VALUES ('x')",
        "INSERT INTO T (N) VALUES (NULL)",
        "UPDATE T SET N = NULL",
    ],
)
def test_a_failed_statement_leaves_the_transaction_open(
    one: SnowflakeConnection, other: SnowflakeConnection, failing: str
) -> None:
    run(
        one, "BEGIN", "INSERT INTO T (N) VALUES (1), (2)", "UPDATE T SET N = 3 WHERE N = 2", "DELETE FROM T WHERE N = 1"
    )
    before = run(one, "SELECT * FROM T")
    refused(one, failing)
    assert run(one, "SELECT * FROM T") == before  # the random default too
    assert run(other, "SELECT COUNT(*) FROM T") == [(0,)]
    run(one, "INSERT INTO T (N) VALUES (9)", "COMMIT")
    assert run(other, "SELECT N FROM T ORDER BY N") == [(3,), (9,)]


def test_array_bindings_survive_a_failed_statement(one: SnowflakeConnection) -> None:
    run(one, "BEGIN")
    one.cursor().executemany("INSERT INTO T (N, S) VALUES (%s, %s)", [(1, "a"), (2, "b")])
    refused(one, "SELECT * FROM MISSING")
    assert run(one, "COMMIT", "SELECT N, S FROM T ORDER BY N") == [(1, "a"), (2, "b")]


def test_times_are_those_of_the_statement_and_stay_when_a_later_one_fails(one: SnowflakeConnection) -> None:
    run(one, "BEGIN", "INSERT INTO T SELECT 1, CURRENT_TIMESTAMP()::VARCHAR")
    run(one, "INSERT INTO T SELECT 2, CURRENT_TIMESTAMP()::VARCHAR")
    before = run(one, "SELECT S FROM T ORDER BY N")
    refused(one, "SELECT * FROM MISSING")
    assert before[0] < before[1]
    assert run(one, "COMMIT", "SELECT S FROM T ORDER BY N") == before


def test_what_cannot_be_kept_is_never_committed_silently(one: SnowflakeConnection) -> None:
    run(one, "INSERT INTO T VALUES (1, 'before')", "BEGIN", "UPDATE T SET S = UUID_STRING()")
    refused(one, "UPDATE T SET N = NULL")
    assert refused(one, "SELECT * FROM T") == 90232
    assert refused(one, "COMMIT") == 90232
    assert run(one, "SELECT S FROM T") == [("before",)]


def test_ddl_commits_the_open_transaction(one: SnowflakeConnection, other: SnowflakeConnection) -> None:
    run(one, "BEGIN", "INSERT INTO T (N) VALUES (1)", "CREATE TABLE U (N INT)", "ROLLBACK")
    assert run(other, "SELECT COUNT(*) FROM T") == [(1,)]
    assert run(other, "SELECT COUNT(*) FROM U") == [(0,)]


def test_a_second_begin_is_ignored(one: SnowflakeConnection) -> None:
    run(one, "BEGIN", "INSERT INTO T (N) VALUES (1)", "BEGIN TRANSACTION", "ROLLBACK")
    assert run(one, "SELECT COUNT(*) FROM T") == [(0,)]


def test_without_autocommit_the_first_change_begins_a_transaction(
    one: SnowflakeConnection, other: SnowflakeConnection
) -> None:
    one.autocommit(False)
    assert run(one, "SELECT CURRENT_TRANSACTION()") == [(None,)]
    run(one, "INSERT INTO T (N) VALUES (1)")
    assert run(one, "SELECT CURRENT_TRANSACTION() IS NOT NULL") == [(True,)]
    assert run(other, "SELECT COUNT(*) FROM T") == [(0,)]
    one.rollback()
    assert run(one, "SELECT COUNT(*) FROM T") == [(0,)]
    run(one, "INSERT INTO T (N) VALUES (1)")
    one.autocommit(True)  # a change of the mode commits
    assert run(other, "SELECT COUNT(*) FROM T") == [(1,)]


def test_a_connection_can_start_without_autocommit(connect: Connect, one: SnowflakeConnection, schema: str) -> None:
    with connect(schema=schema, autocommit=False) as quiet:
        run(quiet, "INSERT INTO T (N) VALUES (1)")
        assert run(one, "SELECT COUNT(*) FROM T") == [(0,)]
        quiet.commit()
    assert run(one, "SELECT COUNT(*) FROM T") == [(1,)]


def test_closing_a_session_rolls_its_transaction_back(connect: Connect, one: SnowflakeConnection, schema: str) -> None:
    leaving = connect(schema=schema)
    run(leaving, "BEGIN", "INSERT INTO T (N) VALUES (1)")
    leaving.close()
    run(one, "INSERT INTO T (N) VALUES (2)")
    assert run(one, "SELECT N FROM T") == [(2,)]


def test_waiting_for_another_writer_ends_with_lock_timeout(
    one: SnowflakeConnection, other: SnowflakeConnection
) -> None:
    run(one, "BEGIN", "INSERT INTO T (N) VALUES (1)")
    run(other, "ALTER SESSION SET LOCK_TIMEOUT = 0")
    assert refused(other, "INSERT INTO T (N) VALUES (2)") == 625
    assert run(other, "SELECT COUNT(*) FROM T") == [(0,)]  # reading never waits


def test_a_writer_goes_on_when_the_other_has_committed(one: SnowflakeConnection, other: SnowflakeConnection) -> None:
    run(one, "INSERT INTO T VALUES (1, 'a')", "BEGIN", "UPDATE T SET N = N + 1")
    waiting = threading.Thread(target=run, args=(other, "UPDATE T SET N = N * 10"))
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()
    run(one, "COMMIT")
    waiting.join(120)
    assert run(one, "SELECT N FROM T") == [(20,)]


def test_two_databases_are_not_changed_in_one_transaction(one: SnowflakeConnection, schema: str) -> None:
    run(one, f"CREATE DATABASE OTHER_{schema}", "CREATE TABLE U (N INT)")
    run(one, f"USE SCHEMA INTENTSCORE.{schema}", "BEGIN", "INSERT INTO T (N) VALUES (1)")
    assert refused(one, f"INSERT INTO OTHER_{schema}.PUBLIC.U VALUES (1)") == 2
    assert run(one, "COMMIT", f"SELECT COUNT(*) FROM T, OTHER_{schema}.PUBLIC.U") == [(0,)]
    assert run(one, "SELECT COUNT(*) FROM T") == [(1,)]
    run(one, f"DROP DATABASE OTHER_{schema}")


def test_open_transactions_and_locks_are_listed(one: SnowflakeConnection) -> None:
    run(one, "BEGIN", "INSERT INTO T (N) VALUES (1)")
    (current,) = run(one, "SELECT CURRENT_TRANSACTION()")[0]
    assert int(current) in [row[0] for row in run(one, "SHOW TRANSACTIONS")]
    assert [row[2] for row in run(one, "SHOW LOCKS")] == [int(current)]
    assert run(one, "COMMIT", "SELECT CURRENT_TRANSACTION(), LAST_TRANSACTION()") == [(None, current)]


def test_temporary_tables_do_not_wait_for_writers(one: SnowflakeConnection, other: SnowflakeConnection) -> None:
    run(one, "BEGIN", "INSERT INTO T (N) VALUES (1)")
    run(other, "ALTER SESSION SET LOCK_TIMEOUT = 0")
    assert run(other, "CREATE TEMPORARY TABLE MINE AS SELECT 1 AS N", "SELECT N FROM MINE") == [(1,)]
