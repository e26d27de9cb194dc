"""Snowflake's functions by name, as they are written down in `functions/*.sql`.

A macro with typed parameters is DuckDB's to choose from when the statement is bound. One without them whose text
leads to such a macro is expanded here, because DuckDB wants to know an argument's type when a macro is created.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any, ClassVar

from sqlglot import Expr, exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.parsers.duckdb import DuckDBParser

from intentscore.local.rewrites.registry import KIND, kind_of

SCHEMA = "memory.main."
TEXT_OF = ("sf_text", "sf_to_varchar", "sf_bytes_or_text")  # of a text, that text
FLOAT_OF = ("sf_number", "sf_operand", "sf_to_double")  # of a floating-point number, that number
NUMBER_OF = ("sf_number", "sf_count_added")  # of a written number, that number
GIVING_WIDE_NUMBERS = ("date_diff", "sf_quotient", "sf_to_integer")  # of more than 32 bits
GIVING_NUMBERS = (*GIVING_WIDE_NUMBERS, "floor", "ceil", "round")
GIVING_MOMENTS = ("sf_plus_micros", "sf_plus_days", "sf_plus_months", "sf_to_timestamp", "sf_truncated")
ANSWERED_BEFORE = {"sf_number": GIVING_NUMBERS, "sf_operand": GIVING_WIDE_NUMBERS, "sf_movable": GIVING_MOMENTS}
_DEFINITION = re.compile(r"CREATE OR REPLACE MACRO (sf_\w+)(.*?);\s*$", re.S | re.M)
_USED = re.compile(r"\b(sf_\w+)\(")


@dataclass(frozen=True)
class Overload:
    parameters: tuple[str, ...]
    typed: bool
    body: str
    text: str


@dataclass(frozen=True)
class Macro:
    """What DuckDB is given of a macro, and the overloads that are expanded here, by their number of parameters."""

    text: str
    expanded: dict[int, Overload]
    of_moments: bool
    """Whether one of its overloads takes a TIMESTAMP_TZ alone: a bare NULL then fits too many of them."""


def _definitions() -> Iterator[tuple[str, str]]:
    folder = resources.files("intentscore.local").joinpath("functions")
    for script in sorted(folder.iterdir(), key=str):
        for found in _DEFINITION.finditer(re.sub(r"(?m)^--.*\n", "", script.read_text())):
            yield found[1], found[2]


def _overloads(rest: str) -> Iterator[Overload]:
    """`(a, b) AS body, (a TYPE) AS body…` in its parts."""
    at = 0
    while at < len(rest):
        start = rest.index("(", at)
        end = _closing(rest, start)
        body_start = rest.index("AS", end) + 2
        at = body_end = _end_of_body(rest, body_start)
        declared = _split(rest[start + 1 : end])
        names = tuple(parameter.split()[0] for parameter in declared)
        typed = any(" " in parameter for parameter in declared)
        yield Overload(names, typed, rest[body_start:body_end].strip(), rest[start:body_end])
        at += 1


def _closing(text: str, at: int) -> int:
    depth = 0
    for i, c in _outside_literals(text, at):
        depth += (c == "(") - (c == ")")
        if depth == 0:
            return i
    raise ValueError(text)


def _end_of_body(text: str, at: int) -> int:
    depth = 0
    for i, c in _outside_literals(text, at):
        depth += (c in "([{") - (c in ")]}")
        if c == "," and depth == 0:
            return i
    return len(text)


def _split(parameters: str) -> list[str]:
    found, depth, start = [], 0, 0
    for i, c in enumerate(parameters):
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            found.append(parameters[start:i].strip())
            start = i + 1
    return [*found, parameters[start:].strip()] if parameters.strip() else []


def _outside_literals(text: str, at: int) -> Iterator[tuple[int, str]]:
    inside = False
    for i in range(at, len(text)):
        if text[i] == "'":
            inside = not inside
        elif not inside:
            yield i, text[i]


@functools.cache
def macros() -> dict[str, Macro]:
    found: dict[str, Macro] = {}
    chosen_late: set[str] = set()
    for name, rest in _definitions():
        overloads = list(_overloads(rest))
        typed = {len(overload.parameters) for overload in overloads if overload.typed}
        late = chosen_late | {name}
        expanded = {
            len(overload.parameters): overload
            for overload in overloads
            if len(overload.parameters) not in typed and late & set(_USED.findall(overload.body))
        }
        created = [overload.text for overload in overloads if len(overload.parameters) not in expanded]
        if typed or expanded:
            chosen_late.add(name)
        text = f"CREATE OR REPLACE MACRO {name}{', '.join(created)}" if created else ""
        found[name] = Macro(text, expanded, any(re.match(r"\(\w+ INTERVAL\)", o.text) for o in overloads))
    return found


def for_duckdb() -> Iterator[str]:
    """The definitions DuckDB is given."""
    return (macro.text for macro in macros().values() if macro.text)


def macro(name: str, *arguments: Expr) -> Expr:
    """A call of a macro, or of a function of DuckDB's own."""
    if len(arguments) == 1 and _is_itself(name, arguments[0]):
        return arguments[0]
    if not name.startswith("sf_"):
        return exp.Anonymous(this=name, expressions=list(arguments))
    overload = macros()[name].expanded.get(len(arguments))
    if overload is not None:
        return _expand(overload, arguments)
    if macros()[name].of_moments and len(arguments) == 1 and isinstance(arguments[0].unnest(), exp.Null):
        arguments = (exp.cast(exp.Null(), exp.DType.TEXT),)
    return exp.Anonymous(this=SCHEMA + name, expressions=list(arguments))


def _is_itself(name: str, argument: Expr) -> bool:
    """Whether a conversion gives its argument back: a number is a number, a text a text."""
    inside = argument.unnest()
    if name in NUMBER_OF and isinstance(inside, exp.Literal):
        return not inside.is_string
    if _called(inside) in ANSWERED_BEFORE.get(name, ()) or (name == "sf_number" and isinstance(inside, exp.Mul)):
        return True  # each overloaded macro around it would have DuckDB bind it several times more
    kind = kind_of(argument)
    return kind is not None and (
        (name in TEXT_OF and kind.wire == "text") or (name in FLOAT_OF and kind.wire == "real")
    )


def _called(inside: Expr) -> str:
    return inside.name.lower().removeprefix(SCHEMA) if isinstance(inside, exp.Anonymous) else ""


def _expand(overload: Overload, arguments: tuple[Expr, ...]) -> Expr:
    given = dict(zip(overload.parameters, arguments, strict=True))
    body = exp.Paren(this=_parsed(overload.body).copy())
    for column in list(body.find_all(exp.Column)):
        if not column.table and column.name in given:
            argument = given[column.name].copy()
            inside: Expr = exp.paren(argument, copy=False)
            if (kind := kind_of(argument)) is not None:
                inside.meta[KIND] = kind
            column.replace(inside)
    for call in list(body.find_all(exp.Anonymous)):
        if call.name.startswith("sf_"):
            call.replace(macro(call.name, *call.expressions))
    return body


@functools.cache
def _parsed(body: str) -> Expr:
    select = _Plain().parse(f"SELECT {body}")[0]
    assert isinstance(select, exp.Select)
    expression: Expr = select.expressions[0]
    return expression


class _PlainParser(DuckDBParser):
    """Every function call stays a plain call."""

    FUNCTIONS: ClassVar[dict[str, Any]] = {}
    FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
        k: v for k, v in DuckDBParser.FUNCTION_PARSERS.items() if k in ("CAST", "TRY_CAST")
    }


class _Plain(DuckDB):
    Parser = _PlainParser
