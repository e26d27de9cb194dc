"""How sure are the figures? Percentile intervals over resampled sessions, and paired differences of two models.

Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 13 and 16. A resampling draws as many of the
tested sessions with replacement; both models of a pair are measured on the same draws. The intervals say how far the
figures would move with other sessions to test on, not with other sessions to learn from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intentscore.model.protocol import Examined, Labels, Part, Rows, Scores

MEASURES = ("roc_auc", "average_precision", "log_loss", "brier")
LOWER_IS_BETTER = ("log_loss", "brier")
RESAMPLINGS, FEWEST_RESAMPLINGS = 1000, 200
MOST_DRAWN = 100_000_000
SEED = 0
EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Interval:
    """The measured value with the bounds of its 95 % interval; None where the measure is undefined."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Difference:
    """First minus second model; `p_value` is two-sided, of no difference; `better` is True when the interval
    leaves out 0 on the first model's side, False on the second's, None when it includes 0.
    """

    measure: str
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None
    better: bool | None


@dataclass(frozen=True)
class Resampled:
    """`values` (1 + resamplings, measures): as measured, then resampled; means over the parts. NaN: undefined."""

    tested: tuple[Part, ...]
    values: NDArray[np.float64]


def resample(examined: Examined, bought: Labels, resamplings: int | None = None) -> Resampled:
    """`bought`: bool (n,), the outcomes of all rows. The same tested rows are always drawn alike.

    1,000 times unless said otherwise; of more than 100,000 rows fewer times, as they are drawn 100,000,000 times in
    all, but at least 200 times. Memory grows with the rows, not with the resamplings.
    """
    scored = zip(examined.parts, examined.scores, strict=True)
    ranked = [_Ranked.of(part.test, bought, scores) for part, scores in scored]
    rows = np.unique(np.concatenate([part.test for part in examined.parts]))
    resamplings = resamplings or max(FEWEST_RESAMPLINGS, min(RESAMPLINGS, MOST_DRAWN // max(len(rows), 1)))
    draw = np.random.default_rng(SEED)
    values = np.empty((1 + resamplings, len(MEASURES)))
    for replicate in range(1 + resamplings):
        weights = np.zeros(len(bought))
        weights[rows] = np.bincount(draw.integers(0, len(rows), len(rows)), minlength=len(rows)) if replicate else 1
        values[replicate] = _mean_over_parts([part.measured(weights) for part in ranked])
    return Resampled(examined.parts, values)


def intervals(resampled: Resampled) -> dict[str, Interval]:
    """By measure."""
    return {name: Interval(*_summary(resampled.values[:, column])) for column, name in enumerate(MEASURES)}


def differences(first: Resampled, second: Resampled) -> tuple[Difference, ...]:
    """Paired, by measure. Raises ValueError when the two were tested or resampled differently."""
    same = [part.test.tolist() for part in first.tested] == [part.test.tolist() for part in second.tested]
    if not same or len(first.values) != len(second.values):
        raise ValueError("two models can be compared on the same sessions only")
    both = first.values - second.values
    return tuple(_difference(name, both[:, column]) for column, name in enumerate(MEASURES))


def _difference(measure: str, drawn: Scores) -> Difference:
    value, low, high = _summary(drawn)
    if value is None or low is None or high is None:
        return Difference(measure, None, None, None, None, None)
    resampled = drawn[1:][~np.isnan(drawn[1:])]
    tail = min(int((resampled <= 0).sum()), int((resampled >= 0).sum()))
    p_value = min(1.0, 2 * (tail + 1) / (len(resampled) + 1))
    sure = low > 0 or high < 0
    return Difference(measure, value, low, high, p_value, (value > 0) != (measure in LOWER_IS_BETTER) if sure else None)


def _summary(drawn: Scores) -> tuple[float | None, float | None, float | None]:
    resampled = drawn[1:][~np.isnan(drawn[1:])]
    if np.isnan(drawn[0]) or not len(resampled):
        return None, None, None
    low, high = np.quantile(resampled, [0.025, 0.975])
    return float(drawn[0]), float(low), float(high)


def _mean_over_parts(measured: list[tuple[float, ...]]) -> Scores:
    table = np.array(measured)
    defined = ~np.isnan(table)
    counts = defined.sum(axis=0)
    sums = np.where(defined, table, 0).sum(axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


@dataclass(frozen=True)
class _Ranked:
    """Examined sessions, best score first; `starts` is where each group of equal scores begins."""

    rows: Rows
    bought: Scores
    score: Scores
    starts: Rows
    loss: Scores

    @classmethod
    def of(cls, rows: Rows, bought: Labels, scores: Scores) -> _Ranked:
        order = np.argsort(-scores, kind="stable")
        score, y = scores[order], bought[rows[order]].astype(np.float64)
        kept = np.clip(score, EPSILON, 1 - EPSILON)
        loss = -np.log(np.where(y > 0, kept, 1 - kept))
        return cls(rows[order], y, score, np.flatnonzero(np.r_[True, score[1:] != score[:-1]]), loss)

    def measured(self, weights: Scores) -> tuple[float, ...]:
        """MEASURES under session weights (n,); NaN where undefined."""
        weight = weights[self.rows]
        total = weight.sum()
        if not total:
            return (np.nan,) * len(MEASURES)
        buyers = np.add.reduceat(weight * self.bought, self.starts)
        others = np.add.reduceat(weight * (1 - self.bought), self.starts)
        found, passed = np.cumsum(buyers), np.cumsum(others)
        area = precision = np.nan
        if found[-1]:
            seen = found + passed
            precision = float((buyers * found / np.where(seen > 0, seen, 1)).sum() / found[-1])
        if found[-1] and passed[-1]:
            area = float((others * (found - buyers / 2)).sum() / (found[-1] * passed[-1]))
        return (
            area,
            precision,
            float((weight * self.loss).sum() / total),
            float((weight * (self.score - self.bought) ** 2).sum() / total),
        )
