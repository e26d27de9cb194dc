"""Snowflake's column types: on the wire, in DESCRIBE, and the DuckDB types that hold them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

from intentscore.local.errors import unsupported

MAX_TEXT = 16_777_216
SEMI_STRUCTURED = ("variant", "array", "object", "geography", "geometry")
MAX_BINARY = 8_388_608


@dataclass(frozen=True)
class ColumnType:
    """A result column's type as the wire protocol describes it."""

    wire: str
    precision: int | None = None
    scale: int | None = None
    length: int | None = None
    nullable: bool = True
    bits: int = field(default=64, compare=False)
    """How wide a whole number is sent."""

    def __deepcopy__(self, memo: dict[int, Any]) -> ColumnType:
        return self  # it never changes: copying a syntax tree copies what its nodes are noted to be

    def described(self, name: str) -> dict[str, Any]:
        byte_length = self.length
        if self.wire == "text" and self.length is not None:
            byte_length = min(4 * self.length, MAX_TEXT)
        described: dict[str, Any] = {
            "name": name, "database": "", "schema": "", "table": "", "nullable": self.nullable, "type": self.sent_as,
            "byteLength": byte_length, "length": self.length, "scale": self.scale, "precision": self.precision,
            "collation": None,
        }  # fmt: skip
        return described if self.sent_as == self.wire else described | {"extTypeName": self.wire.upper()}

    @property
    def sent_as(self) -> str:
        """Shapes travel as the objects of their GeoJSON."""
        return "object" if self.wire in ("geography", "geometry") else self.wire

    @property
    def declared(self) -> str:
        """The type as DESC TABLE prints it."""
        match self.wire:
            case "fixed":
                return f"NUMBER({self.precision},{self.scale})"
            case "real":
                return "FLOAT"
            case "text":
                return f"VARCHAR({self.length})"
            case "binary":
                return f"BINARY({self.length})"
            case "time" | "timestamp_ntz" | "timestamp_ltz" | "timestamp_tz":
                return f"{self.wire.upper()}({self.scale})"
            case other:
                return other.upper()


NUMBER = ColumnType("fixed", 38, 0)
TEXT = ColumnType("text", length=MAX_TEXT)
BOOLEAN = ColumnType("boolean")
REAL = ColumnType("real")
DATE = ColumnType("date")
VARIANT = ColumnType("variant")
OBJECT = ColumnType("object")
ARRAY = ColumnType("array")
GEOGRAPHY = ColumnType("geography")
GEOMETRY = ColumnType("geometry")
TIME = ColumnType("time", 0, 9)
BINARY = ColumnType("binary", length=MAX_BINARY)
TIMESTAMP_NTZ = ColumnType("timestamp_ntz", 0, 9)
TIMESTAMP_LTZ = ColumnType("timestamp_ltz", 0, 9)
TIMESTAMP_TZ = ColumnType("timestamp_tz", 0, 9)

_FROM_DUCKDB = {
    "BOOLEAN": BOOLEAN, "FLOAT": REAL, "DOUBLE": REAL, "DATE": DATE, "JSON": VARIANT, "VARIANT": VARIANT,
    "BLOB": BINARY, "TIME": TIME, "TIMESTAMP WITH TIME ZONE": TIMESTAMP_LTZ, "INTERVAL": TIMESTAMP_TZ,
}  # fmt: skip


def from_duckdb(text: str) -> ColumnType:
    """The Snowflake type of a DuckDB column, from DuckDB's own name for its type."""
    if known := _FROM_DUCKDB.get(text):
        return known
    if "INT" in text and text.endswith(("INT", "INTEGER")):
        return NUMBER
    if found := re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", text):
        return ColumnType("fixed", int(found[1]), int(found[2]))
    if text.startswith("TIMESTAMP"):
        return TIMESTAMP_NTZ
    if text.endswith("]"):
        return ARRAY
    if text.startswith(("STRUCT", "MAP")):
        return OBJECT
    return TEXT


_DECLARED = {
    **dict.fromkeys(("FLOAT", "DOUBLE", "REAL", "FLOAT4", "FLOAT8", "DOUBLE PRECISION"), REAL),
    **dict.fromkeys(("NUMBER", "DECIMAL", "NUMERIC", "INT", "INTEGER", "BIGINT", "SMALLINT", "TINYINT", "BYTEINT"),
                    NUMBER),
    **dict.fromkeys(("VARCHAR", "STRING", "TEXT", "CHAR", "CHARACTER", "NCHAR", "NVARCHAR", "NVARCHAR2"), TEXT),
    **dict.fromkeys(("BINARY", "VARBINARY"), BINARY),
    **dict.fromkeys(("TIMESTAMP", "DATETIME", "TIMESTAMPNTZ", "TIMESTAMP_NTZ"), TIMESTAMP_NTZ),
    **dict.fromkeys(("TIMESTAMPLTZ", "TIMESTAMP_LTZ"), TIMESTAMP_LTZ),
    **dict.fromkeys(("TIMESTAMPTZ", "TIMESTAMP_TZ"), TIMESTAMP_TZ),
    "BOOLEAN": BOOLEAN, "DATE": DATE, "TIME": TIME, "VARIANT": VARIANT, "OBJECT": OBJECT, "MAP": OBJECT,
    "ARRAY": ARRAY, "GEOGRAPHY": GEOGRAPHY, "GEOMETRY": GEOMETRY,
}  # fmt: skip


def from_declared(text: str) -> ColumnType:
    """The type a CREATE TABLE column was declared with, for example `VARCHAR(36)`."""
    name = text.upper().partition("(")[0].removesuffix(" NOT NULL").strip()
    kind = _DECLARED.get(name)
    if kind is None:
        raise unsupported(f"the type {text}")
    numbers = [int(n) for n in re.findall(r"\d+", text.partition("(")[2])]
    if name in ("CHAR", "CHARACTER", "NCHAR") and not numbers:
        return replace(kind, length=1)
    match kind.wire if numbers else "":
        case "fixed":
            return replace(kind, precision=numbers[0] or 38, scale=([*numbers, 0])[1])
        case "text" | "binary":
            return replace(kind, length=numbers[0])
        case "time" | "timestamp_ntz" | "timestamp_ltz" | "timestamp_tz":
            return replace(kind, scale=numbers[0])
    return kind


_ALIKE = {"variant", "object", "array", "geography", "geometry"}


def refined(held: ColumnType, known: ColumnType | None, *, nullable: bool) -> ColumnType:
    """The type of a result column: what is known of it, as far as DuckDB's column can be read as that."""
    if known is None:
        return replace(held, nullable=nullable)
    same = held.wire == known.wire and (held.wire != "fixed" or (held.scale or 0) == (known.scale or 0))
    alike = {held.wire, known.wire} <= _ALIKE
    return replace(known if same or alike else held, nullable=nullable)
