"""Elements of arrays without a value, `undefined`: the mark that stands for them in JSON, where it has no word.

The same mark as in functions/1_semistructured.sql.
"""

from __future__ import annotations

MARK = '"\ue000undefined"'


def shown(text: str) -> str:
    """As an account prints it."""
    return text.replace(MARK, "undefined")


def as_null(text: str) -> str:
    """As JSON that others read."""
    return text.replace(MARK, "null")
