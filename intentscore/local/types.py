"""Snowflake's column types: on the wire, in DESCRIBE, and the DuckDB types that hold them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

MAX_TEXT = 16_777_216
MAX_BINARY = 8_388_608


@dataclass(frozen=True)
class ColumnType:
    """A result column's type as the wire protocol describes it."""

    wire: str
    precision: int | None = None
    scale: int | None = None
    length: int | None = None
    nullable: bool = True

    def described(self, name: str) -> dict[str, Any]:
        byte_length = self.length
        if self.wire == "text" and self.length is not None:
            byte_length = min(4 * self.length, MAX_TEXT)
        return {
            "name": name, "database": "", "schema": "", "table": "", "nullable": self.nullable, "type": self.wire,
            "byteLength": byte_length, "length": self.length, "scale": self.scale, "precision": self.precision,
            "collation": None,
        }  # fmt: skip

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
TIMESTAMP_LTZ = ColumnType("timestamp_ltz", 0, 9)

_FROM_DUCKDB = {
    "BOOLEAN": BOOLEAN, "FLOAT": REAL, "DOUBLE": REAL, "DATE": DATE, "JSON": VARIANT,
    "BLOB": ColumnType("binary", length=MAX_BINARY), "TIME": ColumnType("time", 0, 9),
    "TIMESTAMP WITH TIME ZONE": ColumnType("timestamp_tz", 0, 9),
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
        return ColumnType("timestamp_ntz", 0, 9)
    if text.endswith("]"):
        return ColumnType("array")
    if text.startswith(("STRUCT", "MAP")):
        return ColumnType("object")
    return TEXT


def from_declared(text: str) -> ColumnType:
    """The type a CREATE TABLE column was declared with, for example `VARCHAR(36)`."""
    found = re.match(r"\s*(?:TIMESTAMP|DOUBLE|[A-Z_]+)", text.upper())
    name = found[0].strip() if found else text.upper()
    numbers = [int(n) for n in re.findall(r"\d+", text)]
    match name:
        case "NUMBER" | "DECIMAL" | "NUMERIC":
            precision, scale = ([*numbers, 0] if numbers else [38, 0])[:2]
            return ColumnType("fixed", precision, scale)
        case "VARCHAR" | "STRING" | "TEXT" | "CHAR" | "CHARACTER" | "NVARCHAR":
            default = 1 if name in ("CHAR", "CHARACTER") else MAX_TEXT
            return replace(TEXT, length=numbers[0] if numbers else default)
        case "TIMESTAMP_LTZ" | "TIMESTAMPLTZ":
            return TIMESTAMP_LTZ
        case "OBJECT" | "ARRAY" | "VARIANT" | "GEOGRAPHY":
            return ColumnType(name.lower())
        case _:
            return NUMBER
