"""`intentscore local`: an engine that other processes find, use and stop."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import snowflake.connector

from intentscore.errors import ConfigurationError, UsageError
from intentscore.local import hosting
from intentscore.local.engine import open_engine

ROOT = Path(__file__).parents[2]


def command(home: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "INTENTSCORE_HOME": str(home), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "intentscore", "local", *arguments, "--format", "json"],
        cwd=home, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def served(home: Path) -> Iterator[dict[str, Any]]:
    """What `serve` prints, while it serves; ended with the module if no test has ended it."""
    serving = command(home, "serve")
    password = hosting.folder(home) / "password"
    deadline = time.monotonic() + 120
    while not password.exists() and time.monotonic() < deadline and serving.poll() is None:
        time.sleep(0.02)
    connection = hosting.status(home).connection
    assert connection is not None, serving.stderr and serving.stderr.read()
    yield {**vars(connection), "process": serving}
    if serving.poll() is None:
        serving.terminate()
    serving.communicate(timeout=120)


@pytest.fixture
def parameters(served: dict[str, Any]) -> dict[str, Any]:
    wanted = ("account", "host", "port", "protocol", "user", "database", "schema", "warehouse", "role")
    return {key: served[key] for key in wanted} | {"password": served["password_file"].read_text()}


def test_any_client_connects_with_what_is_printed(parameters: dict[str, Any]) -> None:
    with snowflake.connector.connect(**parameters) as connection:
        with pytest.warns(UserWarning, match="SQLAlchemy"):
            frame = pd.read_sql("SELECT 1 AS a, 'x' AS b", connection)  # type: ignore[call-overload]
        assert frame.to_dict("records") == [{"A": 1, "B": "x"}]


def test_the_password_is_for_the_owner_only(served: dict[str, Any]) -> None:
    assert stat.S_IMODE(served["password_file"].stat().st_mode) == 0o600


def test_other_processes_join(served: dict[str, Any], home: Path) -> None:
    with open_engine(home, lambda _: None) as endpoint:
        assert str(endpoint.port) == served["port"]


def test_status_says_that_it_serves(served: dict[str, Any], home: Path) -> None:
    status = hosting.status(home)
    assert status.running == "serve"
    assert [one.database for one in status.databases] == ["INTENTSCORE"]


def test_what_is_in_use_is_neither_served_again_nor_emptied(served: dict[str, Any], home: Path) -> None:
    with pytest.raises(ConfigurationError, match="runs already"):
        hosting.serve(home, 0, print, print)
    with pytest.raises(ConfigurationError, match="running"):
        hosting.reset(home, yes=True)


def test_the_schedule_runs_while_it_serves(served: dict[str, Any], parameters: dict[str, Any]) -> None:
    with snowflake.connector.connect(**parameters) as connection:
        cursor: Any = connection.cursor()
        cursor.execute("CREATE TABLE source AS SELECT 1 AS n")
        cursor.execute("CREATE TASK soon SCHEDULE = '10 SECONDS' AS INSERT INTO source VALUES (2)")
        cursor.execute("ALTER TASK soon RESUME")
        (task,) = cursor.execute("SELECT state FROM TABLE(information_schema.current_task_graphs())").fetchall()
        assert task == ("SCHEDULED",)
        cursor.execute("DROP TASK soon")


def test_stop_ends_it_in_good_order(served: dict[str, Any], home: Path) -> None:
    out, _ = command(home, "stop").communicate(timeout=120)
    assert json.loads(out)["stopped"] is True
    printed, notes = served["process"].communicate(timeout=120)
    assert served["process"].returncode == 0
    shown = json.loads(printed)
    assert (shown["host"], shown["protocol"], shown["user"]) == ("127.0.0.1", "http", "local")
    assert "password" not in {key: value for key, value in shown.items() if key != "password_file"}
    assert "intentscore local stop" in notes
    assert not served["password_file"].exists()
    assert hosting.status(home).running == "no"
    assert hosting.stop(home).stopped is False


def test_a_command_s_own_engine_is_not_stopped(tmp_path: Path) -> None:
    with open_engine(tmp_path, lambda _: None):
        assert hosting.status(tmp_path).running == "command"
        with pytest.raises(ConfigurationError, match="a command runs"):
            hosting.stop(tmp_path)


def test_reset_deletes_everything_when_told_so(tmp_path: Path) -> None:
    with (
        open_engine(tmp_path, lambda _: None) as endpoint,
        snowflake.connector.connect(**endpoint.connection_parameters()) as connection,
    ):
        connection.cursor().execute("CREATE TABLE t AS SELECT 1 AS n")
    with pytest.raises(UsageError, match="INTENTSCORE"):
        hosting.reset(tmp_path, yes=False)
    assert hosting.reset(tmp_path, yes=True).databases == ("INTENTSCORE",)
    assert hosting.status(tmp_path).databases == ()
    with (
        open_engine(tmp_path, lambda _: None) as endpoint,
        snowflake.connector.connect(**endpoint.connection_parameters()) as connection,
    ):
        cursor: Any = connection.cursor().execute("SHOW TABLES")
        assert cursor.fetchall() == []


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with open_engine(tmp_path / "other", lambda _: None) as endpoint:
        with pytest.raises(ConfigurationError, match=str(endpoint.port)):
            hosting.serve(tmp_path / "own", endpoint.port, print, print)
        assert hosting.status(tmp_path / "own").running == "no"
