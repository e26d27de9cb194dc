from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import pytest
import shap

from intentscore.errors import ConfigurationError, NothingToDoError, WarehouseError
from intentscore.features.definitions import FEATURES, features_using
from intentscore.features.reasons import subject
from intentscore.model.run import find_run
from intentscore.services.explain import (
    ExplainPlan,
    ExplainResult,
    explain,
    explain_scores,
    plan_explained_scores,
    plan_explanation,
)
from intentscore.services.register import register
from intentscore.services.score import ScoreResult, plan_score, score
from intentscore.services.train import train
from intentscore.settings import Settings
from intentscore.warehouse.tables import EXPLANATIONS, exists
from tests.services.conftest import QUICK, Trained, command

WITHOUT_TIME = "SELECT * EXCLUDE EXPLAINED_AT FROM {} ORDER BY MODEL_VERSION, SESSION_DATE, UID, REASON_RANK"


@pytest.fixture(scope="module")
def scores(pipeline: Trained) -> ScoreResult:
    """The scores of the shared pipeline's day. A test leaves them, and their explanations, as it found them."""
    work = pipeline.workspace
    work.session.use_schema(work.settings.schema_name)
    return score_day(pipeline, work.settings)


@pytest.fixture(scope="module")
def explained(pipeline: Trained, scores: ScoreResult) -> ExplainResult:
    """The explanation of the day, as it is made when nothing else is asked for."""
    pipeline.workspace.session.use_schema(pipeline.workspace.settings.schema_name)
    return explain(pipeline.workspace.session, pipeline.workspace.settings, plan_day(pipeline))


@pytest.fixture
def elsewhere(trained: Trained, scores: ScoreResult) -> Iterator[Settings]:
    """Settings by which explanations go to a table of their own, which is dropped afterwards."""
    yield named(trained.workspace.settings, explanations="ELSEWHERE")
    trained.workspace.rows("DROP TABLE IF EXISTS ELSEWHERE")


def named(settings: Settings, **tables: str) -> Settings:
    return settings.model_copy(update={"tables": settings.tables.model_copy(update=tables)})


def score_day(trained: Trained, settings: Settings) -> ScoreResult:
    session = trained.workspace.session
    return score(session, settings, plan_score(session, settings, trained.day, trained.day))


def plan_day(trained: Trained, settings: Settings | None = None, **chosen: Any) -> ExplainPlan:
    work = trained.workspace
    return plan_explanation(work.session, settings or work.settings, trained.day, trained.day, **chosen)


def explain_day(trained: Trained, settings: Settings, **chosen: Any) -> ExplainResult:
    return explain(trained.workspace.session, settings, plan_day(trained, settings, **chosen))


def inputs(trained: Trained) -> list[str]:
    """What the shared pipeline's model looks at: the history only where there is any."""
    return find_run(trained.workspace.settings.home / "runs", trained.trained.run_id).booster().feature_name()


def by_score(trained: Trained) -> list[str]:
    """The day's sessions, the highest score first."""
    return [row[0] for row in trained.workspace.rows("SELECT UID FROM SCORES ORDER BY SCORE DESC, UID")]


def largest_difference(trained: Trained, table: str) -> float:
    """Between the log-odds of a score and what its explanation adds up to."""
    found = trained.workspace.value(
        "SELECT MAX(ABS(BASE + REASONS + OTHERS - LN(SCORE / (1 - SCORE)))) FROM (SELECT SCORE, "
        "SUM(LOG_ODDS) AS REASONS, MAX(OTHER_LOG_ODDS) AS OTHERS, MAX(BASE_LOG_ODDS) AS BASE "
        f"FROM {table} GROUP BY UID, SESSION_DATE, MODEL_VERSION, SCORE)"
    )
    return float(found)


