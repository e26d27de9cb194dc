"""How far a day's values lie from the baseline's, and how far chance alone would take them.

Numbers are compared by the deciles of the baseline, categories value by value. Measures, with p the shares of the
day, q those of the baseline, and F their cumulative distributions:

-   population stability index, sum (p - q) ln(p / q), shares below 1e-4 taken as 1e-4 (N. Siddiqi, Credit Risk
    Scorecards, 2006);
-   Jensen-Shannon distance with base 2: 0 alike, 1 disjoint (J. Lin 1991, https://doi.org/10.1109/18.61115);
-   Wasserstein distance of order 1, the area between both F, in units of the column;
-   shift: the probability that a value of the day exceeds one of the baseline, ties counting half, zeros left out
    (Mann and Whitney 1947, https://doi.org/10.1214/aoms/1177730491): 0.5 alike. It sees a shifted scale long before
    the others do where most values are zero;
-   scale: the mean of the values' exponential scores among those of the baseline, zeros left out (I. R. Savage 1956,
    https://doi.org/10.1214/aoms/1177728170): 1 alike, and by how much they have grown where they are exponentially
    distributed, as page values nearly are. Among rank statistics it sees that soonest;
-   the share of missing values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr

Floats = NDArray[np.float64]

BINS = 10
SMALLEST_SHARE = 1e-4
SIZE_STEP = 1.1
MIN_NON_ZERO = 10
SMALLEST = 1e-12


@dataclass(frozen=True)
class Drift:
    """One value per measure; None where it is undefined. `missing` is the rise of the share of missing values."""

    psi: float | None = None
    jensen_shannon: float | None = None
    wasserstein: float | None = None
    shift: float | None = None
    scale: float | None = None
    missing: float | None = None


MEASURES = tuple(field.name for field in fields(Drift))


@dataclass(frozen=True)
class Reference:
    """A column of the baseline. `values`: its numbers, ascending, float64 (m,), empty for a categorical column;
    `bins` the edges of the deciles, or the categories; `shares` float64, of each bin, and `missing` of no value.
    """

    column: str
    size: int
    values: Floats
    bins: NDArray[Any]
    shares: Floats
    missing: float

    @property
    def numeric(self) -> bool:
        return len(self.values) > 0

    @property
    def spread(self) -> float:
        """Standard deviation of the numbers, 0 for a categorical column."""
        return float(self.values.std()) if self.numeric else 0.0

    @cached_property
    def non_zero(self) -> Floats:
        kept: Floats = self.values[self.values != 0]
        return kept

    @cached_property
    def exponential_scores(self) -> Floats:
        """Of the non-zero values: the expected order statistics of as many standard exponential draws."""
        m = len(self.non_zero)
        scores: Floats = np.cumsum(1 / np.arange(m, 0, -1))
        return scores


def reference(column: str, values: Sequence[Any] | NDArray[Any], *, numeric: bool) -> Reference:
    """`values` (m,): numbers with NaN, or texts with None, where they are missing.

    Raises ValueError when there is no value at all.
    """
    known = _known(values, numeric)
    if not len(known):
        raise ValueError(f"the baseline has no value of {column}")
    missing = 1 - len(known) / len(values)
    if not numeric:
        categories, counts = np.unique(known, return_counts=True)
        return Reference(column, len(known), np.empty(0), categories, counts / len(known), missing)
    edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS))
    shares = np.bincount(np.searchsorted(edges, known), minlength=len(edges) + 1) / len(known)
    return Reference(column, len(known), np.sort(known), edges, shares, missing)


def measure(baseline: Reference, values: Sequence[Any] | NDArray[Any]) -> Drift:
    """The day's `values` (n,), as for `reference`, against the baseline."""
    known = _known(values, baseline.numeric)
    if not len(values):
        return Drift()
    missing = 1 - len(known) / len(values) - baseline.missing
    if not len(known):
        return Drift(missing=missing)
    now, then = _shares(baseline, known)
    return Drift(
        psi=float(psi(now, then)),
        jensen_shannon=float(jensen_shannon(now, then)),
        wasserstein=_wasserstein(baseline, known) if baseline.numeric else None,
        shift=shift(baseline, known),
        scale=scale(baseline, known),
        missing=missing,
    )


def beside_monitor(baseline: Reference, values: Sequence[Any] | NDArray[Any]) -> dict[str, float | None]:
    """The measures that no monitor knows, by name."""
    known = _known(values, baseline.numeric)
    missing = 1 - len(known) / len(values) - baseline.missing if len(values) else None
    return {"shift": shift(baseline, known), "scale": scale(baseline, known), "missing": missing}


def auc_error(auc: float, buyers: int, others: int) -> float:
    """Standard error of a ROC AUC (Hanley and McNeil 1982, https://doi.org/10.1148/radiology.143.1.7063747)."""
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (buyers - 1) * (q1 - auc**2) + (others - 1) * (q2 - auc**2)
    return float(np.sqrt(variance / (buyers * others)))


