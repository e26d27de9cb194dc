"""Stored procedures and functions as objects: CREATE, DROP, ALTER, and which of several overloads a call means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from intentscore.local import packages, results, rewrites, stages
from intentscore.local.catalog import Entry
from intentscore.local.dropping import dropped
from intentscore.local.errors import COMPILATION, SnowflakeError, already_exists, does_not_exist, invalid, unsupported
from intentscore.local.names import ObjectName
from intentscore.local.results import Result
from intentscore.local.scanner import Scanner
from intentscore.local.scripting import parser
from intentscore.local.signatures import Parameter, Routine, duckdb_type, family, read_routine
from intentscore.local.statements import Effect, Statement, statement
from intentscore.local.types import ColumnType
from intentscore.local.workers import Definition

if TYPE_CHECKING:
    from intentscore.local.session import Session

PROCEDURE = "PROCEDURE"
FUNCTION = "FUNCTION"
RUNTIMES = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
_FAMILIES = {
    "fixed": "NUMBER", "real": "FLOAT", "text": "VARCHAR", "boolean": "BOOLEAN", "date": "DATE", "time": "TIME",
    "binary": "BINARY", "variant": "VARIANT", "object": "OBJECT", "array": "ARRAY", "timestamp_ntz": "TIMESTAMP_NTZ",
    "timestamp_ltz": "TIMESTAMP_LTZ", "timestamp_tz": "TIMESTAMP_TZ",
}  # fmt: skip
_TIMESTAMPS = ("TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ")
_COERCIONS = {
    "NUMBER": ("FLOAT", "VARCHAR", "BOOLEAN"), "FLOAT": ("NUMBER", "VARCHAR", "BOOLEAN"),
    "VARCHAR": ("NUMBER", "FLOAT", "BOOLEAN", "DATE", "TIME", *_TIMESTAMPS), "BOOLEAN": ("VARCHAR", "NUMBER"),
    "DATE": ("TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ", "VARCHAR"), "TIME": ("VARCHAR",),
    **dict.fromkeys(_TIMESTAMPS, ("TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ", "DATE", "TIME", "VARCHAR")),
    "VARIANT": ("OBJECT", "ARRAY", "MAP", "VARCHAR", "NUMBER", "FLOAT", "BOOLEAN", "DATE", "TIME", *_TIMESTAMPS),
    "OBJECT": ("MAP",), "ARRAY": ("VECTOR",), "BINARY": ("VARCHAR",),
}  # fmt: skip


@dataclass(frozen=True)
class Found:
    """A routine together with where it lives."""

    name: ObjectName
    routine: Routine
    entry: Entry


# ---------------------------------------------------------------------------- CREATE, DROP, ALTER


@statement("CREATE PROCEDURE", effect=Effect.DEFINE)
def create_procedure(session: Session, head: Statement) -> Result:
    return _create(session, head, PROCEDURE)


@statement("CREATE FUNCTION", effect=Effect.DEFINE)
def create_function(session: Session, head: Statement) -> Result:
    return _create(session, head, FUNCTION)


@statement("CREATE AGGREGATE FUNCTION", effect=Effect.DEFINE)
def create_aggregate_function(session: Session, head: Statement) -> Result:
    return _create(session, head, FUNCTION, aggregate=True)


def _create(session: Session, head: Statement, kind: str, *, aggregate: bool = False) -> Result:
    quietly = head.if_not_exists()
    name = session.existing_schema(session.resolve(head.scanner.name()))
    routine = read_routine(head.scanner, name.name)
    routine.aggregate = aggregate
    routine.secure = "SECURE" in head.modifiers
    head.scanner.end()
    key = name._replace(name=routine.signature)
    if session.catalog.get(kind, key):
        if quietly:
            return results.done(f"{name.name} already exists, statement succeeded.")
        if not head.or_replace:
            raise already_exists(str(name))
        session.catalog.remove(kind, key)
    check(session, routine, kind)
    entry = session.catalog.new(kind, key, str(routine.options.pop("COMMENT", "")), routine=routine.as_json())
    session.catalog.put(entry, temporary=head.temporary)
    if routine.language == "PYTHON":
        session.engine.workers.warm_up()
    return results.done(f"Function {name.name} successfully created.")


def check(session: Session, routine: Routine, kind: str) -> None:
    """What an account refuses at CREATE."""
    if routine.language == "SQL":
        if kind == PROCEDURE:
            parser.parse(parser.as_block(str(routine.body)))
        return
    if routine.language != "PYTHON":
        raise unsupported(f"a {kind.lower()} in the language {routine.language}")
    if "HANDLER" not in routine.options or (routine.body is None and "." not in routine.options["HANDLER"]):
        raise invalid("missing HANDLER of a Python function: function name, or module.function of a staged file")
    runtime = str(routine.options.get("RUNTIME_VERSION", ""))
    if runtime not in RUNTIMES:
        raise SnowflakeError(f"{COMPILATION}Unsupported Python runtime version '{runtime}'.", 391545, "22023")
    for integration in routine.options.get("EXTERNAL_ACCESS_INTEGRATIONS", []):
        raise does_not_exist("Integration", str(integration))
    for secret in routine.options.get("SECRETS", []):
        raise does_not_exist("Secret", str(secret).rpartition(".")[2])
    packages.check(routine.options.get("PACKAGES", []))
    import_files(session, routine)
    stored_types(session, routine)


@statement("DROP PROCEDURE", effect=Effect.DEFINE)
def drop_procedure(session: Session, head: Statement) -> Result:
    return _drop(session, head, PROCEDURE)


@statement("DROP FUNCTION", "DROP AGGREGATE FUNCTION", effect=Effect.DEFINE)
def drop_function(session: Session, head: Statement) -> Result:
    return _drop(session, head, FUNCTION)


def _drop(session: Session, head: Statement, kind: str) -> Result:
    quietly = head.if_exists()
    key = read_signature(session, head.scanner)
    head.scanner.end()
    name = key.name.partition("(")[0]
    return dropped(kind.title(), name, name, was_there=session.catalog.remove(kind, key), quietly=quietly)


@statement("ALTER PROCEDURE", "ALTER FUNCTION", effect=Effect.DEFINE)
def alter(session: Session, head: Statement) -> Result:
    scanner, kind = head.scanner, head.words[1]
    quietly = head.if_exists()
    key = read_signature(session, scanner)
    entry = session.catalog.get(kind, key)
    if entry is None:
        if quietly:
            return results.done()
        raise does_not_exist(kind.title(), key.name.partition("(")[0])
    temporary = session.catalog.is_temporary(kind, key)
    if scanner.accept("RENAME", "TO"):
        renamed = session.existing_schema(session.resolve(scanner.name()))
        session.catalog.remove(kind, key)
        entry.details["routine"]["name"] = renamed.name
        entry.name = renamed._replace(name=renamed.name + key.name[key.name.index("(") :])
    elif scanner.accept("UNSET", "COMMENT"):
        entry.comment = ""
    elif scanner.accept("SET", "COMMENT", "="):
        entry.comment = scanner.string()
    elif scanner.accept("EXECUTE", "AS"):
        entry.details["routine"]["execute_as"] = scanner.word()
    else:
        raise scanner.unexpected("RENAME TO, SET COMMENT or EXECUTE AS")
    scanner.end()
    session.catalog.put(entry, temporary=temporary)
    return results.done()


@statement("COMMENT ON PROCEDURE", "COMMENT ON FUNCTION", effect=Effect.DEFINE)
def comment(session: Session, head: Statement) -> Result:
    kind = head.words[2]
    key = read_signature(session, head.scanner)
    head.scanner.expect("IS")
    entry = session.catalog.get(kind, key)
    if entry is None:
        raise does_not_exist(kind.title(), key.name.partition("(")[0])
    entry.comment = head.scanner.string()
    head.scanner.end()
    session.catalog.put(entry, temporary=session.catalog.is_temporary(kind, key))
    return results.done()


def read_signature(session: Session, scanner: Scanner) -> ObjectName:
    """`name(INT, VARCHAR)` as the key of the catalog."""
    name = session.resolve(scanner.name())
    given = scanner.parenthesised()
    types, inner = [], Scanner(given)
    while not inner.done:
        words = [inner.word()]
        while not inner.done and inner.peek() != ",":
            words.append(f"({inner.parenthesised()})" if inner.peek() == "(" else inner.word())
        types.append(family(" ".join(words)))
        inner.accept(",")
    return name._replace(name=f"{name.name}({', '.join(types)})")


# ---------------------------------------------------------------------------- finding the one that is meant


def overloads(session: Session, kind: str, parts: Sequence[str]) -> list[Found]:
    """All of this name, where the name is found at all."""
    if len(parts) == 1 and (session.database is None or session.schema is None):
        return []
    name = session.resolve(parts)
    found = session.catalog.entries(kind, name.database, name.schema)
    return [
        Found(name, Routine.from_json(e.details["routine"]), e)
        for e in found
        if e.details["routine"]["name"] == name.name
    ]


def choose(found: Sequence[Found], given: Sequence[ColumnType | None], named: Sequence[str]) -> Found | None:
    """The overload whose arguments take these types with the least conversion."""
    ranked = [(cost, i) for i, each in enumerate(found) if (cost := _cost(each.routine, given, named)) is not None]
    return found[min(ranked)[1]] if ranked else None


def _cost(routine: Routine, given: Sequence[ColumnType | None], named: Sequence[str]) -> int | None:
    positions = {a.name: i for i, a in enumerate(routine.arguments)}
    if named:
        if any(name not in positions for name in named):
            return None
        targets = [routine.arguments[positions[name]] for name in named]
        missing = {a.name for a in routine.arguments if a.default is None} - set(named)
        if missing:
            return None
    else:
        if not routine.required <= len(given) <= len(routine.arguments):
            return None
        targets = routine.arguments[: len(given)]
    total = len(routine.arguments) - len(given)
    for kind, target in zip(given, targets, strict=True):
        step = _distance(kind, target)
        if step is None:
            return None
        total += step
    return total


def _distance(given: ColumnType | None, target: Parameter) -> int | None:
    if given is None:  # NULL fits everywhere
        return 0
    kind = _FAMILIES.get(given.wire, "VARCHAR")
    if kind == target.family:
        return 0
    if target.family == "VARIANT":
        return 50
    options = _COERCIONS.get(kind, ())
    return 10 * (1 + options.index(target.family)) if target.family in options else None


def unknown(kind: str, parts: Sequence[str], found: Sequence[Found], given: Sequence[ColumnType | None]) -> Exception:
    name = parts[-1]
    if not found:
        return SnowflakeError(f"{COMPILATION}Unknown {'user-defined ' if kind == FUNCTION else ''}function "
                              f"{'.'.join(parts)}.", 2140 if kind == PROCEDURE else 2141, "42601")  # fmt: skip
    types = ", ".join("NULL" if t is None else t.declared for t in given)
    return SnowflakeError(
        f"{COMPILATION}error line 1 at position 5\nInvalid argument types for function '{name}': ({types})",
        1044, "42P13",
    )  # fmt: skip


# ---------------------------------------------------------------------------- what a process needs to run it


def stored_types(session: Session, routine: Routine) -> tuple[list[str], list[str]]:
    """The DuckDB types of the arguments and of what is returned."""
    outputs = routine.columns if routine.columns is not None else [Parameter(routine.name, routine.returns)]

    def stored(kind: str) -> str:
        return duckdb_type(kind, lambda built: rewrites.apply(built, session))

    return [stored(a.type) for a in routine.arguments], [stored(o.type) for o in outputs]


def definition(session: Session, routine: Routine, kind: str) -> Definition:
    inputs, outputs = stored_types(session, routine)
    returned = routine.columns if routine.columns is not None else [Parameter("RESULT", routine.returns)]
    return Definition(
        kind, routine.name, routine.options["HANDLER"], routine.body, import_files(session, routine),
        tuple((a.name, a.type, stored) for a, stored in zip(routine.arguments, inputs, strict=True)),
        tuple((o.name, o.type, stored) for o, stored in zip(returned, outputs, strict=True)),
        routine.strict,
    )  # fmt: skip


def import_files(session: Session, routine: Routine) -> tuple[tuple[str, str, int, int], ...]:
    """Every file of IMPORTS: a file by its own name, a folder with the files below it."""
    found = []
    for text in routine.options.get("IMPORTS", []):
        where = stages.locate(session, text)
        target = where.target
        if target.is_file():
            files = [(target.name, target)]
        elif target.is_dir():
            files = [((target.name + "/" + f.relative_to(target).as_posix()), f) for f in where.files()]
        else:
            raise SnowflakeError(f"{COMPILATION}Remote file '{text}' was not found.", 253006, "22000")
        for place, file in files:
            stat = file.stat()
            found.append((place, str(file), stat.st_size, stat.st_mtime_ns))
    return tuple(found)


def cast_to(value: exp.Expr, kind: str) -> exp.Expr:
    """A value as an argument of a declared type."""
    if kind == "VARIANT":
        return exp.ToVariant(this=value)
    return exp.cast(value, exp.DataType.build(kind, dialect="snowflake"))
