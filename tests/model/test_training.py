from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from intentscore.errors import ConfigurationError, DataError
from intentscore.model.boosting import learn
from intentscore.model.config import TrainConfig
from intentscore.model.training import TrainedModel, fit

from .conftest import Sessions

FIT_IN_ANOTHER_PROCESS = """
import json, sys
import pandas as pd
from intentscore.model.config import TrainConfig
from intentscore.model.training import fit

table = pd.read_pickle(sys.argv[1])
config = TrainConfig.model_validate_json(sys.argv[2])
model = fit(table.drop(columns=["BOUGHT", "DAY"]), table.BOUGHT.to_numpy(), table.DAY, config)
print(json.dumps(model.report()))
"""


def test_a_feature_that_no_session_has_changes_nothing(
    sessions: Sessions, config: TrainConfig, trained: TrainedModel
) -> None:
    again = fit(sessions.matrix.assign(PAST_SESSIONS=np.nan), sessions.bought, sessions.dates, config)
    assert again.model_text == trained.model_text
    assert again.data.fingerprint == trained.data.fingerprint


def test_constant_features_leave_the_trees_as_they_are(sessions: Sessions, config: TrainConfig) -> None:
    wider = sessions.matrix.assign(**{f"EMPTY_{n}": value for n, value in enumerate([np.nan, 0.0, np.nan, 1.0])})
    plain, wide = (
        learn(matrix, sessions.bought, sessions.dates, ["VISITOR_CODE"], config) for matrix in (sessions.matrix, wider)
    )
    assert (plain[1].scores == wide[1].scores).all()
    trees = [booster.model_to_string().split("end of trees")[0].partition("Tree=0")[2] for booster, _ in (plain, wide)]
    assert trees[0] == trees[1] != ""


def test_model_and_figures_are_the_same_to_the_last_digit_with_any_number_of_threads(
    sessions: Sessions, config: TrainConfig, trained: TrainedModel, tmp_path: Path
) -> None:
    table = tmp_path / "sessions.pickle"
    sessions.matrix.assign(BOUGHT=sessions.bought, DAY=sessions.dates).to_pickle(table)
    command = [sys.executable, "-c", FIT_IN_ANOTHER_PROCESS, str(table), config.model_dump_json()]
    for threads in ("1", "2"):
        numbers = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHONHASHSEED"), threads)
        found = subprocess.run(
            command,
            env={**os.environ, **numbers},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        )
        report = json.loads(found.stdout)
        assert report == json.loads(json.dumps(trained.report()))
        assert report["model"]["sha256"] == hashlib.sha256(trained.model_text.encode()).hexdigest()
        assert {"constant_rate", "logistic_regression"} <= set(report["baselines"])


def test_another_seed_or_another_outcome_makes_another_model(
    sessions: Sessions, config: TrainConfig, trained: TrainedModel
) -> None:
    reseeded = fit(
        sessions.matrix, sessions.bought, sessions.dates, config.model_copy(update={"seed": config.seed + 1})
    )
    assert reseeded.model_text != trained.model_text
    changed = sessions.bought.copy()
    changed[:20] = ~changed[:20]
    refitted = fit(sessions.matrix, changed, sessions.dates, config)
    assert refitted.model_text != trained.model_text
    assert refitted.data.fingerprint != trained.data.fingerprint


def test_nothing_of_the_held_out_month_reaches_the_model(
    sessions: Sessions, config: TrainConfig, trained: TrainedModel
) -> None:
    matrix, bought = sessions.matrix.copy(), sessions.bought.copy()
    bought[trained.split.holdout] = ~bought[trained.split.holdout]
    matrix.loc[trained.split.holdout, ["PAGE_VALUES", "VISITOR_CODE"]] = [1e6, 9.0]
    blinded = fit(matrix, bought, sessions.dates, config)
    assert blinded.model_text == trained.model_text
    assert blinded.cv == trained.cv
    assert blinded.holdout != trained.holdout


def test_the_line_beside_the_model_does_without_what_the_model_must_not_use(
    sessions: Sessions, config: TrainConfig
) -> None:
    gone = ("PAGE_VALUES", "VISITOR_CODE")
    without = fit(sessions.matrix, sessions.bought, sessions.dates, config.model_copy(update={"exclude": gone}))
    fewer = fit(
        sessions.matrix.drop(columns=list(gone)),
        sessions.bought,
        sessions.dates,
        config.model_copy(update={"categorical": ()}),
    )
    assert without.baselines["logistic_regression"] == fewer.baselines["logistic_regression"]


def test_holdout_figures_are_of_the_booster_on_the_last_month(sessions: Sessions, trained: TrainedModel) -> None:
    last = (sessions.dates >= "2024-11-01").to_numpy()
    scores = np.asarray(trained.booster.predict(sessions.matrix[last].to_numpy()))
    assert trained.holdout.n == last.sum()
    assert trained.holdout.brier == pytest.approx(np.mean((scores - sessions.bought[last]) ** 2), abs=1e-12)
    assert trained.cv.pooled.n == (~last).sum()
    assert trained.split.holdout_period.months == ("2024-11",)


