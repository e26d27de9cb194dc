"""SHOW and DESCRIBE of procedures and functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from intentscore.local import builtin_functions, packages, results, types
from intentscore.local.catalog import EPOCH, Entry
from intentscore.local.errors import does_not_exist
from intentscore.local.names import literal, quote
from intentscore.local.results import Result
from intentscore.local.routines import FUNCTION, PROCEDURE, read_signature
from intentscore.local.scanner import Scanner
from intentscore.local.show import read_listing
from intentscore.local.signatures import Parameter, Routine
from intentscore.local.statements import Statement, statement

if TYPE_CHECKING:
    from intentscore.local.session import Session

_SHOWN = ("name", "schema_name", "is_builtin", "is_aggregate", "is_ansi", "min_num_arguments", "max_num_arguments",
          "arguments", "description", "catalog_name", "is_table_function", "valid_for_clustering", "is_secure",
          "secrets", "external_access_integrations")  # fmt: skip
_SHOWN_OF_FUNCTIONS = ("is_external_function", "language", "is_memoizable", "is_data_metric")


@statement("SHOW PROCEDURES", "SHOW USER PROCEDURES")
def show_procedures(session: Session, head: Statement) -> Result:
    return _show(session, head, PROCEDURE)


@statement("SHOW FUNCTIONS", "SHOW USER FUNCTIONS", "SHOW BUILTIN FUNCTIONS")
def show_functions(session: Session, head: Statement) -> Result:
    """The functions users made, behind the built-in ones unless only those of users are asked for."""
    which = {"USER": (False, True), "BUILTIN": (True, False)}.get(head.words[1], (True, True))
    return _show(session, head, FUNCTION, *which)


def _show(session: Session, head: Statement, kind: str, builtin: bool = False, made: bool = True) -> Result:
    listing = read_listing(session, head.scanner)
    columns = {"created_on": types.TIMESTAMP_LTZ, **dict.fromkeys(_SHOWN, types.TEXT)}
    columns["min_num_arguments"] = columns["max_num_arguments"] = types.NUMBER
    if kind == FUNCTION:
        columns |= dict.fromkeys(_SHOWN_OF_FUNCTIONS, types.TEXT)
    found = [e for d in listing.databases(session) for e in session.catalog.entries(kind, d, listing.schema)]
    own = [_row(entry, kind) for entry in found if made and listing.wants(entry.details["routine"]["name"])]
    rows = [_builtin_row(name) for name in builtin_functions.names() if builtin and listing.wants(name)]
    return results.rows(columns, [*rows, *own][: listing.limit])


def _builtin_row(name: str) -> list[Any]:
    is_aggregate = _yes(name in builtin_functions.AGGREGATES)
    row = [EPOCH, name, "", "Y", is_aggregate, "N", None, None, None, None, "", "N", "N", "N", None, None]
    return [*row, "N", "SQL", "N", "N"]


def _row(entry: Entry, kind: str) -> list[Any]:
    routine = Routine.from_json(entry.details["routine"])
    is_table = _yes(routine.columns is not None)
    row = [
        entry.created_on, routine.name, entry.name.schema, "N", _yes(routine.aggregate), "N", routine.required,
        len(routine.arguments), _arguments(routine), entry.comment or f"user-defined {kind.lower()}",
        entry.name.database, is_table, "N", _yes(routine.secure), None, None,
    ]  # fmt: skip
    return [*row, "N", routine.language, "N", "N"] if kind == FUNCTION else row


def _yes(value: bool) -> str:
    return "Y" if value else "N"


def _arguments(routine: Routine) -> str:
    """`F(NUMBER, DEFAULT VARCHAR) RETURN NUMBER`"""
    given = ", ".join(a.family if a.default is None else f"DEFAULT {a.family}" for a in routine.arguments)
    if routine.columns is None:
        return f"{routine.name}({given}) RETURN {routine.returns.split('(')[0]}"
    return f"{routine.name}({given}) RETURN TABLE ({_named(routine.columns)})"


def _named(parameters: list[Parameter]) -> str:
    return ", ".join(f"{p.name} {p.family}" for p in parameters)


def ddl(session: Session, kind: str, text: str) -> str:
    """GET_DDL of a procedure or function."""
    key = read_signature(session, Scanner(text))
    entry = session.catalog.get(kind, key)
    if entry is None:
        raise does_not_exist(kind.title(), key.name.partition("(")[0])
    routine = Routine.from_json(entry.details["routine"])
    secure, aggregate = "SECURE " if routine.secure else "", "AGGREGATE " if routine.aggregate else ""
    arguments = ", ".join(_declared(argument) for argument in routine.arguments)
    lines = [
        f"CREATE OR REPLACE {secure}{aggregate}{kind} {quote(routine.name)}({arguments})",
        f"RETURNS {routine.returns}{' NOT NULL' if routine.not_null else ''}",
        f"LANGUAGE {routine.language}",
    ]
    lines += ["STRICT"] if routine.strict else []
    lines += ["IMMUTABLE"] if routine.immutable else []
    for name, value in routine.options.items():
        shown = f"({','.join(map(literal, value))})" if isinstance(value, list) else literal(str(value))
        lines.append(f"{name} = {shown}")
    lines += [f"COMMENT={literal(entry.comment)}"] if entry.comment else []
    lines += [f"EXECUTE AS {routine.execute_as}"] if kind == PROCEDURE else []
    lines += [f"AS {literal(routine.body)}"] if routine.body is not None else []
    return "\n".join(lines) + ";"


def _declared(parameter: Parameter) -> str:
    default = "" if parameter.default is None else f" DEFAULT {parameter.default}"
    return f"{quote(parameter.name)} {parameter.type}{default}"


@statement("DESCRIBE PROCEDURE", "DESC PROCEDURE")
def describe_procedure(session: Session, head: Statement) -> Result:
    return _describe(session, head, PROCEDURE)


@statement("DESCRIBE FUNCTION", "DESC FUNCTION")
def describe_function(session: Session, head: Statement) -> Result:
    return _describe(session, head, FUNCTION)


def named_routine(session: Session, head: Statement, kind: str) -> Entry:
    """The routine whose signature ends the statement."""
    key = read_signature(session, head.scanner)
    head.scanner.end()
    entry = session.catalog.get(kind, key)
    if entry is None:
        raise does_not_exist(kind.title(), key.name.partition("(")[0])
    return entry


def _describe(session: Session, head: Statement, kind: str) -> Result:
    entry = named_routine(session, head, kind)
    described = _properties(Routine.from_json(entry.details["routine"]), kind)
    return results.rows({"property": types.TEXT, "value": types.TEXT}, list(described.items()))


def _properties(routine: Routine, kind: str) -> dict[str, str | None]:
    found: dict[str, str | None] = {
        "signature": f"({_named(routine.arguments)})", "returns": routine.returns, "language": routine.language,
        "null handling": "RETURNS NULL ON NULL INPUT" if routine.strict else "CALLED ON NULL INPUT",
        "volatility": "IMMUTABLE" if routine.immutable else "VOLATILE",
    }  # fmt: skip
    if kind == PROCEDURE:
        found["execute as"] = routine.execute_as
    found["body"] = routine.body
    if routine.language != "PYTHON":
        return found
    asked = [str(p) for p in routine.options.get("PACKAGES", [])]
    found |= {
        "imports": f"[{', '.join(routine.options.get('IMPORTS', []))}]", "handler": routine.options["HANDLER"],
        "runtime_version": str(routine.options["RUNTIME_VERSION"]), "packages": str(asked),
        "installed_packages": str(packages.resolved(asked)),
    }  # fmt: skip
    return found | ({"is_aggregate": str(routine.aggregate).lower()} if kind == FUNCTION else {})
