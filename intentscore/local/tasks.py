"""Tasks as the catalog keeps them, the graphs they form, and the rules a graph obeys.

All tasks of a graph stand in one schema, so that a predecessor is remembered by its bare name.
Source: https://docs.snowflake.com/en/user-guide/tasks-graphs
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from intentscore.local import schedules
from intentscore.local.catalog import Entry
from intentscore.local.errors import SnowflakeError, already_exists, does_not_exist, invalid
from intentscore.local.names import ObjectName
from intentscore.local.warehouses import check_warehouse

if TYPE_CHECKING:
    from intentscore.local.session import Session

TASK = "TASK"
STARTED, SUSPENDED = "started", "suspended"
MOST_TASKS, MOST_NEIGHBOURS = 1_000, 100
MOST_RETRIES = 30
OVERLAP_POLICIES = ("NO_OVERLAP", "ALLOW_CHILD_OVERLAP", "ALLOW_ALL_OVERLAP")
_IDENTITY = ("name", "created_on", "comment")


def now_text() -> str:
    return datetime.now(UTC).isoformat()


@dataclass
class Task:
    """One task. `settings` holds what only SHOW and the REST routes give back, under its lower-case name."""

    name: ObjectName
    definition: str
    created_on: datetime = field(default_factory=lambda: datetime.now(UTC))
    comment: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    state: str = SUSPENDED
    schedule: str | None = None
    warehouse: str | None = None
    predecessors: list[str] = field(default_factory=list)
    finalizes: str | None = None
    condition: str | None = None
    config: str | None = None
    overlap_policy: str | None = None
    timeout_ms: int | None = None
    suspend_after_failures: int | None = None
    retry_attempts: int | None = None
    session_parameters: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    resumed_on: str | None = None
    last_committed_on: str | None = None
    last_suspended_on: str | None = None
    last_suspended_reason: str | None = None
    version: int = 0
    fingerprint: str = ""

    @property
    def is_root(self) -> bool:
        return not self.predecessors and self.finalizes is None

    @property
    def started(self) -> bool:
        return self.state == STARTED

    def sibling(self, name: str) -> ObjectName:
        return ObjectName(self.name.database, self.name.schema, name)

    def next_run(self, after: datetime) -> datetime | None:
        """When a resumed root task is due after a moment; None for one without a schedule."""
        if self.schedule is None or not self.started or self.resumed_on is None:
            return None
        return schedules.parse(self.schedule).next(after, datetime.fromisoformat(self.resumed_on))

    def details(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _IDENTITY}


def from_entry(entry: Entry) -> Task:
    return Task(name=entry.name, created_on=entry.created_on, comment=entry.comment, **entry.details)


def save(session: Session, task: Task) -> None:
    session.catalog.put(Entry(TASK, task.name, task.created_on, task.comment, task.details()))


def find(session: Session, name: ObjectName) -> Task:
    entry = session.catalog.get(TASK, name)
    if entry is None:
        raise does_not_exist("Task", str(name))
    return from_entry(entry)


class Schema(dict[str, Task]):
    """The tasks of one schema by name, and how they hang together."""

    @classmethod
    def of(cls, session: Session, name: ObjectName) -> Schema:
        entries = session.catalog.entries(TASK, name.database, name.schema)
        return cls({entry.name.name: from_entry(entry) for entry in entries})

    def children(self, name: str) -> list[Task]:
        return [task for task in self.values() if name in task.predecessors]

    def finalizer(self, root: str) -> Task | None:
        return next((task for task in self.values() if task.finalizes == root), None)

    def finalizer_of(self, root: Task) -> str | None:
        found = self.finalizer(root.name.name)
        return str(found.name) if found else None

    def _reached(self, name: str, *, upwards: bool) -> list[Task]:
        """The task and all before or behind it, the nearest first."""
        found, waiting = {}, [name]
        while waiting:
            task = self.get(waiting.pop(0))
            if task is None or task.name.name in found:
                continue
            found[task.name.name] = task
            waiting += task.predecessors if upwards else [child.name.name for child in self.children(task.name.name)]
        return list(found.values())

    def roots(self, task: Task) -> list[Task]:
        """The tasks a graph with this task in it starts from."""
        if task.finalizes is not None:
            root = self.get(task.finalizes)
            return [root] if root else []
        return [other for other in self._reached(task.name.name, upwards=True) if other.is_root]

    def graph(self, name: str) -> list[Task]:
        """A task, its dependents, and the finalizer of the graph when the task is its root."""
        finalizer = self.finalizer(name)
        return self._reached(name, upwards=False) + ([finalizer] if finalizer else [])

    def require_suspended(self, task: Task) -> None:
        """A graph changes only while its root is suspended."""
        for root in self.roots(task):
            if root.started:
                raise SnowflakeError(
                    f"Unable to update graph with root task {root.name} since that root task is not suspended.",
                    91421, "22000",
                )  # fmt: skip

    def check(self, task: Task) -> None:
        """The rules of graphs, for a task about to be stored among the others."""
        self[task.name.name] = task
        self._check_own(task)
        for name in task.predecessors:
            self._check_predecessor(task, name)
        if task.finalizes is not None:
            self._check_finalizer(task, task.finalizes)
        if task.name.name in {before.name.name for name in task.predecessors for before in self._before(name)}:
            raise SnowflakeError(f"Task {task.name} would follow itself: a task graph has no cycles.", 91422, "22000")
        for root in self.roots(task):
            if len(self.graph(root.name.name)) > MOST_TASKS:
                raise SnowflakeError(f"A task graph has at most {MOST_TASKS} tasks.", 91413, "22000")

    def _before(self, name: str) -> list[Task]:
        return self._reached(name, upwards=True)

    def _check_own(self, task: Task) -> None:
        if task.schedule is not None:
            schedules.parse(task.schedule)
            if not task.is_root:
                raise invalid(f"Task {task.name} cannot have both a schedule and a predecessor or a root to finalize")
        if task.retry_attempts is not None:
            if not 0 <= task.retry_attempts <= MOST_RETRIES:
                raise invalid(f"TASK_AUTO_RETRY_ATTEMPTS must be between 0 and {MOST_RETRIES}")
            if not task.is_root:
                raise invalid("TASK_AUTO_RETRY_ATTEMPTS can be set on a root task only")
        if task.config is not None:
            if not task.is_root:
                raise invalid("CONFIG can be set on a root task only")
            check_config(task.config)
        if task.overlap_policy is not None and task.overlap_policy not in OVERLAP_POLICIES:
            raise invalid(f"invalid value '{task.overlap_policy}' for OVERLAP_POLICY")
        if task.finalizes is not None and task.predecessors:
            raise invalid("a finalizer task cannot have predecessors")

    def _check_predecessor(self, task: Task, name: str) -> None:
        before = self.get(name)
        if before is None:
            raise does_not_exist("Task", str(task.sibling(name)))
        if before.finalizes is not None:
            raise invalid(f"the finalizer task {before.name} cannot be a predecessor")
        if len(self.children(name)) > MOST_NEIGHBOURS or len(task.predecessors) > MOST_NEIGHBOURS:
            raise SnowflakeError(
                f"A task has at most {MOST_NEIGHBOURS} predecessors and {MOST_NEIGHBOURS} children.", 91414, "22000"
            )

    def _check_finalizer(self, task: Task, root_name: str) -> None:
        root = self.get(root_name)
        if root is None:
            raise does_not_exist("Task", str(task.sibling(root_name)))
        if not root.is_root or root is task:
            raise invalid(f"task {root.name} is not a root task and cannot be finalized")
        if any(other.finalizes == root_name and other is not task for other in self.values()):
            raise invalid(f"root task {root.name} has a finalizer task already")
        if self.children(task.name.name):
            raise invalid("a finalizer task cannot have children")


def check_config(text: str) -> None:
    try:
        json.loads(text)
    except ValueError as error:
        raise invalid(f"CONFIG is not valid JSON: {error}") from None


def bare_name(session: Session, task: ObjectName, parts: list[str], role: str) -> str:
    """The name of a predecessor or of a root to finalize, which stands in the task's own schema."""
    if len(parts) == 1:
        return parts[0]
    other = session.resolve(parts)
    if other[:2] != task[:2]:
        raise invalid(f"the {role} {other} is not in the schema of the task {task}")
    return other.name


