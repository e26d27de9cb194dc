"""Entity, feature view and training sets in the Feature Store.

A version of the view holds one feature list for ever: its comment has the list's hash. Another list becomes another
version, and the versions stand side by side for the models that were trained on them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from intentscore.errors import ConfigurationError
from intentscore.features.definitions import feature_hash, feature_list, feature_names, feature_query
from intentscore.features.feature import Feature
from intentscore.settings import Settings
from intentscore.warehouse.errors import snowflake_errors
from intentscore.warehouse.identifiers import current_schema, literal, qualified
from intentscore.warehouse.tables import SESSIONS

if TYPE_CHECKING:
    from snowflake.ml.feature_store import FeatureStore, FeatureView
    from snowflake.snowpark import DataFrame, Row, Session

COMMENT = re.compile(r"categorical: ([A-Z0-9_, ]*); feature hash ([0-9a-f]{16})")
NUMBERED = re.compile(r"V(\d+)")
ENTITY_COMMENT = "a shop session, and so the shopper behind it"
FEATURES_OF = "FEATURES_OF"
"""The column of a training set that says of which day a row's features are."""


@dataclass(frozen=True)
class RegisteredView:
    """A version of the feature view; `hash` is of its feature list, None when intentscore did not make it.

    `categorical` are those of its features that hold codes.
    """

    name: str
    version: str
    hash: str | None
    categorical: frozenset[str] = frozenset()

    @property
    def full_name(self) -> str:
        return f"{self.name}${self.version}"


def registered_views(session: Session, settings: Settings) -> tuple[RegisteredView, ...]:
    """All versions of the feature view, in the order of their numbers."""
    name, schema = settings.feature_view.name, current_schema(session)
    with snowflake_errors("look up the feature view"):
        shown = session.sql(f"SHOW DYNAMIC TABLES LIKE {literal(name + '$%')} IN SCHEMA {schema}").collect()
    views = [_registered(row, name) for row in shown if row["name"].startswith(f"{name}$")]
    return tuple(sorted(views, key=lambda view: (_number(view.version), view.version)))


def current_view(session: Session, settings: Settings) -> RegisteredView | None:
    """The version with the present feature list; None without one, or when the settings name another version."""
    wanted, present = settings.feature_view.version, feature_hash(feature_list(settings))
    same = [view for view in registered_views(session, settings) if view.hash == present]
    return next((view for view in reversed(same) if wanted in (None, view.version)), None)


def required_view(session: Session, settings: Settings) -> RegisteredView:
    """The version that holds the present feature list. Raises ConfigurationError without one."""
    found = _current_or_refused(session, settings)
    if found is None:
        named = settings.feature_view.version or "with the present feature list"
        raise ConfigurationError(
            f"there is no feature view {settings.feature_view.name} {named}; run `intentscore features`"
        )
    return found


def require_view(session: Session, settings: Settings) -> str:
    """The qualified name of `required_view`."""
    return qualified(session, required_view(session, settings).full_name)


def register_view(session: Session, settings: Settings) -> RegisteredView:
    """Register entity and feature view; a version of the same feature list is reused, never redefined.

    The refresh frequency of a reused version becomes that of the settings. Raises ConfigurationError when the settings
    name a version that holds another list.
    """
    found = _current_or_refused(session, settings)
    if found is None:
        _refuse_faulty(session, settings)
    with snowflake_errors("register the feature view", wrapped=True):
        store = open_store(session, create=True)
        if found is not None:
            _keep_fresh(store, found, settings)
            return found
        version = settings.feature_view.version or _next_version(registered_views(session, settings))
        store.register_feature_view(_draft(session, settings, _register_entity(store, settings)), version)
    # the client answers with what is there already when another command was faster
    return required_view(session, settings)


def refresh_statement(session: Session, view: RegisteredView) -> str:
    return f"ALTER DYNAMIC TABLE {qualified(session, view.full_name)} REFRESH"


def view_features(session: Session, view: RegisteredView) -> tuple[str, ...]:
    """The names of the features a version of the view has, in their order."""
    return tuple(feature.name for feature in described_features(session, view))


def described_features(session: Session, view: RegisteredView) -> tuple[Feature, ...]:
    """The features a version of the view has, in their order: as it was registered, whatever the present list is."""
    described = session.sql(f"DESCRIBE DYNAMIC TABLE {qualified(session, view.full_name)}").collect()
    columns = [row for row in described if row["name"] not in SESSIONS.key]
    return tuple(
        Feature(
            row["name"], row["name"], "categorical" if row["name"] in view.categorical else "numeric", row["comment"]
        )
        for row in columns
    )


