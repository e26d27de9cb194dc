"""From a matrix to a model with honest figures: held-out months are looked at last, when all is decided."""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intentscore.errors import ConfigurationError, DataError
from intentscore.model.boosting import CrossValidated, learn
from intentscore.model.bootstrap import Interval, intervals, resample
from intentscore.model.config import TrainConfig
from intentscore.model.fingerprint import DataSummary, summarise
from intentscore.model.learners import constant_rate, logistic_regression
from intentscore.model.metrics import Curves, Decile, Metrics, curves, deciles, evaluate
from intentscore.model.protocol import Examined, Part
from intentscore.model.split import TimeSplit, split_by_time


@dataclass(frozen=True)
class CrossValidation:
    """`pooled`: all training sessions together, each scored by a booster that had not seen it. `mean` and
    `std` (sample standard deviation) are over `folds`, by measure.
    """

    pooled: Metrics
    folds: tuple[Metrics, ...]
    mean: dict[str, float | None]
    std: dict[str, float | None]


@dataclass(frozen=True)
class Baseline:
    """What the same sessions would have been scored without the model; `cv` None where it was not measured."""

    cv: Metrics | None
    holdout: Metrics


@dataclass(frozen=True)
class Importance:
    """`gain` is the loss that splits on the feature took away, as a share of all; `splits` counts them."""

    feature: str
    gain: float
    splits: int


@dataclass(frozen=True)
class TrainedModel:
    """`features` are the booster's inputs, in order; `intervals` (by measure) and `deciles` are of the held-out
    months; `curves` has the keys 'holdout' and 'cv', `baselines` 'constant_rate', 'logistic_regression' and, if one
    was given, 'champion'.
    """

    booster: lgb.Booster
    config: TrainConfig
    features: tuple[str, ...]
    best_iteration: int
    split: TimeSplit
    data: DataSummary
    cv: CrossValidation
    holdout: Metrics
    intervals: dict[str, Interval]
    baselines: dict[str, Baseline]
    importances: tuple[Importance, ...]
    deciles: tuple[Decile, ...]
    curves: dict[str, Curves]

    @property
    def model_text(self) -> str:
        return str(self.booster.model_to_string())

    def report(self) -> dict[str, Any]:
        """All figures as plain values that JSON can hold."""
        return {
            "model": {
                "sha256": hashlib.sha256(self.model_text.encode()).hexdigest(),
                "trees": self.booster.num_trees(),
                "best_iteration": self.best_iteration,
                "features": list(self.features),
            },
            "holdout": self.holdout.as_dict(),
            "intervals": {name: asdict(interval) for name, interval in self.intervals.items()},
            "cv": asdict(self.cv),
            "baselines": {name: asdict(baseline) for name, baseline in self.baselines.items()},
            "train_period": _plain(asdict(self.split.train_period)),
            "holdout_period": _plain(asdict(self.split.holdout_period)),
            "deciles": [asdict(row) for row in self.deciles],
            "importances": [asdict(row) for row in self.importances],
        }


def fit(
    matrix: pd.DataFrame,
    label: NDArray[np.bool_],
    dates: pd.Series[Any],
    config: TrainConfig,
    champion: lgb.Booster | None = None,
) -> TrainedModel:
    """Train on all but the last `config.holdout_months`, and measure on those.

    `matrix`: float64 (n, f), columns named after the features, NaN = missing, categorical ones holding
    codes 0, 1, 2, …; `label`: bool (n,), bought or not; `dates`: dates or timestamps (n,). The rows come in
    an order that is always the same, by (SESSION_DATE, UID): it decides the folds and so the model. The
    number of rounds comes from cross-validation within the training months, the booster from all of them.
    `champion` is measured beside it on the held-out months, of which it must not have learned.

    Raises DataError (too few months or buyers; a value no booster takes), ConfigurationError (`exclude` or
    `categorical` name a feature there is not, or leave none), ValueError (lengths differ; outcomes not bool;
    `config` not resolved).
    """
    inputs, categorical = booster_inputs(matrix, config)
    bought = _checked(inputs, categorical, label, dates)
    split = split_by_time(dates, config.holdout_months)
    past, past_bought = inputs[split.train], bought[split.train]
    booster, validated = learn(past, past_bought, dates[split.train], categorical, config)
    unseen_bought = bought[split.holdout]
    unseen_scores = np.asarray(booster.predict(inputs[split.holdout].to_numpy()), dtype=np.float64)
    return TrainedModel(
        booster=booster,
        config=config,
        features=tuple(inputs.columns),
        best_iteration=validated.rounds,
        split=split,
        data=summarise(inputs, bought, dates),
        cv=_cross_validation(past_bought, validated),
        holdout=evaluate(unseen_bought, unseen_scores),
        intervals=_intervals(unseen_bought, unseen_scores),
        baselines=_baselines(matrix, bought, split, categorical, config.exclude, champion),
        importances=_importances(booster),
        deciles=deciles(unseen_bought, unseen_scores),
        curves={"holdout": curves(unseen_bought, unseen_scores), "cv": curves(past_bought, validated.scores)},
    )


