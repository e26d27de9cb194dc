"""The queries of the engine: those that run, can be waited for and cancelled, and those that ran."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from intentscore.local.errors import SnowflakeError

if TYPE_CHECKING:
    from intentscore.local.session import Session

REMEMBERED = 10_000
REMEMBERED_CHARACTERS = 20_000_000
LONGEST_TEXT = 100_000
RUNNING, SUCCEEDED, FAILED = "RUNNING", "SUCCESS", "FAILED_WITH_ERROR"
INTERRUPT_EVERY_S = 0.02


def cancelled() -> SnowflakeError:
    return SnowflakeError("SQL execution canceled", 604, "57014")


def stopped() -> SnowflakeError:
    return SnowflakeError("SQL execution canceled: the local engine stopped.", 604, "57014")


def timed_out(limit_s: float) -> SnowflakeError:
    message = f"Statement reached its statement or warehouse timeout of {limit_s:g} second(s) and was canceled."
    return SnowflakeError(message, 630, "57014")


@dataclass
class Query:
    """One statement a client has sent."""

    id: str
    session: Session | None
    text: str
    session_id: int = 0
    parameters: dict[str, Any] = field(default_factory=dict)
    request_id: str | None = None
    is_async: bool = False
    children: list[Query] = field(default_factory=list)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: datetime | None = None
    error: SnowflakeError | None = None
    rows: int | None = None
    kind: str = ""
    context: tuple[str | None, ...] = ()
    tag: str = ""
    stopped_by: SnowflakeError | None = None
    outer: Query | None = None
    """The query that runs this one as one of its statements."""
    finished: threading.Event = field(default_factory=threading.Event)
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def status(self) -> str:
        if not self.finished.is_set():
            return RUNNING
        return SUCCEEDED if self.error is None else FAILED

    def finish(self, error: SnowflakeError | None = None) -> None:
        self.error = error
        self.ended = datetime.now(UTC)
        self.finished.set()
        self.session = None  # the log outlives sessions
        self.text = self.text[:LONGEST_TEXT]

    def stop(self, reason: SnowflakeError) -> bool:
        """End the query as soon as it can be; False when it had ended already."""
        if self.finished.is_set() or self.stopping.is_set():
            return False
        self.stopped_by = reason
        self.stopping.set()
        # again and again, because DuckDB forgets an interrupt that comes between two of the query's statements
        threading.Thread(target=self._interrupt_until_finished, daemon=True).start()
        return True

    def _interrupt_until_finished(self) -> None:
        while not self.finished.is_set():
            if session := self.session:
                session.interrupt(self)
            self.finished.wait(INTERRUPT_EVERY_S)

    def raise_if_stopped(self) -> None:
        """Also when the query this one is a statement of has been stopped."""
        if self.stopped_by is not None:
            raise self.stopped_by
        if self.outer is not None:
            self.outer.raise_if_stopped()

    def is_within(self, query: Query) -> bool:
        return self is query or (self.outer is not None and self.outer.is_within(query))


def timer(query: Query, limit_s: float) -> threading.Timer | None:
    """Stops the query after its time; None where it has no limit."""
    if not 0 < limit_s < threading.TIMEOUT_MAX:
        return None
    stopping = threading.Timer(limit_s, query.stop, [timed_out(limit_s)])
    stopping.daemon = True
    return stopping


class QueryLog:
    """The queries of every session, oldest first; the last ten thousand."""

    def __init__(self) -> None:
        self._queries: OrderedDict[str, Query] = OrderedDict()
        self._requests: dict[tuple[int, str], Query] = {}
        self._characters = 0
        self._lock = threading.Lock()

    def add(self, query: Query) -> None:
        with self._lock:
            self._queries[query.id] = query
            if query.request_id:
                self._requests[query.session_id, query.request_id] = query
            self._characters += min(len(query.text), LONGEST_TEXT)
            while len(self._queries) > REMEMBERED or (
                self._characters > REMEMBERED_CHARACTERS and len(self._queries) > 1
            ):
                _, oldest = self._queries.popitem(last=False)
                self._characters -= len(oldest.text)
                self._requests.pop((oldest.session_id, oldest.request_id or ""), None)

    def get(self, query_id: str) -> Query | None:
        with self._lock:
            return self._queries.get(query_id)

    def of_request(self, session: Session, request_id: str) -> Query | None:
        """The query of a request the client has sent before: it asks again when it got no answer."""
        with self._lock:
            return self._requests.get((session.id, request_id))

    def all(self) -> list[Query]:
        with self._lock:
            return [*self._queries.values()]

    def running(self, session: Session | None = None) -> list[Query]:
        return [q for q in self.all() if q.status == RUNNING and (session is None or q.session is session)]
