"""The runs of task graphs: which begin, which wait for another, and which are stopped."""

from __future__ import annotations

import contextlib
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from intentscore.local import task_history, tasks
from intentscore.local.errors import SnowflakeError
from intentscore.local.names import ObjectName
from intentscore.local.statements import Effect
from intentscore.local.task_history import FAILED, GraphRun, History
from intentscore.local.task_runner import STOP_EVERY_S, Graph, Runner
from intentscore.local.tasks import Schema, Task

if TYPE_CHECKING:
    from intentscore.local.engine import Engine
    from intentscore.local.session import Session

SIDE_BY_SIDE = 8
SUSPEND_AFTER_FAILURES = 10
RETRY_WITHIN = timedelta(days=14)


@dataclass
class _Lane:
    """The runs of one root task: those under way and the one that waits for them."""

    active: list[Runner] = field(default_factory=list)
    waiting: Runner | None = None

    def is_free(self, policy: str | None) -> bool:
        match policy:
            case "ALLOW_ALL_OVERLAP":
                return True
            case "ALLOW_CHILD_OVERLAP":
                return all(runner.root_done for runner in self.active)
            case _:
                return not self.active


class TaskRuns:
    """Starts the runs of an engine's task graphs and knows those under way."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.history = History(engine)
        self.pool = ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="task")
        self.closing = False
        self._lanes: dict[str, _Lane] = {}
        self._lock = threading.RLock()
        self._idle = threading.Condition(self._lock)
        self._last_run_id = 0

    def execute(self, session: Session, name: ObjectName, *, config: str | None = None,
                retry_last: bool = False) -> None:  # fmt: skip
        """EXECUTE TASK: a run now, whatever the state of the root task."""
        tasks.find(session, name)
        schema = Schema.of(session, name)
        root = schema[name.name]
        if not root.is_root:
            raise SnowflakeError(f"Cannot execute task {name}: only a root task can be executed.", 91424, "22000")
        if config is not None:
            tasks.check_config(config)
        tasks.commit_version(session, schema, root)
        graph = Graph.of(schema, root)
        if retry_last:
            self._submit(self._last_failed(graph))
        else:
            self._submit(self._new(graph, datetime.now(UTC), "EXECUTE TASK", config))

    def fire(self, schema: Schema, root: Task, scheduled: datetime) -> bool:
        """A run by the schedule; none while the one before is under way and may not overlap."""
        with self._lock:
            lane = self._lanes.get(root.id)
            if self.closing or (lane and (lane.waiting or not lane.is_free(root.overlap_policy))):
                return False
        self._submit(self._new(Graph.of(schema, root), scheduled, "SCHEDULE", None))
        return True

    def _new(self, graph: Graph, scheduled: datetime, scheduled_from: str, config: str | None) -> Runner:
        root = graph.root
        run = GraphRun(
            root.name.schema, root.name.name, root.id, str(uuid.uuid4()), 1, root.version, self._run_id(scheduled),
            scheduled_from, scheduled, config=config,
        )  # fmt: skip
        return Runner(self, graph, run, {}, {})

    def _run_id(self, scheduled: datetime) -> int:
        """Milliseconds of the scheduled time; the next free one where two runs share it."""
        with self._lock:
            self._last_run_id = max(int(scheduled.timestamp() * 1000), self._last_run_id + 1)
            return self._last_run_id

    def _last_failed(self, graph: Graph) -> Runner:
        root = graph.root
        found = self.history.graph_runs(root.name.database, "ROOT_TASK_ID = ?", [root.id])
        last = found[0] if found else None
        if (
            last is None
            or last.state != FAILED
            or last.graph_version != root.version
            or (datetime.now(UTC) - last.scheduled_time > RETRY_WITHIN)
        ):
            raise SnowflakeError(
                f"Cannot retry task {root.name}: its last run did not fail, is too long ago, or the task graph has "
                "changed since.", 91425, "22000",
            )  # fmt: skip
        done = self.history.task_runs(
            root.name.database, "GRAPH_RUN_GROUP_ID = ? AND (STATE = 'SUCCEEDED' OR ERROR_CODE = 40003)",
            [last.graph_run_group_id],
        )  # fmt: skip
        runner = Runner(self, graph, last, {r.name: r.state for r in done}, {r.name: r.return_value for r in done})
        runner.retry()
        return runner

    def last_success(self, root: Task) -> GraphRun | None:
        condition = "ROOT_TASK_ID = ? AND STATE = 'SUCCEEDED'"
        found = self.history.graph_runs(root.name.database, condition, [root.id])
        return found[0] if found else None

    # ------------------------------------------------------------------ who runs when

    def _submit(self, runner: Runner) -> None:
        root = runner.graph.root
        with self._lock:
            if self.closing:
                raise SnowflakeError("The local engine is stopping.", 604, "57014")
            lane = self._lanes.setdefault(root.id, _Lane())
            if lane.waiting is not None:
                return  # the run that waits begins after this request, and does what it asks for
            runner.note()
            lane.waiting = runner
            self.advance(root.id)

    def advance(self, root_id: str) -> None:
        """Start the run that waits, once those before it let it."""
        with self._lock:
            lane = self._lanes[root_id]
            runner = lane.waiting
            if runner is None or self.closing or not lane.is_free(runner.graph.root.overlap_policy):
                return
            lane.waiting = None
            lane.active.append(runner)
            threading.Thread(target=runner.work, name="task graph", daemon=True).start()

    def ended(self, runner: Runner) -> None:
        try:
            if runner.run.state == FAILED and not self.closing:
                self._suspend_after_failures(runner.graph.root)
        finally:
            with self._lock:
                self._lanes[runner.graph.root.id].active.remove(runner)
                self.advance(runner.graph.root.id)
                self._idle.notify_all()

    def _suspend_after_failures(self, root: Task) -> None:
        limit = SUSPEND_AFTER_FAILURES if root.suspend_after_failures is None else root.suspend_after_failures
        if not limit or not root.started or root.resumed_on is None:
            return
        since = datetime.fromisoformat(root.resumed_on)
        found = self.history.graph_runs(root.name.database, "ROOT_TASK_ID = ?", [root.id])
        last = {r.graph_run_group_id: r.state for r in reversed(found) if r.completed_time and r.completed_time > since}
        states = list(last.values())[-limit:]
        if len(states) == limit and set(states) == {FAILED}:
            self._suspend(root.name)

    def _suspend(self, name: ObjectName) -> None:
        session = self.engine.open_session({})
        try:
            with contextlib.suppress(SnowflakeError), session.effect(Effect.DEFINE):
                tasks.suspend(session, name, "SUSPENDED_DUE_TO_ERRORS")
        finally:
            session.close()

    # ------------------------------------------------------------------ the end

    def close(self) -> None:
        """Stop what runs; it is noted as failed."""
        stopped = SnowflakeError(task_history.INTERRUPTED, task_history.INTERRUPTED_CODE, "57014")
        with self._lock:
            self.closing = True
            for lane in self._lanes.values():
                if lane.waiting is not None:
                    lane.waiting.run.first_error_message = stopped.message
                    lane.waiting.finish(FAILED)
            while any(lane.active for lane in self._lanes.values()):
                for lane in self._lanes.values():
                    for runner in lane.active:
                        runner.stop(stopped)
                self._idle.wait(STOP_EVERY_S)
        self.pool.shutdown()
        self.history.close()
