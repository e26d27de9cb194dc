"""Model monitors: one for the champion, on its scores and their outcomes, with what it learned from as baseline."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from intentscore.errors import ConfigurationError
from intentscore.services.monitor_source import (
    ACTUAL,
    KEY,
    PREDICTED,
    SCORE,
    TIMESTAMP,
    Watched,
    definition,
    existing_source,
    watched,
    write_source,
)
from intentscore.services.runs import recorded
from intentscore.services.versions import (
    CHAMPION,
    RegisteredVersion,
    load_version,
    registered_versions,
    wanted_version,
)
from intentscore.settings import Settings
from intentscore.warehouse.errors import snowflake_errors
from intentscore.warehouse.identifiers import current_schema, qualified
from intentscore.warehouse.tables import SCORES, SESSIONS, create_tables

if TYPE_CHECKING:
    from snowflake.ml.registry import Registry
    from snowflake.snowpark import Session

FUNCTION = "predict"
SUSPENDED = "SUSPENDED"


@dataclass(frozen=True)
class ShownMonitor:
    name: str
    version: str
    state: str


@dataclass(frozen=True)
class MonitorResult:
    """`suspended` are the monitors of earlier champions; `created` is False when all was there already."""

    run_id: str
    monitor: str
    model_name: str
    version: str
    created: bool
    source: str
    baseline: str
    baseline_sessions: int
    cut_off: float
    suspended: tuple[str, ...]


def monitor(session: Session, settings: Settings) -> MonitorResult:
    """See to it that the champion has its monitor, and that those of other versions are suspended.

    Made once, and again only when what it is made of has changed (the feature view, the cut-off).

    Raises ConfigurationError without a champion, GateRefusedError when the feature view that it was trained on is gone
    or it does not say what it learned from.
    """
    with recorded(session, settings, "monitor") as run:
        champion = wanted_version(registered_versions(session, settings), settings, CHAMPION)
        run.model_version, run.feature_hash = champion.name, champion.feature_hash
        created = ensure_monitor(session, settings, champion)
        suspended = suspend_others(session, settings, champion.name)
        names = watched(settings, champion.name)
        source = existing_source(session, names)
        rows = session.sql(f"SELECT COUNT(*) FROM {qualified(session, names.baseline)}").collect()[0][0]
        run.row_count = rows
        return MonitorResult(
            run_id=run.run_id,
            monitor=names.monitor,
            model_name=settings.model_name,
            version=champion.name,
            created=created,
            source=names.view,
            baseline=names.baseline,
            baseline_sessions=rows,
            cut_off=source.cut_off if source else float("nan"),
            suspended=suspended,
        )


def monitors(session: Session, settings: Settings) -> tuple[ShownMonitor, ...]:
    """The monitors of the model's versions."""
    shown = session.sql(f"SHOW MODEL MONITORS IN SCHEMA {current_schema(session)}").collect()
    described = [(row["name"], json.loads(row["model"]), row["monitor_state"]) for row in shown]
    return tuple(
        ShownMonitor(name, model["version_name"], state)
        for name, model, state in described
        if model["model_name"] == settings.model_name
    )


def ensure_monitor(session: Session, settings: Settings, version: RegisteredVersion) -> bool:
    """Make the version's monitor unless it is there as it should be; True when it was made."""
    create_tables(session, settings, [SESSIONS, SCORES])
    names = watched(settings, version.name)
    known = {one.name: one for one in monitors(session, settings)}.get(names.monitor)
    source = existing_source(session, names)
    with snowflake_errors("set up the monitor", wrapped=True):
        registry = _registry(session)
        if known and source and source.definition == definition(session, settings, version):
            if known.state == SUSPENDED:
                registry.get_monitor(name=names.monitor).resume()
            return False
        if known:
            registry.delete_monitor(names.monitor)
        write_source(session, settings, version)
        _add(registry, session, settings, names)
    return True


def suspend_others(session: Session, settings: Settings, version: str) -> tuple[str, ...]:
    """Suspend the monitors of all other versions: what they measured stays. The names of all that are suspended."""
    others = [one for one in monitors(session, settings) if one.version != version]
    with snowflake_errors("suspend a monitor", wrapped=True):
        for one in others:
            if one.state != SUSPENDED:
                _registry(session).get_monitor(name=one.name).suspend()
    return tuple(one.name for one in others)


@contextmanager
def rotation(session: Session, settings: Settings, version: RegisteredVersion) -> Iterator[None]:
    """Around the change of the champion to `version`: its monitor is made before, the others suspended after.

    Does nothing while the model has no monitor at all. When the change fails, a monitor made for it goes again.
    """
    if not monitors(session, settings):
        yield
        return
    created = ensure_monitor(session, settings, version)
    try:
        yield
    except BaseException:
        with suppress(Exception):
            if created:
                _registry(session).delete_monitor(watched(settings, version.name).monitor)
        raise
    suspend_others(session, settings, version.name)


def _registry(session: Session) -> Registry:
    from snowflake.ml.registry import Registry

    database, schema = session.get_current_database(), session.get_current_schema()
    return Registry(session, database_name=database, schema_name=schema)


def _add(registry: Registry, session: Session, settings: Settings, names: Watched) -> None:
    from snowflake.ml.monitoring.entities.model_monitor_config import ModelMonitorConfig, ModelMonitorSourceConfig

    warehouse: Any = session.get_current_warehouse()
    if warehouse is None:
        raise ConfigurationError("no warehouse; set `warehouse:` in configs/intentscore.yaml or in the connection")
    registry.add_monitor(
        names.monitor,
        ModelMonitorSourceConfig(
            source=names.view,
            timestamp_column=TIMESTAMP,
            id_columns=[KEY],
            prediction_score_columns=[SCORE],
            prediction_class_columns=[PREDICTED],
            actual_class_columns=[ACTUAL],
            baseline=names.baseline,
        ),
        ModelMonitorConfig(
            model_version=load_version(session, settings, names.version),
            model_function_name=FUNCTION,
            background_compute_warehouse_name=warehouse,
            refresh_interval=settings.monitoring.refresh_interval,
            aggregation_window="1 day",
        ),
    )
