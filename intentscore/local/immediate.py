"""EXECUTE IMMEDIATE: a statement held in a text, or the statements of a staged file.

Source: https://docs.snowflake.com/en/sql-reference/sql/execute-immediate-from
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from intentscore.local import several, sql, stages
from intentscore.local.errors import SnowflakeError, does_not_exist, invalid_identifier, unsupported
from intentscore.local.results import Result
from intentscore.local.scanner import Scanner
from intentscore.local.statements import Effect, Statement, statement

if TYPE_CHECKING:
    from intentscore.local.session import Session


@statement("EXECUTE IMMEDIATE", effect=Effect.CALL)
def execute_immediate(session: Session, head: Statement) -> Result:
    """The text is a literal or a session variable; USING names the session variables that are bound to its `?`."""
    scanner = head.scanner
    if scanner.accept("FROM"):
        return _file(session, scanner, describe_only=head.describe_only)
    text = str(scanner.value())
    bindings = _bound(session, Scanner(scanner.parenthesised())) if scanner.accept("USING") else scanner.bindings
    scanner.end()
    return session.execute(text, bindings, describe_only=head.describe_only)


def _file(session: Session, scanner: Scanner, *, describe_only: bool) -> Result:
    """The statements of a staged file, one after another; the answer is that of the last."""
    where = stages.locate(session, scanner.location())
    if scanner.peek() in ("USING", "DRY_RUN"):
        raise unsupported(f"{scanner.peek()} of EXECUTE IMMEDIATE FROM")
    scanner.end()
    file = where.target
    if not file.is_file():
        raise does_not_exist("File", where.path)
    statements = several.split(file.read_text())
    if not statements:
        raise SnowflakeError("Empty SQL statement.", 900, "42601")
    if describe_only:
        return sql.status_columns()
    answers = [several.run_child(session, text, ())[1] for text in statements]
    return answers[-1]


def _bound(session: Session, inner: Scanner) -> list[Any]:
    found = []
    while not inner.done:
        name = inner.identifier()
        if name not in session.variables:
            raise invalid_identifier(name)
        found.append(session.variables[name].value)
        inner.accept(",")
    return found
