"""One client's session: where it stands, what it holds, and the transaction it is in."""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
from sqlglot.tokenizer_core import TokenType

from intentscore.local import errors, flow, history, names, queries, several, sql, stages, statements, widening
from intentscore.local.catalog import Catalog
from intentscore.local.errors import NumberTooWideError, SnowflakeError, does_not_exist
from intentscore.local.names import ObjectName
from intentscore.local.queries import Query
from intentscore.local.results import Result, ResultStore
from intentscore.local.scanner import Scanner
from intentscore.local.scripting import blocks, parser
from intentscore.local.sharing import Shared
from intentscore.local.statements import Effect
from intentscore.local.transactions import Connection, Transaction
from intentscore.local.turns import Turn
from intentscore.local.uploads import Uploads
from intentscore.local.variables import DEFAULT_PARAMETERS, SessionVariable, parameter_values, with_variables

if TYPE_CHECKING:
    from intentscore.local.engine import Engine
    from intentscore.local.task_runner import Context
    from intentscore.local.workers import Worker

log = logging.getLogger(__name__)
KEEPS_TRANSACTION = "SNOWPARK_SKIP_TXN_COMMIT_IN_DDL"


class Session:
    """Statements of one session run one after another, on one DuckDB connection of its own."""

    def __init__(self, engine: Engine, parameters: dict[str, Any] | None = None) -> None:
        self.engine = engine
        self.id = secrets.randbits(48)
        self.token = secrets.token_urlsafe(32)
        self.master_token = secrets.token_urlsafe(32)
        self.duck = Connection(engine.connect())
        self.transaction = Transaction(self, self.duck, engine.writer)
        self.catalog = Catalog(self.duck)
        self.results = ResultStore(engine.folder("results"))
        self.parameters = DEFAULT_PARAMETERS | parameter_values(parameters or {})
        self.use_timezone(self.parameters["TIMEZONE"])
        self.variables: dict[str, SessionVariable] = {}
        self.temporary_tables: dict[ObjectName, str] = {}
        self.shared = Shared(self)
        self.loaded_files: dict[ObjectName, dict[str, str]] = {}
        self.database: str | None = None
        self.schema: str | None = None
        self.warehouse: str | None = engine.warehouse
        self.role = engine.role
        self.last_used = time.monotonic()
        self.closed = False
        self.task_run: Context | None = None
        self.wide_numbers = False
        self.client = ""
        self._depth = 0
        self.uploads = Uploads(engine.storage)
        self._current: Query | None = None
        self.flow: list[Result] = []
        self.running = Turn()
        self.workers: dict[str, list[Worker]] = {}
        self._interrupting = threading.Lock()

    # ------------------------------------------------------------------ context

    def use(self, database: str | None, schema: str | None = None) -> None:
        """Stand in a database, and in a schema of it where one is given or PUBLIC exists."""
        if database is not None and database not in self.engine.databases():
            raise does_not_exist("Database", database)
        target = database or self.database
        if schema is not None:
            if target is None:
                raise errors.no_current("database")
            if not self.schema_exists(target, schema):
                raise does_not_exist("Schema", f"{target}.{schema}")
        elif database is not None and self.schema_exists(database, "PUBLIC"):
            schema = "PUBLIC"
        self.database, self.schema = target, schema

    @contextlib.contextmanager
    def standing_in(self, database: str | None, schema: str | None) -> Iterator[None]:
        """Look names up in another schema for as long as the block lasts."""
        before = self.database, self.schema
        self.database, self.schema = database, schema
        try:
            yield
        finally:
            self.database, self.schema = before

    def schema_exists(self, database: str, schema: str) -> bool:
        if schema == "INFORMATION_SCHEMA":
            return True
        query = "SELECT 1 FROM duckdb_schemas() WHERE database_name = ? AND schema_name = ?"
        return bool(self.fetch(query, [database, schema]))

    def resolve(self, parts: Sequence[str]) -> ObjectName:
        """A dotted name to the object it means here."""
        if len(parts) > 3:
            raise errors.syntax_error(f"invalid name '{'.'.join(parts)}'.")
        database = parts[-3] if len(parts) == 3 else self.database
        schema = parts[-2] if len(parts) >= 2 else self.schema
        if database is None:
            raise errors.no_current("database")
        if not schema:
            schema = "PUBLIC" if len(parts) == 3 else None
        if schema is None:
            raise errors.no_current("schema")
        if database not in self.engine.databases():
            raise does_not_exist("Database", database)
        return ObjectName(database, schema, parts[-1])

    def existing_schema(self, name: ObjectName) -> ObjectName:
        """The name itself, when its schema is there to create it in."""
        if not self.schema_exists(name.database, name.schema):
            raise does_not_exist("Schema", f"{name.database}.{name.schema}")
        return name

    def use_timezone(self, name: str) -> None:
        """Moments are read and shown in this time zone: DuckDB's session setting of the same meaning."""
        try:
            self.duck.execute(f"SET TimeZone = {names.literal(name)}").fetchall()
        except duckdb.Error:
            raise errors.invalid(f"invalid value [{name}] for parameter 'TIMEZONE'") from None

    # ------------------------------------------------------------------ statements

    def execute(self, text: str, bindings: Sequence[Any] = (), *, describe_only: bool = False) -> Result:
        """Run one statement of Snowflake's SQL and answer as Snowflake would."""
        with self.turn():
            if parser.is_block(text):
                return blocks.run_block(self, text, bindings, describe_only=describe_only)
            text = stages.with_quoted_addresses(with_variables(text, self.variables))
            head = statements.read_head(Scanner(text, bindings))
            several.refuse_several(text)
            if any(token.token_type == TokenType.DARROW for token in head.scanner.tokens):
                return flow.run(self, text, bindings, describe_only=describe_only)
            if head.scanner.done and not head.words[0]:
                raise SnowflakeError("Empty SQL statement.", 900, "42601")
            entry = statements.find(head)
            if head.words[0] != "PUT":
                self.uploads.forget()
            head.describe_only = describe_only
            if entry is None:
                return sql.execute(self, text, bindings, describe_only=describe_only)
            if describe_only and entry.effect not in (Effect.READ, Effect.CALL):
                return sql.status_columns()
            try:
                with self.effect(entry.effect, temporary=head.temporary):
                    return entry.handler(self, head)
            except NumberTooWideError:
                if entry.effect is not Effect.DEFINE:
                    raise
                again = statements.read_head(Scanner(text, bindings))
                statements.find(again)
                with widening.wide_numbers(self), self.effect(entry.effect, temporary=head.temporary):
                    return entry.handler(self, again)

    def insert_batch(self, text: str, columns: list[list[Any]]) -> Result:
        """An INSERT with a list of values for each placeholder."""
        with self.turn():
            return sql.insert_batch(self, with_variables(text, self.variables), columns)

    def touch(self) -> None:
        """The client is still there."""
        self.last_used = time.monotonic()

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Statements of a session run one after another."""
        with self.running:
            self.last_used = time.monotonic()
            self._depth += 1
            try:
                self.raise_if_cancelled()
                yield
            finally:
                self._depth -= 1
                self.last_used = time.monotonic()

    @contextlib.contextmanager
    def effect(self, effect: Effect, *, temporary: bool = False) -> Iterator[None]:
        """Give the statement the transaction its effect asks for, and turn DuckDB's errors into Snowflake's."""
        try:
            if effect is Effect.CALL:
                yield
                return
            if effect is not Effect.CONTROL:
                self.transaction.require()
            if effect is Effect.DEFINE and self.in_transaction and self.parameters.get(KEEPS_TRANSACTION):
                effect = Effect.WRITE
            if effect is Effect.DEFINE:
                if self.in_transaction:
                    self.commit()
                with self.transaction.own(locked=not temporary):
                    yield
            elif effect is Effect.WRITE and not self.in_transaction and self.parameters["AUTOCOMMIT"]:
                with self.transaction.own():
                    yield
            else:
                with self.transaction.statement():
                    if effect is Effect.WRITE:
                        self.transaction.change()
                    with self._at_one_time():
                        yield
                    if effect is Effect.WRITE:
                        self.raise_if_cancelled()
        except duckdb.Error as error:
            self.raise_if_cancelled()
            raise errors.from_duckdb(error) from error

    @contextlib.contextmanager
    def _at_one_time(self) -> Iterator[None]:
        """Within a transaction, the time is that of the statement."""
        before, self.duck.now = self.duck.now, datetime.now(UTC) if self.transaction.begun else None
        try:
            yield
        finally:
            self.duck.now = before

    @property
    def in_transaction(self) -> bool:
        return self.transaction.open

    def begin(self) -> None:
        self.transaction.start()

    def commit(self) -> None:
        self.transaction.commit()

    def rollback(self) -> None:
        self.transaction.rollback()

    # ------------------------------------------------------------------ running and stopping a query

    def run(self, query: Query, work: Callable[[], Result]) -> Result | None:
        """Run a client's query, once those sent before it have ended; its outcome is noted in the query."""
        try:
            if history.cancels(query.text):
                self.results.keep(query.id, result := history.cancel(self, query.text))
                query.finish()
                return result
            with self.running, self._as_current(query):
                result = work()
                query.rows = result.table.num_rows
                self.results.keep(query.id, result)
            query.finish()
        except SnowflakeError as error:
            query.finish(query.stopped_by or error)
        except RecursionError:
            query.finish(SnowflakeError("SQL compilation error:\nthe statement is nested too deeply.", 1003, "42000"))
        except Exception as error:
            log.exception("the engine failed on: %s", query.text)
            message = f"Internal error of the local engine in: {query.text[:200]}\n{type(error).__name__}: {error}"
            query.finish(query.stopped_by or SnowflakeError(message, 603, "XX000"))
        else:
            return result
        return None

    @contextlib.contextmanager
    def _as_current(self, query: Query) -> Iterator[None]:
        """What the request says about this one statement holds while it runs."""
        before, outer = dict(self.parameters), self._current
        self.parameters |= query.parameters
        query.tag = str(self.parameters.get("QUERY_TAG") or "")
        query.context = (self.database, self.schema, self.warehouse, self.role)
        limit_s = float(self.parameters.get("STATEMENT_TIMEOUT_IN_SECONDS") or 0)
        timer = queries.timer(query, limit_s)
        with self._interrupting:
            self._current, query.outer = query, outer
        try:
            if timer:
                timer.start()
            yield
        finally:
            if timer:
                timer.cancel()
            with self._interrupting:
                self._current = outer
            for name in query.parameters:
                if self.parameters.get(name) == query.parameters[name]:
                    self.parameters.pop(name)
                    self.parameters |= {name: before[name]} if name in before else {}

    def interrupt(self, query: Query) -> None:
        """Stop what DuckDB or a handler does for this query, and nothing else."""
        for worker in list(self.workers.get(query.id, ())):
            worker.cancel()
        with self._interrupting:
            if (self._current and self._current.is_within(query)) or query.id in self.workers:
                self.duck.interrupt()

    def raise_if_cancelled(self) -> None:
        """For handlers that work outside DuckDB: end when the client has cancelled the query."""
        if self._current is not None:
            self._current.raise_if_stopped()

    def wait(self, seconds: float) -> None:
        """Do nothing for a while, unless the query is cancelled."""
        if self._current is None:
            time.sleep(seconds)
        elif self._current.stopping.wait(seconds):
            self.raise_if_cancelled()

    @contextlib.contextmanager
    def working(self, worker: Worker) -> Iterator[None]:
        """While a handler works for the query under way, cancelling the query kills it."""
        key = self._current.id if self._current is not None else ""
        self.workers.setdefault(key, []).append(worker)
        try:
            self.raise_if_cancelled()
            yield
        except SnowflakeError:
            self.raise_if_cancelled()
            raise
        finally:
            self.workers[key].remove(worker)
            if not self.workers[key]:
                del self.workers[key]

    @property
    def idle_s(self) -> float:
        """How long no statement has run; 0 while one does."""
        return 0.0 if self._depth else time.monotonic() - self.last_used

    # ------------------------------------------------------------------ DuckDB, for the handlers

    def fetch(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a DuckDB query; always drained."""
        return self.duck.execute(query, list(values)).fetchall()

    @contextlib.contextmanager
    def registered(self, table: pa.Table) -> Iterator[str]:
        """An Arrow table under a DuckDB name for as long as the block lasts."""
        name = f"_arrow_{secrets.token_hex(6)}"
        self.duck.register(name, table)
        try:
            yield f"temp.main.{name}"
        finally:
            with contextlib.suppress(duckdb.TransactionException):  # an aborted one takes the name with it
                self.duck.unregister(name)

    def table_exists(self, name: ObjectName) -> bool:
        return name in self.temporary_tables or self.relation_kind(name) is not None

    def relation_kind(self, name: ObjectName) -> str | None:
        """'TABLE' or 'VIEW' when a permanent one of this very name exists."""
        for kind, source in (("TABLE", "duckdb_tables()"), ("VIEW", "duckdb_views()")):
            column = "table_name" if kind == "TABLE" else "view_name"
            query = f"SELECT 1 FROM {source} WHERE database_name = ? AND schema_name = ? AND {column} = ?"
            if self.fetch(query, name):
                return kind
        return None

    def is_temporary_view(self, physical: str) -> bool:
        query = "SELECT 1 FROM duckdb_views() WHERE database_name = 'temp' AND view_name = ?"
        return bool(self.fetch(query, [physical]))

    def physical(self, name: ObjectName) -> str:
        """Where the rows of a table are: a session's temporary table hides a permanent one of its name."""
        if name in self.temporary_tables:
            return f"temp.main.{names.quote(self.temporary_tables[name])}"
        return name.duckdb

    def close(self) -> None:
        """End the session: what runs is cancelled, what is open rolled back, what is temporary dropped."""
        for query in self.engine.queries.running(self):
            query.stop(queries.cancelled())
        with self.running:
            if self.closed:
                return
            self.closed = True
            with contextlib.suppress(duckdb.Error, SnowflakeError):
                self.rollback()
            self.uploads.forget()
            self.results.clear()
            self.engine.forget(self)
            self.duck.close()
