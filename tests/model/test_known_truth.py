"""Simulated sessions come with the probability that drew their outcome: how near does the model come to it?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from intentscore.data.schema import CODES, COUNTS, MEASURES, MONTHS
from intentscore.data.simulate import PURCHASE_PROBABILITY, draw
from intentscore.model.boosting import learn
from intentscore.model.config import load_train_config
from intentscore.model.metrics import Metrics, evaluate
from intentscore.warehouse.tables import VISITORS

SESSIONS = 30_000
LARGE = Path(__file__).parents[2] / "configs" / "train-large.yaml"


@dataclass(frozen=True)
class Measured:
    """On sessions of another draw: the model that learned, and the probability that drew their outcomes."""

    model: Metrics
    truth: Metrics


def _inputs(drawn: pd.DataFrame) -> pd.DataFrame:
    inputs = drawn[[*COUNTS, *MEASURES, *CODES]].astype(np.float64)
    inputs["MONTH_NUMBER"] = drawn["MONTH"].map(MONTHS.index).astype(np.float64)
    inputs["VISITOR_CODE"] = drawn["VISITOR_TYPE"].map(VISITORS.index).astype(np.float64)
    return inputs


@pytest.fixture(scope="module")
def measured() -> Measured:
    config = load_train_config(LARGE).model_copy(update={"cv_folds": 2})
    past, unseen = draw(SESSIONS, seed=5), draw(SESSIONS, seed=6)
    codes = config.categorical or ()
    booster, _ = learn(_inputs(past), past["REVENUE"].to_numpy(), past["SESSION_DATE"], codes, config)
    bought = unseen["REVENUE"].to_numpy()
    scores = np.asarray(booster.predict(_inputs(unseen).to_numpy()), dtype=np.float64)
    return Measured(evaluate(bought, scores), evaluate(bought, unseen[PURCHASE_PROBABILITY].to_numpy()))


def test_the_model_ranks_nearly_as_well_as_the_true_probability_does(measured: Measured) -> None:
    assert measured.truth.roc_auc is not None
    assert measured.model.roc_auc is not None
    assert measured.truth.roc_auc - 0.005 < measured.model.roc_auc < measured.truth.roc_auc


def test_the_scores_are_calibrated(measured: Measured) -> None:
    assert measured.model.calibration_error < 0.01


def test_no_score_is_better_than_the_true_probability(measured: Measured) -> None:
    assert measured.truth.brier < measured.model.brier < measured.truth.brier + 0.002
