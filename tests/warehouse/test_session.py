from __future__ import annotations

import json
import logging
import socket
import traceback
from pathlib import Path

import pytest

from intentscore.errors import IntentscoreError
from intentscore.settings import Settings
from intentscore.warehouse.session import open_session

SECRET = "correct-horse-battery-staple"


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose connection_parameters.json leads nowhere and may be read by everyone."""
    monkeypatch.delenv("INTENTSCORE_CONNECTION", raising=False)
    monkeypatch.chdir(tmp_path)
    address = {"host": "127.0.0.1", "port": closed_port(), "protocol": "http", "login_timeout": 1}
    file = tmp_path / "connection_parameters.json"
    file.write_text(json.dumps({"account": "acme", "user": "ada", "password": SECRET, **address}))
    file.chmod(0o644)
    return file


def test_a_failed_connection_shows_no_secret_anywhere(
    unreachable: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(IntentscoreError) as caught, open_session(Settings(), command="status"):
        pass
    shown = "".join(traceback.format_exception(caught.value))
    printed = capfd.readouterr()
    assert str(unreachable) not in printed.out
    for text in (shown, str(caught.value), printed.out, printed.err, caplog.text):
        assert SECRET not in text


def test_an_exposed_secret_is_warned_about_before_connecting(unreachable: Path) -> None:
    heard: list[str] = []
    with (
        pytest.raises(IntentscoreError),
        open_session(Settings(), command="status", announce=heard.append),
    ):
        pass
    assert heard[0].startswith("warning: ")
    assert "chmod 600 connection_parameters.json" in heard[0]
