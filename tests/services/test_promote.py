from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

import pytest

from intentscore.errors import ConfigurationError, GateRefusedError, WarehouseError
from intentscore.model.config import BoosterParams, TrainConfig
from intentscore.services import versions
from intentscore.services.aliases import Move, apply_move
from intentscore.services.models import models
from intentscore.services.promote import plan_promotion, promote
from intentscore.services.register import register
from intentscore.services.rollback import plan_rollback, rollback
from intentscore.services.score import plan_score, score
from intentscore.services.train import train
from intentscore.services.versions import registered_versions
from intentscore.settings import PromotionSettings, Settings
from tests.services.conftest import Trained

POOR = TrainConfig(
    cv_folds=2, num_boost_round=5, exclude=("PAGE_VALUES",), params=BoosterParams(learning_rate=0.1, num_leaves=3)
)
LIMITS = PromotionSettings(min_sessions=100, min_buyers=10, max_calibration_error=0.2, max_segment_loss=0.1)


@dataclass(frozen=True)
class Duel:
    """A model of its own with two versions, the first of them the champion."""

    trained: Trained
    settings: Settings
    champion: str
    challenger: str

    def aliases(self) -> dict[str, tuple[str, ...]]:
        session = self.trained.workspace.session
        return {version.name: version.aliases for version in registered_versions(session, self.settings)}

    def default(self) -> str:
        session = self.trained.workspace.session
        return next(v.name for v in registered_versions(session, self.settings) if v.default)


@pytest.fixture(scope="module")
def poor_run(pipeline: Trained) -> str:
    work = pipeline.workspace
    work.session.use_schema(work.settings.schema_name)
    return train(work.session, work.settings, POOR).run_id


@pytest.fixture(scope="module")
def registered(pipeline: Trained, poor_run: str) -> dict[bool, Duel]:
    """By whether the challenger is the better one."""
    work, good_run = pipeline.workspace, pipeline.trained.run_id
    work.session.use_schema(work.settings.schema_name)
    duels = {}
    for better, runs in ((True, (poor_run, good_run)), (False, (good_run, poor_run))):
        settings = work.settings.model_copy(
            update={"model_name": "DUEL_WON" if better else "DUEL_LOST", "promotion": LIMITS}
        )
        first, second = (register(work.session, settings, run).version for run in runs)
        duels[better] = Duel(pipeline, settings, first, second)
    return duels


@pytest.fixture
def duel(trained: Trained, registered: dict[bool, Duel]) -> Iterator[Callable[[bool], Duel]]:
    yield lambda better: registered[better]
    for it in registered.values():
        if it.default() != it.champion:
            session, model = trained.workspace.session, f"ALTER MODEL {it.settings.model_name}"
            apply_move(session, Move(plan_rollback(session, it.settings, it.champion).statements, ()))
            session.sql(f"{model} VERSION {it.challenger} SET ALIAS = CHALLENGER").collect()


def test_a_better_challenger_becomes_champion_and_default(duel: Callable[[bool], Duel]) -> None:
    it = duel(True)
    session = it.trained.workspace.session
    plan = plan_promotion(session, it.settings)
    assert (plan.version, plan.champion, plan.accepted) == (it.challenger, it.champion, True)
    assert plan.tested_after == date(2024, 11, 1)
    assert plan.sessions == it.trained.workspace.value("SELECT COUNT(*) FROM SESSIONS WHERE MONTH = 'Dec'")
    assert it.aliases() == {it.champion: ("CHAMPION",), it.challenger: ("CHALLENGER",)}
    result = promote(session, it.settings, plan)
    assert it.aliases() == {it.champion: (), it.challenger: ("CHAMPION",)}
    assert it.default() == it.challenger
    row = it.trained.workspace.rows(f"SELECT * FROM RUNS WHERE RUN_ID = '{result.run_id}'")[0]
    assert (row["COMMAND"], row["OUTCOME"], row["MODEL_VERSION"]) == ("promote", "done", it.challenger)


def test_a_worse_challenger_is_refused_with_the_reason(duel: Callable[[bool], Duel]) -> None:
    it = duel(False)
    session = it.trained.workspace.session
    plan = plan_promotion(session, it.settings)
    assert not plan.accepted
    with pytest.raises(GateRefusedError, match=r"is not promoted.*improvement: log_loss worse by "):
        promote(session, it.settings, plan)
    assert it.aliases()[it.champion] == ("CHAMPION",)
    row = it.trained.workspace.rows("SELECT * FROM RUNS WHERE COMMAND = 'promote' ORDER BY FINISHED_AT DESC")[0]
    assert (row["OUTCOME"], row["MODEL_VERSION"]) == ("failed", it.challenger)
    assert "improvement" in row["MESSAGE"]


