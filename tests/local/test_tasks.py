"""Tasks in SQL: what is stored, listed and refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from snowflake.connector import DictCursor, SnowflakeConnection
from snowflake.connector.errors import ProgrammingError

Run = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def run(connection: SnowflakeConnection) -> Run:
    def run(text: str) -> list[dict[str, Any]]:
        rows: Any = connection.cursor(DictCursor).execute(text).fetchall()  # type: ignore[union-attr]
        return list(rows)

    return run


def test_a_task_is_created_suspended_and_lists_what_it_was_created_with(run: Run, schema: str) -> None:
    run(
        "CREATE TASK nightly WAREHOUSE = LOCAL_WH SCHEDULE = 'USING CRON 0 3 * * * Europe/Berlin' "
        "CONFIG = $${\"day\": \"today\"}$$ TIMEZONE = 'UTC' USER_TASK_TIMEOUT_MS = 60000 COMMENT = 'each night' "
        "WHEN CAST(1 AS INT) = 1 AS INSERT INTO t SELECT 'AS; text'"
    )
    (task,) = run("SHOW TASKS")
    assert task["name"] == "NIGHTLY"
    assert task["state"] == "suspended"
    assert task["schedule"] == "USING CRON 0 3 * * * Europe/Berlin"
    assert task["definition"] == "INSERT INTO t SELECT 'AS; text'"
    assert task["condition"] == "CAST(1 AS INT) = 1"
    assert json.loads(task["config"]) == {"day": "today"}
    assert task["comment"] == "each night"
    assert task["last_committed_on"] is None
    assert run("DESCRIBE TASK nightly") == [task]


def test_children_and_finalizer_show_how_they_hang_together(run: Run, schema: str) -> None:
    run("CREATE TASK root AS SELECT 1")
    run("CREATE TASK a AFTER root AS SELECT 1")
    run(f"CREATE TASK b AFTER root, {schema}.a AS SELECT 1")
    run("CREATE TASK last FINALIZE = root AS SELECT 1")
    shown = {task["name"]: task for task in run("SHOW TASKS")}
    full = f"INTENTSCORE.{schema}"
    assert json.loads(shown["B"]["predecessors"]) == [f"{full}.ROOT", f"{full}.A"]
    assert json.loads(shown["ROOT"]["task_relations"]) == {"Predecessors": [], "FinalizerTask": f"{full}.LAST"}
    assert json.loads(shown["LAST"]["task_relations"]) == {"Predecessors": [], "FinalizedRootTask": f"{full}.ROOT"}
    assert [task["name"] for task in run("SHOW TASKS ROOT ONLY")] == ["ROOT"]
    assert [task["name"] for task in run("SHOW TASKS STARTS WITH 'L'")] == ["LAST"]
    dependents = run("SELECT name FROM TABLE(information_schema.task_dependents(task_name => 'root'))")
    assert {task["NAME"] for task in dependents} == {"ROOT", "A", "B", "LAST"}
    direct = run("SELECT name FROM TABLE(information_schema.task_dependents('A', recursive => false))")
    assert {task["NAME"] for task in direct} == {"A", "B"}


def test_a_graph_changes_only_while_its_root_is_suspended(run: Run) -> None:
    run("CREATE TASK root SCHEDULE = '1 HOUR' AS SELECT 1")
    run("CREATE TASK child AFTER root AS SELECT 1")
    run("ALTER TASK child RESUME")
    run("ALTER TASK root RESUME")
    for change in (
        "ALTER TASK root SET COMMENT = 'x'",
        "ALTER TASK child MODIFY AS SELECT 2",
        "ALTER TASK child SUSPEND",
        "CREATE TASK other AFTER root AS SELECT 1",
        "CREATE TASK last FINALIZE = root AS SELECT 1",
        "DROP TASK child",
    ):
        with pytest.raises(ProgrammingError, match="root task is not suspended") as refused:
            run(change)
        assert refused.value.errno == 91421
    run("ALTER TASK root SUSPEND")
    run("ALTER TASK child MODIFY AS SELECT 2")
    shown = {task["name"]: task for task in run("SHOW TASKS")}
    assert shown["CHILD"]["definition"] == "SELECT 2"
    assert shown["CHILD"]["state"] == "started"
    assert shown["ROOT"]["last_suspended_reason"] == "USER_SUSPENDED"


def test_properties_are_altered_one_by_one(run: Run) -> None:
    run("CREATE TASK t SCHEDULE = '5 MINUTES' COMMENT = 'old' AS SELECT 1")
    run("ALTER TASK t SET COMMENT = 'new', SCHEDULE = '10 MINUTES'")
    run("ALTER TASK t MODIFY WHEN 1 = 2")
    (task,) = run("SHOW TASKS")
    assert (task["comment"], task["schedule"], task["condition"]) == ("new", "10 MINUTES", "1 = 2")
    run("ALTER TASK t UNSET COMMENT, SCHEDULE")
    run("ALTER TASK t REMOVE WHEN")
    (task,) = run("SHOW TASKS")
    assert (task["comment"], task["schedule"], task["condition"]) == ("", None, None)


def test_predecessors_are_added_and_removed(run: Run) -> None:
    run("CREATE TASK root AS SELECT 1")
    run("CREATE TASK a AFTER root AS SELECT 1")
    run("CREATE TASK b AFTER root AS SELECT 1")
    run("ALTER TASK b ADD AFTER a")
    with pytest.raises(ProgrammingError, match="cycle"):
        run("ALTER TASK a ADD AFTER b")
    run("ALTER TASK b REMOVE AFTER root")
    shown = {task["name"]: json.loads(task["predecessors"]) for task in run("SHOW TASKS")}
    assert [name.rsplit(".", 1)[1] for name in shown["B"]] == ["A"]
    run("DROP TASK a")
    shown = {task["name"]: json.loads(task["predecessors"]) for task in run("SHOW TASKS")}
    assert shown == {"ROOT": [], "B": []}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("CREATE TASK t SCHEDULE = '1 HOUR' AFTER root AS SELECT 1", "schedule"),
        ("CREATE TASK t AFTER missing AS SELECT 1", "does not exist"),
        ("CREATE TASK t WAREHOUSE = NOWHERE AS SELECT 1", "NOWHERE"),
        ("CREATE TASK t FINALIZE = root AS SELECT 1", "finalizer task already"),
        ("CREATE TASK t AFTER last AS SELECT 1", "finalizer"),
        ("CREATE TASK t FINALIZE = child AS SELECT 1", "not a root task"),
        ("CREATE TASK t CONFIG = 'no json' AS SELECT 1", "JSON"),
        ("CREATE TASK t TASK_AUTO_RETRY_ATTEMPTS = 31 AS SELECT 1", "TASK_AUTO_RETRY_ATTEMPTS"),
        ("CREATE TASK t SCHEDULE = 'USING CRON 99 * * * * UTC' AS SELECT 1", "cron"),
        ("CREATE TASK t NONSENSE AS SELECT 1", "NONSENSE"),
        ("CREATE TASK root AS SELECT 1", "already exists"),
        ("ALTER TASK missing RESUME", "does not exist"),
        ("ALTER TASK root EXPLODE", "EXPLODE"),
        ("EXECUTE TASK child", "root task"),
        ("EXECUTE TASK root RETRY LAST", "did not fail"),
    ],
)
def test_what_breaks_the_rules_is_refused(run: Run, text: str, reason: str) -> None:
    run("CREATE TASK root AS SELECT 1")
    run("CREATE TASK child AFTER root AS SELECT 1")
    run("CREATE TASK last FINALIZE = root AS SELECT 1")
    with pytest.raises(ProgrammingError, match=reason):
        run(text)
    assert {task["name"] for task in run("SHOW TASKS")} == {"ROOT", "CHILD", "LAST"}


def test_a_task_has_at_most_a_hundred_children(run: Run) -> None:
    run("CREATE TASK root AS SELECT 1")
    for number in range(100):
        run(f"CREATE TASK t{number} AFTER root AS SELECT 1")
    with pytest.raises(ProgrammingError, match="at most 100"):
        run("CREATE TASK one_more AFTER root AS SELECT 1")


def test_create_or_alter_keeps_the_task_and_replaces_its_description(run: Run) -> None:
    run("CREATE OR ALTER TASK t SCHEDULE = '5 MINUTES' COMMENT = 'x' AS SELECT 1")
    (before,) = run("SHOW TASKS")
    run("CREATE OR ALTER TASK t SCHEDULE = '6 MINUTES' AS SELECT 2")
    (after,) = run("SHOW TASKS")
    assert (after["id"], after["schedule"], after["comment"], after["definition"]) == (
        before["id"], "6 MINUTES", "", "SELECT 2",
    )  # fmt: skip
    run("CREATE OR REPLACE TASK t AS SELECT 3")
    (replaced,) = run("SHOW TASKS")
    assert replaced["id"] != before["id"]
    run("CREATE TASK IF NOT EXISTS t AS SELECT 4")
    assert run("SHOW TASKS") == [replaced]


def test_dependents_are_enabled_together(run: Run) -> None:
    run("CREATE TASK root SCHEDULE = '1 HOUR' AS SELECT 1")
    run("CREATE TASK child AFTER root AS SELECT 1")
    run("CREATE TASK last FINALIZE = root AS SELECT 1")
    run("SELECT SYSTEM$TASK_DEPENDENTS_ENABLE('root')")
    assert {task["name"]: task["state"] for task in run("SHOW TASKS")} == dict.fromkeys(
        ("ROOT", "CHILD", "LAST"), "started"
    )


def test_tags_of_a_task(run: Run) -> None:
    run("CREATE TAG kind")
    run("CREATE TASK t WITH TAG (kind = 'a') AS SELECT 1")
    run("ALTER TASK t SET TAG kind = 'b'")
    (tag,) = run("SELECT * FROM TABLE(information_schema.tag_references('t', 'task'))")
    assert (tag["TAG_NAME"], tag["TAG_VALUE"]) == ("KIND", "b")


def test_dropping_what_is_not_there(run: Run) -> None:
    run("DROP TASK IF EXISTS t")
    run("ALTER TASK IF EXISTS t SUSPEND")
    with pytest.raises(ProgrammingError, match="does not exist"):
        run("DROP TASK t")


def test_a_task_holds_a_block_of_statements(connection: SnowflakeConnection) -> None:
    block = "DECLARE n INT; m INT; BEGIN LET k INT := 1; BEGIN SELECT 1; END; IF (k = 1) THEN SELECT 2; END IF; END"
    connection.cursor().execute(f"CREATE TASK blocks AS {block};")
    cursor = connection.cursor().execute("SHOW TASKS LIKE 'BLOCKS'")
    assert cursor is not None
    assert block in cursor.fetchall()[0]
    with pytest.raises(ProgrammingError, match="statement count 2"):
        connection.cursor().execute(f"CREATE TASK more AS {block}; SELECT 1")
