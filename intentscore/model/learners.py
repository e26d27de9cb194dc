"""What `evaluate` lets learn: a configuration's booster, and the baselines that keep it honest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from intentscore.model.boosting import learn
from intentscore.model.config import TrainConfig
from intentscore.model.protocol import Labels, Learner, Scores

MAX_ITERATIONS = 2000


def boosted(config: TrainConfig, dates: pd.Series[Any]) -> Learner:
    """The model `train` would make of the sessions. `config` is resolved and its `exclude` names features; `dates`
    are of all sessions, under the index of the matrices.
    """

    def score(past: pd.DataFrame, bought: Labels, unseen: pd.DataFrame) -> Scores:
        names = [name for name in past.columns if name not in config.exclude]
        categorical = [name for name in config.categorical or () if name in names]
        booster, _ = learn(past[names], bought, dates.loc[past.index], categorical, config)
        return np.asarray(booster.predict(unseen[names].to_numpy()), dtype=np.float64)

    return score


def constant_rate(past: pd.DataFrame, bought: Labels, unseen: pd.DataFrame) -> Scores:
    """Every session gets the share of buyers among those learned from."""
    return np.full(len(unseen), float(bought.mean()))


def logistic_regression(categorical: Sequence[str], exclude: Sequence[str] = ()) -> Learner:
    """Standardised numbers, one indicator per category, L2 penalty (C = 1); missing values count as 0.

    What the model beside it must not use (`exclude`, names of features) it does without, too.
    """

    def score(past: pd.DataFrame, bought: Labels, unseen: pd.DataFrame) -> Scores:
        names = [name for name in past.columns if name not in exclude]
        codes = [name for name in names if name in categorical]
        numbers = [name for name in names if name not in categorical]
        prepare = make_column_transformer(
            (StandardScaler(), numbers), (OneHotEncoder(handle_unknown="ignore", sparse_output=False), codes)
        )
        model = make_pipeline(prepare, LogisticRegression(max_iter=MAX_ITERATIONS))
        with threadpool_limits(1):  # the same digits whatever the machine's cores, which gain nothing at this size
            model.fit(past.fillna(0.0), bought)
            return np.asarray(model.predict_proba(unseen.fillna(0.0))[:, 1], dtype=np.float64)

    return score
