"""Running task graphs through SQL, on the engine's own executor."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import snowflake.connector
from snowflake.connector import DictCursor, SnowflakeConnection
from snowflake.connector.errors import ProgrammingError

from intentscore.local.engine import open_engine

Run = Callable[..., list[dict[str, Any]]]
ROOT = Path(__file__).parents[2]


def runner(connection: SnowflakeConnection) -> Run:
    def run(text: str) -> list[dict[str, Any]]:
        rows: Any = connection.cursor(DictCursor).execute(text).fetchall()  # type: ignore[union-attr]
        return list(rows)

    return run


@pytest.fixture
def run(connection: SnowflakeConnection) -> Run:
    return runner(connection)


@pytest.fixture
def finish(run: Run, schema: str) -> Callable[..., list[dict[str, Any]]]:
    """Executes the task ROOT and waits; the attempts at its runs, oldest first."""

    def finish(how: str = "", *, runs: int = 1, start: bool = True) -> list[dict[str, Any]]:
        if start:
            run(f"EXECUTE TASK root {how}")
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            under_way = run(
                f"SELECT * FROM TABLE(information_schema.current_task_graphs()) WHERE schema_name = '{schema}'"
            )
            query = "SELECT * FROM TABLE(information_schema.complete_task_graphs()) "
            done = run(f"{query} WHERE schema_name = '{schema}' ORDER BY attempt_number, completed_time")
            if len(done) >= runs and not under_way:
                return done
            time.sleep(0.02)
        raise AssertionError("the graph did not end")

    return finish


@pytest.fixture
def history(run: Run, schema: str) -> Callable[[], dict[str, dict[str, Any]]]:
    def history() -> dict[str, dict[str, Any]]:
        rows = run(f"SELECT * FROM TABLE(information_schema.task_history()) WHERE schema_name = '{schema}'")
        return {row["NAME"]: row for row in reversed(rows)}

    return history


def graph(run: Run, **tasks: str) -> None:
    """Create and resume tasks in this order; ROOT itself stays suspended, it is executed by hand."""
    for name, text in tasks.items():
        run(f"CREATE TASK {name} {text}")
        if name != "root":
            run(f"ALTER TASK {name} RESUME")


def test_tasks_run_behind_their_predecessors_and_the_finalizer_last(run: Run, finish: Any, history: Any) -> None:
    run("CREATE TABLE log (name VARCHAR)")
    graph(
        run,
        root="AS INSERT INTO log VALUES ('root')",
        a="AFTER root AS INSERT INTO log VALUES ('a')",
        b="AFTER root AS INSERT INTO log VALUES ('b')",
        c="AFTER a, b AS INSERT INTO log SELECT 'c' || count(*) FROM log",
        last="FINALIZE = root AS INSERT INTO log SELECT 'last' || count(*) FROM log",
    )
    (done,) = finish()
    assert (done["STATE"], done["ROOT_TASK_NAME"], done["GRAPH_VERSION"], done["FIRST_ERROR_TASK_NAME"]) == (
        "SUCCEEDED", "ROOT", 1, None,
    )  # fmt: skip
    assert {row["NAME"] for row in run("SELECT name FROM log")} == {"root", "a", "b", "c3", "last4"}
    ran = history()
    assert {row["STATE"] for row in ran.values()} == {"SUCCEEDED"}
    assert len({row["GRAPH_RUN_GROUP_ID"] for row in ran.values()}) == 1
    assert ran["A"]["QUERY_TEXT"] == "INSERT INTO log VALUES ('a')"
    assert ran["ROOT"]["SCHEDULED_FROM"] == "EXECUTE TASK"


def test_branches_run_side_by_side(run: Run, finish: Any, history: Any) -> None:
    run("CREATE TABLE here (n INT)")
    meets_the_other = (
        "AFTER root AS BEGIN LET met INT := 0; INSERT INTO here VALUES (1); "
        "WHILE (met < 2) DO SELECT SYSTEM$WAIT(0.02); SELECT COUNT(*) INTO :met FROM here; END WHILE; END"
    )
    graph(run, root="AS SELECT 1", a=meets_the_other, b=meets_the_other)
    (done,) = finish()
    assert done["STATE"] == "SUCCEEDED"
    ran = history()
    assert ran["A"]["QUERY_START_TIME"] < ran["B"]["COMPLETED_TIME"]
    assert ran["B"]["QUERY_START_TIME"] < ran["A"]["COMPLETED_TIME"]


def test_behind_a_failure_nothing_runs_but_the_finalizer(run: Run, finish: Any, history: Any) -> None:
    run("CREATE TABLE seen (n INT)")
    graph(
        run,
        root="AS SELECT 1",
        bad="AFTER root AS SELECT * FROM missing",
        behind="AFTER bad AS INSERT INTO seen VALUES (1)",
        aside="AFTER root AS INSERT INTO seen VALUES (2)",
        last="FINALIZE = root AS INSERT INTO seen VALUES (3)",
    )
    (done,) = finish()
    assert (done["STATE"], done["FIRST_ERROR_TASK_NAME"], done["FIRST_ERROR_CODE"]) == ("FAILED", "BAD", 2003)
    assert "MISSING" in done["FIRST_ERROR_MESSAGE"]
    assert {row["N"] for row in run("SELECT n FROM seen")} == {2, 3}
    assert {name: row["STATE"] for name, row in history().items()} == {
        "ROOT": "SUCCEEDED", "BAD": "FAILED", "BEHIND": "SKIPPED", "ASIDE": "SUCCEEDED", "LAST": "SUCCEEDED",
    }  # fmt: skip
    only = f"error_only => true, root_task_id => '{done['ROOT_TASK_ID']}'"
    errors = run(f"SELECT name FROM TABLE(information_schema.task_history({only}))")
    assert [row["NAME"] for row in errors] == ["BAD"]


def test_a_condition_that_is_false_skips_the_task_and_those_behind_it(run: Run, finish: Any, history: Any) -> None:
    graph(
        run,
        root="AS SELECT SYSTEM$SET_RETURN_VALUE('left')",
        go_left="AFTER root WHEN SYSTEM$GET_PREDECESSOR_RETURN_VALUE('ROOT') = 'left' AS SELECT 1",
        go_right="AFTER root WHEN SYSTEM$GET_PREDECESSOR_RETURN_VALUE('ROOT') = 'right' AS SELECT 1",
        behind_right="AFTER go_right AS SELECT 1",
        behind_both="AFTER go_left, go_right AS SELECT 1",
    )
    (done,) = finish()
    assert done["STATE"] == "SUCCEEDED"
    ran = history()
    assert {name: row["STATE"] for name, row in ran.items()} == {
        "ROOT": "SUCCEEDED", "GO_LEFT": "SUCCEEDED", "GO_RIGHT": "SKIPPED", "BEHIND_RIGHT": "SKIPPED",
        "BEHIND_BOTH": "SUCCEEDED",
    }  # fmt: skip
    assert ran["GO_RIGHT"]["ERROR_CODE"] == 40003
    assert ran["ROOT"]["RETURN_VALUE"] == "left"


def test_a_root_whose_condition_is_false_skips_the_run_and_its_finalizer(run: Run, finish: Any, history: Any) -> None:
    graph(run, root="WHEN 1 = 2 AS SELECT 1", child="AFTER root AS SELECT 1", last="FINALIZE = root AS SELECT 1")
    (done,) = finish()
    assert done["STATE"] == "SKIPPED"
    assert "LAST" not in history()


def test_a_suspended_child_is_passed_over(run: Run, finish: Any, history: Any) -> None:
    graph(run, root="AS SELECT 1", a="AFTER root AS SELECT 1 / 0", b="AFTER a AS SELECT 1")
    run("ALTER TASK a SUSPEND")
    (done,) = finish()
    assert done["STATE"] == "SUCCEEDED"
    assert set(history()) == {"ROOT", "B"}


def test_what_a_task_knows_about_its_run(run: Run, finish: Any, schema: str) -> None:
    graph(
        run,
        root='CONFIG = \'{"day": "2024-01-01", "deep": {"n": 3}}\' AS CALL SYSTEM$SET_RETURN_VALUE(\'from root\')',
        child="""AFTER root AS CREATE OR REPLACE TABLE seen AS SELECT
            SYSTEM$GET_PREDECESSOR_RETURN_VALUE() AS returned,
            SYSTEM$GET_TASK_GRAPH_CONFIG('day') AS day,
            SYSTEM$GET_TASK_GRAPH_CONFIG('deep.n') AS n,
            SYSTEM$CURRENT_USER_TASK_NAME() AS task,
            SYSTEM$TASK_RUNTIME_INFO('CURRENT_ROOT_TASK_NAME') AS root,
            SYSTEM$TASK_RUNTIME_INFO('CURRENT_TASK_GRAPH_RUN_GROUP_ID') AS run_group,
            SYSTEM$TASK_RUNTIME_INFO('LAST_SUCCESSFUL_TASK_GRAPH_RUN_GROUP_ID') AS last_group""",
    )
    (first,) = finish()
    (seen,) = run("SELECT * FROM seen")
    assert (seen["RETURNED"], seen["DAY"], seen["N"]) == ("from root", "2024-01-01", "3")
    assert (seen["TASK"], seen["ROOT"]) == (f"INTENTSCORE.{schema}.CHILD", f"INTENTSCORE.{schema}.ROOT")
    assert (seen["RUN_GROUP"], seen["LAST_GROUP"]) == (first["GRAPH_RUN_GROUP_ID"], None)
    finish('USING CONFIG = \'{"day": "2024-02-02"}\'', runs=2)
    (seen,) = run("SELECT * FROM seen")
    assert (seen["DAY"], seen["N"], seen["LAST_GROUP"]) == ("2024-02-02", None, first["GRAPH_RUN_GROUP_ID"])


@pytest.mark.parametrize(
    "call",
    ["SYSTEM$SET_RETURN_VALUE('x')", "SYSTEM$GET_PREDECESSOR_RETURN_VALUE()", "SYSTEM$GET_TASK_GRAPH_CONFIG()",
     "SYSTEM$TASK_RUNTIME_INFO('CURRENT_TASK_NAME')"],
)  # fmt: skip
def test_outside_a_task_there_is_no_run_to_ask_about(run: Run, call: str) -> None:
    with pytest.raises(ProgrammingError, match="must be called from within a task"):
        run(f"SELECT {call}")
    with pytest.raises(ProgrammingError, match="must be called from within a task"):
        run(f"CALL {call}")


def test_a_failed_graph_is_retried_from_what_failed(run: Run, finish: Any, history: Any) -> None:
    run("CREATE TABLE log (name VARCHAR)")
    graph(
        run,
        root="TASK_AUTO_RETRY_ATTEMPTS = 2 AS INSERT INTO log VALUES ('root')",
        bad="AFTER root AS SELECT * FROM appears_later",
    )
    first, second, third = finish(runs=3)
    assert [one["ATTEMPT_NUMBER"] for one in (first, second, third)] == [1, 2, 3]
    assert {one["STATE"] for one in (first, second, third)} == {"FAILED"}
    assert len({(one["GRAPH_RUN_GROUP_ID"], one["RUN_ID"]) for one in (first, second, third)}) == 1
    run("CREATE TABLE appears_later (n INT)")
    *_, last = finish("RETRY LAST", runs=4)
    assert (last["STATE"], last["ATTEMPT_NUMBER"]) == ("SUCCEEDED", 4)
    assert run("SELECT * FROM log") == [{"NAME": "root"}]


def test_a_task_that_takes_too_long_is_stopped(run: Run, finish: Any, history: Any) -> None:
    graph(run, root="AS SELECT 1", slow="USER_TASK_TIMEOUT_MS = 100 AFTER root AS SELECT SYSTEM$WAIT(300)")
    (done,) = finish()
    assert (done["STATE"], done["FIRST_ERROR_TASK_NAME"], done["FIRST_ERROR_CODE"]) == ("FAILED", "SLOW", 630)


def test_the_timeout_of_the_root_is_that_of_the_graph(run: Run, finish: Any, history: Any) -> None:
    graph(
        run,
        root="USER_TASK_TIMEOUT_MS = 500 AS SELECT SYSTEM$WAIT(0.3)",
        slow="AFTER root AS SELECT SYSTEM$WAIT(0.4)",
    )
    (done,) = finish()
    assert (done["STATE"], done["FIRST_ERROR_CODE"]) == ("FAILED", 630)
    assert done["FIRST_ERROR_TASK_NAME"] in ("SLOW", "ROOT")  # the latter on a machine that stood still


def test_runs_of_a_graph_do_not_overlap(run: Run, finish: Any, history: Any) -> None:
    run("CREATE TABLE log (n INT)")
    graph(run, root="AS SELECT SYSTEM$WAIT(0.2)", child="AFTER root AS INSERT INTO log SELECT count(*) FROM log")
    run("EXECUTE TASK root")
    run("EXECUTE TASK root")
    first, second = finish(runs=2, start=False)
    assert second["QUERY_START_TIME"] >= first["COMPLETED_TIME"]
    assert [row["N"] for row in run("SELECT n FROM log ORDER BY n")] == [0, 1]


def test_failing_again_and_again_suspends_the_root(run: Run, schema: str) -> None:
    run("CREATE TASK root SCHEDULE = '1 HOUR' SUSPEND_TASK_AFTER_NUM_FAILURES = 2 AS SELECT * FROM missing")
    run("ALTER TASK root RESUME")
    for failures in (1, 2):
        run("EXECUTE TASK root")
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            failed = "information_schema.complete_task_graphs(root_task_name => 'root', error_only => true)"
            done = run(f"SELECT state FROM TABLE({failed}) WHERE schema_name = '{schema}'")
            (task,) = run("SHOW TASKS")
            if len(done) >= failures and (failures == 1 or task["state"] == "suspended"):
                break
            time.sleep(0.02)
        expected = ("started", None) if failures == 1 else ("suspended", "SUSPENDED_DUE_TO_ERRORS")
        assert (task["state"], task["last_suspended_reason"]) == expected


def test_a_resumed_schedule_shows_when_it_runs_next(run: Run, schema: str) -> None:
    run("CREATE TASK root SCHEDULE = 'USING CRON 0 3 * * * Europe/Berlin' AS SELECT 1")
    run("ALTER TASK root RESUME")
    (coming,) = run(f"SELECT * FROM TABLE(information_schema.current_task_graphs()) WHERE schema_name = '{schema}'")
    assert (coming["STATE"], coming["SCHEDULED_FROM"]) == ("SCHEDULED", "SCHEDULE")
    assert coming["NEXT_SCHEDULED_TIME"] > coming["SCHEDULED_TIME"]
    (task,) = run(f"SELECT * FROM TABLE(information_schema.task_history()) WHERE schema_name = '{schema}'")
    assert (task["NAME"], task["STATE"], task["QUERY_ID"]) == ("ROOT", "SCHEDULED", None)


def test_tasks_and_their_history_survive_the_engine(tmp_path: Path) -> None:
    with (
        open_engine(tmp_path, lambda _: None) as engine,
        snowflake.connector.connect(**engine.connection_parameters()) as connection,
    ):
        run = runner(connection)
        run("CREATE TASK slow AS SELECT SYSTEM$WAIT(300)")
        run("EXECUTE TASK slow")
        while not run("SELECT 1 FROM TABLE(information_schema.task_history()) WHERE state = 'EXECUTING'"):
            time.sleep(0.02)
    with (
        open_engine(tmp_path, lambda _: None) as engine,
        snowflake.connector.connect(**engine.connection_parameters()) as connection,
    ):
        run = runner(connection)
        assert [task["name"] for task in run("SHOW TASKS")] == ["SLOW"]
        (ended,) = run("SELECT * FROM TABLE(information_schema.task_history())")
        assert ended["STATE"] == "FAILED"
        assert "engine stopped" in ended["ERROR_MESSAGE"]
        (graph_run,) = run("SELECT state FROM TABLE(information_schema.complete_task_graphs())")
        assert graph_run["STATE"] == "FAILED"


RUN_UNTIL_KILLED = """
import sys, time
from pathlib import Path
import snowflake.connector
from intentscore.local.engine import open_engine
with open_engine(Path(sys.argv[1]), print) as engine:
    cursor = snowflake.connector.connect(**engine.connection_parameters()).cursor()
    cursor.execute("CREATE TASK slow AS SELECT SYSTEM$WAIT(300)")
    cursor.execute("EXECUTE TASK slow")
    history = "SELECT 1 FROM TABLE(information_schema.task_history()) WHERE state = 'EXECUTING'"
    while not cursor.execute(history).fetchall():
        time.sleep(0.02)
    print("running", flush=True)
    time.sleep(300)
"""


def test_a_run_that_a_kill_cuts_off_is_failed_at_the_next_start(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RUN_UNTIL_KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        process.kill()
    with (
        open_engine(tmp_path, lambda _: None) as engine,
        snowflake.connector.connect(**engine.connection_parameters()) as connection,
    ):
        (ended,) = runner(connection)("SELECT * FROM TABLE(information_schema.task_history())")
        assert (ended["NAME"], ended["STATE"]) == ("SLOW", "FAILED")
        assert ended["COMPLETED_TIME"] is not None
