from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import snowflake.connector
from snowflake.connector.errors import OperationalError

from intentscore.local.engine import open_engine, retry_while_running

ROOT = Path(__file__).parents[2]
HOST = """
import signal, sys, time
from pathlib import Path
from intentscore.local.engine import open_engine
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job's shell has it ignored
with open_engine(Path(sys.argv[1]), lambda message: print("TOLD", message, flush=True)) as engine:
    print("PORT", engine.port, flush=True)
    exec(sys.argv[2])
"""
WORK = """
import snowflake.connector
snowflake.connector.connect(**engine.connection_parameters()).cursor().execute("SELECT SYSTEM$WAIT(300)")
"""
UNTIL_TOLD = """
while not Path(sys.argv[1], "told").exists():
    time.sleep(0.02)
"""
Start = Callable[[Path, str], "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Another process that runs the engine of a home or joins it."""
    started: list[subprocess.Popen[str]] = []

    def start(home: Path, then: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", HOST, str(home), then]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_second_process_joins_and_the_first_waits_for_it(tmp_path: Path, start: Start) -> None:
    told: list[str] = []

    def tell(message: str) -> None:
        told.append(message)
        (tmp_path / "told").touch()

    with open_engine(tmp_path, tell) as engine:
        guest = start(tmp_path, UNTIL_TOLD)
        assert line(guest) == f"PORT {engine.port}"
        assert told == []
    assert told == ["done; another process still uses this local engine, waiting for it to finish"]
    assert guest.wait(120) == 0
    with open_engine(tmp_path, told.append):
        assert len(told) == 1


def test_a_killed_host_leaves_its_guests_an_error_and_the_next_command_an_engine(tmp_path: Path, start: Start) -> None:
    host = start(tmp_path, "time.sleep(300)")
    line(host)
    with open_engine(tmp_path, print) as engine:
        guest = snowflake.connector.connect(
            **engine.connection_parameters(), backoff_policy=retry_while_running(tmp_path)
        )
        guest.cursor().execute("CREATE TABLE KEPT AS SELECT 1 AS N")
        guest.cursor().execute("BEGIN")
        guest.cursor().execute("INSERT INTO KEPT VALUES (2)")
        host.kill()
        host.wait()
        started = time.monotonic()
        with pytest.raises(OperationalError, match="has stopped; what was committed is kept"):
            guest.cursor().execute("COMMIT")
        guest.close()
        assert time.monotonic() - started < 120
    with open_engine(tmp_path, print) as engine:
        after = snowflake.connector.connect(**engine.connection_parameters())
        rows = after.cursor().execute("SELECT N FROM KEPT")
        assert rows is not None
        assert rows.fetchall() == [(1,)]
        after.close()


def test_a_guest_that_dies_is_not_waited_for(tmp_path: Path, start: Start) -> None:
    told: list[str] = []
    with open_engine(tmp_path, told.append) as engine:
        guest = start(tmp_path, WORK)
        assert line(guest) == f"PORT {engine.port}"
        guest.kill()
        guest.wait()
    assert told == []


def test_an_interrupt_stops_an_engine_at_work(tmp_path: Path, start: Start) -> None:
    host = start(tmp_path, WORK)
    line(host)
    time.sleep(0.7)  # the query runs
    host.send_signal(signal.SIGINT)
    assert host.wait(120) != 0
    assert not (tmp_path / "engine/endpoint.json").exists()


def test_an_interrupt_ends_the_waiting_for_guests(tmp_path: Path, start: Start) -> None:
    host = start(tmp_path, UNTIL_TOLD)
    port = line(host)
    with open_engine(tmp_path, print) as engine:
        (tmp_path / "told").touch()
        assert port == f"PORT {engine.port}"
        assert "waiting for it to finish" in line(host)
        host.send_signal(signal.SIGINT)
        host.wait(120)


def test_many_threads_start_one_engine(tmp_path: Path) -> None:
    ports: list[int] = []
    all_in = threading.Barrier(4, timeout=120)

    def use() -> None:
        with open_engine(tmp_path, lambda _: None) as engine:
            ports.append(engine.port)
            all_in.wait()

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(ports) == 4
    assert len(set(ports)) == 1
