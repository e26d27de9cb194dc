"""Why the model scores as it does: features by mean absolute contribution, a beeswarm, and some scores explained."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from intentscore.features.definitions import FEATURES
from intentscore.report.charts import HEAT, Axis, bars, beeswarm
from intentscore.report.content import Block, Chart, Note, Section, Table, table_of

if TYPE_CHECKING:
    from intentscore.services.explain import Reason
    from intentscore.services.importance import ExplainedSample, GlobalExplanation

NAME, TITLE = "reasons", "Reasons"
FEATURES_DRAWN = 12
SESSIONS_DRAWN = 200
SWARM_BINS = 60
EXAMPLE_COLUMNS = ("score", "rank", "reason", "log_odds", "feature", "value", "uid", "session_date")
LEVELS = ("lowest fifth", "second", "middle", "fourth", "highest fifth")


def reasons(ranked: GlobalExplanation, sample: ExplainedSample, examples: tuple[Reason, ...], command: str) -> Section:
    """`command` makes the explanations when there are no `examples`."""
    lead = (
        f"What each feature adds to the log-odds of a score (TreeSHAP, by {ranked.version}'s own explain method), of "
        f"{ranked.sessions:,} sessions from {ranked.first} to {ranked.last}. The contributions of a session and the "
        f"base value {ranked.base_log_odds:.4f} add up to the log-odds of its score."
    )
    blocks: list[Block] = [_bars(ranked), _swarm(ranked, sample)]
    if examples:
        blocks.append(
            table_of("examples", "The highest scores with their strongest reasons", examples, EXAMPLE_COLUMNS)
        )
    else:
        blocks.append(Note("No score of this day has been explained one by one yet.", command))
    return Section(NAME, TITLE, lead, tuple(blocks))


def _bars(ranked: GlobalExplanation) -> Chart:
    strongest = ranked.features[:FEATURES_DRAWN]
    return Chart(
        "importance",
        "Features that matter",
        f"Mean absolute contribution to the log-odds of a score, the {len(strongest)} largest.",
        bars([(one.feature, one.log_odds) for one in strongest], Axis("mean absolute contribution")),
        table_of("importance", "Features by mean absolute contribution", ranked.features),
    )


def _swarm(ranked: GlobalExplanation, sample: ExplainedSample) -> Chart:
    names = [one.feature for one in ranked.features[:FEATURES_DRAWN]]
    rows = np.unique(np.linspace(0, sample.sessions - 1, SESSIONS_DRAWN).round().astype(int))
    at = [sample.features.index(name) for name in names]
    log_odds, values = sample.log_odds[rows][:, at], sample.values[rows][:, at]
    span = (float(log_odds.min()), float(log_odds.max()))
    points, drawn = [], []
    for name, added, value in zip(names, log_odds.T, values.T, strict=True):
        levels = _levels(name, value)
        points += list(zip([name] * len(rows), added.tolist(), offsets(added, span).tolist(), levels, strict=True))
        drawn += list(zip([name] * len(rows), value.tolist(), added.tolist(), strict=True))
    header = ("feature", "value", "log_odds")
    return Chart(
        "beeswarm",
        "How they push",
        f"One dot for each of {len(rows):,} sessions: right of 0 the feature raised the score. The colour says where "
        "its value lies among these sessions; categories are all of one colour.",
        beeswarm(points, Axis("contribution to the log-odds"), LEVELS),
        _spread(names, log_odds),
        Table("beeswarm", "Contributions by session", header, tuple(drawn)),
    )


def offsets(x: NDArray[np.float64], span: tuple[float, float]) -> NDArray[np.float64]:
    """Where each dot goes across its band, -1 to 1, so that dots of nearly equal x (n,) stand around the middle."""
    bins = np.linspace(*span, SWARM_BINS + 1)[1:-1].searchsorted(x)
    order = np.argsort(bins, kind="stable")
    first = np.r_[0, np.flatnonzero(np.diff(bins[order])) + 1]
    counts = np.diff(np.r_[first, len(x)])
    place = np.empty(len(x))
    place[order] = np.arange(len(x)) - np.repeat(first, counts)
    sides = np.where(place % 2 == 0, 1, -1)
    found: NDArray[np.float64] = sides * np.ceil(place / 2) / max(1.0, counts.max() / 2)
    return found


def _levels(feature: str, values: NDArray[np.float64]) -> list[int]:
    """Fifths of the values, by index in LEVELS; the middle for a category and for a missing value."""
    kinds = {one.name: one.kind for one in FEATURES}
    middle = len(HEAT) // 2
    if kinds.get(feature) == "categorical":
        return [middle] * len(values)
    edges = np.nanquantile(values, [0.2, 0.4, 0.6, 0.8]) if not np.isnan(values).all() else np.zeros(4)
    found = np.where(np.isnan(values), middle, edges.searchsorted(values))
    return [int(level) for level in found]


def _spread(names: Iterable[str], log_odds: NDArray[np.float64]) -> Table:
    low, middle, high = np.quantile(log_odds, [0.1, 0.5, 0.9], axis=0)
    rows = tuple(zip(names, low.tolist(), middle.tolist(), high.tolist(), strict=True))
    return Table("contributions", "Contributions to the log-odds", ("feature", "p10", "median", "p90"), rows)
