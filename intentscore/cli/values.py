"""Values of options that need more than a type."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from intentscore.errors import UsageError

if TYPE_CHECKING:
    from intentscore.data.source import SessionSource

DEFAULT_SEED = 0
DEFAULT_REASONS = 3


def day(text: str) -> date:
    """`YYYY-MM-DD`, `today` or `yesterday`, by this machine's clock."""
    if text in ("today", "yesterday"):
        return date.today() - timedelta(days=text == "yesterday")
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise typer.BadParameter(f"{text!r} is not a day; write YYYY-MM-DD, today or yesterday")


def last_day(first: date, last: date | None, option: str = "--date") -> date:
    """`option` is what the first day was given with."""
    if last is not None and last < first:
        raise UsageError(f"--to {last} is before {option} {first}")
    return last or first


def sampled_days(first: date | None, last: date | None, *, refused: dict[str, bool]) -> tuple[date | None, date | None]:
    """The days `--global` looks at, all without --date; `refused` says which options were given that mean others."""
    given = ", ".join(option for option, present in refused.items() if present)
    if given:
        raise UsageError(f"{given} cannot go with --global, which looks at a sample and writes nothing")
    if first is None and last is not None:
        raise UsageError("--to goes with --date only")
    return (None, None) if first is None else (first, last_day(first, last))


def explained_days(first: date | None, last: date | None) -> tuple[date, date]:
    if first is None:
        raise UsageError("say which scores with --date DAY, or ask with --global what matters to the model")
    return first, last_day(first, last)


def reasons_of_each(given: int | None, *, distinct: bool, explained: bool) -> int:
    if given is not None and not explained:
        raise UsageError("--top goes with --explain only")
    if distinct and not explained:
        raise UsageError("--distinct goes with --explain only")
    return given or DEFAULT_REASONS


def one_of(options: Mapping[str, object]) -> str | None:
    """The option that was given, None without any. UsageError when there are two."""
    given = [name for name, value in options.items() if value not in (None, False)]
    if len(given) > 1:
        raise UsageError(f"give only one of {', '.join(options)}")
    return next(iter(given), None)


def session_source(
    path: Path | None,
    *,
    simulate: int | None,
    seed: int | None,
    returning: float | None = None,
    year: int,
    spread_days: bool | None,
    cache: Path,
) -> SessionSource:
    """The UCI data set when neither a path nor a number of sessions to simulate is given."""
    if path is not None and simulate is not None:
        raise UsageError("give either a PATH or --simulate N, not both")
    if seed is not None and simulate is None:
        raise UsageError("--seed goes with --simulate N only")
    if returning is not None and simulate is None:
        raise UsageError("--returning goes with --simulate N only")
    if simulate is not None:
        from intentscore.data.simulate import simulate as simulated

        return simulated(
            simulate,
            seed=DEFAULT_SEED if seed is None else seed,
            year=year,
            spread_days=spread_days is not False,
            returning=returning or 0.0,
        )
    if path is not None:
        from intentscore.data.files import open_file

        return open_file(path, year=year, spread_days=bool(spread_days))
    from intentscore.data.uci import open_uci

    return open_uci(cache, year=year, spread_days=bool(spread_days))


def row_order(name: str | None, *, cache: Path) -> SessionSource | None:
    """The UCI data set for `uci`, else the file of that name; None for None."""
    if name is None:
        return None
    path = None if name.lower() == "uci" else Path(name)
    return session_source(path, simulate=None, seed=None, year=2024, spread_days=None, cache=cache)
