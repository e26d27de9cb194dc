"""What a monitor has measured, asked for through its own functions: one statement for many metrics."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from intentscore.warehouse.errors import snowflake_errors
from intentscore.warehouse.identifiers import literal

if TYPE_CHECKING:
    from snowflake.snowpark import Session

BY_DAY, WHOLE = "1 DAY", "ALL"
DRIFT, PERFORMANCE, STAT = (f"MODEL_MONITOR_{kind}_METRIC" for kind in ("DRIFT", "PERFORMANCE", "STAT"))


@dataclass(frozen=True)
class Metric:
    """`column` is None for a metric of performance."""

    metric: str
    column: str | None
    day: date
    value: float | None


@dataclass(frozen=True)
class Range:
    """The days `first` to `last` of a monitor."""

    monitor: str
    first: date
    last: date

    @property
    def where(self) -> str:
        return f"WHERE SESSION_AT >= '{self.first}'::TIMESTAMP_NTZ AND SESSION_AT < '{self._end}'::TIMESTAMP_NTZ"

    @property
    def _end(self) -> date:
        return self.last + timedelta(days=1)

    def from_earlier(self, days: int) -> Range:
        return Range(self.monitor, self.first - timedelta(days=days), self.last)

    def query(self, function: str, metric: str, column: str | None, granularity: str) -> str:
        words = [literal(word) for word in (self.monitor, metric, column, granularity) if word is not None]
        words += [f"'{day}'::TIMESTAMP_NTZ" for day in (self.first, self._end)]
        named = "NULL" if column is None else literal(column)
        return (
            f"SELECT {literal(metric)} AS METRIC, {named} AS COLUMN_NAME, EVENT_TIMESTAMP::DATE AS DAY, METRIC_VALUE "
            f"FROM TABLE({function}({', '.join(words)}))"
        )


def ask(
    session: Session, within: Range, function: str, asked: Iterable[tuple[str, str | None]], granularity: str = BY_DAY
) -> Sequence[Metric]:
    """`asked` are pairs of a metric and the column it is of."""
    queries = [within.query(function, metric, column, granularity) for metric, column in asked]
    with snowflake_errors("read the monitor's metrics"):
        rows = session.sql("\nUNION ALL\n".join(queries)).collect()
    return [Metric(*row) for row in rows]
