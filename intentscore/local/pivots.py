"""PIVOT over values that are only known when the query runs: IN (ANY) and IN (subquery), and DEFAULT ON NULL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import Expr, exp

from intentscore.local import types
from intentscore.local.errors import SnowflakeError
from intentscore.local.sources import resolver

if TYPE_CHECKING:
    from intentscore.local.sql import Preparation


@resolver
def pivots(root: Expr, preparation: Preparation) -> Expr:
    """The innermost first: an outer one may read an inner one's rows."""
    for pivot in reversed(list(root.find_all(exp.Pivot))):
        if pivot.args.get("unpivot") or not pivot.parent or not pivot.args.get("fields"):
            continue
        for field in pivot.args["fields"]:
            _settle_values(pivot, field, preparation)
            _name_values(field)
        default = pivot.args.get("default_on_null")
        if isinstance(default, Expr):
            _replace_nulls(pivot, default)
    return root


def _settle_values(pivot: exp.Pivot, field: Any, preparation: Preparation) -> None:
    asked = field.expressions[0] if isinstance(field, exp.In) and field.expressions else None
    if isinstance(asked, exp.PivotAny):
        query: exp.Query = exp.select(field.this.copy()).distinct().from_(_unpivoted(pivot))
        order = asked.this if isinstance(asked.this, exp.Order) else None
        query.set("order", order.copy() if order else exp.Order(expressions=[exp.Ordered(this=field.this.copy())]))
    elif isinstance(asked, exp.Query):
        query = asked.copy()
    else:
        return
    values = _values(pivot, query, preparation)
    if not values:
        raise SnowflakeError("SQL compilation error:\nPIVOT over no values: the IN clause is empty.", 1104, "42601")
    field.set("expressions", [_named(value) for value in values])
    pivot.set("columns", None)


def _name_values(field: Any) -> None:
    """A value that is no literal names its column by its text, as `CAST(1 AS NUMBER(38,0))`."""
    for value in list(field.expressions):
        if isinstance(value, exp.Cast):
            text = value.this.sql(dialect="snowflake")
            is_date = value.to.this == exp.DType.DATE
            name = f"TO_DATE({text})" if is_date else f"CAST({text} AS {_declared(value.to)})"
            value.replace(exp.PivotAlias(this=_constant(value), alias=exp.to_identifier(name, quoted=True)))


def _constant(value: exp.Cast) -> Expr:
    """The value as DuckDB takes it in a PIVOT, which is a constant and not a call."""
    if value.to.this == exp.DType.DATE:
        return exp.Cast(this=value.this.copy(), to=exp.DataType(this=exp.DType.USERDEFINED, kind="DATE"))
    return value.this.copy() if isinstance(value.this, exp.Literal) else value.copy()


def _declared(kind: exp.DataType) -> str:
    return types.from_declared(kind.sql(dialect="snowflake")).declared


def _unpivoted(pivot: exp.Pivot) -> Expr:
    """The row source as it stands before this pivot."""
    source = _source(pivot).copy()
    source.set("pivots", None)
    return source


def _source(pivot: exp.Pivot) -> Expr:
    assert pivot.parent is not None
    return pivot.parent


def _values(pivot: exp.Pivot, query: exp.Query, preparation: Preparation) -> list[Any]:
    from intentscore.local import sql

    ancestor: Expr | None = pivot
    while ancestor is not None:
        with_ = ancestor.args.get("with_")
        if isinstance(with_, exp.With):
            for cte in with_.expressions:
                query = query.with_(cte.alias, as_=cte.this.copy(), append=True)
        ancestor = ancestor.parent
    found = sql.query(preparation.session, query).table.column(0).to_pylist()
    return [value for value in dict.fromkeys(found) if value is not None]


def _named(value: Any) -> Expr:
    """A pivoted value and the name of its column: a text keeps its quotes in it."""
    literal: Expr = exp.convert(value)
    name = f"'{value}'" if isinstance(value, str) else str(value)
    return exp.PivotAlias(this=literal, alias=exp.to_identifier(name, quoted=True))


def _replace_nulls(pivot: exp.Pivot, default: Expr) -> None:
    """`SELECT * REPLACE (COALESCE(c, default) AS c)` around the pivoted source."""
    source = _source(pivot)
    alias = pivot.args.get("alias")
    columns = [_column_name(value) for field in pivot.args["fields"] for value in field.expressions]
    pivot.set("default_on_null", None)
    pivot.set("alias", None)
    star = exp.Star(replace=[
        exp.alias_(exp.func("COALESCE", exp.column(name, quoted=True), default.copy()), name, quoted=True)
        for name in columns
    ])  # fmt: skip
    inner = exp.Subquery(this=exp.Select(expressions=[star]).from_(source.copy()))
    if alias is not None:
        inner.set("alias", alias)
    elif source.args.get("alias"):
        inner.set("alias", source.args["alias"].copy())
    source.replace(inner)


def _column_name(value: Expr) -> str:
    if isinstance(value, exp.PivotAlias):
        return str(value.args["alias"].name)
    if isinstance(value, exp.Literal) and value.is_string:
        return f"'{value.name}'"
    return value.name
