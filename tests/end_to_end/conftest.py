from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

DATASET = os.environ.get("INTENTSCORE_DATASET")
DAY = "2024-11-01"
QUICK = """
cv_folds: 2
num_boost_round: 40
early_stopping_rounds: 10
params:
  learning_rate: 0.1
"""


@dataclass
class Shell:
    """The command line as a user has it: every command is a process of its own."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "intentscore", *arguments],
            cwd=self.folder,
            env={**os.environ, **self.variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=240)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def json(self, *arguments: str) -> Any:
        """What a command answers to a program; its exit code is 0 and stdout holds nothing else."""
        done = self.run(*arguments, "--format", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@dataclass
class Job:
    """The main job, done once: what each command answered."""

    shell: Shell
    uploaded: Any
    features: Any
    trained: Any
    registered: Any
    scored: Any


@pytest.fixture(scope="session", params=["local", pytest.param("account", marks=pytest.mark.snowflake)])
def shell(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """The same tests on the local engine and, when asked for, on the account INTENTSCORE_CONNECTION names."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "quick.yaml").write_text(QUICK)
    variables = {"INTENTSCORE_HOME": str(folder / "home"), "COLUMNS": "160"}
    if request.param == "local":
        yield Shell(folder, {**variables, "INTENTSCORE_CONNECTION": "local"})
        return
    schema = f"INTENTSCORE_TEST_{secrets.token_hex(4).upper()}"
    shell = Shell(folder, {**variables, "INTENTSCORE_SCHEMA": schema})
    try:
        yield shell
    finally:
        drop_schema(os.environ["INTENTSCORE_CONNECTION"], schema)


def drop_schema(connection: str, schema: str) -> None:
    from intentscore.settings import Settings
    from intentscore.warehouse.session import open_session

    with open_session(Settings.model_validate({"schema": schema}), connection=connection, command="test") as opened:
        opened.session.sql(f"DROP SCHEMA IF EXISTS {schema}").collect()


@pytest.fixture(scope="session")
def job(shell: Shell) -> Job:
    source = () if DATASET else ("--simulate", "4000", "--seed", "7")
    uploaded = shell.json("upload", *source)
    features = shell.json("features")
    trained = shell.json("train", "--config", "quick.yaml")
    registered = shell.json("register")
    last_day = shell.json("status")["tables"][0]["last_day"]
    scored = shell.json("score", "--date", DAY if DATASET else last_day)
    return Job(shell, uploaded, features, trained, registered, scored)
