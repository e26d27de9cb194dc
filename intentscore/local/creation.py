"""CREATE TABLE: from columns, AS a query, CLONE and LIKE."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from intentscore.local import keys, parsing, results, rewrites, spelling, sql, twins, types
from intentscore.local.catalog import CLUSTERING, TABLE
from intentscore.local.columns import TableColumn, table_columns
from intentscore.local.errors import (
    SnowflakeError,
    already_exists,
    does_not_exist,
    duplicate_column,
    invalid,
    unsupported,
)
from intentscore.local.keys import Key
from intentscore.local.names import ObjectName, display, fold, literal, quote
from intentscore.local.results import Result
from intentscore.local.rewrites.conversions import ZONED, zoned_default
from intentscore.local.rewrites.macros import SCHEMA
from intentscore.local.scanner import Scanner
from intentscore.local.shapes import Field
from intentscore.local.statements import Effect, Statement, statement
from intentscore.local.tables import drop_relation, drop_temporary, object_name, refuse_other_kind

if TYPE_CHECKING:
    from intentscore.local.session import Session

KEYS = (
    exp.PrimaryKeyColumnConstraint, exp.UniqueColumnConstraint, exp.PrimaryKey, exp.UniqueColumnConstraint,
    exp.ForeignKey, exp.Reference, exp.Constraint,
)  # fmt: skip
COUNTED = (exp.AutoIncrementColumnConstraint, exp.GeneratedAsIdentityColumnConstraint)


@dataclass
class Column:
    """A column of a CREATE TABLE: what DuckDB keeps of it, and what the catalog must."""

    name: str
    declared: str | None = None
    type: str | None = None
    not_null: bool = False
    default: str | None = None
    comment: str | None = None
    counts_from: tuple[int, int] | None = None
    """Start and step of an AUTOINCREMENT column."""
    held: str = ""
    """DuckDB's name for the column, where that is another one."""

    @property
    def ddl(self) -> str:
        if self.type is None:
            raise invalid(f"Missing data type of column {self.name}")
        null = " NOT NULL" if self.not_null else ""
        return f"{quote(self.held or self.name)} {self.type}{null}{f' DEFAULT {self.default}' if self.default else ''}"


@dataclass
class Plan:
    """A table about to be made: its columns and, where it starts with rows, the query of DuckDB that gives them."""

    columns: list[Column]
    query: str | None = None
    comment: str | None = None
    keys: list[Key] = field(default_factory=list)
    transient: bool = False
    cluster_by: str = ""


@statement("CREATE TABLE", effect=Effect.DEFINE)
def create_table(session: Session, head: Statement) -> Result:
    tree = parsing.parse(head.scanner.text, head.scanner.bindings)
    if not isinstance(tree, exp.Create):
        raise unsupported(f"this form of CREATE TABLE: {head.scanner.text[:120]}")
    schema = tree.this if isinstance(tree.this, exp.Schema) else None
    name = session.existing_schema(object_name(session, schema.this if schema else tree.this))
    if _exists_already(session, name, tree, head):
        return results.done(f"{name.name} already exists, statement succeeded.")
    twins.refuse_relation(session, name, temporary=head.temporary)
    with sql.Preparation(session) as preparation:
        plan = _plan(session, preparation, tree, schema, head.scanner.text)
        plan.keys += keys.declared(session, name, schema.expressions if schema else [])
        _require_values(plan)
        plan.transient = "TRANSIENT" in head.modifiers
        if head.temporary:
            _create_temporary(session, name, plan)
        else:
            _create_permanent(session, name, plan)
    return results.done(f"Table {name.name} successfully created.")


def _require_values(plan: Plan) -> None:
    """The columns of a primary key are NOT NULL: of a key, that is all that is enforced."""
    required = {name for key in plan.keys if key.kind == keys.PRIMARY for name in key.columns}
    for column in plan.columns:
        column.not_null = column.not_null or column.name in required


def _exists_already(session: Session, name: ObjectName, tree: exp.Create, head: Statement) -> bool:
    if head.or_replace:
        if not head.temporary:
            refuse_other_kind(session, name, TABLE)
        return False
    there = name in session.temporary_tables if head.temporary else session.relation_kind(name) is not None
    if there and not tree.args.get("exists"):
        table = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
        raise already_exists(str(name) if table.args.get("db") else display(name.name))
    return there


# ---------------------------------------------------------------------------- reading


