"""SHOW COLUMNS: of one table or view, or of all in a schema, a database or the account."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from intentscore.local import results
from intentscore.local.catalog import TABLE
from intentscore.local.columns import TableColumn, shown_default, table_columns
from intentscore.local.errors import does_not_exist
from intentscore.local.names import ObjectName, like_pattern
from intentscore.local.results import Result
from intentscore.local.show import read_listing, relations
from intentscore.local.statements import Statement, statement
from intentscore.local.types import MAX_TEXT, TEXT, ColumnType

if TYPE_CHECKING:
    from intentscore.local.session import Session

COLUMNS = (
    "table_name", "schema_name", "column_name", "data_type", "null?", "default", "kind", "expression", "comment",
    "database_name", "autoincrement", "schema_evolution_record",
)  # fmt: skip
SCOPES = ("SCHEMA", "DATABASE", "ACCOUNT")


@statement("SHOW COLUMNS")
def show_columns(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    pattern = like_pattern(scanner.string()) if scanner.accept("LIKE") else None
    limit = None
    if scanner.done or scanner.peek() == "LIMIT" or (scanner.peek() == "IN" and scanner.peek(1) in SCOPES):
        listing = read_listing(session, scanner)
        limit = listing.limit
        found = [r.name for kind in (TABLE, "VIEW") for r in relations(session, listing, kind)]
    else:
        found = [_one_relation(session, head)]
    rows = [row for name in found for row in _rows(session, name) if pattern is None or pattern.fullmatch(row[2])]
    return results.rows(dict.fromkeys(COLUMNS, TEXT), rows[:limit])


def _one_relation(session: Session, head: Statement) -> ObjectName:
    scanner = head.scanner
    scanner.expect("IN")
    scanner.accept("TABLE") or scanner.accept("VIEW")
    name = session.resolve(scanner.name())
    scanner.end()
    if not session.table_exists(name):
        raise does_not_exist("Table", str(name))
    return name


def _rows(session: Session, name: ObjectName) -> Iterator[list[Any]]:
    for column in table_columns(session, name):
        nullable = "true" if column.nullable else "NOT_NULL"
        yield [
            name.name, name.schema, column.name, json.dumps(_described(column)), nullable,
            shown_default(session, column) or "", "COLUMN", "", column.comment or "", name.database, "", None,
        ]  # fmt: skip


def _described(column: TableColumn) -> dict[str, Any]:
    """The type as JSON, with the fields its kind has."""
    kind: ColumnType = column.type
    found: dict[str, Any] = {"type": kind.wire.upper()}
    match kind.wire:
        case "fixed" | "time" | "timestamp_ntz" | "timestamp_ltz" | "timestamp_tz":
            found |= {"precision": kind.precision, "scale": kind.scale}
        case "text":
            found |= {"length": kind.length, "byteLength": min(4 * (kind.length or MAX_TEXT), MAX_TEXT)}
        case "binary":
            found |= {"length": kind.length, "byteLength": kind.length}
    found["nullable"] = column.nullable
    return found | ({"fixed": False} if kind.wire in ("text", "binary") else {})
