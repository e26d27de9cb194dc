"""What task graphs have run: kept in the database of the tasks, written as a run goes on, read by table functions.

History is written on a connection of its own, so that a task's open transaction neither delays it nor takes
it back.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from intentscore.local.names import quote

if TYPE_CHECKING:
    import duckdb

    from intentscore.local.engine import Engine

SCHEDULED, EXECUTING, SUCCEEDED, FAILED, SKIPPED = "SCHEDULED", "EXECUTING", "SUCCEEDED", "FAILED", "SKIPPED"
INTERRUPTED = "The local engine stopped while the task was running."
INTERRUPTED_CODE = 604

_TABLES = """
CREATE TABLE IF NOT EXISTS {db}._ENGINE.TASK_GRAPH_RUNS (
    SCHEMA_NAME VARCHAR NOT NULL, ROOT_TASK_NAME VARCHAR NOT NULL, ROOT_TASK_ID VARCHAR NOT NULL,
    GRAPH_RUN_GROUP_ID VARCHAR NOT NULL, ATTEMPT_NUMBER INTEGER NOT NULL, GRAPH_VERSION INTEGER NOT NULL,
    RUN_ID BIGINT NOT NULL, SCHEDULED_FROM VARCHAR NOT NULL, SCHEDULED_TIME TIMESTAMPTZ NOT NULL,
    STATE VARCHAR NOT NULL, CONFIG VARCHAR, QUERY_START_TIME TIMESTAMPTZ, COMPLETED_TIME TIMESTAMPTZ,
    FIRST_ERROR_TASK_NAME VARCHAR, FIRST_ERROR_CODE INTEGER, FIRST_ERROR_MESSAGE VARCHAR);
CREATE TABLE IF NOT EXISTS {db}._ENGINE.TASK_RUNS (
    SCHEMA_NAME VARCHAR NOT NULL, NAME VARCHAR NOT NULL, ROOT_TASK_ID VARCHAR NOT NULL,
    GRAPH_RUN_GROUP_ID VARCHAR NOT NULL, ATTEMPT_NUMBER INTEGER NOT NULL, GRAPH_VERSION INTEGER NOT NULL,
    RUN_ID BIGINT NOT NULL, SCHEDULED_FROM VARCHAR NOT NULL, SCHEDULED_TIME TIMESTAMPTZ NOT NULL,
    STATE VARCHAR NOT NULL, QUERY_TEXT VARCHAR, CONDITION_TEXT VARCHAR, QUERY_ID VARCHAR,
    QUERY_START_TIME TIMESTAMPTZ, COMPLETED_TIME TIMESTAMPTZ, RETURN_VALUE VARCHAR,
    ERROR_CODE INTEGER, ERROR_MESSAGE VARCHAR, CONFIG VARCHAR);
"""
_INTERRUPT = """
UPDATE {db}._ENGINE.TASK_RUNS SET STATE = 'FAILED', COMPLETED_TIME = $now, ERROR_CODE = $code, ERROR_MESSAGE = $message
    WHERE STATE IN ('SCHEDULED', 'EXECUTING');
UPDATE {db}._ENGINE.TASK_GRAPH_RUNS SET STATE = 'FAILED', COMPLETED_TIME = $now,
    FIRST_ERROR_TASK_NAME = coalesce(FIRST_ERROR_TASK_NAME, ROOT_TASK_NAME),
    FIRST_ERROR_CODE = coalesce(FIRST_ERROR_CODE, $code), FIRST_ERROR_MESSAGE = coalesce(FIRST_ERROR_MESSAGE, $message)
    WHERE STATE IN ('SCHEDULED', 'EXECUTING');
"""


@dataclass
class GraphRun:
    """One attempt at one run of a task graph."""

    schema_name: str
    root_task_name: str
    root_task_id: str
    graph_run_group_id: str
    attempt_number: int
    graph_version: int
    run_id: int
    scheduled_from: str
    scheduled_time: datetime
    state: str = SCHEDULED
    config: str | None = None
    query_start_time: datetime | None = None
    completed_time: datetime | None = None
    first_error_task_name: str | None = None
    first_error_code: int | None = None
    first_error_message: str | None = None


@dataclass
class TaskRun:
    """One task of one attempt."""

    schema_name: str
    name: str
    root_task_id: str
    graph_run_group_id: str
    attempt_number: int
    graph_version: int
    run_id: int
    scheduled_from: str
    scheduled_time: datetime
    state: str = SCHEDULED
    query_text: str | None = None
    condition_text: str | None = None
    query_id: str | None = None
    query_start_time: datetime | None = None
    completed_time: datetime | None = None
    return_value: str | None = None
    error_code: int | None = None
    error_message: str | None = None
    config: str | None = None


Record = GraphRun | TaskRun
_TABLE = {GraphRun: "TASK_GRAPH_RUNS", TaskRun: "TASK_RUNS"}
_KEY = {
    GraphRun: ("graph_run_group_id", "attempt_number"),
    TaskRun: ("graph_run_group_id", "attempt_number", "name"),
}


def prepare(connection: duckdb.DuckDBPyConnection, database: str) -> None:
    """The tables of a database, and the end of every run that a crash has cut off."""
    connection.execute(_TABLES.format(db=quote(database))).fetchall()
    values = {"now": datetime.now(UTC), "code": INTERRUPTED_CODE, "message": INTERRUPTED}
    for update in _INTERRUPT.format(db=quote(database)).split(";")[:2]:
        used = {name: value for name, value in values.items() if f"${name}" in update}
        connection.execute(update, used).fetchall()


class History:
    """The runs of all databases. Reading is by DuckDB's own SQL, writing by whole records."""

    def __init__(self, engine: Engine) -> None:
        self._duck = engine.connect()
        self._lock = threading.Lock()

    def write(self, database: str, record: Record) -> None:
        """Add or replace."""
        kind = type(record)
        table = f"{quote(database)}._ENGINE.{_TABLE[kind]}"
        key = _KEY[kind]
        values = [getattr(record, field.name) for field in fields(record)]
        with self._lock:
            self._run("BEGIN")
            try:
                where = " AND ".join(f"{name.upper()} = ?" for name in key)
                self._run(f"DELETE FROM {table} WHERE {where}", [getattr(record, name) for name in key])
                self._run(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)
                self._run("COMMIT")
            except BaseException:
                self._run("ROLLBACK")
                raise

    def graph_runs(self, database: str, condition: str, values: Sequence[Any] = ()) -> list[GraphRun]:
        """Newest first."""
        return [GraphRun(*row) for row in self._select(database, GraphRun, condition, values)]

    def task_runs(self, database: str, condition: str, values: Sequence[Any] = ()) -> list[TaskRun]:
        return [TaskRun(*row) for row in self._select(database, TaskRun, condition, values)]

    def _select(self, database: str, kind: type[Record], condition: str, values: Sequence[Any]) -> list[Any]:
        query = (
            f"SELECT * FROM {quote(database)}._ENGINE.{_TABLE[kind]} WHERE {condition} "
            "ORDER BY SCHEDULED_TIME DESC, ATTEMPT_NUMBER DESC, QUERY_START_TIME DESC NULLS FIRST"
        )
        with self._lock:
            return self._run(query, values)

    def _run(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._duck.execute(query, list(values)).fetchall()

    def close(self) -> None:
        with self._lock:
            self._duck.close()
