"""Entity, feature view and training sets in the Feature Store. The view's comment holds the list's hash."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from intentscore.errors import ConfigurationError
from intentscore.features.definitions import FEATURES, feature_columns, feature_hash, feature_names
from intentscore.settings import Settings
from intentscore.warehouse.errors import snowflake_errors
from intentscore.warehouse.identifiers import current_schema, literal, qualified
from intentscore.warehouse.tables import SESSIONS

if TYPE_CHECKING:
    from snowflake.ml.feature_store import FeatureStore, FeatureView
    from snowflake.snowpark import DataFrame, Row, Session

HASH_IN_COMMENT = re.compile(r"feature hash ([0-9a-f]{16})")
ENTITY_COMMENT = "a shop session, and so the shopper behind it"


def view_name(settings: Settings) -> str:
    return f"{settings.feature_view.name}${settings.feature_view.version}"


def qualified_view(session: Session, settings: Settings) -> str:
    return qualified(session, view_name(settings))


def registered_hash(session: Session, settings: Settings) -> str | None:
    """Hash of the feature list the registered view was made of; None when there is no view."""
    found = _shown_view(session, settings)
    return _hash_of(found, settings) if found else None


def require_view(session: Session, settings: Settings) -> str:
    """The qualified name of the feature view, which must hold exactly today's feature list."""
    found = registered_hash(session, settings)
    if found is None:
        raise ConfigurationError(f"there is no feature view {view_name(settings)}; run `intentscore features`")
    _refuse_other_list(found, settings)
    return qualified_view(session, settings)


def register_view(session: Session, settings: Settings) -> FeatureView:
    """Register entity and feature view; a view of the same feature list is reused.

    Raises ConfigurationError when the version holds another feature list: versions are never redefined.
    """
    found = registered_hash(session, settings)
    if found is not None:
        _refuse_other_list(found, settings)
    with snowflake_errors("register the feature view", wrapped=True):
        store = _open_store(session, settings, create=True)
        if found is not None:
            return _registered_view(store, settings)
        entity = _register_entity(store, settings)
        return store.register_feature_view(_draft(session, settings, entity), settings.feature_view.version)


def refresh_statement(session: Session, settings: Settings) -> str:
    return f"ALTER DYNAMIC TABLE {qualified_view(session, settings)} REFRESH"


def training_set(session: Session, settings: Settings) -> DataFrame:
    """UID, SESSION_DATE, REVENUE and the features (FLOAT) of every session with a known outcome.

    Each spine row gets the features as they stood on its SESSION_DATE (ASOF join: the latest up to it).
    """
    from snowflake.snowpark.functions import col

    require_view(session, settings)
    with snowflake_errors("make the training set", wrapped=True):
        store = _open_store(session, settings, create=False)
        spine = (
            session.table(SESSIONS.qualified_name(session, settings))
            .filter(col("REVENUE").is_not_null())
            .select("UID", "SESSION_DATE", "REVENUE")
        )
        joined = store.generate_training_set(
            spine,
            [_registered_view(store, settings)],
            spine_timestamp_col="SESSION_DATE",
            spine_label_cols=["REVENUE"],
        )
        rows: DataFrame = joined.select("UID", "SESSION_DATE", "REVENUE", *feature_names())
        return rows


def _open_store(session: Session, settings: Settings, *, create: bool) -> FeatureStore:
    from snowflake.ml.feature_store import CreationMode, FeatureStore

    warehouse = session.get_current_warehouse()
    if warehouse is None:
        raise ConfigurationError("no warehouse; set `warehouse:` in configs/intentscore.yaml or in the connection")
    mode = CreationMode.CREATE_IF_NOT_EXIST if create else CreationMode.FAIL_IF_NOT_EXIST
    database, schema = session.get_current_database(), session.get_current_schema()
    return FeatureStore(session, str(database), str(schema), warehouse, creation_mode=mode)


def _registered_view(store: FeatureStore, settings: Settings) -> FeatureView:
    return store.get_feature_view(settings.feature_view.name, settings.feature_view.version)


def _register_entity(store: FeatureStore, settings: Settings) -> Any:
    from snowflake.ml.feature_store import Entity

    name = settings.feature_view.entity
    if any(row["NAME"] == name for row in store.list_entities().collect()):
        return store.get_entity(name)
    return store.register_entity(Entity(name, ["UID"], desc=ENTITY_COMMENT))


def _draft(session: Session, settings: Settings, entity: Any) -> FeatureView:
    from snowflake.ml.feature_store import FeatureView

    sessions = session.table(SESSIONS.qualified_name(session, settings))
    view = FeatureView(
        name=settings.feature_view.name,
        entities=[entity],
        feature_df=sessions.select("UID", "SESSION_DATE", *feature_columns()),
        timestamp_col="SESSION_DATE",
        refresh_freq=settings.feature_view.refresh_freq,
        cluster_by=["SESSION_DATE"],
        desc=f"engineered features of a session; feature hash {feature_hash()}",
    )
    return view.attach_feature_desc({feature.name: feature.meaning for feature in FEATURES})


def _shown_view(session: Session, settings: Settings) -> Row | None:
    name, schema = view_name(settings), current_schema(session)
    with snowflake_errors("look up the feature view"):
        shown = session.sql(f"SHOW DYNAMIC TABLES LIKE {literal(name)} IN SCHEMA {schema}").collect()
    return next((row for row in shown if row["name"] == name), None)


def _hash_of(shown: Row, settings: Settings) -> str:
    found = HASH_IN_COMMENT.search(shown["comment"] or "")
    if found is None:
        raise ConfigurationError(f"feature view {view_name(settings)} was not made by intentscore; {_next_version()}")
    return found[1]


def _refuse_other_list(found: str, settings: Settings) -> None:
    if found != feature_hash():
        raise ConfigurationError(
            f"feature view {view_name(settings)} holds another feature list ({found}) than this intentscore"
            f" ({feature_hash()}); {_next_version()}"
        )


def _next_version() -> str:
    return "set a new `feature_view.version` in configs/intentscore.yaml and run `intentscore features`"
