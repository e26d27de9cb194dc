"""Where blocks come in: BEGIN … END and DECLARE … as statements, and the procedures in SQL."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlglot.tokenizer_core import TokenType

from intentscore.local import offsets, results, types
from intentscore.local.errors import SnowflakeError
from intentscore.local.names import ObjectName
from intentscore.local.parsing import as_literal
from intentscore.local.results import Result
from intentscore.local.scanner import tokenize
from intentscore.local.scripting import parser
from intentscore.local.scripting.interpreter import Interpreter, Returned, cast, select
from intentscore.local.scripting.variables import Scope, Variable, literal

if TYPE_CHECKING:
    from intentscore.local.session import Session
    from intentscore.local.signatures import Routine

ANONYMOUS = "anonymous block"


def run_block(session: Session, text: str, bindings: Sequence[Any], *, describe_only: bool) -> Result:
    """An anonymous block; what it returns is its one row, or its rows."""
    text = _bound(text, bindings)
    block = parser.parse(text)
    if describe_only:
        return results.rows({ANONYMOUS: types.TEXT}, [])
    returned = Interpreter(session, text, Scope()).run(block)
    if returned.result is None:
        return results.rows({ANONYMOUS: types.TEXT}, [[None]])
    return returned.result if returned.is_table else _one_value(returned.result, ANONYMOUS)


def _bound(text: str, bindings: Sequence[Any]) -> str:
    """Values of the client's in the places of their `?`."""
    if not bindings:
        return text
    waiting, pieces, at = iter(bindings), [], 0
    for token in tokenize(text):
        if token.token_type is TokenType.PLACEHOLDER:
            value = as_literal(next(waiting, None)).sql(dialect="snowflake")
            pieces += [text[at : token.start], value]
            at = token.end + 1
    return "".join([*pieces, text[at:]])


def _one_value(result: Result, label: str) -> Result:
    return Result(result.table.rename_columns([label]), result.columns)


def call(session: Session, routine: Routine, name: ObjectName, row: pa.Table) -> Result:
    """A procedure in SQL, with a row of arguments in their declared types."""
    scope, body = Scope(), str(routine.body)
    for i, argument in enumerate(routine.arguments):
        scope.named[argument.name] = Variable(
            offsets.moments(row.column(i))[0], types.from_declared(argument.type), argument.type
        )
    text = parser.as_block(body)
    block = parser.parse(text)
    with standing(session, routine, name):
        returned = Interpreter(session, text, scope).run(block)
    return _answer(session, routine, returned)


@contextlib.contextmanager
def standing(session: Session, routine: Routine, name: ObjectName) -> Iterator[None]:
    """A procedure with its owner's rights stands in its own database and schema."""
    if routine.execute_as != "OWNER":
        yield
        return
    with session.standing_in(name.database, name.schema):
        yield


def _answer(session: Session, routine: Routine, returned: Returned) -> Result:
    if routine.columns is not None:
        if returned.result is None or not returned.is_table:
            raise _wrong_return(routine)
        if routine.columns and len(routine.columns) != len(returned.result.columns):
            raise _wrong_return(routine)
        labels = [column.name for column in routine.columns] or returned.result.table.column_names
        return Result(returned.result.table.rename_columns(labels), returned.result.columns)
    if returned.is_table:
        raise _wrong_return(routine)
    value = Variable() if returned.result is None else _value(returned.result)
    return _one_value(select(session, cast(literal(value), routine.returns)), routine.name)


def _value(result: Result) -> Variable:
    return Variable(offsets.moments(result.table.column(0))[0], result.columns[0])


def _wrong_return(routine: Routine) -> SnowflakeError:
    return SnowflakeError(
        f"Stored procedure execution error: declared return type '{routine.returns}' is incompatible with actual "
        "return type.", 1007, "P0000",
    )  # fmt: skip
