from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import intentscore
from intentscore import errors
from intentscore.cli.exits import EXIT_CODES

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")


def locked_versions() -> dict[str, set[str]]:
    versions: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9.-]+)==(\S+)", LOCK, re.MULTILINE):
        versions.setdefault(name, set()).add(version)
    return versions


def test_the_package_and_the_project_have_one_version() -> None:
    assert PROJECT["project"]["version"] == intentscore.__version__


def test_the_lock_names_no_address() -> None:
    assert "://" not in LOCK
    assert not re.search(r"^\s*--(?!hash)", LOCK, re.MULTILINE)


def test_every_locked_package_has_a_hash() -> None:
    blocks = re.split(r"^(?=[a-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    assert [block for block in blocks if "--hash=sha256:" not in block] == []


def test_the_lock_holds_every_dependency_of_the_project() -> None:
    wanted = PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]
    names = {re.split(r"[\[<>=]", line)[0].lower().replace("_", "-") for line in wanted}
    assert names <= locked_versions().keys()


@pytest.mark.parametrize("name", ["fakesnow", "duckdb", "sqlglot"])
def test_packages_whose_private_names_are_used_are_pinned_alike(name: str) -> None:
    (version,) = locked_versions()[name]
    assert f"{name}=={version}" in PROJECT["project"]["dependencies"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.IntentscoreError, 1),
        (errors.UsageError, 2),
        (errors.ConfigurationError, 3),
        (errors.WarehouseError, 4),
        (errors.DataError, 5),
        (errors.NothingToDoError, 6),
        (errors.GateRefusedError, 7),
    ],
)
def test_each_error_has_its_exit_code_and_the_table_explains_it(
    error: type[errors.IntentscoreError], code: int
) -> None:
    assert error.exit_code == code
    assert code in EXIT_CODES


def test_bootstrap_refuses_a_machine_without_a_usable_python(tmp_path: Path) -> None:
    shim = tmp_path / "python3.12"
    shim.write_text("#!/bin/sh\necho 'python3.12: command not found' >&2\nexit 127\n", encoding="utf-8")
    shim.chmod(0o755)
    copy = tmp_path / ".ci" / "bootstrap"
    copy.parent.mkdir()
    copy.write_bytes((ROOT / ".ci" / "bootstrap").read_bytes())
    done = subprocess.run(
        ["bash", copy], env={**os.environ, "PYTHON": str(shim)}, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert done.stderr.startswith("error: no Python 3.11 or 3.12")


def test_the_module_runs_as_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "intentscore", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"intentscore {intentscore.__version__}\n"
