from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from snowflake.connector import DatabaseError, ProgrammingError, SnowflakeConnection

Run = Callable[[str], list[dict[str, Any]]]
ROLES = ("ANALYST", "LEAD", "TEAM")


@pytest.fixture
def run(connection: SnowflakeConnection) -> Iterator[Run]:
    """Runs a statement and gives its rows; the account's objects of these tests are dropped at the end."""

    def run(text: str) -> list[dict[str, Any]]:
        cursor = connection.cursor()
        cursor.execute(text)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    yield run
    run("USE WAREHOUSE LOCAL_WH")
    for name in ROLES:
        run(f"DROP ROLE IF EXISTS {name}")
    for name in ("NIGHTLY_WH", "DAILY_WH"):
        run(f"DROP WAREHOUSE IF EXISTS {name}")


def value(run: Run, text: str) -> Any:
    return next(iter(run(text)[0].values()))


# ---------------------------------------------------------------------------- warehouses


def test_a_warehouse_is_created_current_and_shown_as_it_was_set(run: Run) -> None:
    run("CREATE WAREHOUSE nightly_wh WITH WAREHOUSE_SIZE = 'XXLARGE' AUTO_SUSPEND = 60 INITIALLY_SUSPENDED = TRUE")
    assert value(run, "SELECT CURRENT_WAREHOUSE()") == "NIGHTLY_WH"
    (shown,) = run("SHOW WAREHOUSES LIKE 'nightly%'")
    assert (shown["size"], shown["auto_suspend"], shown["state"], shown["is_current"]) == (
        "2X-Large", 60, "SUSPENDED", "Y",
    )  # fmt: skip
    assert {row["name"] for row in run("SHOW WAREHOUSES")} >= {"LOCAL_WH", "NIGHTLY_WH"}


def test_a_warehouse_is_altered_renamed_and_dropped(run: Run) -> None:
    run("CREATE OR REPLACE WAREHOUSE NIGHTLY_WH")
    run("ALTER WAREHOUSE NIGHTLY_WH SET WAREHOUSE_SIZE = SMALL, COMMENT = 'scores'")
    run("ALTER WAREHOUSE SUSPEND")
    with pytest.raises(ProgrammingError, match="suspended already"):
        run("ALTER WAREHOUSE NIGHTLY_WH SUSPEND")
    run("ALTER WAREHOUSE NIGHTLY_WH RESUME IF SUSPENDED")
    run("ALTER WAREHOUSE NIGHTLY_WH RENAME TO DAILY_WH")
    (shown,) = run("SHOW WAREHOUSES LIKE 'DAILY_WH'")
    assert (shown["size"], shown["comment"], shown["state"]) == ("Small", "scores", "STARTED")
    run("ALTER WAREHOUSE DAILY_WH UNSET COMMENT")
    assert run("SHOW WAREHOUSES LIKE 'DAILY_WH'")[0]["comment"] == ""
    run("DROP WAREHOUSE DAILY_WH")
    assert value(run, "SELECT CURRENT_WAREHOUSE()") is None


def test_a_warehouse_that_is_not_there_is_refused(run: Run) -> None:
    for statement in ("USE WAREHOUSE NOWHERE", "DROP WAREHOUSE NOWHERE", "DESC WAREHOUSE NOWHERE",
                      "CREATE TASK T WAREHOUSE = NOWHERE AS SELECT 1"):  # fmt: skip
        with pytest.raises(ProgrammingError, match="does not exist"):
            run(statement)
    with pytest.raises(ProgrammingError, match="invalid value 'HUGE'"):
        run("CREATE WAREHOUSE NIGHTLY_WH WAREHOUSE_SIZE = HUGE")
    with pytest.raises(ProgrammingError, match="cannot be dropped"):
        run("DROP WAREHOUSE LOCAL_WH")


def test_a_task_may_name_any_warehouse_there_is(run: Run) -> None:
    run("CREATE WAREHOUSE NIGHTLY_WH")
    run("CREATE TASK T WAREHOUSE = NIGHTLY_WH AS SELECT 1")
    assert run("SHOW TASKS")[0]["warehouse"] == "NIGHTLY_WH"


# ---------------------------------------------------------------------------- roles


def test_a_role_is_stood_in_once_it_is_granted_to_the_user(run: Run) -> None:
    run("CREATE ROLE ANALYST COMMENT = 'reads'")
    with pytest.raises(ProgrammingError, match="not assigned to the executing user"):
        run("USE ROLE ANALYST")
    run("CREATE ROLE LEAD")
    run("GRANT ROLE ANALYST TO ROLE LEAD")
    run("GRANT ROLE LEAD TO ROLE SYSADMIN")
    run("USE ROLE ANALYST")
    assert value(run, "SELECT CURRENT_ROLE()") == "ANALYST"
    run("USE ROLE SYSADMIN")
    assert value(run, "SELECT IS_ROLE_IN_SESSION('ANALYST')") is True
    run("REVOKE ROLE LEAD FROM ROLE SYSADMIN")
    assert value(run, "SELECT IS_ROLE_IN_SESSION('ANALYST')") is False


def test_a_role_keeps_its_grants_under_another_name_and_loses_them_when_dropped(run: Run, schema: str) -> None:
    run("CREATE ROLE ANALYST")
    run("GRANT ROLE ANALYST TO USER local")
    run(f"GRANT USAGE ON SCHEMA {schema} TO ROLE ANALYST")
    run("ALTER ROLE ANALYST RENAME TO TEAM")
    run("USE ROLE TEAM")
    assert [row["privilege"] for row in run("SHOW GRANTS TO ROLE TEAM")] == ["USAGE"]
    run("USE ROLE SYSADMIN")
    run("DROP ROLE TEAM")
    run("CREATE ROLE TEAM")
    assert run("SHOW GRANTS TO ROLE TEAM") == []


