"""The task graph as a value: built from the settings, shown, compared with what is deployed, deployed."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from intentscore.services.packaging import package_zip, pinned_packages
from intentscore.services.schedule_config import DailyGraph, ScheduleConfig
from intentscore.settings import Settings
from intentscore.warehouse.identifiers import literal, qualified

if TYPE_CHECKING:
    from collections.abc import Callable

    from snowflake.snowpark import Session

STAGE = "INTENTSCORE_CODE"
HASH_DIGITS = 6
SHOWN_FIRINGS = 5


@dataclass(frozen=True)
class ProcedurePlan:
    """A stored procedure named by its task and the hash of the code it runs, so that versions stand side by side."""

    name: str
    handler: str
    arguments: int

    @property
    def function(self) -> Callable[..., Any]:
        from intentscore.procedures import handlers

        found: Callable[..., Any] = getattr(handlers, self.handler)
        return found


@dataclass(frozen=True)
class TaskPlan:
    """`after` are the tasks it waits for; a finalizer waits for all."""

    name: str
    definition: str
    after: tuple[str, ...] = ()
    finalizer: bool = False


@dataclass(frozen=True)
class GraphPlan:
    """One task graph with everything its root carries."""

    name: str
    cron: str
    time_zone: str
    config: dict[str, Any]
    tasks: tuple[TaskPlan, ...]
    warehouse: str | None
    timeout_minutes: int
    retries: int
    suspend_after_failures: int
    notification_integration: str | None

    def firings(self, after: datetime, count: int = SHOWN_FIRINGS) -> tuple[datetime, ...]:
        """The next times the cron fires, in its own time zone."""
        from zoneinfo import ZoneInfo

        from croniter import croniter

        times = croniter(self.cron, after.astimezone(ZoneInfo(self.time_zone)))
        return tuple(times.get_next(datetime) for _ in range(count))

    def lines(self) -> list[str]:
        """The graph in words, the same for the same graph: what a diff compares."""
        head = {
            "cron": f"{self.cron} {self.time_zone}", "config": json.dumps(self.config, sort_keys=True),
            "warehouse": self.warehouse or "serverless", "timeout_minutes": self.timeout_minutes,
            "retries": self.retries, "suspend_after_failures": self.suspend_after_failures,
            "notification_integration": self.notification_integration,
        }  # fmt: skip
        lines = [f"graph {self.name}", *(f"  {key}: {value}" for key, value in head.items())]
        for task in sorted(self.tasks, key=lambda task: task.name):
            after = "finalizer" if task.finalizer else f"after {', '.join(sorted(task.after)) or 'the root'}"
            lines += [f"  task {task.name}: {after}", f"    {task.definition}"]
        return lines


@dataclass(frozen=True)
class SchedulePlan:
    """Everything a deployment makes: the code on the stage, the procedures, the graph."""

    stage: str
    code: str
    packages: tuple[str, ...]
    artifact_repository: str | None
    procedures: tuple[ProcedurePlan, ...]
    graph: GraphPlan
    content: bytes = field(repr=False, default=b"")

    def difference(self, deployed: list[str]) -> list[str]:
        """What deploying would change, as a unified diff; empty when nothing would."""
        return list(difflib.unified_diff(deployed, self.graph.lines(), "deployed", "planned", lineterm=""))


def plan_schedule(session: Session, settings: Settings, config: ScheduleConfig) -> SchedulePlan:
    """What `schedule` would deploy into the current schema; changes nothing."""
    zipped = package_zip()
    digest = zipped.name.removesuffix(".zip").rsplit("_", 1)[1][:HASH_DIGITS].upper()
    steps = {
        "REFRESH_FEATURES": ProcedurePlan(f"INTENTSCORE_REFRESH_FEATURES_{digest}", "refresh_features", 1),
        "SCORE_DAY": ProcedurePlan(f"INTENTSCORE_SCORE_DAY_{digest}", "score_day", 1),
        "CHECK_SCORES": ProcedurePlan(f"INTENTSCORE_CHECK_SCORES_{digest}", "check_scores", 2),
        "RECORD_RUN": ProcedurePlan(f"INTENTSCORE_RECORD_RUN_{digest}", "record_run", 1),
    }
    warehouse = None if config.serverless else config.warehouse or session.get_current_warehouse()
    return SchedulePlan(
        stage=qualified(session, STAGE),
        code=zipped.name,
        packages=tuple(pinned_packages()),
        artifact_repository=config.artifact_repository,
        procedures=tuple(steps.values()),
        graph=_daily_graph(session, settings, config, steps, warehouse),
        content=zipped.content,
    )


def _daily_graph(
    session: Session,
    settings: Settings,
    config: ScheduleConfig,
    steps: dict[str, ProcedurePlan],
    warehouse: str | None,
) -> GraphPlan:
    ours = literal(settings_text(settings))
    limits = literal(config.check.model_dump_json())

    def call(step: str, *arguments: str) -> str:
        return f"CALL {qualified(session, steps[step].name)}({', '.join(arguments)})"

    daily = config.daily
    return GraphPlan(
        name=daily.name,
        cron=daily.cron,
        time_zone=daily.time_zone,
        config=graph_config(daily),
        tasks=(
            TaskPlan("REFRESH_FEATURES", call("REFRESH_FEATURES", ours)),
            TaskPlan("SCORE_DAY", call("SCORE_DAY", ours), ("REFRESH_FEATURES",)),
            TaskPlan("CHECK_SCORES", call("CHECK_SCORES", ours, limits), ("SCORE_DAY",)),
            TaskPlan("RECORD_RUN", call("RECORD_RUN", ours), finalizer=True),
        ),
        warehouse=warehouse,
        timeout_minutes=config.timeout_minutes,
        retries=config.retries,
        suspend_after_failures=config.suspend_after_failures,
        notification_integration=config.notification_integration,
    )


def graph_config(daily: DailyGraph, **more: str) -> dict[str, Any]:
    """What a run reads with SYSTEM$GET_TASK_GRAPH_CONFIG; `date` and `backfill` are of one run only."""
    return {"time_zone": daily.time_zone, "lag_days": daily.lag_days, **more}


def settings_text(settings: Settings) -> str:
    """The settings a procedure needs, as JSON: the names of things, not how to connect."""
    kept = settings.model_dump(mode="json", by_alias=True, exclude={"connection", "database", "warehouse", "role"})
    return json.dumps(kept, sort_keys=True)


@dataclass(frozen=True)
class ShownPlan:
    """A plan as `--dry-run` shows it."""

    graph: str
    code: str
    stage: str
    picture: tuple[str, ...]
    next_firings: tuple[datetime, ...]
    procedures: tuple[str, ...]
    packages: tuple[str, ...]
    tasks: tuple[TaskPlan, ...]


def shown(plan: SchedulePlan) -> ShownPlan:
    graph = plan.graph
    return ShownPlan(
        graph=graph.name,
        code=plan.code,
        stage=plan.stage,
        picture=tuple(picture(graph)),
        next_firings=graph.firings(datetime.now(UTC)),
        procedures=tuple(procedure.name for procedure in plan.procedures),
        packages=plan.packages,
        tasks=graph.tasks,
    )


def picture(graph: GraphPlan) -> list[str]:
    """The graph as a tree of arrows, the finalizer last."""

    def below(parent: str, depth: int) -> list[str]:
        lines = []
        for task in graph.tasks:
            if not task.finalizer and (parent in task.after or (parent == graph.name and not task.after)):
                lines += [f"{'   ' * depth}└▶ {task.name}", *below(task.name, depth + 1)]
        return lines

    head = f"{graph.name}  ({graph.cron} {graph.time_zone})"
    return [head, *below(graph.name, 0), *(f"■  {task.name} (finalizer)" for task in graph.tasks if task.finalizer)]
