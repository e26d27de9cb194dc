"""The top of the command tree: every way out of a command passes here and leaves with its exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from intentscore.cli.exits import INTERRUPTED
from intentscore.errors import IntentscoreError, UsageError


class OneLineErrors(TyperGroup):
    """Prints a usage error as one line instead of Typer's four; without any argument, the help."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args or ([] if self.invoke_without_command else ["--help"]))

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        try:
            code = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
        except TyperException as error:
            code = report(_usage_error(error))
        except typer.Abort:
            code = INTERRUPTED
        if code == INTERRUPTED:
            print("interrupted", file=sys.stderr)
        sys.exit(code or 0)


def report(error: Exception, *, verbose: bool = False) -> int:
    """Says on stderr what went wrong, in one line and with `verbose` the traceback; returns the exit code."""
    if verbose:
        import traceback

        traceback.print_exception(error)
    print(f"error: {_message(error, verbose)}", file=sys.stderr)
    return error.exit_code if isinstance(error, IntentscoreError) else 1


def _message(error: Exception, verbose: bool) -> str:
    if isinstance(error, IntentscoreError):
        return _one_line(str(error))
    hint = "" if verbose else "; --verbose shows where"
    return f"unexpected {type(error).__name__}: {_one_line(str(error))}{hint}"


def _usage_error(error: TyperException) -> UsageError:
    context = getattr(error, "ctx", None)
    hint = f" ({context.command_path} --help)" if context else ""
    message = error.format_message().replace("Value error, ", "").rstrip(".")
    return UsageError(message + hint)


def _one_line(text: str) -> str:
    return " ".join(text.split())
