"""What is watched for drift, and from where on it is an alarm: the same for `monitor report` and for `check`.

A shop has seasons. So a day is held against the days it should be like, and a column of it is an alarm when it lies
beyond its limits against each of these, as far as there are enough:

1.  the sessions of the same month that the version learned from; all it learned from where that month is not among
    them;
2.  the days before it in the same month.

At the beginning of a month that the version did not learn from, nothing says what the month should be like. Then these
are all recent days, and all it learned from with limits that are wider by as much as the month that differs most from
the others does.

What the season leads to expect is what the same season was like: the seasonal naive method of forecasting (Hyndman and
Athanasopoulos, Forecasting, 3rd edition, section 5.2, https://otexts.com/fpp3/simple-methods.html).
"""

from __future__ import annotations

from calendar import month_name
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pandas.api.types import is_numeric_dtype

from intentscore.model.chance import chance
from intentscore.model.drift import (
    MEASURES,
    Drift,
    Reference,
    comparable_size,
    distance,
    exceeded,
    measure,
    reference,
    times_the_limit,
    widened,
)
from intentscore.services.monitor_source import ACTUAL, KEY, PREDICTED, SCORE, TIMESTAMP
from intentscore.settings import MonitoringLimits

if TYPE_CHECKING:
    import pandas as pd
    from snowflake.snowpark import Session

DAY = "DAY"
NO_LIMITS = Drift()
SCREENING_DAYS = 100
LEARNED, RECENT = "the sessions learned from", "the days before"


@dataclass(frozen=True)
class Change:
    """The measure in which a column of a day is farthest beyond its limit against the days it should be like."""

    column: str
    measure: str
    value: float
    limit: float
    against: str


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
        self._known: dict[tuple[str, int, int, int], Drift] = {}

    def of_column(self, values: pd.Series[Any], days: int | None = None) -> Drift:
        """Of the column's values on a day; with fewer than all days drawn, where the limit at least is.

        A limit is None where the column has none, and on a day with too few sessions; all but that of missing values
        are with too few values.
        """
        column, sessions, known = str(values.name), len(values), int(values.notna().sum())
        if sessions < self._limits.min_sessions or not self._limits.has_limits(column):
            return NO_LIMITS
        drawn = min(days or self._limits.chance_days, self._limits.chance_days)
        key = (column, comparable_size(sessions), comparable_size(known), drawn)
        if key not in self._known:
            one = self.baseline[column]
            found = self._raised(one, chance([one], key[1], drawn - 1, values=key[2])[column])
            enough = known >= self._limits.min_sessions
            self._known[key] = found if enough else replace(NO_LIMITS, missing=found.missing)
        return self._known[key]

    def _raised(self, baseline: Reference, by_chance: Drift) -> Drift:
        floors = self._limits
        return Drift(
            psi=_larger(floors.max_psi, by_chance.psi),
            jensen_shannon=_larger(floors.max_jensen_shannon, by_chance.jensen_shannon),
            wasserstein=_larger(floors.max_wasserstein * baseline.spread, by_chance.wasserstein),
            shift=_larger(floors.max_shift, by_chance.shift),
            scale=_larger(floors.max_scale, by_chance.scale),
            missing=_larger(floors.max_missing, by_chance.missing),
        )


class Comparison:
    """Sessions that a day is held against; what it may differ by is worked out for the columns that need it."""

    def __init__(self, what: str, sessions: pd.DataFrame, limits: MonitoringLimits) -> None:
        self.what = what
        self._sessions = sessions
        self._limits = Limits({}, limits)

    def change(self, column: str, rows: pd.DataFrame) -> Change | None:
        """How the day's rows differ, None when they do not."""
        known = self._limits.baseline
        if column not in known:
            self._limits.baseline = known = {**known, **references(self._sessions, [column])}
        if column not in known:
            return None
        found = measure(known[column], rows[column].to_numpy())
        if not exceeded(found, self._limits.of_column(rows[column], SCREENING_DAYS)):
            return None
        allowed = self.allowed(rows[column])
        ratios = times_the_limit(found, allowed)
        name = max(ratios, key=lambda name: ratios[name], default=None)
        if name is None or ratios[name] <= 1:
            return None
        return Change(column, name, getattr(found, name), getattr(allowed, name), self.what)

    def allowed(self, values: pd.Series[Any]) -> Drift:
        return self._limits.of_column(values)


class RecentDays(Comparison):
    """The days before, without Wasserstein: how far it may move is decided by the largest values, and these are few."""

    def __init__(self, sessions: pd.DataFrame, limits: MonitoringLimits) -> None:
        super().__init__(RECENT, sessions, limits)

    def allowed(self, values: pd.Series[Any]) -> Drift:
        return replace(super().allowed(values), wasserstein=None)


