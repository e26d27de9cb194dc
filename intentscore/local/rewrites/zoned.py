"""TIMESTAMP_TZ beside other types: what is compared or put together with one becomes one.

Works on Snowflake's tree, before the other rewrites.
Source: https://docs.snowflake.com/en/sql-reference/data-type-conversion
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import Expr, exp

from intentscore.local.errors import COMPILATION, SnowflakeError
from intentscore.local.rewrites.macros import SCHEMA
from intentscore.local.rewrites.registry import KIND, kind_of
from intentscore.local.types import TIMESTAMP_TZ, ColumnType

_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Nullif)
_ALL_ARGUMENTS = {"NVL", "IFNULL", "GREATEST", "LEAST", "GREATEST_IGNORE_NULLS", "LEAST_IGNORE_NULLS", "EQUAL_NULL"}
_BUT_THE_FIRST = {"IFF", "NVL2"}
_NO_NUMBER = (exp.Avg, exp.Sum, exp.Neg, exp.Mul, exp.Div, exp.Median)
_ADDED = (exp.Add, exp.Sub)
_LEFT_ALONE = (exp.Null, exp.Query)
_SIGNS: dict[type[Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Neg: "-"}


def is_zoned(node: Expr | None) -> bool:
    kind = kind_of(node) if node is not None else None
    return kind is not None and kind.wire == "timestamp_tz"


def with_offsets(root: Expr) -> Expr:
    root = _with_intervals(root)
    if not any(is_zoned(node) for node in root.walk()):
        return root
    for node in list(root.walk()):
        if isinstance(node, (*_NO_NUMBER, *_ADDED)) and any(is_zoned(child) for child in node.iter_expressions()):
            raise _not_taken(node)
        for value, kind in _assignments(node):
            _become(value, kind)
        for group in _groups(node):
            if any(is_zoned(operand) for operand in group):
                for operand in group:
                    _become(operand, TIMESTAMP_TZ)
    return root


def _become(operand: Expr, kind: ColumnType) -> None:
    given = kind_of(operand)
    if isinstance(operand, _LEFT_ALONE) or (given is not None and given.wire == kind.wire):
        return
    target = operand.this if isinstance(operand, exp.Alias) else operand
    converted = exp.cast(target.copy(), exp.DataType.build(kind.wire.upper(), dialect="snowflake"))
    converted.meta[KIND] = operand.meta[KIND] = kind
    target.replace(exp.alias_(converted, operand.alias_or_name, quoted=True) if _named(target) else converted)


def _named(target: Expr) -> bool:
    """Whether it is a column of a select list under its own name."""
    return isinstance(target, exp.Column) and isinstance(target.parent, exp.Select)


def _assignments(node: Expr) -> Iterator[tuple[Expr, ColumnType]]:
    """What an UPDATE or a MERGE gives a column, where either is a TIMESTAMP_TZ."""
    if isinstance(node, exp.Update):
        pairs = [(assigned.this, assigned.expression) for assigned in node.expressions if isinstance(assigned, exp.EQ)]
    elif isinstance(node, exp.Insert) and isinstance(node.this, exp.Tuple) and isinstance(node.expression, exp.Tuple):
        pairs = list(zip(node.this.expressions, node.expression.expressions, strict=False))
    else:
        return
    for column, value in pairs:
        kind = kind_of(column)
        if kind is not None and (is_zoned(column) or is_zoned(value)):
            yield value, kind


def _groups(node: Expr) -> Iterator[list[Expr]]:
    """The operands that have to be of one type."""
    match node:
        case exp.EQ() if isinstance(node.parent, exp.Update) and node.arg_key == "expressions":
            pass
        case exp.Between():
            yield [node.this, node.args["low"], node.args["high"]]
        case exp.In():
            yield [node.this, *node.expressions]
        case exp.Case():
            branches = node.args["ifs"]
            default = node.args.get("default")
            yield [branch.args["true"] for branch in branches] + ([default] if default is not None else [])
            if node.this is not None:
                yield [node.this, *(branch.this for branch in branches)]
        case exp.Coalesce():
            yield [node.this, *node.expressions]
        case exp.Anonymous() if node.name.upper() in _ALL_ARGUMENTS:
            yield node.expressions
        case exp.Anonymous() if node.name.upper() in _BUT_THE_FIRST:
            yield node.expressions[1:]
        case exp.Anonymous() if node.name.upper() == "DECODE":
            pairs = node.expressions[1:]
            paired = len(pairs) // 2 * 2
            yield [node.expressions[0], *pairs[:paired:2]]
            yield [*pairs[1:paired:2], *pairs[paired:]]
        case exp.SetOperation() if isinstance(node.left, exp.Select) and isinstance(node.right, exp.Select):
            yield from ([a, b] for a, b in zip(node.left.expressions, node.right.expressions, strict=False))
        case _ if isinstance(node, _COMPARISONS):
            yield [node.this, node.expression]


def _with_intervals(root: Expr) -> Expr:
    """`moment + INTERVAL '1 day'`, where the moment is a TIMESTAMP_TZ or may be one: DuckDB would add two intervals."""
    for node in list(root.find_all(*_ADDED)):
        moment, interval = node.this, node.expression
        if isinstance(moment, exp.Interval) and isinstance(node, exp.Add):
            moment, interval = interval, moment
        kind, other = kind_of(moment), kind_of(interval)
        if kind and other and kind.wire.startswith("timestamp") and other.wire.startswith("timestamp"):
            raise _not_taken(node)
        if not isinstance(interval, exp.Interval) or not (kind is None or is_zoned(moment)):
            continue
        name = "sf_plus_interval" if isinstance(node, exp.Add) else "sf_minus_interval"
        moved = exp.Anonymous(this=SCHEMA + name, expressions=[moment.copy(), interval.copy()])
        if kind is not None:
            moved.meta[KIND] = kind
        if node is root:
            return moved
        node.replace(moved)
    return root


def _not_taken(node: Expr) -> SnowflakeError:
    given = ", ".join(kind.declared if (kind := kind_of(child)) else "?" for child in node.iter_expressions())
    name = _SIGNS.get(type(node), node.key.upper())
    return SnowflakeError(f"{COMPILATION}Invalid argument types for function '{name}': ({given})", 1044, "42P13")
