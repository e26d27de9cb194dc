"""Rows as the JSON of the wire: answers that are no query's, and all of them where a client asks for it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pyarrow as pa

EPOCH = dt.date(1970, 1, 1)
NANOS = 10**9


def rowset(columns: list[pa.Array]) -> list[list[str | None]]:
    """Columns that are encoded for Arrow already, as rows of texts."""
    texts = [_texts(column) for column in columns]
    return [list(row) for row in zip(*texts, strict=True)]


def _texts(column: pa.Array) -> list[str | None]:
    text = _written(column.type)
    return [None if value is None else text(value) for value in column.to_pylist()]


def _written(kind: pa.DataType) -> Callable[[Any], str]:
    if pa.types.is_boolean(kind):
        return lambda value: "1" if value else "0"
    if pa.types.is_date(kind):
        return lambda value: str((value - EPOCH).days)
    if pa.types.is_binary(kind):
        return lambda value: str(value.hex().upper())
    if pa.types.is_struct(kind):
        return _moment
    return str


def _moment(value: dict[str, int]) -> str:
    """Seconds since 1970 and, for TIMESTAMP_TZ, the offset."""
    written = seconds(value["epoch"] * NANOS + value["fraction"])
    return f"{written} {value['timezone']}" if "timezone" in value else written


def seconds(nanos: int) -> str:
    sign = "-" if nanos < 0 else ""
    return f"{sign}{abs(nanos) // NANOS}.{abs(nanos) % NANOS:09d}"
