"""User-defined functions in a query: scalar and aggregate ones in their own processes, SQL ones put in place."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlglot import Expr, exp

from intentscore.local import context_functions, parsing, rewrites, routines, sql
from intentscore.local.errors import SnowflakeError, unsupported
from intentscore.local.names import quote
from intentscore.local.procedures import leased
from intentscore.local.rewrites.conversions import ZONED
from intentscore.local.rewrites.macros import macro
from intentscore.local.routines import FUNCTION, Found
from intentscore.local.signatures import Routine
from intentscore.local.sources import resolver

if TYPE_CHECKING:
    from intentscore.local.session import Session
    from intentscore.local.sql import Preparation
    from intentscore.local.workers import Definition, Worker

DEEPEST = 32

SEMI_STRUCTURED = {"VARIANT": "sf_to_variant", "VARIANT[]": "sf_to_array", "MAP(VARCHAR, VARIANT)": "sf_to_object"}


@resolver
def function_calls(root: Expr, preparation: Preparation) -> Expr:
    """Every call of a function that users made, innermost first."""
    for _ in range(DEEPEST):
        replaced, root = _one_pass(root, preparation)
        if not replaced:
            return root
    raise unsupported(f"SQL functions nested more than {DEEPEST} deep")


def _one_pass(root: Expr, preparation: Preparation) -> tuple[bool, Expr]:
    """Replace the calls in sight; true when the body of a SQL function may have brought new ones."""
    replaced = False
    known: dict[tuple[str, ...], list[Found]] = {}
    for call in reversed(list(root.find_all(exp.Anonymous))):
        parts, node = called(call)
        if call.find_ancestor(exp.TableFromRows) is not None and _is_row_source(node):
            continue
        if parts not in known:
            known[parts] = [f for f in find_all(preparation.session, FUNCTION, parts) if f.routine.columns is None]
        if not known[parts]:
            continue
        target, replacement = _replacement(call, node, parts, known[parts], preparation)
        replaced = replaced or any(f.routine.language == "SQL" for f in known[parts])
        if target is root:
            root = replacement
        else:
            target.replace(replacement)
    return replaced, root


def called(call: exp.Anonymous) -> tuple[tuple[str, ...], Expr]:
    """The name of a call in its parts, and the node that holds all of them."""
    name = call.this.name if isinstance(call.this, exp.Identifier) else str(call.this).upper()
    node: Expr = call
    while isinstance(node.parent, exp.Dot) and node.parent.expression is node:
        node = node.parent
    owners = [i.name for i in node.find_all(exp.Identifier, bfs=False) if isinstance(i.parent, exp.Dot)]
    return (*owners, name), node


def find_all(session: Session, kind: str, parts: tuple[str, ...]) -> list[Found]:
    try:
        return routines.overloads(session, kind, parts)
    except SnowflakeError:  # a database that is not there: DuckDB says so in its turn
        return []


def _is_row_source(node: Expr) -> bool:
    parent = node.parent
    return isinstance(parent, exp.TableFromRows) or (
        isinstance(parent, exp.Window) and isinstance(parent.parent, exp.TableFromRows)
    )


def _replacement(
    call: exp.Anonymous, node: Expr, parts: tuple[str, ...], found: list[Found], preparation: Preparation
) -> tuple[Expr, Expr]:
    """The node that goes, and what comes in its place."""
    given = call.expressions
    named = [a.name.upper() for a in given if isinstance(a, exp.Kwarg)]
    fitting = [f for f in found if routines.choose([f], [None] * len(given), named)]
    if not fitting:
        raise routines.unknown(FUNCTION, parts, found, [None] * len(given))
    routine = fitting[0].routine
    if routine.aggregate:
        return _aggregate(routine, node, given, preparation)
    cells = [arranged(f.routine, given) for f in fitting]
    if len(fitting) == 1:
        return node, _applied(fitting[0], cells[0], preparation)
    return node, _overloaded(fitting, cells[0], preparation)


def arranged(routine: Routine, given: Sequence[Expr]) -> list[Expr]:
    """The arguments in declared order, defaults filled in."""
    named = {a.name.upper(): a.expression for a in given if isinstance(a, exp.Kwarg)}
    cells: list[Expr] = []
    for i, parameter in enumerate(routine.arguments):
        if parameter.name in named:
            cells.append(named[parameter.name])
        elif not named and i < len(given):
            cells.append(given[i])
        else:
            cells.append(parsing.parse(f"SELECT {parameter.default}").expressions[0].unalias())
    return cells


def _applied(found: Found, cells: Sequence[Expr], preparation: Preparation) -> Expr:
    routine = found.routine
    converted = [routines.cast_to(c.copy(), p.type) for c, p in zip(cells, routine.arguments, strict=True)]
    if routine.language == "SQL":
        return sql_body(found, converted, preparation.session)
    definition = routines.definition(preparation.session, routine, FUNCTION)
    name = scalar(preparation, definition, volatile=not routine.immutable)
    return _typed(
        exp.Anonymous(this=name, expressions=sent(converted, definition) or [exp.Literal.number(1)]), definition
    )


def sent(cells: list[Expr], definition: Definition) -> list[Expr]:
    """Semi-structured arguments go to the process as JSON."""
    return [
        macro("sf_document", cell) if stored in SEMI_STRUCTURED else cell
        for cell, (_, _, stored) in zip(cells, definition.arguments, strict=True)
    ]


def _typed(value: Expr, definition: Definition) -> Expr:
    return typed(value, definition.returns[0][2])


def typed(value: Expr, stored: str) -> Expr:
    """A value from the process: a semi-structured one comes as JSON, a TIMESTAMP_TZ is said to be one."""
    if stored == ZONED:
        return exp.cast(value, exp.DType.TIMESTAMPTZ)
    converting = SEMI_STRUCTURED.get(stored)
    return macro(converting, exp.Anonymous(this="json", expressions=[value])) if converting else value


def _overloaded(found: list[Found], cells: Sequence[Expr], preparation: Preparation) -> Expr:
    """Several of as many arguments: a macro whose overload DuckDB chooses by the types when it binds the query."""
    session, name = preparation.session, f"_overloaded_{secrets.token_hex(6)}"
    variants = []
    for each in found:
        inputs, _ = routines.stored_types(session, each.routine)
        columns = [exp.column(f"P{i}", quoted=True) for i in range(len(inputs))]
        body = rewrites.apply(_applied(each, columns, preparation), session)
        declared = ", ".join(f"{quote(f'P{i}')} {kind}" for i, kind in enumerate(inputs))
        variants.append(f"({declared}) AS {sql.generate(body)}")
    session.duck.sql(f"CREATE TEMP MACRO {name}{', '.join(variants)}")
    preparation.callback(lambda: session.duck.sql(f"DROP MACRO temp.main.{name}"))
    return exp.Anonymous(this=f"temp.main.{name}", expressions=[c.copy() for c in cells])


def sql_body(found: Found, arguments: Sequence[Expr], session: Session) -> Expr:
    """The body of a SQL function with its arguments in place."""
    routine = found.routine
    body = prepared_body(found, arguments, session)
    value: Expr = exp.Subquery(this=body) if isinstance(body, exp.Query) else exp.Paren(this=body)
    return exp.Paren(this=routines.cast_to(value, routine.returns))


def prepared_body(found: Found, arguments: Sequence[Expr], session: Session) -> Expr:
    text = (found.routine.body or "").strip().rstrip(";")
    is_query = text.upper().lstrip("( \n").startswith(("SELECT", "WITH"))
    parsed = parsing.parse(text) if is_query else parsing.parse(f"SELECT {text}").expressions[0].unalias()
    holder = exp.Paren(this=parsed)
    rewrites.fold_names(rewrites.name_columns(holder) if is_query else holder)
    values = {p.name: argument for p, argument in zip(found.routine.arguments, arguments, strict=True)}
    for column in list(holder.find_all(exp.Column)):
        if column.name in values and column.table in ("", found.routine.name):
            column.replace(exp.Paren(this=values[column.name].copy()))
    for table in holder.find_all(exp.Table):
        if isinstance(table.this, exp.Identifier) and not table.db and table.name not in rewrites.visible_ctes(table):
            table.set("db", exp.to_identifier(found.name.schema, quoted=True))
            table.set("catalog", exp.to_identifier(found.name.database, quoted=True))
    context_functions.evaluate(holder, session)
    body = holder.this
    body.pop()
    return body  # type: ignore[no-any-return]


# ---------------------------------------------------------------------------- Python functions for DuckDB


def scalar(preparation: Preparation, definition: Definition, *, volatile: bool) -> str:
    """The handler as a DuckDB function of this statement; its process is asked for with the first rows."""
    takes = [_passed(stored) for _, _, stored in definition.arguments] or ["BIGINT"]

    def question(columns: Sequence[pa.ChunkedArray]) -> pa.Table:
        kept = columns if definition.arguments else [pa.chunked_array([pa.nulls(len(columns[0]))])]
        return pa.table(list(kept), names=[f"A{i}" for i in range(len(kept))])

    return _function(preparation, definition, "rows", question, takes, volatile=volatile)


def _aggregate(routine: Routine, node: Expr, given: Sequence[Expr], preparation: Preparation) -> tuple[Expr, Expr]:
    """An aggregate function over the lists of each group's values."""
    definition = routines.definition(preparation.session, routine, FUNCTION)
    takes = [f"{_passed(stored)}[]" for _, _, stored in definition.arguments]
    if not takes:
        raise unsupported("an aggregate function without arguments")

    def question(columns: Sequence[pa.ChunkedArray]) -> pa.Table:
        return pa.table(list(columns), names=[f"A{i}" for i in range(len(columns))])

    name = _function(preparation, definition, "aggregate", question, takes, volatile=False)
    window = node.parent if isinstance(node.parent, exp.Window) and node.parent.this is node else None
    lists: list[Expr] = []
    plain = [cell.expressions[0] if isinstance(cell, exp.Distinct) else cell for cell in given]
    values = [routines.cast_to(c.copy(), p.type) for c, p in zip(plain, routine.arguments, strict=True)]
    for cell, value in zip(given, sent(values, definition), strict=True):
        distinct = isinstance(cell, exp.Distinct)
        listed: Expr = exp.AnonymousAggFunc(
            this="list", expressions=[exp.Distinct(expressions=[value]) if distinct else value]
        )
        if window is not None:
            framed = window.copy()
            framed.set("this", listed)
            listed = framed
        lists.append(listed)
    return window or node, _typed(exp.Anonymous(this=name, expressions=lists), definition)


def _passed(stored: str) -> str:
    return "VARCHAR" if stored in SEMI_STRUCTURED else stored


def _function(
    preparation: Preparation,
    definition: Definition,
    what: str,
    question: Callable[[Sequence[pa.ChunkedArray]], pa.Table],
    takes: list[str],
    *,
    volatile: bool,
) -> str:
    leases: list[Worker] = []
    failures: list[SnowflakeError] = []

    def answer(*columns: pa.ChunkedArray) -> pa.Array:
        try:
            if not leases:
                leases.append(preparation.enter_context(leased(preparation.session, definition)))
            _, answered = leases[0].ask({"do": what}, question(columns))
        except SnowflakeError as error:
            failures.append(error)
            raise
        assert answered is not None
        return answered.column(0).combine_chunks()

    def tell(kind: Any, error: BaseException | None, trace: Any) -> None:
        """DuckDB wraps what a function raises: the handler's own error comes out."""
        if failures and error is not None:
            raise failures[0] from None

    preparation.push(tell)
    gives = _passed(definition.returns[0][2])
    return preparation.function(answer, takes, gives, volatile=volatile)
