"""A page as one HTML file that needs nothing else: no script, no network, light and dark, print."""

from __future__ import annotations

import math
import os
import re
import secrets
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from intentscore import __version__
from intentscore.errors import UsageError
from intentscore.report.content import Chart, Note, Page, Points, Table, Value

NOTHING = "-"
LONG = 40
COMMAND = re.compile(r"`([^`]+)`")
KINDS = {Table: "table", Chart: "chart", Note: "note", Points: "points"}


def html(page: Page, made_at: datetime) -> str:
    """`made_at` is UTC. Text is escaped, so that no value from the data is taken for markup."""
    environment = Environment(
        loader=PackageLoader("intentscore.report"),
        autoescape=select_autoescape(("html", "j2")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"shown": shown, "label": label, "with_commands": with_commands}
    environment.tests |= {"number": is_number, "long": is_long}
    return environment.get_template("report.html.j2").render(
        page=page,
        kind=lambda block: KINDS[type(block)],
        figures=page.figures(),
        made_at=made_at,
        package_version=__version__,
    )


def writable(path: Path) -> Path:
    """`path`, if a file can be written there. UsageError otherwise, before any work is done for it."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file in it, like {path / 'report.html'}")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}; make it, or write the report elsewhere with -o")
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"nothing can be written in {path.parent}; write the report elsewhere with -o")
    return path


def write_whole(path: Path, text: str) -> int:
    """All of it or, whatever interrupts, what was there before; the size in bytes."""
    content = text.encode()
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}); write the report elsewhere with -o") from None
    finally:
        with suppress(OSError):
            unfinished.unlink()
    return len(content)


def shown(value: Value) -> str:
    """Four decimals, or four digits where those would hide a small number."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, tuple):
        return ", ".join(value) or NOTHING
    return value.isoformat() if isinstance(value, date) else str(value)


def label(name: str) -> str:
    return name.replace("_", " ")


def with_commands(text: str) -> Markup:
    """Escaped, and what stands between backticks as code."""
    return Markup(COMMAND.sub(r"<code>\1</code>", str(escape(text))))  # escaped just before


def is_long(value: Value) -> bool:
    return isinstance(value, str) and len(value) > LONG


def is_number(value: Value) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _number(value: float) -> str:
    if not math.isfinite(value):
        return NOTHING
    if value == 0:
        return "0"
    if abs(value) < 1e-3:
        return f"{value:.2e}"
    return f"{value:,.0f}" if value == int(value) and abs(value) >= 2 else f"{value:,.4f}"
