"""Types and casts. A cast and the TO_… function of its type are one and the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlglot import Expr, exp

from intentscore.local.errors import unsupported
from intentscore.local.rewrites.functions import function, literal
from intentscore.local.rewrites.macros import SCHEMA, macro
from intentscore.local.rewrites.registry import cast, kind_of, rewrite

if TYPE_CHECKING:
    from intentscore.local.session import Session

Type = exp.DataType.Type

OBJECT_TYPE = "MAP(VARCHAR, VARIANT)"
ZONED = "INTERVAL"  # holds a TIMESTAMP_TZ
_DUCKDB_TYPES = {
    Type.INT: Type.BIGINT, Type.SMALLINT: Type.BIGINT, Type.TINYINT: Type.BIGINT, Type.BIGINT: Type.BIGINT,
    Type.FLOAT: Type.DOUBLE, Type.DOUBLE: Type.DOUBLE, Type.TIMESTAMPNTZ: Type.TIMESTAMP,
    Type.TIMESTAMPLTZ: Type.TIMESTAMPTZ, Type.DATETIME: Type.TIMESTAMP, Type.CHAR: Type.TEXT, Type.NCHAR: Type.TEXT,
    Type.VARCHAR: Type.TEXT, Type.NVARCHAR: Type.TEXT, Type.BINARY: Type.VARBINARY,
}  # fmt: skip
_STRUCTURED = {Type.VARIANT: "VARIANT", Type.ARRAY: "VARIANT[]", Type.OBJECT: OBJECT_TYPE, Type.MAP: OBJECT_TYPE,
               Type.GEOGRAPHY: "VARIANT", Type.GEOMETRY: "VARIANT", Type.TIMESTAMPTZ: ZONED}  # fmt: skip
SPATIAL = "spatial"  # marks the type of a shape, which is held as its GeoJSON


@rewrite(exp.DataType)
def data_type(node: exp.DataType, session: Session) -> Expr:
    """The DuckDB type that holds a Snowflake type; NUMBER without a scale is a 64-bit integer."""
    if node.this == Type.DECIMAL:
        size = [int(p.name) for p in node.expressions]
        if not size or (size[0] in (0, 38) and size[1:] in ([], [0])):
            return exp.DataType(this=Type.INT128 if session.wide_numbers else Type.BIGINT)
        precision, scale = (*size, 0)[:2]
        return exp.DataType.build(f"DECIMAL({precision}, {scale})")
    if isinstance(node.this, exp.Interval) or node.this in (Type.VECTOR, Type.INTERVAL, Type.DECFLOAT):
        raise unsupported(f"the type {node.sql(dialect='snowflake')}")
    if structured := _STRUCTURED.get(node.this):
        held = exp.DataType(this=Type.USERDEFINED, kind=structured)
        held.meta[SPATIAL] = node.this in (Type.GEOGRAPHY, Type.GEOMETRY)
        return held
    target = _DUCKDB_TYPES.get(node.this)
    if target == Type.BIGINT and session.wide_numbers:
        target = Type.INT128
    return exp.DataType(this=target) if target else node


_NOW_ZONED = (  # of DuckDB's own functions alone: a DEFAULT takes no lambda, and outlives the session's macros
    "(to_months(CAST(date_part('timezone', now()) // 60 + 1440 AS INTEGER)) + to_days(CAST(CAST(timezone('UTC', now()) "
    "AS DATE) - CAST('1970-01-01' AS DATE) - 30 * (date_part('timezone', now()) // 60 + 1440) AS INTEGER)) "
    "+ (timezone('UTC', now()) - date_trunc('day', timezone('UTC', now()))))"
)


def zoned_default(session: Session, given: str) -> str:
    """A DEFAULT of a TIMESTAMP_TZ column, in DuckDB's SQL: the current moment or a constant."""
    if given.lower() == "now()":
        return _NOW_ZONED
    value = session.fetch(f"SELECT CAST({SCHEMA}sf_to_timestamp_tz({given}) AS VARCHAR)")[0][0]
    return "NULL" if value is None else f"CAST('{value}' AS {ZONED})"


