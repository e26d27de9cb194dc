"""Which features matter to a version: contributions of a sample of sessions, and what they come to on average."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from intentscore.errors import NothingToDoError
from intentscore.features.definitions import meanings
from intentscore.features.store import RegisteredView, described_features
from intentscore.services.contributions import SUFFIX, contributions, explained_features
from intentscore.services.versions import features_of, registered_versions, wanted_version
from intentscore.settings import Settings
from intentscore.warehouse.errors import snowflake_errors
from intentscore.warehouse.identifiers import qualified

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray
    from snowflake.snowpark import DataFrame, Session

SAMPLE = 1000


@dataclass(frozen=True)
class ExplainedSample:
    """`values` and `log_odds`: float64 (sessions, features), columns as in `features`, NaN for a missing value.

    A row's `log_odds` and `base_log_odds` add up to the log-odds of its score. `meanings` are of `features`.
    """

    model_name: str
    version: str
    first: date
    last: date
    sessions: int
    base_log_odds: float
    features: tuple[str, ...]
    meanings: tuple[str, ...]
    values: NDArray[np.float64]
    log_odds: NDArray[np.float64]


@dataclass(frozen=True)
class FeatureImportance:
    """`log_odds` is the mean absolute contribution, `share` its part of all features' together."""

    feature: str
    log_odds: float = field(metadata={"bar": True})
    share: float
    meaning: str


@dataclass(frozen=True)
class GlobalExplanation:
    """Of `sessions` sessions between `first` and `last`; the features that matter most come first."""

    model_name: str
    version: str
    first: date
    last: date
    sessions: int
    base_log_odds: float
    features: tuple[FeatureImportance, ...]


def explained_sample(
    session: Session,
    settings: Settings,
    first: date | None = None,
    last: date | None = None,
    model_version: str | None = None,
    size: int = SAMPLE,
) -> ExplainedSample:
    """Contributions to the log-odds of at most `size` sessions: of the days `first` to `last`, of all days for None.

    Which sessions is decided by the MD5 of their UID, so that the same sessions give the same sample. The version
    is the champion unless another is named; its own `explain` runs in the warehouse.

    Raises NothingToDoError when these days have no sessions, ConfigurationError for an unknown version or without
    features or model, GateRefusedError when the feature view it was trained on is gone.
    """
    with snowflake_errors("explain a sample"):
        version = wanted_version(registered_versions(session, settings), settings, model_version)
        view = features_of(session, settings, version)
        base = version.base_log_odds
        rows = _sampled(session, view, first, last, size)
        explained = contributions(session, settings, version, rows)
        frame: pd.DataFrame = explained.to_pandas()
        known = meanings(described_features(session, view))
    if frame.empty:
        raise NothingToDoError("no sessions to explain on these days; `intentscore status` shows which days have some")
    frame = frame.sort_values(["SESSION_DATE", "UID"], ignore_index=True)
    names = explained_features(explained)
    return ExplainedSample(
        model_name=settings.model_name,
        version=version.name,
        first=frame["SESSION_DATE"].min(),
        last=frame["SESSION_DATE"].max(),
        sessions=len(frame),
        base_log_odds=base,
        features=names,
        meanings=tuple(known[name] for name in names),
        values=frame[list(names)].to_numpy(dtype="float64"),
        log_odds=frame[[name + SUFFIX for name in names]].to_numpy(dtype="float64"),
    )


def global_explanation(sample: ExplainedSample) -> GlobalExplanation:
    """The features of a sample by mean absolute contribution, the largest first."""
    known = dict(zip(sample.features, sample.meanings, strict=True))
    means = abs(sample.log_odds).mean(axis=0)
    total = float(means.sum()) or 1.0
    ranked = sorted(zip(sample.features, means, strict=True), key=lambda pair: (-pair[1], pair[0]))
    return GlobalExplanation(
        sample.model_name,
        sample.version,
        sample.first,
        sample.last,
        sample.sessions,
        sample.base_log_odds,
        tuple(FeatureImportance(name, float(mean), float(mean) / total, known[name]) for name, mean in ranked),
    )


def _sampled(session: Session, view: RegisteredView, first: date | None, last: date | None, size: int) -> DataFrame:
    from snowflake.snowpark.functions import col, md5

    rows: DataFrame = session.table(qualified(session, view.full_name))
    if first is not None:
        rows = rows.filter(col("SESSION_DATE") >= first)
    if last is not None:
        rows = rows.filter(col("SESSION_DATE") <= last)
    return rows.sort(md5(col("UID")), col("SESSION_DATE")).limit(size)
