"""Variables of a block: their values, and the text of expressions and SQL with the values in it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from sqlglot.tokenizer_core import Token, TokenType

from intentscore.local import names, offsets, types
from intentscore.local.errors import SnowflakeError, invalid_identifier
from intentscore.local.results import Result
from intentscore.local.scanner import tokenize
from intentscore.local.types import ColumnType

NUMBERED = (TokenType.NUMBER, TokenType.STRING, TokenType.RAW_STRING)
NOT_A_VARIABLE_AFTER = (".", "::", "AS", "=>")
QUERY_WORDS = ("SELECT", "WITH")


@dataclass
class Variable:
    """A value as Python holds it; semi-structured ones are JSON texts."""

    value: Any = None
    type: ColumnType = types.TEXT
    declared: str | None = None


@dataclass
class Rows:
    """A RESULTSET: what a query answered; None before it is assigned."""

    result: Result | None = None


@dataclass
class Cursor:
    """A query to open, or the rows of an open one."""

    query: str
    result: Result | None = None
    waiting: Iterator[dict[str, Variable]] = field(default_factory=lambda: iter(()))


@dataclass(frozen=True)
class DeclaredException:
    code: int
    message: str


Record = dict[str, Variable]
Named = Variable | Rows | Cursor | DeclaredException | Record


class Scope:
    """The names of a block; those of the blocks around it are behind them."""

    def __init__(self, outer: Scope | None = None) -> None:
        self.named: dict[str, Named] = {}
        self.outer = outer

    def find(self, name: str) -> Named | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.named:
                return scope.named[name]
            scope = scope.outer
        return None

    def variable(self, name: str) -> Variable:
        found = self.find(name)
        if not isinstance(found, Variable):
            raise invalid_identifier(name)
        return found


def records(result: Result) -> Iterator[Record]:
    """The rows of a result, one at a time."""
    labels = [name.upper() for name in result.table.column_names]
    for batch in result.table.to_batches(max_chunksize=1024):
        columns = [offsets.moments(column) for column in batch.columns]
        for row in zip(*columns, strict=True):
            yield {label: Variable(value, kind) for label, value, kind in zip(labels, row, result.columns, strict=True)}


def literal(variable: Variable) -> str:
    """The value as SQL."""
    value, wire = variable.value, variable.type.wire
    if value is None:
        return "NULL"
    if wire in types.SEMI_STRUCTURED:
        parsed = f"PARSE_JSON({text_literal(str(value))})"
        return f"{parsed}::{wire.upper()}" if wire in ("array", "object") else parsed
    match value:
        case bool():
            return str(value).upper()
        case float():
            return f"({value!r}::FLOAT)" if math.isfinite(value) else f"'{value}'::FLOAT"
        case datetime():
            return f"'{value.isoformat(' ')}'::{wire.upper()}"
        case date():
            return f"'{value.isoformat()}'::DATE"
        case time():
            return f"'{value.isoformat()}'::TIME"
        case bytes():
            return f"TO_BINARY('{value.hex()}', 'HEX')"
        case str():
            return text_literal(value)
        case _:
            return f"({value})" if value < 0 else str(value)


def text_literal(value: str) -> str:
    return names.literal(value.replace("\\", "\\\\"))


def in_sql(text: str, scope: Scope) -> str:
    """A statement with `:name` replaced by the variable's value; `column:path` stays."""
    return _substituted(text, scope, expression=False)


def in_expression(text: str, scope: Scope) -> str:
    """An expression with its variables, bare or with a colon, replaced; within a subquery only those with a colon."""
    return _substituted(text, scope, expression=True)


def _substituted(text: str, scope: Scope, *, expression: bool) -> str:
    tokens = tokenize(text)
    pieces, at, i = [], 0, 0
    queries = _subqueries(tokens) if expression else set()
    while i < len(tokens):
        length, replacement = 1, None
        if _is_bind(tokens, i):
            length, replacement = _reference(tokens, i + 1, scope, must_be=True)
            length += 1
        elif expression and i not in queries and _may_be_variable(tokens, i):
            length, replacement = _reference(tokens, i, scope, must_be=False)
        if replacement is not None:
            pieces += [text[at : tokens[i].start], replacement]
            at = tokens[i + length - 1].end + 1
        i += length
    return "".join([*pieces, text[at:]])


def _is_bind(tokens: list[Token], i: int) -> bool:
    """A colon with a name behind it, and no value right in front of it."""
    token = tokens[i]
    if token.token_type is not TokenType.COLON or i + 1 == len(tokens) or not _is_name(tokens[i + 1]):
        return False
    before = tokens[i - 1] if i else None
    if before is None or before.end + 1 != token.start:
        return True
    return before.text[-1:] not in (")", "]") and not (before.text[-1:].isalnum() or before.text[-1:] == "_")


def _is_name(token: Token) -> bool:
    return token.token_type not in NUMBERED and (token.text[:1].isalpha() or token.text[:1] == "_")


def _may_be_variable(tokens: list[Token], i: int) -> bool:
    before = tokens[i - 1].text.upper() if i else ""
    after = tokens[i + 1].text if i + 1 < len(tokens) else ""
    return _is_name(tokens[i]) and before not in NOT_A_VARIABLE_AFTER and after not in ("(", "=>")


def _reference(tokens: list[Token], i: int, scope: Scope, *, must_be: bool) -> tuple[int, str | None]:
    """How many tokens name a variable or a record's column here, and the value as SQL."""
    found = scope.find(_folded(tokens[i]))
    if isinstance(found, Variable):
        return 1, literal(found)
    if isinstance(found, dict) and i + 2 < len(tokens) and tokens[i + 1].text == ".":
        column = _folded(tokens[i + 2])
        if column.upper() not in found:
            raise invalid_identifier(f"{_folded(tokens[i])}.{column}")
        return 3, literal(found[column.upper()])
    if must_be:
        raise SnowflakeError(f"SQL compilation error:\nBind variable :{_folded(tokens[i])} not set.", 2210, "42601")
    return 1, None


def _folded(token: Token) -> str:
    return token.text if token.token_type is TokenType.IDENTIFIER else token.text.upper()


def _subqueries(tokens: list[Token]) -> set[int]:
    """The tokens that stand within a query in parentheses: there a bare name is a column."""
    found: set[int] = set()
    depth, began = 0, None
    for i, token in enumerate(tokens):
        if token.token_type is TokenType.L_PAREN:
            depth += 1
            if began is None and i + 1 < len(tokens) and tokens[i + 1].text.upper() in QUERY_WORDS:
                began = depth
        elif token.token_type is TokenType.R_PAREN:
            if began == depth:
                began = None
            depth -= 1
        if began is not None:
            found.add(i)
    return found
