from __future__ import annotations

from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError


def run(connection: SnowflakeConnection, statement: str) -> list[Any]:
    return connection.cursor().execute(statement).fetchall()  # type: ignore[union-attr]


def test_a_sequence_counts_in_queries_inserts_and_defaults(connection: SnowflakeConnection, schema: str) -> None:
    run(connection, "CREATE SEQUENCE S START WITH 10 INCREMENT BY 5 ORDER COMMENT = 'ids'")
    cursor = connection.cursor().execute("SELECT S.NEXTVAL")
    assert cursor is not None
    assert ([column.name for column in cursor.description], cursor.fetchall()) == (["NEXTVAL"], [(10,)])
    run(connection, f"CREATE TABLE T (ID INT DEFAULT INTENTSCORE.{schema}.S.NEXTVAL, NAME VARCHAR)")
    run(connection, "INSERT INTO T (NAME) VALUES ('a'), ('b')")
    run(connection, "INSERT INTO T SELECT s.nextval AS ID, 'c'")
    assert run(connection, "SELECT * FROM T ORDER BY ID") == [(15, "a"), (20, "b"), (25, "c")]
    (shown,) = run(connection, "SHOW SEQUENCES LIKE 's'")
    assert (shown[0], shown[3], shown[4], shown[7], shown[9]) == ("S", 30, 5, "ids", "Y")


def test_sequences_are_changed_and_dropped(connection: SnowflakeConnection) -> None:
    run(connection, "CREATE SEQUENCE IF NOT EXISTS S")
    run(connection, "CREATE SEQUENCE IF NOT EXISTS S START 7")
    assert run(connection, "SELECT S.NEXTVAL, S.NEXTVAL") == [(1, 2)]
    run(connection, "ALTER SEQUENCE S SET INCREMENT BY -1")
    assert run(connection, "SELECT S.NEXTVAL") == [(3,)]
    assert run(connection, "SELECT S.NEXTVAL") == [(2,)]
    run(connection, "CREATE OR REPLACE SEQUENCE S START = 100")
    assert run(connection, "DESC SEQUENCE S")[0][3] == 100
    run(connection, "DROP SEQUENCE S")
    run(connection, "DROP SEQUENCE IF EXISTS S")
    for statement in ("DROP SEQUENCE S", "DESC SEQUENCE S"):
        with pytest.raises(ProgrammingError, match="Sequence"):
            run(connection, statement)


def test_a_column_called_nextval_is_a_column(connection: SnowflakeConnection) -> None:
    run(connection, "CREATE TABLE S AS SELECT 5 AS NEXTVAL")
    assert run(connection, "SELECT S.NEXTVAL FROM S") == [(5,)]
