from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from intentscore.model.config import TrainConfig
from intentscore.model.training import TrainedModel, fit


@dataclass(frozen=True)
class Sessions:
    """Made-up sessions of four months, ordered by day; page value and visitor decide most of the outcome."""

    matrix: pd.DataFrame
    bought: NDArray[np.bool_]
    dates: pd.Series[Any]


def _sessions(n: int = 1600) -> Sessions:
    draw = np.random.default_rng(3)
    matrix = pd.DataFrame(
        {
            "PAGE_VALUES": np.where(draw.random(n) < 0.3, draw.exponential(20, n), 0.0),
            "EXIT_RATES": draw.beta(1, 20, n),
            "VISITOR_CODE": draw.integers(1, 4, n).astype(np.float64),
            "NOISE": np.where(draw.random(n) < 0.1, np.nan, draw.normal(size=n)),
        }
    )
    log_odds = -3 + 3 * (matrix.PAGE_VALUES > 0) + (matrix.VISITOR_CODE == 2) - 20 * matrix.EXIT_RATES
    bought = np.asarray(draw.random(n) < 1 / (1 + np.exp(-log_odds)))
    days = pd.date_range("2024-08-01", "2024-11-30", periods=n).normalize()
    return Sessions(matrix, bought, pd.Series(days))


@pytest.fixture(scope="session")
def sessions() -> Sessions:
    return _sessions()


@pytest.fixture(scope="session")
def config() -> TrainConfig:
    return TrainConfig.model_validate(
        {
            "cv_folds": 3,
            "fold_by": "sessions",
            "boosters": 1,
            "num_boost_round": 200,
            "early_stopping_rounds": 20,
            "categorical": ["VISITOR_CODE"],
            "params": {"learning_rate": 0.1, "num_leaves": 8, "colsample_bytree": 0.8},
        }
    )


@pytest.fixture(scope="session")
def trained(sessions: Sessions, config: TrainConfig) -> TrainedModel:
    return fit(sessions.matrix, sessions.bought, sessions.dates, config)
