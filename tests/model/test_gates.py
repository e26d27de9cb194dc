from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from intentscore.model.gates import Judgement, judge
from intentscore.model.protocol import Labels, Scores
from intentscore.settings import PromotionSettings

LIMITS = PromotionSettings()
N = 4000


def _truth() -> tuple[Labels, Scores]:
    draw = np.random.default_rng(5)
    p = draw.beta(0.6, 2.4, N)
    return draw.random(N) < p, p


def _blurred(p: Scores, noise: float = 0.8) -> Scores:
    log_odds = np.log(p / (1 - p)) + np.random.default_rng(6).normal(0, noise, len(p))
    return np.asarray(1 / (1 + np.exp(-log_odds)))


def _judged(
    champion: Scores, challenger: Scores, limits: PromotionSettings = LIMITS, rows: slice = slice(None)
) -> Judgement:
    bought, _ = _truth()
    kinds = pd.DataFrame({"kind": np.where(np.arange(N) < 500, "few", "many")})
    return judge(bought[rows], champion[rows], challenger[rows], kinds.iloc[rows], limits)


def _shut(judgement: Judgement) -> list[str]:
    return [gate.gate for gate in judgement.gates if not gate.passed]


def test_a_better_challenger_passes_every_gate() -> None:
    _, p = _truth()
    judgement = _judged(_blurred(p), p)
    assert _shut(judgement) == []
    assert [gate.gate for gate in judgement.gates] == [
        "sample",
        "improvement",
        "calibration",
        "calibration beside the champion",
        "segments",
    ]
    assert all(row.better for row in judgement.differences)


def test_a_worse_challenger_is_refused_for_it() -> None:
    _, p = _truth()
    assert "improvement" in _shut(_judged(p, _blurred(p)))


def test_a_challenger_no_better_than_chance_would_make_it_is_refused() -> None:
    _, p = _truth()
    one, other = _blurred(p, 0.3), 1 - _blurred(1 - p, 0.3)
    judgement = _judged(one, other, LIMITS.model_copy(update={"margin": 0.001}))
    assert "improvement" in _shut(judgement)
    assert _shut(_judged(p, p)) == ["improvement"]


def test_too_few_sessions_or_buyers_are_no_ground_to_judge() -> None:
    _, p = _truth()
    judgement = _judged(_blurred(p), p, rows=slice(0, 499))
    assert _shut(judgement) == ["sample"]
    assert not judgement.figures
    assert not judgement.differences
    assert "499 sessions" in judgement.gates[0].found
    assert _shut(_judged(_blurred(p), p, LIMITS.model_copy(update={"min_buyers": N}))) == ["sample"]


def test_a_miscalibrated_challenger_is_refused_however_well_it_ranks() -> None:
    _, p = _truth()
    judgement = _judged(_blurred(p), p**3, LIMITS.model_copy(update={"measure": "roc_auc"}))
    assert _shut(judgement) == ["calibration", "calibration beside the champion"]


def test_a_challenger_that_fails_a_segment_is_refused_for_it() -> None:
    _, p = _truth()
    champion, challenger = _blurred(p), p.copy()
    challenger[:500] = _blurred(p, 2.5)[:500]
    judgement = _judged(champion, challenger, LIMITS.model_copy(update={"max_calibration_loss": 1}))
    assert "segments" in _shut(judgement)
    assert "kind few" in judgement.gates[-1].found
    small = LIMITS.model_copy(update={"max_calibration_loss": 1, "min_segment_buyers": 400})
    assert "segments" not in _shut(_judged(champion, challenger, small))


@pytest.mark.parametrize("measure", ["roc_auc", "average_precision", "log_loss", "brier"])
def test_every_measure_can_decide(measure: str) -> None:
    _, p = _truth()
    limits = PromotionSettings.model_validate({"measure": measure})
    assert _shut(_judged(_blurred(p), p, limits)) == []
    assert "improvement" in _shut(_judged(p, _blurred(p), limits))


def test_the_gain_is_told_as_better_worse_or_the_same() -> None:
    _, p = _truth()
    found = {}
    for told, (champion, challenger) in {"better": (_blurred(p), p), "worse": (p, _blurred(p)), "same": (p, p)}.items():
        (gate,) = (gate for gate in _judged(champion, challenger).gates if gate.gate == "improvement")
        found[told] = gate.found
    assert re.fullmatch(r"log_loss better by 0\.\d{5}, 95 % interval of the gain 0\.\d{5} to 0\.\d{5}", found["better"])
    assert re.fullmatch(r"log_loss worse by 0\.\d{5}, 95 % interval of the gain -0\.\d{5} to -0\.\d{5}", found["worse"])
    assert found["same"] == "log_loss the same as the champion's"
