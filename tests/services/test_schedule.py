from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from intentscore.errors import ConfigurationError, WarehouseError
from intentscore.services.graph_plan import plan_schedule, shown
from intentscore.services.packaging import package_zip
from intentscore.services.schedule import deploy, drop, resume, run_days, schedule_history, schedule_status, suspend
from intentscore.services.schedule_config import DailyGraph, ScheduleConfig
from intentscore.services.score import plan_score, score

from .conftest import Trained, Workspace

CONFIG = ScheduleConfig(daily=DailyGraph(name="DAILY_TEST"), retries=0)


def scores(work: Workspace, day: date) -> list[tuple[Any, ...]]:
    found = work.rows(f"SELECT UID, SCORE, MODEL_VERSION FROM SCORES WHERE SESSION_DATE = '{day}'::DATE ORDER BY UID")
    return [tuple(row) for row in found]


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


def test_a_dry_run_draws_the_graph_and_changes_nothing(trained: Trained) -> None:
    work = trained.workspace
    plan = shown(plan_schedule(work.session, work.settings, ScheduleConfig(daily=DailyGraph(name="NOT_THERE"))))
    assert [line.strip(" └▶■") for line in plan.picture[1:]] == [
        "REFRESH_FEATURES", "SCORE_DAY", "CHECK_SCORES", "RECORD_RUN (finalizer)",
    ]  # fmt: skip
    assert len(plan.next_firings) == 5
    with pytest.raises(ConfigurationError, match="there is no task graph NOT_THERE"):
        schedule_status(work.session, ScheduleConfig(daily=DailyGraph(name="NOT_THERE")))


def test_deploying_twice_changes_nothing_and_a_changed_config_shows_a_diff(deployed: Trained) -> None:
    work = deployed.workspace
    again = deploy(work.session, work.settings, plan_schedule(work.session, work.settings, CONFIG))
    assert again.changes == ()
    other = CONFIG.model_copy(update={"timeout_minutes": 30})
    changed = deploy(work.session, work.settings, plan_schedule(work.session, work.settings, other))
    assert "+  timeout_minutes: 30" in changed.changes
    assert changed.state == "started"


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
    assert suspend(work.session, CONFIG).state == "suspended"
    assert resume(work.session, CONFIG).state == "started"
    planned = drop(work.session, work.settings, CONFIG, apply=False)
    assert not planned.dropped
    assert len(planned.procedures) == 4
    assert drop(work.session, work.settings, CONFIG, apply=True).dropped
    with pytest.raises(ConfigurationError, match="there is no task graph"):
        schedule_status(work.session, CONFIG)
