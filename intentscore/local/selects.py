"""A SELECT taken apart: its rows computed into a table of their own, and its list again over that table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa
from sqlglot import Expr, exp

if TYPE_CHECKING:
    from intentscore.local.sql import Preparation

Node = TypeVar("Node", bound=Expr)
MOVED = ("order", "limit", "offset")


def in_scope(node: Expr, kind: type[Node]) -> Iterator[Node]:
    """The nodes of a kind that belong to the SELECT around, not to a subquery in it."""
    around = node.find_ancestor(exp.Select)
    return (found for found in node.find_all(kind) if found.find_ancestor(exp.Select) is around)


def appended(select: exp.Select, prefix: str, cells: Sequence[Expr]) -> list[str]:
    """Add cells to a select list, and return the names they got."""
    start = len(select.expressions)
    names = [f"_{prefix}{start + i}" for i in range(len(cells))]
    for name, cell in zip(names, cells, strict=True):
        select.append("expressions", exp.alias_(cell.copy(), name, quoted=True))
    return names


def over(
    select: exp.Select, inner: exp.Select, answers: set[str], preparation: Preparation
) -> tuple[exp.Select, pa.Table]:
    """The select list over computed rows: what needs no answer is computed now, the rest is left for the outer list.

    `inner` is the SELECT to compute, with the arguments of the answers at the end of its list.
    """
    later = _needing(select, answers)
    ordered_later = _orders_by(select, later)
    outer = exp.Select()
    first_argument = len(select.expressions)
    arguments = inner.expressions[first_argument:]
    pulled: dict[str, str] = {}
    for position in later:
        inner.expressions[position].replace(exp.alias_(exp.null(), f"_LATER{position}", quoted=True))
    inner.set("expressions", [*inner.expressions[:first_argument]])
    aliases = {select.expressions[i].alias_or_name for i in later}
    cells = {i: _reading(select.expressions[i].copy(), inner, pulled, answers | aliases) for i in later}
    if ordered_later:
        named = {p.alias_or_name for p in select.expressions} | aliases | answers
        for clause in MOVED:
            if select.args.get(clause) is not None:
                moved = _reading(select.args[clause].copy(), inner, pulled, named)
                outer.set(clause, moved)
                inner.set(clause, None)
    pulled_count = len(pulled)
    for argument in arguments:
        inner.append("expressions", argument)
    rows = run(inner, preparation)
    names = rows.column_names
    base = len(names) - len(arguments) - pulled_count
    rows = rows.rename_columns([f"_C{i}" if i < base else name for i, name in enumerate(names)])
    for i, name in enumerate(names[:base]):
        plain = exp.alias_(exp.column(f"_C{i}", quoted=True), name, quoted=True)
        is_later = name.startswith("_LATER")
        outer.append("expressions", cells[int(name.removeprefix("_LATER"))] if is_later else plain)
    return outer, rows


def _needing(select: exp.Select, answers: set[str]) -> list[int]:
    """The cells of the list that read an answer, or the alias of a cell that does."""
    wanted, found = set(answers), set[int]()
    while True:
        more = {
            i
            for i, cell in enumerate(select.expressions)
            if any(not c.table and c.name in wanted for c in in_scope(cell, exp.Column))
        }
        if more == found:
            return sorted(found)
        found = more
        wanted |= {select.expressions[i].alias for i in found if select.expressions[i].alias}


def _orders_by(select: exp.Select, later: list[int]) -> bool:
    order = select.args.get("order")
    aliases = {select.expressions[i].alias_or_name for i in later}
    return order is not None and any(not c.table and c.name in aliases for c in order.find_all(exp.Column))


def _reading(cell: Expr, inner: exp.Select, pulled: dict[str, str], known: set[str]) -> Expr:
    """The cell with the columns it reads computed beside the rows."""
    for column in list(cell.find_all(exp.Column)):
        if (not column.table and column.name in known) or column.is_star:
            continue
        text = column.sql()
        if text not in pulled:
            pulled[text] = f"_X{len(pulled)}"
            inner.append("expressions", exp.alias_(column.copy(), pulled[text], quoted=True))
        replacement = exp.column(pulled[text], quoted=True)
        if column is cell:
            return replacement
        column.replace(replacement)
    return cell


def run(query: exp.Select, preparation: Preparation) -> pa.Table:
    from intentscore.local import rewrites, sources, sql

    resolved = rewrites.apply(sources.resolve(query, preparation), preparation.session)
    return preparation.session.duck.sql(sql.generate(resolved)).to_arrow_table()


def with_visible_ctes(select: exp.Select) -> exp.Select:
    """A copy of a part of the query together with the common table expressions around it."""
    copy = select.copy()
    own = copy.args["with_"].expressions if copy.args.get("with_") else []
    outer: list[Expr] = []
    child: Expr = select
    while child.parent is not None:
        parent = child.parent
        if isinstance(parent, exp.With):
            outer = [cte.copy() for cte in parent.expressions[: parent.expressions.index(child)]] + outer
        elif (with_ := parent.args.get("with_")) is not None and with_ is not child:
            outer = [cte.copy() for cte in with_.expressions] + outer
        child = parent
    if outer:
        copy.set("with_", exp.With(expressions=[*outer, *own]))
    return copy
