"""Joins: USING and the columns of a star, ASOF, joins without a condition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlglot import Expr, exp

from intentscore.local.errors import invalid
from intentscore.local.rewrites.macros import macro
from intentscore.local.rewrites.registry import rewrite

if TYPE_CHECKING:
    from intentscore.local.session import Session

NOTHING_SHARED = "nothing shared"  # the mark of a NATURAL join without a column to join on
COMPARISONS = (exp.GT, exp.GTE, exp.LT, exp.LTE)


def row_sources(select: Expr) -> Iterator[tuple[Expr, exp.Join | None]]:
    """The row sources of a FROM clause with the joins that bring them in, through parentheses around joins."""
    if isinstance(from_ := select.args.get("from_"), exp.From):
        yield from _flat(from_.this, None)
    for join in select.args.get("joins") or []:
        yield from _flat(join.this, join)


def _flat(node: Expr, join: exp.Join | None) -> Iterator[tuple[Expr, exp.Join | None]]:
    parenthesised = isinstance(node, exp.Subquery) and isinstance(node.this, (exp.Table, exp.Subquery))
    if parenthesised and not node.args.get("alias") and not node.args.get("pivots"):
        yield from _flat(node.this, join)
    else:
        yield node, join
    for inner in node.args.get("joins") or []:
        yield from _flat(inner.this, inner)


def using(join: exp.Join | None) -> list[str]:
    return [column.name for column in join.args.get("using") or []] if join is not None else []


@rewrite(exp.Join)
def asof_join(node: exp.Join, session: Session) -> Expr:
    """ASOF JOIN keeps every left row, as DuckDB's ASOF LEFT JOIN does; the match is one more condition."""
    match = node.args.get("match_condition")
    if (node.args.get("method") or "").upper() != "ASOF" or match is None:
        return node
    match = match.unnest()
    if not isinstance(match, COMPARISONS):
        raise invalid(
            "MATCH_CONDITION clause is invalid: Only comparison operators '>=', '>', '<=' and '<' are allowed."
        )
    for side in ("this", "expression"):
        match.set(side, macro("sf_asof_key", match.args[side].copy()))
    on = node.args.get("on")
    node.set("match_condition", None)
    node.set("side", "LEFT")
    node.set("on", exp.and_(on, match) if on else match)
    return node


@rewrite(exp.Join)
def join_without_condition(node: exp.Join, session: Session) -> Expr:
    """INNER JOIN without ON is the cross product; an outer one takes every pair of rows for a match.

    So is a NATURAL one of row sources without a column of the same name.
    """
    if node.meta.get(NOTHING_SHARED):
        node.set("method", None)
        node.set("kind", node.kind or ("" if node.side else "CROSS"))
    conditions = ("on", "using", "method")
    if not any(node.args.get(condition) for condition in conditions):
        if node.kind.upper() == "INNER":
            node.set("kind", "CROSS")
        elif node.side.upper() in ("LEFT", "RIGHT", "FULL"):
            node.set("on", exp.true())
    return node


def order_using_columns(root: Expr) -> Expr:
    """A star over a join with USING (A) shows A first, once, then what else either side has.

    Runs before the walk of the rewrites, while an ASOF JOIN still has its USING.
    """
    for select in list(root.find_all(exp.Select)):
        joined = list(row_sources(select))
        names = [name for _, join in joined for name in using(join)]
        if not names:
            continue
        same = all(not join or sorted(using(join)) == sorted(set(names)) for _, join in joined[1:])
        stars = [p for p in select.expressions if isinstance(p, exp.Star) and not any(p.args.values())]
        sources = [source for source, _ in joined]
        if same and stars:
            expanded = _expanded(sources, list(dict.fromkeys(names)), is_asof(joined[1][1]))
            cells = [cell for p in select.expressions for cell in (expanded if p in stars else [p])]
            select.set("expressions", [cell.copy() for cell in cells])
        for source, join in joined:
            if is_asof(join) and join is not None and using(join):
                join.set("on", _equal(_aliased(sources[0], 0), _aliased(source, 1), using(join)))
                join.set("using", None)
    return root


def is_asof(join: exp.Join | None) -> bool:
    return join is not None and (join.args.get("method") or "").upper() == "ASOF"


def _expanded(sources: list[Expr], names: list[str], asof: bool) -> list[Expr]:
    owner = _aliased(sources[0], 0) if asof else ""
    merged: list[Expr] = [exp.column(name, table=owner or None, quoted=True) for name in names]
    rest = [
        exp.Column(this=exp.Star(except_=[exp.to_identifier(name, quoted=True) for name in names]),
                   table=exp.to_identifier(_aliased(source, i), quoted=True))
        for i, source in enumerate(sources)
    ]  # fmt: skip
    return [*merged, *rest]


def _aliased(source: Expr, number: int) -> str:
    """The name of a row source, which gets one where it has none."""
    if not source.alias_or_name:
        source.set("alias", exp.TableAlias(this=exp.to_identifier(f"_SOURCE{number}", quoted=True)))
    return str(source.alias_or_name)


def _equal(left: str, right: str, names: list[str]) -> Expr:
    pairs = [exp.column(n, table=left, quoted=True).eq(exp.column(n, table=right, quoted=True)) for n in names]
    return exp.and_(*pairs)
