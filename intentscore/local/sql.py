"""Queries and DML: Snowflake's SQL parsed, bound, rewritten and run on DuckDB."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
from fakesnow.statement_type import DELETE, INSERT, MERGE, SELECT, UPDATE
from sqlglot import Expr, exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError, UnsupportedError

from intentscore.local import (
    assigning,
    columns,
    context_functions,
    load_history,
    offsets,
    parsing,
    results,
    rewrites,
    shapes,
    sources,
    spelling,
    types,
    widening,
)  # fmt: skip
from intentscore.local.errors import (
    NumberTooWideError,
    duplicate_row,
    invalid_identifier,
    unsupported,
)
from intentscore.local.python_functions import python_function
from intentscore.local.results import Result
from intentscore.local.rewrites.macros import SCHEMA
from intentscore.local.scanner import Scanner
from intentscore.local.shapes import Field
from intentscore.local.statements import Effect, describe, read_head

if TYPE_CHECKING:
    from intentscore.local.session import Session

DUCKDB = Dialect.get_or_raise("duckdb")


class Preparation(contextlib.ExitStack):
    """Turns a parsed statement into DuckDB's SQL, and holds what the statement needs while it runs."""

    def __init__(self, session: Session, *, describe_only: bool = False) -> None:
        super().__init__()
        self.session = session
        self.describe_only = describe_only
        self.shape: list[Field] | None = None
        """What is known of the columns of the query last rewritten; None: only what DuckDB says."""
        self.unknown: list[str] = []
        """Column names that were found nowhere."""
        self._tables: dict[str, list[Field] | None] = {}
        self.holds_rows = False

    def rewrite(self, root: Expr) -> Expr:
        root = rewrites.name_columns(root)
        root = rewrites.one_kind_of_result(rewrites.fold_names(root))
        root = context_functions.evaluate(root, self.session)
        root = sources.resolve(root, self)
        queried = root.expression if isinstance(root, exp.Insert) else root
        if isinstance(queried, Expr):
            self.shape = shapes.fields(queried, self.table_fields, unknown=self.unknown)
        root = rewrites.order_using_columns(spelling.separate(root, self.table_fields, is_cte))
        return rewrites.apply(root, self.session)

    def table_fields(self, table: exp.Table) -> list[Field] | None:
        place = ".".join(part.sql() for part in table.parts)
        if place not in self._tables:
            self._tables[place] = columns.table_fields(self.session, table)
        return self._tables[place]

    def to_duckdb(self, root: Expr) -> str:
        return generate(self.rewrite(root))

    def register(self, table: pa.Table) -> str:
        self.holds_rows = True
        return self.enter_context(self.session.registered(table))

    def function(self, run: Callable[..., pa.Array], takes: list[str], gives: str, *, volatile: bool = False) -> str:
        """A Python function over Arrow columns, under a DuckDB name for as long as the statement lasts."""
        self.holds_rows = True
        return self.enter_context(python_function(self.session.duck, run, takes, gives, volatile=volatile))


def is_cte(table: exp.Table) -> bool:
    return not table.db and table.name in rewrites.visible_ctes(table)


def generate(root: Expr) -> str:
    try:
        return DUCKDB.generate(root)
    except (UnsupportedError, SqlglotError) as error:
        raise unsupported(str(error)) from None


def execute(session: Session, text: str, bindings: Sequence[Any], *, describe_only: bool) -> Result:
    expression = parsing.parse(text, bindings, describe_only=describe_only)
    if isinstance(expression, (exp.Query, exp.Values)):
        try:
            with session.effect(Effect.READ):
                return query(session, expression, describe_only=describe_only)
        except NumberTooWideError:
            with widening.wide_numbers(session), session.effect(Effect.READ):
                return query(session, parsing.parse(text, bindings))
    runner = _DML.get(type(expression))
    if runner is None:
        raise unsupported(f"the statement {describe(read_head(Scanner(text)))}: {text[:120]}")
    if describe_only:
        return _counts_to_come(session, expression)

    def write() -> Result:
        with session.effect(Effect.WRITE):
            return runner(session, parsing.parse(text, bindings))

    return widening.retried(session, expression, write)


def status_columns() -> Result:
    return results.rows({"status": types.TEXT}, [])


def _counts_to_come(session: Session, expression: Expr) -> Result:
    match expression:
        case exp.Insert():
            names = ["rows_inserted"]
        case exp.Update():
            names = ["rows_updated"] + ([] if _strict_updates(session) else ["multi_joined_rows_updated"])
        case exp.Delete():
            names = ["rows_deleted"]
        case exp.Merge():
            clauses = {_action(when) for when in expression.args["whens"].expressions}
            names = [name for action, name in _ACTIONS.items() if action in clauses]
        case _:
            return status_columns()
    return results.rows(results.counted_columns(*names), [])


