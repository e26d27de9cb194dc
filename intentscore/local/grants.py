"""GRANT and REVOKE: the engine's one user holds every privilege, so that a well-formed grant changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from intentscore.local import results
from intentscore.local.errors import does_not_exist
from intentscore.local.results import Result
from intentscore.local.statements import Effect, Statement, statement

if TYPE_CHECKING:
    from intentscore.local.session import Session

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
