"""Object names as Snowflake folds, qualifies and prints them."""

from __future__ import annotations

import re
from typing import NamedTuple

PLAIN = re.compile(r"[A-Z_][A-Z0-9_$]*")


class ObjectName(NamedTuple):
    """A fully qualified object: database, schema and name, each already folded."""

    database: str
    schema: str
    name: str

    def __str__(self) -> str:
        return ".".join(display(part) for part in self)

    @property
    def duckdb(self) -> str:
        return ".".join(quote(part) for part in self)


def quote(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def display(identifier: str) -> str:
    """The identifier as Snowflake prints it: quoted only where it must be."""
    return identifier if PLAIN.fullmatch(identifier) else quote(identifier)


def fold(text: str) -> str:
    """An identifier as written, to the name it means."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return text[1:-1].replace('""', '"')
    return text.upper()


def split(text: str) -> list[str]:
    """The folded parts of a dotted name as written."""
    return [fold(part) for part in re.findall(r'"(?:[^"]|"")*"|[^."]+', text.strip().replace("..", ".PUBLIC."))]


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def like_pattern(pattern: str) -> re.Pattern[str]:
    """The pattern of SHOW … LIKE: % and _, backslash escapes, letter case ignored."""
    out, i = "", 0
    while i < len(pattern):
        char = pattern[i]
        if char == "\\" and i + 1 < len(pattern):
            i += 1
            out += re.escape(pattern[i])
        else:
            out += {"%": ".*", "_": "."}.get(char, re.escape(char))
        i += 1
    return re.compile(out, re.IGNORECASE | re.DOTALL)
