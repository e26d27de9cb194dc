"""The features, defined once. Training, scoring, monitoring and the report all read this list.

Each is an SQL expression over the columns of SESSIONS, computed in the warehouse as FLOAT, for training and
scoring alike. Category codes are fixed here, never fitted; 0 stands for an unknown category.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from intentscore.warehouse.tables import MONTHS, VISITORS

if TYPE_CHECKING:
    from snowflake.snowpark import Column

Kind = Literal["numeric", "categorical"]


@dataclass(frozen=True)
class Feature:
    name: str
    sql: str
    kind: Kind
    meaning: str


def _numeric(name: str, meaning: str, sql: str | None = None) -> Feature:
    return Feature(name, sql or name, "numeric", meaning)


def _categorical(name: str, meaning: str, sql: str | None = None) -> Feature:
    return Feature(name, sql or name, "categorical", meaning)


def _ratio(part: str, whole: str) -> str:
    # as FLOAT: Snowflake rounds the quotient of two NUMBERs to six decimals
    return f"CASE WHEN {whole} > 0 THEN CAST({part} AS FLOAT) / {whole} ELSE 0 END"


def _codes(column: str, values: tuple[str, ...]) -> str:
    cases = " ".join(f"WHEN '{value}' THEN {code}" for code, value in enumerate(values, start=1))
    return f"CASE {column} {cases} ELSE 0 END"


PAGES = "(ADMINISTRATIVE + INFORMATIONAL + PRODUCT_RELATED)"
SECONDS = "(ADMINISTRATIVE_DURATION + INFORMATIONAL_DURATION + PRODUCT_RELATED_DURATION)"
MONTH_NUMBER = _codes("MONTH", MONTHS)
YEAR_ANGLE = f"2 * PI() * ({MONTH_NUMBER} - 1) / 12"

FEATURES: tuple[Feature, ...] = (
    _numeric("ADMINISTRATIVE", "administrative pages seen"),
    _numeric("ADMINISTRATIVE_DURATION", "seconds on administrative pages"),
    _numeric("INFORMATIONAL", "informational pages seen"),
    _numeric("INFORMATIONAL_DURATION", "seconds on informational pages"),
    _numeric("PRODUCT_RELATED", "product pages seen"),
    _numeric("PRODUCT_RELATED_DURATION", "seconds on product pages"),
    _numeric("BOUNCE_RATES", "mean bounce rate of the pages seen"),
    _numeric("EXIT_RATES", "mean exit rate of the pages seen"),
    _numeric("PAGE_VALUES", "mean page value of the pages seen"),
    _numeric("SPECIAL_DAY", "closeness to a special day"),
    _numeric("IS_WEEKEND", "1 on a weekend, else 0", "CASE WHEN WEEKEND THEN 1 ELSE 0 END"),
    _numeric("TOTAL_PAGES", "pages seen, all types", PAGES),
    _numeric("TOTAL_DURATION", "seconds on all pages", SECONDS),
    _numeric("SECONDS_PER_PAGE", "mean seconds per page, all types", _ratio(SECONDS, PAGES)),
    _numeric(
        "SECONDS_PER_PRODUCT_PAGE",
        "mean seconds per product page",
        _ratio("PRODUCT_RELATED_DURATION", "PRODUCT_RELATED"),
    ),
    _numeric(
        "ADMINISTRATIVE_SHARE",
        "share of administrative pages among those seen",
        _ratio("ADMINISTRATIVE", PAGES),
    ),
    _numeric("INFORMATIONAL_SHARE", "share of informational pages among those seen", _ratio("INFORMATIONAL", PAGES)),
    _numeric("PRODUCT_SHARE", "share of product pages among those seen", _ratio("PRODUCT_RELATED", PAGES)),
    _numeric(
        "PRODUCT_DURATION_SHARE",
        "share of the time that went to product pages",
        _ratio("PRODUCT_RELATED_DURATION", SECONDS),
    ),
    _numeric("EXIT_MINUS_BOUNCE", "exit rate minus bounce rate", "EXIT_RATES - BOUNCE_RATES"),
    _numeric("EXIT_TIMES_BOUNCE", "exit rate times bounce rate", "EXIT_RATES * BOUNCE_RATES"),
    _numeric("BOUNCE_TO_EXIT", "bounce rate over exit rate", _ratio("BOUNCE_RATES", "EXIT_RATES")),
    _numeric("HAS_PAGE_VALUE", "1 when a page seen has a value", "CASE WHEN PAGE_VALUES > 0 THEN 1 ELSE 0 END"),
    _numeric("LOG_PAGE_VALUES", "natural logarithm of 1 + page value", "LN(1 + PAGE_VALUES)"),
    _numeric("TOTAL_VALUE", "mean page value times pages seen", f"PAGE_VALUES * {PAGES}"),
    _numeric("LOG_TOTAL_VALUE", "natural logarithm of 1 + total value", f"LN(1 + PAGE_VALUES * {PAGES})"),
    _numeric("VALUE_PER_PAGE", "mean page value over pages seen", _ratio("PAGE_VALUES", PAGES)),
    _numeric(
        "LOG_VALUE_PER_PAGE",
        "natural logarithm of 1 + page value, over pages seen",
        _ratio("LN(1 + PAGE_VALUES)", PAGES),
    ),
    _numeric("VALUE_PER_EXIT", "page value over exit rate plus 0.001", "PAGE_VALUES / (EXIT_RATES + 0.001)"),
    _numeric("VALUE_AFTER_EXIT", "page value times the share that stays", "PAGE_VALUES * (1 - EXIT_RATES)"),
    _numeric("LOG_TOTAL_DURATION", "natural logarithm of 1 + seconds on all pages", f"LN(1 + {SECONDS})"),
    _numeric("MONTH_NUMBER", "month as a number, 1 to 12", MONTH_NUMBER),
    _numeric("MONTH_SIN", "place in the year, sine", f"SIN({YEAR_ANGLE})"),
    _numeric("MONTH_COS", "place in the year, cosine", f"COS({YEAR_ANGLE})"),
    _categorical("OPERATING_SYSTEMS", "code of the operating system"),
    _categorical("BROWSER", "code of the browser"),
    _categorical("REGION", "code of the region"),
    _categorical("TRAFFIC_TYPE", "code of the traffic source"),
    _categorical(
        "VISITOR_CODE",
        "kind of visitor: " + ", ".join(f"{code} {name}" for code, name in enumerate(VISITORS, start=1)),
        _codes("VISITOR_TYPE", VISITORS),
    ),
)


def feature_names(features: Iterable[Feature] = FEATURES) -> tuple[str, ...]:
    return tuple(feature.name for feature in features)


def features_using(column: str, features: Iterable[Feature] = FEATURES) -> tuple[str, ...]:
    """The features called `column`, and all that are computed from the column of SESSIONS of that name."""
    word = re.compile(rf"\b{re.escape(column)}\b")
    return tuple(feature.name for feature in features if feature.name == column or word.search(feature.sql))


def feature_columns(features: Iterable[Feature] = FEATURES) -> list[Column]:
    """The features as Snowpark columns over SESSIONS, all FLOAT."""
    from snowflake.snowpark.functions import sql_expr
    from snowflake.snowpark.types import DoubleType

    # parenthesised: Snowpark writes the expression into its CAST as it stands
    return [sql_expr(f"({feature.sql})").cast(DoubleType()).alias(feature.name) for feature in features]


def feature_hash(features: Iterable[Feature] = FEATURES) -> str:
    """First 16 hex digits of the SHA-256 over name, SQL and kind of each feature, in order."""
    listed = [[feature.name, feature.sql, feature.kind] for feature in features]
    return hashlib.sha256(json.dumps(listed, separators=(",", ":")).encode()).hexdigest()[:16]
