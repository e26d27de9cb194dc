"""The shopper's history: features over the earlier sessions of the same UID, null where there are none.

Earlier means on an earlier day. Sessions of the same day are no more known than later ones, and an outcome counts
from the day after it became known (OUTCOME_DATE), which may be long after the session. So a session's features are
the same whatever happens on its day or later.

Sums run over decimals, not floats: their order, which no warehouse promises, cannot change a digit.
"""

from __future__ import annotations

from collections.abc import Sequence

from intentscore.features.feature import Feature, history
from intentscore.warehouse.tables import SESSIONS

OUTCOME = ("REVENUE", "OUTCOME_DATE", "LOADED_AT")
LARGEST = "1e11"

# what the means run over: the main behaviours of a session
BEHAVIOURS = {
    "PAGES": ("pages seen", "ADMINISTRATIVE + INFORMATIONAL + PRODUCT_RELATED"),
    "DURATION": (
        "seconds on all pages",
        "ADMINISTRATIVE_DURATION + INFORMATIONAL_DURATION + PRODUCT_RELATED_DURATION",
    ),
    "EXIT_RATES": ("exit rate", "EXIT_RATES"),
    "PAGE_VALUES": ("page value", "PAGE_VALUES"),
}


def history_features(days: Sequence[int]) -> tuple[Feature, ...]:
    """Counts, recency and purchases over all earlier sessions, means over those of the last `days`, each of them.

    Without any `days` the history is left out.
    """
    if not days:
        return ()
    return (
        *_ALWAYS,
        *(
            feature
            for n in days
            for feature in (_sessions_within(n), *(_mean_within(behaviour, n) for behaviour in BEHAVIOURS))
        ),
    )


def events(sessions: str) -> str:
    """Every session on its day, and every outcome that became known later on the day it did.

    VISITS is 1 for a session and null for an outcome; KNOWN_PURCHASES is 1 or 0 from the day the outcome is known.
    """
    attributes = [column for column in SESSIONS.columns if column.name not in (*SESSIONS.key, *OUTCOME)]
    own = ", ".join(column.name for column in attributes)
    none = ", ".join(f"NULL::{column.type}" for column in attributes)
    known = "REVENUE IS NOT NULL AND COALESCE(OUTCOME_DATE, SESSION_DATE) <= SESSION_DATE"
    return (
        f"SELECT UID, SESSION_DATE, {own},\n"
        f"  1 AS VISITS, SESSION_DATE AS VISITED_ON, IFF({known}, IFF(REVENUE, 1, 0), NULL) AS KNOWN_PURCHASES,\n"
        f"  IFF({known} AND REVENUE, SESSION_DATE, NULL) AS BOUGHT_ON\nFROM {sessions}\n"
        "UNION ALL\n"
        f"SELECT UID, OUTCOME_DATE, {none},\n"
        "  NULL, NULL::DATE, IFF(REVENUE, 1, 0), IFF(REVENUE, SESSION_DATE, NULL)\n"
        f"FROM {sessions} WHERE REVENUE IS NOT NULL AND OUTCOME_DATE > SESSION_DATE"
    )


def _earlier(days: int | None = None) -> str:
    first = "UNBOUNDED PRECEDING" if days is None else f"INTERVAL '{days} DAYS' PRECEDING"
    return f"OVER (PARTITION BY UID ORDER BY SESSION_DATE RANGE BETWEEN {first} AND INTERVAL '1 DAY' PRECEDING)"


def _days_since(date: str) -> str:
    return f"DATEDIFF('DAY', {date}, SESSION_DATE)"


_ALWAYS = (
    history("PAST_SESSIONS", "earlier sessions of the shopper", f"SUM(VISITS) {_earlier()}"),
    history(
        "DAYS_SINCE_SESSION", "days since the session before", _days_since(f"MAX(VISITED_ON) {_earlier()}")
    ),
    history(
        "DAYS_SINCE_FIRST_SESSION", "days since the first session",
        _days_since(f"MIN(VISITED_ON) {_earlier()}"),
    ),
    history("PAST_PURCHASES", "earlier purchases, as far as known", f"SUM(KNOWN_PURCHASES) {_earlier()}"),
    history(
        "PAST_PURCHASE_RATE", "share of earlier sessions of known outcome that ended in a purchase",
        f"CAST(SUM(KNOWN_PURCHASES) {_earlier()} AS FLOAT) / NULLIF(COUNT(KNOWN_PURCHASES) {_earlier()}, 0)",
    ),
    history(
        "DAYS_SINCE_PURCHASE", "days since the last known purchase", _days_since(f"MAX(BOUGHT_ON) {_earlier()}")
    ),
)  # fmt: skip


def _sessions_within(days: int) -> Feature:
    meaning = f"earlier sessions in the {days} days before"
    return history(f"PAST_SESSIONS_{days}D", meaning, f"SUM(VISITS) {_earlier(days)}")


def _mean_within(behaviour: str, days: int) -> Feature:
    words, sql = BEHAVIOURS[behaviour]
    exact = f"CAST(LEAST({sql}, {LARGEST}) AS NUMBER(18, 6))"
    return history(
        f"PAST_{behaviour}_{days}D",
        f"mean {words} of earlier sessions in the {days} days before",
        f"CAST(SUM({exact}) {_earlier(days)} AS FLOAT) / SUM(VISITS) {_earlier(days)}",
    )