def test_the_highest_tenth_gets_its_strongest_reasons(
    trained: Trained, scores: ScoreResult, explained: ExplainResult
) -> None:
    work = trained.workspace
    booster = find_run(work.settings.home / "runs", trained.trained.run_id).booster()
    names = booster.feature_name()
    frame = work.session.sql(
        f"SELECT {', '.join(f'f.{name}' for name in names)} FROM SCORES c JOIN SESSION_FEATURES$V1 f "
        f"ON f.UID = c.UID AND f.SESSION_DATE = c.SESSION_DATE ORDER BY c.SCORE DESC, c.UID LIMIT {explained.scores}"
    ).to_pandas()
    values = frame[names].to_numpy(dtype=float)
    added = np.asarray(shap.TreeExplainer(booster).shap_values(values, from_call=True))
    expected = [
        (rank, names[column], None if np.isnan(row[column]) else row[column], pytest.approx(ours[column], abs=1e-12))
        for row, ours in zip(values, added, strict=True)
        for rank, column in enumerate(sorted(range(len(names)), key=lambda i: (-abs(ours[i]), names[i]))[:3], start=1)
    ]
    found = work.rows(
        "SELECT REASON_RANK, FEATURE, VALUE, LOG_ODDS FROM EXPLANATIONS ORDER BY SCORE DESC, UID, REASON_RANK"
    )
    assert explained.scores == math.ceil(scores.rows / 10)
    assert explained.rows == 3 * explained.scores
    assert [tuple(row) for row in found] == expected


def test_reasons_others_and_base_value_add_up_to_the_log_odds_of_the_score(
    trained: Trained, explained: ExplainResult
) -> None:
    joined = "SELECT COUNT(*) FROM EXPLANATIONS e JOIN SCORES s USING (UID, SESSION_DATE, MODEL_VERSION, SCORE)"
    assert largest_difference(trained, "EXPLANATIONS") < 1e-9
    assert trained.workspace.value(joined) == explained.rows


def test_the_reasons_shown_are_those_of_the_highest_scores(trained: Trained, explained: ExplainResult) -> None:
    assert list(dict.fromkeys(reason.uid for reason in explained.reasons)) == by_score(trained)[:3]
    assert [reason.rank for reason in explained.reasons] == [1, 2, 3] * 3
    assert all(reason.reason.endswith(".") for reason in explained.reasons)


def test_explaining_is_on_record(trained: Trained, explained: ExplainResult) -> None:
    row = trained.workspace.rows(f"SELECT * FROM RUNS WHERE RUN_ID = '{explained.run_id}'")[0]
    assert (row["COMMAND"], row["MODEL_VERSION"], row["ROW_COUNT"]) == ("explain", explained.version, explained.scores)
    assert json.loads(row["ARGUMENTS"])["top"] == 3


def test_explaining_again_replaces_the_versions_reasons_and_no_others(
    trained: Trained, explained: ExplainResult, elsewhere: Settings
) -> None:
    work = trained.workspace
    others = "SELECT * REPLACE ('V_OTHER' AS MODEL_VERSION) FROM EXPLANATIONS"
    work.rows(f"CREATE TABLE ELSEWHERE AS SELECT * FROM EXPLANATIONS UNION ALL {others}")
    before = work.rows(WITHOUT_TIME.format("ELSEWHERE"))
    second = explain_day(trained, elsewhere)
    assert work.rows(WITHOUT_TIME.format("ELSEWHERE")) == before
    assert second.removed == explained.rows == second.rows
    latest = "SELECT COUNT(*) FROM ELSEWHERE WHERE EXPLAINED_AT = (SELECT MAX(EXPLAINED_AT) FROM ELSEWHERE)"
    assert work.value(latest) == second.rows


def test_one_session_is_explained_whatever_its_score_beside_the_others(
    trained: Trained, explained: ExplainResult, elsewhere: Settings
) -> None:
    trained.workspace.rows("CREATE TABLE ELSEWHERE AS SELECT * FROM EXPLANATIONS")
    lowest = by_score(trained)[-1]
    result = explain_day(trained, elsewhere, uid=lowest, top=50)
    assert {reason.uid for reason in result.reasons} == {lowest}
    assert [reason.rank for reason in result.reasons] == list(range(1, len(inputs(trained)) + 1))
    assert trained.workspace.value(f"SELECT MAX(ABS(OTHER_LOG_ODDS)) FROM ELSEWHERE WHERE UID = '{lowest}'") == 0
    assert trained.workspace.value("SELECT COUNT(*) FROM ELSEWHERE") == explained.rows + result.rows


