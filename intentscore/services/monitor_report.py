"""How the champion's scores have done: volume, drift, performance, calibration and coverage, day by day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from intentscore.errors import ConfigurationError, NothingToDoError
from intentscore.model import drift
from intentscore.model.drift import Drift, Reference
from intentscore.model.metrics import Decile, deciles, evaluate
from intentscore.services.monitor_figures import Alarm, ColumnDrift, DayFigures, MonitorReport, Performance
from intentscore.services.monitor_limits import Change, Limits, Watch, kind_of, read_values, references
from intentscore.services.monitor_metrics import DRIFT, PERFORMANCE, STAT, WHOLE, Metric, Range, ask
from intentscore.services.monitor_source import ACTUAL, PREDICTED, SCORE, Watched, existing_source, watched
from intentscore.services.versions import CHAMPION, RegisteredVersion, registered_versions, wanted_version
from intentscore.settings import MonitoringLimits, Settings
from intentscore.warehouse.errors import snowflake_errors
from intentscore.warehouse.identifiers import qualified
from intentscore.warehouse.tables import SESSIONS

if TYPE_CHECKING:
    from snowflake.snowpark import Session

DEFAULT_DAYS = 28
OF_DRIFT = {"psi": "POPULATION_STABILITY_INDEX", "jensen_shannon": "JENSEN_SHANNON", "wasserstein": "WASSERSTEIN"}
SURE = 3.0


def monitor_report(
    session: Session, settings: Settings, first: date | None = None, last: date | None = None
) -> MonitorReport:
    """What the champion's monitor has measured on the days `first` to `last`; changes nothing.

    By default the last 28 days it scored. Outcomes count as soon as they are known. Drift in psi, Jensen-Shannon and
    Wasserstein, ROC AUC, precision, recall and counts come from the monitor; shift, scale, missing values, calibration
    and limits are computed here from the view and the baseline it reads.

    Raises ConfigurationError without a champion or a monitor, NothingToDoError when it scored nothing on these days.
    """
    with snowflake_errors("report on the monitor"):
        champion = wanted_version(registered_versions(session, settings), settings, CHAMPION)
        names = watched(settings, champion.name)
        source = existing_source(session, names)
        if source is None:
            raise ConfigurationError(f"{champion.name} has no monitor; run `intentscore monitor`")
        within = _range(session, names, first, last)
        limits = settings.monitoring.limits
        by_day = _days(session, settings, within)
        drifts, changes = _drifts(session, names, within, limits)
        performance, calibration = _performance(session, names, within, champion, by_day)
        behind = _scores(session, names, within) - performance.scores
    return MonitorReport(
        model_name=settings.model_name,
        version=champion.name,
        monitor=names.monitor,
        first=within.first,
        last=within.last,
        cut_off=source.cut_off,
        behind=behind,
        performance=performance,
        days=by_day,
        drift=drifts,
        calibration=calibration,
        alarms=(*changes, *performance_alarms(performance, limits)),
    )


def _range(session: Session, names: Watched, first: date | None, last: date | None) -> Range:
    """The days asked for, of which at least one must have scores."""
    view = qualified(session, names.view)
    oldest, newest = session.sql(f"SELECT MIN(SESSION_AT)::DATE, MAX(SESSION_AT)::DATE FROM {view}").collect()[0]
    if newest is None:
        raise NothingToDoError(f"{names.version} has scored nothing yet; run `intentscore score`")
    last = last or newest
    first = first or max(oldest, last - timedelta(days=DEFAULT_DAYS - 1))
    within = Range(qualified(session, names.monitor), first, last)
    if not _scores(session, names, within):
        raise NothingToDoError(
            f"{names.version} has scored no session from {first} to {last}; it scored some from {oldest} to {newest}"
        )
    return within


def _scores(session: Session, names: Watched, within: Range) -> int:
    view = qualified(session, names.view)
    return int(session.sql(f"SELECT COUNT(*) FROM {view} {within.where}").collect()[0][0])


# ---------------------------------------------------------------------------- volume and performance


def _days(session: Session, settings: Settings, within: Range) -> tuple[DayFigures, ...]:
    counted = ask(
        session,
        within,
        STAT,
        [("COUNT", SCORE), ("AVG", SCORE), ("SUM", PREDICTED), ("COUNT", ACTUAL), ("SUM", ACTUAL)],
    )
    figures = _by_day(counted)
    measured = _by_day(ask(session, within, PERFORMANCE, [(name, None) for name in ("ROC_AUC", "PRECISION", "RECALL")]))
    sessions = {row[0]: row[1] for row in session.sql(_session_counts(session, settings, within)).collect()}
    return tuple(
        _day_figures(day, sessions[day], figures.get(day, {}), measured.get(day, {})) for day in sorted(sessions)
    )


def _session_counts(session: Session, settings: Settings, within: Range) -> str:
    return (
        f"SELECT SESSION_DATE, COUNT(*) FROM {SESSIONS.qualified_name(session, settings)} "
        f"WHERE SESSION_DATE BETWEEN '{within.first}'::DATE AND '{within.last}'::DATE GROUP BY SESSION_DATE"
    )


def _by_day(metrics: Iterable[Metric]) -> dict[date, dict[tuple[str, str | None], float | None]]:
    found: dict[date, dict[tuple[str, str | None], float | None]] = {}
    for one in metrics:
        found.setdefault(one.day, {})[one.metric, one.column] = one.value
    return found


def _day_figures(
    day: date,
    sessions: int,
    counted: Mapping[tuple[str, str | None], float | None],
    measured: Mapping[tuple[str, str | None], float | None],
) -> DayFigures:
    scores, outcomes, buyers = (
        int(counted.get(key) or 0) for key in (("COUNT", SCORE), ("COUNT", ACTUAL), ("SUM", ACTUAL))
    )
    return DayFigures(
        day=day,
        sessions=sessions,
        scores=scores,
        mean_score=counted.get(("AVG", SCORE)),
        contacted=int(counted.get(("SUM", PREDICTED)) or 0),
        outcomes=outcomes,
        coverage=outcomes / scores if scores else 0.0,
        buyers=buyers,
        buyer_rate=buyers / outcomes if outcomes else None,
        roc_auc=measured.get(("ROC_AUC", None)),
        precision=measured.get(("PRECISION", None)),
        recall=measured.get(("RECALL", None)),
    )


def _performance(
    session: Session, names: Watched, within: Range, champion: RegisteredVersion, days: tuple[DayFigures, ...]
) -> tuple[Performance, tuple[Decile, ...]]:
    """The figures of the range, and its deciles by score, best first."""
    asked = [("ROC_AUC", None), ("PRECISION", None), ("RECALL", None)]
    whole = {one.metric: one.value for one in ask(session, within, PERFORMANCE, asked, WHOLE)}
    known = session.sql(
        f"SELECT {SCORE}, {ACTUAL} FROM {qualified(session, names.view)} {within.where} AND {ACTUAL} IS NOT NULL"
    ).to_pandas()
    bought, score = known[ACTUAL].to_numpy(dtype=bool), known[SCORE].to_numpy(dtype=np.float64)
    measured = evaluate(bought, score) if len(known) else None
    scores, outcomes = sum(day.scores for day in days), sum(day.outcomes for day in days)
    figures = Performance(
        scores=scores,
        outcomes=outcomes,
        coverage=outcomes / scores if scores else 0.0,
        buyers=int(bought.sum()),
        mean_score=float(score.mean()) if measured else None,
        buyer_rate=float(bought.mean()) if measured else None,
        roc_auc=whole.get("ROC_AUC"),
        promised_roc_auc=champion.metrics.get("holdout_roc_auc"),
        precision=whole.get("PRECISION"),
        recall=whole.get("RECALL"),
        calibration_error=measured.calibration_error if measured else None,
        brier=measured.brier if measured else None,
        log_loss=measured.log_loss if measured else None,
    )
    return figures, deciles(bought, score) if measured else ()


# ---------------------------------------------------------------------------- drift


def _drifts(
    session: Session, names: Watched, within: Range, limits: MonitoringLimits
) -> tuple[tuple[ColumnDrift, ...], tuple[Alarm, ...]]:
    """Day by day, the score first and then the features in their order."""
    learned = read_values(session, qualified(session, names.baseline))
    baseline = references(learned)
    asked = [
        (metric, column)
        for metric in OF_DRIFT.values()
        for column in baseline
        if metric != "WASSERSTEIN" or baseline[column].numeric
    ]
    measured = _by_day(ask(session, within, DRIFT, asked))
    before = within.from_earlier(limits.recent_days)
    watch = Watch(learned, read_values(session, qualified(session, names.view), before.where), limits)
    by_size = Limits(baseline, limits)
    drifts: list[ColumnDrift] = []
    alarms: list[Alarm] = []
    for day in sorted(measured):
        changes = watch.changes(day)
        alarms += [_alarm(day, change) for change in changes]
        rows, changed = watch.rows(day), {change.column for change in changes}
        for column, reference in baseline.items():
            of_monitor = {name: measured[day].get((metric, column)) for name, metric in OF_DRIFT.items()}
            found = Drift(**of_monitor, **drift.beside_monitor(reference, rows[column].to_numpy()))
            allowed = by_size.of_column(rows[column])
            drifts.append(_column_drift(day, reference, found, allowed, alarming=column in changed))
    return tuple(drifts), tuple(alarms)


def _column_drift(day: date, baseline: Reference, found: Drift, limits: Drift, *, alarming: bool) -> ColumnDrift:
    return ColumnDrift(
        day=day,
        column=baseline.column,
        kind=kind_of(baseline),
        beyond=drift.exceeded(found, limits),
        alarming=alarming,
        **asdict(found),
        **{f"{name}_limit": value for name, value in asdict(limits).items()},
    )


# ---------------------------------------------------------------------------- alarms


def _alarm(day: date, change: Change) -> Alarm:
    return Alarm(day, change.column, change.measure, change.value, change.limit, change.against)


def performance_alarms(found: Performance, limits: MonitoringLimits) -> Iterable[Alarm]:
    """What the outcomes say against the version, beyond doubt (three standard errors) and beyond the limits."""
    if min(found.buyers, found.outcomes - found.buyers) < limits.min_buyers:
        return
    if found.roc_auc is not None and found.promised_roc_auc is not None:
        lowest = found.promised_roc_auc - limits.max_auc_loss
        error = drift.auc_error(found.roc_auc, found.buyers, found.outcomes - found.buyers)
        if found.roc_auc + SURE * error < lowest:
            yield Alarm(None, None, "roc_auc", found.roc_auc, lowest, "the months held out")
    if found.mean_score is not None and found.buyer_rate is not None:
        gap = abs(found.mean_score - found.buyer_rate)
        error = (found.buyer_rate * (1 - found.buyer_rate) / found.outcomes) ** 0.5
        if gap - SURE * error > limits.max_calibration_error:
            yield Alarm(None, None, "calibration", gap, limits.max_calibration_error, "the buyer rate")
