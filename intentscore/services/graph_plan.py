"""A schedule as a value: the code, the procedures and the graphs, shown, compared with what is deployed, deployed."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
    """`after` are the tasks it waits for; a finalizer waits for all. Without its `condition` (SQL) it is skipped."""

    name: str
    definition: str
    after: tuple[str, ...] = ()
    finalizer: bool = False
    condition: str | None = None


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
            when = f", when {task.condition}" if task.condition else ""
            lines += [f"  task {task.name}: {after}{when}", f"    {task.definition}"]
        return lines


@dataclass(frozen=True)
class SchedulePlan:
    """Everything a deployment makes: the code on the stage, the procedures, the graphs."""

    stage: str
    code: str
    packages: tuple[str, ...]
    artifact_repository: str | None
    procedures: tuple[ProcedurePlan, ...]
    graphs: tuple[GraphPlan, ...]
    content: bytes = field(repr=False, default=b"")

    def differences(self, deployed: Mapping[str, list[str]]) -> dict[str, list[str]]:
        """By graph, what deploying would change as a unified diff; graphs that would not change are left out.

        `deployed` has the lines of the graphs that are there; one that is not in the plan would be dropped.
        """
        planned = {graph.name: graph.lines() for graph in self.graphs}
        found = {name: _diff(deployed.get(name, []), planned.get(name, [])) for name in {**deployed, **planned}}
        return {name: diff for name, diff in found.items() if diff}


def _diff(before: list[str], after: list[str]) -> list[str]:
    return list(difflib.unified_diff(before, after, "deployed", "planned", lineterm=""))


@dataclass(frozen=True)
class NextFirings:
    graph: str
    firings: tuple[datetime, ...]


@dataclass(frozen=True)
class ShownTask:
    task: str
    sql: str
    condition: str | None


@dataclass(frozen=True)
class ShownPlan:
    """A plan as `--dry-run` shows it; `changes` are against what is deployed, none when nothing would change."""

    code: str
    stage: str
    packages: tuple[str, ...]
    artifact_repository: str | None
    procedures: tuple[str, ...]
    pictures: tuple[str, ...]
    next_firings: tuple[NextFirings, ...]
    tasks: tuple[ShownTask, ...]
    changes: tuple[str, ...]


def shown(plan: SchedulePlan, deployed: Mapping[str, list[str]]) -> ShownPlan:
    now = datetime.now(UTC)
    return ShownPlan(
        code=plan.code,
        stage=plan.stage,
        packages=plan.packages,
        artifact_repository=plan.artifact_repository,
        procedures=tuple(procedure.name for procedure in plan.procedures),
        pictures=tuple(line for graph in plan.graphs for line in (*picture(graph), "")),
        next_firings=tuple(NextFirings(graph.name, graph.firings(now)) for graph in plan.graphs),
        tasks=tuple(
            ShownTask(f"{graph.name}${task.name}", task.definition, task.condition)
            for graph in plan.graphs
            for task in graph.tasks
        ),
        changes=tuple(line for diff in plan.differences(deployed).values() for line in diff),
    )


def picture(graph: GraphPlan) -> list[str]:
    """The graph as a tree of arrows, the finalizer last."""

    def below(parent: str, depth: int) -> list[str]:
        lines = []
        for task in graph.tasks:
            if not task.finalizer and (parent in task.after or (parent == graph.name and not task.after)):
                condition = f"  (when {task.condition})" if task.condition else ""
                lines += [f"{'   ' * depth}└▶ {task.name}{condition}", *below(task.name, depth + 1)]
        return lines

    head = f"{graph.name}  ({graph.cron} {graph.time_zone})"
    return [head, *below(graph.name, 0), *(f"■  {task.name} (finalizer)" for task in graph.tasks if task.finalizer)]
