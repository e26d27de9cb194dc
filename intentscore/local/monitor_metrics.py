"""What a model monitor measures: drift against its baseline, performance against what happened, statistics.

Every metric is one query over the monitor's source, by ranges of its timestamp.
Sources: https://docs.snowflake.com/en/sql-reference/functions/model-monitor-drift-metric,
…/model-monitor-performance-metric and …/model-monitor-stat-metric
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from intentscore.local import monitor_formulas, parsing, sql
from intentscore.local.catalog import Entry
from intentscore.local.columns import TableColumn, table_columns
from intentscore.local.errors import invalid
from intentscore.local.monitor_listing import trouble
from intentscore.local.monitors import NUMERIC, monitor
from intentscore.local.names import ObjectName, fold, literal, quote, split
from intentscore.local.sources import table_function

if TYPE_CHECKING:
    from intentscore.local.session import Session

DEFAULT_DAYS = 60
STATISTICS = {
    "COUNT": "count({c})", "COUNT_NULL": "count(*) - count({c})", "MIN": "min({c})", "MAX": "max({c})",
    "AVG": "avg({c})", "SUM": "sum({c})",
}  # fmt: skip
OF_NUMBERS = ("MIN", "MAX", "AVG", "SUM", "DIFFERENCE_OF_MEANS", "WASSERSTEIN")
# A range starts where TIME_SLICE starts it: days and months count from 1970-01-01, weeks from the Monday before.
_ORIGINS = {"DAY": "1970-01-01", "WEEK": "1969-12-29", "MONTH": "1970-01-01", "QUARTER": "1970-01-01",
            "YEAR": "1970-01-01"}  # fmt: skip


@dataclass(frozen=True)
class Question:
    """A monitor's rows in a range of time, with the start of the part of it they fall in as `_AT`; its columns."""

    session: Session
    entry: Entry
    rows: str
    segment: tuple[str | None, str | None]
    columns: tuple[TableColumn, ...]

    @property
    def details(self) -> dict[str, Any]:
        return self.entry.details

    def fetch(self, query: str) -> list[tuple[Any, ...]]:
        return self.session.fetch(f"WITH _ROWS AS ({self.rows}) {query}")


@table_function("MODEL_MONITOR_STAT_METRIC")
def stat_metric(
    session: Session, model_monitor_name: str, metric_name: str, column_name: str, granularity: str | None = None,
    start_time: Any = None, end_time: Any = None, extra_args: str | None = None,
) -> pa.Table:  # fmt: skip
    """Count, nulls, minimum, maximum, mean or sum of a monitored column, by range of time."""
    question = _question(session, model_monitor_name, granularity, start_time, end_time, extra_args)
    metric = _one_of(metric_name, STATISTICS)
    column = _column(question, column_name, metric)
    value = STATISTICS[metric].format(c=quote(column))
    found = question.fetch(f"SELECT _AT, CAST({value} AS DOUBLE) FROM _ROWS GROUP BY _AT ORDER BY _AT")
    return _table(question, found, metric, column=column)


@table_function("MODEL_MONITOR_PERFORMANCE_METRIC")
def performance_metric(
    session: Session, model_monitor_name: str, metric_name: str, granularity: str | None = None,
    start_time: Any = None, end_time: Any = None, extra_args: str | None = None,
) -> pa.Table:  # fmt: skip
    """How the predictions agree with what happened, by range of time."""
    question = _question(session, model_monitor_name, granularity, start_time, end_time, extra_args)
    known = monitor_formulas.PERFORMANCE[question.details["task"]]
    metric = _one_of(metric_name, known)
    predicted, actual = monitor_formulas.columns_of(metric, question.details)
    found = question.fetch(known[metric](predicted, actual))
    return _table(question, found, metric, counts=("COUNT_USED", "COUNT_UNUSED"))


@table_function("MODEL_MONITOR_DRIFT_METRIC")
def drift_metric(
    session: Session, model_monitor_name: str, metric_name: str, column_name: str, granularity: str | None = None,
    start_time: Any = None, end_time: Any = None, extra_args: str | None = None,
) -> pa.Table:  # fmt: skip
    """How far a column has moved from the monitor's baseline, by range of time."""
    question = _question(session, model_monitor_name, granularity, start_time, end_time, extra_args)
    metric = _one_of(metric_name, monitor_formulas.DRIFT)
    column = _column(question, column_name, metric)
    baseline = question.details["baseline_table"]
    if baseline is None:
        raise invalid(f"the model monitor '{question.entry.name}' has no baseline to measure drift from")
    known = session.shared.once((baseline,), lambda: [c for c, *_ in session.fetch(f"DESCRIBE {baseline}")])
    if column not in known:
        raise invalid(f"the baseline of the model monitor has no column '{column}'")
    binned = None
    if metric in monitor_formulas.BINNED:
        binned = monitor_formulas.bins(session, baseline, column, numeric=_is_numeric(question, column))
    found = question.fetch(monitor_formulas.drift(metric, quote(column), baseline, binned))
    counts = ("COL_COUNT_USED", "COL_COUNT_UNUSED", "BASELINE_COL_COUNT_USED", "BASELINE_COL_COUNT_UNUSED")
    return _table(question, found, metric, counts=counts, column=column)


