"""Keys of tables: declared, kept and shown, and enforced by nobody, as in Snowflake.

Source: https://docs.snowflake.com/en/sql-reference/constraints-overview
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlglot import Expr, exp

from intentscore.local import results
from intentscore.local.catalog import KEYS
from intentscore.local.errors import SnowflakeError, does_not_exist
from intentscore.local.names import ObjectName, fold, literal
from intentscore.local.results import Result
from intentscore.local.show import Listing, columns_of, read_listing
from intentscore.local.statements import Statement, statement
from intentscore.local.types import NUMBER, TEXT

if TYPE_CHECKING:
    from intentscore.local.session import Session

PRIMARY, UNIQUE, FOREIGN = "PRIMARY KEY", "UNIQUE", "FOREIGN KEY"


@dataclass(frozen=True)
class Key:
    """One key of a table; a foreign one also says which columns of which table it refers to."""

    kind: str
    name: str
    columns: list[str]
    table: list[str] | None = None
    referenced: list[str] | None = None


# ---------------------------------------------------------------------------- reading


def declared(session: Session, table: ObjectName, nodes: list[Any]) -> list[Key]:
    """The keys among the parts of a CREATE TABLE, or of ALTER TABLE … ADD."""
    found: list[Key] = []
    for node in nodes:
        if isinstance(node, exp.ColumnDef):
            column = [_name(node.this)]
            for constraint in node.args.get("constraints") or []:
                if key := _key(session, table, constraint.kind, _named(constraint), column):
                    found.append(key)
        elif isinstance(node, exp.Constraint):
            found += [k for part in node.expressions if (k := _key(session, table, part, fold(node.this.sql())))]
        elif key := _key(session, table, node, ""):
            found.append(key)
    if sum(key.kind == PRIMARY for key in found) > 1:
        raise SnowflakeError(
            f"SQL compilation error:\nprimary key already exists for table '{table.name}'", 2200, "42601"
        )
    return found


def _named(constraint: exp.ColumnConstraint) -> str:
    return _name(constraint.this) if constraint.this else ""


def _key(session: Session, table: ObjectName, node: Any, name: str, of: list[str] | None = None) -> Key | None:
    name = name or f"SYS_CONSTRAINT_{secrets.token_hex(16)}"
    match node:
        case exp.PrimaryKeyColumnConstraint():
            return Key(PRIMARY, name, of or [])
        case exp.PrimaryKey():
            return Key(PRIMARY, name, [_name(e) for e in node.expressions])
        case exp.UniqueColumnConstraint():
            return Key(UNIQUE, name, of or [_name(e) for e in node.this.expressions])
        case exp.Reference():
            return _foreign(session, table, name, of or [], node)
        case exp.ForeignKey():
            return _foreign(session, table, name, [_name(e) for e in node.expressions], node.args["reference"])
    return None


def _name(node: Expr) -> str:
    return fold(node.sql(dialect="snowflake"))


def _foreign(session: Session, table: ObjectName, name: str, columns: list[str], reference: exp.Reference) -> Key:
    """A reference without columns is to the primary key of the other table."""
    target = reference.this
    is_listed = isinstance(target, exp.Schema)
    parts = [_name(part) for part in (target.this if is_listed else target).parts]
    other = session.resolve(parts if len(parts) > 1 else [table.database, table.schema, *parts])
    if other != table and not session.table_exists(other):
        raise does_not_exist("Table", str(other))
    referenced = [_name(e) for e in target.expressions] if is_listed else _primary(session, other)
    return Key(FOREIGN, name, columns, list(other), referenced)


def _primary(session: Session, table: ObjectName) -> list[str]:
    return next((key.columns for key in of_table(session, table) if key.kind == PRIMARY), [])


# ---------------------------------------------------------------------------- keeping


def of_table(session: Session, table: ObjectName) -> list[Key]:
    entry = session.catalog.get(KEYS, table)
    return [Key(**key) for key in entry.details["keys"]] if entry else []


def keep(session: Session, table: ObjectName, keys: list[Key], *, temporary: bool = False) -> None:
    session.catalog.remove(KEYS, table)
    if keys:
        session.catalog.put(session.catalog.new(KEYS, table, keys=[asdict(k) for k in keys]), temporary=temporary)


def add(session: Session, table: ObjectName, nodes: list[Any]) -> None:
    keys = of_table(session, table)
    added = declared(session, table, nodes)
    if any(key.kind == PRIMARY for key in keys) and any(key.kind == PRIMARY for key in added):
        raise SnowflakeError(
            f"SQL compilation error:\nprimary key already exists for table '{table.name}'", 2200, "42601"
        )
    keep(session, table, keys + added, temporary=table in session.temporary_tables)


def drop(
    session: Session, table: ObjectName, kind: str, name: str | None = None, columns: list[str] | None = None
) -> None:
    """The primary key, the key of a name, or the unique or foreign key of some columns."""
    keys = of_table(session, table)
    gone = [k for k in keys if (k.name == name if name else k.kind == kind and columns in (None, k.columns))]
    if not gone:
        raise does_not_exist("Constraint", name or kind)
    keep(session, table, [k for k in keys if k not in gone], temporary=table in session.temporary_tables)


# ---------------------------------------------------------------------------- SHOW … KEYS


@statement("SHOW PRIMARY KEYS", "SHOW TERSE PRIMARY KEYS")
def show_primary_keys(session: Session, head: Statement) -> Result:
    return _own_keys(session, head, PRIMARY)


@statement("SHOW UNIQUE KEYS")
def show_unique_keys(session: Session, head: Statement) -> Result:
    return _own_keys(session, head, UNIQUE)


def _own_keys(session: Session, head: Statement, kind: str) -> Result:
    columns = {
        **columns_of("database_name", "schema_name", "table_name", "column_name"), "key_sequence": NUMBER,
        **dict.fromkeys(("constraint_name", "rely", "comment"), TEXT),
    }  # fmt: skip
    rows = [
        [created, *table, column, number, key.name, "false", None]
        for created, table, key in _asked(session, head)
        if key.kind == kind
        for number, column in enumerate(key.columns, 1)
    ]
    return results.rows(columns, rows)


def _asked(session: Session, head: Statement) -> list[tuple[Any, ObjectName, Key]]:
    """The keys SHOW … [IN TABLE t | IN SCHEMA s | IN DATABASE d | IN ACCOUNT] asks for."""
    scanner = head.scanner
    tables: list[ObjectName] = []
    at_table = scanner.peek() == "IN" and scanner.peek(1) not in ("SCHEMA", "DATABASE", "ACCOUNT")
    if at_table:
        scanner.expect("IN")
        scanner.accept("TABLE")
        tables = [session.resolve(scanner.name())]
        scanner.end()
        if not session.table_exists(tables[0]):
            raise does_not_exist("Table", str(tables[0]))
    else:
        tables = [entry.name for entry in _listed(session, read_listing(session, scanner))]
    entries = [session.catalog.get(KEYS, table) for table in tables]
    return [(e.created_on, e.name, Key(**key)) for e in entries if e is not None for key in e.details["keys"]]


def _listed(session: Session, listing: Listing) -> list[Any]:
    return listing.entries(session, KEYS)


@statement("SHOW IMPORTED KEYS")
def show_imported_keys(session: Session, head: Statement) -> Result:
    return _foreign_keys(session, [found for found in _asked(session, head) if found[2].kind == FOREIGN])


@statement("SHOW EXPORTED KEYS")
def show_exported_keys(session: Session, head: Statement) -> Result:
    """The foreign keys of other tables that refer to this one."""
    head.scanner.expect("IN")
    head.scanner.accept("TABLE")
    table = session.resolve(head.scanner.name())
    head.scanner.end()
    entries = [e for d in session.engine.databases() for e in session.catalog.entries(KEYS, d)]
    found = [(e.created_on, e.name, Key(**key)) for e in entries for key in e.details["keys"]]
    return _foreign_keys(session, [one for one in found if one[2].table == list(table)])


def _foreign_keys(session: Session, found: list[tuple[Any, ObjectName, Key]]) -> Result:
    sides = [f"{side}_{part}" for side in ("pk", "fk")
             for part in ("database_name", "schema_name", "table_name", "column_name")]  # fmt: skip
    columns = {
        **columns_of(*sides), "key_sequence": NUMBER,
        **dict.fromkeys(("update_rule", "delete_rule", "fk_name", "pk_name", "deferrability", "rely", "comment"), TEXT),
    }  # fmt: skip
    rows = [
        [created, *(key.table or ()), there, *table, here, number, "NO ACTION", "NO ACTION", key.name,
         _name_of_referenced(session, key),
         "NOT DEFERRABLE", "false", None]
        for created, table, key in found
        for number, (here, there) in enumerate(zip(key.columns, key.referenced or [], strict=False), 1)
    ]  # fmt: skip
    return results.rows(columns, rows)


def _name_of_referenced(session: Session, key: Key) -> str:
    """The name of the key that a foreign one refers to; a reference to columns without one has none."""
    candidates = of_table(session, ObjectName(*key.table or ()))
    return next((k.name for k in candidates if k.kind != FOREIGN and k.columns == key.referenced), "")


# ---------------------------------------------------------------------------- INFORMATION_SCHEMA


def constraints(session: Session, database: str) -> str:
    """The rows of TABLE_CONSTRAINTS as DuckDB's VALUES; one that never matches where there are none."""
    rows = [
        (database, e.name.schema, key["name"], database, e.name.schema, e.name.name, key["kind"])
        for e in session.catalog.entries(KEYS, database)
        for key in e.details["keys"]
    ]
    listed = ", ".join(f"({', '.join(map(literal, row))})" for row in rows) or f"({', '.join(['NULL'] * 7)})"
    return f"""SELECT *, 'NO' AS "IS_DEFERRABLE", 'YES' AS "INITIALLY_DEFERRED", 'NO' AS "ENFORCED",
        CAST(NULL AS VARCHAR) AS "COMMENT", 'NO' AS "RELY" FROM (VALUES {listed}) AS C("CONSTRAINT_CATALOG",
        "CONSTRAINT_SCHEMA", "CONSTRAINT_NAME", "TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME", "CONSTRAINT_TYPE")
        WHERE "CONSTRAINT_NAME" IS NOT NULL"""
