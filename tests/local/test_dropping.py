from __future__ import annotations

import pytest
from snowflake.connector import ProgrammingError, SnowflakeConnection

# What makes an object of the kind, and what names it.
KINDS = {
    "TABLE": ("CREATE TABLE {} (I INT)", "{}"),
    "VIEW": ("CREATE VIEW {} AS SELECT 1 AS I", "{}"),
    "DYNAMIC TABLE": ("CREATE DYNAMIC TABLE {} TARGET_LAG = '1 day' WAREHOUSE = LOCAL_WH AS SELECT 1 AS I", "{}"),
    "STAGE": ("CREATE STAGE {}", "{}"),
    "FILE FORMAT": ("CREATE FILE FORMAT {} TYPE = CSV", "{}"),
    "SEQUENCE": ("CREATE SEQUENCE {}", "{}"),
    "TAG": ("CREATE TAG {}", "{}"),
    "TASK": ("CREATE TASK {} AS SELECT 1", "{}"),
    "DATASET": ("CREATE DATASET {}", "{}"),
    "EXPERIMENT": ("CREATE EXPERIMENT {}", "{}"),
    "PROCEDURE": ("CREATE PROCEDURE {}(N INT) RETURNS INT LANGUAGE SQL AS 'RETURN N'", "{}(INT)"),
    "FUNCTION": ("CREATE FUNCTION {}(N INT) RETURNS INT AS 'N + 1'", "{}(INT)"),
    "SCHEMA": ("CREATE SCHEMA {}", "{}"),
    "DATABASE": ("CREATE DATABASE {}", "{}"),
    "ROLE": ("CREATE ROLE {}", "{}"),
    "WAREHOUSE": ("CREATE WAREHOUSE {}", "{}"),
}


def _answer(connection: SnowflakeConnection, statement: str) -> list[str]:
    return [row[0] for row in connection.cursor().execute(statement)]  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_is_dropped_once(connection: SnowflakeConnection, kind: str) -> None:
    name = f"DROPPED_{kind.replace(' ', '_')}"
    made, named = (text.format(name) for text in KINDS[kind])
    connection.cursor().execute(made)
    assert _answer(connection, f"DROP {kind} {named}") == [f"{name} successfully dropped."]
    assert _answer(connection, f"DROP {kind} IF EXISTS {named}") == [
        f"Drop statement executed successfully ({name} already dropped)."
    ]
    with pytest.raises(ProgrammingError, match=rf"{name}' does not exist or not authorized") as refused:
        connection.cursor().execute(f"DROP {kind} {named}")
    assert refused.value.errno == 2003


@pytest.mark.parametrize("kind", ["MODEL", "MODEL MONITOR", "ONLINE FEATURE TABLE", "AGGREGATE FUNCTION"])
def test_what_is_not_there_is_dropped_only_if_it_exists(connection: SnowflakeConnection, kind: str) -> None:
    named = "NOTHING(INT)" if "FUNCTION" in kind else "NOTHING"
    answer = _answer(connection, f"DROP {kind} IF EXISTS {named}")
    assert answer == ["Drop statement executed successfully (NOTHING already dropped)."]
    with pytest.raises(ProgrammingError, match="NOTHING' does not exist or not authorized"):
        connection.cursor().execute(f"DROP {kind} {named}")


def test_a_schema_goes_with_what_is_in_it(connection: SnowflakeConnection) -> None:
    run = connection.cursor().execute
    for statement in ("CREATE SCHEMA FULL_ONE", "CREATE TABLE FULL_ONE.T (I INT)", "CREATE STAGE FULL_ONE.S",
                      "DROP SCHEMA FULL_ONE CASCADE", "CREATE SCHEMA FULL_ONE"):  # fmt: skip
        run(statement)
    assert _answer(connection, "SHOW TABLES IN SCHEMA FULL_ONE") == []
    assert _answer(connection, "SHOW STAGES IN SCHEMA FULL_ONE") == []
