from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from snowflake.snowpark import Session

from intentscore import __version__
from intentscore.errors import ConfigurationError, WarehouseError
from intentscore.services import graph_execution, graphs, schedule
from intentscore.services.explain import Explaining
from intentscore.services.graph_execution import RunDay, run_days
from intentscore.services.graph_plan import shown
from intentscore.services.graphs import plan_schedule, run_config
from intentscore.services.packaging import PackageZip, package_zip, pinned_packages
from intentscore.services.schedule import (
    ScheduleStatus,
    deploy,
    deployed_graphs,
    drop,
    resume,
    schedule_history,
    schedule_status,
    suspend,
)
from intentscore.services.schedule_config import DailyGraph, ScheduleConfig
from intentscore.services.score import plan_score, score
from intentscore.services.status import status

from .conftest import Trained, Workspace
from .schema_state import schema_state

ROOT = Path(__file__).parents[2]
STEPS = (
    *("REFRESH_FEATURES", "SCORE_DAY", "CHECK_SCORES", "RECORD_RUN", "TRAIN_CHALLENGER", "REGISTER_CHALLENGER"),
    *("SCORE_CHALLENGER", "EVALUATE_CHALLENGER", "PROMOTE_CHALLENGER"),
)
CONFIG = ScheduleConfig(daily=DailyGraph(name="DAILY_TEST"), retries=0)
DAILY_ALONE = CONFIG.model_copy(update={"monthly": None, "mid_month": None})
EXPLAINED = CONFIG.model_copy(update={"explain": Explaining(reasons=2)})


def scores(work: Workspace, day: date) -> list[tuple[Any, ...]]:
    found = work.rows(f"SELECT UID, SCORE, MODEL_VERSION FROM SCORES WHERE SESSION_DATE = '{day}'::DATE ORDER BY UID")
    return [tuple(row) for row in found]


def states(status: ScheduleStatus) -> list[str]:
    return [graph.state for graph in status.graphs]


def outcomes(work: Workspace) -> dict[str, str]:
    status = schedule_status(work.session, CONFIG)
    return {o.task.rsplit("$", 1)[-1]: o.state for o in status.tasks}


@pytest.fixture(scope="module")
def _graphs_dropped(pipeline: Trained) -> Iterator[None]:
    yield
    session = pipeline.workspace.session
    session.use_schema(pipeline.workspace.settings.schema_name)
    if deployed_graphs(session):
        drop(session, pipeline.workspace.settings, apply=True)


@pytest.fixture
def deployed(_graphs_dropped: None, trained: Trained) -> Iterator[Trained]:
    """The shared pipeline with the graph deployed, and without scores afterwards."""
    work = trained.workspace
    deploy(work.session, work.settings, plan_schedule(work.session, work.settings, CONFIG))
    yield trained
    for table in ("SCORES", "EXPLANATIONS"):
        work.rows(f"DROP TABLE IF EXISTS {table}")


def test_the_packaged_code_is_reproducible() -> None:
    assert package_zip() == package_zip()