@rewrite(exp.ColumnDef)
def added_default(node: exp.ColumnDef, session: Session) -> Expr:
    kind = node.args.get("kind")
    if kind is not None and kind.args.get("kind") == ZONED:
        for constraint in node.find_all(exp.DefaultColumnConstraint):
            given = zoned_default(session, constraint.this.sql(dialect="duckdb"))
            constraint.set("this", exp.maybe_parse(given, dialect="duckdb"))
    return node


_CASTS: dict[Any, str] = {
    "VARIANT": "sf_to_variant", "VARIANT[]": "sf_to_array", OBJECT_TYPE: "sf_to_object", Type.TEXT: "sf_to_varchar",
    Type.BIGINT: "sf_to_integer", Type.INT128: "sf_to_wide_integer", Type.DOUBLE: "sf_to_double",
    Type.BOOLEAN: "sf_to_boolean", Type.DATE: "sf_to_date",
    Type.TIME: "sf_to_time", Type.TIMESTAMP: "sf_to_timestamp", Type.TIMESTAMPTZ: "sf_to_timestamp_ltz",
    ZONED: "sf_to_timestamp_tz",
    Type.VARBINARY: "sf_to_binary",
}  # fmt: skip
_TRY_CASTS: dict[Any, str] = {
    Type.BIGINT: "sf_try_to_integer", Type.INT128: "sf_try_to_wide_integer", Type.DOUBLE: "sf_try_to_double",
    Type.BOOLEAN: "sf_try_to_boolean",
    Type.DATE: "sf_try_to_date", Type.TIME: "sf_try_to_time", Type.TIMESTAMP: "sf_try_to_timestamp",
    Type.TIMESTAMPTZ: "sf_try_to_timestamp_ltz", ZONED: "sf_try_to_timestamp_tz",
    Type.VARBINARY: "sf_try_to_binary", Type.TEXT: "sf_to_varchar",
}  # fmt: skip


@rewrite(exp.Cast, exp.TryCast)
def conversion(node: exp.Cast, session: Session) -> Expr:
    if isinstance(node.this, exp.Null):
        return node
    if node.to.meta.get(SPATIAL):
        return macro("sf_to_geography", node.this)
    kind: Any = node.to.args.get("kind") if node.to.this == Type.USERDEFINED else node.to.this
    if kind in (Type.DECIMAL, Type.BIGINT, Type.INT128) and _has_exponent(node.this):
        node.set("this", exp.Literal.string(node.this.name))
    if node.to.this == Type.DECIMAL:
        node.set("this", macro("sf_text" if isinstance(node, exp.TryCast) else "sf_castable", node.this))
        return node
    if kind == Type.TEXT and _has_decimals(node.this):
        return exp.Cast(this=node.this, to=node.to)
    converting = (_TRY_CASTS if isinstance(node, exp.TryCast) else _CASTS).get(kind)
    return macro(converting, node.this) if converting else node


def _has_exponent(value: Expr) -> bool:
    """A number written as 1E30 is that very number to a cast, not the nearest floating-point one."""
    return isinstance(value, exp.Literal) and not value.is_string and "e" in value.name.lower()


def _has_decimals(value: Expr) -> bool:
    """Whether it is a NUMBER with a scale, whose text has all of its decimals."""
    kind = kind_of(value)
    return kind is not None and kind.wire == "fixed" and bool(kind.scale)


_INPUT_FORMATS = {"DATE": "DATE_INPUT_FORMAT", "TIME": "TIME_INPUT_FORMAT", "TIMESTAMP": "TIMESTAMP_INPUT_FORMAT"}


def with_input_formats(root: Expr, session: Session) -> Expr:
    """Text is read as a date or time in the session's format, where it has one.

    Source: https://docs.snowflake.com/en/sql-reference/date-time-input-output
    """
    given = {kind: session.parameters.get(name) for kind, name in _INPUT_FORMATS.items()}
    formats = {kind: str(form) for kind, form in given.items() if form and str(form).upper() != "AUTO"}
    for node in list(root.find_all(exp.Anonymous, exp.Cast)) if formats else ():
        name, value = _read_as(node)
        form = formats.get(_of_reader(name)) if value is not None and _is_text(value) else None
        if form is not None and value is not None:
            reading = exp.Anonymous(this=name, expressions=[value.copy(), exp.Literal.string(form)])
            if node is root:
                return reading
            node.replace(reading)
    return root


