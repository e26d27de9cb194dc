"""Arithmetic, conditions and generated numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlglot import Expr, exp

from intentscore.local import types
from intentscore.local.errors import SnowflakeError
from intentscore.local.rewrites.functions import function
from intentscore.local.rewrites.macros import SCHEMA, macro
from intentscore.local.rewrites.registry import cast, every_column, kind_of, rewrite

if TYPE_CHECKING:
    from intentscore.local.session import Session

Type = exp.DataType.Type
_PLAIN = (exp.Literal, exp.Cast, exp.Add, exp.Sub, exp.Mul, exp.Paren, exp.Interval, exp.Neg)
_WIDENED = (exp.Add, exp.Sub, exp.Mul, exp.Alias, exp.Tuple, exp.Neg, exp.Paren)


@rewrite(exp.Literal)
def whole_number(node: exp.Literal, session: Session) -> Expr:
    """Snowflake's integers do not overflow at 32 bits."""
    if node.is_int and isinstance(node.parent, _WIDENED):
        return cast(node.copy(), Type.BIGINT) if abs(int(node.this)) < 2**63 else node
    return node


def one_kind_of_result(root: Expr) -> Expr:
    """Texts among the numbers a CASE can give are numbers too, or refused as such."""
    for case in root.find_all(exp.Case):
        results = [branch.args["true"] for branch in case.args["ifs"]]
        if case.args.get("default") is not None:
            results.append(case.args["default"])
        literals = [result for result in map(_bare, results) if isinstance(result, exp.Literal)]
        if any(not literal.is_string for literal in literals):
            for text in (literal for literal in literals if literal.is_string):
                text.replace(cast(text.copy(), Type.DOUBLE if "." in text.name else Type.BIGINT))
    return root


def _bare(result: Expr) -> Expr:
    """The literal inside parentheses and the casts that the client gives every literal."""
    while isinstance(result, (exp.Paren, exp.Cast)):
        result = result.this
    return result


@rewrite(exp.Div)
def division(node: exp.Div, session: Session) -> Expr:
    """Of whole numbers with six decimals; by zero an error."""
    certain = node.expression.unnest()
    if isinstance(certain, exp.Literal) and not certain.is_string and certain.to_py() != 0:
        quotient = macro("sf_quotient", macro("sf_number", node.this), certain)
    else:
        quotient = macro("sf_divide", node.this, node.expression)
    kind, operands = kind_of(node), (kind_of(node.this), kind_of(node.expression))
    if kind is not None and kind.wire == "fixed" and any(operand and operand.scale for operand in operands):
        return exp.Cast(this=quotient, to=exp.DataType.build(f"DECIMAL({kind.precision}, {kind.scale})"))
    return quotient


@rewrite(exp.Mod)
def modulo(node: exp.Mod, session: Session) -> Expr:
    return macro("sf_mod", node.this, node.expression)


@rewrite(exp.Add, exp.Sub, exp.Mul)
def arithmetic(node: exp.Binary, session: Session) -> Expr:
    """Text and VARIANT count as numbers; a number that is added to a DATE counts days."""
    sides = {kind.wire for side in (node.this, node.expression) if (kind := kind_of(side)) is not None}
    if sides == {"date", "fixed"}:
        for side in ("this", "expression"):
            if kind_of(node.args[side]) != types.DATE:
                node.set(side, cast(node.args[side], Type.INT))
        return node
    for side in ("this", "expression"):
        operand = node.args[side]
        if not isinstance(operand, _PLAIN) and not is_number(operand):
            node.set(side, macro("sf_operand", operand))
    return node


@rewrite(exp.Neg)
def negative(node: exp.Neg, session: Session) -> Expr:
    """Text and VARIANT count as numbers, and what may be one of them is looked at when it is known."""
    kind = kind_of(node.this)
    if not isinstance(node.this, _PLAIN) and (kind is None or kind.wire in ("text", "variant")):
        node.set("this", macro("sf_operand", node.this))
    return node


