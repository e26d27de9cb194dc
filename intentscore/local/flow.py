"""The flow operator: `SHOW … ->> SELECT … FROM $1`, each statement reading what those before it answered.

Source: https://docs.snowflake.com/en/sql-reference/operators-flow
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlglot import Expr, exp
from sqlglot.tokenizer_core import TokenType

from intentscore.local import sources
from intentscore.local.errors import syntax_error
from intentscore.local.results import Result
from intentscore.local.scanner import tokenize

if TYPE_CHECKING:
    from intentscore.local.session import Session
    from intentscore.local.sql import Preparation

ARROW = "->>"


def parts(text: str) -> list[tuple[str, int]]:
    """The statements of a flow, each with the number of bound values it takes."""
    found, start, placeholders = [], 0, 0
    for token in tokenize(text):
        if token.token_type == TokenType.DARROW:
            found.append((text[start : token.start].strip(), placeholders))
            start, placeholders = token.end + 1, 0
        placeholders += token.token_type == TokenType.PLACEHOLDER
    return [*found, (text[start:].strip(), placeholders)]


def run(session: Session, text: str, bindings: Sequence[Any], *, describe_only: bool) -> Result:
    """Run the statements in their order; the answer of the last is the answer of all."""
    statements, used = parts(text), 0
    if not all(statement for statement, _ in statements):
        raise syntax_error(f"unexpected '{ARROW}'.")
    answered: list[Result] = []
    try:
        for statement, taken in statements:
            last = len(answered) == len(statements) - 1
            given = bindings[used : used + taken]
            session.flow = answered
            answered.append(session.execute(statement, given, describe_only=describe_only and last))
            used += taken
    finally:
        session.flow = []
    return answered[-1]


@sources.resolver
def earlier_answers(root: Expr, preparation: Preparation) -> Expr:
    """`FROM $1` is the statement before this one, `FROM $2` the one before that."""
    for table in list(root.find_all(exp.Table)):
        if isinstance(table.this, exp.Parameter):
            back = int(table.this.name)
            flow = preparation.session.flow
            if not 0 < back <= len(flow):
                raise syntax_error(f"unexpected '${back}': no statement so far back in a flow.")
            registered = preparation.register(sources.read_again(flow[-back]))
            table.replace(sources.reference(registered, table.args.get("alias")))
    return root