def test_distinct_reasons_are_the_strongest_of_each_subject(
    trained: Trained, explained: ExplainResult, elsewhere: Settings
) -> None:
    told_of = {feature.name: subject(feature) for feature in FEATURES}
    strongest_three: dict[str, list[str]] = {}
    for uid, feature in trained.workspace.rows("SELECT UID, FEATURE FROM EXPLANATIONS ORDER BY UID, REASON_RANK"):
        strongest_three.setdefault(uid, []).append(feature)
    alike = [uid for uid, names in strongest_three.items() if len({told_of[name] for name in names}) < 3]
    result = explain_day(trained, elsewhere, uid=alike[0], top=50, distinct=True)
    found = [(reason.feature, reason.log_odds) for reason in result.reasons]
    first: dict[str, tuple[str, float]] = {}
    for reason in (strongest := sorted(found, key=lambda one: (-abs(one[1]), one[0]))):
        first.setdefault(told_of[reason[0]], reason)
    assert found == [*first.values(), *(reason for reason in strongest if reason not in first.values())]
    assert [name for name, _ in strongest[:3]] == strongest_three[alike[0]]
    assert len({told_of[name] for name, _ in found[:3]}) == 3


def test_all_scores_can_be_explained_and_what_it_takes_is_said_before(
    trained: Trained, scores: ScoreResult, elsewhere: Settings
) -> None:
    plan = plan_day(trained, elsewhere, selection="all", top=1)
    assert plan.scores == scores.rows
    assert plan.estimated_s is not None
    assert plan.estimated_s > 0
    assert plan.announcement.startswith(f"explain: {scores.rows:,} scores, which take about ")
    assert explain(trained.workspace.session, elsewhere, plan).rows == scores.rows
    assert largest_difference(trained, "ELSEWHERE") < 1e-9


def test_a_plan_changes_nothing(trained: Trained, elsewhere: Settings) -> None:
    work = trained.workspace
    before = work.value("SELECT COUNT(*) FROM RUNS")
    plan = plan_day(trained, elsewhere)
    assert work.value("SELECT COUNT(*) FROM RUNS") == before
    assert not work.rows("SHOW TABLES LIKE 'ELSEWHERE'")
    assert "!EXPLAIN(" in plan.preparation[0]
    assert [statement.split()[0] for statement in plan.statements] == ["CREATE", "BEGIN", "DELETE", "INSERT", "COMMIT"]


def test_a_failure_leaves_scores_and_earlier_explanations(
    trained: Trained, scores: ScoreResult, explained: ExplainResult
) -> None:
    work = trained.workspace
    plan = plan_day(trained)
    broken = dataclasses.replace(plan, transaction=(plan.transaction[0], "INSERT INTO NOWHERE SELECT 1"))
    with pytest.raises(WarehouseError):
        explain(work.session, work.settings, broken)
    assert work.value("SELECT COUNT(*) FROM EXPLANATIONS") == explained.rows
    assert work.value("SELECT COUNT(*) FROM SCORES") == scores.rows


def test_scores_that_cannot_be_explained_are_there_all_the_same(
    trained: Trained, scores: ScoreResult, elsewhere: Settings
) -> None:
    trained.workspace.rows("CREATE TABLE ELSEWHERE (UID VARCHAR)")
    done = explain_scores(trained.workspace.session, elsewhere, scores, "top", 3, lambda _: None)
    assert (done.rows, done.explanations) == (scores.rows, None)
    assert trained.workspace.value("SELECT COUNT(*) FROM SCORES") == scores.rows
    with pytest.raises(WarehouseError, match=r"the scores are written, but not explained: .*intentscore explain"):
        done.require_explained()


def test_scoring_and_explaining_in_one_go(trained: Trained, scores: ScoreResult, elsewhere: Settings) -> None:
    heard: list[str] = []
    done = explain_scores(trained.workspace.session, elsewhere, scores, "top", 2, heard.append)
    done.require_explained()
    assert done.explanations is not None
    assert done.explanations.rows == 2 * done.explanations.scores
    assert heard == [f"explain: {done.explanations.scores:,} scores"]


