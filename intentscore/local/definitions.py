"""GET_DDL: the statement that would make an object again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from intentscore.local import routine_listing
from intentscore.local.catalog import CLUSTERING, TABLE
from intentscore.local.columns import TableColumn, shown_default, table_columns
from intentscore.local.context_functions import context_function
from intentscore.local.errors import does_not_exist, unsupported
from intentscore.local.names import ObjectName, literal, quote, split

if TYPE_CHECKING:
    from intentscore.local.session import Session

VIEW = "VIEW"
_CAST = re.compile(r"^CAST\((.*) AS \w+\)$")
RELATIONS = (TABLE, VIEW, "DYNAMIC_TABLE")


@context_function("GET_DDL")
def get_ddl(session: Session, kind: str, name: str, qualified: bool = False) -> str:
    kind = kind.upper()
    if kind in ("PROCEDURE", "FUNCTION"):
        return routine_listing.ddl(session, kind, name)
    if kind not in RELATIONS:
        raise unsupported(f"GET_DDL of a {kind.lower()}")
    place = session.resolve(split(name))
    if not session.table_exists(place):
        raise does_not_exist(kind.title(), str(place))
    stored = session.catalog.get("DYNAMIC TABLE", place) or session.catalog.get(VIEW, place)
    if stored and "text" in stored.details:
        return f"{stored.details['text'].rstrip().rstrip(';')};"
    if session.relation_kind(place) == VIEW and place not in session.temporary_tables:
        raise unsupported("GET_DDL of a view that was not made by CREATE VIEW")
    return _table(session, place, qualified=qualified)


def _table(session: Session, name: ObjectName, *, qualified: bool) -> str:
    """In the layout of an account: a column a line, behind a tabulator."""
    shown = ".".join(map(_plain, name)) if qualified else _plain(name.name)
    columns = ",\n".join(f"\t{_column(session, column)}" for column in table_columns(session, name))
    details = entry.details if (entry := session.catalog.get(TABLE, name)) else {}
    clustering = session.catalog.get(CLUSTERING, name)
    cluster = f"cluster by ({clustering.details['columns']})" if clustering and clustering.details["columns"] else ""
    comment = f"COMMENT={literal(found)}\n" if (found := _comment(session, name)) else ""
    durability = "TEMPORARY " if name in session.temporary_tables else "TRANSIENT " if details.get("transient") else ""
    return f"create or replace {durability}TABLE {shown} {cluster}(\n{columns}\n){comment};"


def _comment(session: Session, name: ObjectName) -> str | None:
    place = ("temp", "main", session.temporary_tables[name]) if name in session.temporary_tables else tuple(name)
    query = "SELECT comment FROM duckdb_tables() WHERE database_name = ? AND schema_name = ? AND table_name = ?"
    found = session.fetch(query, place)
    return found[0][0] if found else None


def _column(session: Session, column: TableColumn) -> str:
    parts = [_plain(column.name), column.type.declared]
    if not column.nullable:
        parts.append("NOT NULL")
    if (default := shown_default(session, column)) is not None:
        parts.append("DEFAULT " + _CAST.sub(r"\1", default))
    if column.comment:
        parts.append(f"COMMENT {literal(column.comment)}")
    return " ".join(parts)


def _plain(name: str) -> str:
    """The name, in quotation marks where it needs them."""
    is_plain = name.replace("_", "A").replace("$", "A").isalnum() and name == name.upper() and not name[0].isdigit()
    return name if is_plain else quote(name)
