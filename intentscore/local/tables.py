"""Databases, schemas, tables and views: CREATE, ALTER, DROP, and their comments."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import Expr, exp

from intentscore.local import keys, names, parsing, results, rewrites, twins
from intentscore.local.catalog import CLUSTERING, OF_TABLES, Entry
from intentscore.local.dropping import drop, dropped
from intentscore.local.errors import COMPILATION, SnowflakeError, already_exists, does_not_exist, unsupported
from intentscore.local.names import ObjectName, display, fold, literal, quote
from intentscore.local.results import Result
from intentscore.local.scanner import Scanner
from intentscore.local.statements import Effect, Statement, statement
from intentscore.local.storage import FOLDERS
from intentscore.local.tags import set_tags, unset_tags

if TYPE_CHECKING:
    from intentscore.local.session import Session

DYNAMIC = "DYNAMIC TABLE"


@statement("CREATE DATABASE", effect=Effect.CONTROL)
def create_database(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    quietly = head.if_not_exists()
    name = scanner.identifier()
    scanner.options({"COMMENT": str, "DATA_RETENTION_TIME_IN_DAYS": int})
    scanner.end()
    if name in session.engine.databases():
        if not quietly:
            raise already_exists(name)
        return results.done(f"{name} already exists, statement succeeded.")
    twins.refuse_database(session, name)
    session.commit()
    session.engine.create_database(name)
    session.use(name)
    return results.done(f"Database {name} successfully created.")


@statement("DROP DATABASE", effect=Effect.CONTROL)
def drop_database(session: Session, head: Statement) -> Result:
    quietly = head.if_exists()
    name = head.scanner.identifier()
    head.scanner.accept("CASCADE") or head.scanner.accept("RESTRICT")
    head.scanner.end()
    was_there = name in session.engine.databases()
    if was_there:
        session.commit()
        session.engine.drop_database(name)
        if session.database == name:
            session.database = session.schema = None
    return dropped("Database", name, name, was_there=was_there, quietly=quietly)


def _schema_name(session: Session, parts: list[str]) -> tuple[str, str]:
    resolved = session.resolve([*parts, "_"])
    return resolved.database, resolved.schema


@statement("CREATE SCHEMA", effect=Effect.DEFINE)
def create_schema(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    quietly = head.if_not_exists()
    database, schema = _schema_name(session, scanner.name())
    scanner.accept("WITH", "MANAGED", "ACCESS")
    options = scanner.options({"COMMENT": str, "DATA_RETENTION_TIME_IN_DAYS": int})
    if scanner.accept("TAG") or scanner.accept("WITH", "TAG"):
        scanner.parenthesised()
    scanner.end()
    twins.refuse_schema(session, database, schema)
    if session.schema_exists(database, schema):
        if quietly:
            return results.done(f"{schema} already exists, statement succeeded.")
        if not head.or_replace:
            raise already_exists(schema)
        _drop_schema(session, database, schema)
    session.fetch(f"CREATE SCHEMA {quote(database)}.{quote(schema)}")
    place = ObjectName(database, schema, schema)
    session.catalog.put(session.catalog.new("SCHEMA", place, options.get("COMMENT") or ""))
    session.use(database, schema)
    return results.done(f"Schema {schema} successfully created.")


@statement("ALTER SCHEMA", "ALTER DATABASE", effect=Effect.DEFINE)
def alter_container(session: Session, head: Statement) -> Result:
    """SET and UNSET: comments are kept; of the parameters those are taken that mean nothing to one machine."""
    scanner, kind = head.scanner, head.words[1]
    quietly = head.if_exists()
    parts = [] if scanner.peek() in ("SET", "UNSET") else scanner.name()
    place = _container(session, kind, parts)
    if place is None:
        if quietly:
            return results.done()
        raise does_not_exist(kind.title(), ".".join(parts))
    if scanner.accept("UNSET"):
        scanner.rest()
        return results.done()
    scanner.expect("SET")
    while not scanner.done:
        name = scanner.word()
        scanner.expect("=")
        if name == "COMMENT":
            _comment_on_container(session, place, scanner.string())
        elif name in CONTAINER_PARAMETERS:
            scanner.name() if scanner.peek(1) == "." else scanner.value()
        else:
            raise unsupported(f"the parameter {name} of a {kind.lower()}")
    return results.done()


def _container(session: Session, kind: str, parts: list[str]) -> Entry | None:
    """The catalog's entry of the schema or database meant; the current one where none is named."""
    catalog = session.catalog
    if kind == "DATABASE":
        name = parts[-1] if parts else session.database
        return catalog.entries(kind, name)[0] if name in session.engine.databases() else None
    database, schema = _schema_name(session, parts or [session.schema or ""])
    if not session.schema_exists(database, schema):
        return None
    place = ObjectName(database, schema, schema)
    return catalog.get(kind, place) or catalog.new(kind, place)


