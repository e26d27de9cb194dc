"""Train a model on the sessions with a known outcome, through the Feature Store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING

from intentscore.errors import ConfigurationError, DataError, IntentscoreError, NothingToDoError
from intentscore.features.definitions import FEATURES, feature_list, feature_names, features_using
from intentscore.features.feature import Feature
from intentscore.features.store import (
    FEATURES_OF,
    RegisteredView,
    refresh_statement,
    required_view,
    training_set,
)
from intentscore.services.kept_runs import run_at_hand
from intentscore.services.runs import recorded
from intentscore.services.versions import CHAMPION, registered_versions
from intentscore.settings import Settings

if TYPE_CHECKING:
    import lightgbm as lgb
    import pandas as pd
    from snowflake.snowpark import Session

    from intentscore.model.config import TrainConfig
    from intentscore.model.metrics import Decile
    from intentscore.model.training import Importance, TrainedModel

IMPORTANCES_SHOWN = 10


@dataclass(frozen=True)
class Measured:
    """One measure on the held-out months, over the folds of cross-validation, and of what the model has to beat:
    those three on the held-out months, the champion where it has not learned from them.
    """

    measure: str
    holdout: float | None
    cv_mean: float | None
    cv_std: float | None
    constant_rate: float | None
    logistic_regression: float | None
    champion: float | None


@dataclass(frozen=True)
class TrainResult:
    run_id: str
    path: str
    rows: int
    buyers: int
    train_months: str
    holdout_months: str
    trees: int
    feature_view: str
    feature_hash: str
    metrics: tuple[Measured, ...]
    holdout_deciles: tuple[Decile, ...]
    importances: tuple[Importance, ...]


def train(
    session: Session,
    settings: Settings,
    config: TrainConfig,
    *,
    tune: int | None = None,
    until: date | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> TrainResult:
    """Fit a model on all but the last months and measure it on those; writes a run folder and a RUNS row.

    Sessions after `until` are left out. `tune` is the number of trials of a search for better parameters, among the
    training months alone; it is kept in the home folder and taken up where it was left. `say` hears of each trial.

    The feature view is refreshed first, so the training set holds every session there is. Same sessions, same
    configuration: the same model, byte for byte.

    Raises ConfigurationError without a feature view of today's feature list, NothingToDoError without a known
    outcome, DataError when the sessions cannot be split or learned from.
    """
    from intentscore.model.run import write_run
    from intentscore.model.training import fit

    if config.label != "REVENUE":
        raise ConfigurationError(f"label: {config.label} is not an outcome of a session; allowed: REVENUE")
    with recorded(session, settings, "train", config=config.model_dump(mode="json"), tune=tune, until=until) as run:
        view, features = required_view(session, settings), feature_list(settings)
        run.feature_hash = view.hash
        session.sql(refresh_statement(session, view)).collect()
        frame = training_frame(session, settings, until)
        run.row_count = len(frame)
        resolved = with_features(config, features)
        if tune:
            resolved = _tuned(settings, frame, features, resolved, tune, say)
        trained = fit(
            frame[list(feature_names(features))].astype("float64"),
            frame["REVENUE"].to_numpy(dtype=bool),
            frame["SESSION_DATE"],
            resolved,
            _champion(session, settings, view, frame, resolved),
        )
        folder = write_run(settings.home / "runs", run.run_id, trained, _listed(view, features))
        return _result(run.run_id, str(folder.path), view, trained)


def training_frame(session: Session, settings: Settings, until: date | None = None) -> pd.DataFrame:
    """UID, SESSION_DATE, REVENUE and the features (float64) of sessions with an outcome, by date and UID.

    The shopper's history is NaN where there is none. Raises NothingToDoError without a known outcome, DataError when
    the feature view lacks a session, for which the Feature Store would put an earlier session's features.
    """
    frame: pd.DataFrame = training_set(session, settings, until).to_pandas()
    if frame.empty:
        when = f" up to {until}" if until else ""
        raise NothingToDoError(
            f"no session{when} has a known outcome; load some with REVENUE using `intentscore upload`"
        )
    always = [feature.name for feature in feature_list(settings) if not feature.nullable]
    complete = (frame[FEATURES_OF] == frame["SESSION_DATE"]) & frame[always].notna().all(axis=1)
    if not complete.all():
        raise DataError(f"{(~complete).sum():,} sessions have no features yet; run `intentscore features` first")
    return frame.drop(columns=FEATURES_OF).sort_values(["SESSION_DATE", "UID"], ignore_index=True)


def _tuned(
    settings: Settings,
    frame: pd.DataFrame,
    features: Sequence[Feature],
    config: TrainConfig,
    trials: int,
    say: Callable[[str], None],
) -> TrainConfig:
    from intentscore.model.split import split_by_time
    from intentscore.model.training import booster_inputs
    from intentscore.model.tuning import Trial, tune

    def tell(trial: Trial) -> None:
        value = "given up early" if trial.value is None else f"{trial.value:.5f}"
        best = "none" if trial.best is None else f"{trial.best:.5f}"
        say(f"trial {trial.number} of {trials}: {config.tune.objective} {value}, best so far {best}")

    past = split_by_time(frame["SESSION_DATE"], config.holdout_months).train
    inputs, categorical = booster_inputs(frame.loc[past, list(feature_names(features))], config)
    bought = frame.loc[past, "REVENUE"].to_numpy(dtype=bool)
    found = tune(
        inputs, bought, frame.loc[past, "SESSION_DATE"], categorical, config, trials, settings.home / "tuning.db", tell
    )
    say(f"{found.trials} trials, {found.pruned} given up early: {found.started_from:.5f} to {found.best:.5f}")
    return found.config


def with_features(config: TrainConfig, features: Sequence[Feature] = FEATURES) -> TrainConfig:
    """With the feature list's categorical features where the file names none, and with `exclude` spelt out: a
    column of SESSIONS there stands for every feature computed from it.

    Raises ConfigurationError when `exclude` names neither a feature nor a column of one.
    """
    excluded: dict[str, None] = {}
    for name in config.exclude:
        found = features_using(name, features)
        if not found:
            known = ", ".join(feature_names(features))
            raise ConfigurationError(f"exclude: no feature is or uses {name}; there are: {known}")
        excluded |= dict.fromkeys(found)
    kinds = {feature.name: feature.kind for feature in features if feature.name not in excluded}
    categorical = tuple(name for name, kind in kinds.items() if kind == "categorical")
    return config.model_copy(update={"exclude": tuple(excluded)}).resolved(categorical)


def _listed(view: RegisteredView, features: Sequence[Feature]) -> dict[str, object]:
    return {"hash": view.hash, "view": view.full_name, "features": [asdict(feature) for feature in features]}


def _result(run_id: str, path: str, view: RegisteredView, trained: TrainedModel) -> TrainResult:
    return TrainResult(
        run_id=run_id,
        path=path,
        rows=trained.data.rows,
        buyers=trained.data.buyers,
        train_months=", ".join(trained.split.train_period.months),
        holdout_months=", ".join(trained.split.holdout_period.months),
        trees=trained.booster.num_trees(),
        feature_view=view.full_name,
        feature_hash=str(view.hash),
        metrics=_metrics(trained),
        holdout_deciles=trained.deciles,
        importances=trained.importances[:IMPORTANCES_SHOWN],
    )


def _metrics(trained: TrainedModel) -> tuple[Measured, ...]:
    holdout, mean, std = trained.holdout.as_dict(), trained.cv.mean, trained.cv.std
    beside = {name: baseline.holdout.as_dict() for name, baseline in trained.baselines.items()}
    constant, line, champion = (beside.get(name, {}) for name in ("constant_rate", "logistic_regression", "champion"))
    return tuple(
        Measured(name, holdout[name], mean[name], std[name], constant[name], line[name], champion.get(name))
        for name in mean
    )


def _champion(
    session: Session, settings: Settings, view: RegisteredView, frame: pd.DataFrame, config: TrainConfig
) -> lgb.Booster | None:
    """The champion's booster, if its run is at hand, of the same features, and older than the held-out months."""
    from intentscore.model.split import split_by_time

    known = registered_versions(session, settings)
    champion = next((version for version in known if CHAMPION in version.aliases), None)
    if champion is None or champion.learned_until is None or champion.feature_hash != view.hash:
        return None
    if champion.learned_until >= split_by_time(frame["SESSION_DATE"], config.holdout_months).holdout_period.first:
        return None
    try:
        return run_at_hand(session, settings, str(champion.metrics.get("run_id"))).booster()
    except IntentscoreError:
        return None
