from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from intentscore.errors import ConfigurationError, WarehouseError
from intentscore.services.graph_execution import run_days
from intentscore.services.graph_plan import shown
from intentscore.services.graphs import plan_schedule
from intentscore.services.packaging import package_zip
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

STEPS = (
    *("REFRESH_FEATURES", "SCORE_DAY", "CHECK_SCORES", "RECORD_RUN", "TRAIN_CHALLENGER", "REGISTER_CHALLENGER"),
    *("SCORE_CHALLENGER", "EVALUATE_CHALLENGER", "PROMOTE_CHALLENGER"),
)
CONFIG = ScheduleConfig(daily=DailyGraph(name="DAILY_TEST"), retries=0)


def scores(work: Workspace, day: date) -> list[tuple[Any, ...]]:
    found = work.rows(f"SELECT UID, SCORE, MODEL_VERSION FROM SCORES WHERE SESSION_DATE = '{day}'::DATE ORDER BY UID")
    return [tuple(row) for row in found]


def states(status: ScheduleStatus) -> list[str]:
    return [graph.state for graph in status.graphs]


def outcomes(work: Workspace) -> dict[str, str]:
    status = schedule_status(work.session, CONFIG)
    return {o.task.rsplit("$", 1)[-1]: o.state for o in status.tasks}


@pytest.fixture
def deployed(trained: Trained) -> Iterator[Trained]:
    """The shared pipeline with the graph deployed, and without scores afterwards."""
    work = trained.workspace
    deploy(work.session, work.settings, plan_schedule(work.session, work.settings, CONFIG))
    yield trained
    work.rows("DROP TABLE IF EXISTS SCORES")


def test_the_packaged_code_is_reproducible() -> None:
    assert package_zip() == package_zip()


def test_status_names_the_deployed_graphs_and_not_their_steps(deployed: Trained) -> None:
    found = status(deployed.workspace.session, deployed.workspace.settings).graphs
    assert {(graph.graph, graph.state) for graph in found} >= {("DAILY_TEST", "started")}
    assert not [graph for graph in found if "$" in graph.graph]
    assert next(graph.schedule for graph in found if graph.graph == "DAILY_TEST") == "USING CRON 0 6 * * * UTC"


def test_a_dry_run_draws_the_graph_and_changes_nothing(trained: Trained) -> None:
    work = trained.workspace
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
    with pytest.raises(ConfigurationError, match="there is no task graph INTENTSCORE_DAILY"):
        schedule_status(work.session, ScheduleConfig())


def test_deploying_twice_changes_nothing_and_a_changed_config_shows_a_diff(deployed: Trained) -> None:
    work = deployed.workspace
    again = deploy(work.session, work.settings, plan_schedule(work.session, work.settings, CONFIG))
    assert again.changes == ()
    other = CONFIG.model_copy(update={"timeout_minutes": 30})
    heard: list[str] = []
    plan = plan_schedule(work.session, work.settings, other)
    changed = deploy(work.session, work.settings, plan, say=heard.append)
    assert heard == list(changed.changes)
    assert heard.count("+  timeout_minutes: 30") == 3
    assert [graph.state for graph in changed.graphs] == ["started"] * 3


def test_the_graph_scores_what_the_command_scores_bit_for_bit(deployed: Trained) -> None:
    work, day = deployed.workspace, deployed.day
    ran = run_days(work.session, work.settings, CONFIG, day, day)
    assert [(d.day, d.state) for d in ran.days] == [(day, "SUCCEEDED")]
    by_graph = scores(work, day)
    assert by_graph
    score(work.session, work.settings, plan_score(work.session, work.settings, day, day))
    assert scores(work, day) == by_graph
    states = outcomes(work)
    assert {states[t] for t in ("REFRESH_FEATURES", "SCORE_DAY", "CHECK_SCORES", "RECORD_RUN")} == {"SUCCEEDED"}
    recorded = work.rows("SELECT OUTCOME, ARGUMENTS FROM RUNS WHERE COMMAND = 'graph' ORDER BY FINISHED_AT DESC")[0]
    assert recorded["OUTCOME"] == "done"
    assert f'"date": "{day}"' in recorded["ARGUMENTS"]
    assert any(o.task == "DAILY_TEST$SCORE_DAY" for o in schedule_history(work.session, CONFIG, 50))


def test_a_failing_step_fails_the_run_and_is_written_down_until_the_data_is_mended(deployed: Trained) -> None:
    work, day = deployed.workspace, deployed.day
    score(work.session, work.settings, plan_score(work.session, work.settings, day, day))
    before = scores(work, day)
    work.rows(f"CREATE TABLE TWIN AS SELECT * FROM SESSIONS WHERE SESSION_DATE = '{day}'::DATE ORDER BY UID LIMIT 1")
    work.rows("INSERT INTO SESSIONS SELECT * FROM TWIN")
    try:
        with pytest.raises(WarehouseError, match=r"failed: task DAILY_TEST\$SCORE_DAY"):
            run_days(work.session, work.settings, CONFIG, day, day)
        assert scores(work, day) == before
        states = outcomes(work)
        assert (states["SCORE_DAY"], states["CHECK_SCORES"], states["RECORD_RUN"]) == ("FAILED", "SKIPPED", "FAILED")
        recorded = work.rows("SELECT OUTCOME, MESSAGE FROM RUNS WHERE COMMAND = 'graph' ORDER BY FINISHED_AT DESC")[0]
        assert recorded["OUTCOME"] == "failed"
        assert "DAILY_TEST$SCORE_DAY" in recorded["MESSAGE"]
    finally:
        work.rows("DELETE FROM SESSIONS WHERE (UID, SESSION_DATE) IN (SELECT UID, SESSION_DATE FROM TWIN)")
        work.rows("INSERT INTO SESSIONS SELECT * FROM TWIN")
        work.rows("DROP TABLE TWIN")
    assert run_days(work.session, work.settings, CONFIG, day, day).days[0].state == "SUCCEEDED"


def test_an_interrupted_back_fill_goes_on_where_it_stopped(deployed: Trained) -> None:
    work, day = deployed.workspace, deployed.day
    last = day + timedelta(days=1)
    work.rows(f"UPDATE SESSIONS SET SESSION_DATE = '{last}'::DATE WHERE SESSION_DATE = '{day}'::DATE AND UID < '4'")
    try:

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
    finally:
        work.rows(f"UPDATE SESSIONS SET SESSION_DATE = '{day}'::DATE WHERE SESSION_DATE = '{last}'::DATE")


def test_the_schedule_is_suspended_resumed_and_dropped(deployed: Trained) -> None:
    work = deployed.workspace
    assert states(suspend(work.session, CONFIG)) == ["suspended"] * 3
    assert states(resume(work.session, CONFIG, "daily")) == ["started", "suspended", "suspended"]
    assert states(resume(work.session, CONFIG)) == ["started"] * 3
    planned = drop(work.session, work.settings, apply=False)
    assert not planned.dropped
    assert planned.graphs == ("DAILY_TEST", "INTENTSCORE_MID_MONTH", "INTENTSCORE_MONTHLY")
    assert len(planned.procedures) == len(STEPS)
    assert drop(work.session, work.settings, apply=True).dropped
    with pytest.raises(ConfigurationError, match="there is no task graph"):
        schedule_status(work.session, CONFIG)
