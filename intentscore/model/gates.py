"""May a challenger take the champion's place? Every condition is a gate, and one that is shut is enough to refuse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from intentscore.model.bootstrap import LOWER_IS_BETTER, Difference, differences, resample
from intentscore.model.evaluation import ModelFigures, SegmentFigures, model_figures, segment_figures
from intentscore.model.protocol import Examined, Labels, Part, Scores
from intentscore.settings import PromotionSettings

CHAMPION, CHALLENGER = "champion", "challenger"
DECIMALS = 5


@dataclass(frozen=True)
class Gate:
    """`found` and `required` in words."""

    gate: str
    passed: bool
    found: str
    required: str


@dataclass(frozen=True)
class Judgement:
    """`differences` are challenger minus champion, paired by session; empty without enough sessions."""

    sessions: int
    buyers: int
    figures: tuple[ModelFigures, ...]
    differences: tuple[Difference, ...]
    gates: tuple[Gate, ...]


def judge(
    bought: Labels, champion: Scores, challenger: Scores, segments: pd.DataFrame, limits: PromotionSettings
) -> Judgement:
    """Both models' scores (n,) of the same sessions, which neither learned from; `segments`: text (n, s).

    Without the minimum sample there are no figures: what so few sessions say is no ground for or against.
    """
    sessions, buyers = len(bought), int(bought.sum())
    sample = _sample_gate(sessions, buyers, limits)
    if not sample.passed:
        return Judgement(sessions, buyers, (), (), (sample,))
    rows = np.arange(sessions)
    parts = (Part("out of time", rows[:0], rows),)
    examined = {CHAMPION: Examined(parts, (champion,)), CHALLENGER: Examined(parts, (challenger,))}
    resampled = {name: resample(one, bought) for name, one in examined.items()}
    figures = tuple(model_figures("out of time", n, one, resampled[n], bought) for n, one in examined.items())
    compared = differences(resampled[CHALLENGER], resampled[CHAMPION])
    by_segment = [segment_figures("out of time", one, bought, segments) for one in examined.values()]
    gates = (
        sample,
        _improvement_gate(compared, limits),
        *_calibration_gates(figures[0], figures[1], limits),
        _segment_gate(by_segment[0], by_segment[1], limits),
    )
    return Judgement(sessions, buyers, figures, compared, gates)


def _sample_gate(sessions: int, buyers: int, limits: PromotionSettings) -> Gate:
    return Gate(
        "sample",
        sessions >= limits.min_sessions and min(buyers, sessions - buyers) >= limits.min_buyers,
        f"{sessions:,} sessions with {buyers:,} buyers that neither version learned from",
        f"at least {limits.min_sessions:,} sessions and {limits.min_buyers:,} buyers",
    )


def _improvement_gate(compared: tuple[Difference, ...], limits: PromotionSettings) -> Gate:
    (found,) = (row for row in compared if row.measure == limits.measure)
    sign = -1 if limits.measure in LOWER_IS_BETTER else 1
    gain, bounds = sign * (found.difference or 0.0), [sign * (found.low or 0.0), sign * (found.high or 0.0)]
    return Gate(
        "improvement",
        min(bounds) > limits.margin,
        _gain_in_words(limits.measure, gain, min(bounds), max(bounds)),
        f"an interval wholly above {limits.margin:g}",
    )


def _gain_in_words(measure: str, gain: float, low: float, high: float) -> str:
    shown = [round(value, DECIMALS) + 0.0 for value in (gain, low, high)]  # + 0.0: no minus before a zero
    if not any(shown):
        return f"{measure} the same as the champion's"
    told = f"{'worse' if shown[0] < 0 else 'better'} by {abs(shown[0]):.{DECIMALS}f}"
    return f"{measure} {told}, 95 % interval of the gain {shown[1]:.{DECIMALS}f} to {shown[2]:.{DECIMALS}f}"


def _calibration_gates(
    champion: ModelFigures, challenger: ModelFigures, limits: PromotionSettings
) -> tuple[Gate, Gate]:
    error, before = challenger.calibration_error or 0.0, champion.calibration_error or 0.0
    return (
        Gate(
            "calibration",
            error <= limits.max_calibration_error,
            f"calibration error {error:.4f}",
            f"at most {limits.max_calibration_error:g}",
        ),
        Gate(
            "calibration beside the champion",
            error <= before + limits.max_calibration_loss,
            f"calibration error {error:.4f}, the champion's {before:.4f}",
            f"at most {limits.max_calibration_loss:g} more than the champion's",
        ),
    )


def _segment_gate(
    champion: tuple[SegmentFigures, ...], challenger: tuple[SegmentFigures, ...], limits: PromotionSettings
) -> Gate:
    losses = [
        (old.roc_auc - new.roc_auc, f"{old.segment} {old.value}")
        for old, new in zip(champion, challenger, strict=True)
        if old.roc_auc is not None
        and new.roc_auc is not None
        and min(old.buyers, old.sessions - old.buyers) >= limits.min_segment_buyers
    ]
    loss, where = max(losses, default=(0.0, "no segment is large enough"))
    return Gate(
        "segments",
        loss <= limits.max_segment_loss,
        f"largest loss of ROC AUC {max(loss, 0.0):.4f} ({where})",
        f"at most {limits.max_segment_loss:g} in any segment with {limits.min_segment_buyers} buyers",
    )
