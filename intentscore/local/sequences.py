"""Sequences: CREATE, ALTER, DROP, SHOW, and `NAME.NEXTVAL` in an expression.

Source: https://docs.snowflake.com/en/user-guide/querying-sequences
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import Expr, exp

from intentscore.local import results, sources, twins
from intentscore.local.catalog import OWNER, Entry, already_there
from intentscore.local.dropping import drop
from intentscore.local.errors import does_not_exist, invalid
from intentscore.local.names import ObjectName, quote
from intentscore.local.results import Result
from intentscore.local.scanner import Scanner
from intentscore.local.show import read_listing
from intentscore.local.statements import Effect, Statement, statement
from intentscore.local.types import NUMBER, TEXT, TIMESTAMP_LTZ

if TYPE_CHECKING:
    from intentscore.local.session import Session
    from intentscore.local.sql import Preparation

SEQUENCE = "SEQUENCE"
NEXT_VALUE = "NEXTVAL"


@statement("CREATE SEQUENCE", effect=Effect.DEFINE)
def create_sequence(session: Session, head: Statement) -> Result:
    quietly = head.if_not_exists()
    name = session.existing_schema(session.resolve(head.scanner.name()))
    details: dict[str, Any] = {"start": 1, "increment": 1, "ordered": False, "comment": ""} | _options(head.scanner)
    if there := already_there(session, head, SEQUENCE, name, quietly, _remove):
        return there
    twins.refuse_sequence(session, name)
    _create(session, name, details["start"], details["increment"])
    session.catalog.put(session.catalog.new(SEQUENCE, name, str(details.pop("comment")), **details))
    return results.done(f"Sequence {name.name} successfully created.")


def _options(scanner: Scanner) -> dict[str, Any]:
    found: dict[str, Any] = {}
    scanner.accept("WITH")
    while not scanner.done:
        if scanner.accept("START"):
            scanner.accept("WITH") or scanner.accept("=")
            found["start"] = int(scanner.value())
        elif scanner.accept("INCREMENT"):
            scanner.accept("BY") or scanner.accept("=")
            found["increment"] = int(scanner.value())
        elif scanner.accept("COMMENT", "="):
            found["comment"] = scanner.string()
        elif scanner.peek() in ("ORDER", "NOORDER"):
            found["ordered"] = scanner.word() == "ORDER"
        else:
            raise scanner.unexpected("START, INCREMENT, ORDER, NOORDER or COMMENT")
        scanner.accept(",")
    if found.get("increment") == 0:
        raise invalid("the increment of a sequence must not be 0")
    return found


def _create(session: Session, name: ObjectName, start: int, increment: int) -> None:
    low, high = -(2**63) + 1, 2**63 - 1
    session.fetch(f"CREATE SEQUENCE {name.duckdb} START {start} INCREMENT {increment} MINVALUE {low} MAXVALUE {high}")


def _remove(session: Session, name: ObjectName) -> bool:
    if session.catalog.get(SEQUENCE, name) is None:
        return False
    session.fetch(f"DROP SEQUENCE {name.duckdb}")
    return session.catalog.remove(SEQUENCE, name)


def _sequence(session: Session, name: ObjectName) -> Entry:
    entry = session.catalog.get(SEQUENCE, name)
    if entry is None:
        raise does_not_exist("Sequence", str(name))
    return entry


@statement("DROP SEQUENCE", effect=Effect.DEFINE)
def drop_sequence(session: Session, head: Statement) -> Result:
    return drop(session, head, "Sequence", _remove)


@statement("ALTER SEQUENCE", effect=Effect.DEFINE)
def alter_sequence(session: Session, head: Statement) -> Result:
    quietly, scanner = head.if_exists(), head.scanner
    name = session.resolve(scanner.name())
    if session.catalog.get(SEQUENCE, name) is None and quietly:
        return results.done()
    entry = _sequence(session, name)
    if scanner.accept("UNSET", "COMMENT"):
        entry.comment = ""
        scanner.end()
    else:
        scanner.accept("SET")
        options = _options(scanner)
        if "start" in options:
            raise invalid("the start of a sequence cannot be changed")
        entry.comment = str(options.pop("comment", entry.comment))
        if "increment" in options:
            following = _next(session, name, entry)
            session.fetch(f"DROP SEQUENCE {name.duckdb}")
            _create(session, name, following, options["increment"])
        entry.details |= options
    session.catalog.put(entry)
    return results.done()


@statement("SHOW SEQUENCES")
def show_sequences(session: Session, head: Statement) -> Result:
    listing = read_listing(session, head.scanner)
    return _listed(session, listing.entries(session, SEQUENCE))


@statement("DESCRIBE SEQUENCE", "DESC SEQUENCE")
def describe_sequence(session: Session, head: Statement) -> Result:
    name = session.resolve(head.scanner.name())
    head.scanner.end()
    return _listed(session, [_sequence(session, name)])


def _listed(session: Session, found: list[Entry]) -> Result:
    columns = {
        "name": TEXT, "database_name": TEXT, "schema_name": TEXT, "next_value": NUMBER, "interval": NUMBER,
        "created_on": TIMESTAMP_LTZ, "owner": TEXT, "comment": TEXT, "owner_role_type": TEXT, "ordered": TEXT,
    }  # fmt: skip
    rows = [
        [e.name.name, e.name.database, e.name.schema, _next(session, e.name, e), e.details["increment"], e.created_on,
         OWNER, e.comment, "ROLE", "Y" if e.details["ordered"] else "N"]
        for e in found
    ]  # fmt: skip
    return results.rows(columns, rows)


def _next(session: Session, name: ObjectName, entry: Entry) -> int:
    query = (
        "SELECT start_value, last_value, increment_by FROM duckdb_sequences() "
        "WHERE database_name = ? AND schema_name = ? AND sequence_name = ?"
    )
    start, last, increment = session.fetch(query, name)[0]
    return int(start if last is None else last + increment)


@sources.resolver
def next_values(root: Expr, preparation: Preparation) -> Expr:
    """`NAME.NEXTVAL` is a value of its own in every row and place."""
    for column in list(root.find_all(exp.Column)):
        if column.name.upper() != NEXT_VALUE or not column.table:
            continue
        name = preparation.session.resolve([part.name for part in column.parts[:-1]])
        if preparation.session.catalog.get(SEQUENCE, name) is None:
            continue
        where = ".".join(quote(part) for part in name)
        value: Expr = exp.Anonymous(this="nextval", expressions=[exp.Literal.string(where)])
        if isinstance(column.parent, exp.Select) and column.arg_key == "expressions":
            value = exp.alias_(value, NEXT_VALUE, quoted=True)
        column.replace(value)
    return root
