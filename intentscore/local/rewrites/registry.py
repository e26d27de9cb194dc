"""The registry of rewrites, and the walk that applies them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlglot import Expr, exp

if TYPE_CHECKING:
    from intentscore.local.session import Session

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
    return root


def cast(this: Expr, to: exp.DType) -> exp.Cast:
    return exp.Cast(this=this, to=exp.DataType(this=to))
