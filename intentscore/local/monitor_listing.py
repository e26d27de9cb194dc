"""SHOW and DESCRIBE of model monitors, and what keeps one from going on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from intentscore.local import results, sql
from intentscore.local.catalog import Entry
from intentscore.local.columns import table_columns
from intentscore.local.monitors import COLUMN_LISTS, MONITOR, NUMERIC, monitor
from intentscore.local.names import ObjectName, quote
from intentscore.local.results import Result
from intentscore.local.show import columns_of, read_listing
from intentscore.local.statements import Statement, statement

if TYPE_CHECKING:
    from intentscore.local.session import Session

SHOWN = ("name", "database_name", "schema_name", "warehouse_name", "refresh_interval", "aggregation_window",
         "model_task", "monitor_state", "source", "baseline", "model", "comment")  # fmt: skip
DESCRIBED = ("aggregation_status", "aggregation_last_error", "aggregation_last_data_timestamp", "columns",
             "timestamp_custom_metric_table")  # fmt: skip


@statement("SHOW MODEL MONITORS")
def show_model_monitors(session: Session, head: Statement) -> Result:
    listing = read_listing(session, head.scanner)
    columns = columns_of(*SHOWN)
    return results.rows(columns, [_shown(session, e, trouble(session, e)) for e in listing.entries(session, MONITOR)])


@statement("DESCRIBE MODEL MONITOR", "DESC MODEL MONITOR")
def describe_model_monitor(session: Session, head: Statement) -> Result:
    entry = monitor(session, head.scanner.name())
    head.scanner.end()
    error = trouble(session, entry)
    state = "SUSPENDED" if entry.details["suspended"] or error else "ACTIVE"
    parts = ["SOURCE", "BASELINE"] if entry.details["baseline"] else ["SOURCE"]
    newest = None if error else _newest(session, entry)
    custom = entry.details["custom_metric_table"]
    details = [
        json.dumps(dict.fromkeys(parts, state)), json.dumps(dict.fromkeys(parts, error)),
        json.dumps(dict.fromkeys(parts, newest)), json.dumps(_columns(session, entry)),
        _table(session, custom) if custom else None,
    ]  # fmt: skip
    columns = columns_of(*SHOWN, *DESCRIBED)
    return results.rows(columns, [[*_shown(session, entry, error), *details]])


def _shown(session: Session, entry: Entry, error: str) -> list[Any]:
    d = entry.details
    state = "SUSPENDED" if d["suspended"] or error else "ACTIVE"
    database, schema, model = d["model"]
    about = {
        "model_name": model, "database_name": database, "schema_name": schema, "version_name": d["version"],
        "function_name": d["function"], "model_status": "ACTIVE",
    }  # fmt: skip
    baseline = _table(session, d["baseline"]) if d["baseline"] else json.dumps({"status": "NOT_SET"})
    return [
        entry.created_on, entry.name.name, entry.name.database, entry.name.schema, d["warehouse"],
        d["refresh_interval"], d["aggregation_window"], d["task"], state, _table(session, d["source"]), baseline,
        json.dumps(about), entry.comment,
    ]  # fmt: skip


def _table(session: Session, name: list[str]) -> str:
    database, schema, table = name
    status = "ACTIVE" if session.table_exists(ObjectName(*name)) else "DELETED"
    return json.dumps({"name": table, "database_name": database, "schema_name": schema, "status": status})


def _columns(session: Session, entry: Entry) -> dict[str, Any]:
    """The columns by their part in the monitor; what has none is a feature, by its type."""
    d = entry.details
    chosen = {key.lower(): d[key.lower()] for key in COLUMN_LISTS}
    taken = {d["timestamp_column"], *(c for listed in chosen.values() for c in listed)}
    source = ObjectName(*d["source"])
    features = [c for c in table_columns(session, source) if c.name not in taken]
    by_type = {
        "numerical_columns": [c.name for c in features if c.type.wire in NUMERIC],
        "string_columns": [c.name for c in features if c.type.wire == "text"],
        "boolean_columns": [c.name for c in features if c.type.wire == "boolean"],
    }
    return {"timestamp_column": d["timestamp_column"], **chosen, **by_type}


def trouble(session: Session, entry: Entry) -> str:
    """Why a monitor cannot go on: its source is gone, or holds scores that are no probabilities. '' when it can."""
    d = entry.details
    source = ObjectName(*d["source"])
    if not session.table_exists(source):
        return f"Object '{source}' does not exist or not authorized."
    if d["task"] == "TABULAR_REGRESSION":
        return ""
    for column in d["prediction_score_columns"]:
        wrong = f"{quote(column)} IS NULL OR {quote(column)} NOT BETWEEN 0 AND 1"
        if _query(session, f"SELECT COUNT(*) FROM {source.duckdb} WHERE {wrong}")[0][0]:
            return f"Prediction score column '{column}' holds NULL or a value outside of [0, 1]."
    return ""


def _newest(session: Session, entry: Entry) -> str | None:
    column, source = entry.details["timestamp_column"], ObjectName(*entry.details["source"])
    newest = _query(session, f"SELECT MAX({quote(column)}) FROM {source.duckdb}")[0][0]
    return newest.isoformat(" ") if newest else None


def _query(session: Session, text: str) -> list[tuple[Any, ...]]:
    table = sql.run_text(session, text).table
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))
