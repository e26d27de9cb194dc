"""What the scheduler starts, by a clock the tests set."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from intentscore.local.engine import DATABASE, Engine
from intentscore.local.scheduler import Scheduler
from intentscore.local.session import Session
from intentscore.services.logical_day import day_of


class SetClock:
    def __init__(self) -> None:
        self.time = datetime.now(UTC)

    def now(self) -> datetime:
        return self.time

    def forward(self, **amount: float) -> None:
        self.time += timedelta(**amount)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path)
    yield engine
    engine.close()


@pytest.fixture
def session(engine: Engine) -> Session:
    session = engine.open_session({})
    session.use(DATABASE, "PUBLIC")
    return session


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def scheduler(engine: Engine, clock: SetClock) -> Iterator[Scheduler]:
    scheduler = Scheduler(engine, clock)
    yield scheduler
    scheduler.close()


def rows(session: Session, text: str) -> list[tuple[Any, ...]]:
    table = session.execute(text).table
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


@pytest.fixture
def runs(session: Session) -> Callable[[int], list[tuple[Any, ...]]]:
    """Waits for so many ended runs; their states and scheduled times, oldest first."""

    def runs(count: int) -> list[tuple[Any, ...]]:
        query = "SELECT state, scheduled_time FROM TABLE(information_schema.complete_task_graphs()) ORDER BY 2"
        deadline = time.monotonic() + 120
        while len(found := rows(session, query)) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        return found

    return runs


def test_a_resumed_graph_runs_at_its_time(session: Session, scheduler: Scheduler, clock: SetClock, runs: Any) -> None:
    session.execute("CREATE TASK root SCHEDULE = '10 MINUTES' AS SELECT 1")
    clock.forward(minutes=11)
    scheduler.look()
    assert runs(0) == []
    session.execute("ALTER TASK root RESUME")
    clock.time = datetime.now(UTC)
    scheduler.look()
    assert runs(0) == []
    clock.forward(minutes=10, seconds=1)
    scheduler.look()
    scheduler.look()
    ((state, scheduled),) = runs(1)
    assert state == "SUCCEEDED"
    assert timedelta(seconds=0) <= clock.time - scheduled <= timedelta(seconds=2)


def test_what_was_missed_is_run_once(session: Session, scheduler: Scheduler, clock: SetClock, runs: Any) -> None:
    session.execute("CREATE TASK root SCHEDULE = 'USING CRON 0 3 * * * Europe/Berlin' AS SELECT 1")
    session.execute("ALTER TASK root RESUME")
    scheduler.look()
    clock.forward(days=3)
    scheduler.look()
    runs(1)
    scheduler.look()
    ((state, scheduled),) = runs(1)
    assert state == "SUCCEEDED"
    assert scheduled.minute == 0
    clock.forward(days=1)
    scheduler.look()
    assert len(runs(2)) == 2


@pytest.mark.parametrize(
    ("zone", "clocks_change"),
    [
        ("Europe/Berlin", (date(2028, 3, 26), date(2028, 10, 29))),
        ("America/New_York", (date(2028, 3, 12), date(2028, 11, 5))),
        ("Australia/Lord_Howe", (date(2028, 4, 2), date(2028, 10, 1))),
    ],
)
def test_a_run_knows_the_time_it_was_planned_for_whatever_the_calendar_does(
    session: Session, scheduler: Scheduler, clock: SetClock, zone: str, clocks_change: tuple[date, date]
) -> None:
    """What the scored day is reckoned from: at month ends, on the leap day, at the year's end, when clocks change."""
    planned = "SYSTEM$TASK_RUNTIME_INFO('CURRENT_TASK_GRAPH_ORIGINAL_SCHEDULED_TIMESTAMP')"
    session.execute("CREATE TABLE fired (planned VARCHAR)")
    session.execute(
        f"CREATE TASK root SCHEDULE = 'USING CRON 30 0 * * * {zone}' OVERLAP_POLICY = ALLOW_ALL_OVERLAP "
        f"AS INSERT INTO fired SELECT {planned}"
    )
    session.execute("ALTER TASK root RESUME")

    def fire(noon: datetime) -> str:
        clock.time = noon
        scheduler.look()
        deadline = time.monotonic() + 120
        while not (found := rows(session, "SELECT planned FROM fired")) and time.monotonic() < deadline:
            time.sleep(0.005)
        session.execute("TRUNCATE TABLE fired")
        return str(found[0][0])

    for middle in (date(2028, 2, 29), clocks_change[0], date(2028, 4, 30), clocks_change[1], date(2028, 12, 31)):
        noons = [datetime.combine(middle + timedelta(days=n), dt.time(12), ZoneInfo(zone)) for n in range(-2, 3)]
        fire(noons[0].astimezone(UTC))  # catches up with what came due since the last window
        found = [datetime.fromisoformat(fire(noon.astimezone(UTC))).replace(tzinfo=UTC) for noon in noons[1:]]
        assert [day_of(moment, zone, lag_days=1) for moment in found] == [
            middle + timedelta(days=n) for n in range(-2, 2)
        ]


