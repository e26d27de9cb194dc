"""Who a session is, and when it was, for sources that do not say.

UID: the UUID version 5 (RFC 9562, SHA-1) in NAMESPACE of the 17 attributes in the order of schema.ATTRIBUTES,
then SESSION_DATE if the source has that column, then the occurrence number (1, 2, ...) of the row among the
identical rows up to it, joined by U+001F. Numbers stand in their shortest form (0, 0.0 and 0.00 are 0), MONTH
in its short form, WEEKEND as true or false, null as empty text. REVENUE is left out, so that a session keeps
its UID when its outcome becomes known; so are the year and the day a session is dealt to.

SESSION_DATE: the first of the month, or with `spread_days` a day of the month chosen by the CRC-32 of the UID
among its Saturdays and Sundays (WEEKEND true) or its other days (WEEKEND false).
"""

from __future__ import annotations

import calendar
import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from intentscore.data.schema import ATTRIBUTES, BATCH_SCHEMA, MONTHS, NUMBERS, ROW_NUMBER, month_name
from intentscore.errors import UsageError

NAMESPACE: Final = UUID("7d2f6c1e-5b1d-5a0e-9c55-1a4b0f3f2d68")
_SEPARATOR: Final = "\x1f"
_NUMBER: Final = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_BOOLEANS: Final = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1", "1.0"), "true"),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0", "0.0"), "false"),
}
_DAY_KINDS: Final = (None, "false", "true")
_MAX_DAYS: Final = 31


@dataclass(frozen=True)
class Dating:
    """How sessions without a date get one: in `year`, on the first of the month or spread over its days."""

    year: int
    spread_days: bool

    def __post_init__(self) -> None:
        if not 1900 <= self.year <= 9999:
            raise UsageError(f"the year {self.year} is out of range; use one between 1900 and 9999")


class Occurrences:
    """Counts how often each 64-bit key came before, in 8 bytes a key: sorted runs, merged as they grow."""

    def __init__(self) -> None:
        self._runs: list[npt.NDArray[np.uint64]] = []

    def number(self, keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """1 for a key's first occurrence, 2 for its second, ... over all calls; `keys` has shape (n,)."""
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        positions = np.arange(len(keys))
        starts = np.r_[True, ordered[1:] != ordered[:-1]][: len(keys)]
        numbers = np.empty(len(keys), dtype=np.int64)
        numbers[order] = positions - np.maximum.accumulate(np.where(starts, positions, 0)) + 1
        for run in self._runs:
            numbers[order] += np.searchsorted(run, ordered, "right") - np.searchsorted(run, ordered, "left")
        self._remember(ordered)
        return numbers

    def _remember(self, run: npt.NDArray[np.uint64]) -> None:
        while self._runs and len(self._runs[-1]) <= len(run):
            run = np.concatenate([self._runs.pop(), run])
            run.sort(kind="stable")
        self._runs.append(run)


def completed(raw: pa.Table, first_row: int, dating: Dating, seen: Occurrences) -> pa.Table:
    """A batch of schema.BATCH_SCHEMA from the canonically named text columns of a source.

    `raw` has all ATTRIBUTES and may have UID, SESSION_DATE, REVENUE and OUTCOME_DATE; `first_row` is the number of its
    first row; `seen` is shared by the batches of a source.
    """
    columns = {name: _trimmed(raw[name]) for name in raw.column_names}
    columns["MONTH"] = _mapped(columns["MONTH"], month_name)
    weekend = _mapped(columns["WEEKEND"], _boolean)
    if "UID" not in columns:
        columns["UID"] = derived_uids(_canonical_texts({**columns, "WEEKEND": weekend}), seen)
    if "SESSION_DATE" not in columns:
        columns["SESSION_DATE"] = derived_dates(columns["MONTH"], weekend, columns["UID"], dating)
    for outcome in ("REVENUE", "OUTCOME_DATE"):
        columns.setdefault(outcome, pa.nulls(raw.num_rows, pa.string()))
    columns[ROW_NUMBER] = pa.array(np.arange(first_row, first_row + raw.num_rows, dtype=np.int64))
    return pa.table([columns[field.name] for field in BATCH_SCHEMA], schema=BATCH_SCHEMA)


def derived_uids(texts: list[bytes], seen: Occurrences) -> pa.Array:
    """One UID per canonical text, in order."""
    digests = _digests(texts, 1)
    numbers = seen.number(digests[:, :8].copy().view(np.uint64)[:, 0])
    for row in np.flatnonzero(numbers > 1):
        digests[row] = _digests([texts[row]], int(numbers[row]))[0]
    return uuid_texts(digests, version=5)


def uuid_texts(raw: npt.NDArray[np.uint8], version: int) -> pa.Array:
    """Lower-case UUID texts of the bytes in `raw`, shape (n, 16), with version and variant bits set."""
    raw = raw.copy()
    raw[:, 6] = raw[:, 6] & 0x0F | version << 4
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80
    nibbles = np.empty((len(raw), 32), dtype=np.uint8)
    nibbles[:, 0::2], nibbles[:, 1::2] = raw >> 4, raw & 0x0F
    text = np.full((len(raw), 36), ord("-"), dtype=np.uint8)
    places = [place for place in range(36) if place not in (8, 13, 18, 23)]
    text[:, places] = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)[nibbles]
    ends = np.arange(0, 36 * (len(raw) + 1), 36, dtype=np.int32)
    return pa.StringArray.from_buffers(len(raw), pa.py_buffer(ends), pa.py_buffer(text))


