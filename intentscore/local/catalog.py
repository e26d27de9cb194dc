"""What DuckDB does not store: stages, models, tags, dynamic tables… kept in the database they belong to.

A catalog row is written on the session's own connection, so it is committed or rolled back together with
the tables of the same statement, and a crash leaves both or neither.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb

from intentscore.local import results
from intentscore.local.errors import already_exists
from intentscore.local.names import ObjectName, literal, quote, split

if TYPE_CHECKING:
    from intentscore.local.results import Result
    from intentscore.local.session import Session
    from intentscore.local.statements import Statement
    from intentscore.local.transactions import Connection

SCHEMA = "_ENGINE"
ACCOUNT = "_ACCOUNT"  # the database of what belongs to no database: warehouses, roles, grants
OWNER = "SYSADMIN"
KEYS, CLUSTERING, TABLE = OF_TABLES = ("KEYS", "CLUSTERING", "TABLE")  # what is noted about tables, and goes with them
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_TABLES = """
CREATE SCHEMA IF NOT EXISTS {db}._ENGINE;
CREATE TABLE IF NOT EXISTS {db}._ENGINE.OBJECTS (
    KIND VARCHAR NOT NULL, SCHEMA_NAME VARCHAR NOT NULL, NAME VARCHAR NOT NULL, CREATED_ON TIMESTAMPTZ NOT NULL,
    COMMENT VARCHAR NOT NULL, DETAILS VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS {db}._ENGINE.COLUMN_TYPES (
    SCHEMA_NAME VARCHAR NOT NULL, TABLE_NAME VARCHAR NOT NULL, COLUMN_NAME VARCHAR NOT NULL, DECLARED VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS {db}._ENGINE.TAG_REFERENCES (
    SCHEMA_NAME VARCHAR NOT NULL, OBJECT_NAME VARCHAR NOT NULL, DOMAIN VARCHAR NOT NULL, TAG VARCHAR NOT NULL,
    VALUE VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS {db}._ENGINE.LOADED_FILES (
    SCHEMA_NAME VARCHAR NOT NULL, TABLE_NAME VARCHAR NOT NULL, FILE VARCHAR NOT NULL, MD5 VARCHAR NOT NULL,
    LOADED_ON TIMESTAMPTZ NOT NULL);
INSERT INTO {db}._ENGINE.OBJECTS SELECT 'DATABASE', '', {name}, now(), '', '{{}}'
    WHERE NOT EXISTS (FROM {db}._ENGINE.OBJECTS WHERE KIND = 'DATABASE');
"""


@dataclass
class Entry:
    """One object of the catalog; `details` holds what its kind needs, as JSON values."""

    kind: str
    name: ObjectName
    created_on: datetime
    comment: str
    details: dict[str, Any]


def in_account(name: str) -> ObjectName:
    """The name of an object of the account, as the catalog keeps it."""
    return ObjectName(ACCOUNT, "", name)


def prepare(connection: duckdb.DuckDBPyConnection, database: str) -> None:
    connection.execute(_TABLES.format(db=quote(database), name=literal(database))).fetchall()


class Catalog:
    """The catalog as one session sees it, inside that session's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._temporary: dict[tuple[str, ObjectName], Entry] = {}
        self._temporary_columns: dict[ObjectName, dict[str, str]] = {}

    def _run(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Always to the end: DuckDB takes no other statement while one has rows left."""
        return self._connection.execute(query, list(values)).fetchall()

    def get(self, kind: str, name: ObjectName) -> Entry | None:
        if temporary := self._temporary.get((kind, name)):
            return temporary
        found = self._select(name.database, "KIND = ? AND SCHEMA_NAME = ? AND NAME = ?", [kind, name.schema, name.name])
        return found[0] if found else None

    def entries(self, kind: str, database: str, schema: str | None = None) -> list[Entry]:
        condition, values = "KIND = ?", [kind]
        if schema is not None:
            condition, values = "KIND = ? AND SCHEMA_NAME = ?", [kind, schema]
        stored = self._select(database, condition, values)
        mine = [
            entry
            for (k, name), entry in self._temporary.items()
            if k == kind and name.database == database and schema in (None, name.schema)
        ]
        return sorted(stored + mine, key=lambda entry: (entry.name.schema, entry.name.name))

    def account_entries(self, kind: str) -> list[Entry]:
        """The objects of the account itself."""
        return self.entries(kind, ACCOUNT)

    def put(self, entry: Entry, *, temporary: bool = False) -> None:
        """Add or replace."""
        if temporary or (entry.kind, entry.name) in self._temporary:
            self._temporary[entry.kind, entry.name] = entry
            return
        self._forget(entry.kind, entry.name)
        self._run(
            f"INSERT INTO {quote(entry.name.database)}._ENGINE.OBJECTS VALUES (?, ?, ?, ?, ?, ?)",
            [entry.kind, entry.name.schema, entry.name.name, entry.created_on, entry.comment,
             json.dumps(entry.details)],
        )  # fmt: skip

    def new(self, kind: str, name: ObjectName, comment: str = "", /, **details: Any) -> Entry:
        return Entry(kind, name, datetime.now(UTC), comment, details)

    def remove(self, kind: str, name: ObjectName) -> bool:
        if self._temporary.pop((kind, name), None):
            return True
        if self.get(kind, name) is None:
            return False
        self._forget(kind, name)
        return True

    def forget_temporary(self, kind: str, name: ObjectName) -> None:
        self._temporary.pop((kind, name), None)

    def temporary(self) -> list[Entry]:
        return [*self._temporary.values()]

    def is_temporary(self, kind: str, name: ObjectName) -> bool:
        return (kind, name) in self._temporary

    def drop_schema(self, database: str, schema: str) -> None:
        for table in ("OBJECTS", "COLUMN_TYPES", "TAG_REFERENCES", "LOADED_FILES"):
            self._run(f"DELETE FROM {quote(database)}._ENGINE.{table} WHERE SCHEMA_NAME = ?", [schema])

    def _forget(self, kind: str, name: ObjectName) -> None:
        self._run(
            f"DELETE FROM {quote(name.database)}._ENGINE.OBJECTS WHERE KIND = ? AND SCHEMA_NAME = ? AND NAME = ?",
            [kind, name.schema, name.name],
        )

    def _select(self, database: str, condition: str, values: list[str]) -> list[Entry]:
        found = self._run(
            f"SELECT KIND, SCHEMA_NAME, NAME, CREATED_ON, COMMENT, DETAILS FROM {quote(database)}._ENGINE.OBJECTS "
            f"WHERE {condition}",
            values,
        )
        return [
            Entry(kind, ObjectName(database, schema, name), created, comment, json.loads(details))
            for kind, schema, name, created, comment, details in found
        ]

    # ------------------------------------------------------------------ declared column types

    def declare_columns(self, name: ObjectName, declared: dict[str, str], *, temporary: bool = False) -> None:
        """Remember the types a table was created with, where DuckDB keeps less (VARCHAR(36), OBJECT…)."""
        self.forget_columns(name, temporary=temporary)
        if temporary:
            self._temporary_columns[name] = declared
            return
        for column, text in declared.items():
            self._run(
                f"INSERT INTO {quote(name.database)}._ENGINE.COLUMN_TYPES VALUES (?, ?, ?, ?)",
                [name.schema, name.name, column, text],
            )

    def forget_columns(self, name: ObjectName, *, temporary: bool = False) -> None:
        if temporary:
            self._temporary_columns.pop(name, None)
            return
        self._run(
            f"DELETE FROM {quote(name.database)}._ENGINE.COLUMN_TYPES WHERE SCHEMA_NAME = ? AND TABLE_NAME = ?",
            [name.schema, name.name],
        )

    def declared_columns(self, name: ObjectName, *, temporary: bool = False) -> dict[str, str]:
        if temporary:
            return self._temporary_columns.get(name, {})
        found = self._run(
            f"SELECT COLUMN_NAME, DECLARED FROM {quote(name.database)}._ENGINE.COLUMN_TYPES "
            "WHERE SCHEMA_NAME = ? AND TABLE_NAME = ?",
            [name.schema, name.name],
        )
        return dict(found)

    def rename_table(self, old: ObjectName, new: ObjectName) -> None:
        for table in ("COLUMN_TYPES", "LOADED_FILES"):
            self._run(
                f"UPDATE {quote(old.database)}._ENGINE.{table} SET TABLE_NAME = ? "
                "WHERE SCHEMA_NAME = ? AND TABLE_NAME = ?",
                [new.name, old.schema, old.name],
            )
        self.move_tags(old, new, "TABLE")
        for kind in ("VIEW", "DYNAMIC TABLE", *OF_TABLES):
            if entry := self.get(kind, old):
                self.remove(kind, old)
                entry.name = new
                self.put(entry)

    def rename_temporary_table(self, old: ObjectName, new: ObjectName) -> None:
        if old in self._temporary_columns:
            self._temporary_columns[new] = self._temporary_columns.pop(old)
        for kind in ("VIEW", *OF_TABLES):
            if entry := self._temporary.pop((kind, old), None):
                self._temporary[kind, new] = replace(entry, name=new)

    # ------------------------------------------------------------------ files that were loaded

    def loaded_files(self, table: ObjectName, days: int) -> dict[str, str]:
        """The files loaded into a table in so many days, with the MD5 of what they held."""
        found = self._run(
            f"SELECT FILE, MD5 FROM {quote(table.database)}._ENGINE.LOADED_FILES "
            "WHERE SCHEMA_NAME = ? AND TABLE_NAME = ? AND LOADED_ON > now() - to_days(CAST(? AS INTEGER))",
            [table.schema, table.name, days],
        )
        return dict(found)

    def add_loaded_file(self, table: ObjectName, file: str, md5: str) -> None:
        self._run(
            f"INSERT INTO {quote(table.database)}._ENGINE.LOADED_FILES VALUES (?, ?, ?, ?, ?)",
            [table.schema, table.name, file, md5, datetime.now(UTC)],
        )

    def forget_loaded_files(self, table: ObjectName) -> None:
        """A table that is dropped or emptied may be loaded from the same files again."""
        self._run(
            f"DELETE FROM {quote(table.database)}._ENGINE.LOADED_FILES WHERE SCHEMA_NAME = ? AND TABLE_NAME = ?",
            [table.schema, table.name],
        )

    # ------------------------------------------------------------------ tags

    def set_tag(self, name: ObjectName, domain: str, tag: ObjectName, value: str | None) -> None:
        """Attach a tag to an object; None takes it off."""
        table = f"{quote(name.database)}._ENGINE.TAG_REFERENCES"
        self._run(
            f"DELETE FROM {table} WHERE SCHEMA_NAME = ? AND OBJECT_NAME = ? AND DOMAIN = ? AND TAG = ?",
            [name.schema, name.name, domain, str(tag)],
        )
        if value is not None:
            self._run(
                f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?)",
                [name.schema, name.name, domain, str(tag), value],
            )

    def move_tags(self, old: ObjectName, new: ObjectName, domain: str) -> None:
        """The tags of an object that got another name."""
        moved = [r for r in self.tag_references(old.database) if r[:2] == (old, domain)]
        self.clear_tags(old, domain)
        for _, _, tag, value in moved:
            self.set_tag(new, domain, ObjectName(*split(tag)), value)

    def clear_tags(self, name: ObjectName, domain: str) -> None:
        table = f"{quote(name.database)}._ENGINE.TAG_REFERENCES"
        self._run(
            f"DELETE FROM {table} WHERE SCHEMA_NAME = ? AND OBJECT_NAME = ? AND DOMAIN = ?",
            [name.schema, name.name, domain],
        )

    def tag_references(self, database: str) -> list[tuple[ObjectName, str, str, str]]:
        """(object, domain, tag, value) of every tag set on an object of the database."""
        found = self._run(
            f"SELECT SCHEMA_NAME, OBJECT_NAME, DOMAIN, TAG, VALUE FROM {quote(database)}._ENGINE.TAG_REFERENCES"
        )
        return [(ObjectName(database, schema, name), domain, tag, value) for schema, name, domain, tag, value in found]


def already_there(
    session: Session,
    head: Statement,
    kind: str,
    name: ObjectName,
    quietly: bool,
    drop: Callable[[Session, ObjectName], object] = lambda session, name: None,
) -> Result | None:
    """The answer to a CREATE whose object is there and stays. None when the name is free, by OR REPLACE perhaps."""
    if session.catalog.get(kind, name) is None:
        return None
    if quietly:
        return results.done(f"{name.name} already exists, statement succeeded.")
    if not head.or_replace:
        raise already_exists(str(name))
    drop(session, name)
    return None
