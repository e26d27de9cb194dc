"""Dates and times: parts, additions, differences."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import Expr, exp

from intentscore.local import types
from intentscore.local.errors import COMPILATION, SnowflakeError, syntax_error, unsupported
from intentscore.local.rewrites.functions import function, literal
from intentscore.local.rewrites.macros import macro
from intentscore.local.rewrites.registry import cast, kind_of, rewrite

if TYPE_CHECKING:
    from intentscore.local.session import Session

_SPELLINGS = {
    "year": "y yy yyy yyyy yr years yrs", "quarter": "q qtr qtrs quarters", "month": "mm mon mons months",
    "week": "w wk weekofyear woy wy weeks", "weekiso": "week_iso weekofyeariso weekofyear_iso",
    "day": "d dd days dayofmonth", "dayofweek": "weekday dow dw",
    "dayofweekiso": "dayofweek_iso weekday_iso dow_iso dw_iso",
    "dayofyear": "yearday doy dy", "yearofweek": "", "yearofweekiso": "",
    "hour": "h hh hr hours hrs", "minute": "m mi min minutes mins", "second": "s sec seconds secs",
    "millisecond": "ms msec milliseconds", "microsecond": "us usec microseconds",
    "nanosecond": "ns nsec nanosec nsecond nanoseconds nanosecs nseconds",
    "epoch_second": "epoch epoch_seconds", "epoch_millisecond": "epoch_milliseconds",
    "epoch_microsecond": "epoch_microseconds", "epoch_nanosecond": "epoch_nanoseconds",
    "timezone_hour": "tzh", "timezone_minute": "tzm",
}  # fmt: skip
PARTS = {spelling: part for part, others in _SPELLINGS.items() for spelling in (part, *others.split())}
_DUCKDB_PARTS = {
    "weekiso": "week", "dayofweek": "dow", "dayofweekiso": "isodow", "dayofyear": "doy", "yearofweek": "isoyear",
    "yearofweekiso": "isoyear",
}  # fmt: skip
_EPOCHS = {"epoch_second": 1, "epoch_millisecond": 10**3, "epoch_microsecond": 10**6, "epoch_nanosecond": 10**9}
_DAYS = {"day": 1, "week": 7, "weekiso": 7, "dayofyear": 1, "dayofweek": 1}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_MICROSECONDS = {
    "hour": 3_600_000_000, "minute": 60_000_000, "second": 1_000_000, "millisecond": 1_000, "microsecond": 1,
}  # fmt: skip
_TRUNCATED = {*_MONTHS, *_MICROSECONDS, "day", "week", "weekiso", "nanosecond"}


def part_name(node: Expr) -> str:
    """A date or time part, bare or as text."""
    text = (node.name or node.sql()).strip("'\"").lower()
    if text not in PARTS:
        raise SnowflakeError(f"{COMPILATION}'{text}' is not a valid date/time component.", 1007, "22023")
    return PARTS[text]


def _text(value: str) -> exp.Literal:
    return exp.Literal.string(value)


def _is_part(node: Expr) -> bool:
    return isinstance(node, (exp.Literal, exp.Column, exp.Var, exp.Identifier)) and node.name.lower() in PARTS


@function("DATEADD", "TIMEADD", "TIMESTAMPADD", "TIMESTAMP_ADD", "DATE_ADD")
def date_add(part: Expr, count: Expr, moment: Expr) -> Expr:
    """DATEADD keeps a DATE a DATE when what is added is days or longer."""
    name = part_name(part)
    counted, when = macro("sf_count_added", count), macro("sf_movable", moment)
    if name in _DAYS:
        return macro("sf_plus_days", _times(counted, _DAYS[name]), when)
    if name in _MONTHS:
        return macro("sf_plus_months", _times(counted, _MONTHS[name]), when)
    if name == "nanosecond":
        return macro("sf_plus_micros", exp.IntDiv(this=counted, expression=exp.Literal.number(1000)), when)
    return macro("sf_plus_micros", _times(counted, _MICROSECONDS[name]), when)


def _times(count: Expr, factor: int) -> Expr:
    return count if factor == 1 else exp.Mul(this=count, expression=exp.Literal.number(factor))


@function("DATEDIFF", "TIMEDIFF", "TIMESTAMPDIFF")
def date_diff(part: Expr, start: Expr, end: Expr) -> Expr:
    name = part_name(part)
    if name == "nanosecond":
        return exp.paren(
            exp.Sub(this=macro("sf_nanoseconds", end), expression=macro("sf_nanoseconds", start)), copy=False
        )
    return macro("sf_datediff", _text(_DUCKDB_PARTS.get(name, name)), start, end)


@function("DATE_TRUNC")
def date_trunc(part: Expr, moment: Expr) -> Expr:
    if not _is_part(part) and _is_part(moment):
        part, moment = moment, part
    name = part_name(part)
    if name not in _TRUNCATED:
        raise SnowflakeError(f"{COMPILATION}'{name}' is not a valid date/time component for DATE_TRUNC.", 1007, "22023")
    return macro(
        "sf_date_trunc", _text("microsecond" if name == "nanosecond" else _DUCKDB_PARTS.get(name, name)), moment
    )


@function("TRUNC", "TRUNCATE")
def trunc(value: Expr, how: Expr | None = None) -> Expr:
    if how is None:
        return macro("sf_trunc", value)
    if how.is_string or (_is_part(how) and not how.is_number):
        return date_trunc(how, value)
    return macro("sf_trunc", value, how)


def _part(name: str, moment: Expr) -> Expr:
    if name in _EPOCHS:
        return macro("sf_epoch_part", exp.Literal.number(_EPOCHS[name]), moment)
    if name == "nanosecond":
        return macro("sf_nanosecond_of", moment)
    if name.startswith("timezone"):
        return macro("sf_offset_part", _text(name), moment)
    return macro("sf_part", _text(_DUCKDB_PARTS.get(name, name)), moment)


@function("DATE_PART")
def date_part(part: Expr, moment: Expr) -> Expr:
    return _part(part_name(part), moment)


@rewrite(exp.Extract)
def extract(node: exp.Extract, session: Session) -> Expr:
    return _part(part_name(node.this), node.expression)


def _named_part(spelling: str, name: str) -> None:
    @function(spelling)
    def part_of(moment: Expr) -> Expr:
        return _part(name, moment)


for _spelling, _name in (
    ("YEAR", "year"), ("YEAROFWEEK", "yearofweek"), ("YEAROFWEEKISO", "yearofweekiso"), ("QUARTER", "quarter"),
    ("MONTH", "month"), ("WEEK", "week"), ("WEEKOFYEAR", "week"), ("WEEKISO", "week"), ("DAY", "day"),
    ("DAYOFMONTH", "day"), ("DAYOFWEEK", "dayofweek"), ("DAYOFWEEKISO", "dayofweekiso"), ("DAYOFYEAR", "dayofyear"),
    ("HOUR", "hour"), ("MINUTE", "minute"), ("SECOND", "second"),
):  # fmt: skip
    _named_part(_spelling, _name)


@function("LAST_DAY")
def last_day(moment: Expr, part: Expr | None = None) -> Expr:
    return macro("sf_last_day", moment) if part is None else macro("sf_last_day", moment, _text(part_name(part)))


@function("TIME_SLICE")
def time_slice(moment: Expr, count: Expr, part: Expr, edge: Expr | None = None) -> Expr:
    name = part_name(part)
    at_end = exp.Literal.number(1 if edge is not None and str(literal(edge, "TIME_SLICE")).upper() == "END" else 0)
    shown = macro("sf_moment", moment.copy())
    if name in _DAYS:
        sliced = macro("sf_sliced_days", _times(count, _DAYS[name]), shown, at_end)
    elif name in _MONTHS:
        sliced = macro("sf_sliced_months", _times(count, _MONTHS[name]), shown, at_end)
    else:
        sliced = macro("sf_sliced_seconds", _times(count, _MICROSECONDS[name] // 1_000_000), shown, at_end)
    return macro("sf_like_argument", moment, sliced)


_INTERVAL_PART = re.compile(r"\s*([+-]?\d+)\s*([a-z_]*)\s*,?", re.IGNORECASE)
_ONE_OF = {"month": "months", "day": "days", "microsecond": "microseconds"}


@rewrite(exp.Interval)
def interval(node: exp.Interval, session: Session) -> Expr:
    """An interval constant, whose parts DuckDB takes as months, days and microseconds.

    Source: https://docs.snowflake.com/en/sql-reference/data-types-datetime
    """
    if not isinstance(node.this, exp.Literal):
        return node
    if not isinstance(node.parent, (exp.Add, exp.Sub, exp.WindowSpec, exp.Paren, exp.Anonymous)):
        raise unsupported("an interval as a value of its own")
    parts = interval_parts(node)
    written = " ".join(f"{count} {_ONE_OF[part]}" for part, count in parts.items() if count) or "0 days"
    return exp.Interval(this=_text(written))


def interval_parts(node: exp.Interval) -> dict[str, int]:
    """How many months, days and microseconds an interval constant has."""
    text = f"{node.this.name} {node.args['unit'].name if node.args.get('unit') else ''}".strip()
    if not re.fullmatch(f"({_INTERVAL_PART.pattern})+", text, re.IGNORECASE):
        raise syntax_error(f"in the interval constant '{text}'.")
    parts = dict.fromkeys(_ONE_OF, 0)
    for count, unit in _INTERVAL_PART.findall(text):
        name = part_name(_text(unit or "second"))
        if name in _MONTHS:
            parts["month"] += int(count) * _MONTHS[name]
        elif name in _DAYS:
            parts["day"] += int(count) * _DAYS[name]
        elif name == "nanosecond":
            parts["microsecond"] += int(count) // 1000
        else:
            parts["microsecond"] += int(count) * _MICROSECONDS[name]
    return parts


@rewrite(exp.Add, exp.Sub)
def date_and_interval(node: exp.Binary, session: Session) -> Expr:
    """A DATE and an interval of days or longer is a DATE."""
    return cast(node.copy(), exp.DType.DATE) if kind_of(node) == types.DATE and node.find(exp.Interval) else node


@rewrite(exp.CurrentTimestamp, exp.Localtimestamp)
def current_timestamp(node: exp.CurrentTimestamp, session: Session) -> Expr:
    now = exp.Anonymous(this="now")
    if node.args.get("sysdate"):
        return exp.AtTimeZone(this=now, zone=_text("UTC"))
    return now


@function("GETDATE", "SYSTIMESTAMP")
def now() -> Expr:
    return exp.Anonymous(this="now")


@function("SYSDATE")
def sysdate() -> Expr:
    return exp.AtTimeZone(this=exp.Anonymous(this="now"), zone=_text("UTC"))
