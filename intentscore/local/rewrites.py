"""Snowflake's SQL tree to DuckDB's: small rewrites of one node each, applied from the leaves up.

`fold_names` and `resolve_tables` settle what names mean; every other rewrite is registered for the node
classes it looks at, so that one walk applies them all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fakesnow import transforms as fakesnow
from sqlglot import Expr, exp

from intentscore.local.errors import unsupported

if TYPE_CHECKING:
    from intentscore.local.session import Session

Rewrite = Callable[[Any, "Session"], Expr]
REWRITES: dict[type[Expr], list[Rewrite]] = {}
Type = exp.DataType.Type


def rewrite(*classes: type[Expr]) -> Callable[[Rewrite], Rewrite]:
    def register(function: Rewrite) -> Rewrite:
        for cls in classes:
            REWRITES.setdefault(cls, []).append(function)
        return function

    return register


def apply(root: Expr, session: Session) -> Expr:
    """Every registered rewrite, on every node, leaves first."""
    for node in reversed(list(root.dfs())):
        current: Expr = node
        for function in REWRITES.get(type(node), ()):
            changed = function(current, session)
            if changed is not current:
                if current is root:
                    root = changed
                else:
                    current.replace(changed)
                current = changed
                if type(current) is not type(node):
                    break
    return root


def macro(name: str, *arguments: Expr) -> exp.Anonymous:
    return exp.Anonymous(this=f"memory.main.{name}" if name.startswith("sf_") else name, expressions=list(arguments))


def cast(this: Expr, to: exp.DType) -> exp.Cast:
    return exp.Cast(this=this, to=exp.DataType(this=to))


# ---------------------------------------------------------------------------- names


def fold_names(root: Expr) -> Expr:
    """Unquoted identifiers in upper case; all of them quoted, so that no DuckDB keyword is in the way."""
    for identifier in root.find_all(exp.Identifier):
        if not identifier.quoted:
            identifier.set("this", identifier.name.upper())
            identifier.set("quoted", True)
    return root


def name_columns(root: Expr) -> Expr:
    """Give an unnamed expression of a select list the name Snowflake gives it: its own text."""
    for select in root.find_all(exp.Select):
        for projection in select.expressions:
            named = isinstance(projection, (exp.Alias, exp.Column, exp.Dot, exp.Parameter)) or projection.is_star
            if not named:
                projection.replace(exp.alias_(projection.copy(), _text(projection), quoted=True))
    return root


def _text(expression: Expr) -> str:
    copy = expression.copy()
    for identifier in copy.find_all(exp.Identifier):
        if not identifier.quoted:
            identifier.set("this", identifier.name.upper())
    return copy.sql(dialect="snowflake")


def visible_ctes(node: Expr) -> set[str]:
    """The common table expressions a table name at this place may mean."""
    found: set[str] = set()
    child, parent = node, node.parent
    while parent is not None:
        with_ = parent.args.get("with_")
        if isinstance(with_, exp.With) and with_ is not child:
            found |= {cte.alias for cte in with_.expressions}
        if isinstance(parent, exp.With):
            earlier = parent.expressions[: parent.expressions.index(child)]
            found |= {cte.alias for cte in earlier}
            if parent.args.get("recursive"):
                found.add(child.alias)
        child, parent = parent, parent.parent
    return found


# ---------------------------------------------------------------------------- types

_DUCKDB_TYPES = {
    Type.INT: Type.BIGINT, Type.SMALLINT: Type.BIGINT, Type.TINYINT: Type.BIGINT, Type.BIGINT: Type.BIGINT,
    Type.FLOAT: Type.DOUBLE, Type.DOUBLE: Type.DOUBLE, Type.TIMESTAMPNTZ: Type.TIMESTAMP,
    Type.TIMESTAMPLTZ: Type.TIMESTAMPTZ, Type.DATETIME: Type.TIMESTAMP, Type.VARIANT: Type.JSON,
    Type.OBJECT: Type.JSON, Type.ARRAY: Type.JSON, Type.MAP: Type.JSON, Type.CHAR: Type.TEXT, Type.NCHAR: Type.TEXT,
    Type.VARCHAR: Type.TEXT, Type.NVARCHAR: Type.TEXT, Type.BINARY: Type.VARBINARY,
}  # fmt: skip


@rewrite(exp.DataType)
def data_type(node: exp.DataType, session: Session) -> Expr:
    """The DuckDB type that holds a Snowflake type; NUMBER without a scale is a 64-bit integer."""
    if node.this == Type.DECIMAL:
        size = [int(p.name) for p in node.expressions]
        if not size or (size[0] == 38 and size[1:] in ([], [0])):
            return exp.DataType(this=Type.BIGINT)
        precision, scale = (*size, 0)[:2]
        return exp.DataType.build(f"DECIMAL({precision}, {scale})")
    if node.this in (Type.GEOGRAPHY, Type.GEOMETRY, Type.VECTOR):
        raise unsupported(f"the type {node.this.value}")
    target = _DUCKDB_TYPES.get(node.this)
    return exp.DataType(this=target) if target else node


@rewrite(exp.ToNumber)
def to_number(node: exp.ToNumber, session: Session) -> Expr:
    converted = fakesnow.to_decimal(node)
    if isinstance(converted, (exp.Cast, exp.TryCast)):
        converted.set("to", data_type(converted.to, session))
    return converted


@rewrite(exp.ToChar)
def to_varchar(node: exp.ToChar, session: Session) -> Expr:
    return node if node.args.get("format") else macro("sf_to_varchar", node.this)


@rewrite(exp.Cast)
def cast_to_text(node: exp.Cast, session: Session) -> Expr:
    is_text = node.to.this == Type.TEXT and type(node) is exp.Cast
    if is_text and not isinstance(node.this, (exp.Literal, exp.Null, exp.JSONExtract, exp.Bracket)):
        return macro("sf_to_varchar", node.this)
    if is_text and isinstance(node.this, (exp.JSONExtract, exp.Bracket)):
        return macro("json_extract_string", node.this, exp.Literal.string("$"))
    if node.to.this == Type.TIMESTAMP and not isinstance(node.this, exp.Null):
        return macro("sf_timestamp", node.this)
    return node


@rewrite(exp.ToBoolean)
def to_boolean(node: exp.ToBoolean, session: Session) -> Expr:
    return macro("sf_try_boolean", node.this) if node.args.get("safe") else cast(node.this, Type.BOOLEAN)


# ---------------------------------------------------------------------------- arithmetic


@rewrite(exp.Literal)
def whole_number(node: exp.Literal, session: Session) -> Expr:
    """Snowflake's integers do not overflow at 32 bits."""
    if node.is_int and isinstance(node.parent, (exp.Add, exp.Sub, exp.Mul, exp.Alias, exp.Tuple)):
        return cast(node.copy(), Type.BIGINT) if abs(int(node.this)) < 2**63 else node
    return node


