"""The program itself: its name, its version, and the decorator that makes a function one of its commands."""

from __future__ import annotations

from typing import Annotated

import typer

from intentscore import __version__
from intentscore.cli.declare import command_of, listed, new_group
from intentscore.cli.exits import EXIT_CODES
from intentscore.cli.invocation import Invocation, with_shared_options

app = new_group()
command = command_of(app)


def show_version(asked: bool) -> None:
    if asked:
        print(f"intentscore {__version__}")
        raise typer.Exit


EXAMPLES = listed("Examples", ["intentscore demo", "intentscore score --date yesterday --env prod --format json"])
EXITS = listed("Exit codes", [f"{code:>3}  {meaning}" for code, meaning in EXIT_CODES.items()])


@app.callback(epilog=f"{EXAMPLES}\n\n{EXITS}")
@with_shared_options
def intentscore(
    call: Invocation,
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Score online shop sessions by purchase intent, in a Snowflake account or on the local engine.

    Start with `intentscore demo`. The options of this page may also follow the command.
    """
