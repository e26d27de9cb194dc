"""How commands and groups of commands are declared: plain help that ends with worked examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import typer
from typer.core import TyperCommand

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
    """A decorator that registers a command of the group; its examples end the help text.

    `implied` holds what an option means that is given without a value.
    """

    def command(
        *examples: str, name: str | None = None, implied: Mapping[str, str] | None = None
    ) -> Callable[[Body], Body]:
        def register(body: Body) -> Body:
            kind = _implying(implied) if implied else TyperCommand
            group.command(name, cls=kind, epilog=listed("Examples", examples))(with_shared_options(body))
            return body

        return register

    return command


def _implying(implied: Mapping[str, str]) -> type[TyperCommand]:
    class Implying(TyperCommand):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            return super().parse_args(ctx, list(_with_values(args, implied)))

    return Implying


def _with_values(args: list[str], implied: Mapping[str, str]) -> Iterator[str]:
    for given, following in zip(args, [*args[1:], "-"], strict=False):
        yield given
        if given in implied and following.startswith("-"):
            yield implied[given]


def own_command(group: typer.Typer, *examples: str) -> Callable[[Body], Body]:
    """What the group does when none of its commands is named; `call.subcommand` says whether one is."""

    def register(body: Body) -> Body:
        group.callback(invoke_without_command=True, epilog=listed("Examples", examples))(with_shared_options(body))
        return body

    return register