def training_set(session: Session, settings: Settings, until: date | None = None) -> DataFrame:
    """UID, SESSION_DATE, REVENUE, FEATURES_OF and the features (FLOAT) of sessions with a known outcome, up to a day.

    The Feature Store's ASOF join takes the latest features up to SESSION_DATE, that day included; FEATURES_OF is
    their day, null where there are none. It is the session's own day unless the view has not seen the session yet.
    """
    from snowflake.snowpark.functions import col, lit

    view = required_view(session, settings)
    with snowflake_errors("make the training set", wrapped=True):
        store = open_store(session)
        known = session.table(SESSIONS.qualified_name(session, settings)).filter(col("REVENUE").is_not_null())
        if until is not None:
            known = known.filter(col("SESSION_DATE") <= lit(until))
        spine = known.select("UID", "SESSION_DATE", "REVENUE")
        joined = store.generate_training_set(
            spine,
            [_point_in_time(store, view)],
            spine_timestamp_col="SESSION_DATE",
            spine_label_cols=["REVENUE"],
            include_feature_view_timestamp_col=True,
        )
        day = next(name for name in joined.columns if name.endswith(f"{view.version}_SESSION_DATE"))
        features = feature_names(feature_list(settings))
        rows: DataFrame = joined.select("UID", "SESSION_DATE", "REVENUE", col(day).alias(FEATURES_OF), *features)
        return rows


def open_store(session: Session, *, create: bool = False) -> FeatureStore:
    """Snowflake's client of the Feature Store in the current schema, which `create` makes one."""
    from snowflake.ml.feature_store import CreationMode, FeatureStore

    warehouse = session.get_current_warehouse()
    if warehouse is None:
        raise ConfigurationError("no warehouse; set `warehouse:` in configs/intentscore.yaml or in the connection")
    mode = CreationMode.CREATE_IF_NOT_EXIST if create else CreationMode.FAIL_IF_NOT_EXIST
    database, schema = session.get_current_database(), session.get_current_schema()
    return FeatureStore(session, str(database), str(schema), warehouse, creation_mode=mode)


def _current_or_refused(session: Session, settings: Settings) -> RegisteredView | None:
    found, wanted = current_view(session, settings), settings.feature_view.version
    if found is None and wanted in [view.version for view in registered_views(session, settings)]:
        raise ConfigurationError(
            f"feature view {settings.feature_view.name}${wanted} holds another feature list than the settings; leave "
            "`feature_view.version` out, and the present list gets a version of its own"
        )
    return found


def _registered(row: Row, name: str) -> RegisteredView:
    version, found = row["name"].removeprefix(f"{name}$"), COMMENT.search(row["comment"] or "")
    if found is None:
        return RegisteredView(name, version, None)
    return RegisteredView(name, version, found[2], frozenset(found[1].split(", ")))


def _number(version: str) -> int:
    found = NUMBERED.fullmatch(version)
    return int(found[1]) if found else 0


def _next_version(views: Iterable[RegisteredView]) -> str:
    return f"V{1 + max((_number(view.version) for view in views), default=0)}"


def _point_in_time(store: FeatureStore, view: RegisteredView) -> FeatureView:
    """Without a timestamp the client would join features of any day, later ones too, and not say so."""
    found = store.get_feature_view(view.name, view.version)
    if found.timestamp_col is None or str(found.timestamp_col) != "SESSION_DATE":
        raise ConfigurationError(
            f"feature view {view.full_name} is not dated by SESSION_DATE; drop it and run `intentscore features`"
        )
    return found


def _refuse_faulty(session: Session, settings: Settings) -> None:
    """An own feature whose SQL the warehouse does not take is named, which the error of the whole view would not."""
    own = {one.name for one in settings.feature_view.own_features}
    for feature in feature_list(settings):
        if feature.name in own:
            query = feature_query(SESSIONS.qualified_name(session, settings), [feature])
            with snowflake_errors(f"compute {feature.name} of feature_view.own_features"):
                session.sql(f"SELECT * FROM ({query}) LIMIT 0").collect()


def _keep_fresh(store: FeatureStore, view: RegisteredView, settings: Settings) -> None:
    wanted = settings.feature_view.refresh_freq
    if store.get_feature_view(view.name, view.version).refresh_freq != wanted:
        store.update_feature_view(view.name, view.version, refresh_freq=wanted)


def _register_entity(store: FeatureStore, settings: Settings) -> Any:
    from snowflake.ml.feature_store import Entity

    name = settings.feature_view.entity
    if any(row["NAME"] == name for row in store.list_entities().collect()):
        return store.get_entity(name)
    return store.register_entity(Entity(name, ["UID"], desc=ENTITY_COMMENT))


def _draft(session: Session, settings: Settings, entity: Any) -> FeatureView:
    from snowflake.ml.feature_store import FeatureView

    features = feature_list(settings)
    categorical = ", ".join(feature.name for feature in features if feature.kind == "categorical")
    view = FeatureView(
        name=settings.feature_view.name,
        entities=[entity],
        feature_df=session.sql(feature_query(SESSIONS.qualified_name(session, settings), features)),
        timestamp_col="SESSION_DATE",
        refresh_freq=settings.feature_view.refresh_freq,
        cluster_by=["SESSION_DATE"],
        desc=f"of a session and its shopper; categorical: {categorical}; feature hash {feature_hash(features)}",
    )
    # the client puts these between quotes as they are
    return view.attach_feature_desc({feature.name: feature.meaning.replace("'", "''") for feature in features})
