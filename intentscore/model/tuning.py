"""Look for better booster parameters by cross-validation on the training months; the held-out ones take no part.

Tree-structured Parzen estimator: Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NIPS 2011, in Optuna
(https://optuna.readthedocs.io/). Trial n of a study depends on the seed, n and the trials before it alone, so that a
search interrupted and taken up again ends where an uninterrupted one does.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intentscore.model.boosting import fold_scores
from intentscore.model.config import BoosterParams, TrainConfig
from intentscore.model.metrics import evaluate

if TYPE_CHECKING:
    import optuna

FLOATS = {
    "colsample_bytree": (0.2, 1.0),
    "subsample": (0.4, 1.0),
    "path_smooth": (0.1, 50.0),
    "reg_alpha": (1e-3, 10.0),
    "reg_lambda": (1e-3, 10.0),
    "cat_smooth": (5.0, 200.0),
    "cat_l2": (0.1, 50.0),
}
SHARES = ("colsample_bytree", "subsample")
INTEGERS = {"num_leaves": (4, 64), "min_child_samples": (5, 120)}
HIGHER_IS_BETTER = ("roc_auc", "average_precision")
STARTUP_TRIALS = 5


@dataclass(frozen=True)
class Trial:
    """`value` is the objective's mean over the folds, None for a trial given up early."""

    number: int
    value: float | None
    best: float | None


@dataclass(frozen=True)
class Tuned:
    """`config` with the best parameters found; `trials` counts those of earlier calls too."""

    config: TrainConfig
    objective: str
    best: float
    started_from: float
    trials: int
    pruned: int


def tune(
    matrix: pd.DataFrame,
    bought: NDArray[np.bool_],
    dates: pd.Series[Any],
    categorical: Sequence[str],
    config: TrainConfig,
    trials: int,
    storage: Path,
    say: Callable[[Trial], None] = lambda _: None,
) -> Tuned:
    """Try until there are `trials` finished ones in the study of these sessions and this configuration.

    `matrix`: float64 (n, f), `bought`: bool (n,) and `dates` (n,) of the training months. The study is kept in
    the SQLite file `storage`. The first trial is the configuration's own parameters, so the best is never worse than
    those. What is minimised or maximised is `config.tune.objective`; a trial whose running mean over the folds is
    worse than the median of the others' is given up.
    """
    study = _study(matrix, bought, dates, config, storage)
    while (done := _finished(study)) < trials:
        study.sampler = _sampler(config.seed + done)
        trial = study.ask()
        value = _tried(trial, matrix, bought, dates, categorical, config, first=done == 0)
        study.tell(trial, value, state=_state(value))
        say(Trial(done + 1, value, _best(study)))
    return _tuned(study, config)


def _tried(
    trial: optuna.Trial,
    matrix: pd.DataFrame,
    bought: NDArray[np.bool_],
    dates: pd.Series[Any],
    categorical: Sequence[str],
    config: TrainConfig,
    *,
    first: bool,
) -> float | None:
    params = config.params if first else _suggested(trial, config)
    trial.set_user_attr("params", params.model_dump())
    objective, measured = config.tune.objective, []
    tried = config.model_copy(update={"params": params, "cv_folds": config.tune.folds})
    for number, (left_out, scores) in enumerate(fold_scores(matrix, bought, dates, categorical, tried)):
        measured.append(float(getattr(evaluate(bought[left_out], scores), objective)))
        trial.report(float(np.mean(measured)), number)
        if trial.should_prune() and number + 1 < config.tune.folds:
            return None
    return float(np.mean(measured))


def _suggested(trial: optuna.Trial, config: TrainConfig) -> BoosterParams:
    found: dict[str, Any] = {
        name: trial.suggest_float(name, low, high, log=name not in SHARES) for name, (low, high) in FLOATS.items()
    }
    found |= {name: trial.suggest_int(name, low, high, log=True) for name, (low, high) in INTEGERS.items()}
    found["extra_trees"] = trial.suggest_categorical("extra_trees", [True, False])
    return config.params.model_copy(update=found)


def _study(
    matrix: pd.DataFrame, bought: NDArray[np.bool_], dates: pd.Series[Any], config: TrainConfig, storage: Path
) -> optuna.Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage.parent.mkdir(parents=True, exist_ok=True)
    higher = config.tune.objective in HIGHER_IS_BETTER
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(
            study_name=_name(matrix, bought, dates, config),
            storage=f"sqlite:///{storage.resolve()}",
            load_if_exists=True,
            direction="maximize" if higher else "minimize",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=0),
        )
    for trial in study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)  # of a search that was interrupted
    return study


def _name(matrix: pd.DataFrame, bought: NDArray[np.bool_], dates: pd.Series[Any], config: TrainConfig) -> str:
    digest = hashlib.sha256(json.dumps(config.model_dump(mode="json"), sort_keys=True).encode())
    digest.update("\n".join(matrix.columns).encode())
    digest.update(np.ascontiguousarray(matrix.to_numpy(), dtype="<f8").tobytes())
    digest.update(bought.tobytes())
    digest.update("\n".join(pd.to_datetime(dates).dt.strftime("%Y-%m")).encode())
    return digest.hexdigest()[:32]


def _sampler(seed: int) -> optuna.samplers.BaseSampler:
    import optuna

    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP_TRIALS)


def _state(value: float | None) -> optuna.trial.TrialState:
    import optuna

    return optuna.trial.TrialState.PRUNED if value is None else optuna.trial.TrialState.COMPLETE


def _finished(study: optuna.Study) -> int:
    return sum(trial.state.name in ("COMPLETE", "PRUNED") for trial in study.get_trials(deepcopy=False))


def _best(study: optuna.Study) -> float | None:
    complete = any(trial.state.name == "COMPLETE" for trial in study.get_trials(deepcopy=False))
    return study.best_value if complete else None


def _tuned(study: optuna.Study, config: TrainConfig) -> Tuned:
    finished = [t for t in study.get_trials(deepcopy=False) if t.state.name in ("COMPLETE", "PRUNED")]
    params = BoosterParams.model_validate(study.best_trial.user_attrs["params"])
    return Tuned(
        config=config.model_copy(update={"params": params}),
        objective=config.tune.objective,
        best=study.best_value,
        started_from=float(finished[0].value or 0.0),
        trials=len(finished),
        pruned=sum(trial.state.name == "PRUNED" for trial in finished),
    )
