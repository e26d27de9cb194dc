"""Names and literals in SQL text, as Snowflake resolves them."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snowflake.snowpark import Session

PLAIN = re.compile(r"[A-Z_][A-Z0-9_$]*")


def resolved(name: str) -> str:
    """The stored form of an identifier: unquoted names fold to upper case, quoted ones keep theirs."""
    if len(name) > 1 and name.startswith('"') and name.endswith('"'):
        return name[1:-1].replace('""', '"')
    return name.upper()


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def identifier(name: str) -> str:
    """`name` as it is written in SQL: quotes only where it cannot do without."""
    stored = resolved(name)
    return stored if PLAIN.fullmatch(stored) else quoted(stored)


def literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def timestamp_literal(moment: datetime) -> str:
    """A TIMESTAMP_NTZ of a moment that is in UTC."""
    return f"'{moment:%Y-%m-%d %H:%M:%S.%f}'::TIMESTAMP_NTZ"


def current_schema(session: Session) -> str:
    """`DATABASE.SCHEMA` the session stands in, which is where all our objects are."""
    database, schema = session.get_current_database(), session.get_current_schema()
    return ".".join(identifier(part) for part in (database, schema) if part)


def qualified(session: Session, name: str) -> str:
    return f"{current_schema(session)}.{identifier(name)}"
