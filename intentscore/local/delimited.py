"""Delimited text as Snowflake reads it: enclosed fields, escapes, NULL_IF, records that span lines."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from intentscore.local.formats import FileFormat

EMPTY = "\x00empty\x00"  # stands for an enclosed empty field until NULL is told from ''
SIMPLE_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "0": "\x00"}


@dataclass(frozen=True)
class Records:
    """The fields of a file as text columns, with where each record starts and how many fields it has."""

    columns: list[pa.Array]
    widths: pa.Array
    lines: pa.Array
    header: list[str] | None
    broken: tuple[int, str] | None = None

    def __len__(self) -> int:
        return len(self.widths)


class Dialect:
    """How one format cuts text into records and fields."""

    def __init__(self, form: FileFormat) -> None:
        self.delimiter = form.character("FIELD_DELIMITER")
        self.record = form.character("RECORD_DELIMITER") or "\n"
        self.quote = form.character("FIELD_OPTIONALLY_ENCLOSED_BY")
        self.escape = form.character("ESCAPE")
        self.unenclosed_escape = form.character("ESCAPE_UNENCLOSED_FIELD")
        self.trim = form.flag("TRIM_SPACE")
        self.nulls = form.nulls()
        self.specials = {c for c in (self.quote, self.escape, self.unenclosed_escape) if c}

    def lines(self, text: str) -> Iterator[str]:
        """Physical lines with their ends."""
        if self.record in ("\n", "\r\n", "\r"):
            yield from io.StringIO(text, newline="")
            return
        parts = text.split(self.record)
        for part in parts[:-1]:
            yield part + self.record
        if parts[-1].strip("\r\n"):
            yield parts[-1]

    def without_end(self, line: str) -> str:
        if self.record in ("\n", "\r\n", "\r"):
            return line.rstrip("\r\n")
        return line.removesuffix(self.record)

    def split(self, line: str) -> list[str] | None:
        """The fields of a record; None when an enclosed field is still open at its end."""
        if not any(special in line for special in self.specials):
            fields = line.split(self.delimiter) if self.delimiter else [line]
            return [field.strip() for field in fields] if self.trim else fields
        return self._scan(line)

    def _scan(self, line: str) -> list[str] | None:
        fields: list[str] = []
        at = 0
        while True:
            start = at
            if self.trim:
                while start < len(line) and line[start] in " \t" and line[start] != self.delimiter:
                    start += 1
            if self.quote and line.startswith(self.quote, start):
                enclosed = self._enclosed(line, start + 1)
                if enclosed is None:
                    return None
                field, at = enclosed
            else:
                field, at = self._unenclosed(line, at)
            fields.append(field)
            if self.delimiter is None or at >= len(line):
                return fields
            at += len(self.delimiter)

    def _enclosed(self, line: str, at: int) -> tuple[str, int] | None:
        out: list[str] = []
        assert self.quote is not None
        while at < len(line):
            char = line[at]
            if self.escape and char == self.escape != self.quote and at + 1 < len(line):
                out.append(SIMPLE_ESCAPES.get(line[at + 1], line[at + 1]))
                at += 2
            elif char == self.quote:
                if not line.startswith(self.quote, at + 1):
                    return self._after_enclosed(line, at + 1, "".join(out))
                out.append(self.quote)
                at += 2
            else:
                out.append(char)
                at += 1
        return None

    def _after_enclosed(self, line: str, at: int, field: str) -> tuple[str, int]:
        if self.trim:
            while at < len(line) and line[at] in " \t" and line[at] != self.delimiter:
                at += 1
        end = len(line) if self.delimiter is None else line.find(self.delimiter, at)
        end = len(line) if end < 0 else end
        if end > at:
            raise FieldError(f"Found character '{line[at]}' instead of field delimiter '{self.delimiter}'")
        return field or EMPTY, end

    def _unenclosed(self, line: str, at: int) -> tuple[str, int]:
        escape = self.escape or self.unenclosed_escape
        end = len(line) if self.delimiter is None else line.find(self.delimiter, at)
        end = len(line) if end < 0 else end
        field = line[at:end]
        if escape is None or escape not in field or field in self.nulls:
            return (field.strip() if self.trim else field), end
        out: list[str] = []
        while at < len(line):
            if line[at] == escape and at + 1 < len(line):
                out.append(SIMPLE_ESCAPES.get(line[at + 1], line[at + 1]))
                at += 2
            elif self.delimiter and line.startswith(self.delimiter, at):
                break
            else:
                out.append(line[at])
                at += 1
        field = "".join(out)
        return (field.strip() if self.trim else field), at


class FieldError(Exception):
    """A record that cannot be cut into fields; the message is Snowflake's."""


def read(text: str, form: FileFormat) -> Records:
    """Every record of a file. What cannot be cut is kept in `broken`: (line, message); reading stops there."""
    dialect = Dialect(form)
    if form.flag("SKIP_BYTE_ORDER_MARK"):
        text = text.removeprefix("\ufeff")
    lines = dialect.lines(text)
    number = 0
    for _ in range(int(form["SKIP_HEADER"] or 0)):
        next(lines, None)
        number += 1
    rows: list[list[str]] = []
    starts: list[int] = []
    header: list[str] | None = None
    broken: tuple[int, str] | None = None
    skip_blank = form.flag("SKIP_BLANK_LINES")
    wants_header = form.flag("PARSE_HEADER")
    for line in lines:
        number += 1
        start = number
        record = dialect.without_end(line)
        if skip_blank and not record:
            continue
        try:
            fields = dialect.split(record)
            while fields is None:
                more = next(lines, None)
                if more is None:
                    raise FieldError("End of record reached while expected to parse a closing quote")
                number += 1
                line += more
                fields = dialect.split(dialect.without_end(line))
        except FieldError as error:
            broken = (start, str(error))
            break
        if wants_header and header is None:
            header = ["" if field == EMPTY else field for field in fields]
            continue
        rows.append(fields)
        starts.append(start)
    return _assembled(rows, starts, header, broken, form)


def _assembled(
    rows: list[list[str]], starts: list[int], header: list[str] | None, broken: tuple[int, str] | None, form: FileFormat
) -> Records:
    widths = [len(row) for row in rows]
    width = max([*widths, len(header or [])], default=0)
    if widths and min(widths) < width:
        padded: list[Sequence[Any]] = [row + [None] * (width - len(row)) for row in rows]
    else:
        padded = list(rows)
    columns = [_column(values, form) for values in zip(*padded, strict=True)] or [
        pa.array([], pa.string()) for _ in range(width)
    ]
    return Records(columns, pa.array(widths, pa.int32()), pa.array(starts, pa.int64()), header, broken)


def _column(values: Sequence[str | None], form: FileFormat) -> pa.Array:
    """NULL_IF and empty fields become NULL; an enclosed empty field stays an empty string."""
    array = pa.array(values, pa.string())
    nulls = form.nulls()
    if form.flag("EMPTY_FIELD_AS_NULL"):
        nulls = [*nulls, ""]
    if nulls:
        array = pc.if_else(pc.is_in(array, pa.array(nulls, pa.string())), pa.scalar(None, pa.string()), array)
    kept = "" not in form.nulls()
    replacement = pa.scalar("" if kept else None, pa.string())
    return pc.if_else(pc.equal(array, EMPTY), replacement, array)
