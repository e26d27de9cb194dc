"""The types of single expressions, from what they are made of."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import Expr, exp

from intentscore.local import types
from intentscore.local.errors import SnowflakeError
from intentscore.local.rewrites import dates
from intentscore.local.rewrites.registry import kind_of
from intentscore.local.types import ColumnType

_SEMI_STRUCTURED: dict[type[Expr], ColumnType] = {
    exp.ParseJSON: types.VARIANT, exp.JSONExtract: types.VARIANT, exp.ToVariant: types.VARIANT,
    exp.Array: types.ARRAY, exp.ArrayAgg: types.ARRAY, exp.Split: types.ARRAY, exp.ArrayConcat: types.ARRAY,
    exp.ArrayUniqueAgg: types.ARRAY, exp.JSONObject: types.OBJECT, exp.Struct: types.OBJECT,
    exp.StarMap: types.OBJECT, exp.ObjectAgg: types.OBJECT, exp.JSONObjectAgg: types.OBJECT,
}  # fmt: skip
_TYPE_OF: dict[type[Expr], ColumnType] = _SEMI_STRUCTURED | {
    exp.CurrentTimestamp: types.TIMESTAMP_LTZ, exp.Count: replace(types.NUMBER, precision=18),
    exp.RowNumber: replace(types.NUMBER, precision=18), exp.Rank: replace(types.NUMBER, precision=18),
    exp.DenseRank: replace(types.NUMBER, precision=18),
}  # fmt: skip
_TYPE_BY_NAME: dict[str, ColumnType] = {
    **dict.fromkeys(("TO_VARIANT", "PARSE_JSON", "TRY_PARSE_JSON", "GET", "GET_PATH", "XMLGET"), types.VARIANT),
    **dict.fromkeys(
        ("TO_OBJECT", "AS_OBJECT", "OBJECT_CONSTRUCT", "OBJECT_CONSTRUCT_KEEP_NULL", "OBJECT_AGG", "OBJECT_DELETE",
         "OBJECT_INSERT", "OBJECT_PICK"), types.OBJECT),
    **dict.fromkeys(
        ("TO_ARRAY", "AS_ARRAY", "ARRAY_CONSTRUCT", "ARRAY_CONSTRUCT_COMPACT", "ARRAY_APPEND", "ARRAY_CAT",
         "ARRAY_COMPACT", "ARRAY_INSERT", "ARRAY_PREPEND", "ARRAY_SLICE", "ARRAY_DISTINCT",
         "ARRAY_EXCEPT", "ARRAY_INTERSECTION", "ARRAY_SORT", "ARRAY_FLATTEN", "ARRAY_UNIQUE_AGG", "OBJECT_KEYS",
         "STRTOK_TO_ARRAY", "ARRAY_GENERATE_RANGE"), types.ARRAY),
    **dict.fromkeys(
        ("UPPER", "LOWER", "SUBSTR", "SUBSTRING", "TRIM", "LTRIM", "RTRIM", "LEFT", "RIGHT", "LPAD", "RPAD", "REPLACE",
         "REPEAT", "REVERSE", "INITCAP", "SPLIT_PART", "TO_VARCHAR", "TO_CHAR", "CONCAT_WS"), types.TEXT),
    **dict.fromkeys(("TO_GEOGRAPHY", "TRY_TO_GEOGRAPHY", "ST_GEOGRAPHYFROMTEXT", "ST_GEOGFROMTEXT"), types.GEOGRAPHY),
    **dict.fromkeys(("TO_GEOMETRY", "TRY_TO_GEOMETRY", "ST_GEOMETRYFROMTEXT"), types.GEOMETRY),
    **dict.fromkeys(
        ("TO_TIMESTAMP_LTZ", "TRY_TO_TIMESTAMP_LTZ", "TIMESTAMP_LTZ_FROM_PARTS", "TIMESTAMPLTZFROMPARTS"),
        types.TIMESTAMP_LTZ),
    **dict.fromkeys(
        ("TO_TIMESTAMP_TZ", "TRY_TO_TIMESTAMP_TZ", "TIMESTAMP_TZ_FROM_PARTS", "TIMESTAMPTZFROMPARTS"),
        types.TIMESTAMP_TZ),
}  # fmt: skip
_NEVER_NULL = (exp.Count, exp.CountIf, exp.CurrentTimestamp, exp.CurrentDate, exp.RowNumber, exp.Rank, exp.DenseRank)
_NEVER_NULL_BY_NAME = {"RANDOM", "RANDSTR", "UUID_STRING", "SEQ1", "SEQ2", "SEQ4", "SEQ8"}
_PERHAPS_NULL = (exp.Predicate, exp.Connector, exp.Not)  # what is true or false is said to be nullable, always
_KEEPING_THE_OFFSET = {
    "DATEADD", "TIMEADD", "TIMESTAMPADD", "TIMESTAMP_ADD", "DATE_ADD", "ADD_MONTHS", "DATE_TRUNC", "TIME_SLICE",
    "NVL", "IFNULL", "GREATEST", "LEAST", "GREATEST_IGNORE_NULLS", "LEAST_IGNORE_NULLS",
}  # fmt: skip
_TO_NUMBER = ("TO_NUMBER", "TO_DECIMAL", "TO_NUMERIC")
OF_ITS_ARGUMENT = (exp.Max, exp.Min, exp.AnyValue, exp.FirstValue, exp.LastValue, exp.Lag, exp.Lead, exp.NthValue,
                    exp.Mode)  # fmt: skip
STRICT = (
    exp.Binary, exp.Not, exp.Between, exp.Abs, exp.Upper, exp.Lower, exp.Length, exp.Trim, exp.Ceil, exp.Floor,
    exp.Round, exp.Concat, exp.Substring, exp.Year, exp.Month, exp.Day, exp.DateDiff, exp.DateAdd, exp.Sign, exp.Exp,
    exp.DateTrunc, exp.TimestampTrunc,
)  # fmt: skip


def settled(node: Expr) -> ColumnType | None:
    """The type of an operator or a function call whose parts have theirs; None where only DuckDB knows."""
    return (
        _arithmetic(node)
        or _to_number(node)
        or _zoned(node)
        or _TYPE_OF.get(type(node))
        or _TYPE_BY_NAME.get(called(node))
    )


def _zoned(node: Expr) -> ColumnType | None:
    """TIMESTAMP_TZ, where a function gives one."""
    name = called(node)
    if name == "CONVERT_TIMEZONE":
        return types.TIMESTAMP_TZ if len(node.expressions) == 2 else None
    keeps = name in _KEEPING_THE_OFFSET or (name in ("TRUNC", "TRUNCATE") and len(node.expressions) == 2)
    of_one = keeps and any(kind_of(argument) == types.TIMESTAMP_TZ for argument in node.expressions)
    return types.TIMESTAMP_TZ if of_one else None


def strict(node: Expr) -> bool:
    """Whether a value is null when an argument is, and else is not."""
    return (isinstance(node, STRICT) and not isinstance(node, _PERHAPS_NULL)) or called(node) in _TO_NUMBER


def _to_number(node: Expr) -> ColumnType | None:
    if called(node) not in _TO_NUMBER:
        return None
    sizes = [int(size.name) for size in node.expressions[1:] if isinstance(size, exp.Literal) and size.is_int]
    precision, scale = (sizes + [38, 0][len(sizes) :])[:2]
    return ColumnType("fixed", precision, scale)


def never_null(node: Expr) -> bool:
    return isinstance(node, _NEVER_NULL) or called(node) in _NEVER_NULL_BY_NAME


def _arithmetic(node: Expr) -> ColumnType | None:
    """The type of a sum, product or quotient whose operands' types are known.

    Source: https://docs.snowflake.com/en/sql-reference/operators-arithmetic
    """
    if not isinstance(node, (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)):
        return None
    left, right = kind_of(node.this), kind_of(node.expression)
    if isinstance(node.expression, exp.Interval) and left is not None:
        return _moved(left, node.expression)
    if left is None or right is None:
        return None
    if {left.wire, right.wire} == {"date", "fixed"} and isinstance(node, (exp.Add, exp.Sub)):
        return types.DATE
    if types.REAL in (left, right) and {left.wire, right.wire} <= {"fixed", "real"}:
        return types.REAL
    return _exact(node, left, right) if left.wire == right.wire == "fixed" else None


def _moved(moment: ColumnType, interval: exp.Interval) -> ColumnType | None:
    if moment != types.DATE:
        return moment if moment.wire.startswith("time") else None
    constant = isinstance(interval.this, exp.Literal)
    return types.DATE if constant and not dates.interval_parts(interval)["microsecond"] else types.TIMESTAMP_NTZ


def _exact(node: Expr, left: ColumnType, right: ColumnType) -> ColumnType:
    (p, s), (q, t) = ((kind.precision or 38, kind.scale or 0) for kind in (left, right))
    match node:
        case exp.Mul():
            scale = min(s + t, max(s, t, 12))
            whole = (p - s) + (q - t)
        case exp.Div():
            scale = max(s, min(s + 6, 12))
            whole = p - s + t
        case exp.Mod():
            scale = max(s, t)
            whole = max(p - s, q - t)
        case _:
            scale = max(s, t)
            whole = max(p - s, q - t) + 1
    return ColumnType("fixed", min(38, whole + scale), scale)


def called(node: Expr) -> str:
    return node.name.upper() if isinstance(node, exp.Anonymous) else ""


def of_literal(node: exp.Literal) -> ColumnType:
    if node.is_string:
        return replace(types.TEXT, length=len(node.name))
    if node.is_int:
        return ColumnType("fixed", len(node.name.lstrip("0")) or 1, 0)
    if "e" in node.name.lower():
        return types.REAL
    whole, _, fraction = node.name.partition(".")
    return ColumnType("fixed", max(1, len(whole.lstrip("0")) + len(fraction)), len(fraction))


def declared(kind: exp.DataType) -> ColumnType | None:
    try:
        return types.from_declared(kind.sql(dialect="snowflake"))
    except SnowflakeError:
        return None


def wider(a: ColumnType | None, b: ColumnType | None) -> ColumnType | None:
    """The type two branches share, where both are known and of one kind."""
    zoned = [kind for kind in (a, b) if kind is not None and kind.wire == "timestamp_tz"]
    if a is None or b is None or a.wire != b.wire:
        return zoned[0] if zoned else None
    if a.wire == "fixed" and a.scale == b.scale:
        return replace(a, precision=max(a.precision or 38, b.precision or 38))
    if a.wire in ("text", "binary"):
        return replace(a, length=max(a.length or 0, b.length or 0))
    return a if a == b else None


def common(kinds: list[ColumnType | None]) -> ColumnType | None:
    found = kinds[0]
    for kind in kinds[1:]:
        found = wider(found, kind)
    return found
