"""What a page is made of, as plain values: sections of tables, charts and notes. Knows neither HTML nor sessions."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

Value = str | bool | int | float | date | tuple[str, ...] | None


@dataclass(frozen=True)
class Table:
    """`name` is its key among the page's figures; `rows` hold exact values, which are rounded only where shown.
    A `narrow` one may stand beside another.
    """

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    narrow: bool = False

    def figures(self) -> dict[str, Any]:
        """As JSON: a list of values per column."""
        return {name: [_plain(row[i]) for row in self.rows] for i, name in enumerate(self.columns)}


@dataclass(frozen=True)
class Chart:
    """`svg` is the picture, `text` says what it shows, `table` holds the same in figures, `drawn` every point of it."""

    name: str
    title: str
    text: str
    svg: str
    table: Table
    drawn: Table | None = None


@dataclass(frozen=True)
class Note:
    """One sentence, with the command to run next if there is one."""

    text: str
    command: str | None = None


@dataclass(frozen=True)
class Points:
    """A short list of sentences under a heading."""

    title: str
    lines: tuple[str, ...]


Block = Table | Chart | Note | Points


@dataclass(frozen=True)
class Section:
    name: str
    title: str
    lead: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Page:
    """`facts` are the few figures at its head, as (label, value, remark)."""

    title: str
    subtitle: str
    facts: tuple[tuple[str, Value, str], ...]
    sections: tuple[Section, ...]

    def figures(self) -> dict[str, Any]:
        """Every table of the page by name, exact: what the page carries for programs to read."""
        blocks = [block for section in self.sections for block in section.blocks]
        tables = [block for block in blocks if isinstance(block, Table)]
        for chart in (block for block in blocks if isinstance(block, Chart)):
            tables += [chart.table, *([chart.drawn] if chart.drawn else [])]
        return {table.name: table.figures() for table in tables}


def table_of(name: str, caption: str, records: Sequence[Any], columns: Iterable[str] = ()) -> Table:
    """Rows of one or more dataclasses of the same kind; all their fields, or those named, in that order."""
    chosen = tuple(columns) or tuple(field.name for field in dataclasses.fields(records[0]))
    return Table(name, caption, chosen, tuple(tuple(getattr(r, column) for column in chosen) for r in records))


def pairs(name: str, caption: str, values: Iterable[tuple[str, Value]]) -> Table:
    return Table(name, caption, ("what", "value"), tuple(values), narrow=True)


def _plain(value: Value) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.isoformat() if isinstance(value, date) else value
