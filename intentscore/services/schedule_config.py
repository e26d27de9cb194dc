"""configs/schedule.yaml: when the graphs run, on what, and when the daily check refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, model_validator

from intentscore.errors import UsageError
from intentscore.services.check import CheckLimits
from intentscore.services.explain import Explaining
from intentscore.settings import AccountObject, Name, Strict

PYPI = "snowflake.snowpark.pypi_shared_repository"


def _time_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("not a time zone of the IANA data base, for example Europe/Berlin")
    return name


def _cron(text: str) -> str:
    from croniter import croniter

    if len(text.split()) != 5 or not croniter.is_valid(text):
        raise ValueError("not five fields of cron: minute hour day-of-month month day-of-week")
    return text


class GraphSchedule(Strict):
    """When a graph runs. It is about the day `lag_days` before the one it was planned for, in its time zone."""

    name: Name
    cron: Annotated[str, AfterValidator(_cron)]
    time_zone: Annotated[str, AfterValidator(_time_zone)] = "UTC"
    lag_days: int = Field(default=1, ge=0, le=31)


class DailyGraph(GraphSchedule):
    """Scores its day."""

    name: Name = "INTENTSCORE_DAILY"
    cron: Annotated[str, AfterValidator(_cron)] = "0 6 * * *"


class MonthlyGraph(GraphSchedule):
    """Trains a challenger on the sessions up to its day; `train_config` is read when the graph is deployed."""

    name: Name = "INTENTSCORE_MONTHLY"
    cron: Annotated[str, AfterValidator(_cron)] = "0 7 1 * *"
    train_config: Path = Path("configs/train.yaml")


class MidMonthGraph(GraphSchedule):
    """Compares challenger and champion on the sessions up to its day, and promotes when the gates agree."""

    name: Name = "INTENTSCORE_MID_MONTH"
    cron: Annotated[str, AfterValidator(_cron)] = "0 7 15 * *"


GraphKind = Literal["daily", "monthly", "mid-month"]


class ScheduleConfig(Strict):
    """`warehouse` is the connection's when left out; `serverless` tasks have none; a graph that is null is left out.

    The daily graph explains its scores when `explain` says which; null leaves them without explanations.

    `artifact_repository` is where Snowflake takes the procedures' packages from; null leaves it to the account.
    """

    daily: DailyGraph = DailyGraph()
    monthly: MonthlyGraph | None = MonthlyGraph()
    mid_month: MidMonthGraph | None = MidMonthGraph()
    warehouse: AccountObject | None = None
    serverless: bool = False
    timeout_minutes: int = Field(default=60, ge=1, le=7 * 24 * 60)
    retries: int = Field(default=1, ge=0, le=30)
    suspend_after_failures: int = Field(default=10, ge=0)
    notification_integration: AccountObject | None = None
    artifact_repository: str | None = PYPI
    check: CheckLimits = CheckLimits()
    explain: Explaining | None = None

    @property
    def graphs(self) -> dict[GraphKind, GraphSchedule]:
        """Those that are to be deployed."""
        found: dict[GraphKind, GraphSchedule | None] = {
            "daily": self.daily,
            "monthly": self.monthly,
            "mid-month": self.mid_month,
        }
        return {kind: graph for kind, graph in found.items() if graph is not None}

    def graph(self, kind: GraphKind) -> GraphSchedule:
        if kind not in self.graphs:
            raise UsageError(f"the {kind} graph is left out of the schedule; give it a cron in configs/schedule.yaml")
        return self.graphs[kind]

    @model_validator(mode="after")
    def _one_of_both(self) -> ScheduleConfig:
        if self.serverless and self.warehouse:
            raise ValueError("a serverless graph has no warehouse; leave one of the two out")
        return self

    @model_validator(mode="after")
    def _own_names(self) -> ScheduleConfig:
        names = [graph.name for graph in self.graphs.values()]
        if len(set(names)) < len(names):
            raise ValueError(f"each graph needs a name of its own, not {', '.join(names)}")
        return self
