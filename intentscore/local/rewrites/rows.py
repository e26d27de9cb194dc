"""Row sources and DML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import Expr, exp

from intentscore.local.errors import invalid
from intentscore.local.rewrites.macros import macro
from intentscore.local.rewrites.registry import rewrite

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
    return node


@rewrite(exp.Window)
def windowed_average(node: exp.Window, session: Session) -> Expr:
    """The mean of whole numbers over a window has three decimal places."""
    if isinstance(node.this, exp.Avg) and not node.this.this.find(exp.AggFunc):  # an aggregate's type is not known yet
        return macro("sf_windowed_average", node.copy(), node.this.this.copy())
    return node
