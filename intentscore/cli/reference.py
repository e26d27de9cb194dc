"""docs/cli.md, made from the help texts: `python -m intentscore.cli.reference FILE`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from intentscore.cli.commands import app

HEADER = """\
# Command line

Made from the help texts by `make cli-docs`; do not edit.

Results go to stdout, everything else to stderr. Which account a command works on: `--connection`, else
`INTENTSCORE_CONNECTION`, else `connection:` in the settings, else `connection_parameters.json` in the
working directory, else the local engine in `.intentscore`. `intentscore --install-completion` teaches
your shell the commands, options and connection names.
"""


def group() -> TyperGroup:
    command = get_command(app)
    assert isinstance(command, TyperGroup)
    return command


def reference() -> str:
    top = group()
    context = typer.Context(top, info_name="intentscore", terminal_width=78)
    return "\n".join([HEADER, *_sections(top, context)])


def _sections(command: Any, context: typer.Context) -> list[str]:
    """The help of a command and of every command below it."""
    sections = [_section(context.command_path, context.get_help())]
    for name, below in getattr(command, "commands", {}).items():
        sections += _sections(below, typer.Context(below, info_name=name, parent=context, terminal_width=78))
    return sections


def command_paths(command: Any = None, above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command as the words that call it."""
    found = []
    for name, below in getattr(command or group(), "commands", {}).items():
        found += [(*above, name), *command_paths(below, (*above, name))]
    return found


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n```text\n{text.rstrip()}\n```\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
