"""How good are the scores? Ranking, probability and money's-worth measures of one set of sessions.

Where sessions have equal scores, those that straddle a cut (top 10 %, a decile, a calibration bin) count in
proportion: the number of buyers is the mean over every order the tied sessions could be put in, so that no
figure depends on the order of the rows.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    log_loss,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

Labels = NDArray[np.bool_]
Scores = NDArray[np.float64]
Points = list[tuple[float, float]]

BINS = 10
MAX_POINTS = 200


@dataclass(frozen=True)
class Metrics:
    """None where undefined: `roc_auc` when all or none bought, the other measures of ranking when none did.

    `buyers_in_top_10`: share of all buyers among the best-scored 10 % of sessions, their number rounded up;
    `lift_at_10`: buyer rate among them over the buyer rate of all.
    """

    n: int
    buyers: int
    roc_auc: float | None
    average_precision: float | None
    log_loss: float
    brier: float
    calibration_error: float
    lift_at_10: float | None
    lift_at_20: float | None
    buyers_in_top_10: float | None
    buyers_in_top_20: float | None

    def as_dict(self) -> dict[str, float | None]:
        return asdict(self)


@dataclass(frozen=True)
class Decile:
    """A tenth of the sessions, 1 the best; `buyers` is fractional where equal scores straddle a cut."""

    decile: int
    sessions: int
    buyers: float
    lowest_score: float
    highest_score: float
    mean_score: float
    buyer_rate: float
    lift: float | None


@dataclass(frozen=True)
class Curves:
    """Points (x, y), at most `MAX_POINTS` of each curve; empty where the curve is undefined.

    roc: false against true positive rate; pr: recall against precision; gain: share of sessions, best scores
    first, against share of buyers; calibration: mean score against buyer rate in ten bins of equal size.
    """

    roc: Points
    pr: Points
    gain: Points
    calibration: Points


def evaluate(y: Labels, p: Scores) -> Metrics:
    """All measures of scores `p` in [0, 1], float64 (n,), against outcomes `y`, bool (n,).

    ROC AUC, average precision, log loss (natural logarithm) and Brier score are scikit-learn's:
    https://scikit-learn.org/stable/modules/model_evaluation.html. Raises ValueError when the shapes differ,
    there is no session, or a score is not a probability.
    """
    y, p = _checked(y, p)
    buyers = int(y.sum())
    ranked = _best_first(y, p)
    top_10, top_20 = (_share_of_buyers(ranked, tenths) for tenths in (1, 2))
    return Metrics(
        n=len(y),
        buyers=buyers,
        roc_auc=float(roc_auc_score(y, p)) if 0 < buyers < len(y) else None,
        average_precision=float(average_precision_score(y, p)) if buyers else None,
        log_loss=float(log_loss(y, p, labels=[False, True])),
        brier=float(brier_score_loss(y, p)),
        calibration_error=_calibration_error(ranked),
        lift_at_10=_lift(ranked, top_10, 1),
        lift_at_20=_lift(ranked, top_20, 2),
        buyers_in_top_10=top_10,
        buyers_in_top_20=top_20,
    )


def deciles(y: Labels, p: Scores) -> tuple[Decile, ...]:
    """Tenths of the sessions by score, best first; fewer than ten when there are fewer than ten sessions."""
    ranked = _best_first(*_checked(y, p))
    base_rate = float(ranked.bought.mean())
    rows = []
    for number, part in enumerate(_bins(ranked), start=1):
        score, bought = ranked.score[part], ranked.bought[part]
        rate = float(bought.mean())
        rows.append(
            Decile(
                decile=number,
                sessions=len(score),
                buyers=round(float(bought.sum()), 9),
                lowest_score=float(score[-1]),
                highest_score=float(score[0]),
                mean_score=float(score.mean()),
                buyer_rate=rate,
                lift=rate / base_rate if base_rate else None,
            )
        )
    return tuple(rows)


def curves(y: Labels, p: Scores) -> Curves:
    y, p = _checked(y, p)
    ranked = _best_first(y, p)
    both = 0 < y.sum() < len(y)
    return Curves(
        roc=_thinned(*roc_curve(y, p)[:2]) if both else [],
        pr=_thinned(*precision_recall_curve(y, p)[1::-1]) if y.any() else [],
        gain=_gain(ranked) if y.any() else [],
        calibration=_thinned(*_calibration(ranked)),
    )


@dataclass(frozen=True)
class _Ranked:
    """Scores in descending order; `bought` is the outcome, averaged over the sessions that share a score."""

    score: Scores
    bought: Scores


def _checked(y: Labels, p: Scores) -> tuple[Labels, Scores]:
    y, p = np.asarray(y, dtype=np.bool_), np.asarray(p, dtype=np.float64)
    if y.ndim != 1 or y.shape != p.shape or not len(y):
        raise ValueError(f"outcomes {y.shape} and scores {p.shape} must be two equally long, non-empty vectors")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("a score is not a probability between 0 and 1")
    return y, p


def _best_first(y: Labels, p: Scores) -> _Ranked:
    scores, group, size = np.unique(-p, return_inverse=True, return_counts=True)
    rate = np.bincount(group, weights=y) / size
    return _Ranked(np.repeat(-scores, size), np.repeat(rate, size))


def _cuts(n: int) -> NDArray[np.int64]:
    """Row counts of the best 0, 1, … 10 tenths, each rounded up."""
    return -(-np.arange(BINS + 1, dtype=np.int64) * n // BINS)


def _bins(ranked: _Ranked) -> list[slice]:
    cuts = _cuts(len(ranked.score)).tolist()
    return [slice(start, end) for start, end in pairwise(cuts) if end > start]


def _share_of_buyers(ranked: _Ranked, tenths: int) -> float | None:
    buyers = ranked.bought.sum()
    return float(ranked.bought[: _cuts(len(ranked.score))[tenths]].sum() / buyers) if buyers else None


def _lift(ranked: _Ranked, share_of_buyers: float | None, tenths: int) -> float | None:
    n = len(ranked.score)
    return None if share_of_buyers is None else share_of_buyers * n / int(_cuts(n)[tenths])


def _calibration(ranked: _Ranked) -> tuple[Scores, Scores]:
    """Mean score and buyer rate of each bin, lowest scores first."""
    bins = _bins(ranked)[::-1]
    return np.array([ranked.score[b].mean() for b in bins]), np.array([ranked.bought[b].mean() for b in bins])


def _calibration_error(ranked: _Ranked) -> float:
    """ECE = sum over bins b of n_b / n * |buyer rate_b - mean score_b|, ten bins of equal size.

    Expected calibration error: Naeini, Cooper, Hauskrecht, "Obtaining Well Calibrated Probabilities Using
    Bayesian Binning", AAAI 2015; bins of equal size: Nixon et al., "Measuring Calibration in Deep Learning",
    CVPR Workshops 2019.
    """
    score, rate = _calibration(ranked)
    size = np.array([b.stop - b.start for b in _bins(ranked)[::-1]])
    return float((size * np.abs(rate - score)).sum() / len(ranked.score))


def _gain(ranked: _Ranked) -> Points:
    n = len(ranked.score)
    found = np.concatenate([[0.0], np.cumsum(ranked.bought)])
    return _thinned(np.arange(n + 1) / n, found / found[-1])


def _thinned(x: Scores, y: Scores) -> Points:
    """At most MAX_POINTS of the points, evenly spaced by position, both ends kept."""
    keep = np.unique(np.linspace(0, len(x) - 1, MAX_POINTS).round().astype(np.int64))
    return list(zip(x[keep].tolist(), y[keep].tolist(), strict=True))