@rewrite(exp.Div)
def division(node: exp.Div, session: Session) -> Expr:
    """Division by zero is an error."""
    node.set("expression", macro("sf_divisor", node.expression))
    return node


# ---------------------------------------------------------------------------- dates


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


# ---------------------------------------------------------------------------- what fakesnow already knows


def _adopted(function: Callable[[Expr], Expr]) -> Rewrite:
    def adopt(node: Expr, session: Session) -> Expr:
        return function(node)

    return adopt


for _classes, _function in (
    ((exp.ArrayAgg, exp.Window), fakesnow.array_agg),
    ((exp.WithinGroup,), fakesnow.array_agg_within_group),
    ((exp.ObjectAgg,), fakesnow.object_agg),
    ((exp.ArraySize,), fakesnow.array_size),
    ((exp.RegexpReplace,), fakesnow.regex_replace),
    ((exp.RegexpExtract,), fakesnow.regex_substr),
    ((exp.HexString,), fakesnow.hex_string),
    ((exp.TableSample,), fakesnow.sample),
    ((exp.ToVariant,), fakesnow.to_variant),
    ((exp.Split,), fakesnow.split),
    ((exp.JSONExtract, exp.JSONExtractScalar), fakesnow.json_extract_precedence),
    ((exp.StarMap, exp.Struct, exp.JSONObject), fakesnow.object_construct),
    ((exp.Lateral, exp.TableFromRows), fakesnow.flatten),
):
    rewrite(*_classes)(_adopted(_function))


# ---------------------------------------------------------------------------- joins and row sources


@rewrite(exp.Join)
def asof_join(node: exp.Join, session: Session) -> Expr:
    """ASOF JOIN keeps every left row, as DuckDB's ASOF LEFT JOIN does; the match is one more condition."""
    match = node.args.get("match_condition")
    if (node.args.get("method") or "").upper() != "ASOF" or match is None:
        return node
    on = node.args.get("on")
    node.set("match_condition", None)
    node.set("side", "LEFT")
    node.set("on", exp.and_(on, match) if on else match)
    return node


@rewrite(exp.Select)
def values_columns(node: exp.Select, session: Session) -> Expr:
    """FROM VALUES names its columns COLUMN1, COLUMN2… and $1, $2… mean the same."""
    source = node.args.get("from_")
    if source is None or not isinstance(source.this, exp.Values):
        return node
    values = source.this
    first = values.expressions[0]
    width = len(first.expressions) if isinstance(first, exp.Tuple) else 1
    columns = values.args["alias"].columns if values.args.get("alias") else []
    if not columns:
        columns = [exp.to_identifier(f"COLUMN{i + 1}", quoted=True) for i in range(width)]
        alias = values.alias or "_VALUES"
        values.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True), columns=columns))
    for parameter in list(node.find_all(exp.Parameter)):
        index = parameter.name
        if index.isdigit() and int(index) <= width and parameter.find_ancestor(exp.Select) is node:
            column = parameter.parent if isinstance(parameter.parent, exp.Column) else parameter
            column.replace(exp.column(columns[int(index) - 1].copy()))
    return node


@rewrite(exp.Update)
def plain_assignments(node: exp.Update, session: Session) -> Expr:
    """The assigned column stands without its table."""
    for assignment in node.expressions:
        if isinstance(assignment, exp.EQ) and isinstance(assignment.this, exp.Column):
            assignment.set("this", exp.column(assignment.this.this.copy()))
    return node
