"""The functions SHOW FUNCTIONS lists that no user has made."""

from __future__ import annotations

import functools

from sqlglot.parsers.snowflake import SnowflakeParser

AGGREGATES = frozenset((
    "ANY_VALUE", "APPROX_COUNT_DISTINCT", "APPROX_PERCENTILE", "APPROX_PERCENTILE_ACCUMULATE",
    "APPROX_PERCENTILE_COMBINE", "ARRAYAGG", "ARRAY_AGG", "ARRAY_UNIQUE_AGG", "AVG", "BITAND_AGG", "BITOR_AGG",
    "BITXOR_AGG", "BOOLAND_AGG", "BOOLOR_AGG", "BOOLXOR_AGG", "CORR", "COUNT", "COUNT_IF", "COVAR_POP", "COVAR_SAMP",
    "FIRST_VALUE", "HASH_AGG", "HLL", "KURTOSIS", "LAST_VALUE", "LISTAGG", "MAX", "MAX_BY", "MEDIAN", "MIN",
    "MIN_BY", "MODE", "OBJECT_AGG", "PERCENTILE_CONT", "PERCENTILE_DISC", "REGR_AVGX", "REGR_AVGY", "REGR_COUNT",
    "REGR_INTERCEPT", "REGR_R2", "REGR_SLOPE", "REGR_SXX", "REGR_SXY", "REGR_SYY", "SKEW", "STDDEV", "STDDEV_POP",
    "STDDEV_SAMP", "SUM", "VARIANCE", "VARIANCE_POP", "VARIANCE_SAMP", "VAR_POP", "VAR_SAMP",
))  # fmt: skip


@functools.cache
def names() -> list[str]:
    """The functions the engine has under their names in SQL, and the aggregates DuckDB computes."""
    from intentscore.local.rewrites.functions import ALIASES, FUNCTIONS, known_names

    return sorted(FUNCTIONS.keys() | ALIASES.keys() | (known_names() & SnowflakeParser.FUNCTIONS.keys()) | AGGREGATES)
