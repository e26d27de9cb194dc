"""What is changed about an object after it was made: comments, names, the values of a tag."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from snowflake.connector import DictCursor, ProgrammingError, SnowflakeConnection

Run = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def run(connection: SnowflakeConnection) -> Run:
    return lambda text: list(connection.cursor(DictCursor).execute(text).fetchall())  # type: ignore[union-attr]


def test_tables_views_and_columns_are_commented(run: Run) -> None:
    for text in ("CREATE TABLE T (I INT)", "CREATE VIEW V AS SELECT I FROM T", "COMMENT ON TABLE T IS 'of t'",
                 "COMMENT ON VIEW V IS 'of v'", "COMMENT ON COLUMN T.I IS 'it''s of i'"):  # fmt: skip
        run(text)
    assert [row["comment"] for row in (*run("SHOW TABLES"), *run("SHOW VIEWS"))] == ["of t", "of v"]
    assert [row["comment"] for row in run("DESCRIBE TABLE T")] == ["it's of i"]
    with pytest.raises(ProgrammingError, match="does not exist"):
        run("COMMENT ON TABLE NOTHING IS 'x'")


@pytest.mark.parametrize(("kind", "made"), [
    ("PROCEDURE", "CREATE PROCEDURE P(N INT) RETURNS INT LANGUAGE SQL AS 'RETURN N'"),
    ("FUNCTION", "CREATE FUNCTION P(N INT) RETURNS INT AS 'N + 1'"),
])  # fmt: skip
def test_a_routine_is_commented_and_renamed(run: Run, kind: str, made: str) -> None:
    run(made)
    run(f"ALTER {kind} P(INT) SET COMMENT = 'first'")
    run(f"ALTER {kind} P(INT) RENAME TO Q")
    shown = {"PROCEDURE": "PROCEDURES", "FUNCTION": "USER FUNCTIONS"}[kind]
    assert [(row["name"], row["description"]) for row in run(f"SHOW {shown} IN SCHEMA")] == [("Q", "first")]
    run(f"COMMENT ON {kind} Q(INT) IS 'second'")
    assert [row["description"] for row in run(f"SHOW {shown} LIKE 'q' IN SCHEMA")] == ["second"]
    run(f"ALTER {kind} IF EXISTS P(INT) RENAME TO R")
    with pytest.raises(ProgrammingError, match="'P' does not exist"):
        run(f"ALTER {kind} P(INT) RENAME TO R")


def test_the_values_of_a_tag_are_added_dropped_and_unset(run: Run) -> None:
    run("CREATE TAG COLOUR ALLOWED_VALUES 'red', 'green' COMMENT = 'old'")
    for change, values, comment in (
        ("ADD ALLOWED_VALUES 'blue'", '["red", "green", "blue"]', "old"),
        ("DROP ALLOWED_VALUES 'red', 'green'", '["blue"]', "old"),
        ("SET COMMENT = 'new'", '["blue"]', "new"),
        ("UNSET ALLOWED_VALUES", None, "new"),
        ("UNSET COMMENT", None, ""),
    ):
        run(f"ALTER TAG COLOUR {change}")
        assert [(row["allowed_values"], row["comment"]) for row in run("SHOW TAGS")] == [(values, comment)]
    run("ALTER TAG IF EXISTS NOTHING UNSET COMMENT")
    for refused, message in (
        ("NOTHING UNSET COMMENT", "does not exist"),
        ("COLOUR RENAME TO C", "Unsupported feature"),
    ):
        with pytest.raises(ProgrammingError, match=message):
            run(f"ALTER TAG {refused}")


def test_the_roles_of_every_account_are_shown(run: Run) -> None:
    found = {row["name"]: row for row in run("SHOW ROLES")}
    assert found.keys() >= {"ACCOUNTADMIN", "PUBLIC", "SECURITYADMIN", "SYSADMIN", "USERADMIN"}
    assert [name for name, row in found.items() if row["is_current"] == "Y"] == ["SYSADMIN"]
    assert [row["name"] for row in run("SHOW ROLES LIKE 'sys%'")] == ["SYSADMIN"]
