"""CALL, anonymous procedures, and procedures in FROM: the handler runs in its own process, its statements here."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlglot import Expr, exp

from intentscore.local import names, parsing, results, rewrites, routines, sql, types
from intentscore.local.errors import SnowflakeError, invalid
from intentscore.local.results import Result
from intentscore.local.rewrites.macros import macro
from intentscore.local.routines import PROCEDURE, Found
from intentscore.local.scripting import blocks
from intentscore.local.signatures import Parameter, Routine, read_routine
from intentscore.local.sources import reference
from intentscore.local.statements import Effect, Statement, statement
from intentscore.local.types import ColumnType

if TYPE_CHECKING:
    from intentscore.local.session import Session
    from intentscore.local.workers import Definition, Worker


@dataclass(frozen=True)
class Arguments:
    """The arguments of a call: one row of values with their types, named `A0`, `A1`…"""

    table: pa.Table
    types: list[ColumnType | None]
    named: list[str]


@statement("CALL", effect=Effect.CALL)
def call(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    parts = scanner.name()
    given, bindings = scanner.parenthesised(), scanner.unused_bindings()
    scanner.end()
    if parts[-1].startswith("SYSTEM$"):
        return sql.query(session, parsing.parse(f"SELECT {parts[-1]}({given})", bindings))
    arguments = evaluate(session, read_arguments(given, bindings))
    return run(session, find(session, parts, arguments), arguments, describe_only=head.describe_only)


@statement("WITH PROCEDURE", effect=Effect.CALL)
def call_anonymous(session: Session, head: Statement) -> Result:
    """`WITH name AS PROCEDURE (…) … CALL name(…)`: a procedure for this one statement."""
    scanner = head.scanner
    scanner.at = 0
    scanner.expect("WITH")
    parts = scanner.name()
    scanner.expect("AS", "PROCEDURE")
    routine = read_routine(scanner, parts[-1], ends_with="CALL")
    routine.execute_as = "CALLER"
    scanner.expect("CALL")
    if scanner.name() != parts:
        raise invalid(f"CALL must name the procedure {'.'.join(parts)} that stands before it")
    given = scanner.parenthesised()
    if scanner.accept("INTO"):
        raise scanner.unexpected()
    scanner.end()
    routines.check(session, routine, PROCEDURE)
    arguments = evaluate(session, read_arguments(given, scanner.bindings))
    name = names.ObjectName(session.database or "", session.schema or "", parts[-1])
    found = Found(name, routine, session.catalog.new(PROCEDURE, name))
    if routines.choose([found], arguments.types, arguments.named) is None:
        raise routines.unknown(PROCEDURE, parts, [found], arguments.types)
    return run(session, found, arguments, describe_only=head.describe_only)


# ---------------------------------------------------------------------------- arguments


def read_arguments(text: str, bindings: Sequence[Any] = ()) -> list[Expr]:
    parsed = parsing.parse(f"SELECT _CALLED({text})", bindings)
    called = parsed.expressions[0]
    return list(called.expressions)


def evaluate(session: Session, given: Sequence[Expr]) -> Arguments:
    """What the arguments of a call are worth, before the overload is known."""
    named = [argument.name.upper() for argument in given if isinstance(argument, exp.Kwarg)]
    if named and len(named) != len(given):
        raise invalid("arguments by position and by name cannot be mixed in one call")
    cells = [argument.expression if isinstance(argument, exp.Kwarg) else argument for argument in given]
    if not cells:
        return Arguments(pa.table({}), [], [])
    query = exp.select(*(exp.alias_(cell.copy(), f"A{i}", quoted=True) for i, cell in enumerate(cells)))
    answer = sql.query(session, query)
    kinds = [None if isinstance(c, exp.Null) else t for c, t in zip(cells, answer.columns, strict=True)]
    return Arguments(answer.table, kinds, named)


def find(session: Session, parts: Sequence[str], arguments: Arguments) -> Found:
    found = routines.overloads(session, PROCEDURE, parts)
    chosen = routines.choose(found, arguments.types, arguments.named)
    if chosen is None:
        raise routines.unknown(PROCEDURE, parts, found, arguments.types)
    return chosen


def converted(session: Session, routine: Routine, arguments: Arguments) -> pa.Table:
    """The row of arguments in the declared order and types, defaults filled in."""
    if not routine.arguments:
        return pa.table({})
    cells = []
    for i, parameter in enumerate(routine.arguments):
        at = arguments.named.index(parameter.name) if parameter.name in arguments.named else i
        if (arguments.named and parameter.name not in arguments.named) or at >= len(arguments.types):
            value: Expr = parsing.parse(f"SELECT {parameter.default}").expressions[0].unalias()
        else:
            value = exp.column(f"A{at}", quoted=True)
            if is_semi_structured(arguments.types[at]):
                value = exp.Anonymous(this="json", expressions=[value])
        given = routines.cast_to(value, parameter.type)
        if is_semi_structured(types.from_declared(parameter.type)):
            given = macro("sf_document", given)
        cells.append(exp.alias_(given, f"P{i}", quoted=True))
    with sql.Preparation(session) as preparation:
        query = exp.select(*cells)
        if arguments.types:
            query = query.from_(reference(preparation.register(arguments.table)))
        prepared = sql.generate(rewrites.apply(query, session))
        return plain(session.duck.sql(prepared).to_arrow_table())


def is_semi_structured(kind: ColumnType | None) -> bool:
    return kind is not None and kind.wire in ("variant", "object", "array")


def plain(table: pa.Table) -> pa.Table:
    """Without Arrow's extension types: JSON is text between the processes."""
    columns = [
        pa.chunked_array([c.storage for c in column.chunks], column.type.storage_type)
        if isinstance(column.type, pa.BaseExtensionType)
        else column
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names) if columns else table


