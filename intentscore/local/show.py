"""SHOW … LIKE … IN … STARTS WITH … LIMIT …, and DESCRIBE."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from intentscore.local import results
from intentscore.local.catalog import ACCOUNT, EPOCH, OWNER, TABLE, Entry
from intentscore.local.columns import shown_default, table_columns
from intentscore.local.dropping import drop
from intentscore.local.errors import does_not_exist, invalid
from intentscore.local.information_schema import hidden
from intentscore.local.names import ObjectName, like_pattern
from intentscore.local.results import Result
from intentscore.local.scanner import Scanner
from intentscore.local.statements import Effect, Statement, statement
from intentscore.local.types import TEXT, TIMESTAMP_LTZ, ColumnType

if TYPE_CHECKING:
    from intentscore.local.session import Session

CLAUSES = ("STARTS", "LIMIT", "ROOT")  # that follow IN


@dataclass
class Listing:
    """Which objects a SHOW asks for."""

    database: str | None
    schema: str | None
    pattern: re.Pattern[str] | None = None
    prefix: str = ""
    limit: int | None = None
    after: str = ""
    root_only: bool = False

    def wants(self, name: str) -> bool:
        if self.pattern is not None and self.pattern.fullmatch(name) is None:
            return False
        return name.startswith(self.prefix) and name > self.after

    def databases(self, session: Session) -> list[str]:
        return [self.database] if self.database else session.engine.databases()

    def entries(self, session: Session, kind: str) -> list[Entry]:
        found = [e for d in self.databases(session) for e in session.catalog.entries(kind, d, self.schema)]
        return [e for e in found if self.wants(e.name.name)][: self.limit]


def read_listing(session: Session, scanner: Scanner, *, roots: bool = False) -> Listing:
    """The clauses after `SHOW <objects>`; without IN it is the current schema, or database, or account.

    `roots` says that ROOT ONLY may be among them.
    """
    listing = Listing(session.database, session.schema)
    if scanner.accept("LIKE"):
        listing.pattern = like_pattern(scanner.string())
    if scanner.accept("IN"):
        _read_scope(session, scanner, listing)
    _read_tail(scanner, listing, roots=roots)
    return listing


def named_listing(scanner: Scanner) -> Listing:
    """The clauses after `SHOW <objects of the account>`, which stand in no schema."""
    listing = Listing(ACCOUNT, None)
    if scanner.accept("LIKE"):
        listing.pattern = like_pattern(scanner.string())
    scanner.accept("IN", "ACCOUNT")
    _read_tail(scanner, listing)
    return listing


def _read_tail(scanner: Scanner, listing: Listing, *, roots: bool = False) -> None:
    if scanner.accept("STARTS", "WITH"):
        listing.prefix = scanner.string()
    listing.root_only = roots and scanner.accept("ROOT", "ONLY")
    if scanner.accept("LIMIT"):
        limit = scanner.value()
        if not isinstance(limit, int) or limit < 1:
            raise invalid(f"invalid value '{limit}' of LIMIT")
        listing.limit = limit
        if scanner.accept("FROM"):
            listing.after = scanner.string()
    scanner.end()


def _read_scope(session: Session, scanner: Scanner, listing: Listing) -> None:
    if scanner.accept("ACCOUNT"):
        listing.database = listing.schema = None
    elif scanner.accept("DATABASE"):
        listing.schema = None
        if not scanner.done and scanner.peek() not in CLAUSES:
            listing.database = scanner.identifier()
    elif scanner.accept("SCHEMA") and (scanner.done or scanner.peek() in CLAUSES):
        return
    else:
        parts = scanner.name()
        listing.schema = parts[-1]
        listing.database = parts[-2] if len(parts) > 1 else session.database
        if listing.database and not session.schema_exists(listing.database, listing.schema):
            if len(parts) == 1 and parts[0] in session.engine.databases():
                listing.database, listing.schema = parts[0], None
            else:
                raise does_not_exist("Schema", ".".join(parts))
    if listing.database and listing.database not in session.engine.databases():
        raise does_not_exist("Database", listing.database)


@dataclass(frozen=True)
class Relation:
    """A table or view of the database; `detail` is its number of rows, or the query of a view in DuckDB's SQL."""

    name: ObjectName
    comment: str
    detail: Any
    entry: Entry | None

    @property
    def created_on(self) -> datetime:
        return self.entry.created_on if self.entry else EPOCH


