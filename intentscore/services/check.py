"""Whether a day's scores can be used: complete, in range, fresh, and not far from what they were."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from pydantic import Field

from intentscore.errors import GateRefusedError
from intentscore.services.runs import recorded
from intentscore.settings import Settings, Strict
from intentscore.warehouse.tables import SCORES, SESSIONS

if TYPE_CHECKING:
    from snowflake.snowpark import Session

SMALLEST_SHARE = 1e-4
REFERENCE_DAYS = 28


class CheckLimits(Strict):
    """`max_drift` is a population stability index; `max_age_days` how far the newest session may lie behind."""

    max_drift: float = Field(default=0.25, gt=0)
    max_age_days: int = Field(default=2, ge=0)
    min_reference_scores: int = Field(default=500, ge=1)


@dataclass(frozen=True)
class CheckResult:
    """`drift` is None while there are too few earlier scores to compare with."""

    run_id: str
    day: date
    sessions: int
    scores: int
    lowest: float
    highest: float
    newest_day: date
    drift: float | None


def check_day(session: Session, settings: Settings, day: date, limits: CheckLimits) -> CheckResult:
    """Raises GateRefusedError, naming what is wrong, when the day's scores are not fit for use."""
    with recorded(session, settings, "check", day=day) as run:
        scores, sessions = (t.qualified_name(session, settings) for t in (SCORES, SESSIONS))
        expected, newest = session.sql(
            f"SELECT COUNT_IF(SESSION_DATE = '{day}'::DATE), MAX(SESSION_DATE) FROM {sessions}"
        ).collect()[0]
        found, lowest, highest = session.sql(
            f"SELECT COUNT(*), MIN(SCORE), MAX(SCORE) FROM {scores} WHERE SESSION_DATE = '{day}'::DATE"
        ).collect()[0]
        drift = _drift(session, scores, day, limits)
        run.row_count = found
        faults = _faults(day, expected, found, lowest, highest, newest, drift, limits)
        if faults:
            raise GateRefusedError(f"the scores of {day} are not fit for use: {'; '.join(faults)}")
        return CheckResult(run.run_id, day, expected, found, lowest, highest, newest, drift)


def _faults(
    day: date, expected: int, found: int, lowest: float | None, highest: float | None, newest: date | None,
    drift: float | None, limits: CheckLimits,
) -> list[str]:  # fmt: skip
    faults = []
    if found != expected:
        faults.append(f"{found:,} scores for {expected:,} sessions")
    if lowest is not None and highest is not None and not 0 <= lowest <= highest <= 1:
        faults.append(f"scores from {lowest:g} to {highest:g}, outside 0 to 1")
    if newest is None or newest < day - timedelta(days=limits.max_age_days):
        faults.append(f"the newest session is of {newest}, more than {limits.max_age_days} days behind")
    if drift is not None and drift > limits.max_drift:
        faults.append(f"drift {drift:.3f} over the limit of {limits.max_drift:g}")
    return faults


def _drift(session: Session, scores: str, day: date, limits: CheckLimits) -> float | None:
    """Population stability index of the day's scores over the deciles of the 28 days before.

    PSI = sum over bins of (actual - expected) * ln(actual / expected), with shares below 1e-4 taken as 1e-4;
    N. Siddiqi, Credit Risk Scorecards (2006).
    """
    first = day - timedelta(days=REFERENCE_DAYS)
    before = f"SESSION_DATE >= '{first}'::DATE AND SESSION_DATE < '{day}'::DATE"
    known = session.sql(f"SELECT COUNT(*) FROM {scores} WHERE {before}").collect()[0][0]
    if known < limits.min_reference_scores:
        return None
    edges = ", ".join(f"APPROX_PERCENTILE(SCORE, {i / 10}) AS E{i}" for i in range(1, 10))
    place = " + ".join(f"IFF(s.SCORE > e.E{i}, 1, 0)" for i in range(1, 10))
    share = f"GREATEST(COUNT_IF({{}}) / NULLIF(SUM(COUNT_IF({{}})) OVER (), 0)::FLOAT, {SMALLEST_SHARE})"
    of_day, of_before = f"s.SESSION_DATE = '{day}'::DATE", f"s.SESSION_DATE < '{day}'::DATE"
    found = session.sql(
        f"WITH e AS (SELECT {edges} FROM {scores} WHERE {before}),\n"
        f"bins AS (SELECT {place} AS BIN, {share.format(of_day, of_day)} AS ACTUAL, "
        f"{share.format(of_before, of_before)} AS EXPECTED\n"
        f"FROM {scores} s CROSS JOIN e WHERE s.SESSION_DATE BETWEEN '{first}'::DATE AND '{day}'::DATE "
        "GROUP BY BIN)\n"
        "SELECT SUM((ACTUAL - EXPECTED) * LN(ACTUAL / EXPECTED)) FROM bins"
    ).collect()[0][0]
    return None if found is None else float(found)
