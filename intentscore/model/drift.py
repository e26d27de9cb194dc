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
-   the share of missing values.

A limit is never lower than what chance does: `chance` draws days of the same size from the baseline and takes the
farthest of them. A day without drift passes it about once in as many days as were drawn, however small the day and
whatever the shape of the column; somewhat more often where a value larger than any of the baseline is to be expected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr
from scipy.stats import norm, wasserstein_distance

Floats = NDArray[np.float64]

BINS = 10
SMALLEST_SHARE = 1e-4
SIZE_STEP = 1.1
GRID = 200
TAIL = 50
MIN_NON_ZERO = 10


@dataclass(frozen=True)
class Drift:
    """One value per measure; None where it is undefined. `missing` is the rise of the share of missing values."""

    psi: float | None = None
    jensen_shannon: float | None = None
    wasserstein: float | None = None
    shift: float | None = None
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
        psi=float(_psi(now, then)),
        jensen_shannon=float(_jensen_shannon(now, then)),
        wasserstein=float(wasserstein_distance(known, baseline.values)) if baseline.numeric else None,
        shift=shift(baseline, known),
        missing=missing,
    )


def shift_and_missing(baseline: Reference, values: Sequence[Any] | NDArray[Any]) -> dict[str, float | None]:
    """The two measures that no monitor knows, by name."""
    known = _known(values, baseline.numeric)
    missing = 1 - len(known) / len(values) - baseline.missing if len(values) else None
    return {"shift": shift(baseline, known), "missing": missing}


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


def chance(baselines: Sequence[Reference], sessions: int, days: int, seed: int = 0) -> Mapping[str, Drift]:
    """By column, the largest measures among `days` days of that many sessions drawn from the baseline itself.

    The baseline is a sample too: with m values in it, a day of n varies about it as one of n m / (n + m) about the
    truth. `shift` is the distance from 0.5 that the same share of days passes (its law is known: normal, with the
    variance of the rank sum).
    """
    found = {}
    by_size: dict[int, NDArray[np.float32]] = {}
    for number, baseline in enumerate(baselines):
        rng = np.random.default_rng([seed, number])
        m = baseline.size
        size = max(1, _rounded_down(sessions * m / (sessions + m)))
        counts = rng.multinomial(size, baseline.shares, size=days) / size
        wasserstein = None
        if baseline.numeric:
            if m not in by_size:
                by_size[m] = _departures(np.random.default_rng([seed, m]), m, size, days)
            wasserstein = float((by_size[m] @ _widths(baseline.values)).max())
        absent = rng.binomial(sessions, min(max(baseline.missing, 0.0), 1.0), size=days) / sessions
        found[baseline.column] = Drift(
            psi=float(_psi(counts, baseline.shares).max()),
            jensen_shannon=float(_jensen_shannon(counts, baseline.shares).max()),
            wasserstein=wasserstein,
            shift=_shift_by_chance(baseline, sessions, days),
            missing=float(absent.max() - baseline.missing),
        )
    return found


def comparable_size(sessions: int) -> int:
    """The size whose limits hold for a day of that many sessions: the next smaller power of 1.1."""
    return _rounded_down(sessions)


def exceeded(found: Drift, limits: Drift) -> tuple[str, ...]:
    """The measures that lie beyond their limits; `shift` either way from 0.5."""
    beyond = []
    for name in MEASURES:
        value, limit = getattr(found, name), getattr(limits, name)
        if value is not None and limit is not None and distance(name, value) > limit:
            beyond.append(name)
    return tuple(beyond)


def distance(measure: str, value: float) -> float:
    return abs(value - 0.5) if measure == "shift" else value


def _known(values: Sequence[Any] | NDArray[Any], numeric: bool) -> NDArray[Any]:
    if numeric:
        numbers = np.asarray(values, dtype=np.float64)
        return numbers[~np.isnan(numbers)]
    return np.array([str(value) for value in values if value is not None and value == value], dtype=object)


def _shares(baseline: Reference, known: NDArray[Any]) -> tuple[Floats, Floats]:
    if baseline.numeric:
        counts = np.bincount(np.searchsorted(baseline.bins, known), minlength=len(baseline.bins) + 1)
        return counts / len(known), baseline.shares
    either = np.union1d(baseline.bins, known)
    now = np.bincount(np.searchsorted(either, known), minlength=len(either)) / len(known)
    then = np.zeros(len(either))
    then[np.searchsorted(either, baseline.bins)] = baseline.shares
    return now, then


def _psi(p: Floats, q: Floats) -> Floats:
    p, q = np.maximum(p, SMALLEST_SHARE), np.maximum(q, SMALLEST_SHARE)
    summed: Floats = ((p - q) * np.log(p / q)).sum(axis=-1)
    return summed


def _jensen_shannon(p: Floats, q: Floats) -> Floats:
    middle = (p + q) / 2
    divergence = (rel_entr(p, middle) + rel_entr(q, middle)).sum(axis=-1) / (2 * np.log(2))
    distance: Floats = np.sqrt(np.maximum(divergence, 0))
    return distance


def _rounded_down(size: float) -> int:
    """To a power of 1.1: days of similar size share their draws, and the smaller size errs towards silence."""
    return int(SIZE_STEP ** np.floor(np.log(max(size, 1.0)) / np.log(SIZE_STEP) + 1e-9))


def _ranks(m: int) -> NDArray[np.int64]:
    """Ranks of the baseline at which distributions are compared: evenly, and each one in both tails."""
    even = np.linspace(1, m - 1, GRID).round() if m > 1 else np.array([1.0])
    tails = np.r_[1 : min(TAIL, m) + 1, max(m - TAIL, 1) : m]
    ranks: NDArray[np.int64] = np.unique(np.r_[even, tails]).astype(np.int64)
    return ranks[(ranks >= 1) & (ranks < max(m, 2))]


def _departures(rng: np.random.Generator, m: int, size: int, days: int) -> NDArray[np.float32]:
    """|F of the day - F of the baseline| at the ranks, for each drawn day: (days, ranks)."""
    ranks = _ranks(m)
    cells = np.diff(np.r_[0, ranks, m]) / m
    counts = rng.multinomial(size, cells, size=days)[:, :-1]
    away: NDArray[np.float32] = np.abs(counts.cumsum(axis=1) / size - ranks / m).astype(np.float32)
    return away


def _widths(values: Floats) -> Floats:
    """How much of the column's range each rank stands for."""
    ranks = _ranks(len(values))
    between = np.r_[0, (ranks[:-1] + ranks[1:]) // 2, len(values) - 1]
    widths: Floats = np.diff(values[between])
    return widths


def _shift_by_chance(baseline: Reference, sessions: int, days: int) -> float | None:
    if not baseline.numeric:
        return None
    non_zero = baseline.non_zero
    n, m = sessions * (1 - baseline.missing) * len(non_zero) / baseline.size, len(non_zero)
    if m < MIN_NON_ZERO or n < 1:
        return None
    ties = np.unique(non_zero, return_counts=True)[1] / m
    variance = (1 - (ties**3).sum()) * (n + m) / (12 * n * m)
    return float(norm.isf(0.5 / (days + 1)) * np.sqrt(variance))
