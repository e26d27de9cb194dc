"""The day a graph run is about, resolved inside the run from the time it was planned for."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from intentscore.errors import ConfigurationError
from intentscore.warehouse.identifiers import literal

if TYPE_CHECKING:
    from snowflake.snowpark import Session

PLANNED = "CURRENT_TASK_GRAPH_ORIGINAL_SCHEDULED_TIMESTAMP"
FORMATS = ("%Y-%m-%d %H:%M:%S.%f %z", "%Y-%m-%d %H:%M:%S %z", "%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S%z")


def day_of(planned: datetime, time_zone: str, lag_days: int) -> date:
    """The day `lag_days` before the planned time (with a zone), as the calendar of `time_zone` has it."""
    return planned.astimezone(ZoneInfo(time_zone)).date() - timedelta(days=lag_days)


def logical_day(session: Session) -> date:
    """The day the current graph run is about: the date in its configuration, else the planned time less the lag.

    The planned time is the graph's original one, so a retry gives the same day. Raises ConfigurationError
    outside of a task.
    """
    config = graph_config(session)
    if given := config.get("date"):
        return date.fromisoformat(str(given))
    planned = runtime_info(session, PLANNED)
    return day_of(read_planned(planned), str(config["time_zone"]), int(config["lag_days"]))


def graph_config(session: Session) -> dict[str, Any]:
    text = session.sql("SELECT SYSTEM$GET_TASK_GRAPH_CONFIG()").collect()[0][0]
    if not text:
        raise ConfigurationError("the task graph has no configuration; deploy it with `intentscore schedule`")
    read: dict[str, Any] = json.loads(text)
    return read


def runtime_info(session: Session, what: str) -> str:
    found = session.sql(f"SELECT SYSTEM$TASK_RUNTIME_INFO({literal(what)})").collect()[0][0]
    if found is None:
        raise ConfigurationError(f"{what} is known inside a task only")
    return str(found)


def read_planned(text: str) -> datetime:
    """A planned time as the account gives it: a timestamp with an offset, or epoch milliseconds."""
    if text.strip().isdigit():
        return datetime.fromtimestamp(int(text) / 1000, UTC)
    for form in FORMATS:
        try:
            return datetime.strptime(text.strip(), form)
        except ValueError:
            continue
    raise ConfigurationError(f"the planned time '{text}' of the graph run cannot be read")
