from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from intentscore.cli.completion import connection_names


@pytest.fixture
def snowflake_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "dot-snowflake"
    home.mkdir()
    monkeypatch.setenv("SNOWFLAKE_HOME", str(home))
    return home


def complete(words: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", "from intentscore.cli.app import main; main()"],
        env={
            **os.environ,
            "_INTENTSCORE_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_the_shell_completes_commands() -> None:
    assert complete("intentscore s") == ["score", "status", "schedule"]


def test_the_shell_completes_the_names_of_connections(snowflake_home: Path) -> None:
    (snowflake_home / "connections.toml").write_text('[lab]\npassword = "x"\n[live]\n', encoding="utf-8")
    assert complete("intentscore status --connection l") == ["local", "lab", "live"]


def test_names_come_from_both_files(snowflake_home: Path) -> None:
    (snowflake_home / "connections.toml").write_text("[b]\n", encoding="utf-8")
    (snowflake_home / "config.toml").write_text(
        'default_connection_name = "a"\n[connections.a]\n[log]\n', encoding="utf-8"
    )
    assert connection_names() == ["local", "env", "a", "b"]


def test_a_broken_file_completes_nothing_and_says_nothing(snowflake_home: Path) -> None:
    (snowflake_home / "connections.toml").write_text("[[[", encoding="utf-8")
    assert connection_names() == ["local", "env"]