def test_holdout_figures_come_with_intervals_around_them(trained: TrainedModel) -> None:
    measured = trained.holdout.as_dict()
    assert set(trained.intervals) == {"roc_auc", "average_precision", "log_loss", "brier"}
    for name, interval in trained.intervals.items():
        assert interval.value == pytest.approx(measured[name], abs=1e-12)
        assert interval.low is not None
        assert interval.high is not None
        assert interval.low < measured[name] < interval.high  # type: ignore[operator]
    assert trained.report()["intervals"]["brier"]["high"] == trained.intervals["brier"].high


def test_the_model_beats_the_constant_rate_on_sessions_it_has_not_seen(trained: TrainedModel) -> None:
    baseline = trained.baselines["constant_rate"]
    assert baseline.holdout.roc_auc == 0.5
    for model, constant in ((trained.holdout, baseline.holdout), (trained.cv.pooled, baseline.cv)):
        assert constant is not None
        assert model.log_loss < constant.log_loss - 0.03
        assert model.brier < constant.brier - 0.01


def test_early_stopping_decides_the_number_of_trees(trained: TrainedModel, config: TrainConfig) -> None:
    assert 1 < trained.best_iteration < config.num_boost_round
    assert trained.booster.num_trees() == trained.best_iteration


def test_cross_validation_gives_mean_and_spread_over_its_folds(trained: TrainedModel, config: TrainConfig) -> None:
    aucs = [fold.roc_auc for fold in trained.cv.folds]
    assert len(aucs) == config.cv_folds
    assert trained.cv.mean["roc_auc"] == pytest.approx(np.mean(np.array(aucs, dtype=np.float64)))
    assert trained.cv.std["roc_auc"] == pytest.approx(np.std(np.array(aucs, dtype=np.float64), ddof=1))


def test_importances_name_every_feature_the_strongest_first(sessions: Sessions, trained: TrainedModel) -> None:
    assert {row.feature for row in trained.importances} == set(sessions.matrix.columns)
    assert trained.importances[0].feature == "PAGE_VALUES"
    assert sum(row.gain for row in trained.importances) == pytest.approx(1)


def test_an_excluded_feature_is_no_input_of_the_model(sessions: Sessions, config: TrainConfig) -> None:
    without = config.model_copy(update={"exclude": ("PAGE_VALUES", "VISITOR_CODE")})
    model = fit(sessions.matrix, sessions.bought, sessions.dates, without)
    assert model.features == ("EXIT_RATES", "NOISE")
    assert model.booster.feature_name() == ["EXIT_RATES", "NOISE"]


def test_categorical_features_are_split_by_set_not_by_order(trained: TrainedModel) -> None:
    splits = trained.booster.trees_to_dataframe().dropna(subset=["split_feature"])
    assert set(splits.loc[splits.split_feature == "VISITOR_CODE", "decision_type"]) == {"=="}
    assert set(splits.loc[splits.split_feature != "VISITOR_CODE", "decision_type"]) == {"<="}


def test_a_last_month_without_buyers_is_measured_as_far_as_it_goes(
    sessions: Sessions, config: TrainConfig, trained: TrainedModel
) -> None:
    bought = sessions.bought & trained.split.train
    model = fit(sessions.matrix, bought, sessions.dates, config)
    assert model.holdout.roc_auc is None
    assert model.holdout.lift_at_10 is None
    assert model.holdout.log_loss > 0
    json.dumps(model.report(), allow_nan=False)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("NOISE", np.inf, "NOISE has infinite values"),
        ("VISITOR_CODE", 1.5, "VISITOR_CODE holds other values than codes"),
        ("VISITOR_CODE", -1.0, "VISITOR_CODE holds other values than codes"),
    ],
)
def test_a_value_no_booster_takes_is_refused(
    sessions: Sessions, config: TrainConfig, column: str, value: float, message: str
) -> None:
    matrix = sessions.matrix.copy()
    matrix.loc[5, column] = value
    with pytest.raises(DataError, match=message):
        fit(matrix, sessions.bought, sessions.dates, config)


@pytest.mark.parametrize("key", ["exclude", "categorical"])
def test_an_unknown_feature_in_the_configuration_is_named(sessions: Sessions, config: TrainConfig, key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{key}: no feature PAGE_VALUE; there are: PAGE_VALUES, EXIT"):
        fit(sessions.matrix, sessions.bought, sessions.dates, config.model_copy(update={key: ("PAGE_VALUE",)}))


def test_fewer_buyers_than_folds_are_refused(sessions: Sessions, config: TrainConfig) -> None:
    bought = np.zeros_like(sessions.bought)
    bought[[0, 1, -1]] = True
    with pytest.raises(DataError, match="2 buyers before the held-out month"):
        fit(sessions.matrix, bought, sessions.dates, config)


def test_an_unknown_outcome_is_not_taken_for_no(sessions: Sessions, config: TrainConfig) -> None:
    outcomes = sessions.bought.astype(object)
    outcomes[0] = None
    with pytest.raises(ValueError, match="must be bool, not object"):
        fit(sessions.matrix, outcomes, sessions.dates, config)


def test_an_unresolved_configuration_is_not_taken_for_no_categories(sessions: Sessions) -> None:
    with pytest.raises(ValueError, match="resolved"):
        fit(sessions.matrix, sessions.bought, sessions.dates, TrainConfig())
