"""Arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import Expr, exp

from intentscore.local.rewrites.registry import cast, macro, rewrite

if TYPE_CHECKING:
    from intentscore.local.session import Session

Type = exp.DataType.Type


@rewrite(exp.Literal)
def whole_number(node: exp.Literal, session: Session) -> Expr:
    """Snowflake's integers do not overflow at 32 bits."""
    if node.is_int and isinstance(node.parent, (exp.Add, exp.Sub, exp.Mul, exp.Alias, exp.Tuple)):
        return cast(node.copy(), Type.BIGINT) if abs(int(node.this)) < 2**63 else node
    return node


@rewrite(exp.Div)
def division(node: exp.Div, session: Session) -> Expr:
    """Division by zero is an error."""
    node.set("expression", macro("sf_divisor", node.expression))
    return node
