"""Whether a day's scores can be used: complete, in range, fresh, and not far from what they were."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from pydantic import Field

from intentscore.errors import GateRefusedError
from intentscore.services.monitor_limits import Change, Watch, read_values, stability
from intentscore.services.monitor_metrics import Range
from intentscore.services.monitor_source import SCORE, existing_source, watched
from intentscore.services.runs import recorded
from intentscore.services.versions import CHAMPION, alias_holder, registered_versions
from intentscore.settings import Settings, Strict
from intentscore.warehouse.identifiers import qualified
from intentscore.warehouse.tables import SCORES, SESSIONS

if TYPE_CHECKING:
    import pandas as pd
    from snowflake.snowpark import Session


class CheckLimits(Strict):
    """`max_age_days`: how far the newest session may lie behind. The limits of drift are those of `monitoring`."""

    max_age_days: int = Field(default=2, ge=0)


@dataclass(frozen=True)
class CheckResult:
    """`drift` is the population stability index of the scores against the days before, None while these have too few;
    `compared` the columns that were held against their limits of drift.
    """

    run_id: str
    day: date
    sessions: int
    scores: int
    lowest: float
    highest: float
    newest_day: date
    drift: float | None
    compared: int


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
        run.row_count = found
        values, baseline = _values(session, settings, day)
        watch = Watch(baseline, values, settings.monitoring.limits)
        moved = watch.changes(day)
        faults = [*_faults(day, expected, found, lowest, highest, newest, limits), *map(_in_words, moved)]
        if faults:
            raise GateRefusedError(f"the scores of {day} are not fit for use: {'; '.join(faults)}")
        drift = stability(values, day, settings.monitoring.limits)
        compared = len(watch.judged(day))
        return CheckResult(run.run_id, day, expected, found, lowest, highest, newest, drift, compared)


def _faults(
    day: date, expected: int, found: int, lowest: float | None, highest: float | None, newest: date | None,
    limits: CheckLimits,
) -> list[str]:  # fmt: skip
    faults = []
    if found != expected:
        faults.append(f"{found:,} scores for {expected:,} sessions")
    if lowest is not None and highest is not None and not 0 <= lowest <= highest <= 1:
        faults.append(f"scores from {lowest:g} to {highest:g}, outside 0 to 1")
    if newest is None or newest < day - timedelta(days=limits.max_age_days):
        faults.append(f"the newest session is of {newest}, more than {limits.max_age_days} days behind")
    return faults


def _values(session: Session, settings: Settings, day: date) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """The watched columns of the day and the days before, and the champion's baseline; without a monitor the scores
    alone, and no baseline.
    """
    within = Range("", day, day).from_earlier(settings.monitoring.limits.recent_days)
    champion = alias_holder(registered_versions(session, settings), CHAMPION)
    if champion is not None:
        names = watched(settings, champion)
        if existing_source(session, names) is not None:
            view, baseline = (qualified(session, name) for name in (names.view, names.baseline))
            return read_values(session, view, within.where), read_values(session, baseline)
    scores = SCORES.qualified_name(session, settings)
    frame: pd.DataFrame = session.sql(
        f"SELECT SESSION_DATE AS DAY, SCORE FROM {scores} "
        f"WHERE SESSION_DATE BETWEEN '{within.first}'::DATE AND '{within.last}'::DATE"
    ).to_pandas()
    return frame.astype({SCORE: "float64"}), None


def _in_words(change: Change) -> str:
    measured = f"{change.measure} {change.value:.3f} beyond the limit of {change.limit:.3g}"
    return f"{change.column} drifted from {change.against}: {measured}"