def test_a_plan_to_score_and_explain_says_how_many_and_for_how_long(
    trained: Trained, scores: ScoreResult, elsewhere: Settings
) -> None:
    work = trained.workspace
    plan = plan_score(work.session, elsewhere, trained.day, trained.day)
    planned = plan_explained_scores(work.session, elsewhere, plan, "top", 2)
    assert (planned.version, planned.statements) == (plan.version, plan.statements)
    expected = -(-scores.rows // 10)
    assert (planned.explanation.scores, planned.explanation.rows) == (expected, 2 * expected)
    assert planned.explanation.estimated_s > 0
    assert not exists(work.session, elsewhere, EXPLANATIONS)


def test_what_fails_in_explaining_is_exit_code_4_and_leaves_the_scores(
    trained: Trained, scores: ScoreResult, explained: ExplainResult, elsewhere: Settings
) -> None:
    trained.workspace.rows("CREATE TABLE ELSEWHERE AS SELECT * EXCLUDE REASON FROM EXPLANATIONS")
    day = str(trained.day)
    done = command(trained.workspace, "score", "--date", day, "--explain", INTENTSCORE_TABLES__EXPLANATIONS="ELSEWHERE")
    assert done.exit_code == 4, done.stderr
    assert json.loads(done.stdout)["rows"] == scores.rows
    assert "the scores are written, but not explained" in done.stderr


def test_scores_of_other_features_than_todays_are_not_explained(trained: Trained, elsewhere: Settings) -> None:
    settings = named(elsewhere, scores="CHANGED_SCORES")
    uid = by_score(trained)[0]
    trained.workspace.rows("CREATE TEMPORARY TABLE CHANGED_SCORES AS SELECT * REPLACE (0.99999 AS SCORE) FROM SCORES")
    with pytest.raises(WarehouseError, match="1 of 1 scores are not those of today's features, nothing was explained"):
        explain_day(trained, settings, uid=uid)
    assert trained.workspace.value("SELECT COUNT(*) FROM ELSEWHERE") == 0


def test_scoring_takes_away_explanations_of_scores_that_are_no_more(
    trained: Trained, explained: ExplainResult, elsewhere: Settings
) -> None:
    work = trained.workspace
    work.rows("CREATE TABLE ELSEWHERE AS SELECT * FROM EXPLANATIONS")
    changed, gone, *_ = by_score(trained)
    work.rows(f"UPDATE ELSEWHERE SET SCORE = 0.5 WHERE UID = '{changed}'")
    work.rows(f"UPDATE ELSEWHERE SET UID = 'ghost' WHERE UID = '{gone}'")
    score_day(trained, elsewhere)
    assert work.value("SELECT COUNT(*) FROM ELSEWHERE") == explained.rows - 6
    assert work.value(f"SELECT COUNT(*) FROM ELSEWHERE WHERE UID IN ('{changed}', 'ghost')") == 0


def test_days_without_scores_say_what_to_run(trained: Trained, scores: ScoreResult) -> None:
    work = trained.workspace
    with pytest.raises(NothingToDoError, match="there are no scores on 2024-11-05; run `intentscore score --date"):
        plan_explanation(work.session, work.settings, date(2024, 11, 5), date(2024, 11, 5))
    with pytest.raises(NothingToDoError, match=r"nobody has no scores on 2024-11-01; .* if there is such a session"):
        plan_day(trained, uid="nobody")
    named = trained.registered.version
    with pytest.raises(NothingToDoError, match=f"by {named} on 2024-11-05; run .* --model-version {named}`"):
        plan_explanation(work.session, work.settings, date(2024, 11, 5), date(2024, 11, 5), model_version=named)


def test_days_scored_by_several_versions_need_a_name(trained: Trained, scores: ScoreResult) -> None:
    settings = named(trained.workspace.settings, scores="BOTH_SCORES")
    trained.workspace.rows(
        "CREATE TEMPORARY TABLE BOTH_SCORES AS SELECT * FROM SCORES UNION ALL "
        "SELECT * REPLACE ('V_OTHER' AS MODEL_VERSION) FROM SCORES"
    )
    with pytest.raises(ConfigurationError, match="V_OTHER scored these days; name one with --model-version"):
        plan_day(trained, settings)
    assert plan_day(trained, settings, model_version=scores.version).scores == math.ceil(scores.rows / 10)


def test_a_bag_without_page_values_is_explained_exactly(trained: Trained) -> None:
    work, excluded = trained.workspace, features_using("PAGE_VALUES")
    names = {"scores": "BAG_SCORES", "explanations": "BAG_EXPLANATIONS"}
    settings = named(work.settings.model_copy(update={"model_name": "BAGGED"}), **names)
    config = QUICK.model_copy(update={"bags": 1, "exclude": ("PAGE_VALUES",), "num_boost_round": 15})
    register(work.session, settings, train(work.session, settings, config).run_id)
    score_day(trained, settings)
    explain_day(trained, settings, top=50)
    assert {row[0] for row in work.rows("SELECT DISTINCT FEATURE FROM BAG_EXPLANATIONS")} == {
        name for name in inputs(trained) if name not in excluded
    }
    assert largest_difference(trained, "BAG_EXPLANATIONS") < 1e-9
    for name in names.values():
        work.rows(f"DROP TABLE {name}")
