"""Transactions as Snowflake has them, on DuckDB's.

Snowflake undoes a failed statement and keeps the transaction open; DuckDB gives the whole transaction up. So the
changes of an open transaction are kept in a journal, and after a failure they are made again on a new DuckDB
transaction. No other session can have written in between: one session writes at a time, from its first change to
its commit. That also gives every statement the view Snowflake's READ COMMITTED does: what others have committed
when it starts, and its own transaction's changes. Until its first change a transaction needs nothing of DuckDB.

Source: https://docs.snowflake.com/en/sql-reference/transactions
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from intentscore.local import names
from intentscore.local.errors import SnowflakeError

if TYPE_CHECKING:
    from intentscore.local.session import Session

IDLE_BLOCKING_S = 300.0
POLL_S = 0.05
LOST = 90232

_QUOTED = r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\""
_NOW = re.compile(rf"{_QUOTED}|\bnow\(\)", re.IGNORECASE)
_VOLATILE = re.compile(
    rf"{_QUOTED}|(\b\w*(?:random|randstr|uuid|nextval)\w*\(|\bcurrent_(?:timestamp|date|time)\b|\btoday\(|"
    r"\bsample\b|\btablesample\b|\blimit\b)",
    re.IGNORECASE,
)
_TARGET = re.compile(r'\s*(INSERT|MERGE)\s+INTO\s+("(?:[^"]|"")*"|\w+)\.("(?:[^"]|"")*"|\w+)\.("(?:[^"]|"")*"|\w+)')
_READS = re.compile(r"\s*(SELECT|BEGIN|COMMIT|ROLLBACK|FROM|DESCRIBE|SHOW)\b", re.IGNORECASE)


class WriterLock:
    """One session writes at a time, from its first change to its commit."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self.owner: Session | None = None

    def acquire(self, session: Session, timeout_s: float) -> None:
        """Wait for the lock. A transaction that only blocks others is ended after five idle minutes, as Snowflake does.

        Source: https://docs.snowflake.com/en/sql-reference/transactions#aborting-transactions
        """
        deadline = time.monotonic() + timeout_s
        while not self._take(session):
            session.raise_if_cancelled()
            holder = self.owner
            if holder is not None and holder.idle_s > IDLE_BLOCKING_S:
                holder.transaction.abandon("it was idle for five minutes and blocked another transaction")
            elif time.monotonic() >= deadline:
                raise SnowflakeError(
                    f"The lock of transaction {holder.transaction.id if holder else ''} has not been released within "
                    f"LOCK_TIMEOUT ({timeout_s:g} s). Your statement was aborted.",
                    625, "57014",
                )  # fmt: skip

    def _take(self, session: Session) -> bool:
        with self._condition:
            if self.owner is not session and not self._condition.wait_for(lambda: self.owner is None, POLL_S):
                return False
            self.owner = session
            return True

    def release(self, session: Session) -> None:
        with self._condition:
            if self.owner is session:
                self.owner = None
                self._condition.notify_all()


@dataclass
class Change:
    """One change as DuckDB was asked to make it, with the Arrow tables it reads; `certain` when it can be repeated."""

    query: str
    values: Sequence[Any] = ()
    tables: dict[str, pa.Table] = field(default_factory=dict)
    certain: bool = True


