from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import pytest

from intentscore.errors import ConfigurationError, GateRefusedError, NothingToDoError, WarehouseError
from intentscore.model.run import find_run
from intentscore.services import versions
from intentscore.services.demo import demo
from intentscore.services.register import register
from intentscore.services.score import ScoreResult, plan_score, score
from intentscore.services.status import status
from tests.services.conftest import HAVE_DATASET, QUICK, Trained, Workspace

DAY = "SESSION_DATE = '2024-11-01'::DATE"
WITHOUT_TIME = "SELECT UID, SESSION_DATE, SCORE, MODEL_NAME, MODEL_VERSION FROM SCORES ORDER BY SESSION_DATE, UID"


@pytest.fixture
def clean(trained: Trained) -> Iterator[Trained]:
    """The shared pipeline without scores, before and after."""
    yield trained
    for table in ("SCORES", "CHALLENGER_SCORES"):
        trained.workspace.rows(f"DROP TABLE IF EXISTS {table}")


def score_day(trained: Trained, day: date | None = None, version: str | None = None) -> ScoreResult:
    work = trained.workspace
    day = day or trained.day
    return score(work.session, work.settings, plan_score(work.session, work.settings, day, day, version))


def test_a_day_gets_one_score_per_session(clean: Trained) -> None:
    result = score_day(clean)
    work = clean.workspace
    sessions = work.value(f"SELECT COUNT(*) FROM SESSIONS WHERE {DAY}")
    assert result.rows == result.inserted == sessions > 0
    assert work.value("SELECT COUNT(*) FROM SCORES") == sessions
    assert work.value(f"SELECT COUNT(DISTINCT UID) FROM SCORES WHERE {DAY}") == sessions
    assert work.value("SELECT COUNT(DISTINCT SCORED_AT) FROM SCORES") == 1


@pytest.mark.skipif(not HAVE_DATASET, reason="needs INTENTSCORE_DATASET")
def test_the_first_of_november_has_2998_scores(clean: Trained) -> None:
    assert score_day(clean).rows == 2_998


def test_scoring_again_changes_nothing_but_the_time(clean: Trained) -> None:
    first = score_day(clean)
    before = clean.workspace.rows(WITHOUT_TIME)
    second = score_day(clean)
    assert clean.workspace.rows(WITHOUT_TIME) == before
    assert (second.inserted, second.updated, second.removed) == (0, first.rows, 0)
    assert clean.workspace.value("SELECT MIN(SCORED_AT) FROM SCORES") == second.scored_at > first.scored_at


def test_a_score_is_the_boosters_own_prediction(clean: Trained) -> None:
    score_day(clean)
    work = clean.workspace
    booster = find_run(work.settings.home / "runs", clean.trained.run_id).booster()
    inputs = ", ".join(f"f.{name}" for name in booster.feature_name())
    frame = work.session.sql(
        f"SELECT c.SCORE, {inputs} FROM SCORES c JOIN SESSION_FEATURES$V1 f "
        "ON f.UID = c.UID AND f.SESSION_DATE = c.SESSION_DATE ORDER BY c.UID"
    ).to_pandas()
    predicted = np.asarray(booster.predict(frame[booster.feature_name()].to_numpy(dtype=float)))
    assert np.abs(frame["SCORE"].to_numpy() - predicted).max() == 0


def test_a_session_that_is_gone_loses_its_score(clean: Trained) -> None:
    work = clean.workspace
    score_day(clean)
    work.rows(
        "INSERT INTO SCORES SELECT 'ghost', SESSION_DATE, SCORE, MODEL_NAME, MODEL_VERSION, SCORED_AT "
        "FROM SCORES LIMIT 1"
    )
    result = score_day(clean)
    assert result.removed == 1
    assert work.value("SELECT COUNT(*) FROM SCORES WHERE UID = 'ghost'") == 0
    assert work.value("SELECT COUNT(*) FROM SCORES") == result.rows


