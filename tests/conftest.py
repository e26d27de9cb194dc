from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

OUTSIDE = ("INTENTSCORE_", "SNOWFLAKE_")
KEPT = {"INTENTSCORE_DATASET"}
ELSEWHERE = {"browser": "make test-browser", "snowflake": "make test-snowflake"}
NO_ACCOUNT = "no Snowflake account: set INTENTSCORE_CONNECTION, or INTENTSCORE_CONNECTION=env and SNOWFLAKE_*"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("INTENTSCORE_CONNECTION"):
        return
    for item in items:
        if item.get_closest_marker("snowflake"):
            item.add_marker(pytest.mark.skip(reason=NO_ACCOUNT))


class TwoGroups(LoadScopeScheduling):  # type: ignore[misc]  # xdist is not typed
    """Two groups that take about as long run side by side, each in the order of its files: the services' tests share a
    pipeline.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "services" if nodeid.startswith("tests/services/") else "others"


# an optional hook: without -n there is no xdist to call it
@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> TwoGroups:
    return TwoGroups(config, log)


_left_out: Counter[str] = Counter()


def pytest_deselected(items: list[pytest.Item]) -> None:
    _left_out.update(kind for item in items for kind in ELSEWHERE if item.get_closest_marker(kind))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What -m leaves out is said, with the command that runs it."""
    for kind, count in _left_out.items():
        terminalreporter.write_line(f"{count} {kind} tests are not among these; run them with: {ELSEWHERE[kind]}")


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """No test reads the developer's settings or account, or leaves data behind."""
    if request.node.get_closest_marker("snowflake"):
        return
    for variable in os.environ:
        if variable.startswith(OUTSIDE) and variable not in KEPT:
            monkeypatch.delenv(variable)
    monkeypatch.setenv("INTENTSCORE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SNOWFLAKE_HOME", str(tmp_path / "snowflake"))
    monkeypatch.setenv("COLUMNS", "160")
