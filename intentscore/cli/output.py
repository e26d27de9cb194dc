"""The one printer: a frozen dataclass becomes tables for people or JSON for programs."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, TextIO

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from intentscore.cli.record_table import Column, RecordTable
from intentscore.readable import is_number, label, readable

PIPE_WIDTH = 160
SHORT_LIST = 72


def show(result: object, format: str, stream: TextIO) -> None:
    if format == "json":
        stream.write(to_json(result) + "\n")
    else:
        console = Console(file=stream, width=_width(stream), highlight=False)
        console.print(_rendered(_plain_items(result)))
    stream.flush()  # what serves on has shown its result, too


def to_json(result: object) -> str:
    """ASCII, indented, RFC 8259: dates as ISO 8601, durations in seconds, NaN and the infinities as null."""
    return json.dumps(_jsonable(result), indent=2, allow_nan=False)


@contextmanager
def progress_bar(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Draws on stderr; the callback takes the number done so far."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)


def _jsonable(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value.value) if isinstance(value, Enum) else str(value)
    if isinstance(value, Enum):
        return _jsonable(value.value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return _jsonable(_number(value))
    if isinstance(value, (date, datetime, time)):
        return None if value != value else value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: _jsonable(item) for name, item in _fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return [_jsonable(item) for item in sorted(value, key=str)]
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [_jsonable(item) for item in value]
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return _jsonable(value.item())  # a NumPy scalar
    return str(value)


def _number(value: Decimal) -> int | float:
    if not value.is_finite():
        return math.nan
    return int(value) if value == value.to_integral_value() else float(value)


def _plain_items(result: object) -> list[tuple[str, Any]]:
    if dataclasses.is_dataclass(result) and not isinstance(result, type):
        return _fields(result)
    if isinstance(result, Mapping):
        return [(str(key), value) for key, value in result.items()]
    return [("", result)]


def _fields(value: Any) -> list[tuple[str, Any]]:
    return [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]


def _rendered(items: list[tuple[str, Any]]) -> RenderableType:
    """Single values first, in two columns; then each group of values under its name, as the fields stand."""
    single = [(name, value) for name, value in items if not _is_group(value)]
    groups = [(name, value) for name, value in items if _is_group(value)]
    parts: list[RenderableType] = [_pairs(single)] if single else []
    for name, value in groups:
        parts += [Text(f"\n{_label(name)}" if parts else _label(name), style="bold"), _group(value)]
    return Group(*parts)


def _is_group(value: Any) -> bool:
    if isinstance(value, (str, bytes)):
        return False
    if isinstance(value, Mapping) or dataclasses.is_dataclass(value):
        return True
    return isinstance(value, Sequence) and (_is_records(value) or _is_long(value))


def _is_records(values: Sequence[Any]) -> bool:
    return bool(values) and all(dataclasses.is_dataclass(v) or isinstance(v, Mapping) for v in values)


def _is_long(values: Sequence[Any]) -> bool:
    texts = [_text(value) for value in values]
    return any("\n" in text for text in texts) or sum(map(len, texts)) > SHORT_LIST


def _group(value: Any) -> RenderableType:
    if isinstance(value, Sequence):
        return _records(value) if _is_records(value) else Group(*(Text(_text(item)) for item in value))
    return Padding(_rendered(_plain_items(value)), (0, 0, 0, 2), expand=False)


def _pairs(items: list[tuple[str, Any]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in items:
        table.add_row(Text(_label(name)), Text(_text(value)))
    return table


def _records(records: Sequence[Any]) -> RecordTable:
    """One row each. A column whose dataclass field says {"bar": True} is drawn beside its numbers as well."""
    rows = [dict(_plain_items(record)) for record in records]
    drawn = _drawn(records[0])
    return RecordTable([_column(name, [row.get(name) for row in rows], name in drawn) for name in rows[0]])


def _column(name: str, values: Sequence[Any], drawn: bool) -> Column:
    bars = [value or 0.0 for value in values] if drawn else None
    return Column(_label(name), [_text(value) for value in values], all(map(is_number, values)), bars)


def _drawn(record: Any) -> list[str]:
    fields = dataclasses.fields(record) if dataclasses.is_dataclass(record) else ()
    return [field.name for field in fields if field.metadata.get("bar")]


def _label(name: str) -> str:
    return _printable(label(name))


def _text(value: Any) -> str:
    return _printable(readable(str(value) if dataclasses.is_dataclass(value) else _jsonable(value)))


def _printable(text: str) -> str:
    """Control characters spelt out, so that data cannot steer the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def _width(stream: TextIO) -> int | None:
    return None if stream.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