def derived_dates(month: pa.Array, weekend: pa.Array, uid: pa.Array, dating: Dating) -> pa.Array:
    """Dates as 'YYYY-MM-DD' text, null where the month is unknown.

    `weekend` is 'true' or 'false'; with any other value, all days of the month will do.
    """
    months = _positions(month, (None, *MONTHS))
    if not dating.spread_days:
        firsts = [None, *(f"{dating.year:04d}-{number:02d}-01" for number in range(1, 13))]
        return pa.array(firsts, pa.string()).take(pa.array(months))
    days, counts = _calendar(dating.year)
    kinds = _positions(weekend, _DAY_KINDS)
    hashes = np.fromiter(map(zlib.crc32, uid.fill_null("").cast(pa.binary()).to_pylist()), np.uint32, len(uid))
    return days.take(pa.array((months * 3 + kinds) * _MAX_DAYS + hashes % counts[months, kinds]))


def _calendar(year: int) -> tuple[pa.Array, npt.NDArray[np.int64]]:
    """The days of a year by month and _DAY_KINDS: texts, shape (13 * 3 * 31,), and counts, shape (13, 3)."""
    texts: list[str | None] = [None] * (13 * 3 * _MAX_DAYS)
    counts = np.ones((13, 3), dtype=np.int64)
    for month in range(1, 13):
        days = range(1, calendar.monthrange(year, month)[1] + 1)
        at_weekend = [day for day in days if calendar.weekday(year, month, day) >= calendar.SATURDAY]
        others = [day for day in days if day not in at_weekend]
        for kind, chosen in enumerate(([*days], others, at_weekend)):
            start = (month * 3 + kind) * _MAX_DAYS
            texts[start : start + len(chosen)] = [f"{year:04d}-{month:02d}-{day:02d}" for day in chosen]
            counts[month, kind] = len(chosen)
    return pa.array(texts, pa.string()), counts


def canonical_numbers(column: pa.Array) -> pa.Array:
    """Number texts in their shortest form; what is no finite number in lower case."""
    try:
        numbers = column.cast(pa.float64())
    except pa.ArrowInvalid:
        numbers = None
    if numbers is not None and pc.all(pc.is_finite(numbers)).as_py() is not False:
        return _shortest(numbers)
    written = pc.match_substring_regex(column, _NUMBER)
    return pc.if_else(written, _shortest(pc.if_else(written, column, None).cast(pa.float64())), pc.utf8_lower(column))


def _shortest(numbers: pa.Array) -> pa.Array:
    return pc.add(numbers, 0.0).cast(pa.string())  # -0.0 + 0.0 is 0.0


def _canonical_texts(columns: dict[str, pa.Array]) -> list[bytes]:
    parts = [canonical_numbers(columns[name]) if name in NUMBERS else columns[name] for name in ATTRIBUTES]
    if "SESSION_DATE" in columns:
        parts.append(pc.replace_substring_regex(columns["SESSION_DATE"], r"^(\d{4}-\d\d-\d\d)[T ].*$", r"\1"))
    joined = pc.binary_join_element_wise(*parts, _SEPARATOR, null_handling="replace", null_replacement="")
    texts: list[bytes] = joined.cast(pa.binary()).to_pylist()
    return texts


def _digests(texts: list[bytes], occurrence: int) -> npt.NDArray[np.uint8]:
    before, after = NAMESPACE.bytes, f"{_SEPARATOR}{occurrence}".encode()
    sha1 = hashlib.sha1
    joined = b"".join([sha1(before + text + after, usedforsecurity=False).digest() for text in texts])
    return np.frombuffer(joined, dtype=np.uint8).reshape(-1, 20)[:, :16].copy()


def _trimmed(column: pa.ChunkedArray) -> pa.Array:
    text = pc.utf8_trim_whitespace(column.combine_chunks())
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def _mapped(column: pa.Array, function: Callable[[str], str]) -> pa.Array:
    """`function` applied to the distinct values only."""
    encoded = column.dictionary_encode()
    return pa.array([function(text) for text in encoded.dictionary.to_pylist()], pa.string()).take(encoded.indices)


def _boolean(text: str) -> str:
    return _BOOLEANS.get(text.lower(), text)


def _positions(column: pa.Array, values: tuple[str | None, ...]) -> npt.NDArray[np.int64]:
    """Index in `values` of each value, 0 where it is not among them; the first of `values` is None."""
    found = pc.index_in(column, value_set=pa.array(values[1:], pa.string()))
    numbers: npt.NDArray[np.int64] = found.fill_null(-1).to_numpy().astype(np.int64) + 1
    return numbers
