"""Rewrites that fakesnow already has."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fakesnow import transforms as fakesnow
from sqlglot import Expr, exp

from intentscore.local.rewrites.registry import Rewrite, rewrite

if TYPE_CHECKING:
    from intentscore.local.session import Session


def _adopted(function: Callable[[Expr], Expr]) -> Rewrite:
    def adopt(node: Expr, session: Session) -> Expr:
        return function(node)

    return adopt


for _classes, _function in (
    ((exp.HexString,), fakesnow.hex_string),
    ((exp.TableSample,), fakesnow.sample),
):
    rewrite(*_classes)(_adopted(_function))