def _read_as(node: Expr) -> tuple[str, Expr | None]:
    """The function that reads a text as a cast or a call does, and the text."""
    if isinstance(node, exp.Anonymous):
        return node.name.upper(), node.expressions[0] if len(node.expressions) == 1 else None
    assert isinstance(node, exp.Cast)
    wanted = node.to.sql(dialect="snowflake").upper().partition("(")[0].replace("TIMESTAMPNTZ", "TIMESTAMP_NTZ")
    reader = f"TO_{wanted.replace('TIMESTAMPLTZ', 'TIMESTAMP_LTZ').replace('TIMESTAMPTZ', 'TIMESTAMP_TZ')}"
    return f"TRY_{reader}" if isinstance(node, exp.TryCast) else reader, node.this


def _of_reader(name: str) -> str:
    """DATE, TIME or TIMESTAMP, for the name of a function that reads one."""
    return re.sub(r"^(TRY_)?(TO_)?", "", name).replace("_NTZ", "").replace("_LTZ", "").replace("_TZ", "")


# ---------------------------------------------------------------------------- numbers


@function("TO_NUMBER", "TO_DECIMAL", "TO_NUMERIC")
def to_number(value: Expr, *options: Expr) -> Expr:
    return _to_number(value, options, exp.Cast)


@function("TRY_TO_NUMBER", "TRY_TO_DECIMAL", "TRY_TO_NUMERIC")
def try_to_number(value: Expr, *options: Expr) -> Expr:
    return _to_number(value, options, exp.TryCast)


def _to_number(value: Expr, options: tuple[Expr, ...], how: type[exp.Cast]) -> Expr:
    """TO_NUMBER(value [, format] [, precision [, scale]]); whole numbers where nothing is said."""
    digits = [int(literal(o, "TO_NUMBER")) for o in options if not o.is_string]
    if any(o.is_string for o in options):
        value = macro("sf_formatted_number", value)
    precision, scale = (digits + [38, 0][len(digits) :])[:2]
    if precision == 38 and scale == 0:
        return macro("sf_try_to_integer" if how is exp.TryCast else "sf_to_integer", value)
    return how(this=macro("sf_castable", value), to=exp.DataType.build(f"DECIMAL({precision}, {scale})"))


@function("TO_DOUBLE")
def to_double(value: Expr, form: Expr | None = None) -> Expr:
    return macro("sf_to_double", macro("sf_formatted_number", value) if form else value)


@function("TRY_TO_DOUBLE")
def try_to_double(value: Expr, form: Expr | None = None) -> Expr:
    return macro("sf_try_to_double", macro("sf_formatted_number", value) if form else value)


# ---------------------------------------------------------------------------- dates, times and text in a format

_DATE_FORMAT = (
    ("YYYY", "%Y"), ("YY", "%y"), ("MMMM", "%B"), ("MON", "%b"), ("MM", "%m"), ("DD", "%d"), ("DY", "%a"),
    ("HH24", "%H"), ("HH12", "%I"), ("HH", "%H"), ("MI", "%M"), ("SS", "%S"), ("AM", "%p"), ("PM", "%p"),
    ("FF0", ""), ("FF1", "%g"), ("FF2", "%g"), ("FF3", "%g"), ("FF4", "%f"), ("FF5", "%f"), ("FF6", "%f"),
    ("FF7", "%n"), ("FF8", "%n"), ("FF9", "%n"), ("FF", "%n"), ("TZH:TZM", "%z"), ("TZHTZM", "%z"),
    ("TZH", "%z"), ("TZD", "%Z"), ("UUUU", "%Y"),
)  # fmt: skip


def strftime_format(text: str) -> str:
    """Snowflake's date and time format as DuckDB's."""
    found, at = "", 0
    while at < len(text):
        if text[at] == '"':
            end = text.find('"', at + 1)
            end = len(text) if end < 0 else end
            found, at = found + text[at + 1 : end], end + 1
            continue
        for mark, directive in _DATE_FORMAT:
            if text[at : at + len(mark)].upper() == mark:
                found, at = found + directive, at + len(mark)
                break
        else:
            found, at = found + ("%%" if text[at] == "%" else text[at]), at + 1
    return found