def test_a_connection_starts_in_the_role_and_warehouse_it_asks_for(
    run: Run, connect: Callable[..., SnowflakeConnection]
) -> None:
    run("CREATE WAREHOUSE NIGHTLY_WH")
    other = connect(role="ACCOUNTADMIN", warehouse="nightly_wh")
    assert (other.role, other.warehouse) == ("ACCOUNTADMIN", "NIGHTLY_WH")
    with pytest.raises(DatabaseError, match="Role 'NOBODY' specified in the connect string"):
        connect(role="NOBODY")


# ---------------------------------------------------------------------------- grants


def test_grants_are_shown_on_their_object_to_their_role_and_of_a_role(run: Run, schema: str) -> None:
    run("CREATE ROLE ANALYST")
    run("CREATE TABLE SCORES (UID INT)")
    run("CREATE STAGE CODE")
    run("GRANT SELECT, INSERT ON TABLE SCORES TO ROLE ANALYST WITH GRANT OPTION")
    run("GRANT READ ON STAGE CODE TO ROLE ANALYST")
    run("GRANT ROLE ANALYST TO USER local")
    on = [r for r in run("SHOW GRANTS ON TABLE SCORES") if r["grantee_name"] == "ANALYST"]
    assert {(r["privilege"], r["name"], r["grant_option"]) for r in on} == {
        ("SELECT", f"INTENTSCORE.{schema}.SCORES", "true"), ("INSERT", f"INTENTSCORE.{schema}.SCORES", "true"),
    }  # fmt: skip
    assert {(r["privilege"], r["granted_on"]) for r in run("SHOW GRANTS TO ROLE ANALYST")} == {
        ("SELECT", "TABLE"), ("INSERT", "TABLE"), ("READ", "STAGE"),
    }  # fmt: skip
    assert [(r["granted_to"], r["grantee_name"]) for r in run("SHOW GRANTS OF ROLE ANALYST")] == [("USER", "LOCAL")]
    run("REVOKE ALL ON TABLE SCORES FROM ROLE ANALYST")
    assert [r["granted_on"] for r in run("SHOW GRANTS TO ROLE ANALYST")] == ["STAGE"]


def test_a_grant_on_all_is_one_for_each_and_on_future_ones_is_kept_apart(run: Run, schema: str) -> None:
    run("CREATE ROLE ANALYST")
    run("CREATE TABLE A (N INT)")
    run("CREATE TABLE B (N INT)")
    run(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO ROLE ANALYST")
    run(f"GRANT SELECT ON FUTURE DYNAMIC TABLES IN SCHEMA {schema} TO ROLE ANALYST")
    assert {r["name"] for r in run("SHOW GRANTS TO ROLE ANALYST")} == {
        f"INTENTSCORE.{schema}.A", f"INTENTSCORE.{schema}.B",
    }  # fmt: skip
    assert [(r["grant_on"], r["name"]) for r in run(f"SHOW FUTURE GRANTS IN SCHEMA {schema}")] == [
        ("DYNAMIC_TABLE", f"INTENTSCORE.{schema}.<DYNAMIC_TABLE>")
    ]


def test_a_role_of_the_shared_database_is_granted(run: Run) -> None:
    run("CREATE ROLE ANALYST")
    run("GRANT DATABASE ROLE SNOWFLAKE.PYPI_REPOSITORY_USER TO ROLE ANALYST")
    assert [(r["granted_on"], r["name"]) for r in run("SHOW GRANTS TO ROLE ANALYST")] == [
        ("DATABASE_ROLE", "SNOWFLAKE.PYPI_REPOSITORY_USER")
    ]
    with pytest.raises(ProgrammingError, match="does not exist"):
        run("GRANT DATABASE ROLE INTENTSCORE.NOBODY TO ROLE ANALYST")


@pytest.mark.parametrize(
    "statement",
    ["GRANT SELECT ON TABLE NOWHERE TO ROLE PUBLIC", "GRANT ROLE NOBODY TO USER local", "GRANT ROLE PUBLIC TO USER x",
     "GRANT USAGE ON WAREHOUSE NOWHERE TO ROLE PUBLIC", "GRANT USAGE ON SCHEMA NOWHERE TO ROLE PUBLIC"],
)  # fmt: skip
def test_a_grant_of_what_is_not_there_is_refused(run: Run, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="does not exist"):
        run(statement)


def test_an_account_is_kept_for_the_next_engine(tmp_path: Any) -> None:
    import snowflake.connector

    from intentscore.local.engine import open_engine

    def ask(text: str) -> list[tuple[Any, ...]]:
        with (
            open_engine(tmp_path, lambda _: None) as endpoint,
            snowflake.connector.connect(**endpoint.connection_parameters()) as connection,
        ):
            rows: list[tuple[Any, ...]] = connection.cursor().execute(text).fetchall()  # type: ignore[union-attr]
            return rows

    ask("CREATE WAREHOUSE NIGHTLY_WH WAREHOUSE_SIZE = LARGE")
    assert [row[0] for row in ask("SHOW WAREHOUSES")] == ["LOCAL_WH", "NIGHTLY_WH"]


@pytest.mark.parametrize(
    ("kind", "name", "cell"),
    [("DATABASE", "INTENTSCORE", "SCHEMA"), ("WAREHOUSE", "LOCAL_WH", "WAREHOUSE"), ("USER", "LOCAL", "LOCAL")],
)
def test_an_object_is_described_under_an_identifier_in_quotes(run: Run, kind: str, name: str, cell: str) -> None:
    assert any(cell in row.values() for row in run(f"DESCRIBE {kind} IDENTIFIER('{name.lower()}')"))
