"""SHOW OBJECTS, tables and views in one list, and SHOW USERS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from intentscore.local import results
from intentscore.local.catalog import EPOCH, OWNER
from intentscore.local.results import Result
from intentscore.local.show import columns_of, named_listing, read_listing, relations
from intentscore.local.statements import Statement, statement
from intentscore.local.types import NUMBER, TEXT
from intentscore.local.views import DYNAMIC

if TYPE_CHECKING:
    from intentscore.local.session import Session

_SOURCES = (("TABLE", "duckdb_tables()", "table_name"), ("VIEW", "duckdb_views()", "view_name"))
_TERSE = ("created_on", "name", "kind", "database_name", "schema_name")


@statement("SHOW OBJECTS", "SHOW TERSE OBJECTS")
def show_objects(session: Session, head: Statement) -> Result:
    listing = read_listing(session, head.scanner)
    rows = []
    for kind, source, column in _SOURCES:
        for name, comment, size in relations(session, listing, source, column):
            dynamic = "Y" if session.catalog.get(DYNAMIC, name) else "N"
            rows.append(
                [EPOCH, name.name, name.database, name.schema, kind, comment, "",
                 size if kind == "TABLE" else None, 0 if kind == "TABLE" else None, OWNER, "1", "ROLE", "N", dynamic,
                 "N"]
            )  # fmt: skip
    columns = {
        **columns_of("name", "database_name", "schema_name", "kind", "comment", "cluster_by"),
        "rows": NUMBER, "bytes": NUMBER,
        **dict.fromkeys(("owner", "retention_time", "owner_role_type", "is_hybrid", "is_dynamic", "is_iceberg"), TEXT),
    }  # fmt: skip
    answer = results.rows(columns, sorted(rows, key=lambda row: row[1:4])[: listing.limit])
    if head.words[1] == "TERSE":
        answer = Result(answer.table.select(_TERSE), [columns[name] for name in _TERSE])
    return answer


@statement("SHOW USERS", "SHOW TERSE USERS")
def show_users(session: Session, head: Statement) -> Result:
    """The one user there is."""
    listing = named_listing(head.scanner)
    name = session.engine.user.upper()
    columns = columns_of("name", "login_name", "display_name", "disabled", "default_warehouse", "default_role", "owner")
    row = [EPOCH, name, name, name, "false", session.engine.warehouse, session.engine.role, OWNER]
    return results.rows(columns, [row] if listing.wants(name) else [])