def relations(session: Session, listing: Listing, kind: str) -> Iterable[Relation]:
    """The permanent tables or views a SHOW asks for."""
    source, column, detail = _RELATIONS[kind]
    for database in listing.databases(session):
        query = (
            f"SELECT schema_name, {column}, comment, {detail} "
            f"FROM {source} WHERE database_name = ? AND {hidden('schema_name')} ORDER BY 1, 2"
        )
        known = {entry.name: entry for entry in session.catalog.entries(kind, database, listing.schema)}
        for schema, name, comment, found in session.fetch(query, [database]):
            if listing.schema in (None, schema) and listing.wants(name):
                place = ObjectName(database, schema, name)
                yield Relation(place, comment or "", found, known.get(place))


_RELATIONS = {
    TABLE: ("duckdb_tables()", "table_name", "estimated_size"), "VIEW": ("duckdb_views()", "view_name", "sql"),
}  # fmt: skip


def linear(columns: str) -> str:
    """A clustering key as SHOW prints it."""
    return f"LINEAR({columns})" if columns else ""


def columns_of(*texts: str, **others: ColumnType) -> dict[str, ColumnType]:
    return {"created_on": TIMESTAMP_LTZ, **dict.fromkeys(texts, TEXT), **others}


TERSE = {"created_on": TIMESTAMP_LTZ, **dict.fromkeys(("name", "kind", "database_name", "schema_name"), TEXT)}


def terse(head: Statement, answer: Result, kind: str | None = None) -> Result:
    """The answer, or what SHOW TERSE keeps of it: nothing stands where a column does not apply.

    `kind` is what objects of one kind are, where the answer does not say it.
    """
    if head.words[1] != "TERSE":
        return answer
    found = [{"kind": kind, **row} for row in answer.table.to_pylist()]
    return results.rows(TERSE, [[row.get(name) for name in TERSE] for row in found])


@statement("SHOW VIEWS", "SHOW TERSE VIEWS")
def show_views(session: Session, head: Statement) -> Result:
    """`text` is the statement as its author wrote it: the Feature Store's client reads the query out of it."""
    listing = read_listing(session, head.scanner)
    rows = []
    for view in relations(session, listing, "VIEW"):
        name, text = view.name, view.entry.details["text"] if view.entry else view.detail
        rows.append([view.created_on, name.name, "", name.database, name.schema, OWNER, view.comment,
                     text, "false", "false", "ROLE", "OFF"])  # fmt: skip
    columns = columns_of("name", "reserved", "database_name", "schema_name", "owner", "comment", "text", "is_secure",
                       "is_materialized", "owner_role_type", "change_tracking")  # fmt: skip
    return terse(head, results.rows(columns, rows[: listing.limit]), "VIEW")


