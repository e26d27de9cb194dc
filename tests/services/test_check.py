from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from intentscore.errors import GateRefusedError
from intentscore.services.check import CheckLimits, check_day
from intentscore.warehouse.tables import SCORES, SESSIONS, create_tables

from .conftest import Workspace

DAY = date(2024, 11, 5)
LIMITS = CheckLimits()


def fill(work: Workspace, before: np.ndarray, on_day: np.ndarray) -> None:
    """Sessions and scores: `before` on the four days up to the day, `on_day` on it."""
    create_tables(work.session, work.settings, [SESSIONS, SCORES])
    days = [(date(2024, 11, 1 + i % 4), score) for i, score in enumerate(before)]
    rows = [*days, *((DAY, score) for score in on_day)]
    work.session.create_dataframe(
        [[f"s{i}", str(day), float(score)] for i, (day, score) in enumerate(rows)], schema=["UID", "DAY", "SCORE"]
    ).write.save_as_table("FILL", mode="overwrite")
    known = ("UID", "SESSION_DATE", "REVENUE", "OUTCOME_DATE")
    named = [column.name for column in SESSIONS.columns if column.name not in known]
    values = ["CURRENT_TIMESTAMP()::TIMESTAMP_NTZ" if n == "LOADED_AT" else _value(n) for n in named]
    work.rows(
        f"INSERT INTO SESSIONS (UID, SESSION_DATE, {', '.join(named)}) "
        f"SELECT UID, DAY::DATE, {', '.join(values)} FROM FILL"
    )
    work.rows(
        "INSERT INTO SCORES (UID, SESSION_DATE, SCORE, MODEL_NAME, MODEL_VERSION, SCORED_AT) "
        "SELECT UID, DAY::DATE, SCORE, 'M', 'V', CURRENT_TIMESTAMP()::TIMESTAMP_NTZ FROM FILL"
    )


def _value(column: str) -> str:
    return {"MONTH": "'Nov'", "VISITOR_TYPE": "'Other'", "WEEKEND": "FALSE"}.get(column, "1")


def stability(before: np.ndarray, on_day: np.ndarray) -> float:
    edges = np.quantile(before, np.arange(1, 10) / 10)
    shares = [np.bincount(np.searchsorted(edges, x), minlength=10) / len(x) for x in (on_day, before)]
    actual, expected = (np.maximum(share, 1e-4) for share in shares)
    return float(np.sum((actual - expected) * np.log(actual / expected)))


def test_scores_like_the_days_before_pass(workspace: Workspace) -> None:
    rng = np.random.default_rng(1)
    before, on_day = rng.beta(1, 6, 800), rng.beta(1, 6, 300)
    fill(workspace, before, on_day)
    checked = check_day(workspace.session, workspace.settings, DAY, LIMITS)
    assert (checked.sessions, checked.scores) == (300, 300)
    assert checked.drift == pytest.approx(stability(before, on_day), abs=1e-9)


def test_scores_that_moved_are_refused(workspace: Workspace) -> None:
    rng = np.random.default_rng(2)
    fill(workspace, rng.beta(1, 6, 800), rng.beta(4, 3, 300))
    with pytest.raises(
        GateRefusedError, match=r"SCORE drifted from the days before: \w+ \d\.\d+ beyond the limit of \d\.\d+"
    ):
        check_day(workspace.session, workspace.settings, DAY, LIMITS)


def test_a_missing_score_is_refused(workspace: Workspace) -> None:
    fill(workspace, np.full(8, 0.1), np.full(5, 0.1))
    workspace.rows(f"DELETE FROM SCORES WHERE UID = 's8' AND SESSION_DATE = '{DAY}'::DATE")
    with pytest.raises(GateRefusedError, match="4 scores for 5 sessions"):
        check_day(workspace.session, workspace.settings, DAY, LIMITS)


def test_old_sessions_are_refused(workspace: Workspace) -> None:
    fill(workspace, np.full(8, 0.1), np.full(5, 0.1))
    with pytest.raises(GateRefusedError, match="the newest session is of 2024-11-05"):
        check_day(workspace.session, workspace.settings, date(2024, 11, 20), LIMITS)


def test_without_earlier_scores_there_is_no_drift(workspace: Workspace) -> None:
    fill(workspace, np.full(8, 0.1), np.full(5, 0.1))
    assert check_day(workspace.session, workspace.settings, DAY, LIMITS).drift is None