def _parsed(value: Expr, form: Expr, to: exp.DType, *, trying: bool, zoned: bool) -> Expr:
    """Text read in a format; fractions of a second may be missing, or shorter than the format has them.

    What has no time zone is read as it stands: an offset in the text is passed over.
    """
    if zoned and re.search(r"%z.*[^%z\s]", strftime_format(str(literal(form, "TO_TIMESTAMP_TZ")))):
        raise unsupported("a format of a TIMESTAMP_TZ in which anything follows the offset")
    text = strftime_format(str(literal(form, "TO_TIMESTAMP")))
    source = macro("sf_text", value)
    if "%z" in text and to != Type.TIMESTAMPTZ:
        source, text = macro("sf_without_offset", source), re.sub(r"\s*%z", "", text)
    forms = [text]
    for fraction in ("%n", "%f", "%g"):
        if fraction in text:
            forms = [text.replace(fraction, "%n"), text.replace("." + fraction, "").replace(fraction, "")]
    arguments = exp.array(*(exp.Literal.string(f) for f in forms))
    parse = exp.Anonymous(this="try_strptime" if trying else "strptime", expressions=[source, arguments])
    read = cast(cast(parse, Type.TIMESTAMPTZ if "%z" in text else Type.TIMESTAMP), to)
    if not zoned:
        return read
    offset = macro("sf_last_offset", source.copy()) if "%z" in text else exp.Null()
    return macro("sf_with_offset", read, offset)


def _reader(name: str, to: exp.DType, *, trying: bool) -> None:
    zoned = name.endswith("_TZ")
    converting = {
        Type.DATE: "to_date", Type.TIME: "to_time", Type.TIMESTAMP: "to_timestamp",
        Type.TIMESTAMPTZ: "to_timestamp_tz" if zoned else "to_timestamp_ltz",
    }[to]  # fmt: skip
    macro_name = f"sf_{'try_' if trying else ''}{converting}"

    @function(name)
    def read(value: Expr, form: Expr | None = None) -> Expr:
        if form is None or (form.is_string and form.name.upper() == "AUTO"):
            return macro(macro_name, value)
        if form.is_string:
            return _parsed(value, form, to, trying=trying, zoned=zoned)
        if _is_text(form):
            read = f"arrow_{'try_' if trying else ''}read_in_format"
            return macro(macro_name, exp.Anonymous(this=read, expressions=[macro("sf_text", value), form]))
        return macro(f"sf_{converting}", value, form)


def _is_text(value: Expr) -> bool:
    kind = kind_of(value)
    return value.is_string if kind is None else kind.wire == "text"


for _suffix, _to in (
    ("DATE", Type.DATE), ("TIME", Type.TIME), ("TIMESTAMP", Type.TIMESTAMP), ("TIMESTAMP_NTZ", Type.TIMESTAMP),
    ("TIMESTAMP_LTZ", Type.TIMESTAMPTZ), ("TIMESTAMP_TZ", Type.TIMESTAMPTZ),
):  # fmt: skip
    _reader(f"TO_{_suffix}", _to, trying=False)
    _reader(f"TRY_TO_{_suffix}", _to, trying=True)
_reader("DATE", Type.DATE, trying=False)
_reader("TIME", Type.TIME, trying=False)


@function("TO_GEOGRAPHY", "TO_GEOMETRY", "ST_GEOGRAPHYFROMTEXT", "ST_GEOGFROMTEXT", "ST_GEOMETRYFROMTEXT")
def to_geography(value: Expr, *options: Expr) -> Expr:
    return macro("sf_to_geography", value)


@function("TRY_TO_GEOGRAPHY", "TRY_TO_GEOMETRY")
def try_to_geography(value: Expr, *options: Expr) -> Expr:
    return macro("sf_try_to_geography", value)


@function("TO_CHAR", "TO_VARCHAR")
def to_varchar(value: Expr, form: Expr | None = None) -> Expr:
    if form is None:
        return cast(value, Type.TEXT) if _has_decimals(value) else macro("sf_to_varchar", value)
    text = str(literal(form, "TO_VARCHAR"))
    decimals = len(text.split(".")[1].rstrip("$MIS")) if "." in text else 0
    grouped = "," if "," in text else ""
    number = ("$" if text.startswith("$") else "") + f"{{:{grouped}.{decimals}f}}"
    shown = strftime_format(text)
    forms = [exp.Literal.string(form) for form in (shown, number, text, shown.replace("%z", "~z~"))]
    return macro("sf_formatted", value, *forms)
