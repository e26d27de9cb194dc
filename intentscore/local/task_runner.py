"""One run of a task graph: tasks in the order of their predecessors, branches side by side, the finalizer last.

Source: https://docs.snowflake.com/en/user-guide/tasks-graphs
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from intentscore.local import results, sql
from intentscore.local.errors import SnowflakeError
from intentscore.local.names import ObjectName
from intentscore.local.queries import Query
from intentscore.local.statements import Effect
from intentscore.local.task_history import EXECUTING, FAILED, SKIPPED, SUCCEEDED, GraphRun, TaskRun
from intentscore.local.tasks import Schema, Task

if TYPE_CHECKING:
    from intentscore.local.session import Session
    from intentscore.local.task_runs import TaskRuns

log = logging.getLogger(__name__)
TIMEOUT_MS = 3_600_000
STOP_EVERY_S = 0.05
BLOCKED, PASSED_OVER = "BLOCKED", "PASSED OVER"  # behind a failure; a suspended task
CONDITION_IS_FALSE = (40003, "Conditional expression for task evaluated to false.")


@dataclass
class Context:
    """What a task can ask about the run it is in; `Session.task_run` while the task runs."""

    task: Task
    run: GraphRun
    root: ObjectName
    root_config: str | None
    last_success: GraphRun | None
    values: dict[str, str | None]
    return_value: str | None = None


@dataclass
class _Running:
    """One task under way: its query, once it has begun, and when its time is over."""

    task: Task
    limit_s: float
    query: Query | None = None
    deadline: float | None = None
    stopped_by: SnowflakeError | None = None

    def stop(self, reason: SnowflakeError) -> None:
        self.stopped_by = self.stopped_by or reason
        if self.query is not None:
            self.query.stop(self.stopped_by)


@dataclass
class Graph:
    """The tasks of a graph as they were when the run began."""

    root: Task
    tasks: dict[str, Task]
    finalizer: Task | None

    @classmethod
    def of(cls, schema: Schema, root: Task) -> Graph:
        found = {task.name.name: task for task in schema.graph(root.name.name)}
        finalizer = next((task for task in found.values() if task.finalizes is not None), None)
        if finalizer is not None:
            del found[finalizer.name.name]
        return cls(root, found, finalizer)

    def predecessors(self, task: Task) -> list[str]:
        return [name for name in task.predecessors if name in self.tasks]

    def is_resumed(self, task: Task) -> bool:
        """The root runs when it is told to, its state says only whether the schedule does."""
        return task.started or task is self.root


class Runner:
    """One run of a graph, with its retries, in a thread of its own."""

    def __init__(self, owner: TaskRuns, graph: Graph, run: GraphRun, outcomes: dict[str, str],
                 values: dict[str, str | None]) -> None:  # fmt: skip
        self.owner, self.graph, self.run = owner, graph, run
        self.database = graph.root.name.database
        self.outcomes, self.values = outcomes, values
        self.root_done = False
        self.last_success = owner.last_success(graph.root)
        self._running: dict[Future[TaskRun], _Running] = {}
        self._began = 0.0
        self._attempts_left = graph.root.retry_attempts or 0

    def work(self) -> None:
        try:
            self._attempt()
            while self.run.state == FAILED and self._attempts_left and not self.owner.closing:
                self._attempts_left -= 1
                self.retry()
                self._attempt()
        except Exception:
            log.exception("the run of %s broke", self.graph.root.name)
            self.finish(FAILED)
        finally:
            self.owner.ended(self)

    def stop(self, reason: SnowflakeError) -> None:
        for running in list(self._running.values()):
            running.stop(reason)

    def retry(self) -> None:
        """Once more, from the tasks that failed; what succeeded is not run again."""
        run = self.run
        self.outcomes = {name: state for name, state in self.outcomes.items() if state in (SUCCEEDED, SKIPPED)}
        self.run = GraphRun(
            run.schema_name, run.root_task_name, run.root_task_id, run.graph_run_group_id, run.attempt_number + 1,
            run.graph_version, run.run_id, run.scheduled_from, datetime.now(UTC), config=run.config,
        )  # fmt: skip

    # ------------------------------------------------------------------ one attempt

    def _attempt(self) -> None:
        self._began = time.monotonic()
        self.run.state, self.run.query_start_time = EXECUTING, datetime.now(UTC)
        self.note()
        while True:
            while ready := self._ready():
                for task in ready:
                    self._decide(task)
            if not self._running:
                break
            self._wait()
        root_ran = self.outcomes.get(self.graph.root.name.name) != SKIPPED
        finalizer = self.graph.finalizer
        if finalizer is not None and finalizer.started and root_ran:
            self._start(finalizer)
            while self._running:
                self._wait()
        self.finish(FAILED if FAILED in self.outcomes.values() else SUCCEEDED if root_ran else SKIPPED)

    def _ready(self) -> list[Task]:
        """Tasks nothing has been decided about yet, all of whose predecessors are decided."""
        under_way = {running.task.name.name for running in self._running.values()}
        return [
            task
            for name, task in self.graph.tasks.items()
            if name not in self.outcomes
            and name not in under_way
            and all(before in self.outcomes for before in self.graph.predecessors(task))
        ]

    def _decide(self, task: Task) -> None:
        before = [self.outcomes[name] for name in self.graph.predecessors(task)]
        if FAILED in before or BLOCKED in before:
            self._skip(task, BLOCKED, "A predecessor of the task failed.")
        elif before and SUCCEEDED not in before and before != [PASSED_OVER]:
            self._skip(task, SKIPPED, "No predecessor of the task ran.")
        elif not self.graph.is_resumed(task):
            self.outcomes[task.name.name] = PASSED_OVER
        else:
            self._start(task)

    def _skip(self, task: Task, outcome: str, reason: str) -> None:
        self.outcomes[task.name.name] = outcome
        if self.graph.is_resumed(task):
            record = self._record(task)
            record.state, record.error_message, record.completed_time = SKIPPED, reason, datetime.now(UTC)
            self.owner.history.write(self.database, record)

    def _start(self, task: Task) -> None:
        running = _Running(task, self._limit_s(task))
        self._running[self.owner.pool.submit(self._run_task, running)] = running

    def _limit_s(self, task: Task) -> float:
        """A root's timeout is that of the whole graph; a task with one of its own has that instead."""
        if task.timeout_ms is not None and task is not self.graph.root:
            return task.timeout_ms / 1000
        root_ms = self.graph.root.timeout_ms
        if root_ms is None:
            return TIMEOUT_MS / 1000
        return max(root_ms / 1000 - (time.monotonic() - self._began), 0.0)

    def _wait(self) -> None:
        done, _ = wait(self._running, timeout=self._patience_s(), return_when=FIRST_COMPLETED)
        for future in done:
            running = self._running.pop(future)
            record = future.result()
            self.outcomes[record.name] = record.state
            self.values[record.name] = record.return_value
            if record.state == FAILED and self.run.first_error_task_name is None:
                self.run.first_error_task_name = record.name
                self.run.first_error_code, self.run.first_error_message = record.error_code, record.error_message
                self.note()
            if running.task is self.graph.root:
                self.root_done = True
                self.owner.advance(self.graph.root.id)
        for running in self._running.values():
            if running.deadline is not None and time.monotonic() >= running.deadline:
                running.stop(timed_out(running.limit_s))

    def _patience_s(self) -> float:
        """Until the next task's time is over; a task that waits for its turn has no deadline yet."""
        open_ended = [running for running in self._running.values() if running.deadline is None or running.stopped_by]
        if open_ended:
            return STOP_EVERY_S
        return max(min(r.deadline for r in self._running.values() if r.deadline is not None) - time.monotonic(), 0.0)

    def finish(self, state: str) -> None:
        self.run.state, self.run.completed_time = state, datetime.now(UTC)
        self.note()

    def note(self) -> None:
        self.owner.history.write(self.database, self.run)

    # ------------------------------------------------------------------ one task

    def _record(self, task: Task) -> TaskRun:
        run = self.run
        return TaskRun(
            run.schema_name, task.name.name, run.root_task_id, run.graph_run_group_id, run.attempt_number,
            run.graph_version, run.run_id, run.scheduled_from,
            run.scheduled_time if task is self.graph.root else datetime.now(UTC), query_text=task.definition,
            condition_text=task.condition, config=run.config or self.graph.root.config,
        )  # fmt: skip

    def _run_task(self, running: _Running) -> TaskRun:
        """In a thread of the pool: the condition, then the statement; the outcome is in the record."""
        task = running.task
        record = self._record(task)
        root = self.graph.root
        context = Context(task, self.run, root.name, root.config, self.last_success, self.values)
        try:
            with self._session(running, context) as session:
                if task.condition is None or self._holds(session, task.condition):
                    self._execute(session, running, record)
                else:
                    record.state = SKIPPED
                    record.error_code, record.error_message = CONDITION_IS_FALSE
        except Exception as error:
            failure = running.stopped_by or _as_snowflake_error(error)
            record.state, record.error_code, record.error_message = FAILED, failure.code, failure.message
        record.return_value, record.completed_time = context.return_value, datetime.now(UTC)
        self.owner.history.write(self.database, record)
        return record

    @contextlib.contextmanager
    def _session(self, running: _Running, context: Context) -> Iterator[Session]:
        task = running.task
        session = self.owner.engine.open_session(task.session_parameters)
        try:
            session.task_run = context
            session.use(task.name.database, task.name.schema)
            running.deadline = time.monotonic() + running.limit_s
            yield session
        finally:
            session.close()

    def _holds(self, session: Session, condition: str) -> bool:
        with session.effect(Effect.READ):
            return bool(sql.run_text(session, f"SELECT {condition}").table.column(0)[0].as_py())

    def _execute(self, session: Session, running: _Running, record: TaskRun) -> None:
        query = Query(results.new_query_id(), session, running.task.definition, session_id=session.id)
        record.state, record.query_id, record.query_start_time = EXECUTING, query.id, query.started
        self.owner.history.write(self.database, record)
        session.engine.queries.add(query)
        running.query = query
        if running.stopped_by:
            query.stop(running.stopped_by)
        session.run(query, lambda: session.execute(query.text))
        if query.error is not None:
            raise query.error
        record.state = SUCCEEDED


def timed_out(limit_s: float) -> SnowflakeError:
    return SnowflakeError(
        f"Task reached its timeout of {limit_s:g} second(s) and was canceled.", 630, "57014"
    )  # fmt: skip


def _as_snowflake_error(error: Exception) -> SnowflakeError:
    if isinstance(error, SnowflakeError):
        return error
    log.exception("a task broke", exc_info=error)
    return SnowflakeError(f"{type(error).__name__}: {error}", 603, "XX000")
