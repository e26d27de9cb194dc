"""Aggregates and window functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import Expr, exp

from intentscore.local.rewrites.functions import function
from intentscore.local.rewrites.macros import macro
from intentscore.local.rewrites.numbers import hash_of
from intentscore.local.rewrites.registry import cast, rewrite
from intentscore.local.rewrites.semistructured import array, variant

if TYPE_CHECKING:
    from intentscore.local.session import Session


def _framed(node: Expr) -> bool:
    """Whether a FILTER, an ordering or OVER stands around the aggregate."""
    around = (exp.Window, exp.WithinGroup, exp.Filter, exp.IgnoreNulls, exp.RespectNulls)
    return isinstance(node.parent, around) and node.arg_key == "this"


def has_rows_frame(node: exp.Window) -> bool:
    spec = node.args.get("spec")
    return isinstance(spec, exp.WindowSpec) and str(spec.args.get("kind")).upper() == "ROWS"


def _again(outer: Expr, inner: Expr, other: Expr) -> Expr:
    """Another aggregate in the frame that stands around `inner`."""
    if outer is inner:
        return other
    inner.meta["framed"] = True
    copy = outer.copy()
    next(node for node in copy.walk() if node.meta.get("framed")).replace(other)
    return copy


def listed(value: Expr) -> Expr:
    return exp.AnonymousAggFunc(this="list", expressions=[value])


@rewrite(exp.Sum)
def total(node: exp.Sum, session: Session) -> Expr:
    _numeric_argument(node)
    return node


def _numeric_argument(node: exp.AggFunc) -> None:
    argument = node.this
    if isinstance(argument, exp.Distinct):
        argument.set("expressions", [macro("sf_operand", e) for e in argument.expressions])
    elif not isinstance(argument, (exp.Literal, exp.Star)):
        node.set("this", macro("sf_operand", argument))


@rewrite(exp.Median, exp.Skewness, exp.Kurtosis)
def statistic(node: exp.AggFunc, session: Session) -> Expr:
    _numeric_argument(node)
    return node


@rewrite(exp.Corr, exp.CovarSamp, exp.CovarPop)
def statistic_of_two(node: exp.Binary, session: Session) -> Expr:
    for side in ("this", "expression"):
        node.set(side, macro("sf_operand", node.args[side]))
    return node


_SPREADS: dict[type[Expr], str] = {
    exp.Variance: "var_samp", exp.VariancePop: "var_pop", exp.Stddev: "var_samp", exp.StddevSamp: "var_samp",
    exp.StddevPop: "var_pop",
}  # fmt: skip


@rewrite(
    *_SPREADS, exp.Avg, exp.ArrayAgg, exp.ArrayUniqueAgg, exp.ObjectAgg, exp.GroupConcat, exp.ApproxDistinct, exp.Hll,
    exp.HashAgg,
)  # fmt: skip
def plain_aggregate(node: Expr, session: Session) -> Expr:
    _prepare(node)
    return node if _framed(node) or _pivoted(node) else _finished(node, node)


def _pivoted(node: Expr) -> bool:
    """PIVOT takes bare aggregates only."""
    holder = node.parent.parent if isinstance(node.parent, exp.Alias) else node.parent
    return isinstance(holder, exp.Pivot)


@rewrite(exp.Window, exp.Filter, exp.WithinGroup)
def framed_aggregate(node: Expr, session: Session) -> Expr:
    inner = node.this
    while isinstance(inner, (exp.Window, exp.Filter, exp.WithinGroup)):
        inner = inner.this
    if isinstance(node, exp.Window) and isinstance(inner, exp.Anonymous) and inner.name.upper() == "RATIO_TO_REPORT":
        value = inner.expressions[0]
        return macro("sf_divide", value.copy(), _again(node, inner, exp.Sum(this=value)))
    if isinstance(node, exp.Window) and node.this is inner and isinstance(inner, exp.Avg) and has_rows_frame(node):
        return node  # `windowed_average` has its own number of decimals
    if isinstance(node, exp.WithinGroup) and isinstance(inner, exp.ArrayAgg):
        inner.set("this", exp.Order(this=inner.this, expressions=node.expression.expressions))
        if not _framed(node):
            return _finished(inner, inner)
        return inner
    return node if _framed(node) else _finished(node, inner)


def _prepare(node: Expr) -> None:
    """The arguments in the form the aggregate takes them."""
    argument = node.this
    holder = argument if isinstance(argument, exp.Order) else node
    if isinstance(holder.this, exp.Distinct):
        holder, key = holder.this, "expressions"
        value = holder.expressions[0]
    else:
        key, value = "this", holder.this
    if isinstance(node, (exp.Avg, *_SPREADS)) and not isinstance(value, exp.Literal):
        prepared = macro("sf_operand", value)
    elif isinstance(node, (exp.ArrayAgg, exp.ArrayUniqueAgg)) and not _ordered_once(node):
        prepared = variant(value)
    elif isinstance(node, exp.GroupConcat) and (not isinstance(argument, exp.Order) or _pivoted(node)):
        prepared = macro("sf_text", value)
    else:
        return
    holder.set(key, [prepared] if key == "expressions" else prepared)


def _ordered_once(node: Expr) -> bool:
    """Whether it is `ARRAY_AGG(DISTINCT x) WITHIN GROUP (ORDER BY x)`, whose x must stay what it is ordered by."""
    return isinstance(node.this, exp.Distinct) and isinstance(node.parent, exp.WithinGroup)


def _finished(outer: Expr, inner: Expr) -> Expr:
    match inner:
        case exp.Avg():
            sums = _again(outer, inner, exp.Sum(this=inner.this.copy()))
            counts = _again(outer, inner, exp.Count(this=inner.this.copy(), big_int=True))
            return macro("sf_quotient", sums, exp.func("nullif", counts, exp.Literal.number(0)))
        case exp.Variance() | exp.VariancePop() | exp.Stddev() | exp.StddevPop() | exp.StddevSamp():
            return _spread(outer, inner)
        case exp.ArrayAgg(this=exp.Order(this=exp.Distinct())):
            elements = macro("sf_variants", _again(outer, inner, listed(inner.this.copy())))
            return exp.func("coalesce", elements, array([]))
        case exp.ArrayAgg() | exp.ArrayUniqueAgg():
            return exp.func("coalesce", outer.copy(), array([]))
        case exp.GroupConcat(this=exp.Order()):  # the values become texts once they are in order, 10 after 9
            separator = inner.args.get("separator") or exp.Literal.string("")
            joined = macro("sf_joined_texts", _again(outer, inner, listed(inner.this.copy())), separator)
            return exp.func("coalesce", joined, exp.Literal.string(""))
        case exp.GroupConcat():
            return exp.func("coalesce", outer.copy(), exp.Literal.string(""))
        case exp.ObjectAgg():
            keys = _again(outer, inner, listed(macro("sf_to_varchar", inner.this.copy())))
            values = _again(outer, inner, listed(variant(inner.expression.copy())))
            return macro("sf_object_construct", keys, values)
        case exp.HashAgg():
            return macro("sf_hash_total", _again(outer, inner, _sum_of_hashes(inner)))
        case exp.ApproxDistinct() | exp.Hll():
            return _again(outer, inner, exp.Count(this=exp.Distinct(expressions=[inner.this.copy()]), big_int=True))
    return outer


def _sum_of_hashes(node: exp.HashAgg) -> Expr:
    """Of the rows, so that their order is nothing to it, and a row that comes twice is something."""
    distinct = isinstance(node.this, exp.Distinct)
    values = node.this.expressions if distinct else [node.this, *node.expressions]
    hashed = cast(hash_of([value.copy() for value in values]), exp.DType.INT128)
    return exp.AnonymousAggFunc(this="sum", expressions=[exp.Distinct(expressions=[hashed]) if distinct else hashed])


def _spread(outer: Expr, inner: Expr) -> Expr:
    """The variance of exact numbers has six decimals, and so has what a standard deviation is the root of."""
    variance = exp.AnonymousAggFunc(this=_SPREADS[type(inner)], expressions=[inner.this.copy()])
    value = inner.this.expressions[0] if isinstance(inner.this, exp.Distinct) else inner.this
    kind = exp.AnonymousAggFunc(this="any_value", expressions=[value.copy()])
    spread = macro("sf_spread", _again(outer, inner, variance), _again(outer, inner, kind))
    return spread if isinstance(inner, (exp.Variance, exp.VariancePop)) else exp.func("sqrt", spread)


@rewrite(exp.ApproxQuantile)
def approximate_percentile(node: exp.ApproxQuantile, session: Session) -> Expr:
    return exp.AnonymousAggFunc(
        this="quantile_cont", expressions=[cast(node.this, exp.DType.DOUBLE), node.args["quantile"]]
    )


@function("APPROX_PERCENTILE_ACCUMULATE")
def percentile_state(value: Expr) -> Expr:
    return macro("sf_percentile_state", listed(cast(value, exp.DType.DOUBLE)))


@function("APPROX_PERCENTILE_COMBINE")
def combined_percentile_states(state: Expr) -> Expr:
    return macro("sf_percentile_states", listed(state))


@function("APPROX_PERCENTILE_ESTIMATE")
def estimated_percentile(state: Expr, percentile: Expr) -> Expr:
    return macro("sf_percentile_of", state, percentile)
