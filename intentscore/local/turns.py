"""Whose turn it is in a session: its statements run one after another, and a procedure's run within its CALL.

While a CALL waits for its handler, the handler's own statements arrive on other threads, under a token that was
made for this one call. The CALL lends its turn to that token: statements that carry it go ahead, every other
statement of the session waits until the CALL is over, and the same again for a CALL within the handler.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType

ARRIVED_WITH: ContextVar[str | None] = ContextVar("arrived_with", default=None)
"""The token of the call a statement arrived from; None for the session's own client."""


@dataclass
class _Frame:
    token: str | None
    thread: int | None = None
    depth: int = 0


class Turn:
    """A lock a thread may take again while it holds it, and may lend for the length of a block."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._frames = [_Frame(None)]

    def __enter__(self) -> None:
        thread, token = threading.get_ident(), ARRIVED_WITH.get()
        with self._condition:
            self._condition.wait_for(lambda: self._is_open(thread, token))
            frame = self._frames[-1]
            frame.thread = thread
            frame.depth += 1

    def _is_open(self, thread: int, token: str | None) -> bool:
        top = self._frames[-1]
        return top.thread == thread or (top.thread is None and top.token == token)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._condition:
            frame = self._frames[-1]
            frame.depth -= 1
            if not frame.depth:
                frame.thread = None
            self._condition.notify_all()

    @property
    def depth(self) -> int:
        """How many calls are under way, one within the other."""
        return len(self._frames) - 1

    @contextlib.contextmanager
    def lent(self, token: str) -> Iterator[None]:
        """The turn belongs to the statements with this token; the holder has it back when they are done."""
        with self._condition:
            self._frames.append(_Frame(token))
            self._condition.notify_all()
        try:
            yield
        finally:
            with self._condition:
                self._condition.wait_for(lambda: self._frames[-1].thread is None and self._frames[-1].token == token)
                self._frames.pop()
                self._condition.notify_all()
