from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from intentscore.model.config import TrainConfig, TuneConfig
from intentscore.model.tuning import Trial, Tuned, tune

from .conftest import Sessions

# the storage of Optuna: SQLAlchemy leaves its connections to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

CATEGORICAL = ("VISITOR_CODE",)


@pytest.fixture(scope="module")
def config(config: TrainConfig) -> TrainConfig:
    return config.model_copy(update={"tune": TuneConfig(folds=3), "num_boost_round": 60, "early_stopping_rounds": 5})


def _tuned(sessions: Sessions, config: TrainConfig, trials: int, storage: Path) -> tuple[Tuned, list[Trial]]:
    heard: list[Trial] = []
    return tune(
        sessions.matrix, sessions.bought, sessions.dates, CATEGORICAL, config, trials, storage, heard.append
    ), heard


def test_a_search_taken_up_again_ends_where_an_uninterrupted_one_does(
    sessions: Sessions, config: TrainConfig, tmp_path: Path
) -> None:
    whole, heard = _tuned(sessions, config, 8, tmp_path / "whole.db")
    _, first = _tuned(sessions, config, 3, tmp_path / "parts" / "tuning.db")
    resumed, rest = _tuned(sessions, config, 8, tmp_path / "parts" / "tuning.db")
    assert first + rest == heard
    assert resumed == whole
    assert [trial.number for trial in heard] == list(range(1, 9))
    assert _tuned(sessions, config, 8, tmp_path / "whole.db") == (whole, [])


def test_the_search_starts_from_the_configuration_and_never_ends_below_it(
    sessions: Sessions, config: TrainConfig, tmp_path: Path
) -> None:
    found, heard = _tuned(sessions, config, 8, tmp_path / "tuning.db")
    assert heard[0].value == found.started_from
    assert found.best == min(trial.value for trial in heard if trial.value is not None) <= found.started_from
    bests = [trial.best for trial in heard if trial.best is not None]
    assert bests == sorted(bests, reverse=True)
    assert found.config.model_copy(update={"params": config.params}) == config


def test_hopeless_trials_are_given_up(sessions: Sessions, config: TrainConfig, tmp_path: Path) -> None:
    found, heard = _tuned(sessions, config, 12, tmp_path / "tuning.db")
    given_up = [trial for trial in heard if trial.value is None]
    assert 0 < len(given_up) == found.pruned < found.trials == 12
    assert all(trial.value is not None for trial in islice(heard, 5))


def test_the_objective_is_a_choice_of_the_configuration(
    sessions: Sessions, config: TrainConfig, tmp_path: Path
) -> None:
    by_auc = config.model_copy(update={"tune": TuneConfig(objective="roc_auc", folds=3)})
    found, _ = _tuned(sessions, by_auc, 4, tmp_path / "tuning.db")
    assert found.objective == "roc_auc"
    assert 0.5 < found.started_from <= found.best <= 1


def test_other_sessions_are_another_search(sessions: Sessions, config: TrainConfig, tmp_path: Path) -> None:
    _tuned(sessions, config, 2, tmp_path / "tuning.db")
    fewer = Sessions(sessions.matrix[:1500], sessions.bought[:1500], sessions.dates[:1500])
    _, heard = _tuned(fewer, config, 2, tmp_path / "tuning.db")
    assert len(heard) == 2
