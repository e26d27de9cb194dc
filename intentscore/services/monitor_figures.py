"""What a monitor's report is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date

from intentscore.errors import GateRefusedError
from intentscore.model.metrics import Decile

SHOWN_ALARMS = 5


@dataclass(frozen=True)
class DayFigures:
    """One day. `outcomes` are the scores whose outcome is known, `coverage` their share, `contacted` the scores at or
    above the cut-off; what is measured on outcomes is None while it is undefined.
    """

    day: date
    sessions: int
    scores: int
    mean_score: float | None
    contacted: int
    outcomes: int
    coverage: float
    buyers: int
    buyer_rate: float | None
    roc_auc: float | None
    precision: float | None
    recall: float | None


@dataclass(frozen=True)
class Performance:
    """All outcomes of the range. `promised_roc_auc` is that of the months held out when the version was trained."""

    scores: int
    outcomes: int
    coverage: float
    buyers: int
    mean_score: float | None
    buyer_rate: float | None
    roc_auc: float | None
    promised_roc_auc: float | None
    precision: float | None
    recall: float | None
    calibration_error: float | None
    brier: float | None
    log_loss: float | None


@dataclass(frozen=True)
class ColumnDrift:
    """A column on a day against the baseline; see `intentscore.model.drift` for the measures.

    `kind` is score, numeric or categorical. A limit is None where there is none; `beyond` names the measures over
    theirs. `alarming` says whether the column differs from the days that this one should be like (see
    `intentscore.services.monitor_limits`), which a day of another season than most of the baseline's need not.
    """

    day: date
    column: str
    kind: str
    psi: float | None
    psi_limit: float | None
    jensen_shannon: float | None
    jensen_shannon_limit: float | None
    wasserstein: float | None
    wasserstein_limit: float | None
    shift: float | None
    shift_limit: float | None
    scale: float | None
    scale_limit: float | None
    missing: float | None
    missing_limit: float | None
    beyond: tuple[str, ...]
    alarming: bool


@dataclass(frozen=True)
class Alarm:
    """A limit that was passed; `day` and `column` are None for what is measured on the whole range."""

    day: date | None
    column: str | None
    measure: str
    value: float
    limit: float
    against: str


@dataclass(frozen=True)
class ColumnSummary:
    """A column over the whole range: on how many days it was beyond a limit, on how many that was an alarm, and the
    measures of its day with the largest psi.
    """

    column: str
    kind: str
    days_beyond: int
    alarms: int
    worst_day: date
    psi: float | None
    jensen_shannon: float | None
    wasserstein: float | None
    shift: float | None
    scale: float | None
    missing: float | None


@dataclass(frozen=True)
class Monitored:
    """`behind`: scores the monitor has not taken up yet; the local engine's never is."""

    model_name: str
    version: str
    monitor: str
    first: date
    last: date
    cut_off: float
    behind: int
    performance: Performance
    days: tuple[DayFigures, ...]
    calibration: tuple[Decile, ...]


@dataclass(frozen=True)
class MonitorSummary(Monitored):
    """A report with one row per column in the place of one per column and day."""

    drift: tuple[ColumnSummary, ...]
    alarms: tuple[Alarm, ...]


@dataclass(frozen=True)
class MonitorReport(Monitored):
    drift: tuple[ColumnDrift, ...]
    alarms: tuple[Alarm, ...]

    def summary(self) -> MonitorSummary:
        """The columns with the most alarms first."""
        columns = tuple(sorted(map(_column_summary, _by_column(self.drift)), key=_urgency))
        shared = {field.name: getattr(self, field.name) for field in fields(self)} | {"drift": columns}
        return MonitorSummary(**shared)

    def require_no_alarm(self) -> None:
        """Raises GateRefusedError that names the first alarms."""
        if self.alarms:
            named = "; ".join(_in_words(alarm) for alarm in self.alarms[:SHOWN_ALARMS])
            more = len(self.alarms) - SHOWN_ALARMS
            passed = "1 limit" if len(self.alarms) == 1 else f"{len(self.alarms)} limits"
            raise GateRefusedError(
                f"{passed} passed by {self.version}: {named}{f'; and {more} more' if more > 0 else ''}"
            )


def _by_column(drifts: Iterable[ColumnDrift]) -> Iterable[list[ColumnDrift]]:
    columns: dict[str, list[ColumnDrift]] = {}
    for one in drifts:
        columns.setdefault(one.column, []).append(one)
    return columns.values()


def _column_summary(days: Sequence[ColumnDrift]) -> ColumnSummary:
    worst = max(days, key=lambda one: one.psi or 0.0)
    return ColumnSummary(
        column=worst.column,
        kind=worst.kind,
        days_beyond=sum(bool(one.beyond) for one in days),
        alarms=sum(one.alarming for one in days),
        worst_day=worst.day,
        psi=worst.psi,
        jensen_shannon=worst.jensen_shannon,
        wasserstein=worst.wasserstein,
        shift=worst.shift,
        scale=worst.scale,
        missing=worst.missing,
    )


def _urgency(column: ColumnSummary) -> tuple[int, int, float]:
    return -column.alarms, -column.days_beyond, -(column.psi or 0.0)


def _in_words(alarm: Alarm) -> str:
    where = f"{alarm.column} on {alarm.day}: " if alarm.column else ""
    return f"{where}{alarm.measure} {alarm.value:.3g} (limit {alarm.limit:.3g})"
