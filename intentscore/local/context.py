"""USE, SET, ALTER SESSION, transactions: statements about the session itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from intentscore.local import offsets, parsing, results, roles, sql, types
from intentscore.local.context_functions import context_function
from intentscore.local.errors import COMPILATION, SnowflakeError, invalid
from intentscore.local.names import like_pattern
from intentscore.local.results import Result
from intentscore.local.scanner import Scanner
from intentscore.local.show import named_listing
from intentscore.local.statements import Effect, Statement, statement
from intentscore.local.variables import DEFAULT_PARAMETERS, SessionVariable, check_size, parameter_value

if TYPE_CHECKING:
    from intentscore.local.session import Session


@statement("USE DATABASE", "USE", effect=Effect.CONTROL)
def use_database(session: Session, head: Statement) -> Result:
    parts = head.scanner.name()
    head.scanner.end()
    if len(parts) == 2:
        session.use(parts[0], parts[1])
    else:
        session.use(parts[0])
    return results.done()


@statement("USE SCHEMA", effect=Effect.CONTROL)
def use_schema(session: Session, head: Statement) -> Result:
    parts = head.scanner.name()
    head.scanner.end()
    session.use(parts[-2] if len(parts) == 2 else None, parts[-1])
    return results.done()


@statement("USE SECONDARY ROLES", effect=Effect.CONTROL)
def use_secondary_roles(session: Session, head: Statement) -> Result:
    """ALL, NONE or roles by name, which have to be there; what the session may do stays the same on one machine."""
    scanner = head.scanner
    while True:
        name = scanner.identifier()
        if name not in ("ALL", "NONE") and not roles.role_exists(session, name):
            raise SnowflakeError(
                f"{COMPILATION}Object does not exist, or operation cannot be performed.", 2043, "02000"
            )
        if not scanner.accept(","):
            break
    scanner.end()
    return results.done()


@statement("SET", effect=Effect.CONTROL)
def set_variable(session: Session, head: Statement) -> Result:
    """`SET X = …`, or several at once: `SET (X, Y) = (…, …)`."""
    wanted = _variable_names(head.scanner)
    head.scanner.expect("=")
    given = head.scanner.rest()
    row = f"({given})" if len(wanted) == 1 else given
    answer = sql.query(session, parsing.parse(f"SELECT * FROM (VALUES {row})", head.scanner.bindings))
    if answer.table.num_columns != len(wanted):
        raise invalid(f"{answer.table.num_columns} values for {len(wanted)} session variables")
    values = [offsets.moments(column)[0] for column in answer.table.columns]
    for value in values:
        check_size(value)
    now = datetime.now(UTC)
    for name, value, kind in zip(wanted, values, answer.columns, strict=True):
        created_on = session.variables[name].created_on if name in session.variables else now
        session.variables[name] = SessionVariable(value, kind.wire, created_on, now)
    return results.done()


@statement("UNSET", effect=Effect.CONTROL)
def unset_variable(session: Session, head: Statement) -> Result:
    for name in _variable_names(head.scanner):
        session.variables.pop(name, None)
    head.scanner.end()
    return results.done()


def _variable_names(scanner: Scanner) -> list[str]:
    return Scanner(scanner.parenthesised()).identifiers() if scanner.peek() == "(" else [scanner.identifier()]


@context_function("GETVARIABLE")
def get_variable(session: Session, name: str) -> str | None:
    variable = session.variables.get(name.upper())
    return None if variable is None or variable.value is None else str(variable.value)


# ---------------------------------------------------------------------------- parameters


@statement("ALTER SESSION SET", effect=Effect.CONTROL)
def alter_session(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    while not scanner.done:
        name = scanner.word()
        scanner.expect("=")
        _set_parameter(session, name, scanner.value())
        scanner.accept(",")
    return results.done()


@statement("ALTER SESSION UNSET", effect=Effect.CONTROL)
def unset_session(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    while not scanner.done:
        name = scanner.word()
        session.parameters.pop(name, None)
        if name in DEFAULT_PARAMETERS:
            _set_parameter(session, name, DEFAULT_PARAMETERS[name])
        scanner.accept(",")
    return results.done()


def _set_parameter(session: Session, name: str, value: Any) -> None:
    value = parameter_value(name, value)
    if name == "AUTOCOMMIT" and value != session.parameters["AUTOCOMMIT"]:
        session.commit()
    if name == "TIMEZONE":
        session.use_timezone(value)
    session.parameters[name] = value


@statement("SHOW PARAMETERS")
def show_parameters(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    pattern = like_pattern(scanner.string()) if scanner.accept("LIKE") else None
    scanner.rest()
    columns = dict.fromkeys(("key", "value", "default", "level", "description", "type"), types.TEXT)
    return results.rows(
        columns,
        [
            [name, _shown(value), _shown(value), "", "", "BOOLEAN" if isinstance(value, bool) else "STRING"]
            for name, value in sorted(session.parameters.items())
            if pattern is None or pattern.fullmatch(name)
        ],
    )


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@statement("SHOW VARIABLES")
def show_variables(session: Session, head: Statement) -> Result:
    listing = named_listing(head.scanner)
    columns = {
        "session_id": types.NUMBER, "created_on": types.TIMESTAMP_LTZ, "updated_on": types.TIMESTAMP_LTZ,
        **dict.fromkeys(("name", "value", "type", "comment"), types.TEXT),
    }  # fmt: skip
    found = [
        [session.id, variable.created_on, variable.updated_on, name, str(variable.value), variable.type, ""]
        for name, variable in sorted(session.variables.items())
        if listing.wants(name)
    ]
    return results.rows(columns, found[: listing.limit])


# ---------------------------------------------------------------------------- transactions


@statement("BEGIN", "START TRANSACTION", effect=Effect.CONTROL)
def begin(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    scanner.accept("WORK") or scanner.accept("TRANSACTION")
    if scanner.accept("NAME"):
        scanner.identifier()
    scanner.end()
    session.transaction.require_scope()
    session.begin()
    return results.done()


@statement("COMMIT", effect=Effect.CONTROL)
def commit(session: Session, head: Statement) -> Result:
    head.scanner.accept("WORK")
    head.scanner.end()
    session.transaction.require_scope()
    session.commit()
    return results.done()


@statement("ROLLBACK", effect=Effect.CONTROL)
def rollback(session: Session, head: Statement) -> Result:
    head.scanner.accept("WORK")
    head.scanner.end()
    session.transaction.require_scope()
    session.rollback()
    return results.done()
