from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from intentscore.cli.commands import app
from intentscore.cli.exits import EXIT_CODES
from intentscore.cli.reference import command_paths, reference

ROOT = Path(__file__).parents[2]
COMMANDS = [" ".join(words) for words in command_paths()]
HEAVY = {
    "snowflake",
    "snowflake.connector",
    "snowflake.snowpark",
    "lightgbm",
    "pandas",
    "numpy",
    "pyarrow",
    "duckdb",
    "sqlglot",
    "sklearn",
    "pydantic",
    "yaml",
    "starlette",
    "fakesnow",
    "rich.console",
    "altair",
    "jinja2",
    "vl_convert",
    "intentscore.settings",
    "intentscore.services",
    "intentscore.warehouse",
}


def python(*lines: str) -> str:
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def help_of(*command: str) -> str:
    result = CliRunner().invoke(app, [*" ".join(command).split(), "--help"])
    assert result.exit_code == 0
    return result.stdout


def test_help_imports_nothing_heavy() -> None:
    printed = python(
        "import sys",
        "at_start = set(sys.modules)  # a .pth file may declare the namespace package snowflake",
        "from intentscore.cli.app import main",
        "sys.argv = ['intentscore', '--help']",
        "try: main()",
        "except SystemExit as done: assert not done.code",
        f"print('imported:', sorted({HEAVY} & sys.modules.keys() - at_start))",
    )
    assert "Usage: intentscore" in printed
    assert printed.endswith("imported: []\n")


def test_the_entry_point_imports_nothing_until_it_runs() -> None:
    assert python("import sys, intentscore.cli.app", "print('typer' in sys.modules)") == "False\n"


def test_help_lists_every_exit_code() -> None:
    text = help_of()
    for code, meaning in EXIT_CODES.items():
        assert f"{code:>3}  {meaning}" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_worked_example(name: str) -> None:
    _, _, examples = help_of(name).partition("Examples:\n")
    assert f"  intentscore {name}" in examples


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_the_shared_options(name: str) -> None:
    text = help_of(name)
    for option in ("-c, --connection", "--env", "--format", "-q, --quiet", "-v, --verbose"):
        assert option in text


def test_the_examples_name_only_options_that_exist() -> None:
    for name in COMMANDS:
        text = help_of(name)
        options, _, examples = text.partition("Examples:\n")
        for word in examples.split():
            assert not word.startswith("--") or f"{word} " in options


def test_without_arguments_there_is_help() -> None:
    assert CliRunner().invoke(app, []).stdout == help_of()


def test_the_reference_is_what_the_help_texts_say() -> None:
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == reference(), "run: make cli-docs"