def query(session: Session, expression: Expr, *, describe_only: bool = False) -> Result:
    with Preparation(session, describe_only=describe_only) as preparation:
        prepared, described = _described(preparation, preparation.rewrite(expression))
        names = [row[0] for row in described]
        held = [types.from_duckdb(row[1]) for row in described]
        if describe_only:
            table = pa.Table.from_arrays([pa.nulls(0)] * len(names), names=names)
        else:
            table = session.duck.sql(_as_sent(prepared, held)).to_arrow_table()
            if not offsets.are_held(table):
                raise unsupported("an interval as a value of its own")
        names = [spelling.plain(name) for name in names]
        if (shape := preparation.shape) is not None and len(shape) == len(held):
            found = zip(held, shape, table.columns, strict=True)
            held = [_refined(kind, known, column) for kind, known, column in found]
            names = [field.name for field in shape]
        return Result(table.rename_columns(names), held, SELECT)


def _refined(held: types.ColumnType, known: Field, column: pa.ChunkedArray) -> types.ColumnType:
    kind = types.refined(held, known.type, nullable=known.nullable)
    return results.narrowed(kind, column) if known.stored else kind


def _described(preparation: Preparation, root: Expr) -> tuple[str, list[tuple[Any, ...]]]:
    """The query in DuckDB's SQL, and its columns with their types."""
    session, prepared = preparation.session, generate(root)
    try:
        return prepared, session.fetch(f"DESCRIBE {prepared}")
    except duckdb.BinderException as error:
        if not _cannot_choose(error):
            raise
    prepared = generate(rewrites.expand_aliases(root))
    try:
        return prepared, session.fetch(f"DESCRIBE {prepared}")
    except duckdb.BinderException as error:
        if _cannot_choose(error) and preparation.unknown:
            raise invalid_identifier(preparation.unknown[0]) from None
        raise


def _cannot_choose(error: duckdb.BinderException) -> bool:
    return any(reason in str(error) for reason in rewrites.CANNOT_CHOOSE)


def _as_sent(prepared: str, columns: Sequence[types.ColumnType]) -> str:
    """Semi-structured columns leave DuckDB as JSON text."""
    if not any(column.wire in types.SEMI_STRUCTURED for column in columns):
        return prepared
    cells = [
        f"CAST({SCHEMA}sf_json_of(#{i}) AS VARCHAR)" if column.wire in types.SEMI_STRUCTURED else f"#{i}"
        for i, column in enumerate(columns, 1)
    ]
    return f"SELECT {', '.join(cells)} FROM ({prepared})"


def run_text(session: Session, text: str) -> Result:
    """A query in Snowflake's SQL, from a handler."""
    return query(session, parsing.parse(text))


# ---------------------------------------------------------------------------- DML


def _insert(session: Session, expression: exp.Insert) -> Result:
    overwrite = expression.args.get("overwrite")
    with Preparation(session) as preparation:
        expression.set("overwrite", None)
        prepared, target = prepared_insert(preparation, expression)
        table = target.sql(dialect="duckdb")
        before = session.fetch(f"SELECT max(rowid) FROM {table}")[0][0] if overwrite else None
        inserted = session.fetch(generate(prepared))[0][0]
        if before is not None:  # afterwards, since the query may read what it overwrites
            session.fetch(f"DELETE FROM {table} WHERE rowid <= {before}")
    return results.counts(INSERT, rows_inserted=inserted)


def prepared_insert(preparation: Preparation, expression: Expr) -> tuple[Expr, Expr]:
    """An INSERT for DuckDB, whose values have the types of their columns, and the table it writes to."""
    prepared = preparation.rewrite(expression)
    target = prepared.this.this if isinstance(prepared.this, exp.Schema) else prepared.this
    columns = assigning.targets(preparation.table_fields(target), prepared.this)
    if columns and preparation.shape:
        prepared.set("expression", assigning.assigned(prepared.expression, preparation.shape, columns))
    return prepared, target


def _update(session: Session, expression: exp.Update) -> Result:
    """A row that several source rows match is updated once; ERROR_ON_NONDETERMINISTIC_UPDATE makes it an error."""
    strict = _strict_updates(session)
    with Preparation(session) as preparation:
        prepared = preparation.rewrite(expression)
        several = session.fetch(generate(_several_matches(prepared)))[0][0] if prepared.args.get("from_") else 0
        if strict and several:
            raise duplicate_row()
        updated = session.fetch(generate(prepared))[0][0]
    if strict:
        return results.counts(UPDATE, rows_updated=updated)
    return results.counts(UPDATE, rows_updated=updated, multi_joined_rows_updated=several)


