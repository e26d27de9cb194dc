"""Row sources and DML."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sqlglot import Expr, exp

from intentscore.local.errors import invalid
from intentscore.local.rewrites.aggregates import has_rows_frame
from intentscore.local.rewrites.macros import SCHEMA, macro
from intentscore.local.rewrites.registry import POSITION, kind_of, rewrite

if TYPE_CHECKING:
    from intentscore.local.session import Session


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


@rewrite(exp.Parameter)
def position(node: exp.Parameter, session: Session) -> Expr:
    """`$1` is the first column of the rows the query reads."""
    return _at_position(node) if POSITION in node.meta else node


@rewrite(exp.Column)
def named_position(node: exp.Column, session: Session) -> Expr:
    return _at_position(node) if POSITION in node.meta else node


def _at_position(node: Expr) -> Expr:
    alias, name = node.meta[POSITION]
    return exp.column(name, table=alias or None, quoted=True)


@rewrite(exp.Update)
def plain_assignments(node: exp.Update, session: Session) -> Expr:
    """The assigned column stands without its table."""
    for assignment in node.expressions:
        if isinstance(assignment, exp.EQ) and isinstance(assignment.this, exp.Column):
            assignment.set("this", exp.column(assignment.this.this.copy()))
    return node


MOST_SAMPLED_ROWS = 1_000_000


@rewrite(exp.TableSample)
def sampling(node: exp.TableSample, session: Session) -> Expr:
    """Blocks are sampled row by row, as DuckDB's are too large to be fair; a sample has at most a million rows."""
    method = node.args.get("method")
    if method is not None and method.name.upper() in ("BLOCK", "SYSTEM"):
        node.set("method", exp.var("BERNOULLI"))
    size = node.args.get("size")
    if isinstance(size, exp.Literal) and size.is_int and int(size.name) > MOST_SAMPLED_ROWS:
        raise invalid(f"Sample size must be between 0 and {MOST_SAMPLED_ROWS}, got {size.name}")
    return node


@rewrite(exp.WindowSpec)
def frame(node: exp.WindowSpec, session: Session) -> Expr:
    """A frame ends where it starts or later, and both its ends are numbers or both are intervals."""
    start, end = (node.args.get(key) for key in ("start", "end"))
    backwards = (str(node.args.get("start_side")).upper() == "FOLLOWING" and end == "CURRENT ROW") or (
        start == "CURRENT ROW" and str(node.args.get("end_side")).upper() == "PRECEDING"
    )
    if backwards:
        raise invalid("Invalid window frame.")
    intervals = {isinstance(side, exp.Interval) for side in (start, end) if isinstance(side, Expr)}
    if len(intervals) == 2:
        raise invalid("Mixing numeric and interval frames is not supported.")
    order = node.parent.args.get("order") if isinstance(node.parent, exp.Window) else None
    ordered = kind_of(order.expressions[0].this) if order is not None else None
    if True in intervals and ordered is not None and ordered.wire in ("fixed", "real"):
        raise invalid("numeric ORDER BY clause only allows numeric window frame boundaries")
    return node


_NEED_ORDER = (exp.Lead, exp.Lag, exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Ntile)


@rewrite(exp.Window)
def ordered_window(node: exp.Window, session: Session) -> Expr:
    """Ranks need an order. By RANDOM() it is that of the rows' hashes: DuckDB's order may not be volatile."""
    order = node.args.get("order")
    if order is None and isinstance(node.this, _NEED_ORDER):
        name = node.this.sql_name()
        raise invalid(f"Window function type [{name}] requires ORDER BY in window specification")
    for ordered in order.expressions if order is not None else ():
        if ordered.this.unnest().name == SCHEMA + "sf_random":
            ordered.set("this", _row_hash(node))
    return node


def _row_hash(node: Expr) -> Expr:
    select = node.find_ancestor(exp.Select)
    source = select.args["from_"].this if select is not None else None
    if source is None:
        return exp.Literal.number(1)
    if not source.alias_or_name:
        source.set("alias", exp.TableAlias(this=exp.to_identifier("_SHUFFLED", quoted=True)))
    row = exp.column(source.alias_or_name, quoted=True)
    return exp.Anonymous(this="hash", expressions=[row, exp.Literal.number(secrets.randbits(32))])


@rewrite(exp.Window)
def windowed_average(node: exp.Window, session: Session) -> Expr:
    """The mean of whole numbers over a frame of rows has three decimal places."""
    if (
        isinstance(node.this, exp.Avg) and has_rows_frame(node) and not node.this.this.find(exp.AggFunc)
    ):  # an aggregate's type is not known yet
        return macro("sf_windowed_average", node.copy(), node.this.this.copy())
    return node
