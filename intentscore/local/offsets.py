"""TIMESTAMP_TZ outside of DuckDB, which holds one as an interval (`functions/0_offsets.sql`): months are its offset."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pyarrow as pa

A_DAY = 1440
"""The minutes that the wire adds to every offset."""
HELD = pa.month_day_nano_interval()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PARTS = np.dtype([("months", "<i4"), ("days", "<i4"), ("nanos", "<i8")])
_SECONDS_A_DAY, _NANOS = 86_400, 10**9


def on_the_wire(array: pa.Array) -> pa.StructArray:
    """Seconds since the epoch, nanoseconds within the second, and the offset in minutes with a day added."""
    parts = _parts(array)
    months = parts["months"]
    days = parts["days"].astype(np.int64) + 30 * months.astype(np.int64)
    children = [
        pa.array(days * _SECONDS_A_DAY + parts["nanos"] // _NANOS),
        pa.array((parts["nanos"] % _NANOS).astype(np.int32)), pa.array(months),
    ]  # fmt: skip
    fields = [
        pa.field(name, child.type) for name, child in zip(("epoch", "fraction", "timezone"), children, strict=True)
    ]
    return pa.StructArray.from_arrays(children, fields=fields, mask=array.is_null())


def _parts(array: pa.Array) -> np.ndarray:
    held = array.buffers()[1]
    return np.frombuffer(held, _PARTS)[array.offset : array.offset + len(array)] if held else np.empty(0, _PARTS)


def are_held(table: pa.Table) -> bool:
    """Whether the intervals among the columns are moments: another interval has no offset for its months."""
    chunks = [chunk for column in table.columns if column.type == HELD for chunk in column.chunks]
    return not any(
        np.any((abs(_parts(chunk)["months"] - A_DAY) >= A_DAY) & chunk.is_valid().to_numpy(zero_copy_only=False))
        for chunk in chunks
    )


def moment(held: Sequence[int]) -> datetime:
    """A value as Python's, in its own zone."""
    months, days, nanos = held
    zone = timezone(timedelta(minutes=months - A_DAY))
    return (_EPOCH + timedelta(days=days + 30 * months, microseconds=nanos // 1000)).astimezone(zone)


def moments(column: pa.Array | pa.ChunkedArray) -> list[Any]:
    """A column's values; those of a TIMESTAMP_TZ as moments."""
    cells: list[Any] = column.to_pylist()
    return [None if cell is None else moment(cell) for cell in cells] if column.type == HELD else cells


def held(value: datetime) -> pa.MonthDayNano:
    """Without a zone of its own it is in UTC."""
    aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    offset = aware.utcoffset() or timedelta()
    months = A_DAY + offset // timedelta(minutes=1)
    since = aware - _EPOCH
    return pa.MonthDayNano(
        [months, since.days - 30 * months, (since - timedelta(since.days)) // timedelta(microseconds=1) * 1000]
    )


def array(values: Sequence[Any]) -> pa.Array:
    """Python values as Arrow's; moments that have offsets keep them."""
    if any(isinstance(value, datetime) and value.tzinfo is not None for value in values):
        return pa.array([None if value is None else held(value) for value in values], HELD)
    return pa.array(values)
