"""Avro files as tables: a column for each field of the record, typed by the schema the file carries."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
from fastavro.read import SchemaResolutionError

from intentscore.local.errors import SnowflakeError, unsupported
from intentscore.local.formats import UNREADABLE

_PRIMITIVES: dict[str, pa.DataType] = {
    "null": pa.null(), "boolean": pa.bool_(), "int": pa.int32(), "long": pa.int64(), "float": pa.float32(),
    "double": pa.float64(), "bytes": pa.binary(), "string": pa.string(),
}  # fmt: skip
_LOGICAL: dict[str, Callable[[dict[str, Any]], pa.DataType]] = {
    "date": lambda _: pa.date32(),
    "time-millis": lambda _: pa.time64("us"),
    "time-micros": lambda _: pa.time64("us"),
    "timestamp-millis": lambda _: pa.timestamp("us", tz="UTC"),
    "timestamp-micros": lambda _: pa.timestamp("us", tz="UTC"),
    "local-timestamp-millis": lambda _: pa.timestamp("us"),
    "local-timestamp-micros": lambda _: pa.timestamp("us"),
    "decimal": lambda schema: pa.decimal128(schema["precision"], schema.get("scale", 0)),
}


def read(content: bytes, file: Path) -> pa.Table:
    """The records of an object container file.

    Source: https://avro.apache.org/docs/1.12.0/specification/

    Raises:
        SnowflakeError: the content is no such file, or its records have fields that a column cannot hold.
    """
    try:
        records = fastavro.reader(io.BytesIO(content))
        schema = records.writer_schema
        if not isinstance(schema, dict) or schema.get("type") != "record":
            raise unsupported("AVRO files of anything but records")
        fields = _fields(schema, {})
        return pa.Table.from_pylist(list(records), schema=pa.schema(fields))
    except (ValueError, EOFError, LookupError, SchemaResolutionError, pa.ArrowException) as error:
        raise SnowflakeError(f"Error parsing the avro file '{file.name}': {error}", 100142, UNREADABLE) from None


def _fields(record: dict[str, Any], named: dict[str, pa.DataType]) -> list[pa.Field]:
    return [pa.field(field["name"], _arrow(field["type"], named)) for field in record["fields"]]


def _arrow(schema: Any, named: dict[str, pa.DataType]) -> pa.DataType:
    """The type of a schema; `named` holds the records, enums and fixeds that were defined before."""
    if isinstance(schema, list):
        given = [branch for branch in schema if branch != "null"]
        if len(given) > 1:
            raise unsupported("AVRO unions of several types")
        return _arrow(given[0] if given else "null", named)
    if isinstance(schema, str):
        if schema not in _PRIMITIVES and schema not in named:
            raise unsupported(f"the AVRO type {schema} within itself")
        return _PRIMITIVES.get(schema) or named[schema]
    kind = _LOGICAL[logical](schema) if (logical := schema.get("logicalType")) in _LOGICAL else _defined(schema, named)
    if "name" in schema:
        named[schema["name"]] = kind
    return kind


def _defined(schema: dict[str, Any], named: dict[str, pa.DataType]) -> pa.DataType:
    match schema["type"]:
        case "record":
            return pa.struct(_fields(schema, named))
        case "array":
            return pa.list_(_arrow(schema["items"], named))
        case "map":
            return pa.map_(pa.string(), _arrow(schema["values"], named))
        case "enum":
            return pa.string()
        case "fixed":
            return pa.binary(schema["size"])
        case other:
            return _arrow(other, named)
