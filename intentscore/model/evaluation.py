"""Figures of an evaluation: whole, by month, by segment and by decile, always beside the baselines."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from intentscore.model.bootstrap import Resampled, intervals
from intentscore.model.metrics import Decile, Metrics, deciles, evaluate
from intentscore.model.protocol import Examined, Labels

SMALLEST_SEGMENT = 100
SMALLER = "smaller ones"


@dataclass(frozen=True)
class ModelFigures:
    """Means over the parts of a protocol; `…_low` and `…_high` bound the 95 % interval (bootstrap)."""

    protocol: str
    model: str
    roc_auc: float | None
    auc_low: float | None
    auc_high: float | None
    average_precision: float | None
    ap_low: float | None
    ap_high: float | None
    log_loss: float | None
    brier: float | None
    brier_low: float | None
    brier_high: float | None
    calibration_error: float | None
    lift_at_10: float | None


@dataclass(frozen=True)
class MonthFigures:
    """One tested month, out of time."""

    month: str
    model: str
    sessions: int
    buyers: int
    mean_score: float
    buyer_rate: float
    roc_auc: float | None
    average_precision: float | None
    log_loss: float
    brier: float
    calibration_error: float


@dataclass(frozen=True)
class SegmentFigures:
    """The sessions of one protocol that share a value; each counts once, with the mean of its scores."""

    protocol: str
    segment: str
    value: str
    sessions: int
    buyers: int
    mean_score: float
    buyer_rate: float
    roc_auc: float | None
    average_precision: float | None
    brier: float


def model_figures(protocol: str, model: str, tested: Examined, resampled: Resampled, bought: Labels) -> ModelFigures:
    """`bought`: bool (n,), outcomes of all rows."""
    sure = intervals(resampled)
    auc, precision, brier = sure["roc_auc"], sure["average_precision"], sure["brier"]
    by_part = _by_part(tested, bought)
    return ModelFigures(
        protocol=protocol,
        model=model,
        roc_auc=auc.value,
        auc_low=auc.low,
        auc_high=auc.high,
        average_precision=precision.value,
        ap_low=precision.low,
        ap_high=precision.high,
        log_loss=sure["log_loss"].value,
        brier=brier.value,
        brier_low=brier.low,
        brier_high=brier.high,
        calibration_error=statistics.fmean(part.calibration_error for part in by_part),
        lift_at_10=_mean([part.lift_at_10 for part in by_part]),
    )


def month_figures(models: Mapping[str, Examined], bought: Labels) -> tuple[MonthFigures, ...]:
    """Each tested month of `out_of_time` for each model, month by month."""
    rows = []
    for number, part in enumerate(next(iter(models.values())).parts):
        for model, tested in models.items():
            scores, outcomes = tested.scores[number], bought[part.test]
            measured = evaluate(outcomes, scores)
            rows.append(
                MonthFigures(
                    month=part.name,
                    model=model,
                    sessions=measured.n,
                    buyers=measured.buyers,
                    mean_score=float(scores.mean()),
                    buyer_rate=float(outcomes.mean()),
                    roc_auc=measured.roc_auc,
                    average_precision=measured.average_precision,
                    log_loss=measured.log_loss,
                    brier=measured.brier,
                    calibration_error=measured.calibration_error,
                )
            )
    return tuple(rows)


def segment_figures(
    protocol: str, tested: Examined, bought: Labels, segments: pd.DataFrame
) -> tuple[SegmentFigures, ...]:
    """`segments`: text (n, s), a column per way of dividing the sessions. Values with fewer than
    `SMALLEST_SEGMENT` sessions are taken together.
    """
    rows, scores = tested.pooled()
    outcomes = bought[rows]
    found = []
    for segment in segments.columns:
        values = _values(segments[segment].iloc[rows])
        for value in sorted(values.unique(), key=lambda value: (value == SMALLER, value)):
            chosen = (values == value).to_numpy()
            measured = evaluate(outcomes[chosen], scores[chosen])
            found.append(
                SegmentFigures(
                    protocol=protocol,
                    segment=str(segment),
                    value=str(value),
                    sessions=measured.n,
                    buyers=measured.buyers,
                    mean_score=float(scores[chosen].mean()),
                    buyer_rate=float(outcomes[chosen].mean()),
                    roc_auc=measured.roc_auc,
                    average_precision=measured.average_precision,
                    brier=measured.brier,
                )
            )
    return tuple(found)


def score_deciles(tested: Examined, bought: Labels) -> tuple[Decile, ...]:
    """Lift, and calibration (mean score against buyer rate), by tenth of the tested sessions."""
    rows, scores = tested.pooled()
    return deciles(bought[rows], np.clip(scores, 0, 1))


def _by_part(tested: Examined, bought: Labels) -> list[Metrics]:
    return [evaluate(bought[part.test], scores) for part, scores in zip(tested.parts, tested.scores, strict=True)]


def _values(column: pd.Series[Any]) -> pd.Series[str]:
    named = column.astype(str).reset_index(drop=True)
    counts = named.map(named.value_counts())
    return named.where(counts >= SMALLEST_SEGMENT, SMALLER)


def _mean(values: list[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return statistics.fmean(defined) if defined else None
