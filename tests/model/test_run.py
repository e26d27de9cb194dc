from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from intentscore.errors import ConfigurationError, DataError, UsageError
from intentscore.model.run import (
    RunFolder,
    find_run,
    latest_run,
    read_run,
    run_ids,
    write_run,
)
from intentscore.model.training import TrainedModel

from .conftest import Sessions

FEATURES = {"hash": "00aa", "features": [{"name": "PAGE_VALUES", "sql": "PAGE_VALUES", "kind": "numeric"}]}
FILES = {
    "config.yaml",
    "curves.json",
    "data.json",
    "features.json",
    "metrics.json",
    "model.txt",
    "versions.json",
}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "home" / "runs"


@pytest.fixture
def run(runs: Path, trained: TrainedModel) -> RunFolder:
    return write_run(runs, "241201_100000_00aa", trained, FEATURES)


def test_a_run_read_back_is_the_run_written(run: RunFolder, trained: TrainedModel, sessions: Sessions) -> None:
    assert {path.name for path in run.path.iterdir()} == FILES
    assert read_run(run.path) == run
    assert run.config == trained.config
    assert run.model_text == trained.model_text
    assert run.features == FEATURES
    assert run.metrics["holdout"] == trained.holdout.as_dict()
    assert run.data["fingerprint"] == trained.data.fingerprint
    assert [month["month"] for month in run.data["months"]] == ["2024-08", "2024-09", "2024-10", "2024-11"]
    assert {"python", "lightgbm", "numpy", "scikit-learn"} <= run.versions.keys()
    assert set(run.curves) == {"holdout", "cv"}
    values = sessions.matrix.to_numpy()
    assert np.array_equal(run.booster().predict(values), trained.booster.predict(values))


@pytest.mark.parametrize("interruption", [OSError("disk full"), KeyboardInterrupt()])
def test_an_interrupted_write_leaves_nothing(
    runs: Path, trained: TrainedModel, monkeypatch: pytest.MonkeyPatch, interruption: BaseException
) -> None:
    written: list[int] = []

    def interrupt(file: int) -> None:
        written.append(file)
        if len(written) == 3:
            raise interruption

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(type(interruption)):
        write_run(runs, "241201_100000_00aa", trained, FEATURES)
    assert list(runs.iterdir()) == []


def test_a_run_is_seen_only_when_it_is_finished(
    runs: Path, trained: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, ...]] = []
    monkeypatch.setattr(os, "fsync", lambda _: seen.append(run_ids(runs)))
    write_run(runs, "241201_100000_00aa", trained, FEATURES)
    assert seen == [()] * len(FILES)
    assert run_ids(runs) == ("241201_100000_00aa",)


def test_a_run_is_never_overwritten(run: RunFolder, runs: Path, trained: TrainedModel) -> None:
    with pytest.raises(UsageError, match=r"exists already"):
        write_run(runs, run.run_id, trained, {})
    assert read_run(run.path).features == FEATURES


def test_the_latest_run_is_found_without_a_name(run: RunFolder, runs: Path, trained: TrainedModel) -> None:
    later = write_run(runs, "250101_090000_0001", trained, FEATURES)
    assert latest_run(runs) == find_run(runs) == later
    assert find_run(runs, run.run_id) == run


def test_an_unknown_run_names_the_latest_five_newest_first(runs: Path) -> None:
    for second in range(7):
        (runs / f"241201_10000{second}_00aa").mkdir(parents=True)
    with pytest.raises(UsageError) as caught:
        find_run(runs, "../241201")
    named = re.findall(r"241201_10000(\d)_00aa", str(caught.value))
    assert named == ["6", "5", "4", "3", "2"]


def test_no_run_yet_says_how_to_make_one(runs: Path) -> None:
    for look in (latest_run, find_run):
        with pytest.raises(UsageError, match="intentscore train"):
            look(runs)


@pytest.mark.parametrize("name", sorted(FILES - {"config.yaml"}))
def test_a_missing_file_is_named(run: RunFolder, name: str) -> None:
    (run.path / name).unlink()
    with pytest.raises(DataError, match=f"{name} is missing"):
        read_run(run.path)


def test_damaged_json_is_named(run: RunFolder) -> None:
    path = run.path / "data.json"
    path.write_text(path.read_text()[:40])
    with pytest.raises(DataError, match=r"data\.json is damaged"):
        read_run(run.path)


def test_a_model_that_is_not_the_measured_one_is_refused(run: RunFolder) -> None:
    path = run.path / "model.txt"
    path.write_text(path.read_text().replace("leaf_value=", "leaf_value=1", 1))
    with pytest.raises(DataError, match="not the model"):
        read_run(run.path)


def test_a_wrong_config_is_a_configuration_error(run: RunFolder) -> None:
    (run.path / "config.yaml").write_text("sead: 3")
    with pytest.raises(ConfigurationError, match="unknown key 'sead'"):
        read_run(run.path)


def test_curves_and_metrics_are_strict_json(run: RunFolder) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    for path in run.path.glob("*.json"):
        json.loads(path.read_text(), parse_constant=refuse)