def test_a_challenger_not_tested_enough_is_refused(duel: Callable[[bool], Duel]) -> None:
    it = duel(True)
    strict = it.settings.model_copy(update={"promotion": PromotionSettings(min_sessions=1_000_000)})
    plan = plan_promotion(it.trained.workspace.session, strict)
    assert plan.figures == ()
    with pytest.raises(GateRefusedError, match=r"sample: .* required: at least 1,000,000 sessions"):
        plan.require_accepted()


def test_a_miscalibrated_challenger_is_refused(duel: Callable[[bool], Duel]) -> None:
    it = duel(True)
    strict = it.settings.model_copy(update={"promotion": LIMITS.model_copy(update={"max_calibration_error": 0.0001})})
    with pytest.raises(GateRefusedError, match=r"calibration: calibration error .* at most 0\.0001"):
        plan_promotion(it.trained.workspace.session, strict).require_accepted()


def test_an_interrupted_promotion_leaves_the_champion_in_place(duel: Callable[[bool], Duel]) -> None:
    it = duel(True)
    session = it.trained.workspace.session
    plan = plan_promotion(session, it.settings)
    for done in range(1, len(plan.statements)):
        broken = dataclasses.replace(plan, statements=(*plan.statements[:done], "ALTER MODEL NOWHERE SET COMMENT = ''"))
        with pytest.raises(WarehouseError):
            promote(session, it.settings, broken)
        assert it.aliases() == {it.champion: ("CHAMPION",), it.challenger: ("CHALLENGER",)}
        assert it.default() == it.champion


def test_a_plan_is_void_once_the_champion_has_changed(duel: Callable[[bool], Duel]) -> None:
    it = duel(True)
    session = it.trained.workspace.session
    plan = plan_promotion(session, it.settings)
    promote(session, it.settings, plan)
    with pytest.raises(GateRefusedError, match="has become champion meanwhile"):
        promote(session, it.settings, plan)
    with pytest.raises(GateRefusedError, match="is the champion already"):
        plan_promotion(session, it.settings, it.challenger)
    with pytest.raises(ConfigurationError, match="there is no CHALLENGER"):
        plan_promotion(session, it.settings)


def test_rollback_restores_the_scores_bit_for_bit(duel: Callable[[bool], Duel]) -> None:
    it = duel(True)
    work, day = it.trained.workspace, it.trained.day
    rows = "SELECT UID, SESSION_DATE, SCORE, MODEL_VERSION FROM SCORES ORDER BY SESSION_DATE, UID"
    try:
        score(work.session, it.settings, plan_score(work.session, it.settings, day, day))
        before = work.rows(rows)
        promote(work.session, it.settings, plan_promotion(work.session, it.settings))
        score(work.session, it.settings, plan_score(work.session, it.settings, day, day))
        assert work.rows(rows) != before
        plan = plan_rollback(work.session, it.settings)
        assert (plan.champion, plan.version) == (it.challenger, it.champion)
        assert [(row.version, row.first, row.days) for row in plan.scored_by_others] == [(it.challenger, day, 1)]
        assert plan.next_commands == (f"intentscore score --date {day} --to {day}",)
        rollback(work.session, it.settings, plan)
        assert it.aliases() == {it.champion: ("CHAMPION",), it.challenger: ()}
        assert it.default() == it.champion
        score(work.session, it.settings, plan_score(work.session, it.settings, day, day))
        assert work.rows(rows) == before
        shown = {row.version: row for row in models(work.session, it.settings).versions}
        assert (shown[it.champion].alias, shown[it.champion].default, shown[it.champion].scored_days) == (
            "CHAMPION",
            True,
            1,
        )
        assert shown[it.challenger].scored_days == 0
        assert shown[it.champion].learned_until == date(2024, 11, 1)
        assert shown[it.champion].feature_view == it.trained.trained.feature_view
    finally:
        work.rows("DROP TABLE IF EXISTS SCORES")


def test_rollback_without_an_earlier_champion_asks_for_a_version(duel: Callable[[bool], Duel]) -> None:
    it = duel(True)
    session = it.trained.workspace.session
    work = it.trained.workspace
    work.rows(f"UPDATE RUNS SET COMMAND = 'test' WHERE MODEL_VERSION = '{it.champion}'")
    with pytest.raises(ConfigurationError, match="no earlier champion is on record"):
        plan_rollback(session, it.settings)
    with pytest.raises(GateRefusedError, match="is the champion already"):
        plan_rollback(session, it.settings, it.champion)
    assert plan_rollback(session, it.settings, it.challenger).version == it.challenger


def test_versions_whose_feature_view_is_gone_take_no_part(
    duel: Callable[[bool], Duel], monkeypatch: pytest.MonkeyPatch
) -> None:
    it = duel(True)
    monkeypatch.setattr(versions, "registered_views", lambda *_: ())
    for plan in (plan_promotion, plan_rollback):
        with pytest.raises(GateRefusedError, match="no version of feature view"):
            plan(it.trained.workspace.session, it.settings, it.challenger)
