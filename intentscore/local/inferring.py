"""INFER_SCHEMA: the columns of staged files, with the types Snowflake gives them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from intentscore.local import delimited, formats, loading, staged
from intentscore.local.errors import SnowflakeError, invalid, unsupported
from intentscore.local.formats import FileFormat
from intentscore.local.sources import table_function
from intentscore.local.stages import locate

if TYPE_CHECKING:
    from intentscore.local.session import Session

LARGEST_PRECISION = 38
_WHOLE = re.compile(r"[+-]?\d+")
_DECIMAL = re.compile(r"[+-]?\d*\.\d+|[+-]?\d+\.")
_REAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+|[+-]?inf(inity)?|nan", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME = re.compile(r"\d{2}:\d{2}(:\d{2}(\.\d+)?)?")


@dataclass
class Column:
    """What is known of a column after some files; a precision of 0 means that the type has none."""

    type: str
    nullable: bool
    files: list[str]
    precision: int = 0
    scale: int = 0

    def described(self) -> str:
        return f"{self.type}({self.precision}, {self.scale})" if self.type == "NUMBER" else self.type

    def merge(self, other: Column) -> None:
        """The type that holds the values of both."""
        self.nullable |= other.nullable
        self.files += [name for name in other.files if name not in self.files]
        if self.type == other.type == "NUMBER":
            whole = max(self.precision - self.scale, other.precision - other.scale)
            self.scale = max(self.scale, other.scale)
            self.precision = min(whole + self.scale, LARGEST_PRECISION)
        elif self.type == "NULL":
            self.type, self.precision, self.scale = other.type, other.precision, other.scale
        elif other.type not in (self.type, "NULL"):
            self.type = _common(self.type, other.type)


def _common(one: str, other: str) -> str:
    kinds = {one, other}
    if kinds == {"NUMBER", "REAL"}:
        return "REAL"
    if kinds == {"DATE", "TIMESTAMP_NTZ"}:
        return "TIMESTAMP_NTZ"
    return "VARIANT" if kinds & {"VARIANT", "OBJECT", "ARRAY"} else "TEXT"


@table_function("INFER_SCHEMA")
def infer_schema(session: Session, location: str, file_format: str | None = None, **options: Any) -> pa.Table:
    """The columns of the files under a location.

    Source: https://docs.snowflake.com/en/sql-reference/functions/infer_schema
    """
    if file_format is None:
        raise invalid("INFER_SCHEMA needs the argument FILE_FORMAT")
    form = formats.find(session, {"FORMAT_NAME": file_format})
    where = locate(session, location)
    names = options.get("files")
    files = staged.select_files(where, None, [names] if isinstance(names, str) else names)
    for file in files:
        if not file.is_file():
            raise SnowflakeError(loading.NOT_FOUND.format(where.relative(file)), 91016, "22000")
    ignore_case = str(options.get("ignore_case", False)).lower() == "true"
    limit = int(options.get("max_records_per_file") or 0)
    found: dict[str, Column] = {}
    for file in files[: int(options.get("max_file_count") or len(files))]:
        for name, column in _columns(file, form, where.relative(file), limit).items():
            key = name.upper() if ignore_case else name
            if key in found:
                found[key].merge(column)
            else:
                found[key] = column
    return _answer(found, form, ignore_case=ignore_case)


def _answer(found: dict[str, Column], form: FileFormat, *, ignore_case: bool) -> pa.Table:
    for column in found.values():
        if column.type == "NULL":
            column.type = "TEXT"
    kinds = [column.described() for column in found.values()]
    return pa.table({
        "COLUMN_NAME": pa.array(list(found), pa.string()), "TYPE": pa.array(kinds, pa.string()),
        "NULLABLE": pa.array([column.nullable for column in found.values()], pa.bool_()),
        "EXPRESSION": pa.array(
            [_expression(form, i, name, kind, ignore_case=ignore_case)
             for i, (name, kind) in enumerate(zip(found, kinds, strict=True))], pa.string()),
        "FILENAMES": pa.array([", ".join(column.files) for column in found.values()], pa.string()),
        "ORDER_ID": pa.array(range(len(found)), pa.int64()),
    })  # fmt: skip


def _expression(form: FileFormat, index: int, name: str, kind: str, *, ignore_case: bool) -> str:
    if form.type == "CSV":
        return f"${index + 1}::{kind}"
    return f"GET_IGNORE_CASE ($1, '{name}')::{kind}" if ignore_case else f"$1:{name}::{kind}"


def _columns(file: Path, form: FileFormat, name: str, limit: int) -> dict[str, Column]:
    match form.type:
        case "PARQUET":
            logical = form.flag("USE_LOGICAL_TYPE")
            return {f.name: _from_arrow(f.type, f.nullable, name, logical=logical) for f in staged.parquet_schema(file)}
        case "ORC" | "AVRO":
            schema = staged.table_of(file, form).schema
            return {f.name: _from_arrow(f.type, f.nullable, name, logical=True) for f in schema}
        case "CSV":
            return _of_text(file, form, name, limit)
        case "JSON":
            return _of_documents(file, form, name, limit)
        case other:
            raise unsupported(f"INFER_SCHEMA of {other} files")


def _from_arrow(kind: pa.DataType, nullable: bool, file: str, *, logical: bool) -> Column:
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if pa.types.is_integer(kind) or pa.types.is_duration(kind) or pa.types.is_null(kind):  # nulls are kept as integers
        return Column("NUMBER", nullable, [file], LARGEST_PRECISION)
    if pa.types.is_decimal(kind):
        return Column("NUMBER", nullable, [file], kind.precision, kind.scale)
    if pa.types.is_timestamp(kind):
        return Column("TIMESTAMP_NTZ" if kind.tz is None or not logical else "TIMESTAMP_LTZ", nullable, [file])
    for test, name in (
        (pa.types.is_boolean, "BOOLEAN"), (pa.types.is_floating, "REAL"), (pa.types.is_date, "DATE"),
        (pa.types.is_time, "TIME"), (pa.types.is_binary, "BINARY"), (pa.types.is_large_binary, "BINARY"),
        (pa.types.is_nested, "VARIANT"),
    ):  # fmt: skip
        if test(kind):
            return Column(name, nullable, [file])
    return Column("TEXT", nullable, [file])


# ---------------------------------------------------------------------------- files without types


def _of_text(file: Path, form: FileFormat, name: str, limit: int) -> dict[str, Column]:
    records = delimited.read(staged.text_of(file, form), form)
    if records.broken:
        raise SnowflakeError(f"{records.broken[1]}\n  File '{name}', line {records.broken[0]}", 100065, "22000")
    header = records.header or [f"c{i + 1}" for i in range(len(records.columns))]
    found = {}
    for title, values in zip(header, records.columns, strict=False):
        column = Column("NULL", True, [name])
        for value in (values[:limit] if limit else values).to_pylist():
            column.merge(_of_string(value, name))
        found[title] = column
    return found


def _of_string(value: str | None, file: str) -> Column:
    """The narrowest type a field of a text file reads as."""
    if value is None:
        return Column("NULL", True, [file])
    text = value.strip()
    if _WHOLE.fullmatch(text) or _DECIMAL.fullmatch(text):
        whole, _, fraction = text.lstrip("+-").partition(".")
        digits = len(whole.lstrip("0")) + len(fraction)
        if digits <= LARGEST_PRECISION:
            return Column("NUMBER", True, [file], max(digits, 1), len(fraction))
    if _REAL.fullmatch(text) or _WHOLE.fullmatch(text) or _DECIMAL.fullmatch(text):
        return Column("REAL", True, [file])
    if text.lower() in ("true", "false"):
        return Column("BOOLEAN", True, [file])
    return Column(_of_moment(text), True, [file])


def _of_moment(text: str) -> str:
    if not text[:1].isdigit():
        return "TEXT"
    try:
        if _DATE.fullmatch(text):
            date.fromisoformat(text)
            return "DATE"
        if _DATE.match(text):
            moment = datetime.fromisoformat(text)
            return "TIMESTAMP_NTZ" if moment.tzinfo is None else "TIMESTAMP_TZ"
    except ValueError:
        return "TEXT"
    return "TIME" if _TIME.fullmatch(text) else "TEXT"


def _of_documents(file: Path, form: FileFormat, name: str, limit: int) -> dict[str, Column]:
    found: dict[str, Column] = {}
    read = staged.values(staged.text_of(file, form), file, strip_array=form.flag("STRIP_OUTER_ARRAY"))
    for count, document in enumerate(read):
        if limit and count >= limit:
            break
        if not isinstance(document, dict):
            raise invalid(f"INFER_SCHEMA needs objects in '{name}'")
        for key, value in document.items():
            column = _of_json(value, name)
            if key in found:
                found[key].merge(column)
            else:
                found[key] = column
    return dict(sorted(found.items()))


def _of_json(value: Any, file: str) -> Column:
    match value:
        case None:
            return Column("NULL", True, [file])
        case bool():
            return Column("BOOLEAN", True, [file])
        case int():
            return Column("NUMBER", True, [file], max(len(str(abs(value))), 1))
        case float():
            return Column("REAL", True, [file])
        case dict():
            return Column("OBJECT", True, [file])
        case list():
            return Column("ARRAY", True, [file])
        case _:
            return Column(_of_moment(str(value)), True, [file])