class Connection:
    """A DuckDB connection that notes the changes made through it while a transaction is open."""

    def __init__(self, duck: duckdb.DuckDBPyConnection) -> None:
        self._duck = duck
        self._registered: dict[str, pa.Table] = {}
        self._appending: tuple[str, int] | None = None
        self._interrupting = threading.Lock()
        self._uninterrupted = 0
        self.journal: list[Change] | None = None
        self.now: datetime | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._duck, name)

    def interrupt(self) -> None:
        """Stop what DuckDB is at, unless that has to be done whole."""
        with self._interrupting:
            if not self._uninterrupted:
                self._duck.interrupt()

    @contextlib.contextmanager
    def uninterrupted(self) -> Iterator[None]:
        """For what begins or ends a transaction, undoes a statement or tidies up after it.

        DuckDB keeps a transaction open, and aborted, whose BEGIN or ROLLBACK was interrupted.
        """
        with self._interrupting:
            self._uninterrupted += 1
        try:
            yield
        finally:
            with self._interrupting:
                self._uninterrupted -= 1

    def control(self, how: str) -> None:
        """BEGIN, COMMIT or ROLLBACK."""
        with self.uninterrupted():
            self._duck.execute(how).fetchall()

    def register(self, name: str, table: pa.Table) -> None:
        self._registered[name] = table
        self._duck.register(name, table)

    def unregister(self, name: str) -> None:
        self._registered.pop(name, None)
        with self.uninterrupted():
            self._duck.unregister(name)

    def remove_function(self, name: str) -> None:
        with self.uninterrupted():
            self._duck.remove_function(name)

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        return self._duck.sql(self._at_statement_time(query))

    def execute(self, query: str, values: Sequence[Any] = ()) -> duckdb.DuckDBPyConnection:
        query = self._at_statement_time(query)
        if self.journal is not None and not _READS.match(query):
            self.settle()
            self._note(query, values)
        return self._duck.execute(query, list(values))

    def _at_statement_time(self, query: str) -> str:
        """DuckDB's now() is when the transaction began, Snowflake's when the statement did."""
        if self.now is None:
            return query
        moment = f"TIMESTAMPTZ '{self.now.isoformat(sep=' ')}'"
        return _NOW.sub(lambda found: moment if found[0].lower() == "now()" else found[0], query)

    def _note(self, query: str, values: Sequence[Any]) -> None:
        assert self.journal is not None
        target = _TARGET.match(query)
        volatile = any(found[1] for found in _VOLATILE.finditer(query))
        volatile = volatile or (target is not None and self._has_volatile_defaults(target))
        if target and volatile and target[1].upper() == "INSERT":
            table = ".".join(target.groups()[1:])
            last = self._duck.execute(f"SELECT coalesce(max(rowid), -1) FROM {table}").fetchall()[0][0]
            self._appending = (table, last)
            return
        tables = {name: table for name, table in self._registered.items() if name in query}
        self.journal.append(Change(query, values, tables, certain=not volatile))

    def _has_volatile_defaults(self, target: re.Match[str]) -> bool:
        database, schema, table = (names.fold(part) for part in target.groups()[1:])
        query = (
            "SELECT 1 FROM duckdb_columns() WHERE lower(database_name) = lower(?) AND schema_name = ? "
            "AND table_name = ? AND contains(column_default, '(')"
        )
        return bool(self._duck.execute(query, [database, schema, table]).fetchall())

    def settle(self) -> None:
        """Note the rows a volatile INSERT has added, rather than the INSERT."""
        if self._appending is None or self.journal is None:
            return
        (table, last), self._appending = self._appending, None
        rows = self._duck.sql(f"SELECT * FROM {table} WHERE rowid > {last} ORDER BY rowid").to_arrow_table()
        name = f"_rows_{len(self.journal)}"
        self.journal.append(Change(f"INSERT INTO {table} SELECT * FROM temp.main.{name}", (), {name: rows}))

    @property
    def is_unsettled(self) -> bool:
        return self._appending is not None

    def forget_unsettled(self) -> None:
        self._appending = None

    def repeat(self, change: Change) -> None:
        for name, table in change.tables.items():
            self._duck.register(name, table)
        try:
            self._duck.execute(change.query, list(change.values)).fetchall()
        finally:
            for name in change.tables:
                if name not in self._registered:
                    self._duck.unregister(name)


