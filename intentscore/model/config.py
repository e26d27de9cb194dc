"""What `train --config` reads: how the outcome is learned, nothing about where the data is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from intentscore.settings import Measure, Name, Strict, read_yaml

Fraction = Annotated[float, Field(gt=0, le=1)]
Penalty = Annotated[float, Field(ge=0, le=1e6)]


class BoosterParams(Strict):
    """LightGBM parameters that may be set; meanings:
    https://lightgbm.readthedocs.io/en/stable/Parameters.html.

    Objective, seed, thread count and determinism are not among them: they are what makes two runs the same.
    """

    learning_rate: Fraction = 0.02
    num_leaves: Annotated[int, Field(ge=2, le=4096)] = 18
    max_depth: Annotated[int, Field(ge=-1, le=64)] = -1
    min_child_samples: Annotated[int, Field(ge=1)] = 38
    min_child_weight: Penalty = 0.001
    min_split_gain: Penalty = 0.0
    colsample_bytree: Fraction = 0.3
    colsample_bynode: Fraction = 1.0
    subsample: Fraction = 0.722
    subsample_freq: Annotated[int, Field(ge=0)] = 1
    reg_alpha: Penalty = 0.009
    reg_lambda: Penalty = 0.007
    extra_trees: bool = True
    path_smooth: Penalty = 8.3
    max_bin: Annotated[int, Field(ge=2, le=65535)] = 511
    min_data_in_bin: Annotated[int, Field(ge=1)] = 3
    max_cat_to_onehot: Annotated[int, Field(ge=1)] = 32
    max_cat_threshold: Annotated[int, Field(ge=1)] = 32
    min_data_per_group: Annotated[int, Field(ge=1)] = 100
    cat_smooth: Penalty = 73.0
    cat_l2: Penalty = 3.6


class TuneConfig(Strict):
    """What `train --tune` looks for, measured on so many folds of the training months."""

    objective: Measure = "log_loss"
    folds: Annotated[int, Field(ge=2, le=50)] = 5


class TrainConfig(Strict):
    """`categorical` None means: whatever the feature list calls categorical; see `resolved`.

    `bags` 0 is `boosters` boosters on all training sessions, each with a seed of its own, merged into one; more is
    that many dealings of the folds, one booster per fold, merged.
    """

    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 7
    holdout_months: Annotated[int, Field(ge=1)] = 1
    cv_folds: Annotated[int, Field(ge=2, le=50)] = 8
    fold_by: Literal["months", "sessions"] = "months"
    num_boost_round: Annotated[int, Field(ge=1, le=100_000)] = 3000
    early_stopping_rounds: Annotated[int, Field(ge=1)] = 150
    bags: Annotated[int, Field(ge=0, le=20)] = 0
    boosters: Annotated[int, Field(ge=1, le=100)] = 3
    label: Name = "REVENUE"
    categorical: tuple[Name, ...] | None = None
    exclude: tuple[Name, ...] = ()
    tune: TuneConfig = TuneConfig()
    params: BoosterParams = BoosterParams()

    def resolved(self, categorical: Iterable[str]) -> TrainConfig:
        """What `fit` takes: with the feature list's categorical features where the file names none."""
        if self.categorical is not None:
            return self
        return self.model_copy(update={"categorical": tuple(categorical)})


def load_train_config(path: Path) -> TrainConfig:
    """Raises ConfigurationError, one line, naming the file, the key and what is allowed."""
    return read_yaml(path, TrainConfig)
