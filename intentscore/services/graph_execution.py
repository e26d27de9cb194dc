"""Run a deployed graph now: for its usual day, for one day, or day by day for a back-fill."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from intentscore.errors import WarehouseError
from intentscore.services.graph_runs import cause, days_done, information_schema
from intentscore.services.schedule import require_root
from intentscore.services.schedule_config import GraphKind, ScheduleConfig
from intentscore.settings import Settings
from intentscore.warehouse.errors import snowflake_errors
from intentscore.warehouse.identifiers import literal, qualified

if TYPE_CHECKING:
    from snowflake.snowpark import Session

    Say = Callable[[str], None]

POLL_S = 0.5
RUN_TIMEOUT_S = 3 * 3600.0
RETRY_WITHIN_S = 60.0
LOST_AFTER_S = 30.0
REQUESTS = 3
UNDER_WAY = ("SCHEDULED", "EXECUTING")


@dataclass(frozen=True)
class RunDay:
    """`day` is None for the graph's usual day, which the run resolves itself."""

    day: date | None
    state: str


@dataclass(frozen=True)
class RunResult:
    """`skipped` days of the back-fill were done already."""

    graph: str
    days: tuple[RunDay, ...]
    skipped: int


def run_days(
    session: Session,
    settings: Settings,
    config: ScheduleConfig,
    first: date | None = None,
    last: date | None = None,
    *,
    kind: GraphKind = "daily",
    say: Say = lambda _: None,
) -> RunResult:
    """Run the deployed graph now: for its usual day when `first` is None, else for each day up to `last`, in order.

    Days that the same back-fill has done already are passed over, so that an interrupted one goes on where it
    stopped. Raises WarehouseError at the first day that fails.
    """
    times = config.graph(kind)
    with snowflake_errors("run the task graph"):
        root = require_root(session, times.name)
        deployed, attempts = dict(root.config or {}), 1 + (root.task_auto_retry_attempts or 0)
        if first is None:
            say(f"run: {times.name}")
            return RunResult(times.name, (_run_once(session, times.name, deployed, attempts, say),), 0)
        _await_idle(session, times.name, say)  # a run of this back-fill, if its command was interrupted
        wanted = [first + timedelta(days=i) for i in range(((last or first) - first).days + 1)]
        backfill = _backfill_id(session, settings, times.name, wanted)
        done = days_done(session, settings, backfill) if len(wanted) > 1 else set()
        ran = []
        for day in (day for day in wanted if day not in done):
            say(f"run: {times.name} for {day}")
            asked = {**deployed, "date": str(day), "backfill": backfill}
            ran.append(_run_once(session, times.name, asked, attempts, say, day))
        return RunResult(times.name, tuple(ran), len(wanted) - len(ran))


def _backfill_id(session: Session, settings: Settings, graph: str, days: list[date]) -> str:
    """The same for the same days and champion: scoring with another model is another back-fill."""
    from intentscore.services.versions import CHAMPION, alias_holder, registered_versions

    champion = alias_holder(registered_versions(session, settings), CHAMPION)
    return hashlib.sha256(f"{graph} {days[0]} {days[-1]} {champion}".encode()).hexdigest()[:12]


def _run_once(
    session: Session, graph: str, config: dict[str, Any], attempts: int, say: Say, day: date | None = None
) -> RunDay:
    """One run of its own: not before the one under way has ended, and known by a word in its configuration.

    A request that comes at the same instant as another may be served by the other's run: then it is made again.
    """
    for _ in range(REQUESTS):
        _await_idle(session, graph, say)
        asked = secrets.token_hex(6)
        text = literal(json.dumps({**config, "asked": asked}))
        session.sql(f"EXECUTE TASK {qualified(session, graph)} USING CONFIG = {text}").collect()
        run = _await_end(session, graph, asked, attempts)
        if run is not None:
            break
    else:
        raise WarehouseError(f"other runs of {graph} were started each time this one was asked for; try again later")
    if run["STATE"] != "SUCCEEDED":
        where = f"task {run['FIRST_ERROR_TASK_NAME']}: {cause(run['FIRST_ERROR_MESSAGE'])}"
        raise WarehouseError(f"{graph}{f' for {day}' if day else ''} {run['STATE'].lower()}: {where}")
    return RunDay(day, run["STATE"])


def _runs(session: Session, function: str, graph: str) -> list[Any]:
    source = f"{information_schema(session)}.{function}(ROOT_TASK_NAME => {literal(graph)})"
    return session.sql(f"SELECT * FROM TABLE({source}) WHERE SCHEMA_NAME = CURRENT_SCHEMA()").collect()


def _is_asked(run: Any, asked: str) -> bool:
    return asked in (run["CONFIG"] or "")


def _await_idle(session: Session, graph: str, say: Say) -> None:
    """Requests that wait for the same run are served by one: so wait here until none is under way."""
    deadline, told = time.monotonic() + RUN_TIMEOUT_S, False
    while time.monotonic() < deadline:
        current = _runs(session, "CURRENT_TASK_GRAPHS", graph)
        if not any(run["STATE"] == "EXECUTING" or run["SCHEDULED_FROM"] == "EXECUTE TASK" for run in current):
            return
        if not told:
            say(f"another run of {graph} is under way; waiting for its end")
            told = True
        time.sleep(POLL_S)
    raise WarehouseError(f"another run of {graph} has not ended after {RUN_TIMEOUT_S:g} s; try again later")


def _await_end(session: Session, graph: str, asked: str, attempts: int) -> Any | None:
    """The last attempt of the run that was asked for, once no other follows; None when there is no such run."""
    begun, failed_at = time.monotonic(), None
    deadline = begun + RUN_TIMEOUT_S
    while time.monotonic() < deadline:
        current = [run for run in _runs(session, "CURRENT_TASK_GRAPHS", graph) if _is_asked(run, asked)]
        ended = [run for run in _runs(session, "COMPLETE_TASK_GRAPHS", graph) if _is_asked(run, asked)]
        if ended and not current:
            last = max(ended, key=lambda run: run["ATTEMPT_NUMBER"])
            failed_at = failed_at or time.monotonic()
            no_other = last["ATTEMPT_NUMBER"] >= attempts or time.monotonic() > failed_at + RETRY_WITHIN_S
            if last["STATE"] == "SUCCEEDED" or no_other:
                return last
        else:
            failed_at = None
        if not current and not ended and time.monotonic() > begun + LOST_AFTER_S:
            return None
        time.sleep(POLL_S)
    raise WarehouseError(f"{graph} has not ended after {RUN_TIMEOUT_S:g} s; see `intentscore schedule history`")