def _comment_on_container(session: Session, entry: Entry, comment: str) -> None:
    session.catalog.put(replace(entry, comment=comment))


CONTAINER_PARAMETERS = (
    "DEFAULT_PYTHON_ARTIFACT_REPOSITORY", "DATA_RETENTION_TIME_IN_DAYS", "MAX_DATA_EXTENSION_TIME_IN_DAYS",
    "LOG_LEVEL", "TRACE_LEVEL", "METRIC_LEVEL",
)  # fmt: skip


@statement("DROP SCHEMA", effect=Effect.DEFINE)
def drop_schema(session: Session, head: Statement) -> Result:
    quietly = head.if_exists()
    database, schema = _schema_name(session, head.scanner.name())
    head.scanner.accept("CASCADE") or head.scanner.accept("RESTRICT")
    head.scanner.end()
    was_there = session.schema_exists(database, schema)
    if was_there:
        _drop_schema(session, database, schema)
        if (session.database, session.schema) == (database, schema):
            session.schema = "PUBLIC" if session.schema_exists(database, "PUBLIC") else None
    return dropped("Schema", f"{database}.{schema}", schema, was_there=was_there, quietly=quietly)


def _drop_schema(session: Session, database: str, schema: str) -> None:
    session.fetch(f"DROP SCHEMA {quote(database)}.{quote(schema)} CASCADE")
    storage = session.engine.storage
    entries = [entry for kind in FOLDERS for entry in session.catalog.entries(kind, database, schema)]
    folders = [folder for entry in entries for folder in storage.folders_of(entry.kind, entry.details)]
    session.catalog.drop_schema(database, schema)
    session.transaction.after_commit(lambda: storage.remove(folders))


# ---------------------------------------------------------------------------- tables


def object_name(session: Session, table: Expr) -> ObjectName:
    """The folded, resolved name of a parsed table reference."""
    assert isinstance(table, exp.Table)
    if isinstance(table.this, (exp.Anonymous, exp.DynamicIdentifier)):  # IDENTIFIER('…')
        inner = table.this.expressions[0] if isinstance(table.this, exp.Anonymous) else table.this.this
        return session.resolve(names.split(inner.name))
    return session.resolve([fold(part.sql(dialect="snowflake")) for part in table.parts])


def drop_relation(session: Session, name: ObjectName) -> None:
    """Remove the permanent table or view of this name, if there is one, with what is noted about it."""
    if kind := session.relation_kind(name):
        session.fetch(f"DROP {kind} {name.duckdb}")
        session.catalog.forget_columns(name)
        session.catalog.clear_tags(name, "TABLE")
        session.catalog.forget_loaded_files(name)
        for described in ("VIEW", DYNAMIC, *OF_TABLES):
            session.catalog.remove(described, name)


def refuse_other_kind(session: Session, name: ObjectName, kind: str) -> None:
    """OR REPLACE replaces an object by one of its own kind."""
    there = DYNAMIC if session.catalog.get(DYNAMIC, name) else session.relation_kind(name)
    if there not in (None, kind):
        there = str(there).replace(" ", "_")
        raise SnowflakeError(f"{COMPILATION}Object '{display(name.name)}' already exists as {there}", 1998, "42710")