@statement("SHOW SCHEMAS", "SHOW TERSE SCHEMAS")
def show_schemas(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    listing = Listing(session.database, None)
    if scanner.accept("LIKE"):
        listing.pattern = like_pattern(scanner.string())
    if scanner.accept("IN"):
        if scanner.accept("ACCOUNT"):
            listing.database = None
        else:
            scanner.accept("DATABASE")
            listing.database = scanner.identifier()
    _read_tail(scanner, listing)
    if listing.database and listing.database not in session.engine.databases():
        raise does_not_exist("Database", listing.database)
    rows = [
        row for database in listing.databases(session) for row in _schemas(session, database) if listing.wants(row[1])
    ]
    columns = columns_of("name", "is_default", "is_current", "database_name", "owner", "comment", "options",
                       "retention_time", "owner_role_type")  # fmt: skip
    return terse(head, results.rows(columns, rows[: listing.limit]))


def _schemas(session: Session, database: str) -> Iterable[list[Any]]:
    known = {entry.name.schema: entry for entry in session.catalog.entries("SCHEMA", database)}
    query = f"SELECT schema_name FROM duckdb_schemas() WHERE database_name = ? AND {hidden('schema_name')} ORDER BY 1"
    for (schema,) in session.fetch(query, [database]):
        entry = known.get(schema)
        current = "Y" if schema == session.schema else "N"
        yield [
            entry.created_on if entry else EPOCH, schema, "N", current, database, OWNER,
            entry.comment if entry else "", "", "1", "ROLE",
        ]  # fmt: skip


@statement("SHOW DATABASES", "SHOW TERSE DATABASES")
def show_databases(session: Session, head: Statement) -> Result:
    listing = named_listing(head.scanner)
    columns = columns_of("name", "is_default", "is_current", "origin", "owner", "comment", "options", "retention_time",
                       "kind", "owner_role_type")  # fmt: skip
    rows = []
    for name in filter(listing.wants, session.engine.databases()):
        entry, current = session.catalog.entries("DATABASE", name)[0], "Y" if name == session.database else "N"
        rows.append([entry.created_on, name, "N", current, "", OWNER, entry.comment, "", "1", "STANDARD", "ROLE"])
    return terse(head, results.rows(columns, rows[: listing.limit]))


@statement(
    "SHOW ONLINE FEATURE TABLES", "SHOW STREAMS", "SHOW PIPES", "SHOW SECRETS", "SHOW SERVICES", "SHOW NOTEBOOKS",
    "SHOW STREAMLITS", "SHOW IMAGE REPOSITORIES", "SHOW GIT REPOSITORIES", "SHOW NETWORK RULES", "SHOW INTEGRATIONS",
    "SHOW COMPUTE POOLS", "SHOW EXTERNAL VOLUMES", "SHOW ICEBERG TABLES", "SHOW EXTERNAL TABLES", "SHOW ALERTS",
    "SHOW MATERIALIZED VIEWS", "SHOW SHARES", "SHOW EXTERNAL FUNCTIONS", "SHOW NETWORK POLICIES",
    "SHOW TERSE STREAMS", "SHOW TERSE EXTERNAL TABLES",
)  # fmt: skip
def show_nothing(session: Session, head: Statement) -> Result:
    """Kinds of object the engine cannot create, so that there is none to list."""
    read_listing(session, head.scanner)
    return results.rows(columns_of("name", "database_name", "schema_name", "owner", "comment"), [])


@statement("DROP ONLINE FEATURE TABLE", effect=Effect.DEFINE)
def drop_online_feature_table(session: Session, head: Statement) -> Result:
    """The Feature Store's client drops one before it replaces a view; there is none to drop."""
    return drop(session, head, "Online Feature Table", lambda session, name: False)


# ---------------------------------------------------------------------------- describe


@statement(
    "DESCRIBE TABLE",
    "DESC TABLE",
    "DESCRIBE VIEW",
    "DESC VIEW",
    "DESCRIBE DYNAMIC TABLE",
    "DESC DYNAMIC TABLE",
)
def describe_table(session: Session, head: Statement) -> Result:
    name = session.resolve(head.scanner.name())
    head.scanner.accept("TYPE", "=", "COLUMNS")
    head.scanner.end()
    if not session.table_exists(name):
        raise does_not_exist("Table", str(name))
    primary, unique = _key_columns(session, name)
    columns = dict.fromkeys(
        ("name", "type", "kind", "null?", "default", "primary key", "unique key", "check", "expression", "comment",
         "policy name", "privacy domain"), TEXT)  # fmt: skip
    return results.rows(
        columns,
        [
            [c.name, c.type.declared, "COLUMN", "Y" if c.nullable else "N", shown_default(session, c),
             _flag(c.name in primary), _flag(c.name in unique), None, None, c.comment, None, None]
            for c in table_columns(session, name)
        ],
    )  # fmt: skip


@statement("DESCRIBE DATABASE", "DESC DATABASE")
def describe_database(session: Session, head: Statement) -> Result:
    name = head.scanner.identifier()
    head.scanner.end()
    session.existing_schema(session.resolve([name, "INFORMATION_SCHEMA", ""]))
    query = f"SELECT schema_name FROM duckdb_schemas() WHERE database_name = ? AND {hidden('schema_name')} ORDER BY 1"
    rows = [[EPOCH, schema, "SCHEMA"] for (schema,) in session.fetch(query, [name])]
    return results.rows(columns_of("name", "kind"), rows)


@statement("DESCRIBE SCHEMA", "DESC SCHEMA")
def describe_schema(session: Session, head: Statement) -> Result:
    place = session.existing_schema(session.resolve([*head.scanner.name(), ""]))
    head.scanner.end()
    listing = Listing(place.database, place.schema)
    rows = [
        [found.created_on, found.name.name, kind]
        for kind in (TABLE, "VIEW")
        for found in relations(session, listing, kind)
    ]
    return results.rows(columns_of("name", "kind"), rows)


def _key_columns(session: Session, table: ObjectName) -> tuple[set[str], set[str]]:
    """The columns of the table's primary key, and those of its unique ones."""
    from intentscore.local import keys

    declared = keys.of_table(session, table)
    primary, unique = (
        {c for k in declared if k.kind == kind for c in k.columns} for kind in (keys.PRIMARY, keys.UNIQUE)
    )
    return primary, unique


def _flag(is_set: bool) -> str:
    return "Y" if is_set else "N"
