"""Register the features in the Feature Store, refresh them, and say what they look like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from intentscore.features.definitions import feature_list
from intentscore.features.feature import Feature
from intentscore.features.store import current_view, refresh_statement, register_view
from intentscore.services.runs import recorded
from intentscore.settings import Settings
from intentscore.warehouse.identifiers import qualified
from intentscore.warehouse.tables import SESSIONS, create_tables

if TYPE_CHECKING:
    from snowflake.snowpark import Session


@dataclass(frozen=True)
class FeatureSummary:
    """`count` rows have a value, `nulls` have none."""

    name: str
    kind: str
    count: int
    nulls: int
    minimum: float | None
    maximum: float | None
    meaning: str


@dataclass(frozen=True)
class FeaturesResult:
    run_id: str
    view: str
    version: str
    hash: str
    rows: int
    features: tuple[FeatureSummary, ...]


def refresh_features(session: Session, settings: Settings) -> FeaturesResult:
    """Register entity and feature view if they are missing, refresh the view, and summarise each feature.

    Raises ConfigurationError when the view's version holds another feature list.
    """
    with recorded(session, settings, "features", view=settings.feature_view.name) as run:
        create_tables(session, settings, [SESSIONS])
        known = current_view(session, settings)
        view = register_view(session, settings)
        run.feature_hash = view.hash
        if view == known:  # a new one is filled when it is made
            session.sql(refresh_statement(session, view)).collect()
        rows, features = summarise(session, qualified(session, view.full_name), feature_list(settings))
        run.row_count = rows
        return FeaturesResult(run.run_id, view.name, view.version, str(view.hash), rows, features)


def summarise(session: Session, view: str, features: Sequence[Feature]) -> tuple[int, tuple[FeatureSummary, ...]]:
    """The number of rows of the view (a qualified name), and each feature's values."""
    measures = ", ".join(f"COUNT({f.name}), MIN({f.name}), MAX({f.name})" for f in features)
    rows, *values = session.sql(f"SELECT COUNT(*), {measures} FROM {view}").collect()[0]
    triples = zip(values[0::3], values[1::3], values[2::3], strict=True)
    return rows, tuple(
        FeatureSummary(f.name, f.kind, count, rows - count, low, high, f.meaning)
        for f, (count, low, high) in zip(features, triples, strict=True)
    )
