"""SHOW TABLES, SHOW OBJECTS (tables and views in one list) and SHOW USERS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from intentscore.local import results
from intentscore.local.catalog import CLUSTERING, EPOCH, OWNER, TABLE
from intentscore.local.errors import does_not_exist
from intentscore.local.names import ObjectName
from intentscore.local.results import Result
from intentscore.local.show import Listing, Relation, columns_of, linear, named_listing, read_listing, relations, terse
from intentscore.local.statements import Statement, statement
from intentscore.local.tables import DYNAMIC
from intentscore.local.types import NUMBER, TEXT

if TYPE_CHECKING:
    from intentscore.local.session import Session


@statement("SHOW TABLES", "SHOW TERSE TABLES")
def show_tables(session: Session, head: Statement) -> Result:
    listing = read_listing(session, head.scanner)
    rows = [_table(session, table) for table in relations(session, listing, TABLE)]
    rows += [_temporary_table(session, name) for name in _temporary_tables(session, listing)]
    columns = columns_of(
        "name", "database_name", "schema_name", "kind", "comment", "cluster_by", "owner", "retention_time",
        "owner_role_type", "is_dynamic", rows=NUMBER, bytes=NUMBER,
    )  # fmt: skip
    return terse(head, results.rows(columns, rows[: listing.limit]))


def _table(session: Session, table: Relation) -> list[Any]:
    kind = "TRANSIENT" if table.entry and table.entry.details["transient"] else TABLE
    dynamic = "Y" if session.catalog.get(DYNAMIC, table.name) else "N"
    clustering = session.catalog.get(CLUSTERING, table.name)
    by = linear(clustering.details["columns"]) if clustering else ""
    return [
        table.created_on, table.name.name, table.name.database, table.name.schema, kind, table.comment, by, OWNER,
        "1", "ROLE", dynamic, table.detail, 0,
    ]  # fmt: skip


def _temporary_tables(session: Session, listing: Listing) -> list[ObjectName]:
    return [
        name
        for name, physical in session.temporary_tables.items()
        if listing.database in (None, name.database)
        and listing.schema in (None, name.schema)
        and listing.wants(name.name)
        and not session.is_temporary_view(physical)
    ]


def _temporary_table(session: Session, name: ObjectName) -> list[Any]:
    entry = session.catalog.get(TABLE, name)
    created_on = entry.created_on if entry else EPOCH
    return [
        created_on, name.name, name.database, name.schema, "TEMPORARY", "", "", OWNER, "1", "ROLE", "N", None, None,
    ]  # fmt: skip


@statement("SHOW OBJECTS", "SHOW TERSE OBJECTS")
def show_objects(session: Session, head: Statement) -> Result:
    listing = read_listing(session, head.scanner)
    rows = []
    for kind in (TABLE, "VIEW"):
        for found in relations(session, listing, kind):
            name, is_table = found.name, kind == TABLE
            dynamic = "Y" if session.catalog.get(DYNAMIC, name) else "N"
            rows.append(
                [found.created_on, name.name, name.database, name.schema, kind, found.comment, "",
                 found.detail if is_table else None, 0 if is_table else None, OWNER, "1", "ROLE", "N", dynamic, "N"]
            )  # fmt: skip
    columns = {
        **columns_of("name", "database_name", "schema_name", "kind", "comment", "cluster_by"),
        "rows": NUMBER, "bytes": NUMBER,
        **dict.fromkeys(("owner", "retention_time", "owner_role_type", "is_hybrid", "is_dynamic", "is_iceberg"), TEXT),
    }  # fmt: skip
    return terse(head, results.rows(columns, sorted(rows, key=lambda row: row[1:4])[: listing.limit]))


@statement("SHOW USERS", "SHOW TERSE USERS")
def show_users(session: Session, head: Statement) -> Result:
    """The one user there is."""
    listing = named_listing(head.scanner)
    name = session.engine.user.upper()
    columns = columns_of("name", "login_name", "display_name", "disabled", "default_warehouse", "default_role", "owner")
    row = [EPOCH, name, name, name, "false", session.engine.warehouse, session.engine.role, OWNER]
    return results.rows(columns, [row] if listing.wants(name) else [])


@statement("DESCRIBE USER", "DESC USER")
def describe_user(session: Session, head: Statement) -> Result:
    """The properties that say something of the one user there is."""
    name, engine = head.scanner.identifier(), session.engine
    head.scanner.end()
    if name.upper() != engine.user.upper():
        raise does_not_exist("User", name)
    known = {
        "NAME": (name.upper(), "Name"), "COMMENT": (None, "user comment associated to an object in the dictionary"),
        "DISPLAY_NAME": (name.upper(), "Display name of the associated object"),
        "LOGIN_NAME": (name.upper(), "Login name of the user"), "PASSWORD": ("********", "Password of the user"),
        "DISABLED": ("false", "Whether the user is disabled"),
        "DEFAULT_WAREHOUSE": (engine.warehouse, "Default warehouse for this user"),
        "DEFAULT_ROLE": (engine.role, "Primary principal of user session will be set to this role"),
    }  # fmt: skip
    columns = dict.fromkeys(("property", "value", "default", "description"), TEXT)
    return results.rows(columns, [[key, value, "null", text] for key, (value, text) in known.items()])
