"""Views and dynamic tables: a stored query with described, tagged columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlglot import Expr, exp

from intentscore.local import computed_views, refreshes, results, sql, types
from intentscore.local.catalog import OWNER
from intentscore.local.columns import NOT_NULL
from intentscore.local.errors import already_exists, does_not_exist, invalid
from intentscore.local.names import ObjectName, display, literal, quote
from intentscore.local.results import Result
from intentscore.local.scanner import Scanner
from intentscore.local.shapes import Field
from intentscore.local.show import linear, read_listing
from intentscore.local.statements import Effect, Statement, statement
from intentscore.local.tables import drop_relation, drop_temporary
from intentscore.local.tags import read_tag_values, set_tags, unset_tags
from intentscore.local.types import ColumnType

if TYPE_CHECKING:
    from intentscore.local.session import Session

VIEW = "VIEW"
DYNAMIC = "DYNAMIC TABLE"
OPTIONS: dict[str, type] = dict.fromkeys(
    (
        "COMMENT",
        "TARGET_LAG",
        "WAREHOUSE",
        "REFRESH_MODE",
        "INITIALIZE",
        "CHANGE_TRACKING",
        "DATA_RETENTION_TIME_IN_DAYS",
        "INITIALIZATION_WAREHOUSE",
        "SCHEDULER",
    ),
    str,
)


ALTERABLE = ("TARGET_LAG", "WAREHOUSE", "COMMENT", "INITIALIZATION_WAREHOUSE")


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


def _comment(session: Session, kind: str, name: ObjectName, definition: Definition) -> None:
    if comment := definition.options.get("COMMENT"):
        session.fetch(f"COMMENT ON {kind} {name.duckdb} IS {literal(comment)}")
    for column, text in definition.columns:
        if text:
            session.fetch(f"COMMENT ON COLUMN {name.duckdb}.{quote(column)} IS {literal(text)}")


def _replace_or_refuse(session: Session, name: ObjectName, *, or_replace: bool, quietly: bool) -> bool:
    """True when the object is there and stays; otherwise the name is free now."""
    if session.relation_kind(name) is None:
        return False
    if quietly:
        return True
    if not or_replace:
        raise already_exists(display(name.name))
    drop_relation(session, name)
    return False


# ---------------------------------------------------------------------------- views


@statement("CREATE VIEW", effect=Effect.DEFINE)
def create_view(session: Session, head: Statement) -> Result:
    quietly = head.if_not_exists()
    name = session.existing_schema(session.resolve(head.scanner.name()))
    definition = read_definition(session, head.scanner)
    with sql.Preparation(session, describe_only=True) as preparation:
        parsed = sql.parse(definition.query, head.scanner.bindings)
        rewritten = preparation.rewrite(parsed.copy())
        query = sql.generate(rewritten)
        known = _known_columns(session, preparation, query, definition)
        columns = list(known)
        is_computed = computed_views.is_computed(parsed, preparation)
        details = computed_views.details(session, definition.query, columns) if is_computed else {}
        if is_computed:
            query = computed_views.placeholder(session, query, columns)
        named = f" ({', '.join(quote(column) for column in known)})"
        if head.temporary:
            if name in session.temporary_tables and not head.or_replace:
                if quietly:
                    return results.done(f"{name.name} already exists, statement succeeded.")
                raise already_exists(display(name.name))
            session.catalog.put(session.catalog.new(VIEW, name, text=head.scanner.text, **details), temporary=True)
            session.fetch(f"CREATE OR REPLACE TEMP VIEW {quote('.'.join(name))}{named} AS {query}")
            session.temporary_tables[name] = ".".join(name)
            session.catalog.declare_columns(name, _declared(known), temporary=True)
            return results.done(f"View {name.name} successfully created.")
        if _replace_or_refuse(session, name, or_replace=head.or_replace, quietly=quietly):
            return results.done(f"{name.name} already exists, statement succeeded.")
        stored = query if is_computed else sql.generate(_within(name.database, rewritten))
        session.fetch(f"CREATE VIEW {name.duckdb}{named} AS {stored}")
    session.catalog.declare_columns(name, _declared(known))
    _comment(session, VIEW, name, definition)
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


def _known_columns(
    session: Session, preparation: sql.Preparation, query: str, definition: Definition
) -> dict[str, ColumnType]:
    """The columns a view will have, with their types."""
    relation = session.duck.sql(query)
    shape = preparation.shape
    if shape is None or len(shape) != len(relation.columns):
        shape = [Field(column) for column in relation.columns]
    if definition.columns and len(definition.columns) != len(shape):
        raise invalid("Invalid column definition list")
    names = [column for column, _ in definition.columns] or [field.name for field in shape]
    return {
        column: types.refined(types.from_duckdb(str(kind)), field.type, nullable=field.nullable)
        for column, field, kind in zip(names, shape, relation.types, strict=True)
    }


def _declared(known: dict[str, ColumnType]) -> dict[str, str]:
    return {name: kind.declared + ("" if kind.nullable else NOT_NULL) for name, kind in known.items()}


@statement("DROP VIEW", effect=Effect.DEFINE)
def drop_view(session: Session, head: Statement) -> Result:
    return _drop(session, head, VIEW)


@statement("ALTER VIEW", effect=Effect.DEFINE)
def alter_view(session: Session, head: Statement) -> Result:
    head.if_exists()
    name = session.resolve(head.scanner.name())
    if session.relation_kind(name) != VIEW:
        raise does_not_exist("View", str(name))
    _alter(session, head.scanner, name, VIEW)
    return results.done()


def _alter(session: Session, scanner: Scanner, name: ObjectName, kind: str) -> None:
    """What views and dynamic tables share: tags, comments, and the comments of columns."""
    duckdb_kind = "VIEW" if kind == VIEW else "TABLE"
    if scanner.accept("SET", "TAG"):
        set_tags(session, name, "TABLE", scanner)
    elif scanner.accept("UNSET", "TAG"):
        unset_tags(session, name, "TABLE", scanner)
    elif scanner.accept("SET", "COMMENT", "="):
        session.fetch(f"COMMENT ON {duckdb_kind} {name.duckdb} IS {literal(scanner.string())}")
    elif scanner.accept("MODIFY") or scanner.accept("ALTER"):
        scanner.accept("COLUMN")
        column = scanner.identifier()
        scanner.expect("COMMENT")
        session.fetch(f"COMMENT ON COLUMN {name.duckdb}.{quote(column)} IS {literal(scanner.string())}")
    scanner.end()


def _drop(session: Session, head: Statement, kind: str) -> Result:
    quietly = head.if_exists()
    name = session.resolve(head.scanner.name())
    head.scanner.accept("CASCADE") or head.scanner.accept("RESTRICT")
    head.scanner.end()
    if kind == VIEW and name in session.temporary_tables:
        drop_temporary(session, name)
        session.catalog.remove(VIEW, name)
    elif session.relation_kind(name) == "VIEW" if kind == VIEW else session.catalog.get(DYNAMIC, name):
        drop_relation(session, name)
    elif quietly:
        return results.already_dropped(name.name)
    else:
        raise does_not_exist(kind.title(), str(name))
    return results.done(f"{name.name} successfully dropped.")


# ---------------------------------------------------------------------------- dynamic tables


@statement("CREATE DYNAMIC TABLE", effect=Effect.DEFINE)
def create_dynamic_table(session: Session, head: Statement) -> Result:
    quietly = head.if_not_exists()
    name = session.existing_schema(session.resolve(head.scanner.name()))
    definition = read_definition(session, head.scanner)
    if "TARGET_LAG" not in definition.options:
        raise invalid("missing option TARGET_LAG of a dynamic table")
    if _replace_or_refuse(session, name, or_replace=head.or_replace, quietly=quietly):
        return results.done(f"{name.name} already exists, statement succeeded.")
    entry = session.catalog.new(
        DYNAMIC, name, definition.options.get("COMMENT", ""), text=head.scanner.text, query=definition.query,
        columns=[column for column, _ in definition.columns], target_lag=definition.options["TARGET_LAG"],
        warehouse=definition.options.get("WAREHOUSE", session.warehouse), state="ACTIVE",
        initialization_warehouse=definition.options.get("INITIALIZATION_WAREHOUSE"),
        refresh_mode=_refresh_mode(definition), cluster_by=definition.cluster_by,
        context=[session.database, session.schema], refreshed=None,
    )  # fmt: skip
    if str(definition.options.get("INITIALIZE", "ON_CREATE")).upper() == "ON_CREATE":
        _fill(session, entry)
    else:
        _fill(session, entry, limit=0)
    _comment(session, "TABLE", name, definition)
    for tag, value in definition.tags:
        session.catalog.set_tag(name, "TABLE", tag, value)
    session.catalog.put(entry)
    return results.done(f"Dynamic table {name.name} successfully created.")


_ONLY_FULL = (
    exp.Limit, exp.Order, exp.Except, exp.Intersect, exp.Pivot, exp.TableSample, exp.Rand, exp.CurrentTimestamp,
    exp.CurrentDate, exp.Uuid,
)  # fmt: skip


def _refresh_mode(definition: Definition) -> str:
    """AUTO is INCREMENTAL where Snowflake can refresh the query from its changes alone.

    The engine computes the table anew either way; the mode is what clients are told. Source:
    https://docs.snowflake.com/en/user-guide/dynamic-tables-supported-queries
    """
    asked = str(definition.options.get("REFRESH_MODE", "AUTO")).upper()
    if asked != "AUTO":
        return asked
    query = sql.parse(definition.query)
    ordering_rows = [node for node in query.find_all(*_ONLY_FULL) if not node.find_ancestor(exp.Window)]
    return "FULL" if ordering_rows else "INCREMENTAL"


def _fill(session: Session, entry: Any, *, limit: int | None = None) -> None:
    """Compute the table anew from its query, whose names are looked up where the table was created."""
    started = datetime.now(UTC)
    with session.standing_in(*entry.details["context"]), sql.Preparation(session) as preparation:
        query = preparation.to_duckdb(sql.parse(entry.details["query"]))
        if limit is not None:
            query = f"SELECT * FROM ({query}) LIMIT {limit}"
        named = entry.details["columns"]
        columns = f" ({', '.join(quote(c) for c in named)})" if named else ""
        source = f"SELECT * FROM ({query}) AS _source{columns}"
        if session.relation_kind(entry.name) is None:
            session.fetch(f"CREATE TABLE {entry.name.duckdb} AS {source}")
        else:
            session.fetch(f"DELETE FROM {entry.name.duckdb}")
            session.fetch(f"INSERT INTO {entry.name.duckdb} {source}")
    if limit is None:
        entry.details["refreshed"] = datetime.now(UTC).isoformat()
        refreshes.note(session, entry, started)


def _dynamic_table(session: Session, scanner: Scanner, *, quietly: bool) -> Any:
    name = session.resolve(scanner.name())
    entry = session.catalog.get(DYNAMIC, name)
    if entry is None and not quietly:
        raise does_not_exist("Dynamic Table", str(name))
    return entry


@statement("ALTER DYNAMIC TABLE", effect=Effect.DEFINE)
def alter_dynamic_table(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    entry = _dynamic_table(session, scanner, quietly=head.if_exists())
    if entry is None:
        return results.done()
    if scanner.accept("REFRESH"):
        return refresh(session, entry)
    if scanner.accept("SUSPEND"):
        entry.details["state"] = "SUSPENDED"
    elif scanner.accept("RESUME"):
        entry.details["state"] = "ACTIVE"
    elif scanner.peek() == "SET" and scanner.peek(1) in ALTERABLE:
        scanner.word()
        options = scanner.options(dict.fromkeys(ALTERABLE, str))
        if (comment := options.pop("COMMENT", None)) is not None:
            entry.comment = str(comment)
            session.fetch(f"COMMENT ON TABLE {entry.name.duckdb} IS {literal(entry.comment)}")
        entry.details |= {key.lower(): value for key, value in options.items()}
    elif scanner.accept("UNSET", "INITIALIZATION_WAREHOUSE"):
        entry.details["initialization_warehouse"] = None
    else:
        _alter(session, scanner, entry.name, DYNAMIC)
    scanner.end()
    session.catalog.put(entry)
    return results.done()


def refresh(session: Session, entry: Any) -> Result:
    before = session.fetch(f"SELECT count(*) FROM {entry.name.duckdb}")[0][0]
    _fill(session, entry)
    session.catalog.put(entry)
    after = session.fetch(f"SELECT count(*) FROM {entry.name.duckdb}")[0][0]
    columns = {"data_timestamp": types.TEXT, "statistics": types.TEXT}
    statistics = f'{{"insertedRows":{after},"deletedRows":{before}}}'
    return results.rows(columns, [[entry.details["refreshed"], statistics]])


@statement("DROP DYNAMIC TABLE", effect=Effect.DEFINE)
def drop_dynamic_table(session: Session, head: Statement) -> Result:
    return _drop(session, head, DYNAMIC)


@statement("SHOW DYNAMIC TABLES")
def show_dynamic_tables(session: Session, head: Statement) -> Result:
    listing = read_listing(session, head.scanner)
    columns = {
        "created_on": types.TIMESTAMP_LTZ,
        **dict.fromkeys(
            ("name", "database_name", "schema_name", "cluster_by", "owner", "target_lag", "refresh_mode",
             "refresh_mode_reason", "warehouse", "initialization_warehouse", "comment", "text", "automatic_clustering",
             "scheduling_state", "last_suspended_on", "is_clone", "is_replica", "is_iceberg", "data_timestamp",
             "owner_role_type"), types.TEXT),
        "rows": types.NUMBER, "bytes": types.NUMBER,
    }  # fmt: skip
    rows = []
    for entry in listing.entries(session, DYNAMIC):
        d = entry.details
        size = session.fetch(f"SELECT count(*) FROM {entry.name.duckdb}")[0][0]
        rows.append([
            entry.created_on, entry.name.name, entry.name.database, entry.name.schema, linear(d["cluster_by"]), OWNER,
            d["target_lag"], d["refresh_mode"], None, d["warehouse"], d.get("initialization_warehouse"), entry.comment,
            d["text"], "OFF", d["state"], None, "false", "false", "false", d["refreshed"], "ROLE", size, 0,
        ])  # fmt: skip
    return results.rows(columns, rows)
