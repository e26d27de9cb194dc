"""A run folder: everything needed to register a trained model, to compare it, and to train it again."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from intentscore.errors import DataError, UsageError
from intentscore.model.config import TrainConfig, load_train_config

if TYPE_CHECKING:
    import lightgbm

    from intentscore.model.training import TrainedModel

RUN_ID = re.compile(r"\d{6}_\d{6}_[0-9a-f]{4}")
PACKAGES = ("intentscore", "lightgbm", "numpy", "pandas", "scikit-learn", "snowflake-ml-python")
LATEST_SHOWN = 5


@dataclass(frozen=True)
class RunFolder:
    """As plain values: `features` is what the feature list said of itself (list and hash), `metrics` is
    `TrainedModel.report()`, `data` a `DataSummary`, `curves` the `Curves` of hold-out and cross-validation.
    """

    path: Path
    model_text: str
    config: TrainConfig
    metrics: dict[str, Any]
    features: dict[str, Any]
    data: dict[str, Any]
    versions: dict[str, str]
    curves: dict[str, Any]

    @property
    def run_id(self) -> str:
        return self.path.name

    def booster(self) -> lightgbm.Booster:
        import lightgbm

        return lightgbm.Booster(model_str=self.model_text)


def write_run(runs: Path, run_id: str, trained: TrainedModel, features: Mapping[str, Any]) -> RunFolder:
    """Write `runs/run_id`: all of it or, whatever interrupts, nothing. UsageError when the run exists."""
    path = runs / run_id
    if path.exists():
        raise UsageError(f"run {run_id} exists already; train again for a new one")
    unfinished = runs / f".{run_id}.{secrets.token_hex(4)}"
    unfinished.mkdir(parents=True)
    try:
        for name, text in _files(trained, features).items():
            _write_durably(unfinished / name, text)
        unfinished.rename(path)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return read_run(path)


def read_run(path: Path) -> RunFolder:
    """Raises DataError when a file is missing or damaged, or the model is not the one its figures were
    measured on, and ConfigurationError when `config.yaml` is not valid for this version of intentscore.
    """
    model_text, metrics = _text(path / "model.txt"), _json(path / "metrics.json")
    if metrics.get("model", {}).get("sha256") != _sha256(model_text):
        raise DataError(f"{path / 'model.txt'} is not the model that metrics.json describes; train again")
    return RunFolder(
        path=path,
        model_text=model_text,
        config=load_train_config(path / "config.yaml"),
        metrics=metrics,
        features=_json(path / "features.json"),
        data=_json(path / "data.json"),
        versions=_json(path / "versions.json"),
        curves=_json(path / "curves.json"),
    )


def run_ids(runs: Path) -> tuple[str, ...]:
    """Finished runs, oldest first; empty when there is no such folder."""
    if not runs.is_dir():
        return ()
    return tuple(sorted(entry.name for entry in runs.iterdir() if RUN_ID.fullmatch(entry.name) and entry.is_dir()))


def latest_run(runs: Path) -> RunFolder:
    """Raises UsageError when there is no run yet."""
    known = run_ids(runs)
    if not known:
        raise UsageError(f"no runs in {runs}; train one with: intentscore train")
    return read_run(runs / known[-1])


def find_run(runs: Path, run_id: str | None = None) -> RunFolder:
    """The run of that id, the latest for None. UsageError naming the latest runs when there is none."""
    known = run_ids(runs)
    if run_id is None or not known:
        return latest_run(runs)
    if run_id not in known:
        newest_first = ", ".join(known[: -LATEST_SHOWN - 1 : -1])
        raise UsageError(f"no run {run_id} in {runs}; the latest are: {newest_first}")
    return read_run(runs / run_id)


def versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: v for name in PACKAGES if (v := _version(name))}}


def _files(trained: TrainedModel, features: Mapping[str, Any]) -> dict[str, str]:
    return {
        "model.txt": trained.model_text,
        "metrics.json": _dump(trained.report()),
        "config.yaml": yaml.safe_dump(trained.config.model_dump(mode="json"), sort_keys=False),
        "features.json": _dump(features),
        "data.json": _dump(asdict(trained.data)),
        "versions.json": _dump(versions()),
        "curves.json": _dump({name: asdict(curves) for name, curves in trained.curves.items()}),
    }


def _dump(value: Any) -> str:
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def _write_durably(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise DataError(f"{path} is missing: the run folder is incomplete; train again") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}); train again") from None


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise DataError(f"{path} is damaged ({error}); train again") from None
    if not isinstance(content, dict):
        raise DataError(f"{path} is damaged (no JSON object); train again")
    return content


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
