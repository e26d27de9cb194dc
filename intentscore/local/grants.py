"""GRANT and REVOKE: the engine's one user holds every privilege, so that a well-formed grant changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from intentscore.local import results, types
from intentscore.local.errors import does_not_exist
from intentscore.local.information_schema import hidden
from intentscore.local.results import Result
from intentscore.local.show import EPOCH
from intentscore.local.statements import Effect, Statement, statement

if TYPE_CHECKING:
    from intentscore.local.session import Session

ACCOUNT_PRIVILEGES = ("EXECUTE TASK", "EXECUTE MANAGED TASK")
ROLES = ("ACCOUNTADMIN", "SECURITYADMIN", "USERADMIN", "SYSADMIN", "PUBLIC")


@statement("GRANT", "REVOKE", effect=Effect.DEFINE)
def grant(session: Session, head: Statement) -> Result:
    """`GRANT <privileges> ON <object> TO [ROLE] <role>`; a role the engine does not have is refused."""
    scanner, direction = head.scanner, "TO" if head.words[0] == "GRANT" else "FROM"
    passed = 0
    while not scanner.accept(direction):
        if scanner.done:
            raise scanner.unexpected(direction)
        scanner.at += 1
        passed += 1
    if not passed:
        raise scanner.unexpected("a privilege")
    scanner.accept("ROLE")
    role = scanner.identifier()
    if role not in (*ROLES, session.role):
        raise does_not_exist("Role", role)
    scanner.accept("WITH", "GRANT", "OPTION") or scanner.accept("CASCADE") or scanner.accept("RESTRICT")
    scanner.end()
    return results.done()


@statement("SHOW GRANTS TO ROLE")
def show_grants_to_role(session: Session, head: Statement) -> Result:
    """The one role owns the databases, their schemas and the warehouse, and may run tasks."""
    role = head.scanner.identifier()
    head.scanner.end()
    if role not in (*ROLES, session.role):
        raise does_not_exist("Role", role)
    columns = {"created_on": types.TIMESTAMP_LTZ, **dict.fromkeys(
        ("privilege", "granted_on", "name", "granted_to", "grantee_name", "grant_option", "granted_by"), types.TEXT
    )}  # fmt: skip
    if role != session.role:
        return results.rows(columns, [])
    schemas = session.fetch(f"SELECT database_name, schema_name FROM duckdb_schemas() WHERE {hidden('schema_name')}")
    owned = [
        ("WAREHOUSE", session.engine.warehouse),
        *(("DATABASE", database) for database in session.engine.databases()),
        *(("SCHEMA", f"{d}.{s}") for d, s in schemas if d in session.engine.databases()),
    ]
    held = [("OWNERSHIP", *one) for one in owned]
    held += [(privilege, "ACCOUNT", session.engine.account.upper()) for privilege in ACCOUNT_PRIVILEGES]
    return results.rows(columns, [[EPOCH, p, kind, name, "ROLE", role, "true", ""] for p, kind, name in held])
