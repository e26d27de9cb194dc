"""`FROM t, TABLE(MODEL(m, v)!F(a) OVER (PARTITION BY p))`: a model's table function beside the rows it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from sqlglot import Expr, exp

from intentscore.local import handlers
from intentscore.local.errors import unsupported
from intentscore.local.handlers import Method
from intentscore.local.selects import appended, run, with_visible_ctes
from intentscore.local.sources import reference

if TYPE_CHECKING:
    from intentscore.local.sql import Preparation

AFTER_THE_ROWS = ("where", "group", "having", "qualify", "order", "limit", "offset", "distinct", "windows")
ROWS = "_ROWS"


def beside_table(
    select: exp.Select,
    source: exp.TableFromRows,
    call: exp.ModelAttribute,
    method: Method,
    arguments: list[Expr],
    preparation: Preparation,
) -> exp.Select:
    """The SELECT with the computed rows and the function's columns in the place of both its sources."""
    join = source.find_ancestor(exp.Join)
    if join is None or join.parent is not select:
        raise unsupported("a model's table function without a table before it")
    window = call.expression if isinstance(call.expression, exp.Window) else None
    inner = with_visible_ctes(select)
    inner.set("expressions", [exp.Star()])
    inner.set("joins", [j for i, j in enumerate(inner.args["joins"]) if i != join.index])
    for clause in AFTER_THE_ROWS:
        inner.set(clause, None)
    named = appended(inner, "A", arguments)
    partition = partitioned(inner, window)
    by_partition = preparation.session.engine.handlers.answers_by_partition(method)
    rows = run(inner.limit(0) if preparation.describe_only else inner, preparation)
    given = rows.drop_columns([*named, *partition])
    asked = rows.select(named)
    if by_partition:
        table = _by_partition(given, asked, rows, window, partition, method, preparation)
    else:
        answered = handlers.empty(method) if not rows.num_rows else None
        answered = answered or preparation.session.engine.handlers.call(method, asked)
        table = _beside(given, answered)
    return _over(select, join, source, given.column_names, table, preparation)


def partitioned(inner: exp.Select, window: exp.Window | None) -> list[str]:
    """Number the partitions, and bring the rows of each together in the order asked for."""
    if window is None:
        return []
    keys = [k.copy() for k in window.args.get("partition_by") or () if not isinstance(k, exp.Literal)]
    number: Expr = exp.Literal.number(1)
    if keys:
        over = exp.Order(expressions=[exp.Ordered(this=key) for key in keys])
        number = exp.Window(this=exp.Anonymous(this="dense_rank"), order=over, over="OVER")
    names = appended(inner, "P", [number])
    order = [exp.Ordered(this=exp.column(names[0], quoted=True))]
    if window.args.get("order"):
        order += [o.copy() for o in window.args["order"].expressions]
    inner.set("order", exp.Order(expressions=order))
    return names


def _by_partition(
    given: pa.Table,
    asked: pa.Table,
    rows: pa.Table,
    window: exp.Window | None,
    partition: list[str],
    method: Method,
    preparation: Preparation,
) -> pa.Table:
    """Rows of the function's own for every partition: of the input, only the partition's key is known for them."""
    numbers = rows.column(partition[0]).to_numpy() if partition else np.zeros(rows.num_rows)
    starts = np.flatnonzero(np.diff(numbers, prepend=np.nan)) if rows.num_rows else np.array([], int)
    keys = {c.name for c in (window.args.get("partition_by") or ()) if isinstance(c, exp.Column)} if window else set()
    taken: list[int] = []
    answers: list[pa.Table] = []
    for start, answered in preparation.session.engine.handlers.call_partitions(method, asked, starts.tolist()):
        taken += [start] * answered.num_rows
        answers.append(answered)
    known = given.take(pa.array(taken, pa.int64()))
    for i, name in enumerate(known.column_names):
        if name not in keys:
            known = known.set_column(i, name, pa.nulls(len(taken), known.schema.field(i).type))
    return _beside(known, pa.concat_tables(answers) if answers else handlers.empty(method))


def _beside(left: pa.Table, right: pa.Table) -> pa.Table:
    for name, column in zip(right.column_names, right.columns, strict=True):
        left = left.append_column(name, column)
    return left


def _over(
    select: exp.Select,
    join: exp.Join,
    source: exp.TableFromRows,
    given: list[str],
    table: pa.Table,
    preparation: Preparation,
) -> exp.Select:
    """The SELECT over the joined table: columns lose the name of the source they came from."""
    answered = table.column_names[len(given) :]
    positions = [f"_C{i}" for i in range(table.num_columns)]
    names = _distinct(table.column_names)
    registered = reference(preparation.register(table.rename_columns(positions)))
    columns = [exp.alias_(exp.column(p, quoted=True), n, quoted=True) for p, n in zip(positions, names, strict=True)]
    rows = exp.Select(expressions=columns).from_(registered).subquery(ROWS)
    for column in list(select.find_all(exp.Column)):
        if column.find_ancestor(exp.Select) is not select or not column.table:
            continue
        if column.is_star:
            own = answered if column.table == source.alias else given
            at = select.expressions.index(column)
            cells = [exp.column(name, quoted=True) for name in own]
            select.set("expressions", [*select.expressions[:at], *cells, *select.expressions[at + 1 :]])
        else:
            column.set("table", None)
    select.set("from_", exp.From(this=rows))
    select.set("with_", None)
    select.set("joins", [j for j in select.args["joins"] if j.args.get("kind") is None and j.index > join.index])
    return select


def _distinct(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return found