# ---------------------------------------------------------------------------- what is done with a task


def create(session: Session, task: Task, *, or_replace: bool = False, quietly: bool = False) -> bool:
    """False when a task of that name is there and stays."""
    session.existing_schema(task.name)
    tasks = Schema.of(session, task.name)
    if existing := tasks.get(task.name.name):
        if quietly:
            return False
        if not or_replace:
            raise already_exists(str(task.name))
        if len(tasks.graph(task.name.name)) > 1 or not existing.is_root:
            tasks.require_suspended(existing)
    check_warehouse(session, task.warehouse)
    tasks.check(task)
    for root in tasks.roots(task):
        if root is not task:
            tasks.require_suspended(task)
    save(session, task)
    return True


def create_or_alter(session: Session, task: Task) -> None:
    """Put the whole description in the place of the one that is there; the task itself stays."""
    tasks = Schema.of(session, task.name)
    existing = tasks.get(task.name.name)
    if existing is None:
        create(session, task)
        return
    tasks.require_suspended(existing)
    for kept in ("created_on", "id", "state", "resumed_on", "last_committed_on", "last_suspended_on",
                 "last_suspended_reason", "version", "fingerprint"):  # fmt: skip
        setattr(task, kept, getattr(existing, kept))
    check_warehouse(session, task.warehouse)
    tasks.check(task)
    tasks.require_suspended(task)
    save(session, task)