# ---------------------------------------------------------------------------- what is asked


def _question(
    session: Session, name: str, granularity: str | None, start: Any, end: Any, extra: str | None
) -> Question:
    """The same for all metrics of a statement that are asked of the same rows."""
    asked = (name, granularity, start, end, extra)
    return session.shared.once(asked, lambda: _asked(session, *asked))


def _asked(session: Session, name: str, granularity: str | None, start: Any, end: Any, extra: str | None) -> Question:
    entry = monitor(session, split(name))
    if error := trouble(session, entry):
        raise invalid(f"the model monitor '{entry.name}' is suspended: {error}")
    now = datetime.now(UTC).replace(tzinfo=None)
    first = f"CAST({literal(str(start or now - timedelta(days=DEFAULT_DAYS)))} AS TIMESTAMP)"
    last = f"CAST({literal(str(end or now))} AS TIMESTAMP)"
    stamp = quote(entry.details["timestamp_column"])
    at = _range_start(granularity or "1 DAY", stamp, first)
    segment = _segment(entry, extra)
    within = f"{stamp} >= {first} AND {stamp} < {last}"
    if segment[0] is not None:
        within += f" AND {quote(segment[0])} = {literal(str(segment[1]))}"
    with sql.Preparation(session) as preparation:
        source = preparation.to_duckdb(parsing.parse(f"SELECT * FROM {ObjectName(*entry.details['source']).duckdb}"))
    rows = session.shared.held(f"SELECT {at} AS _AT, * FROM ({source}) AS _SOURCE WHERE {within}")
    columns = tuple(table_columns(session, ObjectName(*entry.details["source"])))
    return Question(session, entry, f"FROM {rows}", segment, columns)


def _range_start(granularity: str, stamp: str, first: str) -> str:
    if granularity.strip().upper() == "ALL":
        return first
    found = re.fullmatch(r"\s*(\d+)\s*(DAY|WEEK|MONTH|QUARTER|YEAR)S?\s*", granularity, re.IGNORECASE)
    if found is None or int(found[1]) == 0:
        raise invalid(f"'{granularity}' is not a granularity: '<n> DAY', WEEK, MONTH, QUARTER, YEAR, or 'ALL'")
    count, unit = int(found[1]), found[2].upper()
    if unit == "QUARTER":
        count, interval = count * 3, "MONTH"
    else:
        interval = unit
    return f"time_bucket(INTERVAL '{count} {interval}', {stamp}, TIMESTAMP '{_ORIGINS[unit]}')"


def _segment(entry: Entry, extra: str | None) -> tuple[str | None, str | None]:
    if not extra:
        return None, None
    try:
        segments = json.loads(extra)["SEGMENTS"]
        (one,) = segments
        column, value = fold(one["column"]), str(one["value"])
    except (ValueError, KeyError, TypeError):
        raise invalid("the extra arguments must name one segment: "
                      '{"SEGMENTS": [{"column": "<column>", "value": "<value>"}]}') from None  # fmt: skip
    if column not in entry.details["segment_columns"]:
        raise invalid(f"'{column}' is not a segment column of the model monitor '{entry.name}'")
    return column, value


def _one_of(given: str, known: Any) -> str:
    if str(given).upper() not in known:
        raise invalid(f"'{given}' is not a metric here; the metrics are {', '.join(known)}")
    return str(given).upper()


def _column(question: Question, given: str, metric: str) -> str:
    """A column of the source that the monitor watches."""
    column, d = fold(given), question.details
    watched = {c.name for c in question.columns} - {d["timestamp_column"], *d["id_columns"]}
    if column not in watched:
        raise invalid(f"'{given}' is not a column of the model monitor '{question.entry.name}'")
    if metric in OF_NUMBERS and not _is_numeric(question, column):
        raise invalid(f"{metric} needs a numeric column, and '{column}' is not one")
    return column


def _is_numeric(question: Question, column: str) -> bool:
    return any(c.name == column and c.type.wire in NUMERIC for c in question.columns)


# ---------------------------------------------------------------------------- what is answered


def _table(
    question: Question, found: list[tuple[Any, ...]], metric: str, *, counts: tuple[str, ...] = (), column: str = ""
) -> pa.Table:
    segment, value = question.segment
    times, values = [row[0] for row in found], [row[1] for row in found]
    columns: dict[str, Any] = {
        "EVENT_TIMESTAMP": pa.array(times, pa.timestamp("us")), "METRIC_VALUE": pa.array(values, pa.float64()),
        **{name: pa.array([row[2 + i] for row in found], pa.int64()) for i, name in enumerate(counts)},
        "METRIC_NAME": pa.array([metric] * len(found), pa.string()),
    }  # fmt: skip
    if column:
        columns["COLUMN_NAME"] = pa.array([column] * len(found), pa.string())
    columns["SEGMENT_COLUMN"] = pa.array([segment] * len(found), pa.string())
    columns["SEGMENT_VALUE"] = pa.array([value] * len(found), pa.string())
    return pa.table(columns)
