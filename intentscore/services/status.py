"""What is there: tables, days, model versions, task graphs and the last runs. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from intentscore.features.store import current_view
from intentscore.services.monitor import monitors
from intentscore.services.versions import CHALLENGER, CHAMPION, alias_holder, registered_versions
from intentscore.settings import Settings
from intentscore.warehouse.errors import snowflake_errors
from intentscore.warehouse.identifiers import current_schema
from intentscore.warehouse.tables import RUNS, TABLES, Table

if TYPE_CHECKING:
    from snowflake.snowpark import Session

LAST_RUNS = 5


@dataclass(frozen=True)
class TableStatus:
    """`rows` is None for a table that has not been made yet; days where the table has a SESSION_DATE."""

    table: str
    rows: int | None
    first_day: date | None
    last_day: date | None
    meaning: str


@dataclass(frozen=True)
class RunStatus:
    run_id: str
    command: str
    finished_at: datetime
    outcome: str
    rows: int | None
    model_version: str | None
    message: str | None


@dataclass(frozen=True)
class GraphStatus:
    graph: str
    state: str
    schedule: str | None


@dataclass(frozen=True)
class StatusResult:
    """`monitor` is the champion's, with its state; `graphs` are the deployed task graphs."""

    schema: str
    model_name: str
    champion: str | None
    challenger: str | None
    versions: int
    feature_view: str | None
    feature_hash: str | None
    monitor: str | None
    tables: tuple[TableStatus, ...]
    graphs: tuple[GraphStatus, ...]
    last_runs: tuple[RunStatus, ...]


def status(session: Session, settings: Settings) -> StatusResult:
    """Tables with their rows and days, champion and challenger, monitor, task graphs, and the last five runs, newest
    first.
    """
    with snowflake_errors("look at the tables"):
        schema = current_schema(session)
        shown = session.sql(f"SHOW TABLES IN SCHEMA {schema}").collect()
        existing = {row["name"] for row in shown}
        versions, view = registered_versions(session, settings), current_view(session, settings)
        champion = alias_holder(versions, CHAMPION)
        return StatusResult(
            schema=schema,
            model_name=settings.model_name,
            champion=champion,
            challenger=alias_holder(versions, CHALLENGER),
            versions=len(versions),
            feature_view=view.full_name if view else None,
            feature_hash=view.hash if view else None,
            monitor=_monitor(session, settings, champion),
            tables=tuple(_table_status(session, settings, table, existing) for table in TABLES),
            graphs=_graphs(session, schema),
            last_runs=_last_runs(session, settings) if settings.tables.runs in existing else (),
        )


def _table_status(session: Session, settings: Settings, table: Table, existing: set[str]) -> TableStatus:
    name = getattr(settings.tables, table.role)
    if name not in existing:
        return TableStatus(name, None, None, None, table.comment)
    dated = "SESSION_DATE" in table.column_names
    days = "MIN(SESSION_DATE), MAX(SESSION_DATE)" if dated else "NULL, NULL"
    counted = session.sql(f"SELECT COUNT(*), {days} FROM {table.qualified_name(session, settings)}").collect()
    rows, first, last = counted[0]
    return TableStatus(name, rows, first, last, table.comment)


def _monitor(session: Session, settings: Settings, champion: str | None) -> str | None:
    of_champion = [found for found in monitors(session, settings) if found.version == champion]
    return ", ".join(f"{found.name} ({found.state.lower()})" for found in of_champion) or None


def _graphs(session: Session, schema: str) -> tuple[GraphStatus, ...]:
    """Those that `schedule` deployed: the comments of their roots begin with their names."""
    tasks = session.sql(f"SHOW TASKS IN SCHEMA {schema}").collect()
    roots = [task for task in tasks if (task["comment"] or "").split("\n")[0] == f"graph {task['name']}"]
    return tuple(GraphStatus(task["name"], task["state"], task["schedule"]) for task in roots)


def _last_runs(session: Session, settings: Settings) -> tuple[RunStatus, ...]:
    rows = session.sql(
        "SELECT RUN_ID, COMMAND, FINISHED_AT, OUTCOME, ROW_COUNT, MODEL_VERSION, MESSAGE "
        f"FROM {RUNS.qualified_name(session, settings)} "
        f"ORDER BY FINISHED_AT DESC, RUN_ID DESC LIMIT {LAST_RUNS}"
    ).collect()
    return tuple(RunStatus(*row) for row in rows)
