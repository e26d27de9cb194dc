from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intentscore.model import bootstrap
from intentscore.model.bootstrap import MEASURES, Difference, Interval, differences, intervals, resample
from intentscore.model.metrics import evaluate
from intentscore.model.protocol import Examined, Labels, Part, Scores


def _tested(scores: Scores) -> Examined:
    rows = np.arange(len(scores))
    return Examined((Part("one", rows[:0], rows),), (scores,))


def _intervals(y: Labels, p: Scores, resamplings: int = 1000) -> dict[str, Interval]:
    return intervals(resample(_tested(p), y, resamplings))


def _differences(y: Labels, p: Scores, q: Scores) -> tuple[Difference, ...]:
    return differences(resample(_tested(p), y, 200), resample(_tested(q), y, 200))


def _drawn(n: int, seed: int = 0) -> tuple[Labels, Scores]:
    draw = np.random.default_rng(seed)
    p = draw.beta(1, 4, n)
    return draw.random(n) < p, p


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.4, 0.4001, 1.0])), min_size=2, max_size=60))
def test_the_measured_value_is_that_of_the_metrics(pairs: list[tuple[bool, float]]) -> None:
    y, p = (np.array(column) for column in zip(*pairs, strict=True))
    expected = evaluate(y, p).as_dict()
    for name, interval in _intervals(y, p, 3).items():
        if interval.value is not None:
            assert interval.value == pytest.approx(expected[name], abs=1e-12)
        else:
            assert name not in ("log_loss", "brier")


def test_an_interval_narrows_with_the_root_of_the_number_of_sessions() -> None:
    widths = []
    for n in (1000, 4000):
        y, p = _drawn(n)
        auc = _intervals(y, p)["roc_auc"]
        assert auc.low is not None
        assert auc.high is not None
        widths.append(auc.high - auc.low)
    assert widths[0] / widths[1] == pytest.approx(2, rel=0.25)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    truth = _intervals(*_drawn(200_000, seed=99), 2)["brier"].value
    assert truth is not None
    covered = 0
    for seed in range(60):
        y, p = _drawn(400, seed)
        found = _intervals(y, p, 200)["brier"]
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= truth <= found.high
    assert covered >= 51


def test_a_model_compared_with_itself_differs_by_nothing() -> None:
    y, p = _drawn(500)
    for row in _differences(y, p, p):
        assert (row.difference, row.low, row.high, row.p_value, row.better) == (0, 0, 0, 1, None)


def test_a_clearly_worse_model_is_said_to_be_worse_by_every_measure() -> None:
    y, p = _drawn(3000)
    blurred = np.clip(p + np.random.default_rng(1).normal(0, 0.3, len(p)), 0.01, 0.99)
    rows = _differences(y, p, blurred)
    assert [row.measure for row in rows] == list(MEASURES)
    assert [row.better for row in rows] == [True] * 4
    assert [row.better for row in _differences(y, blurred, p)] == [False] * 4
    assert all(row.p_value is not None and row.p_value < 0.02 for row in rows)


def test_other_sessions_are_not_compared() -> None:
    y, p = _drawn(100)
    with pytest.raises(ValueError, match="same sessions"):
        _differences(y, p, p[:50])


def test_many_sessions_are_drawn_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    y, p = _drawn(1000)
    assert len(resample(_tested(p), y).values) == 1 + 1000
    for most, resamplings in ((400_000, 400), (10_000, 200)):
        monkeypatch.setattr(bootstrap, "MOST_DRAWN", most)
        assert len(resample(_tested(p), y).values) == 1 + resamplings
