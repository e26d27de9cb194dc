"""`intentscore local`: the engine that answers when there is no account."""

from __future__ import annotations

from typing import Annotated

import typer

from intentscore.cli.declare import command_of, new_group, own_command
from intentscore.cli.invocation import Invocation

app = new_group()
command = command_of(app)


@own_command(app, "intentscore local serve", "intentscore local status")
def local(call: Invocation) -> None:
    """The engine that stands in for an account.

    Keep it running, stop it, look at it, empty it. Without a command it shows the status.
    """
    if call.subcommand is None:
        from intentscore.local import hosting

        call.show(hosting.status(call.settings.home))


@command("intentscore local serve", "intentscore local serve --port 8765")
def serve(
    call: Invocation,
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", show_default=False, help="A free one when not given.")
    ] = 0,
) -> None:
    """Keep the local engine running, for any Snowflake client.

    Prints how to connect; the password is in the file it names. Task graphs and dynamic tables run on
    schedule as long as this does, and other commands on the same home use this engine. An interrupt or
    `intentscore local stop` ends it.
    """
    from intentscore.local import hosting

    hosting.serve(call.settings.home, port, call.note, call.show)


@command("intentscore local stop")
def stop(call: Invocation) -> None:
    """Stop `intentscore local serve`, and wait until it has stopped."""
    from intentscore.local import hosting

    call.show(hosting.stop(call.settings.home))


@command("intentscore local status", "intentscore local status --format json")
def status(call: Invocation) -> None:
    """Show whether the engine runs, how to connect, and what it holds."""
    from intentscore.local import hosting

    call.show(hosting.status(call.settings.home))


@command("intentscore local reset --yes")
def reset(
    call: Invocation,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this nothing is deleted.")] = False,
) -> None:
    """Delete the databases, stages and models of the local engine."""
    from intentscore.local import hosting

    call.show(hosting.reset(call.settings.home, yes=yes))


@command("intentscore local path")
def path(call: Invocation) -> None:
    """Print the folder the local engine keeps everything in."""
    from intentscore.local import hosting

    print(hosting.folder(call.settings.home))
