"""The schedule as it lives: in processes of its own, by the clock on the wall, and killed in the middle.

The graph that fires every minute does so beside the back-fill, in a home of its own, so that nobody waits for it idly.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import snowflake.connector

from intentscore.local.engine import Endpoint, read_endpoint
from tests.end_to_end.conftest import QUICK, Shell
from tests.services.sheets import session_file

pytestmark = pytest.mark.timeout(1800)
ZONE = "Pacific/Kiritimati"  # fourteen hours ahead: its day is often not that of UTC
GRAPH = "INTENTSCORE_DAILY"
FIRST, LAST = date(2024, 11, 2), date(2024, 11, 11)
STEPS = ("REFRESH_FEATURES", "SCORE_DAY", "CHECK_SCORES", "RECORD_RUN")
SCHEDULE = f"""
daily:
  cron: "CRON"
  time_zone: {ZONE}
monthly: null
mid_month: null
retries: 0
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A trained champion, and a few sessions on each of the ten days and of the days about now."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "quick.yaml").write_text(QUICK)
    (folder / "schedule.yaml").write_text(SCHEDULE.replace("CRON", "0 6 * * *"))
    (folder / "minutely.yaml").write_text(SCHEDULE.replace("CRON", "* * * * *"))
    shell = Shell(folder, {"INTENTSCORE_HOME": str(folder / "home"), "INTENTSCORE_CONNECTION": "local"})
    today = datetime.now(ZoneInfo(ZONE)).date()
    days = [FIRST + timedelta(days=n) for n in range(10)] + [today + timedelta(days=n) for n in (-1, 0, 1)]
    rows = [{"UID": f"{day}-{n}", "SESSION_DATE": str(day), "PAGE_VALUES": str(n)} for day in days for n in range(3)]
    session_file(folder / "sessions.csv", *rows)
    shell.json("upload", "--simulate", "1500", "--seed", "7", "--no-spread-days")
    shell.json("upload", "sessions.csv")
    shell.json("features")
    shell.json("train", "--config", "quick.yaml")
    shell.json("register")
    return shell


@dataclass
class Served:
    shell: Shell
    process: subprocess.Popen[str]
    since: datetime


@pytest.fixture(scope="module")
def minutely(shop: Shell) -> Iterator[Served]:
    """`intentscore local serve` with the graph deployed at a cron of every minute, on a copy of the home."""
    home = shop.folder / "minutely"
    shutil.copytree(shop.folder / "home", home)
    shell = Shell(shop.folder, {**shop.variables, "INTENTSCORE_HOME": str(home)})
    shell.json("schedule", "--config", "minutely.yaml")
    process = shell.start("local", "serve")
    yield Served(shell, process, datetime.now(ZoneInfo(ZONE)))
    process.terminate()
    process.communicate(timeout=240)


@pytest.fixture(scope="module")
def scored_at_once(shop: Shell, minutely: Served) -> list[Any]:
    """The scores of the ten days by `intentscore score`, on another copy of the home."""
    home = shop.folder / "at_once"
    shutil.copytree(shop.folder / "home", home)
    shell = Shell(shop.folder, {**shop.variables, "INTENTSCORE_HOME": str(home)})
    shell.json("score", "--date", str(FIRST), "--to", str(LAST))
    return scores(shell)


SCORES = "SELECT SESSION_DATE, UID, SCORE, MODEL_VERSION FROM INTENTSCORE.SCORES ORDER BY 1, 2"


