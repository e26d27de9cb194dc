"""Measure a configuration on sessions it has not learned from, beside its baselines or another configuration."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from intentscore.errors import ConfigurationError, DataError, IntentscoreError
from intentscore.features.definitions import feature_list, feature_names
from intentscore.features.feature import Feature
from intentscore.services.kept_runs import run_at_hand
from intentscore.services.train import training_frame, with_features
from intentscore.services.versions import CHAMPION, alias_holder, registered_versions
from intentscore.settings import Settings
from intentscore.warehouse.tables import VISITORS

if TYPE_CHECKING:
    import pandas as pd
    from snowflake.snowpark import Session

    from intentscore.data.source import SessionSource
    from intentscore.model.bootstrap import Difference, Resampled
    from intentscore.model.config import TrainConfig
    from intentscore.model.evaluation import ModelFigures, MonthFigures, SegmentFigures
    from intentscore.model.metrics import Decile
    from intentscore.model.protocol import Examined, Labels, Learner, Part

Protocol = Literal["T", "O"]
PROTOCOLS: tuple[Protocol, ...] = ("T", "O")
RUN = re.compile(r"\d{6}_\d{6}_[0-9a-f]{4}")
MODEL, CONSTANT, LOGISTIC = "model", "constant rate", "logistic regression"


@dataclass(frozen=True)
class Compared:
    """The model minus `other` on the same sessions; `better` is empty where the interval includes 0."""

    protocol: str
    other: str
    measure: str
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None
    better: bool | None


@dataclass(frozen=True)
class PageValueMonth:
    """A month's sessions without and with a page value, which the shop's analytics compute from sales."""

    month: str
    sessions: int
    buyers: int
    without_value: int
    buyers_without_value: int
    buyer_rate_with_value: float | None


@dataclass(frozen=True)
class EvaluateResult:
    """`deciles` and `segments` are of the model in the first protocol evaluated, `months` out of time."""

    model: str
    against: str | None
    sessions: int
    buyers: int
    features: int
    figures: tuple[ModelFigures, ...]
    comparisons: tuple[Compared, ...]
    months: tuple[MonthFigures, ...]
    deciles: tuple[Decile, ...]
    segments: tuple[SegmentFigures, ...]
    page_values: tuple[PageValueMonth, ...]


def configuration(session: Session, settings: Settings, name: str) -> TrainConfig:
    """The configuration of a run, by its id, or of a YAML file. UsageError or ConfigurationError without one."""
    from intentscore.model.config import load_train_config

    if RUN.fullmatch(name):
        return run_at_hand(session, settings, name).config
    if not Path(name).exists():
        raise ConfigurationError(f"{name} is neither a file nor a run's id, like 241103_090210_5f3a")
    return load_train_config(Path(name))


def evaluate(
    session: Session,
    settings: Settings,
    model: str,
    against: str | None = None,
    *,
    without: str | None = None,
    protocols: tuple[Protocol, ...] = PROTOCOLS,
    order: SessionSource | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> EvaluateResult:
    """Let the configuration `model` (a run's id or a YAML file) learn anew in each part of T and O, and measure it.

    Beside it: the constant rate, logistic regression, the champion's configuration when its run is at hand,
    `against`, and the same configuration without the features made of the column `without`. T deals its folds to
    the sessions in the order of date and UID, or of their rows in the source `order`. `say` hears what learns.
    Changes nothing.

    Raises ConfigurationError without a feature view of today's feature list, NothingToDoError without a known
    outcome, DataError when there are too few buyers or months, or when `order` lacks a session.
    """
    features = feature_list(settings)
    config = with_features(configuration(session, settings, model), features)
    others = {against: with_features(configuration(session, settings, against), features)} if against else {}
    if without:
        others[f"without {without}"] = _without(config, without, features)
    others |= _champion(session, settings, features, say)
    frame = training_frame(session, settings)
    from intentscore.model.evaluation import model_figures, month_figures, score_deciles, segment_figures

    sessions = {
        name: _Sessions.of(_in_order(frame, order) if order and name == "T" else frame, features) for name in protocols
    }
    found = {name: _examined(sessions[name], name, config, others, say) for name in protocols}
    resampled = _resampled(found, sessions)
    first, shown = protocols[0], sessions[protocols[0]]
    return EvaluateResult(
        model=model,
        against=against,
        sessions=len(frame),
        buyers=int(shown.bought.sum()),
        features=len([name for name in shown.matrix.columns if name not in config.exclude]),
        figures=tuple(
            model_figures(protocol, name, examined, resampled[protocol][name], sessions[protocol].bought)
            for protocol, models in found.items()
            for name, examined in models.items()
        ),
        comparisons=_comparisons(resampled),
        months=month_figures(found["O"], sessions["O"].bought) if "O" in found else (),
        deciles=score_deciles(found[first][MODEL], shown.bought),
        segments=segment_figures(first, found[first][MODEL], shown.bought, shown.segments),
        page_values=_page_values(frame),
    )


@dataclass(frozen=True)
class _Sessions:
    matrix: pd.DataFrame
    bought: Labels
    dates: pd.Series[Any]
    segments: pd.DataFrame
    categorical: tuple[str, ...]

    @classmethod
    def of(cls, frame: pd.DataFrame, features: Sequence[Feature]) -> _Sessions:
        return cls(
            matrix=frame[list(feature_names(features))].astype("float64").dropna(axis="columns", how="all"),
            bought=frame["REVENUE"].to_numpy(dtype=bool),
            dates=frame["SESSION_DATE"],
            segments=segments(frame),
            categorical=tuple(feature.name for feature in features if feature.kind == "categorical"),
        )

    def parts(self, protocol: Protocol) -> tuple[Part, ...]:
        from intentscore.model.protocol import out_of_time, repeated_folds

        return repeated_folds(self.bought) if protocol == "T" else out_of_time(self.dates)


def _in_order(frame: pd.DataFrame, order: SessionSource) -> pd.DataFrame:
    listed = (uid for batch in order.batches() for uid in batch["UID"].to_pylist())
    rows = {uid: row for row, uid in enumerate(listed)}
    if missing := int((~frame["UID"].isin(rows.keys())).sum()):
        raise DataError(f"{missing:,} of {len(frame):,} sessions are not in {order.name}; name the file they came from")
    return frame.sort_values("UID", key=lambda uids: uids.map(rows), ignore_index=True)


def segments(frame: pd.DataFrame) -> pd.DataFrame:
    """Visitor type, month and traffic type as text (n, 3), from the features and SESSION_DATE."""
    import pandas as pd

    visitors = dict(enumerate(("unknown", *VISITORS)))
    return pd.DataFrame(
        {
            "visitor type": frame["VISITOR_CODE"].astype(int).map(visitors).fillna("unknown"),
            "month": pd.to_datetime(frame["SESSION_DATE"]).dt.strftime("%Y-%m"),
            "traffic type": frame["TRAFFIC_TYPE"].astype(int).map("{:02d}".format),
        }
    )


def _without(config: TrainConfig, column: str, features: Sequence[Feature]) -> TrainConfig:
    changed = config.model_copy(update={"exclude": (*config.exclude, column.upper())})
    return with_features(changed, features)


def _page_values(frame: pd.DataFrame) -> tuple[PageValueMonth, ...]:
    valued, bought = frame["PAGE_VALUES"] > 0, frame["REVENUE"].astype(bool)
    rows = []
    for month, found in segments(frame).groupby("month").groups.items():
        with_value, buyers = valued.loc[found], bought.loc[found]
        rows.append(
            PageValueMonth(
                month=str(month),
                sessions=len(found),
                buyers=int(buyers.sum()),
                without_value=int((~with_value).sum()),
                buyers_without_value=int((buyers & ~with_value).sum()),
                buyer_rate_with_value=float(buyers[with_value].mean()) if with_value.any() else None,
            )
        )
    return tuple(rows)


def _champion(
    session: Session, settings: Settings, features: Sequence[Feature], say: Callable[[str], None]
) -> dict[str, TrainConfig]:
    """The champion's configuration under its name; none when there is no champion or its run is not here."""
    versions = registered_versions(session, settings)
    name = alias_holder(versions, CHAMPION)
    champion = next((version for version in versions if version.name == name), None)
    if champion is None:
        return {}
    try:
        trained = configuration(session, settings, str(champion.metrics.get("run_id")))
        return {f"champion {name}": with_features(trained, features)}
    except IntentscoreError as error:
        say(f"without the champion {name}: {error}")
        return {}


def _examined(
    sessions: _Sessions,
    protocol: Protocol,
    config: TrainConfig,
    others: dict[str, TrainConfig],
    say: Callable[[str], None],
) -> dict[str, Examined]:
    from intentscore.model.learners import boosted, constant_rate, logistic_regression
    from intentscore.model.protocol import examine

    parts = sessions.parts(protocol)

    def examined(name: str, learner: Learner) -> Examined:
        return examine(learner, sessions.matrix, sessions.bought, parts, lambda part: say(f"{protocol} {part}: {name}"))

    found = {MODEL: examined(MODEL, boosted(config, sessions.dates))}
    for name, other in others.items():
        found[name] = found[MODEL] if other == config else examined(name, boosted(other, sessions.dates))
    found[LOGISTIC] = examined(LOGISTIC, logistic_regression(sessions.categorical, config.exclude))
    found[CONSTANT] = examined(CONSTANT, constant_rate)
    return found


def _resampled(
    found: dict[Protocol, dict[str, Examined]], sessions: dict[Protocol, _Sessions]
) -> dict[Protocol, dict[str, Resampled]]:
    from intentscore.model.bootstrap import resample

    return {
        protocol: {name: resample(examined, sessions[protocol].bought) for name, examined in models.items()}
        for protocol, models in found.items()
    }


def _comparisons(resampled: dict[Protocol, dict[str, Resampled]]) -> tuple[Compared, ...]:
    from intentscore.model.bootstrap import differences

    return tuple(
        _compared(protocol, name, difference)
        for protocol, models in resampled.items()
        for name, other in models.items()
        if name not in (MODEL, CONSTANT)
        for difference in differences(models[MODEL], other)
    )


def _compared(protocol: str, other: str, found: Difference) -> Compared:
    return Compared(
        protocol, other, found.measure, found.difference, found.low, found.high, found.p_value, found.better
    )
