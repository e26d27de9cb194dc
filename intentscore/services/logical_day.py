"""What a task knows of the graph run it is in: above all its day, resolved from the time the run was planned for."""

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
    # as a number: the text is in the session's time zone, whatever that is
    seconds = session.sql(
        f"SELECT DATE_PART(EPOCH_SECOND, SYSTEM$TASK_RUNTIME_INFO({literal(PLANNED)})::TIMESTAMP_LTZ)"
    ).collect()[0][0]
    planned = datetime.fromtimestamp(int(seconds), UTC)
    return day_of(planned, str(config["time_zone"]), int(config["lag_days"]))


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


def set_return_value(session: Session, value: str) -> None:
    """What the tasks behind this one, and the task history, get to know of it."""
    session.sql(f"CALL SYSTEM$SET_RETURN_VALUE({literal(value)})").collect()


def predecessor_value(session: Session) -> str:
    """The return value of the task before this one. Raises ConfigurationError when it gave none."""
    value = session.sql("SELECT SYSTEM$GET_PREDECESSOR_RETURN_VALUE()").collect()[0][0]
    if not value:
        raise ConfigurationError("the task before this one returned nothing; run the whole graph again")
    return str(value)
