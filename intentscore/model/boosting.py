"""LightGBM through its own API: the same matrix and configuration give the same trees, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intentscore.model.bag import merge
from intentscore.model.config import TrainConfig
from intentscore.model.folds import Fold, deal

REPRODUCIBLE = {"deterministic": True, "force_row_wise": True, "num_threads": 1, "verbosity": -1}


@dataclass(frozen=True)
class CrossValidated:
    """`rounds` is where the log loss of the left-out sessions is lowest, the only thing they decide; `scores`
    (n,) were given, after that many rounds, by the booster that had not seen the session.
    """

    rounds: int
    folds: tuple[Fold, ...]
    scores: NDArray[np.float64]


@dataclass(frozen=True)
class Member:
    """A booster of a bag, with the rounds after which its own left-out sessions fared best."""

    booster: lgb.Booster
    rounds: int
    left_out: NDArray[np.int64]


def learn(
    matrix: pd.DataFrame,
    bought: NDArray[np.bool_],
    dates: pd.Series[Any],
    categorical: Sequence[str],
    config: TrainConfig,
) -> tuple[lgb.Booster, CrossValidated]:
    """The model that `config` asks for, and the scores its cross-validation gave. Shapes as in `boost`; `dates` (n,).

    With `config.bags` 0: so many `config.boosters` on all rows, with the rounds of `cross_validate`. Else the
    boosters of so many dealings of the folds, each without its own left-out fold. Several are merged into one.

    Raises DataError when there are fewer buyers, or fewer non-buyers, than folds.
    """
    if config.bags:
        return _learn_bag(matrix, bought, dates, categorical, config)
    validated = cross_validate(matrix, bought, dates, categorical, config)
    seeds = range(config.seed, config.seed + config.boosters)
    boosters = [boost(matrix, bought, categorical, validated.rounds, config, seed) for seed in seeds]
    return merge(boosters, [validated.rounds] * len(boosters)), validated


def boost(
    matrix: pd.DataFrame,
    bought: NDArray[np.bool_],
    categorical: Sequence[str],
    rounds: int,
    config: TrainConfig,
    seed: int,
) -> lgb.Booster:
    """`rounds` trees on all rows. `matrix`: float64 (n, f), NaN = missing; `bought`: bool (n,)."""
    parameters = _parameters(config, seed)
    return lgb.train(parameters, _dataset(matrix, bought, categorical, parameters), num_boost_round=rounds)


def cross_validate(
    matrix: pd.DataFrame,
    bought: NDArray[np.bool_],
    dates: pd.Series[Any],
    categorical: Sequence[str],
    config: TrainConfig,
) -> CrossValidated:
    """Boosters of the folds of `deal` grow side by side until the mean log loss of the left-out sessions has
    not improved for `early_stopping_rounds`. Shapes as in `learn`.

    Raises DataError when there are fewer buyers, or fewer non-buyers, than folds.
    """
    folds = deal(bought, dates, config, config.seed)
    parameters = _parameters(config, config.seed)
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


def bag_members(
    matrix: pd.DataFrame,
    bought: NDArray[np.bool_],
    dates: pd.Series[Any],
    categorical: Sequence[str],
    seed: int,
    config: TrainConfig,
) -> Iterator[Member]:
    """One booster for each of the folds that `seed` deals, which stops on the fold it does not learn from."""
    parameters = _parameters(config, seed)
    everything = _dataset(matrix, bought, categorical, parameters)
    for learned_from, left_out in deal(bought, dates, config, seed):
        booster = lgb.train(
            parameters,
            everything.subset(learned_from.tolist()),
            num_boost_round=config.num_boost_round,
            valid_sets=[everything.subset(left_out.tolist())],
            callbacks=[lgb.early_stopping(config.early_stopping_rounds, verbose=False)],
        )
        yield Member(booster, booster.best_iteration, left_out)


def fold_scores(
    matrix: pd.DataFrame,
    bought: NDArray[np.bool_],
    dates: pd.Series[Any],
    categorical: Sequence[str],
    config: TrainConfig,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Fold by fold, the left-out rows and the scores of the booster that stopped on them."""
    values = matrix.to_numpy()
    for member in bag_members(matrix, bought, dates, categorical, config.seed, config):
        yield (
            member.left_out,
            np.asarray(member.booster.predict(values[member.left_out], num_iteration=member.rounds), dtype=np.float64),
        )


def _learn_bag(
    matrix: pd.DataFrame,
    bought: NDArray[np.bool_],
    dates: pd.Series[Any],
    categorical: Sequence[str],
    config: TrainConfig,
) -> tuple[lgb.Booster, CrossValidated]:
    values, log_odds = matrix.to_numpy(), np.zeros(len(bought))
    members = [
        member
        for number in range(config.bags)
        for member in bag_members(matrix, bought, dates, categorical, config.seed + number, config)
    ]
    for member in members:
        rows = member.left_out
        log_odds[rows] += member.booster.predict(values[rows], num_iteration=member.rounds, raw_score=True)
    rounds = [member.rounds for member in members]
    scores = 1 / (1 + np.exp(-log_odds / config.bags))
    merged = merge([member.booster for member in members], rounds)
    folds = deal(bought, dates, config, config.seed)
    return merged, CrossValidated(round(float(np.mean(rounds))), folds, scores)


def _parameters(config: TrainConfig, seed: int) -> dict[str, Any]:
    objective = {"objective": "binary", "metric": "binary_logloss", "seed": seed}
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
