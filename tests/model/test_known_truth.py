"""Simulated sessions come with the probability that drew their outcome: how near does the model come to it?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from intentscore.data.schema import CODES, COUNTS, MEASURES, MONTHS
from intentscore.data.simulate import PURCHASE_PROBABILITY, draw
from intentscore.model.config import BoosterParams, TrainConfig
from intentscore.model.training import TrainedModel, fit

SESSIONS = 30_000
CONFIG = TrainConfig(
    cv_folds=3, early_stopping_rounds=40, params=BoosterParams(learning_rate=0.05, min_child_samples=60)
)


@pytest.fixture(scope="module")
def drawn() -> pd.DataFrame:
    return draw(SESSIONS, seed=5).sort_values(["SESSION_DATE", "UID"], ignore_index=True)


@pytest.fixture(scope="module")
def model(drawn: pd.DataFrame) -> TrainedModel:
    matrix = drawn[[*COUNTS, *MEASURES, *CODES]].astype(np.float64)
    matrix["MONTH_NUMBER"] = drawn["MONTH"].map(MONTHS.index).astype(np.float64)
    matrix["NEW_VISITOR"] = (drawn["VISITOR_TYPE"] == "New_Visitor").astype(np.float64)
    return fit(matrix, drawn["REVENUE"].to_numpy(), drawn["SESSION_DATE"], CONFIG.resolved(CODES))


def test_the_model_ranks_nearly_as_well_as_the_true_probability_does(drawn: pd.DataFrame, model: TrainedModel) -> None:
    past = drawn[model.split.train]
    attainable = roc_auc_score(past["REVENUE"], past[PURCHASE_PROBABILITY])
    assert model.cv.pooled.roc_auc is not None
    assert attainable - 0.012 < model.cv.pooled.roc_auc < attainable


def test_the_scores_are_calibrated(model: TrainedModel) -> None:
    assert model.cv.pooled.calibration_error < 0.01


def test_no_score_is_better_than_the_true_probability(drawn: pd.DataFrame, model: TrainedModel) -> None:
    past = drawn[model.split.train]
    truth = np.asarray(past[PURCHASE_PROBABILITY])
    brier = float(np.mean((truth - past["REVENUE"].to_numpy()) ** 2))
    assert brier < model.cv.pooled.brier < brier + 0.006
