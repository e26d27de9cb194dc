"""Deploy the daily graph, run it now or for past days, and say how it is doing."""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from intentscore.errors import ConfigurationError, WarehouseError
from intentscore.services.graph_plan import GraphPlan, SchedulePlan, graph_config
from intentscore.services.graph_runs import TaskOutcome, cause, days_done, information_schema, task_outcomes
from intentscore.services.runs import recorded
from intentscore.services.schedule_config import ScheduleConfig
from intentscore.settings import Settings
from intentscore.warehouse.errors import snowflake_errors
from intentscore.warehouse.identifiers import literal, qualified

if TYPE_CHECKING:
    from snowflake.core.task import Task
    from snowflake.core.task.dagv1 import DAG, DAGOperation
    from snowflake.snowpark import Session

POLL_S = 0.5
RUN_TIMEOUT_S = 3 * 3600.0


@dataclass(frozen=True)
class DeployResult:
    """`changes` is a unified diff against what was deployed before; empty when nothing changed."""

    run_id: str
    graph: str
    state: str
    code: str
    procedures: tuple[str, ...]
    changes: tuple[str, ...]
    next_firings: tuple[datetime, ...]


@dataclass(frozen=True)
class RunDay:
    """`day` is None for the graph's usual day, which the run resolves itself."""

    day: date | None
    state: str


@dataclass(frozen=True)
class RunResult:
    graph: str
    days: tuple[RunDay, ...]
    skipped: int


@dataclass(frozen=True)
class ScheduleStatus:
    graph: str
    state: str
    cron: str
    next_run: datetime | None
    tasks: tuple[TaskOutcome, ...]


def deploy(session: Session, settings: Settings, plan: SchedulePlan) -> DeployResult:
    """Make the graph in the account what the plan says, and resume it. Deploying the same again changes nothing.

    The root is suspended while the graph changes. Procedures and code of earlier deployments stay, because a
    run under way may still use them.
    """
    with recorded(session, settings, "schedule", graph=plan.graph.name, code=plan.code) as run:
        with snowflake_errors("deploy the task graph", wrapped=True):
            changes = plan.difference(deployed_lines(session, plan.graph.name))
            if changes:
                _upload_code(session, plan)
                for procedure in plan.procedures:
                    _register(session, plan, procedure)
                _deploy_graph(session, plan.graph)
            state = _root(session, plan.graph.name).state or "unknown"
        return DeployResult(
            run_id=run.run_id,
            graph=plan.graph.name,
            state=state,
            code=plan.code,
            procedures=tuple(procedure.name for procedure in plan.procedures),
            changes=tuple(changes),
            next_firings=plan.graph.firings(datetime.now(UTC)),
        )


def _upload_code(session: Session, plan: SchedulePlan) -> None:
    session.sql(f"CREATE STAGE IF NOT EXISTS {plan.stage}").collect()
    session.file.put_stream(io.BytesIO(plan.content), f"@{plan.stage}/{plan.code}", auto_compress=False, overwrite=True)


def _register(session: Session, plan: SchedulePlan, procedure: Any) -> None:
    """A procedure of this very code may be there already: then it stays."""
    from snowflake.snowpark.types import StringType, VariantType

    known = session.sql(f"SHOW PROCEDURES LIKE {literal(procedure.name)}").collect()
    if any(row["name"] == procedure.name for row in known):
        return
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


# ---------------------------------------------------------------------------- the graph


def _schema(session: Session) -> Any:
    from snowflake.core import Root

    database, schema = (str(part).strip('"') for part in (session.get_current_database(), session.get_current_schema()))
    return Root(session).databases[database].schemas[schema]


def _tasks(session: Session) -> Any:
    return _schema(session).tasks


def _operation(session: Session) -> DAGOperation:
    from snowflake.core.task.dagv1 import DAGOperation

    return DAGOperation(_schema(session))


def _root(session: Session, name: str) -> Task:
    from snowflake.core.exceptions import NotFoundError

    try:
        found: Task = _tasks(session)[name].fetch()
    except NotFoundError:
        raise ConfigurationError(f"there is no task graph {name}; deploy it with `intentscore schedule`") from None
    return found


def deployed_lines(session: Session, name: str) -> list[str]:
    """The deployed graph in the words of its plan, which its root's comment keeps; none when there is none."""
    from snowflake.core.exceptions import NotFoundError

    try:
        comment = _tasks(session)[name].fetch().comment or ""
    except NotFoundError:
        return []
    return comment.split("\n")


def _deploy_graph(session: Session, plan: GraphPlan) -> None:
    operation = _operation(session)
    operation.drop(plan.name, drop_finalizer=True)
    operation.deploy(_as_dag(plan))


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


# ---------------------------------------------------------------------------- runs


def run_days(
    session: Session,
    settings: Settings,
    config: ScheduleConfig,
    first: date | None,
    last: date | None,
    *,
    say: Callable[[str], None] = lambda _: None,
) -> RunResult:
    """Run the deployed graph now: for its usual day when `first` is None, else for each day up to `last`, in order.

    Days that the same back-fill has done already are passed over, so that an interrupted one goes on where it
    stopped. Raises WarehouseError at the first day that fails.
    """
    graph = config.daily.name
    with snowflake_errors("run the task graph"):
        _root(session, graph)
        if first is None:
            say(f"run: {graph}")
            return RunResult(graph, (_run_once(session, graph, graph_config(config.daily)),), 0)
        wanted = [first + timedelta(days=i) for i in range(((last or first) - first).days + 1)]
        backfill = _backfill_id(session, settings, wanted)
        done = days_done(session, settings, backfill) if len(wanted) > 1 else set()
        ran = []
        for day in (day for day in wanted if day not in done):
            say(f"run: {graph} for {day}")
            ran.append(_run_once(session, graph, graph_config(config.daily, date=str(day), backfill=backfill), day))
        return RunResult(graph, tuple(ran), len(wanted) - len(ran))


