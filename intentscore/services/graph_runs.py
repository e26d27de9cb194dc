"""Runs of a task graph: what the finalizer writes down, and what a back-fill reads to go on."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from intentscore.errors import WarehouseError
from intentscore.services.logical_day import graph_config, logical_day, runtime_info
from intentscore.services.runs import recorded
from intentscore.settings import Settings
from intentscore.warehouse.identifiers import current_schema, literal
from intentscore.warehouse.tables import RUNS, exists

if TYPE_CHECKING:
    from snowflake.snowpark import Session

GRAPH = "graph"
FAILED_STATES = ("FAILED", "FAILED_AND_AUTO_SUSPENDED", "CANCELLED")


@dataclass(frozen=True)
class TaskOutcome:
    """One task of one graph run; the duration is in seconds, None while it has not ended; `returned` is its return
    value, for those behind it.
    """

    task: str
    state: str
    scheduled_at: datetime | None
    started_at: datetime | None
    duration_s: float | None
    returned: str | None
    message: str | None


def record_current_run(session: Session, settings: Settings) -> dict[str, str]:
    """Write the RUNS row of the graph run this finalizer ends; raises WarehouseError when a task of it failed."""
    config, day = graph_config(session), logical_day(session)
    root = unqualified(runtime_info(session, "CURRENT_ROOT_TASK_NAME"))
    root_id = runtime_info(session, "CURRENT_ROOT_TASK_UUID")
    group = runtime_info(session, "CURRENT_TASK_GRAPH_RUN_GROUP_ID")
    arguments = {"graph": root, "date": str(day), "run": group, "backfill": config.get("backfill")}
    with recorded(session, settings, GRAPH, **arguments) as run:
        outcomes = [o for o in task_outcomes(session, root_id, group) if o.state != "EXECUTING"]
        failed = [o for o in outcomes if o.state in FAILED_STATES]
        if failed:
            first = failed[0]
            raise WarehouseError(f"task {first.task} failed for {day}: {cause(first.message)}")
        run.row_count = len(outcomes)
    return {"day": str(day), "tasks": str(len(outcomes))}


def task_outcomes(session: Session, root_id: str, group: str | None = None, limit: int = 200) -> list[TaskOutcome]:
    """The tasks of a graph's last runs (of one run when `group` is given), in the order they came up.

    `root_id` is the identifier Snowflake gave the root task.
    """
    history = (
        "SELECT NAME, STATE, SCHEDULED_TIME, QUERY_START_TIME, COMPLETED_TIME, RETURN_VALUE, "
        "ERROR_MESSAGE "
        f"FROM TABLE({information_schema(session)}.TASK_HISTORY("
        f"RESULT_LIMIT => {limit}, ROOT_TASK_ID => {literal(root_id)}))"
    )
    if group is not None:
        history += f" WHERE GRAPH_RUN_GROUP_ID = {literal(group)}"
    rows = session.sql(f"{history} ORDER BY SCHEDULED_TIME, NAME").collect()
    return [
        TaskOutcome(
            task=row["NAME"],
            state=row["STATE"],
            scheduled_at=row["SCHEDULED_TIME"],
            started_at=row["QUERY_START_TIME"],
            duration_s=_seconds(row["QUERY_START_TIME"], row["COMPLETED_TIME"]),
            returned=row["RETURN_VALUE"],
            message=cause(row["ERROR_MESSAGE"]),
        )
        for row in rows
    ]


def unqualified(task: str) -> str:
    """The last part of a task's name, which is what the history knows it by."""
    return task.rsplit(".", 1)[-1].strip('"')


def cause(message: str | None) -> str | None:
    """What went wrong without the traceback of the procedure it went wrong in."""
    if message is None:
        return None
    errors = re.findall(r"^\s*(?:[\w.]+\.)?\w*(?:Error|Exception): (.+?)(?: in function .*)?$", message, re.MULTILINE)
    return " ".join((errors[-1] if errors else message).split())


def information_schema(session: Session) -> str:
    return f"{current_schema(session).rsplit('.', 1)[0]}.INFORMATION_SCHEMA"


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start and end else None


def days_done(session: Session, settings: Settings, backfill: str) -> set[date]:
    """The days of a back-fill whose graph run succeeded."""
    if not exists(session, settings, RUNS):
        return set()
    table = RUNS.qualified_name(session, settings)
    rows = session.sql(f"SELECT ARGUMENTS FROM {table} WHERE COMMAND = {literal(GRAPH)} AND OUTCOME = 'done'").collect()
    read = [json.loads(row["ARGUMENTS"]) for row in rows]
    return {date.fromisoformat(found["date"]) for found in read if found.get("backfill") == backfill}
