"""One client's session: where it stands, what it holds, and the transaction it is in."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from intentscore.local import errors, names, sql, statements
from intentscore.local.catalog import Catalog
from intentscore.local.errors import SnowflakeError, does_not_exist
from intentscore.local.names import ObjectName
from intentscore.local.results import Result, ResultStore
from intentscore.local.scanner import Scanner
from intentscore.local.statements import Effect

if TYPE_CHECKING:
    from intentscore.local.engine import Engine

DEFAULT_PARAMETERS: dict[str, Any] = {
    "AUTOCOMMIT": True,
    "TIMEZONE": "Etc/UTC",
    "QUERY_TAG": "",
    "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
    "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
    "LOCK_TIMEOUT": 43_200,
    "STATEMENT_TIMEOUT_IN_SECONDS": 172_800,
    "CLIENT_RESULT_CHUNK_SIZE": 160,
    "CLIENT_PREFETCH_THREADS": 4,
    "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD": 0,
    "CLIENT_TELEMETRY_ENABLED": False,
    "CLIENT_SESSION_KEEP_ALIVE": False,
    "PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": "ARROW",
    "PYTHON_SNOWPARK_USE_SCOPED_TEMP_OBJECTS": True,
    "PYTHON_SNOWPARK_USE_SQL_SIMPLIFIER": True,
}


class Session:
    """Statements of one session run one after another, on one DuckDB connection of its own."""

    def __init__(self, engine: Engine, parameters: dict[str, Any] | None = None) -> None:
        self.engine = engine
        self.id = secrets.randbits(48)
        self.token = secrets.token_urlsafe(32)
        self.duck = engine.connect()
        self.catalog = Catalog(self.duck)
        self.results = ResultStore()
        self.parameters = DEFAULT_PARAMETERS | {k.upper(): v for k, v in (parameters or {}).items()}
        self.variables: dict[str, Any] = {}
        self.temporary_tables: dict[ObjectName, str] = {}
        self.database: str | None = None
        self.schema: str | None = None
        self.warehouse: str | None = engine.warehouse
        self.role = engine.role
        self.in_transaction = False
        self._running = threading.RLock()

    # ------------------------------------------------------------------ context

    def use(self, database: str | None, schema: str | None = None) -> None:
        """Stand in a database, and in a schema of it where one is given or PUBLIC exists."""
        if database is not None and database not in self.engine.databases():
            raise does_not_exist("Database", database)
        target = database or self.database
        if schema is not None:
            if target is None:
                raise no_current("database")
            if not self.schema_exists(target, schema):
                raise does_not_exist("Schema", f"{target}.{schema}")
        elif database is not None and self.schema_exists(database, "PUBLIC"):
            schema = "PUBLIC"
        self.database, self.schema = target, schema

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
            raise no_current("database")
        if not schema:
            schema = "PUBLIC" if len(parts) == 3 else None
        if schema is None:
            raise no_current("schema")
        if database not in self.engine.databases():
            raise does_not_exist("Database", database)
        return ObjectName(database, schema, parts[-1])

    def existing_schema(self, name: ObjectName) -> ObjectName:
        """The name itself, when its schema is there to create it in."""
        if not self.schema_exists(name.database, name.schema):
            raise does_not_exist("Schema", f"{name.database}.{name.schema}")
        return name

    # ------------------------------------------------------------------ statements

    def execute(self, text: str, bindings: Sequence[Any] = (), *, describe_only: bool = False) -> Result:
        """Run one statement of Snowflake's SQL and answer as Snowflake would."""
        with self._running:
            head = statements.read_head(Scanner(text, bindings))
            if head.scanner.done and not head.words[0]:
                raise SnowflakeError("Empty SQL statement.", 900, "42601")
            entry = statements.find(head)
            if entry is None:
                return sql.execute(self, text, bindings, describe_only=describe_only)
            if describe_only and entry.effect is not Effect.READ:
                return sql.status_columns()
            with self.effect(entry.effect):
                return entry.handler(self, head)

    @contextlib.contextmanager
    def effect(self, effect: Effect) -> Iterator[None]:
        """Give the statement the transaction its effect asks for, and turn DuckDB's errors into Snowflake's."""
        try:
            if effect is Effect.DEFINE:
                self.commit()
                with self._own_transaction():
                    yield
            elif effect is Effect.WRITE and not self.in_transaction:
                if self.parameters["AUTOCOMMIT"]:
                    with self._own_transaction():
                        yield
                else:
                    self.begin()
                    yield
            else:
                yield
        except duckdb.Error as error:
            if self.in_transaction and _is_aborted(error):
                self.rollback()
            raise errors.from_duckdb(error) from error

    @contextlib.contextmanager
    def _own_transaction(self) -> Iterator[None]:
        self.begin()
        try:
            yield
        except BaseException:
            self.rollback()
            raise
        self.commit()

    def begin(self) -> None:
        if not self.in_transaction:
            self.engine.writer.acquire(self, timeout_s=float(self.parameters["LOCK_TIMEOUT"]))
            self.fetch("BEGIN")
            self.in_transaction = True

    def commit(self) -> None:
        self._end("COMMIT")

    def rollback(self) -> None:
        self._end("ROLLBACK")

    def _end(self, how: str) -> None:
        if self.in_transaction:
            self.in_transaction = False
            try:
                self.fetch(how)
            finally:
                self.engine.writer.release(self)

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

    def physical(self, name: ObjectName) -> str:
        """Where the rows of a table are: a session's temporary table hides a permanent one of its name."""
        if name in self.temporary_tables:
            return f"temp.main.{names.quote(self.temporary_tables[name])}"
        return name.duckdb

    def close(self) -> None:
        with self._running:
            with contextlib.suppress(duckdb.Error):
                self.rollback()
            self.results.clear()
            self.engine.forget(self)
            self.duck.close()


def no_current(what: str) -> SnowflakeError:
    code = 90105 if what == "database" else 90106
    return SnowflakeError(
        f"Cannot perform operation. This session does not have a current {what}. "
        f"Call 'USE {what.upper()}', or use a qualified name.",
        code,
        "22000",
    )


def _is_aborted(error: duckdb.Error) -> bool:
    return isinstance(error, duckdb.TransactionException) or "transaction is aborted" in str(error)
