"""configs/schedule.yaml: when the graph runs, on what, and when its check refuses."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, model_validator

from intentscore.services.check import CheckLimits
from intentscore.settings import AccountObject, Name, Strict


def _time_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("not a time zone of the IANA data base, for example Europe/Berlin")
    return name


def _cron(text: str) -> str:
    from croniter import croniter

    if len(text.split()) != 5 or not croniter.is_valid(text):
        raise ValueError("not five fields of cron: minute hour day-of-month month day-of-week")
    return text


class DailyGraph(Strict):
    """The daily graph scores the day `lag_days` before the one it was planned for."""

    name: Name = "INTENTSCORE_DAILY"
    cron: Annotated[str, AfterValidator(_cron)] = "0 6 * * *"
    time_zone: Annotated[str, AfterValidator(_time_zone)] = "UTC"
    lag_days: int = Field(default=1, ge=0, le=31)


class ScheduleConfig(Strict):
    """`warehouse` is the connection's when left out; `serverless` tasks have none."""

    daily: DailyGraph = DailyGraph()
    warehouse: AccountObject | None = None
    serverless: bool = False
    timeout_minutes: int = Field(default=60, ge=1, le=7 * 24 * 60)
    retries: int = Field(default=1, ge=0, le=30)
    suspend_after_failures: int = Field(default=10, ge=0)
    notification_integration: AccountObject | None = None
    artifact_repository: str | None = None
    check: CheckLimits = CheckLimits()

    @model_validator(mode="after")
    def _one_of_both(self) -> ScheduleConfig:
        if self.serverless and self.warehouse:
            raise ValueError("a serverless graph has no warehouse; leave one of the two out")
        return self
