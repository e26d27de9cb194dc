"""Snowflake's SQL tree to DuckDB's: small rewrites of one node each, applied from the leaves up.

`naming` settles what names mean; every other module registers rewrites for the node classes it looks at, so
that one walk applies them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import Expr

from intentscore.local.rewrites import (
    adopted,
    aggregates,
    conversions,
    dates,
    flattening,
    functions,
    joins,
    numbers,
    rows,
    semistructured,
    text,
)
from intentscore.local.rewrites.conversions import with_input_formats
from intentscore.local.rewrites.functions import CANNOT_CHOOSE, bind_aggregates, expand_aliases
from intentscore.local.rewrites.joins import order_using_columns
from intentscore.local.rewrites.macros import macro
from intentscore.local.rewrites.naming import fold_names, name_columns, visible_ctes
from intentscore.local.rewrites.numbers import one_kind_of_result
from intentscore.local.rewrites.registry import cast, rewrite, walk
from intentscore.local.rewrites.zoned import with_offsets

if TYPE_CHECKING:
    from intentscore.local.session import Session

THEMES = (
    functions, conversions, semistructured, flattening, numbers, dates, text, aggregates, adopted, rows, joins,
)  # fmt: skip

__all__ = [
    "CANNOT_CHOOSE",
    "THEMES",
    "apply",
    "cast",
    "expand_aliases",
    "fold_names",
    "macro",
    "name_columns",
    "one_kind_of_result",
    "order_using_columns",
    "rewrite",
    "visible_ctes",
]


def apply(root: Expr, session: Session) -> Expr:
    """Every rewrite on every node; then the macros over aggregates."""
    return bind_aggregates(walk(with_input_formats(with_offsets(root), session), session))
