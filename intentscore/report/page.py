"""A page as one HTML file that needs nothing else: no script, no network, light and dark, print."""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from intentscore import __version__
from intentscore.errors import UsageError
from intentscore.readable import is_number, label, readable
from intentscore.report.content import Chart, Note, Page, Points, Table, Value

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
    environment.filters |= {"shown": readable, "label": label, "with_commands": with_commands}
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


def with_commands(text: str) -> Markup:
    """Escaped, and what stands between backticks as code."""
    return Markup(COMMAND.sub(r"<code>\1</code>", str(escape(text))))  # escaped just before


def is_long(value: Value) -> bool:
    return isinstance(value, str) and len(value) > LONG
