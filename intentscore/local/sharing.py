"""What the row sources of one statement have in common: they see the same data, so what one has read serves all."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

if TYPE_CHECKING:
    from intentscore.local.session import Session

Made = TypeVar("Made")


class Shared(contextlib.ExitStack):
    """Of one statement, while its row sources are made."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._made: dict[tuple[Any, ...], Any] = {}

    def once(self, key: tuple[Any, ...], make: Callable[[], Made]) -> Made:
        """What `make` gives, made the first time it is asked for."""
        if key not in self._made:
            self._made[key] = make()
        made: Made = self._made[key]
        return made

    def held(self, query: str) -> str:
        """The rows of a DuckDB query, under a name."""
        name = f"temp.main._held_{secrets.token_hex(6)}"
        self._session.fetch(f"CREATE TEMP TABLE {name} AS {query}")
        self.callback(self._drop, name)
        return name

    def _drop(self, name: str) -> None:
        # an aborted transaction takes the table with it
        with contextlib.suppress(duckdb.TransactionException), self._session.duck.uninterrupted():
            self._session.fetch(f"DROP TABLE IF EXISTS {name}")


@contextlib.contextmanager
def sharing(session: Session) -> Iterator[None]:
    """While the row sources of one statement are made."""
    before = session.shared
    try:
        with Shared(session) as session.shared:
            yield
    finally:
        session.shared = before
