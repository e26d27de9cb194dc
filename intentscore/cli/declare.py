"""How commands and groups of commands are declared: plain help that ends with worked examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import typer

from intentscore.cli.group import OneLineErrors
from intentscore.cli.invocation import with_shared_options

Body = Callable[..., None]


def new_group() -> typer.Typer:
    return typer.Typer(
        cls=OneLineErrors,
        # Plain help: with markup Typer imports most of Rich for it, at more than the price of everything else.
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )


def listed(title: str, lines: Iterable[str]) -> str:
    """A block of help text that keeps its lines (which is what the backspace tells Typer)."""
    return "\n".join(["\b", f"{title}:", *(f"  {line}" for line in lines)])


def command_of(group: typer.Typer) -> Callable[..., Callable[[Body], Body]]:
    """A decorator that registers a command of the group; its examples end the help text."""

    def command(*examples: str, name: str | None = None) -> Callable[[Body], Body]:
        def register(body: Body) -> Body:
            group.command(name, epilog=listed("Examples", examples))(with_shared_options(body))
            return body

        return register

    return command


def own_command(group: typer.Typer, *examples: str) -> Callable[[Body], Body]:
    """What the group does when none of its commands is named; `call.subcommand` says whether one is."""

    def register(body: Body) -> Body:
        group.callback(invoke_without_command=True, epilog=listed("Examples", examples))(with_shared_options(body))
        return body

    return register