class Transaction:
    """The transaction of one session: none, open, or begun on DuckDB with its first change."""

    def __init__(self, session: Session, duck: Connection, lock: WriterLock) -> None:
        self._session, self._duck, self._lock = session, duck, lock
        self._journal: list[Change] = []
        self._after_commit: list[Callable[[], None]] = []
        self._on_rollback: list[Callable[[], None]] = []
        self._lost: str | None = None
        self._ending = threading.RLock()
        self.open = False
        self.begun = False
        self.started = datetime.now(UTC)
        self._scope = 0
        self.id: str | None = None
        self.last_id: str | None = None

    # ------------------------------------------------------------------ what statements ask for

    def start(self) -> None:
        """BEGIN; one within an open transaction is ignored."""
        self.require()
        if not self.open:
            self.open = True
            self._scope = self._session.running.depth
            self.started = datetime.now(UTC)
            self.last_id = self.id = str(int(self.started.timestamp() * 1_000_000) * 1000)

    def require_scope(self) -> None:
        """A stored procedure can neither end its caller's transaction nor begin one within it."""
        if self.open and self._scope < self._session.running.depth:
            raise SnowflakeError(
                "Modifying a transaction that has started at a different scope is not allowed.", 90237, "P0001"
            )

    def change(self) -> None:
        """Begin on DuckDB, to write in the open transaction."""
        self.start()
        self._begin(locked=True)
        self._duck.journal = self._journal

    @contextlib.contextmanager
    def own(self, *, locked: bool = True) -> Iterator[None]:
        """A transaction of just this statement."""
        if self.begun:
            yield
            return
        self._begin(locked=locked)
        try:
            yield
            self._session.raise_if_cancelled()
        except BaseException:
            self.rollback()
            raise
        self.commit()

    @contextlib.contextmanager
    def statement(self) -> Iterator[None]:
        """Undo just this statement, if it fails within an open transaction."""
        noted, commits, rollbacks = len(self._journal), len(self._after_commit), len(self._on_rollback)
        try:
            yield
            self._duck.settle()
        except BaseException:
            if self.open and self.begun and self._is_changed(noted):
                self._undo_to(noted, commits, rollbacks)
            raise

    def require(self) -> None:
        """Refuse to go on in a transaction whose changes are gone."""
        if self._lost is not None:
            raise SnowflakeError(f"The transaction was rolled back: {self._lost}. End it with ROLLBACK.", LOST, "40000")

    def after_commit(self, action: Callable[[], None]) -> None:
        """Do this once the changes are permanent, for example delete the files of what was dropped."""
        if self.begun:
            self._after_commit.append(action)
        else:
            action()

    def on_rollback(self, action: Callable[[], None]) -> None:
        if self.begun:
            self._on_rollback.append(action)

    # ------------------------------------------------------------------ the end

    def commit(self) -> None:
        """Make the changes permanent, or raise and leave none."""
        with self._ending:
            lost, self._lost = self._lost, None
            if lost is not None:
                self._end("ROLLBACK")
                raise SnowflakeError(f"Nothing was committed: the transaction was rolled back, {lost}.", LOST, "40000")
            if self.begun and self._is_aborted():
                self._end("ROLLBACK")
                raise SnowflakeError("Nothing was committed: DuckDB gave the transaction up.", LOST, "40000")
            self._end("COMMIT")

    def rollback(self) -> None:
        with self._ending:
            self._lost = None
            self._end("ROLLBACK")

    def abandon(self, reason: str) -> None:
        """Roll back on behalf of another session; the owner hears of it with its next statement."""
        with self._ending:
            if self.begun and self._session.idle_s > IDLE_BLOCKING_S:
                self._end("ROLLBACK")
                self._lose(reason)

    def _lose(self, reason: str) -> None:
        self._lost = reason
        self.open = True

    def _begin(self, *, locked: bool) -> None:
        if self.begun:
            return
        if locked:
            self._lock.acquire(self._session, float(self._session.parameters["LOCK_TIMEOUT"]))
        try:
            self._duck.control("BEGIN")
        except BaseException:
            self._lock.release(self._session)
            raise
        self.begun = True

    def _end(self, how: str) -> None:
        was_begun, actions = self.begun, self._after_commit if how == "COMMIT" else self._on_rollback
        self.open = self.begun = False
        self.id = None
        self._duck.journal = None
        self._duck.forget_unsettled()
        self._journal, self._after_commit, self._on_rollback = [], [], []
        if not was_begun:
            return
        try:
            self._duck.control(how)
        except duckdb.TransactionException:
            if how == "COMMIT":
                raise
        finally:
            self._lock.release(self._session)
        for action in actions:
            action()

    # ------------------------------------------------------------------ after a failed statement

    def _is_changed(self, noted: int) -> bool:
        return len(self._journal) > noted or self._duck.is_unsettled or self._is_aborted()

    def _is_aborted(self) -> bool:
        try:
            with self._duck.uninterrupted():
                self._duck.execute("SELECT 1").fetchall()
        except duckdb.Error:
            return True
        return False

    def _undo_to(self, noted: int, commits: int, rollbacks: int) -> None:
        """A new DuckDB transaction with the changes up to the failed statement made again; the lock stays ours."""
        self._duck.forget_unsettled()
        for action in self._on_rollback[rollbacks:]:
            action()
        del self._journal[noted:], self._after_commit[commits:], self._on_rollback[rollbacks:]
        self._duck.journal = None
        with contextlib.suppress(duckdb.Error):
            self._duck.control("ROLLBACK")
        try:
            if not all(change.certain for change in self._journal):
                raise RuntimeError("its changes depend on chance")
            with self._duck.uninterrupted():
                self._repeat_all()
        except Exception as error:
            self._end("ROLLBACK")
            self._lose(f"a statement failed and the ones before it could not be repeated ({error})")
            return
        self._duck.journal = self._journal

    def _repeat_all(self) -> None:
        self._duck.control("BEGIN")
        for change in self._journal:
            self._duck.repeat(change)
