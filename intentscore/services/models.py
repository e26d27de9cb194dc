"""The versions of the model: aliases, figures, what each learned from, and the days it scored. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from intentscore.features.definitions import feature_hash, feature_list
from intentscore.features.store import registered_views
from intentscore.services.versions import RegisteredVersion, reads, registered_versions
from intentscore.settings import Settings
from intentscore.warehouse.errors import snowflake_errors
from intentscore.warehouse.identifiers import literal
from intentscore.warehouse.tables import CHALLENGER_SCORES, SCORES, exists

if TYPE_CHECKING:
    from snowflake.snowpark import Session


@dataclass(frozen=True)
class ModelSummary:
    """`roc_auc` and the other figures are of the months held out in training; `scored_days` are days of SCORES or
    CHALLENGER_SCORES; `feature_view` is what it reads, empty when that is gone and it cannot score.
    """

    version: str
    alias: str
    default: bool
    roc_auc: float | None
    average_precision: float | None
    log_loss: float | None
    brier: float | None
    learned_from: date | None
    learned_until: date | None
    learned_sessions: int | None
    scored_days: int
    last_scored_day: date | None
    feature_view: str


@dataclass(frozen=True)
class ModelsResult:
    model_name: str
    feature_hash: str
    versions: tuple[ModelSummary, ...]


def models(session: Session, settings: Settings) -> ModelsResult:
    """All registered versions, the newest first."""
    with snowflake_errors("list the model's versions"):
        days = _scored_days(session, settings)
        known = registered_versions(session, settings)
        views = registered_views(session, settings)
    read = {version.name: view.full_name for version in known if (view := reads(version, views))}
    rows = tuple(
        _summary(version, read.get(version.name, ""), *days.get(version.name, (0, None))) for version in reversed(known)
    )
    return ModelsResult(settings.model_name, feature_hash(feature_list(settings)), rows)


def _summary(version: RegisteredVersion, view: str, scored_days: int, last: date | None) -> ModelSummary:
    figures = version.metrics
    return ModelSummary(
        version=version.name,
        alias=", ".join(version.aliases),
        default=version.default,
        roc_auc=figures.get("holdout_roc_auc"),
        average_precision=figures.get("holdout_average_precision"),
        log_loss=figures.get("holdout_log_loss"),
        brier=figures.get("holdout_brier"),
        learned_from=version.learned_from,
        learned_until=version.learned_until,
        learned_sessions=figures.get("learned_sessions"),
        scored_days=scored_days,
        last_scored_day=last,
        feature_view=view,
    )


def _scored_days(session: Session, settings: Settings) -> dict[str, tuple[int, date | None]]:
    tables = [table for table in (SCORES, CHALLENGER_SCORES) if exists(session, settings, table)]
    if not tables:
        return {}
    either = " UNION ".join(
        f"SELECT MODEL_VERSION, SESSION_DATE FROM {table.qualified_name(session, settings)} "
        f"WHERE MODEL_NAME = {literal(settings.model_name)}"
        for table in tables
    )
    rows = session.sql(
        f"SELECT MODEL_VERSION, COUNT(DISTINCT SESSION_DATE), MAX(SESSION_DATE) FROM ({either}) GROUP BY MODEL_VERSION"
    ).collect()
    return {version: (days, last) for version, days, last in rows}
