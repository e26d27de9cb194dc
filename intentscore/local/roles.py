"""Roles: created, granted to one another and to the user, and stood in.

The engine has one user, who holds ACCOUNTADMIN and through it the other system roles. Privileges are recorded (see
`grants`) but not enforced: whatever the role, a statement sees every object.
Source: https://docs.snowflake.com/en/user-guide/security-access-control-overview
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from intentscore.local import results
from intentscore.local.catalog import EPOCH, Entry, in_account
from intentscore.local.context_functions import context_function
from intentscore.local.dropping import dropped
from intentscore.local.errors import SnowflakeError, already_exists, does_not_exist, invalid
from intentscore.local.results import Result
from intentscore.local.show import columns_of, named_listing
from intentscore.local.statements import Effect, Statement, statement
from intentscore.local.types import NUMBER

if TYPE_CHECKING:
    from intentscore.local.session import Session

ROLE, GRANT = "ROLE", "GRANT"
SYSTEM_ROLES = {
    "ACCOUNTADMIN": ("SECURITYADMIN", "SYSADMIN"), "SECURITYADMIN": ("USERADMIN",), "USERADMIN": (), "SYSADMIN": (),
    "PUBLIC": (),
}  # fmt: skip


def role_exists(session: Session, name: str) -> bool:
    return name in SYSTEM_ROLES or session.catalog.get(ROLE, in_account(name)) is not None


def check_role(session: Session, name: str) -> None:
    if not role_exists(session, name):
        raise does_not_exist("Role", name)


def roles_of(session: Session, kind: str, name: str) -> list[str]:
    """The roles granted to a role or a user, without those they bring with them."""
    granted = [e.details for e in session.catalog.account_entries(GRANT)]
    found = [d["name"] for d in granted if d["granted_on"] == ROLE and (d["granted_to"], d["grantee"]) == (kind, name)]
    if kind == "USER":
        return ["ACCOUNTADMIN", "PUBLIC", *found]
    return [*SYSTEM_ROLES.get(name, ()), *found]


def held(session: Session) -> set[str]:
    """Every role the user may stand in: those granted, and those granted to these."""
    found: set[str] = set()
    waiting = roles_of(session, "USER", session.engine.user.upper())
    while waiting:
        role = waiting.pop()
        if role not in found:
            found.add(role)
            waiting += roles_of(session, ROLE, role)
    return found


@context_function("CURRENT_AVAILABLE_ROLES")
def current_available_roles(session: Session) -> str:
    return "[" + ", ".join(f'"{role}"' for role in sorted(held(session))) + "]"


@context_function("IS_ROLE_IN_SESSION")
def is_role_in_session(session: Session, name: str) -> bool:
    found, waiting = {session.role}, [session.role]
    while waiting:
        below = [role for role in roles_of(session, ROLE, waiting.pop()) if role not in found]
        found.update(below)
        waiting += below
    return name in found | {"PUBLIC"}


@statement("USE ROLE", effect=Effect.CONTROL)
def use_role(session: Session, head: Statement) -> Result:
    name = head.scanner.identifier()
    head.scanner.end()
    check_role(session, name)
    if name not in held(session):
        raise SnowflakeError(
            f"SQL access control error:\nRequested role '{name}' is not assigned to the executing user. Specify "
            "another role to activate.", 3013, "42501",
        )  # fmt: skip
    session.role = name
    return results.done()


@statement("CREATE ROLE", effect=Effect.DEFINE)
def create_role(session: Session, head: Statement) -> Result:
    quietly = head.if_not_exists()
    name = head.scanner.identifier()
    comment = head.scanner.options({"COMMENT": str}).get("COMMENT", "")
    head.scanner.end()
    if role_exists(session, name) and (name in SYSTEM_ROLES or not head.or_replace):
        if quietly:
            return results.done(f"{name} already exists, statement succeeded.")
        raise already_exists(name)
    _forget_grants(session, name)
    session.catalog.put(session.catalog.new(ROLE, in_account(name), comment, owner=session.role))
    return results.done(f"Role {name} successfully created.")


@statement("ALTER ROLE", effect=Effect.DEFINE)
def alter_role(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    quietly = head.if_exists()
    name = scanner.identifier()
    entry = session.catalog.get(ROLE, in_account(name))
    if entry is None:
        if quietly:
            return results.done()
        raise does_not_exist("Role", name)
    if scanner.accept("RENAME", "TO"):
        _rename(session, entry, scanner.identifier())
    elif scanner.accept("UNSET", "COMMENT"):
        entry.comment = ""
    else:
        scanner.expect("SET", "COMMENT", "=")
        entry.comment = scanner.string()
    scanner.end()
    session.catalog.put(entry)
    return results.done()


def _rename(session: Session, entry: Entry, new: str) -> None:
    if role_exists(session, new):
        raise already_exists(new)
    old = entry.name.name
    session.catalog.remove(ROLE, entry.name)
    entry.name = in_account(new)
    for grant in session.catalog.account_entries(GRANT):
        if grant.details["granted_to"] == ROLE and grant.details["grantee"] == old:
            grant.details["grantee"] = new
        if grant.details["granted_on"] == ROLE and grant.details["name"] == old:
            grant.details["name"] = new
        session.catalog.put(grant)
    session.role = new if session.role == old else session.role


def _forget_grants(session: Session, name: str) -> None:
    for entry in session.catalog.account_entries(GRANT):
        d = entry.details
        if (d["granted_to"], d["grantee"]) == (ROLE, name) or (d["granted_on"], d["name"]) == (ROLE, name):
            session.catalog.remove(GRANT, entry.name)


@statement("DROP ROLE", effect=Effect.DEFINE)
def drop_role(session: Session, head: Statement) -> Result:
    quietly = head.if_exists()
    name = head.scanner.identifier()
    head.scanner.end()
    if name in SYSTEM_ROLES:
        raise invalid(f"the system role {name} cannot be dropped")
    was_there = session.catalog.remove(ROLE, in_account(name))
    if was_there:
        _forget_grants(session, name)
        if session.role == name:
            session.role = session.engine.role
    return dropped("Role", name, name, was_there=was_there, quietly=quietly)


@statement("SHOW ROLES", "SHOW TERSE ROLES")
def show_roles(session: Session, head: Statement) -> Result:
    listing = named_listing(head.scanner)
    columns = {
        **columns_of("name", "is_default", "is_current", "is_inherited"),
        **dict.fromkeys(("assigned_to_users", "granted_to_roles", "granted_roles"), NUMBER),
        **dict.fromkeys(("owner", "comment"), columns_of("owner")["owner"]),
    }
    own = session.catalog.account_entries(ROLE)
    known = [(name, EPOCH, "", "") for name in SYSTEM_ROLES] + [
        (e.name.name, e.created_on, e.details["owner"], e.comment) for e in own
    ]
    grants = [e.details for e in session.catalog.account_entries(GRANT) if e.details["granted_on"] == ROLE]
    rows = [
        [created, name, "Y" if name == session.engine.role else "N", "Y" if name == session.role else "N", "N",
         sum(g["name"] == name and g["granted_to"] == "USER" for g in grants),
         sum(g["name"] == name and g["granted_to"] == ROLE for g in grants),
         sum(g["grantee"] == name and g["granted_to"] == ROLE for g in grants), owner, comment]
        for name, created, owner, comment in sorted(known)
        if listing.wants(name)
    ]  # fmt: skip
    return results.rows(columns, rows[: listing.limit])