def shift(baseline: Reference, values: Floats) -> float | None:
    """P(day > baseline) + P(equal) / 2 among the values other than zero; None with fewer than ten of them."""
    if not baseline.numeric:
        return None
    now, then = values[values != 0], baseline.non_zero
    if min(len(now), len(then)) < MIN_NON_ZERO:
        return None
    below = np.searchsorted(then, now, side="left") + np.searchsorted(then, now, side="right")
    return float(below.sum() / (2 * len(now) * len(then)))


def scale(baseline: Reference, values: Floats) -> float | None:
    """The mean exponential score of the values other than zero; None with fewer than ten of them."""
    if not baseline.numeric:
        return None
    now, then = values[values != 0], baseline.non_zero
    if min(len(now), len(then)) < MIN_NON_ZERO:
        return None
    scores = baseline.exponential_scores
    first, behind = np.searchsorted(then, now, side="left"), np.searchsorted(then, now, side="right")
    summed, around = np.r_[0.0, scores.cumsum()], np.r_[0.0, scores, scores[-1] + 2]
    equal = np.maximum(behind - first, 1)
    found = np.where(behind > first, (summed[behind] - summed[first]) / equal, (around[first] + around[first + 1]) / 2)
    return float(found.mean())


def comparable_size(sessions: float) -> int:
    """The size whose limits hold for a day of that many sessions: the next smaller power of 1.1."""
    return int(SIZE_STEP ** np.floor(np.log(max(sessions, 1.0)) / np.log(SIZE_STEP) + 1e-9))


def exceeded(found: Drift, limits: Drift) -> tuple[str, ...]:
    """The measures that lie beyond their limits."""
    return tuple(name for name, ratio in times_the_limit(found, limits).items() if ratio > 1)


def times_the_limit(found: Drift, limits: Drift) -> dict[str, float]:
    """How far each measure lies from where it is alike, in units of its limit; only those that have both."""
    return {
        name: distance(name, value) / max(_room(name, limit), SMALLEST)
        for name in MEASURES
        if (value := getattr(found, name)) is not None and (limit := getattr(limits, name)) is not None
    }


def distance(measure: str, value: float) -> float:
    """From where both are alike; of a scale as the cube root, whose law is symmetric (Wilson and Hilferty 1931)."""
    if measure == "scale":
        return float(abs(np.cbrt(value) - 1))
    return abs(value - 0.5) if measure == "shift" else value


def widened(limits: Drift, farthest: Drift) -> Drift:
    """The limits of days that may differ as far as `farthest` for a known reason, and by chance beside.

    Distances add up at most (the triangle inequality); the index is about the square of one.
    """
    found = asdict(limits)
    for name, more in asdict(farthest).items():
        if found[name] is not None and more is not None:
            found[name] = _sum(name, found[name], max(distance(name, more), 0.0))
    return Drift(**found)


def _known(values: Sequence[Any] | NDArray[Any], numeric: bool) -> NDArray[Any]:
    if numeric:
        numbers = np.asarray(values, dtype=np.float64)
        return numbers[~np.isnan(numbers)]
    return np.array([str(value) for value in values if value is not None and value == value], dtype=object)


def _wasserstein(baseline: Reference, known: Floats) -> float:
    """The area between the two distributions."""
    both = np.concatenate([baseline.values, np.sort(known)])
    both.sort(kind="stable")
    before = np.searchsorted(baseline.values, both[:-1], side="right") / len(baseline.values)
    now = np.searchsorted(np.sort(known), both[:-1], side="right") / len(known)
    return float((np.abs(now - before) * np.diff(both)).sum())


def _shares(baseline: Reference, known: NDArray[Any]) -> tuple[Floats, Floats]:
    if baseline.numeric:
        counts = np.bincount(np.searchsorted(baseline.bins, known), minlength=len(baseline.bins) + 1)
        return counts / len(known), baseline.shares
    either = np.union1d(baseline.bins, known)
    now = np.bincount(np.searchsorted(either, known), minlength=len(either)) / len(known)
    then = np.zeros(len(either))
    then[np.searchsorted(either, baseline.bins)] = baseline.shares
    return now, then


def psi(p: Floats, q: Floats) -> Floats:
    """The population stability index of shares, over the last axis."""
    p, q = np.maximum(p, SMALLEST_SHARE), np.maximum(q, SMALLEST_SHARE)
    summed: Floats = ((p - q) * np.log(p / q)).sum(axis=-1)
    return summed


def jensen_shannon(p: Floats, q: Floats) -> Floats:
    """The Jensen-Shannon distance of shares, over the last axis."""
    middle = (p + q) / 2
    divergence = (rel_entr(p, middle) + rel_entr(q, middle)).sum(axis=-1) / (2 * np.log(2))
    distance: Floats = np.sqrt(np.maximum(divergence, 0))
    return distance


def _room(measure: str, limit: float) -> float:
    return float(np.cbrt(limit) - 1) if measure == "scale" else limit


def _sum(measure: str, limit: float, more: float) -> float:
    if measure == "psi":
        return float((np.sqrt(limit) + np.sqrt(more)) ** 2)
    return limit * (1 + more) ** 3 if measure == "scale" else limit + more
