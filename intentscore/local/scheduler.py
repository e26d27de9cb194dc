"""Starts what is due: resumed task graphs by their schedules, dynamic tables by their target lag."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from sqlglot import exp

from intentscore.local import parsing, schedules, tasks
from intentscore.local.catalog import Entry
from intentscore.local.errors import SnowflakeError
from intentscore.local.names import ObjectName
from intentscore.local.tables import DYNAMIC
from intentscore.local.tasks import Schema, Task

if TYPE_CHECKING:
    from intentscore.local.engine import Engine

log = logging.getLogger(__name__)
LOOK_EVERY_S = 0.5


class Clock(Protocol):
    """The time, for the tests' sake a thing of its own."""

    def now(self) -> datetime: ...


class WallClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class Scheduler:
    """Looks twice a second. What came due while nobody looked is run once, not made up for run by run."""

    def __init__(self, engine: Engine, clock: Clock | None = None) -> None:
        self._engine = engine
        self._clock = clock or WallClock()
        self._session = engine.open_session({})
        self._began = self._clock.now()
        self._due: dict[tuple[str | None, ...], datetime | None] = {}
        self._refresh_after: dict[ObjectName, datetime] = {}

    def look(self) -> None:
        """Start all that is due now."""
        self._session.touch()
        for database in self._engine.databases():
            self._fire_tasks(database)
            self._refresh_tables(database)

    # ------------------------------------------------------------------ task graphs

    def _fire_tasks(self, database: str) -> None:
        now = self._clock.now()
        for entry in self._session.catalog.entries(tasks.TASK, database):
            task = tasks.from_entry(entry)
            if not (task.is_root and task.started and task.schedule and task.resumed_on):
                continue
            key = (task.id, task.schedule, task.resumed_on)
            if key not in self._due:
                self._due[key] = task.next_run(max(self._began, datetime.fromisoformat(task.resumed_on)))
            due = self._due[key]
            if due is not None and due <= now:
                self._due[key] = task.next_run(now)
                self._fire(task, due)

    def _fire(self, task: Task, due: datetime) -> None:
        schema = Schema.of(self._session, task.name)
        if not self._engine.task_runs.fire(schema, schema[task.name.name], due):
            log.info("the run of %s due at %s is skipped: the one before is under way", task.name, due)

    # ------------------------------------------------------------------ dynamic tables

    def _refresh_tables(self, database: str) -> None:
        active = {
            entry.name: entry
            for entry in self._session.catalog.entries(DYNAMIC, database)
            if entry.details["state"] == "ACTIVE"
        }
        refreshed: set[ObjectName] = set()
        for name, entry in active.items():
            if self._is_stale(entry):
                self._refresh(name, active, refreshed)

    def _is_stale(self, entry: Entry) -> bool:
        """A table whose lag is DOWNSTREAM is refreshed when one that reads from it is."""
        lag_s = schedules.lag_s(str(entry.details["target_lag"]))
        if lag_s is None:
            return False
        now, last = self._clock.now(), entry.details["refreshed"]
        if now < self._refresh_after.get(entry.name, now):
            return False
        return last is None or now - datetime.fromisoformat(last) >= timedelta(seconds=lag_s)

    def _refresh(self, name: ObjectName, active: dict[ObjectName, Entry], refreshed: set[ObjectName]) -> None:
        """A table and before it those it reads from, each once."""
        if name in refreshed:
            return
        refreshed.add(name)
        entry = active[name]
        lag_s = schedules.lag_s(str(entry.details["target_lag"])) or 0
        self._refresh_after[name] = self._clock.now() + timedelta(seconds=lag_s)  # a failing one is not tried at once
        try:
            self._session.use(*entry.details["context"])
            for source in self._sources(entry):
                if source in active:
                    self._refresh(source, active, refreshed)
            self._session.use(*entry.details["context"])
            self._session.execute(f"ALTER DYNAMIC TABLE {name} REFRESH")
        except SnowflakeError as error:
            log.warning("dynamic table %s could not be refreshed: %s", name, error.message)

    def _sources(self, entry: Entry) -> list[ObjectName]:
        query = parsing.parse(entry.details["query"])
        found = [table for table in query.find_all(exp.Table) if isinstance(table.this, exp.Identifier)]
        return [self._session.resolve([_folded(part) for part in table.parts]) for table in found]

    def close(self) -> None:
        self._session.close()


def _folded(part: exp.Expr) -> str:
    return part.name if isinstance(part, exp.Identifier) and part.quoted else part.name.upper()


@contextlib.contextmanager
def scheduling(engine: Engine) -> Iterator[None]:
    """A scheduler in a thread of its own for as long as the block lasts."""
    scheduler, over = Scheduler(engine), threading.Event()

    def look_until_over() -> None:
        while not over.wait(LOOK_EVERY_S):
            try:
                scheduler.look()
            except Exception:
                log.exception("the scheduler could not look")

    thread = threading.Thread(target=look_until_over, name="scheduler", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        scheduler.close()
