"""Views and dynamic tables: a stored query with described, tagged columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlglot import Expr, exp

from intentscore.local import computed_views, parsing, results, spelling, sql, twins, types
from intentscore.local.columns import NOT_NULL
from intentscore.local.dropping import drop
from intentscore.local.errors import already_exists, does_not_exist, duplicate_column, invalid
from intentscore.local.names import ObjectName, display, literal, quote
from intentscore.local.results import Result
from intentscore.local.scanner import Scanner
from intentscore.local.shapes import Field
from intentscore.local.statements import Effect, Statement, statement
from intentscore.local.tables import drop_relation, drop_temporary, refuse_other_kind, rename, renamed
from intentscore.local.tags import read_tag_values, set_tags, unset_tags
from intentscore.local.types import ColumnType

if TYPE_CHECKING:
    from intentscore.local.session import Session

VIEW = "VIEW"
OPTIONS = (
    "COMMENT", "TARGET_LAG", "WAREHOUSE", "REFRESH_MODE", "INITIALIZE", "CHANGE_TRACKING",
    "DATA_RETENTION_TIME_IN_DAYS", "MAX_DATA_EXTENSION_TIME_IN_DAYS", "INITIALIZATION_WAREHOUSE", "SCHEDULER",
)  # fmt: skip


@dataclass
class Definition:
    """What stands between the name and AS, and the query behind it."""

    columns: list[tuple[str, str | None]] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    tags: list[tuple[ObjectName, str]] = field(default_factory=list)
    cluster_by: str = ""
    query: str = ""


def read_definition(session: Session, scanner: Scanner) -> Definition:
    found = Definition()
    if scanner.peek() == "(":
        found.columns = _read_columns(session, scanner.parenthesised())
    while not scanner.accept("AS"):
        scanner.accept("WITH")
        if scanner.accept("TAG"):
            found.tags = read_tag_values(session, Scanner(scanner.parenthesised()))
        elif scanner.accept("CLUSTER", "BY"):
            found.cluster_by = scanner.parenthesised()
        elif scanner.accept("LAG", "="):  # as TARGET_LAG was called first
            found.options["TARGET_LAG"] = scanner.string()
        elif not scanner.accept("COPY", "GRANTS"):
            options = scanner.options(OPTIONS)
            if not options:
                raise scanner.unexpected("AS")
            found.options |= options
    found.query = scanner.rest()
    return found


def _read_columns(session: Session, text: str) -> list[tuple[str, str | None]]:
    scanner = Scanner(text)
    found = []
    while not scanner.done:
        name, comment = scanner.identifier(), None
        while not scanner.done and not scanner.accept(","):
            if scanner.accept("COMMENT"):
                comment = scanner.string()
            elif scanner.accept("TAG") or scanner.accept("WITH", "TAG"):
                scanner.parenthesised()
            else:
                raise scanner.unexpected("COMMENT")
        found.append((name, comment))
    return found


def describe(session: Session, kind: str, name: ObjectName, definition: Definition) -> None:
    if comment := definition.options.get("COMMENT"):
        session.fetch(f"COMMENT ON {kind} {name.duckdb} IS {literal(comment)}")
    for column, text in definition.columns:
        if text:
            session.fetch(f"COMMENT ON COLUMN {name.duckdb}.{quote(column)} IS {literal(text)}")


def stays(session: Session, name: ObjectName, kind: str, *, or_replace: bool, quietly: bool, written: str = "") -> bool:
    """True when the object is there and stays; otherwise the name is free now."""
    if session.relation_kind(name) is None:
        twins.refuse_relation(session, name)
        return False
    if quietly:
        return True
    if not or_replace:
        raise already_exists(written or display(name.name))
    refuse_other_kind(session, name, kind)
    drop_relation(session, name)
    return False


# ---------------------------------------------------------------------------- views


@statement("CREATE VIEW", effect=Effect.DEFINE)
def create_view(session: Session, head: Statement) -> Result:
    quietly = head.if_not_exists()
    parts = head.scanner.name()
    name = session.existing_schema(session.resolve(parts))
    written = str(name) if len(parts) > 1 else display(name.name)
    definition = read_definition(session, head.scanner)
    with sql.Preparation(session, describe_only=True) as preparation:
        if head.scanner.bindings:
            raise invalid("Bind variables not allowed in view and UDF definitions")
        parsed = parsing.parse(definition.query)
        rewritten = preparation.rewrite(parsed.copy())
        query = sql.generate(rewritten)
        known = known_columns(session, preparation, query, [column for column, _ in definition.columns])
        columns = list(known)
        is_computed = computed_views.is_computed(parsed, preparation)
        details = computed_views.details(session, definition.query, columns) if is_computed else {}
        if is_computed:
            query = computed_views.placeholder(session, query, columns)
        held = spelling.held(columns)
        named = f" ({', '.join(quote(held.get(column, column)) for column in columns)})"
        if head.temporary:
            if name in session.temporary_tables and not head.or_replace:
                if quietly:
                    return results.done(f"{name.name} already exists, statement succeeded.")
                raise already_exists(written)
            twins.refuse_relation(session, name, temporary=True)
            session.catalog.put(session.catalog.new(VIEW, name, text=head.scanner.text, **details), temporary=True)
            session.fetch(f"CREATE OR REPLACE TEMP VIEW {quote('.'.join(name))}{named} AS {query}")
            session.temporary_tables[name] = ".".join(name)
            session.catalog.declare_columns(name, declared(known), temporary=True)
            return results.done(f"View {name.name} successfully created.")
        if stays(session, name, VIEW, or_replace=head.or_replace, quietly=quietly, written=written):
            return results.done(f"{name.name} already exists, statement succeeded.")
        stored = query if is_computed else sql.generate(_within(name.database, rewritten))
        session.fetch(f"CREATE VIEW {name.duckdb}{named} AS {stored}")
    session.catalog.declare_columns(name, declared(known))
    describe(session, VIEW, name, definition)
    session.catalog.put(session.catalog.new(VIEW, name, text=head.scanner.text, **details))
    for tag, value in definition.tags:
        session.catalog.set_tag(name, "TABLE", tag, value)  # a view counts as a table here
    return results.done(f"View {name.name} successfully created.")


def _within(database: str, query: Expr) -> Expr:
    """Tables of a schema called like its database by schema and name: DuckDB stores a view's query without the
    database, and then takes the schema for it.
    """
    for table in query.find_all(exp.Table):
        if table.catalog == table.db == database:
            table.set("catalog", None)
    return query


def known_columns(
    session: Session, preparation: sql.Preparation, query: str, named: list[str]
) -> dict[str, ColumnType]:
    """The columns a view will have, with their types; `named` are the names it gives them."""
    relation = session.duck.sql(query)
    shape = preparation.shape
    if shape is None or len(shape) != len(relation.columns):
        shape = [Field(column) for column in relation.columns]
    if named and len(named) != len(shape):
        raise invalid("Invalid column definition list")
    names = named or [field.name for field in shape]
    if twice := [name for name in names if names.count(name) > 1]:
        raise duplicate_column(twice[0])
    return {
        column: types.refined(types.from_duckdb(str(kind)), field.type, nullable=field.nullable)
        for column, field, kind in zip(names, shape, relation.types, strict=True)
    }


def declared(known: dict[str, ColumnType]) -> dict[str, str]:
    return {name: kind.declared + ("" if kind.nullable else NOT_NULL) for name, kind in known.items()}


@statement("DROP VIEW", effect=Effect.DEFINE)
def drop_view(session: Session, head: Statement) -> Result:
    return drop(session, head, "View", _remove)


def _remove(session: Session, name: ObjectName) -> bool:
    if name in session.temporary_tables:
        drop_temporary(session, name)
        session.catalog.remove(VIEW, name)
        return True
    if session.relation_kind(name) != VIEW:
        return False
    drop_relation(session, name)
    return True


@statement("ALTER VIEW", effect=Effect.DEFINE)
def alter_view(session: Session, head: Statement) -> Result:
    quietly, scanner = head.if_exists(), head.scanner
    name = session.resolve(scanner.name())
    if session.relation_kind(name) != VIEW:
        if quietly:
            return results.done()
        raise does_not_exist("View", str(name))
    if scanner.accept("RENAME", "TO"):
        rename(session, name, renamed(session, scanner, name))
    alter(session, scanner, name, VIEW)
    return results.done()


def alter(session: Session, scanner: Scanner, name: ObjectName, kind: str) -> None:
    """What views and dynamic tables share: tags, comments, and the comments of columns."""
    duckdb_kind = "VIEW" if kind == VIEW else "TABLE"
    if scanner.accept("SET", "TAG"):
        set_tags(session, name, "TABLE", scanner)
    elif scanner.accept("UNSET", "TAG"):
        unset_tags(session, name, "TABLE", scanner)
    elif scanner.accept("SET", "COMMENT", "="):
        session.fetch(f"COMMENT ON {duckdb_kind} {name.duckdb} IS {literal(scanner.string())}")
    elif scanner.accept("UNSET", "COMMENT"):
        session.fetch(f"COMMENT ON {duckdb_kind} {name.duckdb} IS NULL")
    elif scanner.accept("MODIFY") or scanner.accept("ALTER"):
        scanner.accept("COLUMN")
        column = scanner.identifier()
        scanner.expect("COMMENT")
        session.fetch(f"COMMENT ON COLUMN {name.duckdb}.{quote(column)} IS {literal(scanner.string())}")
    scanner.end()