def _backfill_id(session: Session, settings: Settings, days: list[date]) -> str:
    """The same for the same days and champion: scoring with another model is another back-fill."""
    from intentscore.services.versions import CHAMPION, alias_holder, registered_versions

    champion = alias_holder(registered_versions(session, settings), CHAMPION)
    return hashlib.sha256(f"{days[0]} {days[-1]} {champion}".encode()).hexdigest()[:12]


def _run_once(session: Session, graph: str, config: dict[str, Any], day: date | None = None) -> RunDay:
    before = {row["RUN_ID"] for row in _graphs(session, "COMPLETE_TASK_GRAPHS", graph)}
    session.sql(f"EXECUTE TASK {qualified(session, graph)} USING CONFIG = {literal(json.dumps(config))}").collect()
    run = _await_end(session, graph, before)
    if run["STATE"] != "SUCCEEDED":
        where = f"task {run['FIRST_ERROR_TASK_NAME']}: {cause(run['FIRST_ERROR_MESSAGE'])}"
        raise WarehouseError(f"{graph}{f' for {day}' if day else ''} {run['STATE'].lower()}: {where}")
    return RunDay(day, run["STATE"])


def _graphs(session: Session, function: str, graph: str) -> list[Any]:
    source = f"{information_schema(session)}.{function}(ROOT_TASK_NAME => {literal(graph)})"
    return session.sql(f"SELECT * FROM TABLE({source})").collect()


def _await_end(session: Session, graph: str, before: set[Any]) -> Any:
    """The last attempt of the run that has just been started, once no attempt is under way any more."""
    deadline = time.monotonic() + RUN_TIMEOUT_S
    while time.monotonic() < deadline:
        running = [r for r in _graphs(session, "CURRENT_TASK_GRAPHS", graph) if r["STATE"] == "EXECUTING"]
        ended = [r for r in _graphs(session, "COMPLETE_TASK_GRAPHS", graph) if r["RUN_ID"] not in before]
        if ended and not running:
            return max(ended, key=lambda row: (row["COMPLETED_TIME"], row["ATTEMPT_NUMBER"]))
        time.sleep(POLL_S)
    raise WarehouseError(f"{graph} has not ended after {RUN_TIMEOUT_S:g} s; see `intentscore schedule history`")


# ---------------------------------------------------------------------------- status


def schedule_status(session: Session, config: ScheduleConfig) -> ScheduleStatus:
    """State of the deployed graph, its next run, and the tasks of its last one."""
    with snowflake_errors("look up the task graph"):
        root = _root(session, config.daily.name)
        outcomes = [o for o in task_outcomes(session, config.daily.name) if o.state != "SCHEDULED"]
        roots = [o.scheduled_at for o in outcomes if o.task == config.daily.name and o.scheduled_at]
        last = max(roots, default=None)
        state = root.state or "unknown"
        upcoming = _next_firing(root) if state == "started" else None
        tasks = tuple(o for o in outcomes if last and o.scheduled_at and o.scheduled_at >= last)
        return ScheduleStatus(config.daily.name, state, _cron_text(root), upcoming, tasks)


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
    with snowflake_errors("read the task history"):
        return tuple(task_outcomes(session, config.daily.name, limit=limit))


def suspend(session: Session, config: ScheduleConfig) -> ScheduleStatus:
    with snowflake_errors("suspend the task graph"):
        _root(session, config.daily.name)
        _tasks(session)[config.daily.name].suspend()
    return schedule_status(session, config)


def resume(session: Session, config: ScheduleConfig) -> ScheduleStatus:
    with snowflake_errors("resume the task graph"):
        _root(session, config.daily.name)
        session.sql(f"SELECT SYSTEM$TASK_DEPENDENTS_ENABLE({literal(qualified(session, config.daily.name))})").collect()
    return schedule_status(session, config)


@dataclass(frozen=True)
class DropResult:
    """What is dropped, or would be."""

    dropped: bool
    graph: str
    procedures: tuple[str, ...]
    stage: str


def drop(session: Session, settings: Settings, config: ScheduleConfig, *, apply: bool) -> DropResult:
    """Remove the graph, the procedures of every deployment, and their code; tables and models stay."""
    from intentscore.services.graph_plan import STAGE

    graph = config.daily.name
    with snowflake_errors("drop the task graph", wrapped=True):
        _root(session, graph)
        found = session.sql(f"SHOW PROCEDURES LIKE {literal('INTENTSCORE%')}").collect()
        signatures = {row["name"]: str(row["arguments"]).split(" RETURN", 1)[0] for row in found}
        if apply:
            with recorded(session, settings, "schedule drop", graph=graph):
                _operation(session).drop(graph, drop_finalizer=True)
                for signature in signatures.values():
                    session.sql(f"DROP PROCEDURE IF EXISTS {signature}").collect()
                session.sql(f"DROP STAGE IF EXISTS {qualified(session, STAGE)}").collect()
        return DropResult(apply, graph, tuple(sorted(signatures)), qualified(session, STAGE))