# ---------------------------------------------------------------------------- running


def run(session: Session, found: Found, arguments: Arguments, *, describe_only: bool = False) -> Result:
    if found.routine.language == "SQL":
        return _run_block(session, found, arguments, describe_only=describe_only)
    definition = routines.definition(session, found.routine, PROCEDURE)
    kinds = [column_type(kind, stored) for _, kind, stored in definition.returns]
    labels = [name for name, _, _ in definition.returns] if found.routine.columns else [found.routine.name]
    if describe_only:
        return results.rows(dict(zip(labels, kinds, strict=True)), []) if kinds else sql.status_columns()
    row = converted(session, found.routine, arguments)
    with leased(session, definition) as worker, _guest(session, found) as connection:
        answer, table = worker.ask({"do": "call", "connection": connection}, row)
    if table is not None:
        if found.routine.columns is not None:
            raise SnowflakeError(
                "Stored procedure execution error: a procedure that returns a table must return a data frame, "
                f"in function {found.routine.name} with handler {definition.handler}", 100357, "P0000",
            )  # fmt: skip
        return Result(_printed(table, kinds[0]).rename_columns(labels), kinds)
    return _returned_table(session, found.routine, answer["query_id"], labels)


def _run_block(session: Session, found: Found, arguments: Arguments, *, describe_only: bool) -> Result:
    routine = found.routine
    if describe_only:
        outputs = routine.columns or [Parameter(routine.name, routine.returns)]
        return results.rows({o.name: types.from_declared(o.type) for o in outputs}, [])
    was_open = session.in_transaction
    answer = blocks.call(session, routine, found.name, converted(session, routine, arguments))
    _refuse_open_transaction(session, was_open=was_open)
    return answer


def _printed(table: pa.Table, kind: ColumnType) -> pa.Table:
    """A semi-structured value as Snowflake prints it, over several lines."""
    if not is_semi_structured(kind):
        return table
    texts = [None if v is None else json.dumps(json.loads(v), indent=2) for v in table.column(0).to_pylist()]
    return pa.table({"RESULT": pa.array(texts, pa.string())})


def _returned_table(session: Session, routine: Routine, query_id: str, labels: list[str]) -> Result:
    """The rows of the query that the handler returned, under the declared names where there are any."""
    result = session.results.get(query_id)
    if result is None:
        raise SnowflakeError(f"Statement {query_id} not found", 709, "02000")
    if not routine.columns:
        return Result(result.table, result.columns)
    if len(labels) != len(result.columns):
        raise SnowflakeError(
            f"Stored procedure execution error: declared return type '{routine.returns}' is incompatible with actual "
            "return type: the number of columns differs.", 1007, "P0000",
        )  # fmt: skip
    return Result(result.table.rename_columns(labels), result.columns)


def column_type(kind: str, stored: str) -> ColumnType:
    """The type of a result column that was declared as `kind`."""
    if kind.split("(")[0] in ("VARIANT", "OBJECT", "ARRAY", "GEOGRAPHY", "TIMESTAMP_LTZ", "VARCHAR"):
        return types.from_declared(kind)
    return types.from_duckdb("TIMESTAMP WITH TIME ZONE" if stored == "TIMESTAMPTZ" else stored.replace(", ", ","))


@contextlib.contextmanager
def leased(session: Session, definition: Definition) -> Iterator[Worker]:
    """A process for the handler; cancelling the query kills it."""
    with (
        session.engine.workers.lease(definition, nested=session.running.depth > 0) as worker,
        session.working(worker),
    ):
        yield worker


@contextlib.contextmanager
def _guest(session: Session, found: Found) -> Iterator[dict[str, Any]]:
    """How the handler's session connects: with a token for this one call, to the session that makes the call.

    A procedure with its owner's rights stands in its own database and schema; one with its caller's rights
    stands where the caller does, and may move it.
    """
    engine, token = session.engine, secrets.token_urlsafe(32)
    stood, was_open = (session.database, session.schema), session.in_transaction
    if found.routine.execute_as == "OWNER":
        session.database, session.schema = found.name.database, found.name.schema
    engine.guests[token] = session
    try:
        with session.running.lent(token):
            yield {
                "token": token, "host": engine.host, "port": engine.port, "protocol": "http",
                "account": engine.account, "user": engine.user, "database": session.database,
                "schema": session.schema, "role": session.role, "warehouse": session.warehouse,
            }  # fmt: skip
    finally:
        del engine.guests[token]
        if found.routine.execute_as == "OWNER":
            session.database, session.schema = stood
    _refuse_open_transaction(session, was_open=was_open)


def _refuse_open_transaction(session: Session, *, was_open: bool) -> None:
    """A procedure ends the transactions that it begins."""
    if session.in_transaction and not was_open and session.parameters["AUTOCOMMIT"]:
        session.rollback()
        raise SnowflakeError(
            "Stored procedure execution error: Scoped transaction started in stored procedure is incomplete "
            "and it was rolled back.", 90232, "P0001",
        )  # fmt: skip
