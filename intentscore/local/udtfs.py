"""Table functions of users, and procedures that return a table, behind FROM."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import Expr, exp

from intentscore.local import handler_values, procedures, routines
from intentscore.local.errors import invalid
from intentscore.local.model_tables import AFTER_THE_ROWS, partitioned
from intentscore.local.names import quote
from intentscore.local.procedures import leased, plain
from intentscore.local.routines import FUNCTION, PROCEDURE, Found
from intentscore.local.selects import appended, run, with_visible_ctes
from intentscore.local.signatures import Parameter
from intentscore.local.sources import TABLE_FUNCTIONS, reference, resolver
from intentscore.local.udfs import arranged, called, find_all, prepared_body, sent, typed

if TYPE_CHECKING:
    from intentscore.local.sql import Preparation
    from intentscore.local.workers import Definition


@resolver
def table_calls(root: Expr, preparation: Preparation) -> Expr:
    for node in reversed(list(root.find_all(exp.TableFromRows))):
        window = node.this if isinstance(node.this, exp.Window) else None
        call = window.this if window is not None else node.this
        while isinstance(call, exp.Dot):
            call = call.expression
        if not isinstance(call, exp.Anonymous) or str(call.name).upper() in TABLE_FUNCTIONS:
            continue
        parts, _ = called(call)
        functions = [f for f in find_all(preparation.session, FUNCTION, parts) if f.routine.columns is not None]
        stored = find_all(preparation.session, PROCEDURE, parts)
        if not functions and not stored:
            continue
        source = node.parent if isinstance(node.parent, exp.Lateral) else node
        if alias := node.args.get("alias") or source.args.get("alias"):
            source.set("alias", alias)
        found = _chosen(functions, stored, parts, call)
        if not functions:
            source.replace(_procedure(found, call, source, preparation))
        elif found.routine.language == "SQL":
            source.replace(_sql_table(found, call, source, preparation))
        elif any(call.find_all(exp.Column)) or window is not None:
            _beside_rows(found, call, window, source, preparation)
        else:
            source.replace(_constant(found, call, source, preparation))
    return root


def _chosen(functions: list[Found], stored: list[Found], parts: tuple[str, ...], call: exp.Anonymous) -> Found:
    given = [None] * len(call.expressions)
    named = [a.name.upper() for a in call.expressions if isinstance(a, exp.Kwarg)]
    chosen = routines.choose(functions or stored, given, named)
    if chosen is None:
        raise routines.unknown(FUNCTION, parts, functions or stored, given)
    return chosen


def _procedure(found: Found, call: exp.Anonymous, source: Expr, preparation: Preparation) -> Expr:
    if not found.routine.columns:
        raise invalid(f"procedure {found.routine.name} in FROM must declare the columns of the table it returns")
    session = preparation.session
    arguments = procedures.evaluate(session, call.expressions)
    overloads = routines.overloads(session, PROCEDURE, found.name)
    chosen = routines.choose(overloads, arguments.types, arguments.named) or found
    result = procedures.run(session, chosen, arguments, describe_only=preparation.describe_only)
    return reference(preparation.register(result.table), source.args.get("alias"))


def _sql_table(found: Found, call: exp.Anonymous, source: Expr, preparation: Preparation) -> Expr:
    routine = found.routine
    cells = [
        routines.cast_to(c.copy(), p.type)
        for c, p in zip(arranged(routine, call.expressions), routine.arguments, strict=True)
    ]
    body = prepared_body(found, cells, preparation.session)
    alias = source.args.get("alias")
    columns = alias.columns if alias is not None and alias.columns else [_identifier(c.name) for c in _columns(found)]
    named = exp.TableAlias(this=_identifier(alias.name if alias is not None else routine.name), columns=columns)
    inner = exp.Subquery(this=body, alias=named)
    return inner if not isinstance(source.parent, exp.Join) else exp.Lateral(this=exp.Subquery(this=body), alias=named)


def _columns(found: Found) -> list[Parameter]:
    return found.routine.columns or []


def _identifier(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)


# ---------------------------------------------------------------------------- Python table functions


def _constant(found: Found, call: exp.Anonymous, source: Expr, preparation: Preparation) -> Expr:
    """`TABLE(f(1, 'a'))`: one row of arguments."""
    definition = routines.definition(preparation.session, found.routine, FUNCTION)
    if preparation.describe_only:
        answered = _nothing(definition)
    else:
        arguments = procedures.evaluate(preparation.session, call.expressions)
        row = procedures.converted(preparation.session, found.routine, arguments)
        answered = _asked(preparation, definition, row, [1])
    return _answers(answered, definition, source.args.get("alias"), preparation)


def _asked(preparation: Preparation, definition: Definition, rows: pa.Table, partitions: list[int]) -> pa.Table:
    if not definition.arguments:
        rows = pa.table({"_": pa.nulls(sum(partitions))})
    with leased(preparation.session, definition) as worker:
        _, answered = worker.ask({"do": "table", "partitions": partitions}, rows)
    assert answered is not None
    return answered


def _nothing(definition: Definition) -> pa.Table:
    return handler_values.tabulated([], definition.returns)


def _answers(answered: pa.Table, definition: Definition, alias: Expr | None, preparation: Preparation) -> exp.Subquery:
    """The output rows under their declared names, or those of the alias."""
    registered = reference(preparation.register(answered))
    names = [name for name, _, _ in definition.returns]
    if alias is not None and isinstance(alias, exp.TableAlias) and alias.columns:
        names = [column.name for column in alias.columns]
    cells = []
    for i, (name, (_, _, stored)) in enumerate(zip(names, definition.returns, strict=True)):
        cell = typed(exp.column(f"C{i}", quoted=True), stored)
        cells.append(exp.alias_(cell, name, quoted=True))
    label = exp.TableAlias(this=_identifier(alias.name if alias is not None else definition.name))
    return exp.Subquery(this=exp.select(*cells).from_(registered), alias=label)


def _beside_rows(
    found: Found, call: exp.Anonymous, window: exp.Window | None, source: Expr, preparation: Preparation
) -> None:
    """`FROM t, TABLE(f(t.a) OVER (PARTITION BY t.b))`: each output row stands beside the row it came from.

    The rows of end_partition belong to no row: of the input only the keys of their partition are known.
    """
    select, join = source.find_ancestor(exp.Select), source.find_ancestor(exp.Join)
    if select is None or join is None or join.parent is not select:
        raise invalid(f"table function {found.routine.name} takes columns, but no table stands before it")
    definition = routines.definition(preparation.session, found.routine, FUNCTION)
    before = [j for i, j in enumerate(select.args["joins"]) if i < int(join.index or 0)]
    labels = [s.alias_or_name for s in (select.args["from_"].this, *(j.this for j in before))]
    inner = with_visible_ctes(select)
    inner.set("joins", [j.copy() for j in before])
    for clause in AFTER_THE_ROWS:
        inner.set(clause, None)
    stars = [exp.Column(this=exp.Star(), table=_identifier(label)) for label in labels]
    widths = [_width(inner, star, preparation) for star in stars] if len(labels) > 1 else []
    inner.set("expressions", stars if widths else [exp.Star()])
    arguments = [
        routines.cast_to(c.copy(), p.type)
        for c, p in zip(arranged(found.routine, call.expressions), found.routine.arguments, strict=True)
    ]
    named = appended(inner, "A", sent(arguments, definition))
    number = partitioned(inner, window)
    rows = run(inner.limit(0) if preparation.describe_only else inner, preparation)
    width = rows.num_columns - len(named) - len(number)
    given = rows.select(range(width))
    asked = plain(rows.select(range(width, width + len(named))))
    lengths = _lengths(rows.column(rows.num_columns - 1).to_numpy()) if number else [rows.num_rows]
    answered = _asked(preparation, definition, asked, lengths) if rows.num_rows else _nothing(definition)
    if join.side == "LEFT":
        answered = _with_unanswered(answered, rows.num_rows)
    left = _left_rows(given, answered, _keys(window))
    _rejoin(select, join, labels, widths or [width], left,
            _answers(answered, definition, source.args.get("alias"), preparation), preparation)  # fmt: skip


def _width(inner: exp.Select, star: exp.Column, preparation: Preparation) -> int:
    asked = inner.copy()
    asked.set("expressions", [star.copy()])
    return int(run(asked.limit(0), preparation).num_columns)


def _lengths(numbers: np.ndarray) -> list[int]:
    """How many rows follow one another with the same number."""
    starts = np.flatnonzero(np.diff(numbers, prepend=np.nan))
    return [int(n) for n in np.diff([*starts, len(numbers)])]


def _keys(window: exp.Window | None) -> set[str]:
    keys = window.args.get("partition_by") if window is not None else None
    return {column.name for key in keys or () for column in key.find_all(exp.Column)}


def _with_unanswered(answered: pa.Table, count: int) -> pa.Table:
    """A LEFT JOIN keeps the rows that the function gave nothing for."""
    missing = sorted(set(range(count)) - set(answered.column("_ROW").to_pylist()))
    nothing = [pa.nulls(len(missing), field.type) for field in answered.schema][:-2]
    origin = [pa.array(missing, pa.int64()), pa.array([False] * len(missing))]
    return pa.concat_tables([answered, pa.Table.from_arrays([*nothing, *origin], schema=answered.schema)])


def _left_rows(given: pa.Table, answered: pa.Table, keys: set[str]) -> pa.Table:
    taken = given.take(answered.column("_ROW"))
    ends = answered.column("_END")
    if not any(ends.to_pylist()):
        return taken
    masks = ends.combine_chunks()
    for i, name in enumerate(taken.column_names):
        if name not in keys:
            column = taken.column(i).combine_chunks()
            hidden = pc.if_else(masks, pa.scalar(None, column.type), column)
            taken = taken.set_column(i, taken.schema.field(i), hidden)
    return taken


def _rejoin(
    select: exp.Select,
    join: exp.Join,
    labels: list[str],
    widths: list[int],
    left: pa.Table,
    answers: exp.Subquery,
    preparation: Preparation,
) -> None:
    """Row beside row: every source keeps the name it had."""
    sources: list[Expr] = []
    start = 0
    for label, width in zip(labels, widths, strict=True):
        positions = [f"C{i}" for i in range(start, start + width)]
        names = left.column_names[start : start + width]
        registered = reference(preparation.register(left.select(range(start, start + width)).rename_columns(positions)))
        cells = [f"{quote(p)} AS {quote(n)}" for p, n in zip(positions, names, strict=True)]
        alias = exp.TableAlias(this=_identifier(label)) if label else None
        sources.append(exp.Subquery(this=exp.select(*cells, dialect="duckdb").from_(registered), alias=alias))
        start += width
    after = [j for i, j in enumerate(select.args["joins"]) if i > int(join.index or 0)]
    beside = [exp.Join(this=each, method="POSITIONAL") for each in (*sources[1:], answers)]
    select.set("from_", exp.From(this=sources[0]))
    select.set("joins", [*beside, *after])