def is_number(operand: Expr) -> bool:
    """Whether the operand is known to be a number DuckDB reckons with as Snowflake does."""
    kind = kind_of(operand)
    return kind is not None and (kind.wire == "real" or (kind.wire == "fixed" and bool(kind.scale)))


@function("IFF")
def iff(condition: Expr, then: Expr, otherwise: Expr) -> Expr:
    return exp.Case(ifs=[exp.If(this=condition, true=then)], default=otherwise)


@function("DECODE")
def decode(value: Expr, *pairs: Expr) -> Expr:
    """NULL is a value like any other to DECODE."""
    default = pairs[-1] if len(pairs) % 2 else None
    chosen = [
        exp.If(this=exp.NullSafeEQ(this=value.copy(), expression=search), true=result)
        for search, result in zip(pairs[::2], pairs[1::2], strict=False)
    ]
    return exp.Case(ifs=chosen, default=default)


def _numbers_among(values: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """Texts beside numbers count as numbers."""
    wires = {kind.wire for value in values if (kind := kind_of(value)) is not None}
    if "text" not in wires or not wires & {"fixed", "real"}:
        return values
    return tuple(macro("sf_operand", value) for value in values)


def _extreme(name: str, *, ignoring_nulls: bool) -> None:
    spelling = f"{name}_IGNORE_NULLS" if ignoring_nulls else name

    @function(spelling)
    def extreme(*values: Expr) -> Expr:
        values = _numbers_among(values)
        found = exp.Anonymous(this=name.lower(), expressions=list(values))
        if ignoring_nulls:
            return found
        missing = exp.or_(*(exp.Is(this=value.copy(), expression=exp.Null()) for value in values), copy=False)
        return exp.Case(ifs=[exp.If(this=missing, true=exp.Null())], default=found)


for _name in ("GREATEST", "LEAST"):
    _extreme(_name, ignoring_nulls=False)
    _extreme(_name, ignoring_nulls=True)


@function("HASH")
def hash_(*values: Expr) -> Expr:
    return macro("sf_signed", hash_of(values))


def hash_of(values: Sequence[Expr]) -> Expr:
    """Of a row of these values, as DuckDB has it: without a sign."""
    hashed = [every_column(v) if v.is_star else macro("sf_hashed", v) for v in values]
    return exp.Anonymous(this="hash", expressions=hashed)


def _sequence(spelling: str) -> None:
    @function(spelling)
    def sequence(sign: Expr | None = None) -> Expr:
        count = exp.Window(this=exp.Anonymous(this="row_number"))
        return exp.paren(exp.Sub(this=count, expression=exp.Literal.number(1)), copy=False)


@rewrite(exp.Anonymous)
def seeded_random(node: exp.Anonymous, session: Session) -> Expr:
    """RANDOM with a seed gives every row another number, and the same ones again."""
    in_select_list = isinstance(node.find_ancestor(exp.Select, exp.Window, exp.Where), exp.Select)
    if node.name != SCHEMA + "sf_random" or not node.expressions or not in_select_list:
        return node
    row = exp.Window(this=exp.Anonymous(this="row_number"))
    return macro("sf_signed", exp.Anonymous(this="hash", expressions=[node.expressions[0], row]))


for _spelling in ("SEQ1", "SEQ2", "SEQ4", "SEQ8"):
    _sequence(_spelling)


@function("RANDOM")
def random(seed: Expr | None = None) -> Expr:
    """With a seed, each row has a number of its own, and the same rows the same numbers."""
    if seed is None:
        return macro("sf_random")
    if seed.is_string and not seed.name.lstrip("+-").isdigit():
        raise SnowflakeError(f"Numeric value '{seed.name}' is not recognized", 100038, "22018")
    row = exp.Window(this=exp.Anonymous(this="row_number"))
    return macro("sf_signed", exp.Anonymous(this="hash", expressions=[seed, row]))


@function("UNIFORM")
def uniform(low: Expr, high: Expr, generator: Expr) -> Expr:
    return macro("sf_uniform", low, high, generator)