def _plan(
    session: Session, preparation: sql.Preparation, tree: exp.Create, schema: exp.Schema | None, text: str
) -> Plan:
    plan = _described(session, preparation, tree, schema)
    for found in tree.find_all(exp.SchemaCommentProperty):
        plan.comment = found.this.name
    if tree.find(exp.ClusterProperty):
        plan.cluster_by = _clustering(Scanner(text))
    return plan


def _clustering(scanner: Scanner) -> str:
    """The clustering key as it was written."""
    while not scanner.accept("CLUSTER", "BY"):
        scanner.at += 1
    scanner.accept("LINEAR")
    return scanner.parenthesised()


def _described(session: Session, preparation: sql.Preparation, tree: exp.Create, schema: exp.Schema | None) -> Plan:
    if clone := tree.args.get("clone"):
        return _copied(session, object_name(session, clone.this), with_rows=not clone.args.get("shallow"))
    if like := tree.find(exp.LikeProperty):
        return _copied(session, object_name(session, like.this), with_rows=False)
    columns = [_column(session, c) for c in schema.expressions if isinstance(c, exp.ColumnDef)] if schema else []
    if schema and not columns:
        columns = [Column(fold(c.sql(dialect="snowflake"))) for c in schema.expressions]
    if tree.expression is None:
        return Plan(columns)
    prepared = preparation.to_duckdb(tree.expression)
    given = session.duck.sql(prepared)
    if not columns:
        fields = preparation.shape if preparation.shape and len(preparation.shape) == len(given.columns) else None
        fields = fields or [Field(name) for name in given.columns]
        columns = [Column(field.name) for field in fields]
        for column, field, kind in zip(columns, fields, given.types, strict=True):
            held = types.from_duckdb(str(kind))
            column.type, column.declared = str(kind), types.refined(held, field.type, nullable=True).declared
    if len(given.columns) != len(columns):
        raise SnowflakeError("SQL compilation error:\nInvalid column definition list", 2026, "42601")
    for column, kind in zip(columns, given.types, strict=True):
        column.type = column.type or str(kind)
    positions = [f"_{i}" for i in range(len(columns))]
    cells = [
        f"{_as_held(place, str(kind), str(c.type))} AS {quote(place)}"
        for c, place, kind in zip(columns, positions, given.types, strict=True)
    ]
    return Plan(columns, f"SELECT {', '.join(cells)} FROM ({prepared}) AS _source({', '.join(positions)})")


def _as_held(value: str, given: str, wanted: str) -> str:
    """A value as DuckDB holds a column; a TIMESTAMP_TZ is read and written by the engine's own conversions."""
    if given != wanted and ZONED in (given, wanted):
        converting = {ZONED: "timestamp_tz", "TIMESTAMP": "timestamp", "TIMESTAMP WITH TIME ZONE": "timestamp_ltz",
                      "DATE": "date", "TIME": "time"}.get(wanted, "varchar")  # fmt: skip
        value = f"{SCHEMA}sf_to_{converting}({value})"
    return f"CAST({value} AS {wanted})"


def _copied(session: Session, source: ObjectName, *, with_rows: bool) -> Plan:
    if not session.table_exists(source):
        raise does_not_exist("Table", str(source))
    columns = [_copied_column(session, source, c) for c in table_columns(session, source)]
    rows = f"FROM {session.physical(source)}" if with_rows else None
    return Plan(columns, rows, keys=keys.of_table(session, source))


def _copied_column(session: Session, source: ObjectName, given: TableColumn) -> Column:
    return Column(given.name, given.type.declared, given.held, not given.nullable, given.default, given.comment)


def _column(session: Session, definition: exp.ColumnDef) -> Column:
    column = Column(fold(definition.this.sql(dialect="snowflake")))
    if (kind := definition.args.get("kind")) is not None:
        column.declared = kind.sql(dialect="snowflake").upper()
        column.type = rewrites.apply(kind.copy(), session).sql(dialect="duckdb")
    for constraint in definition.args.get("constraints") or []:
        _constrain(session, column, constraint.kind)
    return column


