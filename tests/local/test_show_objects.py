"""Listings that other clients ask for."""

from __future__ import annotations

from typing import Any

from snowflake.connector import DictCursor, SnowflakeConnection


def listed(connection: SnowflakeConnection, text: str) -> list[dict[str, Any]]:
    cursor: Any = connection.cursor(DictCursor).execute(text)
    return list(cursor.fetchall())


def test_objects_are_tables_and_views_page_by_page(connection: SnowflakeConnection, schema: str) -> None:
    for text in ("CREATE TABLE b (n INT)", "CREATE VIEW a AS SELECT n FROM b", "CREATE TABLE c (n INT)"):
        connection.cursor().execute(text)
    found = listed(connection, f"SHOW OBJECTS IN SCHEMA {schema}")
    assert [(row["name"], row["kind"]) for row in found] == [("A", "VIEW"), ("B", "TABLE"), ("C", "TABLE")]
    page = listed(connection, f"SHOW TERSE OBJECTS IN INTENTSCORE.{schema} LIMIT 2 FROM 'A'")
    assert [row["name"] for row in page] == ["B", "C"]
    assert [row["name"] for row in listed(connection, "SHOW OBJECTS LIKE 'b'")] == ["B"]
    connection.cursor().execute("DROP VIEW a CASCADE")
    assert len(listed(connection, "SHOW OBJECTS")) == 2


def test_schemas_are_limited_and_users_listed(connection: SnowflakeConnection, schema: str) -> None:
    (only,) = listed(connection, f"SHOW TERSE SCHEMAS LIKE '{schema}' IN DATABASE INTENTSCORE LIMIT 10")
    assert only["name"] == schema
    assert len(listed(connection, "SHOW SCHEMAS LIMIT 1")) == 1
    assert [row["name"] for row in listed(connection, "SHOW USERS LIKE '%%'")] == ["LOCAL"]


def test_what_is_shown_tersely_has_the_same_columns_for_every_kind(
    connection: SnowflakeConnection, schema: str
) -> None:
    for text in ("CREATE TABLE t (n INT)", "CREATE VIEW v AS SELECT n FROM t"):
        connection.cursor().execute(text)
    here = {"database_name": "INTENTSCORE", "schema_name": schema}
    for shown, expected in {
        "TABLES": {"name": "T", "kind": "TABLE", **here},
        "VIEWS": {"name": "V", "kind": "VIEW", **here},
        f"SCHEMAS LIKE '{schema}'": {"name": schema, "kind": None, **here, "schema_name": None},
        "DATABASES LIKE 'INTENTSCORE'": {
            "name": "INTENTSCORE", "kind": "STANDARD", "database_name": None, "schema_name": None,
        },
    }.items():  # fmt: skip
        (row,) = listed(connection, f"SHOW TERSE {shown}")
        assert row.pop("created_on") is not None
        assert row == expected


def test_counted_columns_are_told_apart(connection: SnowflakeConnection, schema: str) -> None:
    connection.cursor().execute("CREATE TABLE t (id INT AUTOINCREMENT START 10 INCREMENT 5, n INT)")
    query = (
        "SELECT column_name, is_identity, identity_start, identity_increment FROM information_schema.columns "
        f"WHERE table_schema = '{schema}' ORDER BY ordinal_position"
    )
    assert [tuple(row.values()) for row in listed(connection, query)] == [("ID", "YES", 10, 5), ("N", "NO", None, None)]


def test_a_schema_is_described_by_its_objects_and_a_database_by_its_schemas(
    connection: SnowflakeConnection, schema: str
) -> None:
    for text in ("CREATE TABLE b (n INT)", "CREATE VIEW a AS SELECT n FROM b"):
        connection.cursor().execute(text)
    assert [(row["name"], row["kind"]) for row in listed(connection, f"DESCRIBE SCHEMA {schema}")] == [
        ("B", "TABLE"), ("A", "VIEW"),
    ]  # fmt: skip
    assert schema in {row["name"] for row in listed(connection, "DESC DATABASE INTENTSCORE")}


def test_kinds_the_engine_has_none_of_are_listed_empty(connection: SnowflakeConnection) -> None:
    for kind in ("STREAMS", "SECRETS", "GIT REPOSITORIES", "COMPUTE POOLS"):
        assert listed(connection, f"SHOW {kind} LIKE '%%'") == []
