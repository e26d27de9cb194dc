"""The shopper's history, against a slow reference that looks at one session at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import fmean

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from intentscore.data.files import open_file
from intentscore.data.simulate import simulate
from intentscore.errors import DataError
from intentscore.features.definitions import FEATURES
from intentscore.features.history import history_features
from intentscore.model.boosting import cross_validate
from intentscore.services.features import refresh_features
from intentscore.services.register import register
from intentscore.services.score import plan_score, score
from intentscore.services.train import train, training_frame, with_features
from intentscore.services.upload import upload
from tests.services.conftest import QUICK, Workspace
from tests.services.sheets import GOOD_ROW, session_file

HISTORY = [feature.name for feature in history_features((7, 30, 90))]
DAYS = (7, 30, 90)
START, CUT = date(2024, 1, 1), date(2024, 9, 1)
NOTHING = math.nan


@dataclass(frozen=True)
class Visit:
    """`lag` days after it, the outcome became known."""

    uid: str
    day: int
    bought: bool | None
    lag: int
    pages: int
    page_values: float

    @property
    def date(self) -> date:
        return START + timedelta(days=self.day)


VISITS = st.builds(
    Visit,
    uid=st.sampled_from("abcdef"),
    day=st.integers(0, 130),
    bought=st.none() | st.booleans(),
    lag=st.sampled_from([0, 0, 0, 1, 5, 40]),
    pages=st.integers(0, 300),
    page_values=st.integers(0, 10**8).map(lambda n: n / 10**6),
)
HISTORIES = st.lists(VISITS, min_size=1, max_size=60, unique_by=lambda visit: (visit.uid, visit.day))


def reference(visit: Visit, visits: Sequence[Visit]) -> dict[str, float]:
    same = [other for other in visits if other.uid == visit.uid]
    earlier = [other for other in same if other.day < visit.day]
    known = [other for other in same if other.bought is not None and other.day + other.lag < visit.day]
    bought = [other for other in known if other.bought]
    found = {
        "PAST_SESSIONS": float(len(earlier)) or NOTHING,
        "DAYS_SINCE_SESSION": float(visit.day - max((o.day for o in earlier), default=NOTHING)),
        "DAYS_SINCE_FIRST_SESSION": float(visit.day - min((o.day for o in earlier), default=NOTHING)),
        "PAST_PURCHASES": float(len(bought)) if known else NOTHING,
        "PAST_PURCHASE_RATE": len(bought) / len(known) if known else NOTHING,
        "DAYS_SINCE_PURCHASE": float(visit.day - max((o.day for o in bought), default=NOTHING)),
    }
    for days in DAYS:
        recent = [other for other in earlier if visit.day - other.day <= days]
        found |= {
            f"PAST_SESSIONS_{days}D": float(len(recent)) or NOTHING,
            f"PAST_PAGES_{days}D": fmean(1 + o.pages for o in recent) if recent else NOTHING,
            f"PAST_DURATION_{days}D": fmean(310.75 for o in recent) if recent else NOTHING,
            f"PAST_EXIT_RATES_{days}D": fmean(0.03 for o in recent) if recent else NOTHING,
            f"PAST_PAGE_VALUES_{days}D": fmean(o.page_values for o in recent) if recent else NOTHING,
        }
    return found


def put(work: Workspace, visits: Sequence[Visit]) -> None:
    """SESSIONS holds just these visits."""
    columns = [*GOOD_ROW, "OUTCOME_DATE", "LOADED_AT"]
    rows = []
    for visit in visits:
        known = visit.bought is not None
        values = GOOD_ROW | {
            "UID": visit.uid,
            "SESSION_DATE": str(visit.date),
            "PRODUCT_RELATED": str(visit.pages),
            "PAGE_VALUES": str(visit.page_values),
            "REVENUE": str(visit.bought).lower() if known else None,
            "OUTCOME_DATE": str(visit.date + timedelta(days=visit.lag)) if known else None,
            "LOADED_AT": "2026-01-01",
        }
        rows.append("(" + ", ".join("NULL" if v is None else f"'{v}'" for v in values.values()) + ")")
    work.rows("DELETE FROM SESSIONS")
    work.rows(f"INSERT INTO SESSIONS ({', '.join(columns)}) VALUES {', '.join(rows)}")


@pytest.fixture(scope="module")
def few(new_workspace: Callable[[], Workspace], tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    work = new_workspace()
    upload(work.session, work.settings, open_file(session_file(tmp_path_factory.mktemp("few") / "s.csv", {})))
    refresh_features(work.session, work.settings)
    return work


@settings(max_examples=6, deadline=None)
@given(visits=HISTORIES)
def test_a_training_set_holds_what_was_known_before_each_day(few: Workspace, visits: list[Visit]) -> None:
    labelled = [visit for visit in visits if visit.bought is not None]
    few.session.use_schema(few.settings.schema_name)
    put(few, [*visits, Visit("z", 0, True, 0, 1, 0.0)])
    few.rows("ALTER DYNAMIC TABLE SESSION_FEATURES$V1 REFRESH")
    rows = training_frame(few.session, few.settings).to_dict("records")
    frame = {(row["UID"], row["SESSION_DATE"]): row for row in rows}
    assert len(frame) == len(labelled) + 1
    for visit in labelled:
        found, expected = frame[visit.uid, visit.date], reference(visit, visits)
        assert found["PRODUCT_RELATED"] == visit.pages
        assert {name: found[name] for name in HISTORY} == pytest.approx(expected, rel=1e-12, nan_ok=True)


def test_sessions_of_the_same_day_are_not_earlier(few: Workspace) -> None:
    few.session.use_schema(few.settings.schema_name)
    put(few, [Visit("a", 3, True, 0, 1, 1.0), Visit("a", 5, True, 0, 2, 2.0), Visit("a", 5, False, 0, 9, 9.0)])
    few.rows("ALTER DYNAMIC TABLE SESSION_FEATURES$V1 REFRESH")
    rows = few.rows(
        "SELECT PAST_SESSIONS, PAST_PURCHASES, PAST_PAGES_7D FROM SESSION_FEATURES$V1 ORDER BY 1 NULLS FIRST"
    )
    assert [tuple(row) for row in rows] == [(None, None, None), (1.0, 1.0, 2.0), (1.0, 1.0, 2.0)]


def test_a_session_the_view_has_not_seen_is_refused_rather_than_given_an_earlier_ones_features(few: Workspace) -> None:
    few.session.use_schema(few.settings.schema_name)
    put(few, [Visit("a", 3, True, 0, 1, 1.0)])
    few.rows("ALTER DYNAMIC TABLE SESSION_FEATURES$V1 REFRESH")
    put(few, [Visit("a", 3, True, 0, 1, 1.0), Visit("a", 5, True, 0, 2, 2.0)])
    with pytest.raises(DataError, match="1 sessions have no features yet"):
        training_frame(few.session, few.settings)


@dataclass(frozen=True)
class Shop:
    work: Workspace
    frame: pd.DataFrame


@pytest.fixture(scope="module")
def shop(new_workspace: Callable[[], Workspace]) -> Shop:
    work = new_workspace()
    upload(work.session, work.settings, simulate(6000, seed=3, returning=0.6))
    work.rows("UPDATE SESSIONS SET OUTCOME_DATE = DATEADD(DAY, 20, OUTCOME_DATE) WHERE UID LIKE '%7'")
    refresh_features(work.session, work.settings)
    trained = train(work.session, work.settings, QUICK)
    register(work.session, work.settings, trained.run_id)
    return Shop(work, training_frame(work.session, work.settings))


def test_the_history_raises_the_ranking_of_returning_shoppers(shop: Shop) -> None:
    bought = shop.frame["REVENUE"].to_numpy(dtype=bool)
    config = with_features(QUICK)
    auc = {}
    for history in (False, True):
        names = [feature.name for feature in FEATURES if history or not feature.history]
        inputs, days = shop.frame[names].astype(float), shop.frame["SESSION_DATE"]
        scores = cross_validate(inputs, bought, days, config.categorical or (), config).scores
        auc[history] = roc_auc_score(bought, scores)
    assert auc[True] > auc[False] + 0.015


EARLIER = f"SESSION_DATE <= '{CUT}'::DATE"
LATER = f"SESSION_DATE > '{CUT}'::DATE"
CHANGES = (
    f"UPDATE SESSIONS SET REVENUE = NOT REVENUE, PAGE_VALUES = 999 - PAGE_VALUES / 2, EXIT_RATES = 0.2 WHERE {LATER}",
    f"UPDATE SESSIONS SET UID = 'shuffled' || REVERSE(UID) WHERE {LATER} AND UID LIKE '%3'",
    f"UPDATE SESSIONS SET OUTCOME_DATE = DATEADD(DAY, 3, SESSION_DATE) WHERE {LATER} AND UID LIKE '%5'",
    f"DELETE FROM SESSIONS WHERE {LATER} AND UID LIKE '%1'",
)


def test_nothing_before_a_day_depends_on_what_came_after(shop: Shop) -> None:
    work = shop.work
    work.session.use_schema(work.settings.schema_name)

    def known() -> tuple[list[object], pd.DataFrame, list[object]]:
        plan = plan_score(work.session, work.settings, date(2024, 8, 1), CUT)
        score(work.session, work.settings, plan)
        features = work.rows(f"SELECT * FROM SESSION_FEATURES$V1 WHERE {EARLIER} ORDER BY UID, SESSION_DATE")
        frame = training_frame(work.session, work.settings)
        rows = frame[frame["SESSION_DATE"] <= CUT].reset_index(drop=True)
        scores = work.rows("SELECT UID, SESSION_DATE, SCORE FROM SCORES ORDER BY UID, SESSION_DATE")
        return list(features), rows, list(scores)

    features, rows, scores = known()
    assert len(scores) > 100
    assert np.isfinite(rows["PAST_PURCHASES"]).sum() > 500
    for change in CHANGES:
        assert work.value(change) > 0
    changed_features, changed_rows, changed_scores = known()
    pd.testing.assert_frame_equal(changed_rows, rows, check_exact=True)
    assert changed_scores == scores
    assert changed_features == features


def test_a_late_outcome_changes_only_what_came_after_it(few: Workspace) -> None:
    few.session.use_schema(few.settings.schema_name)
    days, sums = (0, 10, 11, 40), []
    for bought in (False, True):
        put(few, [Visit("a", day, bought if day == 0 else None, 10, 1, 0.0) for day in days])
        few.rows("ALTER DYNAMIC TABLE SESSION_FEATURES$V1 REFRESH")
        sums.append(
            [row[0] for row in few.rows("SELECT PAST_PURCHASES FROM SESSION_FEATURES$V1 ORDER BY SESSION_DATE")]
        )
    assert sums == [[None, None, 0.0, 0.0], [None, None, 1.0, 1.0]]


def test_without_returning_shoppers_the_model_is_the_one_without_history(workspace: Workspace) -> None:
    upload(workspace.session, workspace.settings, simulate(2000, seed=3, spread_days=False))
    plain = workspace.settings.model_copy(
        update={"feature_view": workspace.settings.feature_view.model_copy(update={"history_days": ()})}
    )
    models = []
    for chosen in (plain, workspace.settings):
        refresh_features(workspace.session, chosen)
        models.append((Path(train(workspace.session, chosen, QUICK).path) / "model.txt").read_bytes())
    assert models[0] == models[1]
