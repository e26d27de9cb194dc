"""Records as a table that shows every column, however narrow the terminal: what has no room goes on below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.bar import Bar
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

BAR_WIDTH = 24
GAP = 3
LONGEST_NAME = 40
"""A name or number up to here stands on one line; so does a text up to SHORT_TEXT."""
SHORT_TEXT = 20


@dataclass(frozen=True)
class Column:
    """`bars` are the values that are drawn beside the cells as well."""

    heading: str
    cells: Sequence[str]
    numeric: bool
    bars: Sequence[float] | None = None

    @property
    def least(self) -> int:
        """A heading may fold between its words, a short name or number may not fold at all."""
        lines = [line for cell in self.cells for line in cell.split("\n")]
        widest = max(map(cell_len, lines))
        kept = SHORT_TEXT if any(" " in line for line in lines) else LONGEST_NAME
        return max(min(widest, kept), *map(cell_len, self.heading.split() or [""]))

    @property
    def full(self) -> int:
        return max(cell_len(line) for cell in (self.heading, *self.cells) for line in cell.split("\n"))

    @property
    def beside(self) -> int:
        """What the bars and the gap before the next column take."""
        return GAP + (BAR_WIDTH + GAP if self.bars is not None else 0)


@dataclass(frozen=True)
class RecordTable:
    columns: Sequence[Column]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        for number, part in enumerate(_parts(self.columns, options.max_width)):
            if number:
                yield Text()
            yield _table(part, options.max_width)


def _parts(columns: Sequence[Column], room: int) -> list[list[Column]]:
    """As many columns as there is room for at a time, each part beginning with what names the rows."""
    naming = _naming(columns, room)
    parts = [naming]
    for column in columns[len(naming) :]:
        part = [*parts[-1], column]
        if len(part) > len(naming) + 1 and _needed(part) > room:
            parts.append([*naming, column])
        else:
            parts[-1] = part
    return parts


def _naming(columns: Sequence[Column], room: int) -> list[Column]:
    """The first column, and those of text after it, as far as they leave half of the room."""
    found = list(columns[:1])
    for column in columns[1:]:
        if column.numeric or 2 * _needed([*found, column]) > room:
            break
        found.append(column)
    return found


def _needed(columns: Sequence[Column]) -> int:
    return sum(column.least + column.beside for column in columns) - GAP


def _table(columns: Sequence[Column], room: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column, width in zip(columns, _widths(columns, room), strict=True):
        justify: JustifyMethod = "right" if column.numeric else "left"
        table.add_column(column.heading, justify=justify, overflow="fold", width=width)
        if column.bars is not None:
            table.add_column(width=BAR_WIDTH)
    for row in zip(*map(_drawn, columns), strict=True):
        table.add_row(*(cell for cells in row for cell in cells))
    return table


def _widths(columns: Sequence[Column], room: int) -> list[int]:
    """Each column's least; what room is left goes to all alike, as far as they need it."""
    widths = [column.least for column in columns]
    spare = room - _needed(columns)
    while spare > 0 and (wanting := [n for n, column in enumerate(columns) if widths[n] < column.full]):
        for n in wanting[:spare]:
            widths[n] += 1
        spare -= len(wanting[:spare])
    return widths


def _drawn(column: Column) -> list[tuple[RenderableType, ...]]:
    texts = [Text(cell) for cell in column.cells]
    if column.bars is None:
        return [(text,) for text in texts]
    largest = max(column.bars) or 1.0
    bars = [Bar(largest, 0, value, width=BAR_WIDTH, color="cyan") for value in column.bars]
    return list(zip(texts, bars, strict=True))
