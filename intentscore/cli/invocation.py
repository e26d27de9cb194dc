"""What every command has in common: the shared options, its session, and how it shows its result."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from intentscore.cli.completion import connection_names, environment_names
from intentscore.cli.group import report
from intentscore.errors import DataError

if TYPE_CHECKING:
    from snowflake.snowpark import Session

    from intentscore.settings import Settings

Format = Literal["table", "json"]


@dataclass(frozen=True)
class Shared:
    """The shared options as given in one place, before the command or after it."""

    connection: str | None = None
    env: str | None = None
    format: Format | None = None
    quiet: bool = False
    verbose: bool = False

    def refined_by(self, later: Shared) -> Shared:
        return Shared(
            connection=later.connection or self.connection,
            env=later.env or self.env,
            format=later.format or self.format,
            quiet=later.quiet or self.quiet,
            verbose=later.verbose or self.verbose,
        )


def shared_parameters(
    connection: Annotated[
        str | None,
        typer.Option(
            "--connection",
            "-c",
            metavar="NAME",
            autocompletion=connection_names,
            help="A Snowflake connection, `env` (SNOWFLAKE_* variables) or `local` (the local engine).",
        ),
    ] = None,
    env: Annotated[
        str | None,
        typer.Option("--env", metavar="NAME", autocompletion=environment_names, help="Overlay configs/env/NAME.yaml."),
    ] = None,
    format: Annotated[
        Format | None, typer.Option("--format", help="What to print on stdout; table when not given.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No target line and no progress on stderr.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Name the run, and show where an error arose.")
    ] = False,
) -> Shared:
    return Shared(connection, env, format, quiet, verbose)


@dataclass(frozen=True)
class Invocation:
    """One run of one command."""

    command: str
    shared: Shared
    subcommand: str | None = None

    @functools.cached_property
    def settings(self) -> Settings:
        from intentscore.settings import load_settings

        return load_settings(self.shared.env)

    @contextmanager
    def session(self) -> Iterator[Session]:
        from intentscore.warehouse.session import open_session

        opening = open_session(self.settings, connection=self.shared.connection, command=self.command)
        with opening as opened:
            self.note(f"target: {opened.target}")
            if self.shared.verbose:
                self.note(f"run: {opened.run_id}")
            yield opened.session

    @contextmanager
    def progress(self, what: str, total: int | None) -> Iterator[Callable[[int], None] | None]:
        """A callback taking the number of rows done so far; None where there is no terminal to draw on."""
        if self.shared.quiet or not sys.stderr.isatty():
            yield None
            return
        from intentscore.cli.output import progress_bar

        with progress_bar(what, total) as advance:
            yield advance

    def show(self, result: object, *, short: object | None = None) -> None:
        """`short` stands for the result in a table, where all of it would be too long."""
        from intentscore.cli.output import show

        format = self.shared.format or "table"
        show(short if short is not None and format == "table" else result, format, sys.stdout)

    def note(self, message: str) -> None:
        if not self.shared.quiet:
            print(message, file=sys.stderr)

    def fail(self, error: Exception) -> int:
        if isinstance(error, DataError) and error.details is not None:
            from intentscore.cli.output import show

            show(error.details, self.shared.format or "table", sys.stderr)
        return report(error, verbose=self.shared.verbose)


def with_shared_options(body: Callable[..., None]) -> Callable[..., None]:
    """`body(call, …)` for Typer: `call` is filled in, and the shared options join its own."""
    _, *own = inspect.signature(body, eval_str=True).parameters.values()
    shared = inspect.signature(shared_parameters, eval_str=True).parameters

    @functools.wraps(body)
    def typed(ctx: typer.Context, **values: Any) -> None:
        given = shared_parameters(**{name: values.pop(name) for name in shared})
        ctx.obj = ctx.obj.refined_by(given) if isinstance(ctx.obj, Shared) else given
        call = Invocation(ctx.info_name or body.__name__, ctx.obj, ctx.invoked_subcommand)
        try:
            body(call, **values)
        except Exception as error:
            raise typer.Exit(call.fail(error)) from None

    context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    options = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*own, *shared.values())]
    typed.__signature__ = inspect.Signature([context, *options])  # type: ignore[attr-defined]
    typed.__annotations__ = {p.name: p.annotation for p in (context, *options)}
    return typed
