"""Deploy the task graphs, say how they are doing, suspend, resume and drop them."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from intentscore.errors import ConfigurationError
from intentscore.services.graph_plan import GraphPlan, NextFirings, ProcedurePlan, SchedulePlan
from intentscore.services.graph_runs import TaskOutcome, task_outcomes
from intentscore.services.graphs import PREFIX, STAGE
from intentscore.services.runs import recorded
from intentscore.services.schedule_config import GraphKind, ScheduleConfig
from intentscore.settings import Settings
from intentscore.warehouse.errors import snowflake_errors
from intentscore.warehouse.identifiers import current_schema, literal, qualified

if TYPE_CHECKING:
    from snowflake.core.task import Task
    from snowflake.core.task.dagv1 import DAG, DAGOperation
    from snowflake.snowpark import Row, Session

NOT_DEPLOYED = "not deployed"
CUT_OFF = "  deployed: all but the resuming of its tasks, which was cut off"


@dataclass(frozen=True)
class DeployResult:
    """`changed` are the graphs that were made, changed or dropped; none when all were there as planned."""

    run_id: str
    code: str
    procedures: tuple[str, ...]
    graphs: tuple[GraphState, ...]
    next_firings: tuple[NextFirings, ...]
    changed: tuple[str, ...]


@dataclass(frozen=True)
class GraphState:
    """`last_run` is when the last one was planned for; `next_run` is None for a graph that is not started."""

    graph: str
    state: str
    cron: str | None
    last_run: datetime | None
    next_run: datetime | None


@dataclass(frozen=True)
class ScheduleStatus:
    """`tasks` are those of each graph's last run."""

    graphs: tuple[GraphState, ...]
    tasks: tuple[TaskOutcome, ...]


def deploy(
    session: Session, settings: Settings, plan: SchedulePlan, *, say: Callable[[str], None] = lambda _: None
) -> DeployResult:
    """Make the graphs in the account what the plan says, and resume those that change.

    Deploying the same again changes nothing; `say` hears the difference, as a unified diff, first. A graph is
    suspended while it changes, one whose deployment was cut off is deployed again, and one that the plan no longer
    has is dropped; one that the user has suspended stays so. Procedures and code of earlier deployments stay,
    because a run under way may still use them.
    """
    with recorded(session, settings, "schedule", graphs=[graph.name for graph in plan.graphs], code=plan.code) as run:
        with snowflake_errors("deploy the task graphs", wrapped=True):
            changes = plan.differences(deployed_graphs(session))
            for line in (line for diff in changes.values() for line in diff):
                say(line)
            if changes:
                _upload_code(session, plan)
                for procedure in plan.procedures:
                    _register(session, plan, procedure)
            planned = {graph.name: graph for graph in plan.graphs}
            for name in changes:
                if name in planned:
                    _deploy_graph(session, planned[name])
                else:
                    _operation(session).drop(name, drop_finalizer=True)
            states = tuple(_state(session, graph.name) for graph in plan.graphs)
        now = datetime.now(UTC)
        return DeployResult(
            run_id=run.run_id,
            code=plan.code,
            procedures=tuple(procedure.name for procedure in plan.procedures),
            graphs=states,
            next_firings=tuple(NextFirings(graph.name, graph.firings(now)) for graph in plan.graphs),
            changed=tuple(changes),
        )


def _upload_code(session: Session, plan: SchedulePlan) -> None:
    session.sql(f"CREATE STAGE IF NOT EXISTS {plan.stage}").collect()
    session.file.put_stream(io.BytesIO(plan.content), f"@{plan.stage}/{plan.code}", auto_compress=False, overwrite=True)


def _register(session: Session, plan: SchedulePlan, procedure: ProcedurePlan) -> None:
    """A procedure of this very code may be there already: then it stays."""
    from snowflake.snowpark.types import StringType, VariantType

    if any(row["name"] == procedure.name for row in _procedures(session, procedure.name)):
        return
    with _without_advice():
        session.sproc.register(
            procedure.function,
            return_type=VariantType(),
            input_types=[StringType()] * procedure.arguments,
            name=procedure.name,
            is_permanent=True,
            stage_location=f"@{plan.stage}",
            imports=[f"@{plan.stage}/{plan.code}"],
            packages=list(plan.packages),
            execute_as="caller",
            source_code_display=False,
            artifact_repository=plan.artifact_repository,
        )