def test_other_days_stay_as_they_are(clean: Trained) -> None:
    work = clean.workspace
    december = score_day(clean, date(2024, 12, 1))
    kept = f"SELECT * FROM SCORES WHERE NOT {DAY} ORDER BY UID"
    before = work.rows(kept)
    score_day(clean)
    assert len(before) == december.rows
    assert work.rows(kept) == before


def test_a_range_scores_each_of_its_days(clean: Trained) -> None:
    work = clean.workspace
    plan = plan_score(work.session, work.settings, date(2024, 11, 1), date(2024, 12, 31))
    assert [day.day for day in plan.days] == [date(2024, 11, 1), date(2024, 12, 1)]
    assert score(work.session, work.settings, plan).rows == plan.sessions


def test_a_challengers_scores_are_kept_apart(clean: Trained) -> None:
    work = clean.workspace
    settings = work.settings.model_copy(update={"model_name": "DUEL"})
    versions_made = [register(work.session, settings, clean.trained.run_id).version for _ in range(3)]
    results = [
        score(work.session, settings, plan_score(work.session, settings, clean.day, clean.day, version))
        for version in (None, *versions_made[1:], "CHALLENGER")
    ]
    assert [result.version for result in results] == [*versions_made, versions_made[2]]
    assert [result.champion for result in results] == [True, False, False, False]
    assert work.value("SELECT COUNT(DISTINCT MODEL_VERSION) FROM SCORES") == 1
    counted = work.rows("SELECT MODEL_VERSION, COUNT(*) FROM CHALLENGER_SCORES GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in counted] == [(name, results[0].rows) for name in versions_made[1:]]


def test_a_plan_changes_nothing(clean: Trained) -> None:
    work = clean.workspace
    tables = f"SHOW TABLES IN SCHEMA {work.settings.schema_name}"
    before = ([row["name"] for row in work.rows(tables)], work.value("SELECT COUNT(*) FROM RUNS"))
    plan = plan_score(work.session, work.settings, clean.day, clean.day)
    assert ([row["name"] for row in work.rows(tables)], work.value("SELECT COUNT(*) FROM RUNS")) == before
    assert plan.statements[0].endswith("REFRESH")
    assert plan.statements[2] == "BEGIN"
    assert plan.statements[-1] == "COMMIT"
    assert "!PREDICT(" in plan.statements[1]


def test_there_is_no_ddl_between_begin_and_commit(clean: Trained) -> None:
    work = clean.workspace
    plan = plan_score(work.session, work.settings, clean.day, clean.day)
    assert [statement.split()[0] for statement in plan.transaction] == ["DELETE", "MERGE"]


def test_a_failure_on_the_way_leaves_the_day_as_it_was(clean: Trained) -> None:
    score_day(clean)
    work = clean.workspace
    before = work.rows("SELECT * FROM SCORES ORDER BY UID")
    plan = plan_score(work.session, work.settings, clean.day, clean.day)
    broken = dataclasses.replace(plan, transaction=(f"DELETE FROM {plan.table}", "MERGE INTO NOWHERE"))
    with pytest.raises(WarehouseError):
        score(work.session, work.settings, broken)
    assert work.rows("SELECT * FROM SCORES ORDER BY UID") == before


def test_sessions_that_arrive_meanwhile_stop_the_run(clean: Trained) -> None:
    work = clean.workspace
    plan = plan_score(work.session, work.settings, clean.day, clean.day)
    refresh, stage = plan.preparation
    add = stage.partition(" AS\n")[0] + " AS SELECT * FROM (" + stage.partition(" AS\n")[2] + ") LIMIT 5"
    with pytest.raises(WarehouseError, match="nothing was written"):
        score(work.session, work.settings, dataclasses.replace(plan, preparation=(refresh, add)))
    assert work.value("SELECT COUNT(*) FROM SCORES") == 0


def test_a_day_without_sessions_names_the_nearest_that_have_some(trained: Trained) -> None:
    work = trained.workspace
    with pytest.raises(NothingToDoError, match=r"no sessions on 2024-11-15; .*2024-11-01 and 2024-12-01"):
        plan_score(work.session, work.settings, date(2024, 11, 15), date(2024, 11, 15))
    with pytest.raises(NothingToDoError, match="nearest days with sessions: 2024-12-01"):
        plan_score(work.session, work.settings, date(2030, 1, 1), date(2030, 1, 1) + timedelta(days=3))


def test_an_empty_schema_says_what_to_load(workspace: Workspace) -> None:
    with pytest.raises(NothingToDoError, match="intentscore upload"):
        plan_score(workspace.session, workspace.settings, date(2024, 11, 1), date(2024, 11, 1))


def test_an_unknown_version_names_the_known_ones(trained: Trained) -> None:
    with pytest.raises(ConfigurationError, match=f"no version V_0; there are: {trained.registered.version}"):
        score_day(trained, version="V_0")


def test_an_unknown_model_says_what_to_run(trained: Trained) -> None:
    work = trained.workspace
    settings = work.settings.model_copy(update={"model_name": "NOBODY"})
    with pytest.raises(ConfigurationError, match="no model NOBODY yet; run `intentscore train`"):
        plan_score(work.session, settings, trained.day, trained.day)


def test_a_version_whose_feature_view_is_gone_is_refused(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "registered_views", lambda *_: ())
    with pytest.raises(GateRefusedError, match="no version of feature view"):
        score_day(trained)


def test_scoring_is_on_record_with_version_and_tag(clean: Trained) -> None:
    result = score_day(clean)
    row = clean.workspace.rows(f"SELECT * FROM RUNS WHERE RUN_ID = '{result.run_id}'")[0]
    assert (row["MODEL_VERSION"], row["ROW_COUNT"], row["OUTCOME"]) == (result.version, result.rows, "done")
    assert json.loads(row["QUERY_TAG"])["command"] == "score"
    assert json.loads(row["ARGUMENTS"])["first"] == "2024-11-01"


def test_status_of_an_empty_schema_is_empty_and_changes_nothing(workspace: Workspace) -> None:
    found = status(workspace.session, workspace.settings)
    assert (found.champion, found.monitor) == (None, None)
    assert (found.graphs, found.last_runs) == ((), ())
    assert {table.rows for table in found.tables} == {None}
    assert workspace.rows(f"SHOW TABLES IN SCHEMA {workspace.settings.schema_name}") == []


def test_status_shows_tables_champion_and_the_last_runs(clean: Trained) -> None:
    result = score_day(clean)
    found = status(clean.workspace.session, clean.workspace.settings)
    tables = {table.table: table for table in found.tables}
    assert found.champion == result.version
    assert tables["SESSIONS"].rows == clean.uploaded.rows_read
    assert tables["SCORES"].rows == result.rows
    assert tables["SCORES"].first_day == date(2024, 11, 1)
    assert tables["EXPLANATIONS"].rows is None
    assert found.last_runs[0].run_id == result.run_id


def test_the_demo_goes_the_whole_way(workspace: Workspace) -> None:
    from intentscore.data.simulate import simulate

    heard: list[str] = []
    source = simulate(2000, seed=3, spread_days=False)
    result = demo(workspace.session, workspace.settings, source=source, config=QUICK, say=heard.append)
    assert result.alias == "CHAMPION"
    assert result.scored == workspace.value("SELECT COUNT(*) FROM SCORES") > 0
    assert sum(decile.sessions for decile in result.deciles) == result.scored
    assert [decile.decile for decile in result.deciles] == list(range(1, 11))
    assert result.deciles[0].lift is not None
    assert result.deciles[0].lift > 1
    scores = [row.score for row in result.highest_scores]
    assert scores == sorted(scores, reverse=True)
    assert [line.split(":")[0] for line in heard] == ["upload", "features", "train", "register", "score"]
