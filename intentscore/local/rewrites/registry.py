"""The registry of rewrites, and the walk that applies them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlglot import Expr, exp

if TYPE_CHECKING:
    from intentscore.local.session import Session
    from intentscore.local.types import ColumnType

KIND = "kind"
"""Under which a node's meta holds the Snowflake type of its value, where it is known."""
POSITION = "position"
"""Under which the meta of `$1` holds the alias and the name of the column it stands for."""
Rewrite = Callable[[Any, "Session"], Expr]
REWRITES: dict[type[Expr], list[Rewrite]] = {}


def rewrite(*classes: type[Expr]) -> Callable[[Rewrite], Rewrite]:
    def register(function: Rewrite) -> Rewrite:
        for cls in classes:
            REWRITES.setdefault(cls, []).append(function)
        return function

    return register


def walk(root: Expr, session: Session) -> Expr:
    """Every registered rewrite, on every node, leaves first."""
    for node in reversed(list(root.dfs())):
        current: Expr = node
        for function in REWRITES.get(type(node), ()):
            changed = function(current, session)
            if changed is not current:
                if current is root:
                    root = changed
                else:
                    current.replace(changed)
                current = changed
                if type(current) is not type(node):
                    break
        if current is not node and KIND in node.meta:
            current.meta[KIND] = node.meta[KIND]
    return root


def kind_of(node: Expr) -> ColumnType | None:
    """The type that was found for an expression; None where it is DuckDB that will know."""
    found: ColumnType | None = node.meta.get(KIND)
    return found


def cast(this: Expr, to: exp.DType) -> exp.Cast:
    return exp.Cast(this=this, to=exp.DataType(this=to))


def every_column(star: Expr) -> Expr:
    """The columns of a star, each an argument of the call it stands in."""
    return exp.Columns(this=star, unpack=True)
