from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from snowflake.connector import IntegrityError, ProgrammingError, SnowflakeConnection

Run = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def run(connection: SnowflakeConnection) -> Run:
    def run(text: str) -> list[dict[str, Any]]:
        cursor = connection.cursor()
        cursor.execute(text)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    return run


@pytest.fixture
def tables(run: Run) -> Run:
    run("CREATE TABLE SHOPPERS (UID INT PRIMARY KEY, EMAIL TEXT UNIQUE)")
    run(
        "CREATE TABLE VISITS (UID INT REFERENCES SHOPPERS (UID), DAY DATE, N INT, "
        "CONSTRAINT ONE_A_DAY PRIMARY KEY (UID, DAY), UNIQUE (N, DAY))"
    )
    return run


def test_keys_are_shown_in_their_order(tables: Run) -> None:
    shown = tables("SHOW PRIMARY KEYS IN TABLE VISITS")
    assert [(r["constraint_name"], r["column_name"], r["key_sequence"]) for r in shown] == [
        ("ONE_A_DAY", "UID", 1), ("ONE_A_DAY", "DAY", 2),
    ]  # fmt: skip
    assert [(r["table_name"], r["column_name"]) for r in tables("SHOW UNIQUE KEYS")] == [
        ("SHOPPERS", "EMAIL"), ("VISITS", "N"), ("VISITS", "DAY"),
    ]  # fmt: skip
    described = {r["name"]: (r["primary key"], r["unique key"], r["null?"]) for r in tables("DESC TABLE VISITS")}
    assert described == {"UID": ("Y", "N", "N"), "DAY": ("Y", "Y", "N"), "N": ("N", "Y", "Y")}


def test_a_foreign_key_is_seen_from_both_sides(tables: Run) -> None:
    (imported,) = tables("SHOW IMPORTED KEYS IN TABLE VISITS")
    (primary,) = tables("SHOW PRIMARY KEYS IN TABLE SHOPPERS")
    assert (imported["pk_table_name"], imported["pk_column_name"], imported["fk_column_name"], imported["pk_name"]) == (
        "SHOPPERS", "UID", "UID", primary["constraint_name"],
    )  # fmt: skip
    assert tables("SHOW EXPORTED KEYS IN TABLE SHOPPERS")[0]["fk_table_name"] == "VISITS"
    with pytest.raises(ProgrammingError, match="does not exist"):
        tables("CREATE TABLE LOST (N INT REFERENCES NOWHERE (N))")


def test_keys_are_in_the_information_schema(tables: Run, schema: str) -> None:
    rows = tables(
        "SELECT TABLE_NAME, CONSTRAINT_TYPE, ENFORCED FROM INFORMATION_SCHEMA.TABLE_CONSTRAINTS "
        f"WHERE TABLE_SCHEMA = '{schema}' ORDER BY 1, 2"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("SHOPPERS", "PRIMARY KEY", "NO"), ("SHOPPERS", "UNIQUE", "NO"),
        ("VISITS", "FOREIGN KEY", "NO"), ("VISITS", "PRIMARY KEY", "NO"), ("VISITS", "UNIQUE", "NO"),
    ]  # fmt: skip


def test_keys_are_added_and_dropped(tables: Run) -> None:
    tables("CREATE TABLE PLAIN (A INT, B INT)")
    tables("ALTER TABLE PLAIN ADD PRIMARY KEY (A)")
    tables("ALTER TABLE PLAIN ADD CONSTRAINT BOTH UNIQUE (A, B)")
    with pytest.raises(ProgrammingError, match="primary key already exists"):
        tables("ALTER TABLE PLAIN ADD PRIMARY KEY (B)")
    tables("ALTER TABLE PLAIN DROP PRIMARY KEY")
    assert tables("SHOW PRIMARY KEYS IN PLAIN") == []
    tables("ALTER TABLE PLAIN DROP CONSTRAINT BOTH")
    assert tables("SHOW UNIQUE KEYS IN PLAIN") == []
    with pytest.raises(ProgrammingError, match="Constraint 'BOTH' does not exist"):
        tables("ALTER TABLE PLAIN DROP CONSTRAINT BOTH")


def test_keys_follow_their_table(tables: Run) -> None:
    tables("CREATE TABLE COPIED LIKE VISITS")
    assert len(tables("SHOW PRIMARY KEYS IN COPIED")) == 2
    tables("ALTER TABLE COPIED RENAME TO MOVED")
    assert len(tables("SHOW PRIMARY KEYS IN MOVED")) == 2
    tables("CREATE OR REPLACE TABLE MOVED (N INT)")
    assert tables("SHOW PRIMARY KEYS IN MOVED") == []
    tables("CREATE TEMPORARY TABLE BRIEF (N INT PRIMARY KEY)")
    assert tables("SHOW PRIMARY KEYS IN BRIEF")[0]["column_name"] == "N"


def test_a_primary_key_takes_no_nulls(tables: Run) -> None:
    with pytest.raises(IntegrityError, match="NULL result in a non-nullable column"):
        tables("INSERT INTO VISITS (UID, N) VALUES (1, 2)")


def test_tables_swap_rows_keys_and_comments(tables: Run) -> None:
    tables("CREATE TABLE FRESH (N INT PRIMARY KEY) COMMENT = 'fresh'")
    tables("CREATE TABLE STALE (N INT)")
    tables("INSERT INTO FRESH VALUES (1)")
    tables("ALTER TABLE FRESH SWAP WITH STALE")
    assert (tables("SELECT N FROM STALE"), tables("SELECT N FROM FRESH")) == ([{"N": 1}], [])
    assert tables("SHOW PRIMARY KEYS IN STALE")[0]["column_name"] == "N"
    assert tables("SHOW PRIMARY KEYS IN FRESH") == []
    assert tables("SHOW TABLES LIKE 'STALE'")[0]["comment"] == "fresh"
    with pytest.raises(ProgrammingError, match="does not exist"):
        tables("ALTER TABLE FRESH SWAP WITH NOWHERE")


@pytest.mark.parametrize("verb", ["MODIFY COLUMN", "ALTER COLUMN", "MODIFY"])
def test_a_column_gets_a_comment(tables: Run, verb: str) -> None:
    tables(f"ALTER TABLE VISITS {verb} DAY COMMENT 'of the visit'")
    assert {r["name"]: r["comment"] for r in tables("DESC TABLE VISITS")}["DAY"] == "of the visit"


def test_several_columns_get_comments_at_once(tables: Run) -> None:
    tables('ALTER TABLE VISITS ALTER "DAY" COMMENT $$of the visit$$, COLUMN N COMMENT $$$$')
    comments = {r["name"]: r["comment"] for r in tables("DESC TABLE VISITS")}
    assert (comments["DAY"], comments["N"]) == ("of the visit", "")


def test_a_clustering_key_is_shown_until_it_is_dropped(tables: Run) -> None:
    tables("ALTER TABLE VISITS CLUSTER BY (DAY, UID)")
    assert tables("SHOW TABLES LIKE 'VISITS'")[0]["cluster_by"] == "LINEAR(DAY, UID)"
    tables("ALTER TABLE VISITS DROP CLUSTERING KEY")
    assert tables("SHOW TABLES LIKE 'VISITS'")[0]["cluster_by"] == ""