def scores(shell: Shell) -> list[Any]:
    """Asked with the connector of a process of its own, which starts the engine of the home."""
    program = (
        "import json, sys\n"
        "from intentscore.settings import Settings\n"
        "from intentscore.warehouse.session import open_session\n"
        "with open_session(Settings(), connection='local', command='test', announce=lambda _: None) as opened:\n"
        f"    rows = opened.session.sql({SCORES!r}).collect()\n"
        "    print(json.dumps([[str(value) for value in row] for row in rows]))\n"
    )
    asked = subprocess.run(
        [sys.executable, "-c", program],
        cwd=shell.folder, env={**os.environ, **shell.variables}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return list(json.loads(asked.stdout))


def back_fill(shell: Shell) -> subprocess.Popen[str]:
    return shell.start(
        *("schedule", "run", "--config", "schedule.yaml", "--from", str(FIRST), "--to", str(LAST)),
        *("--format", "json"),
    )


@contextlib.contextmanager
def watching(endpoint: Endpoint) -> Iterator[Callable[[str], list[Any]]]:
    parameters = endpoint.connection_parameters() | {"schema": "INTENTSCORE"}
    with snowflake.connector.connect(**parameters) as connection:
        cursor = connection.cursor()

        def ask(query: str) -> list[Any]:
            cursor.execute(query)
            return list(cursor.fetchall())

        yield ask


def in_the_middle_of(process: subprocess.Popen[str], home: Path, step: str, done: int) -> None:
    """Returns when the back-fill's engine, in its own process, has begun this step after so many days were done."""
    endpoint = None
    while endpoint is None and process.poll() is None:
        endpoint = read_endpoint(home / "engine")
        time.sleep(0.05)
    assert endpoint is not None, process.communicate()
    executing = (
        "SELECT 1 FROM TABLE(INFORMATION_SCHEMA.TASK_HISTORY(RESULT_LIMIT => 10)) "
        f"WHERE NAME = '{GRAPH}${step}' AND STATE = 'EXECUTING'"
    )
    days = "SELECT 1 FROM RUNS WHERE COMMAND = 'graph' AND OUTCOME = 'done'"
    with watching(endpoint) as ask:
        while len(ask(days)) < done or not ask(executing):
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)


def test_a_back_fill_killed_in_the_middle_of_every_step_ends_as_one_that_was_not(
    shop: Shell, scored_at_once: list[Any]
) -> None:
    shop.json("schedule", "--config", "schedule.yaml")
    home = Path(shop.variables["INTENTSCORE_HOME"])
    for number, step in enumerate(STEPS):
        process = back_fill(shop)
        in_the_middle_of(process, home, step, done=2 * number)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=240)
        (home / "engine" / "endpoint.json").unlink()  # of the dead engine
    process = back_fill(shop)
    out, err = process.communicate(timeout=1500)
    assert process.returncode == 0, err
    done = json.loads(out)
    assert len(done["days"]) + done["skipped"] == 10
    assert done["skipped"] >= 6
    assert scores(shop) == scored_at_once
    assert len(scored_at_once) == 30


def test_a_graph_of_every_minute_fires_on_time_and_scores_the_right_day(minutely: Served) -> None:
    ended = (
        f"SELECT SCHEDULED_TIME, QUERY_START_TIME, STATE FROM TABLE(INFORMATION_SCHEMA.TASK_HISTORY()) "
        f"WHERE NAME = '{GRAPH}$RECORD_RUN' AND COMPLETED_TIME IS NOT NULL"
    )
    endpoint = read_endpoint(Path(minutely.shell.variables["INTENTSCORE_HOME"]) / "engine")
    assert endpoint is not None, minutely.process.communicate()
    deadline = time.monotonic() + 600
    with watching(endpoint) as ask:
        while len(ask(ended)) < 2 and time.monotonic() < deadline:
            time.sleep(0.5)
        fired = ask(
            "SELECT SCHEDULED_TIME, QUERY_START_TIME, GRAPH_RUN_GROUP_ID, SCHEDULED_FROM "
            f"FROM TABLE(INFORMATION_SCHEMA.TASK_HISTORY()) WHERE NAME = '{GRAPH}' AND COMPLETED_TIME IS NOT NULL "
            "ORDER BY SCHEDULED_TIME LIMIT 2"
        )
        recorded = dict(ask("SELECT PARSE_JSON(ARGUMENTS):run::VARCHAR, ARGUMENTS FROM RUNS WHERE COMMAND = 'graph'"))
        days = {str(day) for (day,) in ask("SELECT DISTINCT SESSION_DATE FROM SCORES")}
    assert len(fired) == 2
    for planned, started, run, origin in fired:
        assert (planned.second, origin) == (0, "SCHEDULE")
        assert timedelta() <= started - planned < timedelta(seconds=30)
        arguments = json.loads(recorded[run])
        assert arguments["date"] == str(planned.astimezone(ZoneInfo(ZONE)).date() - timedelta(days=1))
        assert arguments["date"] in days
    assert fired[1][0] - fired[0][0] >= timedelta(minutes=1)
