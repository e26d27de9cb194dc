"""What is watched for drift, and from where on it is an alarm: the same for `monitor report` and for `check`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from pandas.api.types import is_numeric_dtype

from intentscore.model.drift import Drift, Reference, chance, comparable_size, distance, exceeded, measure, reference
from intentscore.services.monitor_source import ACTUAL, KEY, PREDICTED, SCORE, TIMESTAMP
from intentscore.settings import MonitoringLimits

if TYPE_CHECKING:
    import pandas as pd
    from snowflake.snowpark import Session

DAY = "DAY"
NO_LIMITS = Drift()


@dataclass(frozen=True)
class Change:
    """The measure in which a column of a day is farthest beyond its limit against the days before."""

    column: str
    measure: str
    value: float
    limit: float


def read_values(session: Session, table: str, where: str = "") -> pd.DataFrame:
    """DAY and the watched columns of a monitor's view or baseline: numbers as float64, categories as text."""
    selected = f"SELECT * EXCLUDE ({KEY}, {PREDICTED}, {ACTUAL}) FROM {table} {where}"
    frame: pd.DataFrame = session.sql(selected).to_pandas()
    frame.insert(0, DAY, frame.pop(TIMESTAMP).dt.date)
    return frame


def watched_columns(frame: pd.DataFrame) -> tuple[str, ...]:
    return tuple(name for name in frame.columns if name != DAY)


def kind_of(baseline: Reference) -> str:
    if baseline.column == SCORE:
        return "score"
    return "numeric" if baseline.numeric else "categorical"


def references(frame: pd.DataFrame, columns: Iterable[str] | None = None) -> dict[str, Reference]:
    """The columns of `frame`, or those named, that have a value, to compare others with."""
    return {
        name: reference(name, frame[name].to_numpy(), numeric=is_numeric_dtype(frame[name]))
        for name in columns or watched_columns(frame)
        if frame[name].notna().any()
    }


class Limits:
    """The limits of a day by its size; days of similar size share theirs."""

    def __init__(self, baseline: Mapping[str, Reference], limits: MonitoringLimits) -> None:
        self.baseline = baseline
        self._limits = limits
        self._by_size: dict[int, dict[str, Drift]] = {}

    def of_day(self, sessions: int) -> Mapping[str, Drift]:
        """By column; a limit is None where the column has none, and all are on a day with too few sessions."""
        if sessions < self._limits.min_sessions:
            return dict.fromkeys(self.baseline, NO_LIMITS)
        size = comparable_size(sessions)
        if size not in self._by_size:
            self._by_size[size] = self._of_size(size)
        return self._by_size[size]

    def _of_size(self, size: int) -> dict[str, Drift]:
        limited = [one for name, one in self.baseline.items() if name not in self._limits.not_limited]
        by_chance = chance(limited, size, self._limits.chance_days - 1)
        found = {one.column: self._widened(one, by_chance[one.column]) for one in limited}
        return dict.fromkeys(self.baseline, NO_LIMITS) | found

    def _widened(self, baseline: Reference, by_chance: Drift) -> Drift:
        floors = self._limits
        return Drift(
            psi=_larger(floors.max_psi, by_chance.psi),
            jensen_shannon=_larger(floors.max_jensen_shannon, by_chance.jensen_shannon),
            wasserstein=_larger(floors.max_wasserstein * baseline.spread, by_chance.wasserstein),
            shift=_larger(floors.max_shift, by_chance.shift),
            missing=_larger(floors.max_missing, by_chance.missing),
        )


def recent_rows(values: pd.DataFrame, day: date, limits: MonitoringLimits) -> pd.DataFrame | None:
    """The rows of the days before `day` to compare it with; None when they are too few."""
    first = day - timedelta(days=limits.recent_days)
    rows = values[(values["DAY"] >= first) & (values["DAY"] < day)]
    return rows if len(rows) >= max(limits.min_recent_sessions, 1) else None


def stability(values: pd.DataFrame, day: date, limits: MonitoringLimits) -> float | None:
    """Population stability index of the day's scores against the days before; None while these are too few."""
    rows, recent = values[values["DAY"] == day], recent_rows(values, day, limits)
    if recent is None or not len(rows):
        return None
    return measure(references(recent, [SCORE])[SCORE], rows[SCORE].to_numpy()).psi


def changed(recent: pd.DataFrame, rows: pd.DataFrame, column: str, limits: MonitoringLimits) -> Change | None:
    """Whether a column of a day's rows lies beyond its limits against the days before, and in what most."""
    before = references(recent, [column])
    if column not in before:
        return None
    allowed = Limits(before, limits).of_day(len(rows))[column]
    return farthest(column, measure(before[column], rows[column].to_numpy()), allowed)


def farthest(column: str, found: Drift, allowed: Drift) -> Change | None:
    over = {name: (getattr(found, name), getattr(allowed, name)) for name in exceeded(found, allowed)}
    if not over:
        return None
    name = max(over, key=lambda name: distance(name, over[name][0]) / over[name][1])
    return Change(column, name, *over[name])


def changes(
    values: pd.DataFrame, day: date, limits: MonitoringLimits, baseline: Mapping[str, Reference] | None = None
) -> tuple[Change, ...]:
    """The columns of `day` beyond their limits against the days before it, and, with a baseline, against that too.

    Nothing is said while the days before have too few sessions.
    """
    rows, recent = values[values["DAY"] == day], recent_rows(values, day, limits)
    if recent is None or not len(rows):
        return ()
    columns: Iterable[str] = watched_columns(values)
    if baseline is not None:
        allowed = Limits(baseline, limits).of_day(len(rows))
        columns = [
            name
            for name, reference in baseline.items()
            if exceeded(measure(reference, rows[name].to_numpy()), allowed[name])
        ]
    found = (changed(recent, rows, name, limits) for name in columns)
    return tuple(change for change in found if change)


def _larger(floor: float, by_chance: float | None) -> float | None:
    return None if by_chance is None else max(floor, by_chance)
