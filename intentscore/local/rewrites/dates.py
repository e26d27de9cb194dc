"""Dates and timestamps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import Expr, exp

from intentscore.local.errors import unsupported
from intentscore.local.rewrites.registry import cast, macro, rewrite

if TYPE_CHECKING:
    from intentscore.local.session import Session

Type = exp.DataType.Type

_ADDED = {
    "DAY": ("days", 1), "WEEK": ("days", 7), "MONTH": ("months", 1), "QUARTER": ("months", 3), "YEAR": ("months", 12),
    "HOUR": ("seconds", 3600), "MINUTE": ("seconds", 60), "SECOND": ("seconds", 1), "MILLISECOND": ("seconds", 1e-3),
    "MICROSECOND": ("seconds", 1e-6), "NANOSECOND": ("seconds", 1e-9),
}  # fmt: skip


@rewrite(exp.DateAdd, exp.TsOrDsAdd, exp.TimestampAdd)
def date_add(node: Any, session: Session) -> Expr:
    """DATEADD keeps a DATE a DATE when what is added is days or longer."""
    unit = str(node.args["unit"].name if node.args.get("unit") else "DAY").upper()
    if unit not in _ADDED:
        raise unsupported(f"DATEADD by {unit}")
    step, factor = _ADDED[unit]
    count = node.expression.copy()
    if factor != 1:
        count = exp.Mul(this=exp.Paren(this=count), expression=exp.Literal.number(factor))
    return macro(f"sf_dateadd_{step}", count, node.this)


@rewrite(exp.UnixToTime)
def to_timestamp(node: exp.UnixToTime, session: Session) -> Expr:
    scale = node.args.get("scale")
    if scale is None or scale.name == "0":
        return macro("sf_timestamp", node.this)
    return macro("make_timestamp", cast(exp.Div(this=exp.Mul(this=node.this, expression=exp.Literal.number(1_000_000)),
                 expression=exp.Literal.number(10 ** int(scale.name))), Type.BIGINT))  # fmt: skip


@rewrite(exp.Anonymous)
def known_by_name(node: exp.Anonymous, session: Session) -> Expr:
    match node.name.upper():
        case "TO_TIMESTAMP" | "TO_TIMESTAMP_NTZ":
            return macro("sf_timestamp", *node.expressions[:1])
        case "TO_OBJECT" | "TO_ARRAY" | "TO_VARIANT" if len(node.expressions) == 1:
            return macro("to_json", *node.expressions)
        case "CONCAT_WS":
            return node
    return node


@rewrite(exp.CurrentTimestamp)
def current_timestamp(node: exp.CurrentTimestamp, session: Session) -> Expr:
    now = exp.Anonymous(this="now")
    if node.args.get("sysdate"):
        return exp.AtTimeZone(this=now, zone=exp.Literal.string("UTC"))
    return now


@rewrite(exp.Time)
def time_of_day(node: exp.Time, session: Session) -> Expr:
    """TIME('12:30') reads a time of day."""
    return exp.Cast(this=node.this, to=exp.DataType(this=exp.DType.TIME))
