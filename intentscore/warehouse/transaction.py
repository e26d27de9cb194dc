"""All or nothing for several DML statements. No DDL inside: in Snowflake it commits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snowflake.snowpark import Session


@contextmanager
def transaction(session: Session) -> Iterator[None]:
    session.sql("BEGIN").collect()
    try:
        yield
    except BaseException:
        session.sql("ROLLBACK").collect()
        raise
    session.sql("COMMIT").collect()
