"""Snowflake's SQL tree to DuckDB's: small rewrites of one node each, applied from the leaves up.

`naming` settles what names mean; every other module registers rewrites for the node classes it looks at, so
that one walk applies them all.
"""

from intentscore.local.rewrites import adopted, conversions, dates, joins, numbers, rows
from intentscore.local.rewrites.joins import order_using_columns
from intentscore.local.rewrites.naming import TEXT, fold_names, name_columns, visible_ctes
from intentscore.local.rewrites.registry import apply, cast, macro, rewrite

THEMES = (conversions, numbers, dates, adopted, rows, joins)

__all__ = [
    "TEXT", "THEMES", "apply", "cast", "fold_names", "macro", "name_columns", "order_using_columns", "rewrite",
    "visible_ctes",
]  # fmt: skip
