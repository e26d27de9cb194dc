"""Snowflake's SQL parsed: what the parser reads otherwise put right, and values bound."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from sqlglot import Expr, exp
from sqlglot.errors import ParseError
from sqlglot.tokenizer_core import Token, TokenType

from intentscore.local import dialect, model_aliases
from intentscore.local.errors import COMPILATION, SnowflakeError, syntax_error, unsupported
from intentscore.local.scanner import Scanner, tokenize
from intentscore.local.statements import describe, read_head

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # what it cannot read, we refuse by name ourselves
MOST_IN_A_LIST = 200_000
SNOWFLAKE = dialect.Engine()


def parse(text: str, bindings: Sequence[Any] = (), *, describe_only: bool = False) -> Expr:
    """One statement as sqlglot's tree, with bound values in their places; to be described it needs none."""
    tokens = tokenize(text)
    _refuse_long_list(tokens)
    tokens = model_aliases.expand(_conditions_first(_without_scoped(tokens)))
    try:
        parsed = [
            e for e in dialect.Parser(dialect="snowflake").parse(tokens, text) if e and not isinstance(e, exp.Semicolon)
        ]
    except ParseError as error:
        raise syntax_error(_first_error(error)) from None
    if len(parsed) != 1:
        raise SnowflakeError(
            f"Actual statement count {len(parsed)} did not match the desired statement count 1.", 8, "0A000"
        )
    if isinstance(parsed[0], exp.Command):
        raise unsupported(f"the statement {describe(read_head(Scanner(text)))}: {text[:120]}")
    return bind(_with_default_schema(parsed[0]), bindings, unset_allowed=describe_only)


def _with_default_schema(root: Expr) -> Expr:
    """`DB..T` is a table of the schema PUBLIC."""
    for table in root.find_all(exp.Table):
        if table.args.get("catalog") and not table.db:
            table.set("db", exp.to_identifier("PUBLIC", quoted=True))
    return root


def _refuse_long_list(tokens: list[Token]) -> None:
    """VALUES has a limit of rows."""
    if len(tokens) <= MOST_IN_A_LIST or not any(token.token_type is TokenType.VALUES for token in tokens[:1000]):
        return
    depth = rows = 0
    for token in tokens:
        rows += depth <= 1 and token.token_type is TokenType.L_PAREN
        depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
    if rows > MOST_IN_A_LIST:
        detail = f"maximum number of expressions in a list exceeded, expected at most {MOST_IN_A_LIST:,}, got {rows:,}"
        raise SnowflakeError(f"{COMPILATION}{detail}", 1795, "42601")


def _without_scoped(tokens: list[Token]) -> list[Token]:
    """SCOPED TEMPORARY is TEMPORARY to sqlglot."""
    following = [token.text.upper() for token in tokens[1:]] + [""]
    return [
        token
        for token, after in zip(tokens, following, strict=True)
        if token.text.upper() != "SCOPED" or after not in ("TEMP", "TEMPORARY")
    ]


def _conditions_first(tokens: list[Token]) -> list[Token]:
    """CREATE TABLE T IF NOT EXISTS (…) is CREATE TABLE IF NOT EXISTS T (…) to sqlglot."""
    words = [token.text.upper() for token in tokens[:24]]
    if words[:1] != ["CREATE"] or "TABLE" not in words or "IF" not in words:
        return tokens
    table, condition = words.index("TABLE") + 1, words.index("IF")
    if condition <= table or "(" in words[:condition] or words[condition : condition + 3] != ["IF", "NOT", "EXISTS"]:
        return tokens
    name, clause = tokens[table:condition], tokens[condition : condition + 3]
    return [*tokens[:table], *clause, *name, *tokens[condition + 3 :]]


def _first_error(error: ParseError) -> str:
    found = error.errors[0] if error.errors else {}
    what = f"unexpected '{word}'" if (word := found.get("highlight")) else found.get("description", error)
    return f"line {found.get('line', 1)} at position {found.get('col', 0)} {what}."


def bind(root: Expr, bindings: Sequence[Any], *, unset_allowed: bool = False) -> Expr:
    """Bound values as literals, `?` and `:1` alike."""
    waiting = iter(bindings)
    for node in list(root.find_all(exp.Placeholder, bfs=False)):
        if node.name.isdigit():
            value = bindings[int(node.name) - 1] if not unset_allowed or int(node.name) <= len(bindings) else None
        else:
            try:
                value = next(waiting)
            except StopIteration:
                if not unset_allowed:
                    raise syntax_error("bind variable ? not set.") from None
                value = None
        literal = as_literal(value)
        if node is root:
            return literal
        node.replace(literal)
    return root


def as_literal(value: Any) -> Expr:
    match value:
        case datetime():
            kind = "TIMESTAMPTZ" if value.tzinfo else "TIMESTAMP"
            return exp.cast(exp.Literal.string(value.isoformat(" ")), kind)
        case date():
            return exp.cast(exp.Literal.string(value.isoformat()), "DATE")
        case time():
            return exp.cast(exp.Literal.string(value.isoformat()), "TIME")
        case bytes() | bytearray():
            return exp.HexString(this=bytes(value).hex())
        case Decimal():
            return exp.Literal.number(str(value))
        case _:
            return exp.convert(value)


def parse_unbound(text: str) -> Expr:
    parsed = dialect.Parser(dialect="snowflake").parse(tokenize(text), text)
    if not parsed or parsed[0] is None:
        raise syntax_error("empty statement")
    return parsed[0]