def test_a_run_that_comes_due_during_another_is_left_out(
    session: Session, scheduler: Scheduler, clock: SetClock, runs: Any
) -> None:
    session.execute("CREATE TABLE may_end (n INT)")
    session.execute(
        "CREATE TASK root SCHEDULE = '1 MINUTE' AS BEGIN LET n INT := 0; "
        "WHILE (n < 1) DO SELECT SYSTEM$WAIT(0.02); SELECT COUNT(*) INTO :n FROM may_end; END WHILE; END"
    )
    session.execute("ALTER TASK root RESUME")
    clock.time = datetime.now(UTC)
    for _ in range(3):
        scheduler.look()
        clock.forward(seconds=61)
    session.execute("INSERT INTO may_end VALUES (1)")
    runs(1)
    time.sleep(0.2)
    assert len(runs(1)) == 1


def test_a_suspended_graph_does_not_run(session: Session, scheduler: Scheduler, clock: SetClock, runs: Any) -> None:
    session.execute("CREATE TASK root SCHEDULE = '1 MINUTE' AS SELECT 1")
    session.execute("ALTER TASK root RESUME")
    scheduler.look()
    session.execute("ALTER TASK root SUSPEND")
    clock.forward(hours=1)
    scheduler.look()
    time.sleep(0.1)
    assert runs(0) == []


def test_dynamic_tables_follow_within_their_lag(session: Session, scheduler: Scheduler, clock: SetClock) -> None:
    session.execute("CREATE TABLE source AS SELECT 1 AS n")
    upstream = (
        "CREATE DYNAMIC TABLE doubled TARGET_LAG = DOWNSTREAM WAREHOUSE = LOCAL_WH AS SELECT n * 2 AS n FROM source"
    )
    session.execute(upstream)
    total = (
        "CREATE DYNAMIC TABLE total TARGET_LAG = '5 minutes' WAREHOUSE = LOCAL_WH AS SELECT sum(n) AS n FROM doubled"
    )
    session.execute(total)
    session.execute("INSERT INTO source VALUES (2)")
    clock.forward(minutes=4)
    scheduler.look()
    assert rows(session, "SELECT n FROM total") == [(2,)]
    clock.forward(minutes=2)
    scheduler.look()
    assert rows(session, "SELECT n FROM total") == [(6,)]
    session.execute("ALTER DYNAMIC TABLE total SUSPEND")
    session.execute("INSERT INTO source VALUES (3)")
    clock.forward(hours=1)
    scheduler.look()
    assert rows(session, "SELECT n FROM total") == [(6,)]


def test_a_dynamic_table_that_fails_does_not_hold_up_the_others(
    session: Session, scheduler: Scheduler, clock: SetClock
) -> None:
    settings = "TARGET_LAG = '1 minute' WAREHOUSE = LOCAL_WH"
    for name in ("a", "b"):
        session.execute(f"CREATE TABLE source_{name} AS SELECT 1 AS n")
        session.execute(f"CREATE DYNAMIC TABLE copy_{name} {settings} AS SELECT n FROM source_{name}")
    session.execute("DROP TABLE source_a")
    session.execute("INSERT INTO source_b VALUES (2)")
    clock.forward(minutes=2)
    scheduler.look()
    assert sorted(rows(session, "SELECT n FROM copy_b")) == [(1,), (2,)]
