"""One scored day: its scores and, as far as they are known, its outcomes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from intentscore.report.charts import Axis, Series, columns
from intentscore.report.content import Block, Chart, Note, Section, Table
from intentscore.report.ranking import decile_chart, ranking_charts

if TYPE_CHECKING:
    from intentscore.model.bootstrap import Interval
    from intentscore.model.metrics import Metrics

BINS = 20
FEWEST_OUTCOMES = 20


@dataclass(frozen=True)
class ScoredDay:
    """`scores`: float64 (n,); `bought`: bool (n,), meaningful where `known`, bool (n,), says so."""

    day: date
    table: str
    version: str
    scores: NDArray[np.float64]
    bought: NDArray[np.bool_]
    known: NDArray[np.bool_]

    @property
    def outcomes(self) -> int:
        return int(self.known.sum())


def scored_day(found: ScoredDay, learned_until: date | None = None) -> Section:
    """`learned_until` is the last day of the sessions that the version learned from."""
    lead = (
        f"{len(found.scores):,} sessions in {found.table}, scored by {found.version}; {found.outcomes:,} of them have "
        "a known outcome."
    )
    blocks: list[Block] = [_histogram(found)]
    if learned_until is not None and found.day <= learned_until:
        told = f"The version learned from sessions up to {learned_until}: the figures of this day flatter it."
        blocks.insert(0, Note(told))
    if found.outcomes < FEWEST_OUTCOMES:
        text = "Too few outcomes are known yet to measure the scores of this day; load them as they arrive:"
        blocks.append(Note(text, "intentscore upload PATH"))
    else:
        blocks += _measured(found)
    return Section("day", f"Scores of {found.day}", lead, tuple(blocks))


def _measured(found: ScoredDay) -> list[Block]:
    from intentscore.model.bootstrap import intervals, resample
    from intentscore.model.metrics import curves, deciles, evaluate
    from intentscore.model.protocol import Examined, Part

    bought, scores = found.bought[found.known], found.scores[found.known]
    rows = np.arange(len(bought))
    sure = intervals(resample(Examined((Part("day", rows[:0], rows),), (scores,)), bought))
    return [
        *ranking_charts("day", {"this day": asdict(curves(bought, scores))}),
        decile_chart("day_deciles", [asdict(row) for row in deciles(bought, scores)]),
        _figures(evaluate(bought, scores), sure),
    ]


def _figures(measured: Metrics, sure: dict[str, Interval]) -> Table:
    rows = []
    for name, value in measured.as_dict().items():
        interval = sure.get(name)
        rows.append((name, value, interval.low if interval else None, interval.high if interval else None))
    caption = "Figures of the sessions with a known outcome, with 95 % intervals"
    return Table("day_metrics", caption, ("measure", "value", "low", "high"), tuple(rows))


def _histogram(found: ScoredDay) -> Chart:
    counts, edges = np.histogram(found.scores, bins=BINS, range=(0, 1))
    rows = tuple(
        (low, high, count)
        for low, high, count in zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
    )
    series = [Series("sessions", [(f"{low:.2f}", count) for low, _, count in rows])]
    return Chart(
        "day_scores",
        "Scores",
        "How many sessions got which score, in steps of 0.05.",
        columns(series, Axis("score from"), Axis("sessions")),
        Table("day_scores", "Scores", ("from", "to", "sessions"), rows),
    )
