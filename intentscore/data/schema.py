"""The columns of a session, and how a file's own column names are matched to them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from intentscore.errors import DataError

COUNTS: Final = ("ADMINISTRATIVE", "INFORMATIONAL", "PRODUCT_RELATED")
CODES: Final = ("OPERATING_SYSTEMS", "BROWSER", "REGION", "TRAFFIC_TYPE")
MEASURES: Final = (
    "ADMINISTRATIVE_DURATION",
    "INFORMATIONAL_DURATION",
    "PRODUCT_RELATED_DURATION",
    "BOUNCE_RATES",
    "EXIT_RATES",
    "PAGE_VALUES",
    "SPECIAL_DAY",
)
NUMBERS: Final = frozenset((*COUNTS, *CODES, *MEASURES))

ATTRIBUTES: Final = (
    "ADMINISTRATIVE",
    "ADMINISTRATIVE_DURATION",
    "INFORMATIONAL",
    "INFORMATIONAL_DURATION",
    "PRODUCT_RELATED",
    "PRODUCT_RELATED_DURATION",
    "BOUNCE_RATES",
    "EXIT_RATES",
    "PAGE_VALUES",
    "SPECIAL_DAY",
    "MONTH",
    "OPERATING_SYSTEMS",
    "BROWSER",
    "REGION",
    "TRAFFIC_TYPE",
    "VISITOR_TYPE",
    "WEEKEND",
)
RAW_COLUMNS: Final = ("UID", "SESSION_DATE", *ATTRIBUTES, "REVENUE", "OUTCOME_DATE")
ROW_NUMBER: Final = "ROW_NUMBER"
BATCH_SCHEMA: Final = pa.schema(
    [*(pa.field(name, pa.string()) for name in RAW_COLUMNS), pa.field(ROW_NUMBER, pa.int64())]
)

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FULL_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_MONTH_BY_NAME: Final = {
    **{short.lower(): short for short in MONTHS},
    **dict(zip(_FULL_MONTHS, MONTHS, strict=True)),
    "sept": "Sep",
}
_FOUND_NAMES_SHOWN: Final = 25


def month_name(text: str) -> str:
    """'June', 'JUN' and 'jun' are 'Jun'; anything that is no English month stays as it came."""
    return _MONTH_BY_NAME.get(text.lower().rstrip("."), text)


def match_columns(found: Sequence[str], source: str) -> dict[str, int]:
    """Position in `found` of every column of RAW_COLUMNS it has, whatever the case and the underscores.

    UID, SESSION_DATE, REVENUE and OUTCOME_DATE may be absent. Other columns are ignored.
    Raises DataError when an attribute is missing or two columns match the same name.
    """
    wanted = {_bare(name): name for name in RAW_COLUMNS}
    positions: dict[str, int] = {}
    for position, name in enumerate(found):
        column = wanted.get(_bare(name))
        if column in positions:
            pair = f"'{found[positions[column]]}' and '{name}'"
            raise DataError(f"{source}: the columns {pair} both mean {column}; remove or rename one of them")
        if column is not None:
            positions[column] = position
    _require_attributes(positions, found, source)
    return positions


def _bare(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()


def _require_attributes(positions: dict[str, int], found: Sequence[str], source: str) -> None:
    missing = [name for name in ATTRIBUTES if name not in positions]
    if not missing:
        return
    names = [" ".join(name.split())[:60] for name in found]
    if len(names) > _FOUND_NAMES_SHOWN:
        names = [*names[:_FOUND_NAMES_SHOWN], f"and {len(found) - _FOUND_NAMES_SHOWN} more"]
    raise DataError(
        f"{source}: missing columns {', '.join(missing)} (found: {', '.join(names)}); "
        "add them to a comma-separated header line or a Parquet schema"
    )
