"""What an INSERT gives a column of another type: Snowflake converts a VARIANT by itself, and refuses much else."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import Expr, exp

from intentscore.local.errors import COMPILATION, SnowflakeError
from intentscore.local.rewrites.macros import macro
from intentscore.local.shapes import Field
from intentscore.local.types import ColumnType

_NESTED = ("array", "object")
_FROM_VARIANT = {"array": "sf_to_array", "object": "sf_to_object"}
_FROM_ZONED = {
    "timestamp_ltz": "sf_to_timestamp_ltz", "timestamp_ntz": "sf_to_timestamp", "date": "sf_to_date",
    "time": "sf_to_time", "text": "sf_to_varchar", "variant": "sf_to_variant",
}  # fmt: skip


def targets(columns: Sequence[Field] | None, named: Expr | None) -> list[Field] | None:
    """The columns an INSERT writes to, in its own order."""
    if columns is None or not isinstance(named, exp.Schema):
        return list(columns) if columns is not None else None
    by_name = {column.held or column.name: column for column in columns}
    names = [identifier.name for identifier in named.expressions]
    return [by_name[name] for name in names] if all(name in by_name for name in names) else None


def assigned(query: Expr, given: Sequence[Field], columns: Sequence[Field]) -> Expr:
    """The rows as the columns take them; a value of a type that is not converted is refused."""
    if len(given) != len(columns):
        return query
    for value, column in zip(given, columns, strict=True):
        if value.type is not None and column.type is not None and _unlike(value.type, column.type):
            raise SnowflakeError(
                f"{COMPILATION}Expression type does not match column data type, expecting {column.type.declared} but "
                f"got {value.type.declared} for column {column.name}", 2023, "22000",
            )  # fmt: skip
    return _converted(query, given, columns)


def _unlike(given: ColumnType, column: ColumnType) -> bool:
    kinds = {given.wire, column.wire}
    if given.wire == column.wire or kinds & {"variant", "geography", "geometry"}:
        return False
    return bool(kinds & set(_NESTED)) or kinds in ({"boolean", "date"}, {"date", "fixed"}, {"date", "real"})


def _converted(query: Expr, given: Sequence[Field], columns: Sequence[Field]) -> Expr:
    """The rows with every VARIANT as the ARRAY or OBJECT its column holds, and TIMESTAMP_TZ to and from other types."""
    wanted = [_conversion(value.type, column.type) for value, column in zip(given, columns, strict=True)]
    if not any(wanted):
        return query
    if any(_is_default(var) for var in query.find_all(exp.Var)):
        return _converted_cells(query, wanted)
    names = [exp.to_identifier(f"_{i}", quoted=True) for i in range(len(wanted))]
    cells = [
        macro(name, exp.column(n.copy())) if name else exp.column(n.copy())
        for n, name in zip(names, wanted, strict=True)
    ]
    source = query if isinstance(query, exp.Values) else exp.Subquery(this=query)
    source.set("alias", exp.TableAlias(this=exp.to_identifier("_given", quoted=True), columns=names))
    return exp.Select(expressions=cells).from_(source, copy=False)


def _conversion(given: ColumnType | None, column: ColumnType | None) -> str:
    """The name of the macro that makes a value one of its column's type; empty where DuckDB does it by itself."""
    if column is None or (given is not None and given.wire == column.wire):
        return ""
    if column.wire == "timestamp_tz":
        return "sf_to_timestamp_tz"
    if column.wire == "timestamp_ltz" and given is not None and given.wire == "text":
        return "sf_to_timestamp_ltz"  # DuckDB takes no space before an offset
    if column.wire == "binary" and (given is None or given.wire == "text"):
        return "sf_to_binary"
    if given is not None and given.wire == "timestamp_tz":
        return _FROM_ZONED.get(column.wire, "")
    return _FROM_VARIANT.get(column.wire, "")


def _is_default(cell: Expr) -> bool:
    return isinstance(cell, (exp.Var, exp.Column)) and cell.name.upper() == "DEFAULT"


def _converted_cells(query: Expr, wanted: Sequence[str]) -> Expr:
    """Cell by cell, where a DEFAULT stands among the values."""
    for row in query.expressions if isinstance(query, exp.Values) else ():
        for name, cell in zip(wanted, row.expressions, strict=False):
            if name and not isinstance(cell, exp.Null) and not _is_default(cell):
                cell.replace(macro(name, cell.copy()))
    return query
