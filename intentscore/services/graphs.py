"""The graphs of the schedule, built from the settings: daily, monthly and mid-month."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from intentscore.services.challenger import ACCEPTED
from intentscore.services.graph_plan import GraphPlan, ProcedurePlan, SchedulePlan, TaskPlan
from intentscore.services.packaging import package_zip, pinned_packages
from intentscore.services.schedule_config import GraphKind, GraphSchedule, ScheduleConfig
from intentscore.settings import Settings
from intentscore.warehouse.identifiers import literal, qualified

if TYPE_CHECKING:
    from snowflake.snowpark import Session

STAGE = "INTENTSCORE_CODE"
PREFIX = "INTENTSCORE"
HASH_DIGITS = 6
FINALIZER = "RECORD_RUN"


@dataclass(frozen=True)
class Step:
    """A task and the procedure it calls: the settings, and then `more` arguments, all of them JSON text."""

    name: str
    more: tuple[str, ...] = ()
    condition: str | None = None

    def procedure(self, digest: str) -> ProcedurePlan:
        return ProcedurePlan(f"{PREFIX}_{self.name}_{digest}", self.name.lower(), 1 + len(self.more))


def plan_schedule(session: Session, settings: Settings, config: ScheduleConfig) -> SchedulePlan:
    """What `schedule` would deploy into the current schema; changes nothing.

    Raises ConfigurationError when the monthly graph's training configuration is missing or wrong.
    """
    zipped = package_zip()
    digest = zipped.name.removesuffix(".zip").rsplit("_", 1)[1][:HASH_DIGITS].upper()
    steps = {kind: (*_steps(config, kind), Step(FINALIZER)) for kind in config.graphs}
    procedures = {step.name: step.procedure(digest) for graph in steps.values() for step in graph}
    return SchedulePlan(
        stage=qualified(session, STAGE),
        code=zipped.name,
        packages=tuple(pinned_packages()),
        artifact_repository=config.artifact_repository,
        procedures=tuple(procedures.values()),
        graphs=tuple(
            _graph(session, config, config.graphs[kind], _tasks(session, settings, graph, procedures))
            for kind, graph in steps.items()
        ),
        content=zipped.content,
    )


def _steps(config: ScheduleConfig, kind: GraphKind) -> tuple[Step, ...]:
    """In their order; the finalizer is added to every graph."""
    match kind:
        case "daily":
            limits = config.check.model_dump_json(exclude_defaults=True)
            explain = [Step("EXPLAIN_SCORES", (config.explain.model_dump_json(),))] if config.explain else []
            return Step("REFRESH_FEATURES"), Step("SCORE_DAY"), Step("CHECK_SCORES", (limits,)), *explain
        case "monthly":
            training = _train_config(config)
            return Step("TRAIN_CHALLENGER", (training,)), Step("REGISTER_CHALLENGER"), Step("SCORE_CHALLENGER")
        case "mid-month":
            agreed = f"SYSTEM$GET_PREDECESSOR_RETURN_VALUE() = {literal(ACCEPTED)}"
            return Step("EVALUATE_CHALLENGER"), Step("PROMOTE_CHALLENGER", condition=agreed)


def _train_config(config: ScheduleConfig) -> str:
    from intentscore.model.config import load_train_config

    assert config.monthly is not None
    return load_train_config(config.monthly.train_config).model_dump_json(exclude_defaults=True)


def _tasks(
    session: Session, settings: Settings, steps: tuple[Step, ...], procedures: dict[str, ProcedurePlan]
) -> tuple[TaskPlan, ...]:
    """One behind the other, the finalizer behind all."""
    ours = settings_text(settings)
    tasks: list[TaskPlan] = []
    for step in steps:
        arguments = ", ".join(literal(argument) for argument in (ours, *step.more))
        call = f"CALL {qualified(session, procedures[step.name].name)}({arguments})"
        finalizer = step.name == FINALIZER
        after = () if finalizer or not tasks else (tasks[-1].name,)
        tasks.append(TaskPlan(step.name, call, after, finalizer, step.condition))
    return tuple(tasks)


def _graph(session: Session, config: ScheduleConfig, times: GraphSchedule, tasks: tuple[TaskPlan, ...]) -> GraphPlan:
    return GraphPlan(
        name=times.name,
        cron=times.cron,
        time_zone=times.time_zone,
        config=run_config(times),
        tasks=tasks,
        warehouse=None if config.serverless else config.warehouse or session.get_current_warehouse(),
        timeout_minutes=config.timeout_minutes,
        retries=config.retries,
        suspend_after_failures=config.suspend_after_failures,
        notification_integration=config.notification_integration,
    )


def run_config(times: GraphSchedule) -> dict[str, Any]:
    """What every run reads with SYSTEM$GET_TASK_GRAPH_CONFIG; `schedule run` adds the date and the like."""
    return {"time_zone": times.time_zone, "lag_days": times.lag_days}


def settings_text(settings: Settings) -> str:
    """The settings a procedure needs, as JSON: the names of things, not how to connect, and no defaults.

    The procedure's code has the same defaults, or it would have another name.
    """
    ours = {"connection", "database", "warehouse", "role"}
    kept = settings.model_dump(mode="json", by_alias=True, exclude=ours, exclude_defaults=True)
    return json.dumps(kept, sort_keys=True)
