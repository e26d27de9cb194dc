"""How the champion's scores have done over time, as its monitor measured them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from intentscore.model.drift import MEASURES, Drift, times_the_limit
from intentscore.report.charts import SHARE, Axis, Series, by_day, heat
from intentscore.report.content import Block, Chart, Section, Table, pairs, table_of
from intentscore.report.ranking import decile_chart

if TYPE_CHECKING:
    from intentscore.services.monitor_figures import ColumnDrift, DayFigures, MonitorReport

NAME, TITLE = "drift", "Over time"
SCORE_KIND = "score"
HALF = 0.5
LEVELS = ("below half the limit", "up to the limit", "over it, no alarm", "an alarm")


def over_time(found: MonitorReport) -> Section:
    told = {0: "no alarm", 1: "1 alarm"}.get(len(found.alarms), f"{len(found.alarms)} alarms")
    lead = (
        f"What {found.monitor} measured from {found.first} to {found.last} on the scores of {found.version}; {told}. "
        f"Marketing acts from a score of {found.cut_off:.4f} on."
    )
    blocks: list[Block] = [_volume(found.days)]
    blocks += [chart for chart in (_performance(found.days), _score_drift(found.drift), _heat(found.drift)) if chart]
    if found.calibration:
        blocks.append(decile_chart("monitor_deciles", [asdict(row) for row in found.calibration]))
    blocks.append(_performance_of_all(found))
    if found.alarms:
        blocks.append(table_of("alarms", "Alarms", found.alarms))
    return Section(NAME, TITLE, lead, tuple(blocks))


def _performance_of_all(found: MonitorReport) -> Table:
    figures = asdict(found.performance).items()
    return pairs(
        "monitor_performance", "All outcomes of these days", [(name.replace("_", " "), v) for name, v in figures]
    )


def _volume(days: Sequence[DayFigures]) -> Chart:
    series = [
        Series("sessions", [(str(one.day), one.sessions) for one in days]),
        Series("scores", [(str(one.day), one.scores) for one in days]),
        Series("known outcomes", [(str(one.day), one.outcomes) for one in days]),
    ]
    text = "Sessions, how many of them were scored, and how many outcomes have arrived by now."
    return Chart("volume", "Volume", text, by_day(series, Axis("sessions")), table_of("days", "Days", days))


def _performance(days: Sequence[DayFigures]) -> Chart | None:
    named = (("ROC AUC", "roc_auc"), ("precision", "precision"), ("recall", "recall"))
    series = [
        Series(title, [(str(d.day), v) for d in days if (v := getattr(d, name)) is not None]) for title, name in named
    ]
    drawn = [one for one in series if one.points]
    if not drawn:
        return None
    columns = ("day", "outcomes", "buyers", "roc_auc", "precision", "recall")
    return Chart(
        "performance",
        "Performance",
        "ROC AUC, and precision and recall of acting on the scores at or above marketing's cut-off.",
        by_day(drawn, Axis("share", SHARE, (0.0, 1.0))),
        table_of("performance", "Performance by day", days, columns),
    )


def _score_drift(drift: Sequence[ColumnDrift]) -> Chart | None:
    rows = [one for one in drift if one.kind == SCORE_KIND and one.psi is not None]
    if not rows:
        return None
    series = [Series("score", [(str(one.day), one.psi) for one in rows if one.psi is not None])]
    limits = [(str(one.day), one.psi_limit) for one in rows if one.psi_limit is not None]
    compared = [Series("limit", limits, reference=True)] if limits else []
    return Chart(
        "score_drift",
        "Drift of the score",
        "Population stability index of each day's scores against those of the sessions learned from.",
        by_day([*series, *compared], Axis("population stability index")),
        table_of("score_drift", "Drift of the score", rows),
    )


def _heat(drift: Sequence[ColumnDrift]) -> Chart | None:
    limited = [(one, ratio) for one in drift if (ratio := beyond_limit(one)) is not None]
    if not limited:
        return None
    cells = [(str(one.day), one.column, _level(one, ratio)) for one, ratio in limited]
    worst = {
        name: max((r, one.day) for one, r in limited if one.column == name)
        for name in dict.fromkeys(c for _, c, _ in cells)
    }
    rows = tuple((name, ratio, day) for name, (ratio, day) in sorted(worst.items(), key=lambda item: -item[1][0]))
    return Chart(
        "column_drift",
        "Drift by column",
        "For each day, the measure that comes closest to its limit or lies farthest beyond it, against all sessions "
        "learned from. An alarm is what differs from the days it should be like.",
        heat(cells, LEVELS),
        Table("column_drift_worst", "The day each column lay farthest", ("column", "times_the_limit", "day"), rows),
        table_of("column_drift", "Drift by column and day", [one for one, _ in limited]),
    )


def beyond_limit(one: ColumnDrift) -> float | None:
    """The largest of the column's measures in units of its limit; None where nothing is limited."""
    found = Drift(**{name: getattr(one, name) for name in MEASURES})
    limits = Drift(**{name: getattr(one, f"{name}_limit") for name in MEASURES})
    return max(times_the_limit(found, limits).values(), default=None)


def _level(one: ColumnDrift, ratio: float) -> str:
    if one.alarming:
        return LEVELS[3]
    if one.beyond:
        return LEVELS[2]
    return LEVELS[0] if ratio < HALF else LEVELS[1]