def _constrain(session: Session, column: Column, constraint: Any) -> None:
    match constraint:
        case exp.NotNullColumnConstraint():
            column.not_null = not constraint.args.get("allow_null")
        case exp.DefaultColumnConstraint():
            column.default = _default(session, constraint.this, column)
        case exp.CommentColumnConstraint():
            column.comment = constraint.this.name
        case exp.CollateColumnConstraint():
            raise unsupported("COLLATE")
        case _ if isinstance(constraint, COUNTED):
            start, step = (constraint.args.get(key) for key in ("start", "increment"))
            column.counts_from = (start.to_py() if start else 1, step.to_py() if step else 1)
        case _ if isinstance(constraint, KEYS):
            pass  # kept in `keys`
        case _:
            raise unsupported(f"the column constraint {constraint.sql(dialect='snowflake')}")


def _default(session: Session, value: exp.Expr, column: Column) -> str:
    with sql.Preparation(session) as preparation:
        tree = preparation.rewrite(exp.select(exp.alias_(value.copy(), "VALUE")))
        given = sql.generate(tree.expressions[0].this)
    return zoned_default(session, given) if column.type == ZONED else given


# ---------------------------------------------------------------------------- making


def _create_temporary(session: Session, name: ObjectName, plan: Plan) -> None:
    physical = ".".join(name)
    fresh = f"_new {physical}"
    _create(session, name, "temp.main", fresh, plan, "TEMP ")
    if name in session.temporary_tables:
        drop_temporary(session, name)
    session.fetch(f"ALTER TABLE temp.main.{quote(fresh)} RENAME TO {quote(physical)}")
    session.temporary_tables[name] = physical
    _describe(session, name, f"temp.main.{quote(physical)}", plan, temporary=True)


def _create_permanent(session: Session, name: ObjectName, plan: Plan) -> None:
    """By another name first: the query may read the table it replaces."""
    place, fresh = f"{quote(name.database)}.{quote(name.schema)}", f"_new {name.name}"
    _create(session, name, place, fresh, plan)
    drop_relation(session, name)
    session.fetch(f"ALTER TABLE {place}.{quote(fresh)} RENAME TO {quote(name.name)}")
    _describe(session, name, name.duckdb, plan, temporary=False)


def _create(session: Session, name: ObjectName, place: str, fresh: str, plan: Plan, temp: str = "") -> None:
    _hold_twins(plan.columns)
    for column in plan.columns:
        if column.counts_from:
            column.default = _sequence(session, name, place, column.counts_from, temp)
    session.fetch(f"CREATE {temp}TABLE {place}.{quote(fresh)} ({', '.join(column.ddl for column in plan.columns)})")
    if plan.query:
        session.fetch(f"INSERT INTO {place}.{quote(fresh)} {plan.query}")


def _hold_twins(columns: list[Column]) -> None:
    """Names that differ in letter case only are two to Snowflake and one to DuckDB."""
    names = [column.name for column in columns]
    if twice := [name for name in names if names.count(name) > 1]:
        raise duplicate_column(twice[0])
    held = spelling.held(names)
    for column in columns:
        column.held = held.get(column.name, "")


def _sequence(session: Session, name: ObjectName, place: str, counts: tuple[int, int], temp: str) -> str:
    """The default of an AUTOINCREMENT column, from a sequence of its own."""
    start, step = counts
    sequence = f"{place}.{quote(f'_count {name.name} {secrets.token_hex(4)}')}"
    low = f" MINVALUE {min(start, -(2**62))}" if step < 0 else f" MINVALUE {min(start, 1)}"
    session.fetch(f"CREATE {temp}SEQUENCE {sequence} START {start} INCREMENT {step}{low}")
    return f"nextval({literal(sequence)})"


def _describe(session: Session, name: ObjectName, physical: str, plan: Plan, *, temporary: bool) -> None:
    declared = {c.name: c.declared for c in plan.columns if c.declared and _says_more(c)}
    keys.keep(session, name, plan.keys, temporary=temporary)
    session.catalog.declare_columns(name, declared, temporary=temporary)
    session.catalog.put(session.catalog.new(TABLE, name, transient=plan.transient), temporary=temporary)
    if plan.cluster_by:
        session.catalog.put(session.catalog.new(CLUSTERING, name, columns=plan.cluster_by), temporary=temporary)
    for column in plan.columns:
        if column.comment is not None:
            session.fetch(
                f"COMMENT ON COLUMN {physical}.{quote(column.held or column.name)} IS {literal(column.comment)}"
            )
    if plan.comment is not None:
        session.fetch(f"COMMENT ON TABLE {physical} IS {literal(plan.comment)}")


def _says_more(column: Column) -> bool:
    """Whether the declared type is not the one DuckDB's own type gives back."""
    return types.from_declared(column.declared or "") != types.from_duckdb(column.type or "")
