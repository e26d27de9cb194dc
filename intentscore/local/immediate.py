"""EXECUTE IMMEDIATE: a statement held in a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from intentscore.local.errors import invalid_identifier
from intentscore.local.results import Result
from intentscore.local.scanner import Scanner
from intentscore.local.statements import Effect, Statement, statement

if TYPE_CHECKING:
    from intentscore.local.session import Session


@statement("EXECUTE IMMEDIATE", effect=Effect.CALL)
def execute_immediate(session: Session, head: Statement) -> Result:
    """The text is a literal or a session variable; USING names the session variables that are bound to its `?`."""
    scanner = head.scanner
    text = str(scanner.value())
    bindings = _bound(session, Scanner(scanner.parenthesised())) if scanner.accept("USING") else scanner.bindings
    scanner.end()
    return session.execute(text, bindings, describe_only=head.describe_only)


def _bound(session: Session, inner: Scanner) -> list[Any]:
    found = []
    while not inner.done:
        name = inner.identifier()
        if name not in session.variables:
            raise invalid_identifier(name)
        found.append(session.variables[name])
        inner.accept(",")
    return found
