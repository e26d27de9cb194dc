"""The features, defined once. Training, scoring, monitoring and the report all read this list.

Each is an SQL expression over the columns of SESSIONS, computed in the warehouse as FLOAT, for training and
scoring alike. Category codes are fixed here, never fitted; 0 stands for an unknown category. The shopper's history
(history.py) and the features that the settings add follow those of the session itself.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from intentscore.errors import ConfigurationError
from intentscore.features.feature import Feature, apart, categorical, numeric
from intentscore.features.history import events, history_features
from intentscore.settings import FeatureViewSettings
from intentscore.warehouse.tables import MONTHS, VISITORS

if TYPE_CHECKING:
    from intentscore.settings import Settings


def _ratio(part: str, whole: str) -> str:
    # as FLOAT: Snowflake rounds the quotient of two NUMBERs to six decimals
    return f"CASE WHEN {whole} > 0 THEN CAST({part} AS FLOAT) / {whole} ELSE 0 END"


def _codes(column: str, values: tuple[str, ...]) -> str:
    cases = " ".join(f"WHEN '{value}' THEN {code}" for code, value in enumerate(values, start=1))
    return f"CASE {column} {cases} ELSE 0 END"


PAGES = "(ADMINISTRATIVE + INFORMATIONAL + PRODUCT_RELATED)"
SECONDS = "(ADMINISTRATIVE_DURATION + INFORMATIONAL_DURATION + PRODUCT_RELATED_DURATION)"
MONTH_NUMBER = _codes("MONTH", MONTHS)
VISITOR_CODE = _codes("VISITOR_TYPE", VISITORS)
YEAR_ANGLE = f"2 * PI() * ({MONTH_NUMBER} - 1) / 12"

_ONE_BY_ONE: tuple[Feature, ...] = (
    numeric("ADMINISTRATIVE", "administrative pages seen"),
    numeric("ADMINISTRATIVE_DURATION", "seconds on administrative pages"),
    numeric("INFORMATIONAL", "informational pages seen"),
    numeric("INFORMATIONAL_DURATION", "seconds on informational pages"),
    numeric("PRODUCT_RELATED", "product pages seen"),
    numeric("PRODUCT_RELATED_DURATION", "seconds on product pages"),
    numeric("BOUNCE_RATES", "mean bounce rate of the pages seen"),
    numeric("EXIT_RATES", "mean exit rate of the pages seen"),
    numeric("PAGE_VALUES", "mean page value of the pages seen"),
    numeric("SPECIAL_DAY", "closeness to a special day"),
    numeric("IS_WEEKEND", "1 on a weekend, else 0", "CASE WHEN WEEKEND THEN 1 ELSE 0 END"),
    numeric("TOTAL_PAGES", "pages seen, all types", PAGES),
    numeric("TOTAL_DURATION", "seconds on all pages", SECONDS),
    numeric("SECONDS_PER_PAGE", "mean seconds per page, all types", _ratio(SECONDS, PAGES)),
    numeric(
        "SECONDS_PER_PRODUCT_PAGE",
        "mean seconds per product page",
        _ratio("PRODUCT_RELATED_DURATION", "PRODUCT_RELATED"),
    ),
    numeric(
        "ADMINISTRATIVE_SHARE",
        "share of administrative pages among those seen",
        _ratio("ADMINISTRATIVE", PAGES),
    ),
    numeric("INFORMATIONAL_SHARE", "share of informational pages among those seen", _ratio("INFORMATIONAL", PAGES)),
    numeric("PRODUCT_SHARE", "share of product pages among those seen", _ratio("PRODUCT_RELATED", PAGES)),
    numeric(
        "PRODUCT_DURATION_SHARE",
        "share of the time that went to product pages",
        _ratio("PRODUCT_RELATED_DURATION", SECONDS),
    ),
    numeric("EXIT_MINUS_BOUNCE", "exit rate minus bounce rate", "EXIT_RATES - BOUNCE_RATES"),
    numeric("EXIT_TIMES_BOUNCE", "exit rate times bounce rate", "EXIT_RATES * BOUNCE_RATES"),
    numeric("BOUNCE_TO_EXIT", "bounce rate over exit rate", _ratio("BOUNCE_RATES", "EXIT_RATES")),
    numeric("TOTAL_EXIT_RATE", "exit rate times pages seen", f"EXIT_RATES * {PAGES}"),
    numeric("TOTAL_BOUNCE_RATE", "bounce rate times pages seen", f"BOUNCE_RATES * {PAGES}"),
    numeric("HAS_PAGE_VALUE", "1 when a page seen has a value", "CASE WHEN PAGE_VALUES > 0 THEN 1 ELSE 0 END"),
    numeric("LOG_PAGE_VALUES", "natural logarithm of 1 + page value", "LN(1 + PAGE_VALUES)"),
    numeric("TOTAL_VALUE", "mean page value times pages seen", f"PAGE_VALUES * {PAGES}"),
    numeric("LOG_TOTAL_VALUE", "natural logarithm of 1 + total value", f"LN(1 + PAGE_VALUES * {PAGES})"),
    numeric("VALUE_AFTER_EXIT", "page value times the share that stays", "PAGE_VALUES * (1 - EXIT_RATES)"),
    numeric("LOG_TOTAL_DURATION", "natural logarithm of 1 + seconds on all pages", f"LN(1 + {SECONDS})"),
    numeric("MONTH_NUMBER", "month as a number, 1 to 12", MONTH_NUMBER),
    numeric("MONTH_SIN", "place in the year, sine", f"SIN({YEAR_ANGLE})"),
    numeric("MONTH_COS", "place in the year, cosine", f"COS({YEAR_ANGLE})"),
    categorical("OPERATING_SYSTEMS", "code of the operating system"),
    categorical("BROWSER", "code of the browser"),
    categorical("REGION", "code of the region"),
    categorical("TRAFFIC_TYPE", "code of the traffic source"),
    categorical(
        "VISITOR_CODE",
        "kind of visitor: " + ", ".join(f"{code} {name}" for code, name in enumerate(VISITORS, start=1)),
        VISITOR_CODE,
    ),
)
_APART = ("ADMINISTRATIVE_SHARE", "PRODUCT_SHARE", "EXIT_RATES", "BOUNCE_RATES", "PRODUCT_RELATED", "TOTAL_DURATION")
_BY_NAME = {feature.name: feature for feature in _ONE_BY_ONE}
SESSION_FEATURES: tuple[Feature, ...] = (*_ONE_BY_ONE, *(one for name in _APART for one in apart(_BY_NAME[name])))


def feature_list(settings: Settings) -> tuple[Feature, ...]:
    """The features of these settings: the session's own, the shopper's history, and those the settings add.

    Raises ConfigurationError when two have the same name.
    """
    return _listed(settings.feature_view)


def _listed(view: FeatureViewSettings) -> tuple[Feature, ...]:
    own = [Feature(one.name, one.sql, one.kind, one.meaning, nullable=True) for one in view.own_features]
    features = (*SESSION_FEATURES, *history_features(view.history_days), *own)
    twice = [name for name, count in Counter(feature.name for feature in features).items() if count > 1]
    if twice:
        raise ConfigurationError(f"feature_view.own_features: there is a feature {twice[0]} already; name it otherwise")
    return features


FEATURES = _listed(FeatureViewSettings())
"""The list of the default settings."""


def feature_names(features: Iterable[Feature] = FEATURES) -> tuple[str, ...]:
    return tuple(feature.name for feature in features)


def meanings(features: Iterable[Feature]) -> dict[str, str]:
    return {feature.name: feature.meaning for feature in features}


def features_using(column: str, features: Iterable[Feature] = FEATURES) -> tuple[str, ...]:
    """The features called `column`, and all that are computed from the column of SESSIONS of that name."""
    word = re.compile(rf"\b{re.escape(column)}\b", re.IGNORECASE)
    return tuple(feature.name for feature in features if feature.name == column or word.search(feature.sql))


def feature_query(sessions: str, features: Iterable[Feature] = FEATURES) -> str:
    """UID, SESSION_DATE and the features, all FLOAT, of every row of the table `sessions`."""
    listed = tuple(features)
    columns = ",\n  ".join(f"CAST(({feature.sql}) AS FLOAT) AS {feature.name}" for feature in listed)
    if not any(feature.history for feature in listed):
        return f"SELECT UID, SESSION_DATE,\n  {columns}\nFROM {sessions}"
    names = ", ".join(feature_names(listed))
    return (
        f"SELECT UID, SESSION_DATE, {names}\nFROM (\nSELECT UID, SESSION_DATE, VISITS,\n  {columns}\n"
        f"FROM (\n{events(sessions)}\n)\n)\nWHERE VISITS = 1"
    )


def feature_hash(features: Iterable[Feature] = FEATURES) -> str:
    """First 16 hex digits of the SHA-256 over name, SQL and kind of each feature, in order.

    With the shopper's history, what it counts as earlier belongs to it as well.
    """
    chosen = tuple(features)
    listed = [[feature.name, feature.sql, feature.kind] for feature in chosen]
    if any(feature.history for feature in chosen):
        listed.append([events("SESSIONS")])
    return hashlib.sha256(json.dumps(listed, separators=(",", ":")).encode()).hexdigest()[:16]