def _strict_updates(session: Session) -> bool:
    return str(session.parameters.get("ERROR_ON_NONDETERMINISTIC_UPDATE", False)).lower() == "true"


def _several_matches(update: Expr) -> Expr:
    """Counts the rows of the target that more than one row of the FROM clause matches."""
    target, source = update.this, update.args["from_"].this
    row = exp.column("rowid", table=target.alias_or_name, quoted=True)
    matches = exp.select(row).from_(target.copy()).join(source.copy(), join_type="cross")
    for join in source.args.get("joins") or update.args["from_"].args.get("joins") or []:
        matches.append("joins", join.copy())
    if (where := update.args.get("where")) is not None:
        matches.set("where", where.copy())
    matches = matches.group_by(row.copy()).having(exp.Count(this=exp.Star()) > 1)
    return exp.select(exp.Count(this=exp.Star())).from_(matches.subquery("_matches"))


def _delete(session: Session, expression: exp.Delete) -> Result:
    with Preparation(session) as preparation:
        deleted = session.fetch(preparation.to_duckdb(expression))[0][0]
    return results.counts(DELETE, rows_deleted=deleted)


def _truncate(session: Session, expression: exp.TruncateTable) -> Result:
    with Preparation(session) as preparation:
        for table in expression.expressions:
            emptied = preparation.rewrite(table.copy())
            session.fetch(f"DELETE FROM {emptied.sql(dialect='duckdb')}")
            if isinstance(emptied, exp.Table):
                load_history.forget(session, emptied.catalog, emptied.db, emptied.name)
    return results.done()


_ACTIONS = {"INSERT": "rows_inserted", "UPDATE": "rows_updated", "DELETE": "rows_deleted"}


def _merge(session: Session, expression: exp.Merge) -> Result:
    """One MERGE on DuckDB; the counts come in the order INSERT, UPDATE, DELETE, for the clauses it has."""
    clauses = {_action(when) for when in expression.args["whens"].expressions}
    with Preparation(session) as preparation:
        prepared = preparation.to_duckdb(expression)
        done = session.duck.execute(f"{prepared} RETURNING merge_action").fetchall()
    counted = dict.fromkeys((name for action, name in _ACTIONS.items() if action in clauses), 0)
    for (action,) in done:
        counted[_ACTIONS[action]] += 1
    return results.counts(MERGE, **counted)


def _action(when: exp.When) -> str:
    then = when.args["then"]
    return {exp.Insert: "INSERT", exp.Update: "UPDATE"}.get(type(then), "DELETE")


_DML: dict[type[Expr], Callable[..., Result]] = {
    exp.Insert: _insert, exp.Update: _update, exp.Delete: _delete, exp.Merge: _merge, exp.TruncateTable: _truncate,
}  # fmt: skip


def insert_batch(session: Session, text: str, columns: list[list[Any]]) -> Result:
    """An array binding: INSERT … VALUES (?, …) for many rows at once, as one INSERT … SELECT from Arrow."""
    expression = parsing.parse_unbound(text)
    values = expression.expression if isinstance(expression, exp.Insert) else None
    if not isinstance(values, exp.Values) or len(values.expressions) != 1:
        return _row_by_row(session, text, columns)
    table = pa.table({f"P{i}": offsets.array(column) for i, column in enumerate(columns)})
    return widening.retried(session, expression, lambda: _insert_rows(session, expression.copy(), table))


def _insert_rows(session: Session, expression: Expr, table: pa.Table) -> Result:
    row = expression.expression.expressions[0]
    for i, placeholder in enumerate(list(row.find_all(exp.Placeholder, bfs=False))):
        placeholder.replace(exp.column(f"P{i}", quoted=True))
    with session.effect(Effect.WRITE), Preparation(session) as preparation:
        source = sources.reference(preparation.register(table))
        cells = row.expressions if isinstance(row, exp.Tuple) else [row.this]
        expression.set("expression", exp.select(*cells).from_(source))
        inserted = session.fetch(generate(prepared_insert(preparation, expression)[0]))[0][0]
    return results.counts(INSERT, rows_inserted=inserted)


def _row_by_row(session: Session, text: str, columns: list[list[Any]]) -> Result:
    total = 0
    for row in zip(*columns, strict=True):
        total += sum(int(c[0].as_py() or 0) for c in session.execute(text, row).table.columns)
    return results.counts(INSERT, rows_inserted=total)
