"""Values and names as people read them, in the terminal and in the report."""

from __future__ import annotations

import math
from decimal import Decimal

NOTHING = "-"


def readable(value: object) -> str:
    """A list by its items; what is neither number, truth value nor list as Python writes it, dates as ISO 8601."""
    match value:
        case None:
            return NOTHING
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return _number(value)
        case list() | tuple():
            return ", ".join(readable(item) for item in value) or NOTHING
    return str(value)


def label(name: str) -> str:
    return name.replace("_", " ").strip()


def is_number(value: object) -> bool:
    """Whether the value belongs in a column of numbers, as nothing does."""
    return value is None or (isinstance(value, (int, float, Decimal)) and not isinstance(value, bool))


def _number(value: float) -> str:
    """Four decimals, or four digits where those would hide a small number."""
    if not math.isfinite(value):
        return NOTHING
    if 1e-4 <= abs(value) < 1e-3:
        return f"{value:.7f}"
    if value != 0 and not 1e-3 <= abs(value) < 1e9:
        return f"{value:.3e}"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4f}"