@contextmanager
def _without_advice() -> Iterator[None]:
    """Snowpark tells everyone who names an artifact repository that its parameter for that is experimental."""
    log = logging.getLogger("snowflake.snowpark")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def _procedures(session: Session, pattern: str) -> list[Row]:
    """Of our schema alone; another may hold those of the same code."""
    shown: list[Row] = session.sql(
        f"SHOW PROCEDURES LIKE {literal(pattern)} IN SCHEMA {current_schema(session)}"
    ).collect()
    return shown


# ---------------------------------------------------------------------------- the graphs


def _schema(session: Session) -> Any:
    from snowflake.core import Root

    database, schema = (str(part).strip('"') for part in (session.get_current_database(), session.get_current_schema()))
    return Root(session).databases[database].schemas[schema]


def _tasks(session: Session) -> Any:
    return _schema(session).tasks


def _operation(session: Session) -> DAGOperation:
    from snowflake.core.task.dagv1 import DAGOperation

    return DAGOperation(_schema(session))


def _root(session: Session, name: str) -> Task | None:
    from snowflake.core.exceptions import NotFoundError

    try:
        found: Task = _tasks(session)[name].fetch()
    except NotFoundError:
        return None
    return found


def require_root(session: Session, name: str) -> Task:
    """The root task of a deployed graph. Raises ConfigurationError when there is none."""
    found = _root(session, name)
    if found is None:
        raise ConfigurationError(f"there is no task graph {name}; deploy it with `intentscore schedule`")
    return found


def deployed_graphs(session: Session) -> dict[str, list[str]]:
    """The deployed graphs in the words of their plans, which their roots' comments keep.

    `suspend` suspends the root alone, a deployment all tasks until its end: so the two are told apart.
    """
    found = {}
    tasks = list(_tasks(session).iter())
    suspended = {str(task.name) for task in tasks if task.state == "suspended"}
    for task in tasks:
        lines = (task.comment or "").split("\n")
        if lines[0] == f"graph {task.name}":
            cut_off = task.name in suspended and any(name.startswith(f"{task.name}$") for name in suspended)
            found[str(task.name)] = [*lines, CUT_OFF] if cut_off else lines
    return found


def _deploy_graph(session: Session, plan: GraphPlan) -> None:
    """The root gets all of its comment last: a graph that was left half changed is known, and differs from its plan."""
    tasks, dag = _tasks(session), _as_dag(plan)
    root = dag._to_low_level_task()  # the DAG API itself can only drop a graph and create it again
    children = {task.full_name: task._to_low_level_task() for task in dag.tasks}
    root.comment, comment = plan.lines()[0], root.comment
    if _root(session, plan.name):
        tasks[plan.name].suspend()
        for task in tasks[plan.name].fetch_task_dependents():
            if task.name in children:
                tasks[task.name].suspend()
            elif task.name != plan.name:
                tasks[task.name].drop()
    tasks[plan.name].create_or_alter(root)
    for task in plan.tasks:
        full_name = f"{plan.name}${task.name}"
        tasks[full_name].create_or_alter(children[full_name])
    root.comment = comment
    tasks[plan.name].create_or_alter(root)
    _enable(session, plan.name)


def _enable(session: Session, graph: str) -> None:
    session.sql(f"SELECT SYSTEM$TASK_DEPENDENTS_ENABLE({literal(qualified(session, graph))})").collect()


def _as_dag(plan: GraphPlan) -> DAG:
    from snowflake.core.task import Cron
    from snowflake.core.task.dagv1 import DAG, DAGTask

    dag = DAG(
        plan.name,
        schedule=Cron(plan.cron, plan.time_zone),
        warehouse=plan.warehouse,
        config=plan.config,
        comment="\n".join(plan.lines()),
        user_task_timeout_ms=plan.timeout_minutes * 60_000,
        task_auto_retry_attempts=plan.retries or None,
        suspend_task_after_num_failures=plan.suspend_after_failures,
        error_integration=plan.notification_integration,
    )
    made = {
        task.name: DAGTask(
            task.name,
            task.definition,
            condition=task.condition,
            is_finalizer=task.finalizer or None,
            is_serverless=plan.warehouse is None,
            dag=dag,
        )
        for task in plan.tasks
    }
    for task in plan.tasks:
        if task.after:
            made[task.name].add_predecessors([made[name] for name in task.after])
    return dag


# ---------------------------------------------------------------------------- status


