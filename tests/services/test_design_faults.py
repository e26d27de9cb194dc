"""Faults that systems of this kind are known for. Each test fails if we had one."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from intentscore.data.files import open_file
from intentscore.errors import GateRefusedError, WarehouseError
from intentscore.model.gates import judge
from intentscore.services.check import CheckLimits, check_day
from intentscore.services.graphs import plan_schedule
from intentscore.services.register import register
from intentscore.services.schedule import deploy, drop
from intentscore.services.schedule_config import ScheduleConfig
from intentscore.services.score import plan_score, score
from intentscore.services.upload import upload
from intentscore.services.versions import registered_versions
from intentscore.settings import PromotionSettings
from intentscore.warehouse.tables import create_tables

from .conftest import Trained, Workspace
from .sheets import session_file

A_DATE = re.compile(r"20\d\d-\d\d-\d\d")


@pytest.fixture
def scored(trained: Trained) -> Iterator[Trained]:
    """The shared pipeline with one day in SCORES, which is gone afterwards."""
    work = trained.workspace
    score(work.session, work.settings, plan_score(work.session, work.settings, trained.day, trained.day))
    yield trained
    for table in ("SCORES", "CHALLENGER_SCORES"):
        work.rows(f"DROP TABLE IF EXISTS {table}")


def scores(work: Workspace) -> list[tuple[object, ...]]:
    return [tuple(row) for row in work.rows("SELECT * FROM SCORES ORDER BY SESSION_DATE, UID")]


def test_no_date_is_decided_when_the_graph_is_deployed(trained: Trained) -> None:
    """Else every later run would score the same day. That runs differ is tested with the scheduler's clock."""
    work = trained.workspace
    plan = plan_schedule(work.session, work.settings, ScheduleConfig())
    deployed = "\n".join(line for graph in plan.graphs for line in graph.lines())
    assert "SCORE_DAY" in deployed
    assert A_DATE.findall(deployed) == []


def test_features_are_as_fresh_as_the_scores(scored: Trained, changed: Trained) -> None:
    """One clock: the graph's root. A session that came since the last refresh of the features is scored."""
    work, day = scored.workspace, scored.day
    graph = plan_schedule(work.session, work.settings, ScheduleConfig()).graphs[0]
    assert {task.name: task.after for task in graph.tasks}["SCORE_DAY"] == ("REFRESH_FEATURES",)
    work.rows(
        "INSERT INTO SESSIONS SELECT * REPLACE ('late' AS UID) FROM SESSIONS "
        f"WHERE SESSION_DATE = '{day}'::DATE ORDER BY UID LIMIT 1"
    )
    score(work.session, work.settings, plan_score(work.session, work.settings, day, day))
    assert work.value("SELECT COUNT(*) FROM SCORES WHERE UID = 'late'") == 1


def test_setting_up_again_keeps_the_scores(scored: Trained) -> None:
    work = scored.workspace
    before = scores(work)
    assert before
    create_tables(work.session, work.settings)
    deploy(work.session, work.settings, plan_schedule(work.session, work.settings, ScheduleConfig()))
    assert scores(work) == before
    drop(work.session, work.settings, apply=True)


def test_a_day_is_replaced_whole_or_not_at_all(scored: Trained) -> None:
    work, day = scored.workspace, scored.day
    before = scores(work)
    plan = plan_score(work.session, work.settings, day, day)
    *_, delete, merge = plan.transaction
    everything = delete.split("\nAND (UID")[0]
    cut_short = dataclasses.replace(plan, transaction=(everything, merge.replace("MERGE INTO", "MERGE INTO NOT_")))
    with pytest.raises(WarehouseError):
        score(work.session, work.settings, cut_short)
    assert scores(work) == before


def test_scoring_a_challenger_leaves_the_champions_day(scored: Trained) -> None:
    work, day = scored.workspace, scored.day
    before = scores(work)
    settings = work.settings.model_copy(update={"model_name": "FAULTLESS"})
    first, second = (register(work.session, settings, scored.trained.run_id).version for _ in range(2))
    done = score(work.session, settings, plan_score(work.session, settings, day, day, second))
    assert (done.champion, done.table.rsplit(".", 1)[-1]) == (False, "CHALLENGER_SCORES")
    assert scores(work) == before
    assert [v.aliases for v in registered_versions(work.session, settings) if v.name == first] == [("CHAMPION",)]


def test_the_same_file_gives_the_same_sessions(workspace: Workspace, tmp_path: Path) -> None:
    """A row without an identifier gets one that is made of its content, not of chance."""
    work = workspace
    rows = session_file(tmp_path / "rows.csv", {}, {"BROWSER": "3"}).read_text().splitlines()
    without_uid = tmp_path / "sessions.csv"
    without_uid.write_text("\n".join(line.split(",", 1)[1] for line in rows) + "\n")
    loaded = [upload(work.session, work.settings, open_file(without_uid)) for _ in range(2)]
    assert [(done.inserted, done.unchanged) for done in loaded] == [(2, 0), (0, 2)]


def test_a_model_is_measured_on_months_after_those_it_learned_from(trained: Trained) -> None:
    (version,) = registered_versions(trained.workspace.session, trained.workspace.settings)
    assert version.learned_until is not None
    assert trained.trained.holdout_months > trained.trained.train_months.split(", ")[-1]
    held_out = trained.workspace.value(
        f"SELECT COUNT(*) FROM SESSIONS WHERE SESSION_DATE > '{version.learned_until}'::DATE AND REVENUE IS NOT NULL"
    )
    assert version.metrics["holdout_n"] == held_out


def test_a_gain_that_may_be_chance_promotes_nobody() -> None:
    chance = np.random.default_rng(0)
    bought = chance.random(4000) < 0.2
    champion = np.clip(np.where(bought, 0.3, 0.15) + chance.normal(0, 0.02, 4000), 0.01, 0.99)
    challenger = np.clip(champion + np.where(bought, 1e-5, -1e-5) + chance.normal(0, 1e-3, 4000), 0.01, 0.99)
    segments = pd.DataFrame({"visitor type": ["all"] * 4000})
    found = judge(bought, champion, challenger, segments, PromotionSettings())
    assert [gate.passed for gate in found.gates if gate.gate == "improvement"] == [False]


def test_a_session_is_scored_the_same_alone_and_among_others(trained: Trained) -> None:
    """Nothing is fitted to the batch: a day scored by itself has the scores it has in a year."""
    work, day = trained.workspace, trained.day
    try:
        score(work.session, work.settings, plan_score(work.session, work.settings, day, day))
        query = f"SELECT UID, SCORE FROM SCORES WHERE SESSION_DATE = '{day}'::DATE ORDER BY UID"
        alone = work.rows(query)
        assert alone
        whole = plan_score(work.session, work.settings, date(day.year, 1, 1), date(day.year, 12, 31))
        assert len(whole.days) > 1
        score(work.session, work.settings, whole)
        assert work.rows(query) == alone
    finally:
        work.rows("DROP TABLE IF EXISTS SCORES")


def test_a_failed_check_raises_instead_of_answering_false(scored: Trained) -> None:
    """In the graph this fails the task, which is tested with the schedule."""
    work, day = scored.workspace, scored.day
    work.rows(f"DELETE FROM SCORES WHERE SESSION_DATE = '{day}'::DATE AND UID < '8'")
    with pytest.raises(GateRefusedError, match=r"not fit for use: .* scores for .* sessions"):
        check_day(work.session, work.settings, day, CheckLimits())
