"""What the Model Registry holds: versions, aliases, and the hash of the feature list each was trained on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from intentscore.errors import ConfigurationError, GateRefusedError
from intentscore.features.store import RegisteredView, registered_views
from intentscore.settings import Settings
from intentscore.warehouse.errors import snowflake_errors
from intentscore.warehouse.identifiers import current_schema, literal, qualified

if TYPE_CHECKING:
    from snowflake.ml.model import ModelVersion
    from snowflake.ml.registry import Registry
    from snowflake.snowpark import Session

CHAMPION, CHALLENGER = "CHAMPION", "CHALLENGER"
LISTED = 10


@dataclass(frozen=True)
class RegisteredVersion:
    """`aliases` without the registry's own (DEFAULT, FIRST, LAST); `default` is what the registry runs unasked."""

    name: str
    aliases: tuple[str, ...]
    metrics: dict[str, Any]
    default: bool = False

    @property
    def feature_hash(self) -> str | None:
        return self.metrics.get("feature_hash")

    @property
    def learned_from(self) -> date | None:
        """First day of the sessions it learned from; None for a version that does not say."""
        return _day(self.metrics.get("learned_from"))

    @property
    def learned_until(self) -> date | None:
        """Last day of the sessions it learned from; None for a version that does not say."""
        return _day(self.metrics.get("learned_until"))

    @property
    def base_log_odds(self) -> float:
        """What the contributions of a session are added to; ConfigurationError for a version that does not say."""
        found = self.metrics.get("base_log_odds")
        if found is None:
            raise ConfigurationError(f"{self.name} was registered without its base value; register its run again")
        return float(found)


def registered_versions(session: Session, settings: Settings) -> tuple[RegisteredVersion, ...]:
    """Versions of the model, oldest first; none when there is no such model."""
    name = settings.model_name
    with snowflake_errors("look up the model"):
        models = session.sql(f"SHOW MODELS LIKE {literal(name)} IN SCHEMA {current_schema(session)}").collect()
        if not any(row["name"] == name for row in models):
            return ()
        rows = session.sql(f"SHOW VERSIONS IN MODEL {qualified(session, name)}").collect()
    return tuple(_version(row) for row in sorted(rows, key=lambda row: (str(row["created_on"]), row["name"])))


def alias_holder(versions: tuple[RegisteredVersion, ...], alias: str) -> str | None:
    return next((version.name for version in versions if alias in version.aliases), None)


def wanted_version(
    versions: tuple[RegisteredVersion, ...], settings: Settings, wanted: str | None
) -> RegisteredVersion:
    """The version named `wanted` or bearing that alias, the champion for None.

    Raises ConfigurationError when there is none, naming those there are.
    """
    if not versions:
        raise ConfigurationError(
            f"no model {settings.model_name} yet; run `intentscore train`, then `intentscore register`"
        )
    name = (wanted or CHAMPION).upper()
    for version in versions:
        if version.name == name or name in version.aliases:
            return version
    known = ", ".join(version.name for version in versions[: -LISTED - 1 : -1])
    raise ConfigurationError(f"model {settings.model_name} has no version {name}; there are: {known}")


def features_of(session: Session, settings: Settings, version: RegisteredVersion) -> RegisteredView:
    """The version of the feature view that the model version was trained on: it reads no other.

    Raises GateRefusedError when there is none with its feature list any more.
    """
    found = reads(version, registered_views(session, settings))
    if found is None:
        raise GateRefusedError(
            f"{settings.model_name} {version.name} was trained on a feature list ({version.feature_hash or 'unknown'}) "
            f"that no version of feature view {settings.feature_view.name} has; train and register a new version"
        )
    return found


def reads(version: RegisteredVersion, views: Iterable[RegisteredView]) -> RegisteredView | None:
    """Of several versions with its feature list, the one it was trained on."""
    same = [view for view in views if view.hash is not None and view.hash == version.feature_hash]
    named = [view for view in same if view.full_name == version.metrics.get("feature_view")]
    return next(iter([*named, *same]), None)


def open_registry(session: Session) -> Registry:
    from snowflake.ml.registry import Registry

    database, schema = session.get_current_database(), session.get_current_schema()
    return Registry(session, database_name=database, schema_name=schema, options={"enable_monitoring": False})


def load_version(session: Session, settings: Settings, version: str) -> ModelVersion:
    return open_registry(session).get_model(settings.model_name).version(version)


def inputs_of(session: Session, settings: Settings, version: str) -> tuple[str, ...]:
    """The features a version scores with, in the order of its signature: those of its feature view that it was not
    told to leave out, and that had a value when it learned.
    """
    methods = load_version(session, settings, version).show_functions()
    signature = next(found["signature"] for found in methods if found["target_method"] == "predict")
    return tuple(one.name for one in signature.inputs)


def _version(row: Any) -> RegisteredVersion:
    aliases = json.loads(row["aliases"] or "[]")
    metadata = json.loads(row["metadata"] or "{}")
    own = tuple(alias for alias in aliases if alias not in ("DEFAULT", "FIRST", "LAST"))
    default = str(row["is_default_version"]).lower() == "true"
    return RegisteredVersion(row["name"], own, metadata.get("metrics", {}), default)


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
