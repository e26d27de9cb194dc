"""Joins, row sources and DML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import Expr, exp

from intentscore.local.errors import invalid
from intentscore.local.rewrites.registry import macro, rewrite

if TYPE_CHECKING:
    from intentscore.local.session import Session


@rewrite(exp.Join)
def asof_join(node: exp.Join, session: Session) -> Expr:
    """ASOF JOIN keeps every left row, as DuckDB's ASOF LEFT JOIN does; the match is one more condition."""
    match = node.args.get("match_condition")
    if (node.args.get("method") or "").upper() != "ASOF" or match is None:
        return node
    if not isinstance(match, (exp.GT, exp.GTE, exp.LT, exp.LTE)):
        raise invalid(
            "MATCH_CONDITION clause is invalid: Only comparison operators '>=', '>', '<=' and '<' are allowed."
        )
    for side in ("this", "expression"):
        match.set(side, macro("sf_asof_key", match.args[side].copy()))
    on, using = node.args.get("on"), node.args.get("using")
    if using:
        on = _equal_columns(node, using)
        node.set("using", None)
    node.set("match_condition", None)
    node.set("side", "LEFT")
    node.set("on", exp.and_(on, match) if on else match)
    return node


def _equal_columns(node: exp.Join, using: list[Expr]) -> Expr:
    """USING (A) as left.A = right.A; the star of the query then shows A once, as USING does."""
    select = node.parent_select
    assert select is not None
    left, right = select.args["from_"].this.alias_or_name, node.this.alias_or_name
    names = [column.name for column in using]
    for projection in list(select.expressions):
        if isinstance(projection, exp.Star):
            theirs = exp.Column(this=exp.Star(except_=[exp.to_identifier(n, quoted=True) for n in names]),
                                table=exp.to_identifier(right, quoted=True))  # fmt: skip
            ours = exp.Column(this=exp.Star(), table=exp.to_identifier(left, quoted=True))
            position = select.expressions.index(projection)
            select.set(
                "expressions", [*select.expressions[:position], ours, theirs, *select.expressions[position + 1 :]]
            )
    return exp.and_(*(
        exp.column(n, table=left, quoted=True).eq(exp.column(n, table=right, quoted=True)) for n in names
    ))  # fmt: skip


@rewrite(exp.Join)
def inner_join_without_condition(node: exp.Join, session: Session) -> Expr:
    """INNER JOIN without ON is the cross product."""
    if node.kind.upper() == "INNER" and not node.args.get("on") and not node.args.get("using"):
        node.set("kind", "CROSS")
    return node


@rewrite(exp.Select)
def values_columns(node: exp.Select, session: Session) -> Expr:
    """FROM VALUES names its columns COLUMN1, COLUMN2… and $1, $2… mean the same."""
    source = node.args.get("from_")
    if source is None or not isinstance(source.this, exp.Values):
        return node
    values = source.this
    first = values.expressions[0]
    width = len(first.expressions) if isinstance(first, exp.Tuple) else 1
    columns = values.args["alias"].columns if values.args.get("alias") else []
    if not columns:
        columns = [exp.to_identifier(f"COLUMN{i + 1}", quoted=True) for i in range(width)]
        alias = values.alias or "_VALUES"
        values.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True), columns=columns))
    for parameter in list(node.find_all(exp.Parameter)):
        index = parameter.name
        if index.isdigit() and int(index) <= width and parameter.find_ancestor(exp.Select) is node:
            column = parameter.parent if isinstance(parameter.parent, exp.Column) else parameter
            column.replace(exp.column(columns[int(index) - 1].copy()))
    return node


@rewrite(exp.Update)
def plain_assignments(node: exp.Update, session: Session) -> Expr:
    """The assigned column stands without its table."""
    for assignment in node.expressions:
        if isinstance(assignment, exp.EQ) and isinstance(assignment.this, exp.Column):
            assignment.set("this", exp.column(assignment.this.this.copy()))
    return node
