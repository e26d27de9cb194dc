from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import RepeatedStratifiedKFold

from intentscore.errors import DataError
from intentscore.model.bootstrap import intervals, resample
from intentscore.model.config import TrainConfig
from intentscore.model.evaluation import SMALLER, model_figures, month_figures, segment_figures
from intentscore.model.learners import boosted, constant_rate, logistic_regression
from intentscore.model.metrics import evaluate
from intentscore.model.protocol import Examined, Labels, Scores, examine, out_of_time, repeated_folds

from .conftest import Sessions


def _score(past: pd.DataFrame, bought: Labels, unseen: pd.DataFrame) -> Scores:
    """A rule that needs no learning."""
    return np.asarray(np.where(unseen.PAGE_VALUES > 0, 0.6, 0.1))


def test_protocol_t_is_scikit_learns_repeated_folds(sessions: Sessions) -> None:
    parts = repeated_folds(sessions.bought)
    dealt = RepeatedStratifiedKFold(n_splits=3, n_repeats=3, random_state=0).split(sessions.matrix, sessions.bought)
    for part, (train, test) in zip(parts, dealt, strict=True):
        assert np.array_equal(part.train, train)
        assert np.array_equal(part.test, test)
    assert [part.name for part in parts][:4] == ["1.1", "1.2", "1.3", "2.1"]


def test_protocol_o_learns_from_all_months_before_the_tested_one(sessions: Sessions) -> None:
    month = sessions.dates.dt.strftime("%Y-%m").to_numpy()
    parts = out_of_time(sessions.dates)
    assert [part.name for part in parts] == ["2024-09", "2024-10", "2024-11"]
    for part in parts:
        assert set(month[part.test]) == {part.name}
        assert max(month[part.train]) < part.name
        assert len(part.train) == (month < part.name).sum()
    assert [part.name for part in out_of_time(sessions.dates, months=1)] == ["2024-11"]


def test_too_few_months_or_buyers_are_refused(sessions: Sessions) -> None:
    with pytest.raises(DataError, match="load more months"):
        out_of_time(sessions.dates[:10])
    with pytest.raises(DataError, match="2 buyers are too few"):
        repeated_folds(np.arange(50) < 2)


def test_no_learner_is_shown_the_outcome_of_a_session_it_scores(sessions: Sessions) -> None:
    bought = sessions.bought.copy()
    parts = out_of_time(sessions.dates, months=1)
    before = examine(logistic_regression(["VISITOR_CODE"]), sessions.matrix, bought, parts)
    bought[parts[0].test] = ~bought[parts[0].test]
    after = examine(logistic_regression(["VISITOR_CODE"]), sessions.matrix, bought, parts)
    assert np.array_equal(before.scores[0], after.scores[0])


def test_pooled_scores_are_means_over_the_repeats(sessions: Sessions) -> None:
    parts = repeated_folds(sessions.bought)
    tested = Examined(parts, tuple(np.full(len(part.test), float(part.name[0]) / 10) for part in parts))
    rows, scores = tested.pooled()
    assert np.array_equal(rows, np.arange(len(sessions.bought)))
    assert scores == pytest.approx(np.full(len(rows), 0.2))


def test_figures_are_means_over_the_parts_with_intervals_around_them(sessions: Sessions) -> None:
    parts = repeated_folds(sessions.bought)
    tested = examine(_score, sessions.matrix, sessions.bought, parts)
    got = model_figures("T", "rule", tested, resample(tested, sessions.bought), sessions.bought)
    by_part = [evaluate(sessions.bought[part.test], s) for part, s in zip(parts, tested.scores, strict=True)]
    for name in ("roc_auc", "average_precision", "log_loss", "brier", "calibration_error", "lift_at_10"):
        assert getattr(got, name) == pytest.approx(np.mean([getattr(m, name) for m in by_part]), abs=1e-12)
    assert got.auc_low is not None
    assert got.auc_high is not None
    assert got.roc_auc is not None
    assert 0.01 < got.auc_high - got.auc_low < 0.1
    assert got.auc_low < got.roc_auc < got.auc_high


def test_every_learner_beats_the_constant_rate(sessions: Sessions, config: TrainConfig) -> None:
    parts = out_of_time(sessions.dates)
    learners = {
        "model": boosted(config, sessions.dates),
        "line": logistic_regression(["VISITOR_CODE"]),
        "rate": constant_rate,
    }
    found = {name: examine(one, sessions.matrix, sessions.bought, parts) for name, one in learners.items()}
    losses = {name: intervals(resample(one, sessions.bought, 1))["log_loss"].value for name, one in found.items()}
    assert losses["rate"] is not None
    for name in ("model", "line"):
        loss = losses[name]
        assert loss is not None
        assert loss < losses["rate"]
    assert [(row.month, row.model) for row in month_figures(found, sessions.bought)][:4] == [
        ("2024-09", "model"),
        ("2024-09", "line"),
        ("2024-09", "rate"),
        ("2024-10", "model"),
    ]


def test_small_segments_are_taken_together(sessions: Sessions) -> None:
    tested = examine(_score, sessions.matrix, sessions.bought, repeated_folds(sessions.bought))
    kinds = pd.Series(["a"] * 800 + ["b"] * 700 + ["c"] * 60 + ["d"] * 40)
    rows = segment_figures("T", tested, sessions.bought, pd.DataFrame({"kind": kinds}))
    assert [(row.value, row.sessions) for row in rows] == [("a", 800), ("b", 700), (SMALLER, 100)]
    assert sum(row.buyers for row in rows) == sessions.bought.sum()