def booster_inputs(matrix: pd.DataFrame, config: TrainConfig) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """What is left of the matrix (float64) after `exclude` and without features that no session has, and which of
    it is categorical. Raises as `fit`.
    """
    if config.categorical is None:
        raise ValueError("the categorical features are not known yet: pass config.resolved(names)")
    for key, names in (("exclude", config.exclude), ("categorical", config.categorical)):
        unknown = [name for name in names if name not in matrix.columns]
        if unknown:
            known = ", ".join(matrix.columns)
            raise ConfigurationError(f"{key}: no feature {', '.join(unknown)}; there are: {known}")
    kept = [name for name in matrix.columns if name not in config.exclude and matrix[name].notna().any()]
    if not kept:
        raise ConfigurationError("exclude: leaves no feature to learn from")
    return matrix[kept].astype(np.float64), tuple(name for name in config.categorical if name in kept)


def _checked(
    inputs: pd.DataFrame, categorical: tuple[str, ...], label: NDArray[np.bool_], dates: pd.Series[Any]
) -> NDArray[np.bool_]:
    bought = np.asarray(label)
    if bought.dtype != np.bool_:
        raise ValueError(f"outcomes must be bool, not {bought.dtype}")
    if not len(inputs) == len(bought) == len(dates):
        raise ValueError(f"{len(inputs)} rows of features, {len(bought)} outcomes and {len(dates)} dates differ")
    infinite = np.isinf(inputs.to_numpy()).any(axis=0)
    if infinite.any():
        raise DataError(f"feature {inputs.columns[infinite][0]} has infinite values; correct its definition")
    for name in categorical:
        codes = inputs[name].dropna()
        if not ((codes >= 0) & (codes < 2**31) & (codes == codes.round())).all():
            raise DataError(
                f"categorical feature {name} holds other values than codes 0, 1, 2, …; correct its definition"
            )
    return bought


def _cross_validation(bought: NDArray[np.bool_], validated: CrossValidated) -> CrossValidation:
    folds = tuple(evaluate(bought[rows], validated.scores[rows]) for _, rows in validated.folds)
    by_measure = {
        name: [fold.as_dict()[name] for fold in folds] for name in folds[0].as_dict() if name not in ("n", "buyers")
    }
    return CrossValidation(
        pooled=evaluate(bought, validated.scores),
        folds=folds,
        mean={name: _over_folds(statistics.fmean, values) for name, values in by_measure.items()},
        std={name: _over_folds(statistics.stdev, values) for name, values in by_measure.items()},
    )


def _intervals(bought: NDArray[np.bool_], scores: NDArray[np.float64]) -> dict[str, Interval]:
    rows = np.arange(len(bought))
    return intervals(resample(Examined((Part("holdout", rows[:0], rows),), (scores,)), bought))


def _over_folds(statistic: Callable[[list[float]], float], values: list[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return statistic(defined) if len(defined) == len(values) else None


def _baselines(
    matrix: pd.DataFrame,
    bought: NDArray[np.bool_],
    split: TimeSplit,
    categorical: tuple[str, ...],
    exclude: tuple[str, ...],
    champion: lgb.Booster | None,
) -> dict[str, Baseline]:
    past, unseen = matrix[split.train], matrix[split.holdout]
    past_bought, outcomes = bought[split.train], bought[split.holdout]
    rate = constant_rate(past, past_bought, past)
    line = logistic_regression(categorical, exclude)(past, past_bought, unseen)
    found = {
        "constant_rate": Baseline(
            evaluate(past_bought, rate), evaluate(outcomes, constant_rate(past, past_bought, unseen))
        ),
        "logistic_regression": Baseline(None, evaluate(outcomes, line)),
    }
    if champion is not None:
        scores = np.asarray(champion.predict(unseen[champion.feature_name()].to_numpy()), dtype=np.float64)
        found["champion"] = Baseline(None, evaluate(outcomes, scores))
    return found


def _importances(booster: lgb.Booster) -> tuple[Importance, ...]:
    gains, splits = booster.feature_importance("gain"), booster.feature_importance("split")
    total = float(gains.sum()) or 1.0
    rows = [
        Importance(name, float(gain) / total, int(count))
        for name, gain, count in zip(booster.feature_name(), gains, splits, strict=True)
    ]
    return tuple(sorted(rows, key=lambda row: (-row.gain, row.feature)))


def _plain(period: dict[str, Any]) -> dict[str, Any]:
    return {key: value.isoformat() if isinstance(value, date) else value for key, value in period.items()}
