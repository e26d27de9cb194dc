"""GRANT, REVOKE and SHOW GRANTS: who was given what. The engine keeps and shows grants but holds nobody to them.

Source: https://docs.snowflake.com/en/sql-reference/sql/grant-privilege
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from intentscore.local import results, routines
from intentscore.local.catalog import EPOCH, Entry, in_account
from intentscore.local.errors import does_not_exist, unsupported
from intentscore.local.information_schema import hidden
from intentscore.local.names import ObjectName, display
from intentscore.local.results import Result
from intentscore.local.roles import GRANT, ROLE, check_role
from intentscore.local.scanner import Scanner
from intentscore.local.statements import Effect, Statement, statement
from intentscore.local.types import TEXT, TIMESTAMP_LTZ
from intentscore.local.warehouses import check_warehouse

if TYPE_CHECKING:
    from intentscore.local.session import Session

ACCOUNT_PRIVILEGES = ("EXECUTE TASK", "EXECUTE MANAGED TASK")
RELATIONS = ("TABLE", "VIEW", "DYNAMIC TABLE")
CATALOGUED = ("STAGE", "FILE FORMAT", "MODEL", "MODEL MONITOR", "TAG", "TASK", "DATASET")
ROUTINES = ("FUNCTION", "PROCEDURE")
KINDS = ("DATABASE", "SCHEMA", "WAREHOUSE", "USER", ROLE, *RELATIONS, *CATALOGUED, *ROUTINES)
ELSEWHERE = ("SEQUENCE", "STREAM", "PIPE", "ONLINE FEATURE TABLE", "ICEBERG TABLE", "EXTERNAL TABLE", "ALERT", "SECRET",
             "MATERIALIZED VIEW", "STREAMLIT", "NOTEBOOK", "SERVICE", "GIT REPOSITORY")  # fmt: skip
"""Kinds the engine has no objects of; a grant on all or future ones is kept for none."""


SHARED = "SNOWFLAKE"
"""The database every account has; its roles, such as PYPI_REPOSITORY_USER, are granted but not created."""


@dataclass(frozen=True)
class Target:
    """What a privilege is on: one object, the account, or the ALL or FUTURE objects of a kind in a place."""

    kind: str
    name: str
    scope: str = ""
    """ALL or FUTURE, where `name` is the schema or database of the objects."""


@statement("GRANT", effect=Effect.DEFINE)
def grant(session: Session, head: Statement) -> Result:
    """`GRANT <privileges> ON <object> TO [ROLE] <role>` and `GRANT ROLE <role> TO ROLE|USER <name>`."""
    scanner = head.scanner
    privileges, target = _what(session, scanner, "TO")
    to, grantee = _grantee(session, scanner)
    option = scanner.accept("WITH", "GRANT", "OPTION")
    if privileges == ["OWNERSHIP"]:
        scanner.accept("REVOKE", "CURRENT", "GRANTS") or scanner.accept("COPY", "CURRENT", "GRANTS")
        for entry in _matching(session, privileges, target):
            session.catalog.remove(GRANT, entry.name)
    scanner.end()
    for privilege in privileges:
        for one in _each(session, target):
            key = in_account(json.dumps([privilege, one.scope, one.kind, one.name, to, grantee]))
            session.catalog.put(session.catalog.new(
                GRANT, key, privilege=privilege, scope=one.scope, granted_on=one.kind, name=one.name, granted_to=to,
                grantee=grantee, option=option, by=session.role,
            ))  # fmt: skip
    return results.done()


@statement("REVOKE", effect=Effect.DEFINE)
def revoke(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    scanner.accept("GRANT", "OPTION", "FOR")
    privileges, target = _what(session, scanner, "FROM")
    to, grantee = _grantee(session, scanner)
    scanner.accept("CASCADE") or scanner.accept("RESTRICT")
    scanner.end()
    for one in _each(session, target):
        for entry in _matching(session, privileges, one):
            if (entry.details["granted_to"], entry.details["grantee"]) == (to, grantee):
                session.catalog.remove(GRANT, entry.name)
    return results.done()


def _matching(session: Session, privileges: list[str], target: Target) -> Iterator[Entry]:
    for entry in session.catalog.account_entries(GRANT):
        d = entry.details
        same = (d["granted_on"], d["name"], d["scope"]) == (target.kind, target.name, target.scope)
        if same and (privileges == ["ALL"] or d["privilege"] in privileges):
            yield entry


# ---------------------------------------------------------------------------- reading


def _what(session: Session, scanner: Scanner, direction: str) -> tuple[list[str], Target]:
    """The privileges and what they are on, up to TO or FROM."""
    if scanner.peek() == ROLE and scanner.peek(1) != "ON":
        scanner.word()
        role = scanner.identifier()
        check_role(session, role)
        scanner.expect(direction)
        return ["USAGE"], Target(ROLE, role)
    if scanner.accept("DATABASE", ROLE):
        parts = scanner.name()
        if parts[0] != SHARED or len(parts) != 2:  # of the engine's own databases there are none
            raise does_not_exist("Database Role", ".".join(parts))
        scanner.expect(direction)
        return ["USAGE"], Target("DATABASE ROLE", ".".join(map(display, parts)))
    privileges = [_words_up_to(scanner, ",", "ON")]
    while scanner.accept(","):
        privileges.append(_words_up_to(scanner, ",", "ON"))
    scanner.expect("ON")
    target = _target(session, scanner)
    scanner.expect(direction)
    return ["ALL"] if privileges[0] in ("ALL", "ALL PRIVILEGES") else privileges, target


def _words_up_to(scanner: Scanner, *ends: str) -> str:
    words = []
    while scanner.peek() not in ends:
        words.append(scanner.word())
    if not words:
        raise scanner.unexpected("a privilege")
    return " ".join(words)


def _target(session: Session, scanner: Scanner) -> Target:
    if scanner.accept("ACCOUNT"):
        return Target("ACCOUNT", session.engine.account.upper())
    if scanner.peek() in ("ALL", "FUTURE"):
        scope = scanner.word()
        kind = _words_up_to(scanner, "IN").removesuffix("S")
        if kind not in (*KINDS, *ELSEWHERE):
            raise unsupported(f"grants on {kind}S")
        scanner.expect("IN")
        place = scanner.word()
        return Target(kind, _named(session, place, scanner.name()), scope)
    kind = next((k for k in sorted(KINDS, key=len, reverse=True) if scanner.accept(*k.split())), "")
    if not kind:
        raise unsupported(f"grants on {scanner.peek()}")
    parts = scanner.name()
    signature = f"({scanner.parenthesised()})" if kind in ROUTINES else ""
    return Target(kind, _named(session, kind, parts) + signature)


def _named(session: Session, kind: str, parts: list[str]) -> str:
    """The full name of an object that is there."""
    if kind in ("WAREHOUSE", "DATABASE", ROLE, "USER"):
        _check_top_level(session, kind, parts[0])
        return display(parts[0])
    if kind == "SCHEMA":
        place = session.existing_schema(session.resolve([*parts, ""]))
        return f"{display(place.database)}.{display(place.schema)}"
    name = session.resolve(parts)
    if not _exists(session, kind, name):
        raise does_not_exist(kind.title(), str(name))
    return str(name)


def _check_top_level(session: Session, kind: str, name: str) -> None:
    if kind == "WAREHOUSE":
        check_warehouse(session, name)
    elif kind == ROLE:
        check_role(session, name)
    elif kind == "DATABASE" and name not in session.engine.databases():
        raise does_not_exist("Database", name)
    elif kind == "USER" and name != session.engine.user.upper():
        raise does_not_exist("User", name)


def _exists(session: Session, kind: str, name: ObjectName) -> bool:
    if kind in ROUTINES:
        return bool(routines.overloads(session, kind, list(name)))
    return session.table_exists(name) if kind in RELATIONS else session.catalog.get(kind, name) is not None


def _grantee(session: Session, scanner: Scanner) -> tuple[str, str]:
    to = "USER" if scanner.accept("USER") else ROLE
    scanner.accept(ROLE)
    name = scanner.identifier()
    _check_top_level(session, to, name)
    return to, name


def _each(session: Session, target: Target) -> Iterator[Target]:
    """The objects ALL means now; a grant on FUTURE ones is one grant."""
    if target.scope != "ALL":
        yield target
        return
    for database, schema, name in _objects(session, target.kind):
        place = f"{display(database)}.{display(schema)}" if "." in target.name else display(database)
        if place == target.name:
            full = f"{display(database)}.{display(schema)}"
            yield Target(target.kind, full if target.kind == "SCHEMA" else f"{full}.{name}")


def _objects(session: Session, kind: str) -> list[tuple[str, str, str]]:
    """(database, schema, name as printed) of every object of a kind."""
    databases = session.engine.databases()
    source = {"SCHEMA": ("duckdb_schemas()", "''"), "TABLE": ("duckdb_tables()", "table_name"),
              "VIEW": ("duckdb_views()", "view_name")}.get(kind)  # fmt: skip
    if source is None:
        found = [e.name for d in databases for e in session.catalog.entries(kind, d)]
        return [(n.database, n.schema, n.name if kind in ROUTINES else display(n.name)) for n in found]
    query = f"SELECT database_name, schema_name, {source[1]} FROM {source[0]} WHERE {hidden('schema_name')}"
    return [(d, s, display(n)) for d, s, n in session.fetch(query) if d in databases]


# ---------------------------------------------------------------------------- SHOW GRANTS

COLUMNS = {"created_on": TIMESTAMP_LTZ, **dict.fromkeys(
    ("privilege", "granted_on", "name", "granted_to", "grantee_name", "grant_option", "granted_by"), TEXT)}  # fmt: skip


@statement("SHOW GRANTS")
def show_grants(session: Session, head: Statement) -> Result:
    """SHOW GRANTS [ON <object> | TO ROLE <role> | TO USER <user>], and OF ROLE <role>."""
    scanner = head.scanner
    kept = [e for e in session.catalog.account_entries(GRANT) if e.details["scope"] == ""]
    if scanner.accept("OF", ROLE):
        return _grants_of_role(session, scanner, kept)
    if scanner.accept("ON"):
        target = _target(session, scanner)
        found = [e for e in kept if (e.details["granted_on"], e.details["name"]) == (target.kind, target.name)]
        rows = [] if target.kind in (ROLE, "ACCOUNT") else [_owned(session, target.kind, target.name)]
    else:
        to, grantee = ("USER", session.engine.user.upper()) if scanner.done else ("", "")
        if not scanner.done:
            scanner.expect("TO")
            to, grantee = _grantee(session, scanner)
        found = [e for e in kept if (e.details["granted_to"], e.details["grantee"]) == (to, grantee)]
        rows = _held(session) if (to, grantee) == (ROLE, session.engine.role) else []
    scanner.end()
    return results.rows(COLUMNS, [*rows, *map(_shown, found)])


def _shown(entry: Entry) -> list[Any]:
    d = entry.details
    return [entry.created_on, d["privilege"], d["granted_on"].replace(" ", "_"), d["name"], d["granted_to"],
            d["grantee"], str(d["option"]).lower(), d["by"]]  # fmt: skip


def _owned(session: Session, kind: str, name: str) -> list[Any]:
    return [EPOCH, "OWNERSHIP", kind.replace(" ", "_"), name, ROLE, session.engine.role, "true", session.engine.role]


def _held(session: Session) -> list[list[Any]]:
    """What the role that sessions start in owns: databases, their schemas and the warehouse; it may run tasks."""
    rows = [_owned(session, "WAREHOUSE", session.engine.warehouse)]
    rows += [_owned(session, "DATABASE", database) for database in session.engine.databases()]
    rows += [_owned(session, "SCHEMA", f"{display(d)}.{display(s)}") for d, s, _ in _objects(session, "SCHEMA")]
    account = session.engine.account.upper()
    rows += [
        [EPOCH, privilege, "ACCOUNT", account, ROLE, session.engine.role, "true", ""]
        for privilege in ACCOUNT_PRIVILEGES
    ]
    return rows


def _grants_of_role(session: Session, scanner: Scanner, kept: list[Entry]) -> Result:
    role = scanner.identifier()
    check_role(session, role)
    scanner.end()
    columns = {"created_on": TIMESTAMP_LTZ, **dict.fromkeys(("role", "granted_to", "grantee_name", "granted_by"), TEXT)}
    found = [e for e in kept if (e.details["granted_on"], e.details["name"]) == (ROLE, role)]
    return results.rows(
        columns, [[e.created_on, role, e.details["granted_to"], e.details["grantee"], e.details["by"]] for e in found]
    )


@statement("SHOW FUTURE GRANTS")
def show_future_grants(session: Session, head: Statement) -> Result:
    """SHOW FUTURE GRANTS IN SCHEMA|DATABASE <name>, and TO ROLE <role>."""
    scanner = head.scanner
    kept = [e for e in session.catalog.account_entries(GRANT) if e.details["scope"] == "FUTURE"]
    if scanner.accept("TO", ROLE):
        role = scanner.identifier()
        check_role(session, role)
        found = [e for e in kept if e.details["grantee"] == role]
    else:
        scanner.expect("IN")
        place = _named(session, scanner.word(), scanner.name())
        found = [e for e in kept if e.details["name"] == place]
    scanner.end()
    columns = {"created_on": TIMESTAMP_LTZ, **dict.fromkeys(
        ("privilege", "grant_on", "name", "grant_to", "grantee_name", "grant_option"), TEXT)}  # fmt: skip
    rows = [_shown(e)[:-1] for e in found]
    for row in rows:
        row[3] = f"{row[3]}.<{row[2]}>"
    return results.rows(columns, rows)