def test_the_procedures_packages_are_those_of_the_lock() -> None:
    locked = set(re.findall(r"^([\w.-]+==[\w.+]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    pins = pinned_packages()
    assert pins
    assert [pin for pin in pins if pin not in locked] == []


def test_where_the_packages_come_from_is_said_when_the_procedures_are_made(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account may have another default."""
    statements: list[str] = []
    with workspace.session.query_history() as history:
        deploy(workspace.session, workspace.settings, plan_schedule(workspace.session, workspace.settings, CONFIG))
        statements = [query.sql_text for query in history.queries if "CREATE" in query.sql_text]
    made = [text for text in statements if re.search(r"CREATE\s+(OR REPLACE )?\s*PROCEDURE", text)]
    assert len(made) == len(STEPS)
    for text in made:
        assert "ARTIFACT_REPOSITORY=snowflake.snowpark.pypi_shared_repository" in text.replace(" ", "")
        assert all(pin in text for pin in pinned_packages())


def test_a_dry_run_draws_the_graph_and_changes_nothing(workspace: Workspace) -> None:
    work = workspace
    before = schema_state(work.session, work.settings.schema_name)
    planned = plan_schedule(work.session, work.settings, ScheduleConfig())
    plan = shown(planned, deployed_graphs(work.session))
    assert [line.strip(" └▶■") for line in plan.pictures if line] == [
        "INTENTSCORE_DAILY  (0 6 * * * UTC)",
        "REFRESH_FEATURES", "SCORE_DAY", "CHECK_SCORES", "RECORD_RUN (finalizer)",
        "INTENTSCORE_MONTHLY  (0 7 1 * * UTC)",
        "TRAIN_CHALLENGER", "REGISTER_CHALLENGER", "SCORE_CHALLENGER", "RECORD_RUN (finalizer)",
        "INTENTSCORE_MID_MONTH  (0 7 15 * * UTC)",
        "EVALUATE_CHALLENGER", "PROMOTE_CHALLENGER  (when SYSTEM$GET_PREDECESSOR_RETURN_VALUE() = 'accepted')",
        "RECORD_RUN (finalizer)",
    ]  # fmt: skip
    assert [len(graph.firings) for graph in plan.next_firings] == [5, 5, 5]
    assert len(plan.procedures) == len(STEPS)
    called = {task.task.split("$")[1]: task.sql for task in plan.tasks}
    for step, procedure in zip(STEPS, plan.procedures, strict=True):
        assert called[step].startswith(f"CALL {plan.stage.rsplit('.', 1)[0]}.{procedure}(")
    assert "+graph INTENTSCORE_DAILY" in plan.changes
    assert deployed_graphs(work.session) == {}
    assert schema_state(work.session, work.settings.schema_name) == before
    with pytest.raises(ConfigurationError, match="there is no task graph INTENTSCORE_DAILY"):
        schedule_status(work.session, ScheduleConfig())


def test_a_run_that_another_request_was_taken_for_is_asked_for_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two others at the same instant: one runs, and the one that waits for it stands for both."""
    work, asked = workspace, list[str]()
    work.rows("CREATE TASK DAILY_TEST SCHEDULE = '60 MINUTE' AS SELECT SYSTEM$WAIT(2)")
    await_idle = graph_execution._await_idle

    def others_come_first(session: Session, graph: str, say: Callable[[str], None]) -> None:
        await_idle(session, graph, say)
        if not asked:
            for _ in range(2):
                work.rows("EXECUTE TASK DAILY_TEST")
        asked.append(graph)

    monkeypatch.setattr(graph_execution, "_await_idle", others_come_first)
    monkeypatch.setattr(graph_execution, "LOST_AFTER_S", 0.1)
    assert run_days(work.session, work.settings, DAILY_ALONE).days == (RunDay(None, "SUCCEEDED"),)
    assert asked == ["DAILY_TEST"] * 2
    runs = work.rows("SELECT * FROM TABLE(INFORMATION_SCHEMA.COMPLETE_TASK_GRAPHS(ROOT_TASK_NAME => 'DAILY_TEST'))")
    assert len([run for run in runs if run["SCHEMA_NAME"] == work.settings.schema_name]) == 3


def test_status_names_the_deployed_graphs_and_not_their_steps(deployed: Trained) -> None:
    found = status(deployed.workspace.session, deployed.workspace.settings).graphs
    assert {(graph.graph, graph.state) for graph in found} >= {("DAILY_TEST", "started")}
    assert not [graph for graph in found if "$" in graph.graph]
    assert next(graph.schedule for graph in found if graph.graph == "DAILY_TEST") == "USING CRON 0 6 * * * UTC"


def test_deploying_twice_changes_nothing_and_a_changed_config_shows_a_diff(deployed: Trained) -> None:
    work = deployed.workspace
    again = deploy(work.session, work.settings, plan_schedule(work.session, work.settings, CONFIG))
    assert again.changed == ()
    other = CONFIG.model_copy(update={"timeout_minutes": 30})
    heard: list[str] = []
    plan = plan_schedule(work.session, work.settings, other)
    changed = deploy(work.session, work.settings, plan, say=heard.append)
    assert changed.changed == ("DAILY_TEST", "INTENTSCORE_MID_MONTH", "INTENTSCORE_MONTHLY")
    assert heard.count("+  timeout_minutes: 30") == 3
    assert [graph.state for graph in changed.graphs] == ["started"] * 3


def test_a_deployment_that_was_cut_off_before_its_tasks_were_resumed_is_made_whole(
    deployed: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = deployed.workspace
    other = plan_schedule(work.session, work.settings, CONFIG.model_copy(update={"timeout_minutes": 20}))

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(schedule, "_enable", killed)
        with pytest.raises(KeyboardInterrupt):
            deploy(work.session, work.settings, other)
    heard: list[str] = []
    again = deploy(work.session, work.settings, other, say=heard.append)
    assert f"-{schedule.CUT_OFF}" in heard
    assert [graph.state for graph in again.graphs] == ["started"] * 3
    assert deploy(work.session, work.settings, other).changed == ()


def test_deploying_again_does_not_resume_what_was_suspended(deployed: Trained) -> None:
    work = deployed.workspace
    suspend(work.session, CONFIG, "daily")
    again = deploy(work.session, work.settings, plan_schedule(work.session, work.settings, CONFIG))
    assert again.changed == ()
    assert [graph.state for graph in again.graphs] == ["suspended", "started", "started"]
    resume(work.session, CONFIG, "daily")


def test_the_graph_scores_what_the_command_scores_bit_for_bit(deployed: Trained) -> None:
    work, day = deployed.workspace, deployed.day
    deploy(work.session, work.settings, plan_schedule(work.session, work.settings, EXPLAINED))
    ran = run_days(work.session, work.settings, EXPLAINED, day, day)
    assert [(d.day, d.state) for d in ran.days] == [(day, "SUCCEEDED")]
    by_graph = scores(work, day)
    assert by_graph
    explained = work.rows("SELECT UID, COUNT(*) FROM EXPLANATIONS GROUP BY UID ORDER BY MAX(SCORE) DESC, UID")
    best = sorted(by_graph, key=lambda row: (-row[1], row[0]))[: -(-len(by_graph) // 10)]
    assert [tuple(row) for row in explained] == [(uid, 2) for uid, *_ in best]
    score(work.session, work.settings, plan_score(work.session, work.settings, day, day))
    assert scores(work, day) == by_graph
    daily = schedule_status(work.session, CONFIG).graphs[0]
    assert daily.last_run is not None
    assert daily.next_run is not None
    assert daily.last_run < daily.next_run
    states = outcomes(work)
    assert {states[t] for t in (*STEPS[:4], "EXPLAIN_SCORES")} == {"SUCCEEDED"}
    recorded = work.rows("SELECT OUTCOME, ARGUMENTS FROM RUNS WHERE COMMAND = 'graph' ORDER BY FINISHED_AT DESC")[0]
    assert recorded["OUTCOME"] == "done"
    assert f'"date": "{day}"' in recorded["ARGUMENTS"]
    assert any(o.task == "DAILY_TEST$SCORE_DAY" for o in schedule_history(work.session, CONFIG, 50))


def test_a_failing_step_fails_the_run_and_is_written_down_until_the_data_is_mended(
    deployed: Trained, changed: Trained
) -> None:
    work, day = deployed.workspace, deployed.day
    score(work.session, work.settings, plan_score(work.session, work.settings, day, day))
    month_before = day - timedelta(days=31)
    score(work.session, work.settings, plan_score(work.session, work.settings, month_before, month_before))
    all_before = work.rows("SELECT * FROM SCORES ORDER BY SESSION_DATE, UID")
    assert {row["SESSION_DATE"] for row in all_before} == {month_before, day}
    work.rows(f"CREATE TABLE TWIN AS SELECT * FROM SESSIONS WHERE SESSION_DATE = '{day}'::DATE ORDER BY UID LIMIT 1")
    work.rows("INSERT INTO SESSIONS SELECT * FROM TWIN")
    with pytest.raises(WarehouseError, match=r"failed: task DAILY_TEST\$SCORE_DAY"):
        run_days(work.session, work.settings, CONFIG, day, day)
    assert work.rows("SELECT * FROM SCORES ORDER BY SESSION_DATE, UID") == all_before
    states = outcomes(work)
    assert (states["SCORE_DAY"], states["CHECK_SCORES"], states["RECORD_RUN"]) == ("FAILED", "SKIPPED", "FAILED")
    recorded = work.rows("SELECT OUTCOME, MESSAGE FROM RUNS WHERE COMMAND = 'graph' ORDER BY FINISHED_AT DESC")[0]
    assert recorded["OUTCOME"] == "failed"
    assert "DAILY_TEST$SCORE_DAY" in recorded["MESSAGE"]
    work.rows("DELETE FROM SESSIONS WHERE (UID, SESSION_DATE) IN (SELECT UID, SESSION_DATE FROM TWIN)")
    work.rows("INSERT INTO SESSIONS SELECT * FROM TWIN")
    assert run_days(work.session, work.settings, CONFIG, day, day).days[0].state == "SUCCEEDED"


def relabelled(label: str) -> PackageZip:
    """The package with another version in it."""
    content = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package_zip().content)) as now, zipfile.ZipFile(content, "w") as other:
        for name in now.namelist():
            text = now.read(name).decode()
            other.writestr(name, text.replace(__version__, label) if name == "intentscore/__init__.py" else text)
    return PackageZip(f"intentscore_{hashlib.sha256(content.getvalue()).hexdigest()[:12]}.zip", content.getvalue())


def test_a_run_under_way_keeps_its_code_when_a_new_version_is_deployed(
    deployed: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, day = deployed.workspace, deployed.day
    config = json.dumps({**run_config(CONFIG.daily), "date": str(day)})
    work.rows(f"EXECUTE TASK DAILY_TEST USING CONFIG = '{config}'")
    monkeypatch.setattr(graphs, "package_zip", lambda: relabelled("9.9.9"))
    heard: list[str] = []
    deploy(work.session, work.settings, plan_schedule(work.session, work.settings, CONFIG), say=heard.append)
    assert any(line.startswith("+    CALL") for line in heard)
    run_days(work.session, work.settings, CONFIG, day, day)
    recorded = work.rows(
        "SELECT COMMAND, PACKAGE_VERSION FROM RUNS WHERE COMMAND IN ('score', 'check', 'graph') "
        "ORDER BY FINISHED_AT DESC LIMIT 6"
    )
    steps = ["score", "check", "graph"]
    assert [tuple(row) for row in reversed(recorded)] == [
        *((step, __version__) for step in steps),
        *((step, "9.9.9") for step in steps),
    ]
    dropped = drop(work.session, work.settings, apply=True)
    assert all(len([one for one in dropped.procedures if f"_{step}_" in one]) == 2 for step in STEPS)


def test_an_interrupted_back_fill_goes_on_where_it_stopped(deployed: Trained, changed: Trained) -> None:
    work, day = deployed.workspace, deployed.day
    last = day + timedelta(days=1)
    work.rows(f"UPDATE SESSIONS SET SESSION_DATE = '{last}'::DATE WHERE SESSION_DATE = '{day}'::DATE AND UID < '4'")

    def interrupted(message: str) -> None:
        if str(last) in message:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_days(work.session, work.settings, CONFIG, day, last, say=interrupted)
    resumed = run_days(work.session, work.settings, CONFIG, day, last)
    assert ([d.day for d in resumed.days], resumed.skipped) == ([last], 1)
    both = scores(work, day) + scores(work, last)
    score(work.session, work.settings, plan_score(work.session, work.settings, day, last))
    assert scores(work, day) + scores(work, last) == both


def test_the_schedule_is_suspended_resumed_and_dropped(deployed: Trained) -> None:
    work = deployed.workspace
    assert states(suspend(work.session, CONFIG)) == ["suspended"] * 3
    assert states(resume(work.session, CONFIG, "daily")) == ["started", "suspended", "suspended"]
    assert states(resume(work.session, CONFIG)) == ["started"] * 3
    planned = drop(work.session, work.settings, apply=False)
    assert not planned.dropped
    assert planned.graphs == ("DAILY_TEST", "INTENTSCORE_MID_MONTH", "INTENTSCORE_MONTHLY")
    assert all(any(f"_{step}_" in one for one in planned.procedures) for step in STEPS)
    assert drop(work.session, work.settings, apply=True).dropped
    with pytest.raises(ConfigurationError, match="there is no task graph"):
        schedule_status(work.session, CONFIG)