def schedule_status(session: Session, config: ScheduleConfig) -> ScheduleStatus:
    """State of each graph, its next run, and the tasks of its last one. ConfigurationError when none is deployed."""
    with snowflake_errors("look up the task graphs"):
        names = [times.name for times in config.graphs.values()]
        states = tuple(_state(session, name) for name in names)
        if all(found.state == NOT_DEPLOYED for found in states):
            require_root(session, names[0])
        return ScheduleStatus(
            states, tuple(task for name in names for task in _last_run(session, _root(session, name)))
        )


def _state(session: Session, graph: str) -> GraphState:
    root = _root(session, graph)
    if root is None:
        return GraphState(graph, NOT_DEPLOYED, None, None, None)
    state = root.state or "unknown"
    last = next((task.scheduled_at for task in _last_run(session, root) if task.task == graph), None)
    return GraphState(graph, state, _cron_text(root), last, _next_firing(root) if state == "started" else None)


def _last_run(session: Session, root: Task | None) -> list[TaskOutcome]:
    if root is None:
        return []
    begun = [task for task in task_outcomes(session, str(root.id)) if task.state != "SCHEDULED"]
    last = max((task.scheduled_at for task in begun if task.task == root.name and task.scheduled_at), default=None)
    return [task for task in begun if last and task.scheduled_at and task.scheduled_at >= last]


def _cron_text(root: Task) -> str:
    from snowflake.core.task import Cron

    schedule = root.schedule
    return f"{schedule.expr} {schedule.timezone}" if isinstance(schedule, Cron) else str(schedule)


def _next_firing(root: Task) -> datetime | None:
    from zoneinfo import ZoneInfo

    from croniter import croniter
    from snowflake.core.task import Cron

    schedule = root.schedule
    if not isinstance(schedule, Cron):
        return None
    found: datetime = croniter(schedule.expr, datetime.now(ZoneInfo(schedule.timezone))).get_next(datetime)
    return found


def schedule_history(session: Session, config: ScheduleConfig, limit: int) -> tuple[TaskOutcome, ...]:
    """The last task runs of all graphs, oldest first."""
    with snowflake_errors("read the task history"):
        roots = [_root(session, times.name) for times in config.graphs.values()]
        found = [task for root in roots if root for task in task_outcomes(session, str(root.id), limit=limit)]
    found.sort(key=lambda task: (task.scheduled_at is not None, task.scheduled_at, task.task))
    return tuple(found[-limit:])


def suspend(session: Session, config: ScheduleConfig, only: GraphKind | None = None) -> ScheduleStatus:
    """Stop the schedule of all graphs, or of one."""
    with snowflake_errors("suspend the task graph"):
        for graph in _named(config, only):
            require_root(session, graph)
            _tasks(session)[graph].suspend()
    return schedule_status(session, config)


def resume(session: Session, config: ScheduleConfig, only: GraphKind | None = None) -> ScheduleStatus:
    """Let all graphs run again, or one."""
    with snowflake_errors("resume the task graph"):
        for graph in _named(config, only):
            require_root(session, graph)
            _enable(session, graph)
    return schedule_status(session, config)


def _named(config: ScheduleConfig, only: GraphKind | None) -> list[str]:
    return [config.graph(only).name] if only else [times.name for times in config.graphs.values()]


@dataclass(frozen=True)
class DropResult:
    """What is dropped, or would be."""

    dropped: bool
    graphs: tuple[str, ...]
    procedures: tuple[str, ...]
    stage: str


def drop(session: Session, settings: Settings, *, apply: bool) -> DropResult:
    """Remove the graphs, the procedures of every deployment, and their code; tables, runs and models stay."""
    with snowflake_errors("drop the task graphs", wrapped=True):
        graphs = tuple(deployed_graphs(session))
        if not graphs:
            raise ConfigurationError("there is no task graph to drop; `intentscore schedule` deploys them")
        found = _procedures(session, f"{PREFIX}%")
        signatures = {row["name"]: str(row["arguments"]).split(" RETURN", 1)[0] for row in found}
        if apply:
            with recorded(session, settings, "schedule drop", graphs=graphs):
                for graph in graphs:
                    _operation(session).drop(graph, drop_finalizer=True)
                for signature in signatures.values():
                    session.sql(f"DROP PROCEDURE IF EXISTS {signature}").collect()
                session.sql(f"DROP STAGE IF EXISTS {qualified(session, STAGE)}").collect()
        return DropResult(apply, graphs, tuple(sorted(signatures)), qualified(session, STAGE))
