"""Whole numbers of more than 64 bits: a NUMBER(38, 0) column is held in 64 until one comes that needs 128."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from sqlglot import Expr, exp

from intentscore.local import columns, types
from intentscore.local.errors import NumberTooWideError
from intentscore.local.names import quote
from intentscore.local.statements import Effect

if TYPE_CHECKING:
    from intentscore.local.results import Result
    from intentscore.local.session import Session


def retried(session: Session, statement: Expr, write: Callable[[], Result]) -> Result:
    """Run a DML statement; where a number is too wide for the table it writes to, widen that and run it again."""
    target = _written_table(statement).copy()
    try:
        return write()
    except NumberTooWideError:
        _widen(session, target)
        with wide_numbers(session):
            return write()


@contextlib.contextmanager
def wide_numbers(session: Session) -> Iterator[None]:
    """For as long as the block lasts, what is cast to NUMBER(38, 0) may have 128 bits."""
    session.wide_numbers = True
    try:
        yield
    finally:
        session.wide_numbers = False


def _written_table(statement: Expr) -> Expr:
    target: Expr = statement.expressions[0] if isinstance(statement, exp.TruncateTable) else statement.this
    return target.this if isinstance(target, exp.Schema) else target


def _widen(session: Session, table: Expr) -> None:
    from intentscore.local.tables import object_name

    name = object_name(session, table)
    with session.effect(Effect.WRITE):
        for column in columns.table_columns(session, name):
            if column.type == types.NUMBER and column.held == "BIGINT":
                session.fetch(f"ALTER TABLE {session.physical(name)} ALTER {quote(column.held_name)} TYPE HUGEINT")