class UnseenMonth(Comparison):
    """All months of the baseline, for a day of another one: months differ."""

    def __init__(self, months: Iterable[pd.DataFrame], sessions: pd.DataFrame, limits: MonitoringLimits) -> None:
        super().__init__(LEARNED, sessions, limits)
        self._months = tuple(months)
        self._farthest: dict[str, Drift] = {}

    def allowed(self, values: pd.Series[Any]) -> Drift:
        column = str(values.name)
        if column not in self._farthest:
            self._farthest[column] = _farthest(list(self._differences(column)))
        return widened(super().allowed(values), self._farthest[column])

    def _differences(self, column: str) -> Iterator[Drift]:
        """Of each month from the others."""
        for month in self._months if len(self._months) > 1 else ():
            others = references(self._sessions.drop(index=month.index), [column])
            if column in others:
                yield measure(others[column], month[column].to_numpy())


class Watch:
    """The days of `values`, each held against those it should be like; without a baseline, against the days before."""

    def __init__(self, baseline: pd.DataFrame | None, values: pd.DataFrame, limits: MonitoringLimits) -> None:
        self._baseline = baseline
        self._limits = limits
        self._days: dict[Any, pd.DataFrame] = dict(list(values.groupby(DAY)))
        self._none = values.iloc[:0]
        self._columns = [name for name in watched_columns(values) if limits.has_limits(name)]

    def rows(self, day: date) -> pd.DataFrame:
        return self._days.get(day, self._none)

    def changes(self, day: date) -> tuple[Change, ...]:
        """The columns of the day that are an alarm."""
        rows, against = self.rows(day), list(self.comparisons(day))
        found = (_agreed(one.change(column, rows) for one in against) for column in self.judged(day))
        return tuple(change for change in found if change)

    def judged(self, day: date) -> tuple[str, ...]:
        """The columns of the day that are held against others; none where it, or all others, have too few sessions."""
        rows = self.rows(day)
        enough = len(rows) >= max(self._limits.min_sessions, 1)
        return tuple(self._columns) if enough and any(self.comparisons(day)) else ()

    def comparisons(self, day: date) -> Iterator[Comparison]:
        of_month, learned = self.recent(day, day.replace(day=1)), self._learned_from(day)
        enough = len(of_month) >= self._limits.min_recent_sessions
        if learned is not None:
            yield learned if enough or day.month in self._months else self._unseen
        if enough:
            yield RecentDays(of_month, self._limits)
        elif learned is self._learned and len(recent := self.recent(day)) >= self._limits.min_recent_sessions:
            yield RecentDays(recent, self._limits)

    def recent(self, day: date, since: date = date.min) -> pd.DataFrame:
        """The rows of the days before."""
        import pandas as pd

        before = (day - timedelta(days=number) for number in range(1, self._limits.recent_days + 1))
        return pd.concat([self._none, *(self.rows(one) for one in before if one >= since)])

    def _learned_from(self, day: date) -> Comparison | None:
        """The day's month as it was learned, all that was learned where the month was not; None without a baseline."""
        return self._months.get(day.month, self._learned)

    @cached_property
    def _months(self) -> dict[int, Comparison]:
        """The months of the baseline with enough sessions to be compared with."""
        return {
            month: Comparison(f"{LEARNED} of {month_name[month]}", rows, self._limits) for month, rows in self._by_month
        }

    @cached_property
    def _learned(self) -> Comparison | None:
        return None if self._baseline is None else Comparison(LEARNED, self._baseline, self._limits)

    @cached_property
    def _unseen(self) -> Comparison:
        assert self._baseline is not None
        return UnseenMonth((rows for _, rows in self._by_month), self._baseline, self._limits)

    @cached_property
    def _by_month(self) -> list[tuple[int, pd.DataFrame]]:
        if self._baseline is None:
            return []
        month, enough = self._baseline[DAY].map(lambda day: day.month), self._limits.min_recent_sessions
        return [(int(one), rows) for one in month.unique() if len(rows := self._baseline[month == one]) >= enough]


def stability(values: pd.DataFrame, day: date, limits: MonitoringLimits) -> float | None:
    """Population stability index of the day's scores against the days before; None while these are too few."""
    watch = Watch(None, values, limits)
    rows, recent = watch.rows(day), watch.recent(day)
    if not len(rows) or len(recent) < limits.min_recent_sessions:
        return None
    return measure(references(recent, [SCORE])[SCORE], rows[SCORE].to_numpy()).psi


def _agreed(found: Iterable[Change | None]) -> Change | None:
    """The first, if no comparison finds the column unchanged."""
    first = None
    for change in found:
        if change is None:
            return None
        first = first or change
    return first


def _farthest(found: list[Drift]) -> Drift:
    """By measure, the value that lies farthest from where both are alike."""
    values = {name: [value for one in found if (value := getattr(one, name)) is not None] for name in MEASURES}
    farthest = {name: max(of, key=lambda value: distance(name, value), default=None) for name, of in values.items()}
    return Drift(**farthest)


def _larger(floor: float, by_chance: float | None) -> float | None:
    return None if by_chance is None else max(floor, by_chance)
