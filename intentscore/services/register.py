"""Log a trained model in the Model Registry."""

from __future__ import annotations

import warnings
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any

from intentscore.errors import GateRefusedError
from intentscore.features.store import RegisteredView, registered_views
from intentscore.services.kept_runs import keep_run, run_at_hand
from intentscore.services.runs import Run, recorded
from intentscore.services.versions import (
    CHALLENGER,
    CHAMPION,
    alias_holder,
    open_registry,
    registered_versions,
)
from intentscore.settings import Settings
from intentscore.warehouse.errors import snowflake_errors
from intentscore.warehouse.identifiers import qualified

if TYPE_CHECKING:
    import pandas as pd
    from snowflake.ml.model import ModelVersion
    from snowflake.ml.registry import Registry
    from snowflake.snowpark import Session

    from intentscore.model.run import RunFolder

SAMPLE_ROWS = 100


@dataclass(frozen=True)
class RegisterResult:
    """`trained_run` is the run folder the version was made of; `run_id` is this registration."""

    run_id: str
    model_name: str
    version: str
    alias: str
    trained_run: str
    feature_hash: str


def register(session: Session, settings: Settings, run: str | None = None) -> RegisterResult:
    """Log the model of a run (the latest here for None) as version V_YYMMDD_HHMMSS, runnable in the warehouse.

    The run is put on its stage as well, so that it is found from elsewhere.

    The model's first version becomes CHAMPION and the registry's default, every later one CHALLENGER.

    Raises UsageError when there is no such run, DataError when its folder is damaged, GateRefusedError when
    the version of the feature view that it was trained on is gone.
    """
    from intentscore.model.run import find_run

    with recorded(session, settings, "register", run=run) as record:
        folder = run_at_hand(session, settings, run) if run else find_run(settings.home / "runs")
        record.feature_hash = folder.features["hash"]
        view = _view_of_run(session, settings, folder)
        keep_run(session, settings, folder.run_id)
        with snowflake_errors("register the model", wrapped=True):
            version, alias = _log_version(session, settings, folder, view, record)
        return RegisterResult(record.run_id, settings.model_name, version, alias, folder.run_id, record.feature_hash)


def _view_of_run(session: Session, settings: Settings, folder: RunFolder) -> RegisteredView:
    trained_on = {key: folder.features[key] for key in ("hash", "view")}
    for view in registered_views(session, settings):
        if {"hash": view.hash, "view": view.full_name} == trained_on:
            return view
    raise GateRefusedError(
        f"run {folder.run_id} was trained on feature view {trained_on['view']} (feature list {trained_on['hash']}), "
        "which is not there; run `intentscore train` and register the new run"
    )


def _log_version(
    session: Session, settings: Settings, folder: RunFolder, view: RegisteredView, record: Run
) -> tuple[str, str]:
    known = registered_versions(session, settings)
    record.model_version = name = _free_name(record, {version.name for version in known})
    registry = open_registry(session)
    sample = _sample_input(session, view, folder.metrics["model"]["features"])
    logged = _log(registry, settings, folder, name, sample)
    champion, challenger = alias_holder(known, CHAMPION), alias_holder(known, CHALLENGER)
    if champion is None:
        logged.set_alias(CHAMPION)
        registry.get_model(settings.model_name).default = logged
        return name, CHAMPION
    if challenger is not None:
        # one version at a time bears an alias, and Snowflake does not move it by itself
        registry.get_model(settings.model_name).version(challenger).unset_alias(CHALLENGER)
    logged.set_alias(CHALLENGER)
    return name, CHALLENGER


def _log(registry: Registry, settings: Settings, folder: RunFolder, name: str, sample: pd.DataFrame) -> ModelVersion:
    from snowflake.ml.model import task

    # it draws a progress bar on stdout, where only results belong, and advises every caller about signatures
    with redirect_stdout(StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return registry.log_model(
            model=folder.booster(),
            model_name=settings.model_name,
            version_name=name,
            comment=f"LightGBM, run {folder.run_id}, feature hash {folder.features['hash']}",
            metrics=_logged_metrics(folder),
            sample_input_data=sample,
            task=task.Task.TABULAR_BINARY_CLASSIFICATION,
            target_platforms=["WAREHOUSE"],
            # the sample is for the signature and the explainer; a shopper's row is not kept in the registry
            options={
                "relax_version": False,
                "enable_explainability": True,
                "capture_sample_input_data": False,
            },
        )


def _free_name(record: Run, taken: set[str]) -> str:
    moment = record.started_at
    while (name := f"V_{moment:%y%m%d_%H%M%S}") in taken:
        moment += timedelta(seconds=1)
    return name


def _sample_input(session: Session, view: RegisteredView, inputs: list[str]) -> pd.DataFrame:
    """The first rows of the feature view: float64, one column per input of the booster."""
    table = session.table(qualified(session, view.full_name))
    rows: pd.DataFrame = table.sort("SESSION_DATE", "UID").limit(SAMPLE_ROWS).select(*inputs).to_pandas()
    # a column without any value has no type for the signature
    return rows.astype("float64").fillna(0.0)


def _logged_metrics(folder: RunFolder) -> dict[str, Any]:
    """Figures of the held-out months, and what ties the version to its run; metadata has room for no more."""
    from intentscore.model.explanation import base_log_odds

    figures = {f"holdout_{name}": value for name, value in folder.metrics["holdout"].items() if value is not None}
    model = {
        "model_sha256": folder.metrics["model"]["sha256"],
        "trees": folder.metrics["model"]["trees"],
        "base_log_odds": base_log_odds(folder.booster()),
    }
    origin = {"run_id": folder.run_id, "feature_hash": folder.features["hash"], "feature_view": folder.features["view"]}
    period = folder.metrics["train_period"]
    learned = {
        "learned_from": period["first"],
        "learned_until": period["last"],
        "learned_sessions": period["sessions"],
    }
    return {**figures, **model, **origin, **learned, "data_fingerprint": folder.data["fingerprint"]}