def drop(session: Session, name: ObjectName) -> None:
    """Tasks behind it lose it as a predecessor; its finalizer becomes a task of its own."""
    task = find(session, name)
    tasks = Schema.of(session, name)
    if len(tasks.graph(name.name)) > 1 or not task.is_root:
        tasks.require_suspended(tasks[name.name])
    for child in tasks.children(name.name):
        child.predecessors.remove(name.name)
        save(session, child)
    if finalizer := tasks.finalizer(name.name):
        finalizer.finalizes = None
        save(session, finalizer)
    session.catalog.remove(TASK, name)
    session.catalog.clear_tags(name, TASK)


def resume(session: Session, name: ObjectName) -> None:
    find(session, name)
    tasks = Schema.of(session, name)
    task = tasks[name.name]
    if not task.is_root:
        tasks.require_suspended(task)
        if len(roots := tasks.roots(task)) > 1:
            listed = ", ".join(str(root.name) for root in roots)
            raise SnowflakeError(f"Task {name} cannot be resumed: it has more than one root task ({listed}).",
                                 91423, "22000")  # fmt: skip
    if not task.started:
        task.state, task.resumed_on = STARTED, now_text()
    if task.is_root:
        commit_version(session, tasks, task)
    save(session, task)


def suspend(session: Session, name: ObjectName, reason: str = "USER_SUSPENDED") -> None:
    task = find(session, name)
    if not task.is_root:
        tasks = Schema.of(session, name)
        tasks.require_suspended(tasks[name.name])
    if task.started:
        task.state, task.last_suspended_on, task.last_suspended_reason = SUSPENDED, now_text(), reason
        save(session, task)


def enable_dependents(session: Session, name: ObjectName) -> None:
    """Resume what depends on a task, then the task: a root last, since its graph cannot change afterwards."""
    task = find(session, name)
    behind = Schema.of(session, name).graph(name.name)
    if task.is_root and task.started:
        suspend(session, name)
    for other in reversed(behind):
        resume(session, other.name)


def commit_version(session: Session, tasks: Schema, root: Task) -> None:
    """Note a new version of the graph when anything that runs has changed since the last one."""
    graph = tasks.graph(root.name.name)
    fingerprint = hashlib.sha256("\x1e".join(_runs(tasks, graph)).encode()).hexdigest()
    if root.fingerprint == fingerprint:
        return
    root.version, root.fingerprint = root.version + 1, fingerprint
    for task in graph:
        task.last_committed_on = now_text()
        save(session, task)


def _runs(tasks: Schema, graph: list[Task]) -> Iterator[str]:
    for task in sorted(graph, key=lambda task: task.name):
        yield json.dumps([task.id, task.definition, task.predecessors, task.finalizes, task.condition, task.config,
                          task.timeout_ms, task.retry_attempts, task.schedule])  # fmt: skip
