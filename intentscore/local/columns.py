"""The columns of tables and views, with the types they were declared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from intentscore.local import spelling, types
from intentscore.local.names import ObjectName, literal
from intentscore.local.shapes import Field
from intentscore.local.types import ColumnType

if TYPE_CHECKING:
    from intentscore.local.session import Session


@dataclass(frozen=True)
class TableColumn:
    name: str
    type: ColumnType
    nullable: bool
    default: str | None
    comment: str | None
    held: str = ""
    """DuckDB's own name for the type."""
    held_name: str = ""
    """DuckDB's name for the column."""


def table_columns(session: Session, name: ObjectName) -> list[TableColumn]:
    """The columns of a table or view as this session sees it: its temporary one hides a permanent one."""
    temporary = session.temporary_tables.get(name)
    found = _columns(session, ("temp", "main", temporary) if temporary else name)
    declared = session.catalog.declared_columns(name, temporary=temporary is not None)
    spelled = spelling.spelled([column for column, *_ in found])
    return [
        TableColumn(
            column,
            _type(declared.get(column), kind),
            nullable and not declared.get(column, "").endswith(NOT_NULL),
            default,
            comment,
            kind,
            held,
        )
        for column, (held, kind, nullable, default, comment) in zip(spelled, found, strict=True)
    ]


def _type(declared: str | None, held: str) -> ColumnType:
    """The declared type; a TIMESTAMP_TZ that an earlier engine made has no offsets, and is a TIMESTAMP_LTZ."""
    kind = types.from_declared(declared) if declared is not None else None
    if kind is None or (kind.wire == "timestamp_tz" and types.from_duckdb(held) != types.TIMESTAMP_TZ):
        return types.from_duckdb(held)
    return kind


NOT_NULL = " NOT NULL"  # behind a declared type, where DuckDB itself does not know: the columns of a view


def _columns(session: Session, place: tuple[str, ...]) -> list[tuple[str, str, bool, str | None, str | None]]:
    return session.fetch(
        "SELECT column_name, data_type, is_nullable, column_default, comment FROM duckdb_columns() "
        "WHERE database_name = ? AND schema_name = ? AND table_name = ? ORDER BY column_index",
        place,
    )


def table_fields(session: Session, table: exp.Table) -> list[Field] | None:
    """The columns of a row source by its place in DuckDB; None where it is not a stored table or view."""
    if not isinstance(table.this, exp.Identifier) or not table.catalog:
        return None
    if table.catalog == "temp":
        names = {physical: name for name, physical in session.temporary_tables.items()}
        if table.name not in names:
            found = _columns(session, ("temp", "main", table.name))
            return [Field(name, _but_text(types.from_duckdb(kind))) for name, kind, *_ in found] or None
        name = names[table.name]
    else:
        name = ObjectName(table.catalog, table.db, table.name)
    return [
        Field(c.name, c.type, c.nullable, c.held_name if c.held_name != c.name else "", stored=True)
        for c in table_columns(session, name)
    ] or None


def _but_text(kind: ColumnType) -> ColumnType | None:
    return kind if kind.wire != "text" else None


def shown_default(session: Session, column: TableColumn) -> str | None:
    """A column's default in Snowflake's SQL."""
    if column.default in (None, "NULL") or column.type.wire != "timestamp_tz":
        return column.default
    assert column.default is not None
    if "now()" in column.default.lower():
        return "CURRENT_TIMESTAMP()"
    text = session.fetch(f"SELECT memory.main.sf_clock_text({column.default})")[0][0]
    return f"{literal(text)}::TIMESTAMP_TZ"
