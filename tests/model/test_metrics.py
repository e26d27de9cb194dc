from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from intentscore.model.metrics import MAX_POINTS, Labels, Scores, curves, deciles, evaluate

EXACT = 1e-12

coarse_scores = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0])
fine_scores = st.floats(min_value=0, max_value=1)
session_lists = st.lists(st.tuples(st.booleans(), coarse_scores | fine_scores), min_size=1, max_size=120)


def _arrays(sessions: list[tuple[bool, float]]) -> tuple[Labels, Scores]:
    bought, scores = zip(*sessions, strict=True)
    return np.array(bought, dtype=np.bool_), np.array(scores, dtype=np.float64)


@settings(deadline=None)
@given(session_lists)
def test_probability_measures_agree_with_scikit_learn_and_their_formulas(
    sessions: list[tuple[bool, float]],
) -> None:
    y, p = _arrays(sessions)
    got = evaluate(y, p)
    assert got.n == len(y)
    assert got.buyers == y.sum()
    assert got.log_loss == pytest.approx(sklearn.metrics.log_loss(y, p, labels=[False, True]), abs=EXACT)
    assert got.brier == pytest.approx(np.mean((p - y) ** 2), abs=EXACT)
    given_outcome = np.where(y, p, 1 - p)
    if (given_outcome > 1e-9).all():
        assert got.log_loss == pytest.approx(-np.mean(np.log(given_outcome)), abs=1e-9)


@settings(deadline=None)
@given(session_lists)
def test_ranking_measures_agree_with_scikit_learn_and_their_formulas(
    sessions: list[tuple[bool, float]],
) -> None:
    y, p = _arrays(sessions)
    assume(0 < y.sum() < len(y))
    got = evaluate(y, p)
    assert got.roc_auc == pytest.approx(sklearn.metrics.roc_auc_score(y, p), abs=EXACT)
    won = (p[y][:, None] > p[~y]).mean() + (p[y][:, None] == p[~y]).mean() / 2
    assert got.roc_auc == pytest.approx(won, abs=EXACT)
    assert got.average_precision == pytest.approx(sklearn.metrics.average_precision_score(y, p), abs=EXACT)


@settings(deadline=None)
@given(session_lists, st.randoms(use_true_random=False))
def test_no_figure_depends_on_the_order_of_the_rows(sessions: list[tuple[bool, float]], random: object) -> None:
    shuffled = list(sessions)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, two = evaluate(*_arrays(sessions)).as_dict(), evaluate(*_arrays(shuffled)).as_dict()
    assert one == pytest.approx(two, abs=EXACT)
    assert deciles(*_arrays(sessions)) == deciles(*_arrays(shuffled))


def test_tied_sessions_count_as_the_mean_over_all_their_orders() -> None:
    y = np.array([True, False, True, False, False])
    p = np.array([0.9, 0.4, 0.4, 0.4, 0.1])
    top_two = [y[[0, order[0]]].sum() / y.sum() for order in permutations([1, 2, 3])]
    doubled = evaluate(np.repeat(y, 2), np.repeat(p, 2))  # 10 sessions: the top 20 % are the two at .9
    assert doubled.buyers_in_top_20 == pytest.approx(0.5)
    assert evaluate(np.repeat(y, 1), p).buyers_in_top_20 == pytest.approx(0.5)
    shares = [row.buyers for row in deciles(np.repeat(y, 2), np.repeat(p, 2))]
    assert shares == pytest.approx([1, 1, *[1 / 3] * 6, 0, 0])
    assert sum(shares[:4]) / 4 == pytest.approx(np.mean(top_two))


def test_the_top_tenth_is_rounded_up_and_is_the_first_decile() -> None:
    p = np.linspace(1, 0, 1727)
    y = np.arange(1727) < 150
    figures, rows = evaluate(y, p), deciles(y, p)
    assert [row.sessions for row in rows][:2] == [173, 173]
    assert figures.buyers_in_top_10 == 1
    assert figures.lift_at_10 == pytest.approx(1727 / 173)
    assert figures.lift_at_10 == pytest.approx(rows[0].lift)
    assert figures.lift_at_20 == pytest.approx(1727 / 346)


@given(session_lists)
def test_deciles_share_out_all_sessions_and_buyers_from_best_to_worst(
    sessions: list[tuple[bool, float]],
) -> None:
    y, p = _arrays(sessions)
    rows = deciles(y, p)
    assert len(rows) == min(10, len(y))
    assert sum(row.sessions for row in rows) == len(y)
    assert max(row.sessions for row in rows) - min(row.sessions for row in rows) <= 1
    assert sum(row.buyers for row in rows) == pytest.approx(y.sum(), abs=1e-7)
    assert all(above.lowest_score >= below.highest_score for above, below in pairwise(rows))


def test_calibration_error_is_the_mean_gap_of_ten_equal_bins() -> None:
    p = np.repeat(np.arange(10) / 10 + 0.05, 20)
    y = np.tile(np.arange(20) < 10, 10)
    assert evaluate(y, p).calibration_error == pytest.approx(np.abs(p - 0.5).mean())
    assert evaluate(y, np.full(200, 0.5)).calibration_error == pytest.approx(0, abs=EXACT)


@pytest.mark.parametrize("bought", [True, False])
def test_one_outcome_only_leaves_undefined_measures_empty(bought: bool) -> None:
    y, p = np.full(40, bought, dtype=np.bool_), np.linspace(0.1, 0.9, 40)
    got, drawn, rows = evaluate(y, p), curves(y, p), deciles(y, p)
    assert got.roc_auc is None
    assert drawn.roc == []
    assert got.log_loss > 0
    assert got.average_precision == (1.0 if bought else None)
    assert got.lift_at_10 == (pytest.approx(1.0) if bought else None)
    assert rows[0].lift == (pytest.approx(1.0) if bought else None)
    assert bool(drawn.pr) is bought
    assert len(drawn.calibration) == 10


def test_curves_are_bounded_and_run_from_corner_to_corner() -> None:
    draw = np.random.default_rng(0)
    p = draw.random(5000)
    y = draw.random(5000) < p
    drawn = curves(y, p)
    for points in (drawn.roc, drawn.pr, drawn.gain):
        assert len(points) == MAX_POINTS
    assert [drawn.roc[0], drawn.roc[-1]] == [(0.0, 0.0), (1.0, 1.0)]
    assert [drawn.gain[0], drawn.gain[-1]] == [(0.0, 0.0), (1.0, 1.0)]
    assert drawn.pr[-1] == (0.0, 1.0)
    found = np.concatenate([[0], np.cumsum(y[np.argsort(-p)])]) / y.sum()
    assert all(share == found[round(sessions * 5000)] for sessions, share in drawn.gain)
    area = np.trapezoid([tpr for _, tpr in drawn.roc], [fpr for fpr, _ in drawn.roc])
    assert area == pytest.approx(evaluate(y, p).roc_auc, abs=0.002)
    assert all(abs(score - rate) < 0.08 for score, rate in drawn.calibration)


@pytest.mark.parametrize(
    ("y", "p"),
    [([], []), ([True], [0.1, 0.2]), ([True], [1.5]), ([True, False], [0.5, float("nan")])],
    ids=["empty", "lengths differ", "above one", "not a number"],
)
def test_what_is_not_a_score_is_refused(y: list[bool], p: list[float]) -> None:
    with pytest.raises(ValueError, match=r"vectors|probability"):
        evaluate(np.array(y, dtype=np.bool_), np.array(p, dtype=np.float64))
