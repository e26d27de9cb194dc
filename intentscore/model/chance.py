"""How far chance alone takes a day from its baseline: the limits of days without drift.

A limit is never lower than what chance does: `chance` draws days of the same size from the baseline and takes the
farthest of them. A day without drift passes it about once in as many days as were drawn, however small the day and
whatever the shape of the column; somewhat more often where a value larger than any of the baseline is to be expected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import gamma, norm

from intentscore.model.drift import MIN_NON_ZERO, Drift, Floats, Reference, comparable_size, jensen_shannon, psi

GRID = 200
TAIL = 50


def chance(
    baselines: Sequence[Reference], sessions: int, days: int, seed: int = 0, values: int | None = None
) -> Mapping[str, Drift]:
    """By column, the largest measures among `days` days of that many sessions drawn from the baseline itself.

    `values` of the sessions are not missing; None for as many as in the baseline.
    The baseline is a sample too: with m values in it, a day of n varies about it as one of n m / (n + m) about the
    truth. `shift` and `scale` are what the same share of days passes, one way or the other; their laws are known:
    normal with the variance of the rank sum, and that of a mean of exponential draws.
    """
    found = {}
    for number, baseline in enumerate(baselines):
        rng = np.random.default_rng([seed, number])
        m = baseline.size
        n = sessions * (1 - baseline.missing) if values is None else values
        size = max(1, comparable_size(n * m / (n + m)))
        counts = rng.multinomial(size, baseline.shares, size=days) / size
        wasserstein = None
        if baseline.numeric:
            widths = _widths(baseline.values).astype(np.float32)
            wasserstein = float(np.einsum("dr,r->d", _departures(seed, m, size, days), widths).max())
        absent = rng.binomial(sessions, min(max(baseline.missing, 0.0), 1.0), size=days) / sessions
        found[baseline.column] = Drift(
            psi=float(psi(counts, baseline.shares).max()),
            jensen_shannon=float(jensen_shannon(counts, baseline.shares).max()),
            wasserstein=wasserstein,
            shift=_shift_by_chance(baseline, n, days),
            scale=_scale_by_chance(baseline, n, days),
            missing=float(absent.max() - baseline.missing),
        )
    return found


def _ranks(m: int) -> NDArray[np.int64]:
    """Ranks of the baseline at which distributions are compared: evenly, and each one in both tails."""
    even = np.linspace(1, m - 1, GRID).round() if m > 1 else np.array([1.0])
    tails = np.r_[1 : min(TAIL, m) + 1, max(m - TAIL, 1) : m]
    ranks: NDArray[np.int64] = np.unique(np.r_[even, tails]).astype(np.int64)
    return ranks[(ranks >= 1) & (ranks < max(m, 2))]


@lru_cache(maxsize=8)
def _departures(seed: int, m: int, size: int, days: int) -> NDArray[np.float32]:
    """|F of the day - F of the baseline| at the ranks, for each drawn day: (days, ranks)."""
    ranks = _ranks(m)
    cells = np.diff(np.r_[0, ranks, m]) / m
    counts = np.random.default_rng([seed, m]).multinomial(size, cells, size=days)[:, :-1]
    away: NDArray[np.float32] = np.abs(counts.cumsum(axis=1) / size - ranks / m).astype(np.float32)
    return away


def _widths(values: Floats) -> Floats:
    """How much of the column's range each rank stands for."""
    ranks = _ranks(len(values))
    between = np.r_[0, (ranks[:-1] + ranks[1:]) // 2, len(values) - 1]
    widths: Floats = np.diff(values[between])
    return widths


def _shift_by_chance(baseline: Reference, values: float, days: int) -> float | None:
    n, m = _non_zero(baseline, values)
    if m < MIN_NON_ZERO or n < 1:
        return None
    ties = np.unique(baseline.non_zero, return_counts=True)[1] / m
    variance = (1 - (ties**3).sum()) * (n + m) / (12 * n * m)
    return float(norm.isf(0.5 / (days + 1)) * np.sqrt(variance))


def _scale_by_chance(baseline: Reference, values: float, days: int) -> float | None:
    n, m = _non_zero(baseline, values)
    if m < MIN_NON_ZERO or n < 1:
        return None
    size = n * m / (n + m)
    return float(gamma.isf(0.5 / (days + 1), size) / size)


def _non_zero(baseline: Reference, values: float) -> tuple[float, int]:
    """How many of a day's values are expected not to be zero, and how many of the baseline are not."""
    m = len(baseline.non_zero)
    return values * m / baseline.size, m