def drop_temporary(session: Session, name: ObjectName) -> None:
    physical = session.temporary_tables.pop(name)
    kind = "VIEW" if session.is_temporary_view(physical) else "TABLE"
    session.fetch(f"DROP {kind} temp.main.{quote(physical)}")
    session.catalog.forget_columns(name, temporary=True)
    for described in OF_TABLES:
        session.catalog.forget_temporary(described, name)
    session.loaded_files.pop(name, None)


@statement("DROP TABLE", effect=Effect.DEFINE)
def drop_table(session: Session, head: Statement) -> Result:
    return drop(session, head, "Table", _remove)


def _remove(session: Session, name: ObjectName) -> bool:
    if name in session.temporary_tables:
        drop_temporary(session, name)
        return True
    if session.relation_kind(name) != "TABLE":
        return False
    drop_relation(session, name)
    return True


@statement("ALTER TABLE", effect=Effect.DEFINE)
def alter_table(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    quietly = head.if_exists()
    name = session.resolve(scanner.name())
    if not session.table_exists(name):
        if quietly:
            return results.done()
        raise does_not_exist("Table", str(name))
    if scanner.accept("RENAME", "TO"):
        rename(session, name, renamed(session, scanner, name))
    elif scanner.accept("SWAP", "WITH"):
        _swap(session, name, renamed(session, scanner, name))
    elif scanner.accept("CLUSTER", "BY"):
        _cluster(session, name, scanner.parenthesised())
    elif scanner.accept("DROP", "CLUSTERING", "KEY"):
        _cluster(session, name, "")
    elif scanner.accept("SET", "TAG"):
        set_tags(session, name, "TABLE", scanner)
    elif scanner.accept("UNSET", "TAG"):
        unset_tags(session, name, "TABLE", scanner)
    elif scanner.accept("UNSET", "COMMENT"):
        session.fetch(f"COMMENT ON TABLE {session.physical(name)} IS NULL")
    elif scanner.accept("SET"):
        options = scanner.options({"COMMENT": str, "DATA_RETENTION_TIME_IN_DAYS": int, "CHANGE_TRACKING": bool})
        if "COMMENT" in options:
            session.fetch(f"COMMENT ON TABLE {session.physical(name)} IS {literal(options['COMMENT'])}")
    elif not _comment_on_columns(session, name, scanner) and not _drop_key(session, name, scanner):
        _alter_columns(session, name, scanner)
    scanner.end()
    return results.done()


def _cluster(session: Session, name: ObjectName, columns: str) -> None:
    """A clustering key is kept to be shown: the engine reads a table the same with one."""
    session.catalog.put(
        session.catalog.new(CLUSTERING, name, columns=columns), temporary=name in session.temporary_tables
    )


def renamed(session: Session, scanner: Scanner, old: ObjectName) -> ObjectName:
    """The new name that comes next; a bare one stays in the schema of the old."""
    parts = scanner.name()
    return session.resolve(parts if len(parts) > 1 else [old.database, old.schema, *parts])


def rename(session: Session, old: ObjectName, new: ObjectName) -> None:
    """A table or view under another name, with all that is noted about it."""
    if session.table_exists(new):
        raise already_exists(new.name)
    twins.refuse_relation(session, new, temporary=old in session.temporary_tables, renamed_from=old)
    if old in session.temporary_tables:
        physical = session.temporary_tables.pop(old)
        kind = "VIEW" if session.is_temporary_view(physical) else "TABLE"
        session.fetch(f"ALTER {kind} temp.main.{quote(physical)} RENAME TO {quote('.'.join(new))}")
        session.temporary_tables[new] = ".".join(new)
        session.catalog.rename_temporary_table(old, new)
        return
    if old[:2] != new[:2]:
        raise unsupported("renaming a table into another schema")
    session.fetch(f"ALTER {session.relation_kind(old)} {old.duckdb} RENAME TO {quote(new.name)}")
    session.catalog.rename_table(old, new)


def _alter_columns(session: Session, name: ObjectName, scanner: Scanner) -> None:
    """ADD, DROP, RENAME and ALTER COLUMN, which DuckDB has itself, and keys, which it has not."""
    text = scanner.rest()
    tree = parsing.parse(f"ALTER TABLE X {text}")
    if not isinstance(tree, exp.Alter):
        raise unsupported(f"this ALTER TABLE: {scanner.text[:120]}")
    for action in tree.args["actions"]:
        if isinstance(action, exp.AddConstraint):
            keys.add(session, name, action.expressions)
        else:
            _alter_column(session, name, action)


def _alter_column(session: Session, name: ObjectName, action: Expr) -> None:
    folded = rewrites.apply(rewrites.fold_names(action), session)
    text = folded.sql(dialect="duckdb")
    verb = "" if text.upper().startswith(("ADD", "DROP", "RENAME", "ALTER")) else "ADD COLUMN "
    session.fetch(f"ALTER TABLE {session.physical(name)} {verb}{text}")


def _comment_on_columns(session: Session, name: ObjectName, scanner: Scanner) -> bool:
    """ALTER | MODIFY [COLUMN] a COMMENT '…', b COMMENT '…'; False, and nothing passed, where it is something else."""
    start = scanner.at
    if not (scanner.accept("ALTER") or scanner.accept("MODIFY")):
        return False
    while True:
        scanner.accept("COLUMN")
        column = scanner.identifier()
        if not scanner.accept("COMMENT"):
            scanner.at = start
            return False
        _comment_on_column(session, name, column, scanner.string())
        if not scanner.accept(","):
            return True


def _drop_key(session: Session, name: ObjectName, scanner: Scanner) -> bool:
    """ALTER TABLE … DROP PRIMARY KEY, UNIQUE (…), FOREIGN KEY (…) or CONSTRAINT; False where it drops none."""
    for kind in (keys.PRIMARY, keys.UNIQUE, keys.FOREIGN):
        if scanner.accept("DROP", *kind.split()):
            columns = [fold(c.strip()) for c in scanner.parenthesised().split(",")] if scanner.peek() == "(" else None
            keys.drop(session, name, kind, columns=columns)
            break
    else:
        if not scanner.accept("DROP", "CONSTRAINT"):
            return False
        keys.drop(session, name, "", scanner.identifier())
    scanner.accept("CASCADE") or scanner.accept("RESTRICT")
    return True


def _swap(session: Session, one: ObjectName, other: ObjectName) -> None:
    """Each table gets the other's name, with all that is noted about it."""
    if not session.table_exists(other):
        raise does_not_exist("Table", str(other))
    if one[:2] != other[:2] or {one, other} & set(session.temporary_tables):
        raise unsupported("swapping a temporary table, or tables of two schemas")
    aside = one._replace(name=f"_swap {one.name}")
    for old, new in ((one, aside), (other, one), (aside, other)):
        rename(session, old, new)


# ---------------------------------------------------------------------------- comments


@statement("COMMENT ON TABLE", "COMMENT ON VIEW", effect=Effect.DEFINE)
def comment_on_table(session: Session, head: Statement) -> Result:
    name = session.resolve(head.scanner.name())
    head.scanner.expect("IS")
    comment = head.scanner.string()
    head.scanner.end()
    if not session.table_exists(name):
        raise does_not_exist("Object", str(name))
    temporary = session.temporary_tables.get(name)
    is_view = session.is_temporary_view(temporary) if temporary else session.relation_kind(name) == "VIEW"
    session.fetch(f"COMMENT ON {'VIEW' if is_view else 'TABLE'} {session.physical(name)} IS {literal(comment)}")
    return results.done()


@statement("COMMENT ON COLUMN", effect=Effect.DEFINE)
def comment_on_column(session: Session, head: Statement) -> Result:
    *table, column = head.scanner.name()
    head.scanner.expect("IS")
    comment = head.scanner.string()
    head.scanner.end()
    _comment_on_column(session, session.resolve(table), column, comment)
    return results.done()


def _comment_on_column(session: Session, table: ObjectName, column: str, comment: str) -> None:
    session.fetch(f"COMMENT ON COLUMN {session.physical(table)}.{quote(column)} IS {literal(comment)}")
