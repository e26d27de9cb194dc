"""LightGBM through its own API: the same matrix and configuration give the same trees, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from intentscore.errors import DataError
from intentscore.model.config import TrainConfig

Fold = tuple[NDArray[np.int64], NDArray[np.int64]]

REPRODUCIBLE = {"deterministic": True, "force_row_wise": True, "num_threads": 1, "verbosity": -1}


@dataclass(frozen=True)
class CrossValidated:
    """`rounds` is where the mean log loss of the left-out sessions is lowest, the only thing they decide;
    `scores` (n,) were given, after that many rounds, by the booster that had not seen the session.
    """

    rounds: int
    folds: tuple[Fold, ...]
    scores: NDArray[np.float64]


def boost(
    matrix: pd.DataFrame,
    bought: NDArray[np.bool_],
    categorical: Sequence[str],
    rounds: int,
    config: TrainConfig,
) -> lgb.Booster:
    """`rounds` trees on all rows. `matrix`: float64 (n, f), NaN = missing; `bought`: bool (n,)."""
    parameters = _parameters(config)
    return lgb.train(parameters, _dataset(matrix, bought, categorical, parameters), num_boost_round=rounds)


def cross_validate(
    matrix: pd.DataFrame, bought: NDArray[np.bool_], categorical: Sequence[str], config: TrainConfig
) -> CrossValidated:
    """Boosters of stratified folds grow side by side until the mean log loss of the left-out sessions has
    not improved for `early_stopping_rounds`. Shapes as in `boost`.

    Raises DataError when there are fewer buyers, or fewer non-buyers, than folds.
    """
    folds = _stratified_folds(bought, config)
    parameters = _parameters(config)
    result = lgb.cv(
        parameters,
        _dataset(matrix, bought, categorical, parameters),
        num_boost_round=config.num_boost_round,
        folds=folds,
        callbacks=[lgb.early_stopping(config.early_stopping_rounds, verbose=False)],
        return_cvbooster=True,
    )
    boosters: Any = result["cvbooster"]
    rounds, values = int(boosters.best_iteration), matrix.to_numpy()
    scores = np.empty(len(bought), dtype=np.float64)
    for booster, (_, left_out) in zip(boosters.boosters, folds, strict=True):
        scores[left_out] = booster.predict(values[left_out], num_iteration=rounds)
    return CrossValidated(rounds, folds, scores)


def _parameters(config: TrainConfig) -> dict[str, Any]:
    objective = {"objective": "binary", "metric": "binary_logloss", "seed": config.seed}
    return {**config.params.model_dump(), **objective, **REPRODUCIBLE}


def _dataset(
    matrix: pd.DataFrame, bought: NDArray[np.bool_], categorical: Sequence[str], parameters: dict[str, Any]
) -> lgb.Dataset:
    return lgb.Dataset(
        matrix.to_numpy(),
        label=bought.astype(np.float64),
        feature_name=list(matrix.columns),
        categorical_feature=list(categorical),
        params=parameters,
    )


def _stratified_folds(bought: NDArray[np.bool_], config: TrainConfig) -> tuple[Fold, ...]:
    buyers = int(bought.sum())
    if min(buyers, len(bought) - buyers) < config.cv_folds:
        raise DataError(
            f"{len(bought)} sessions with {buyers} buyers before the held-out month(s) are too few for "
            f"{config.cv_folds} folds; load more sessions or lower cv_folds"
        )
    dealer = StratifiedKFold(config.cv_folds, shuffle=True, random_state=config.seed)
    return tuple(dealer.split(np.zeros(len(bought)), bought))
