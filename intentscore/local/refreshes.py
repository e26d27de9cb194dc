"""The refreshes of dynamic tables, and INFORMATION_SCHEMA.DYNAMIC_TABLE_REFRESH_HISTORY."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from intentscore.local import schedules
from intentscore.local.catalog import Entry
from intentscore.local.names import split
from intentscore.local.sources import table_function

if TYPE_CHECKING:
    from intentscore.local.session import Session

KEPT = 100
_TEXT, _MOMENT = pa.string(), pa.timestamp("us", tz="UTC")
_SCHEMA = pa.schema([
    ("NAME", _TEXT), ("SCHEMA_NAME", _TEXT), ("DATABASE_NAME", _TEXT), ("STATE", _TEXT), ("STATE_CODE", _TEXT),
    ("STATE_MESSAGE", _TEXT), ("QUERY_ID", _TEXT), ("DATA_TIMESTAMP", _MOMENT), ("REFRESH_START_TIME", _MOMENT),
    ("REFRESH_END_TIME", _MOMENT), ("COMPLETION_TARGET", _MOMENT), ("QUALIFIED_NAME", _TEXT),
    ("LAST_COMPLETED_DEPENDENCY", _TEXT), ("STATISTICS", _TEXT), ("REFRESH_ACTION", _TEXT),
    ("REFRESH_TRIGGER", _TEXT), ("TARGET_LAG_SEC", pa.int64()), ("GRAPH_HISTORY_VALID_FROM", _MOMENT),
])  # fmt: skip


def note(session: Session, entry: Entry, started: datetime) -> None:
    """Remember a refresh; the oldest are forgotten. The engine computes a table in full whatever its mode."""
    first = "history" not in entry.details
    done = {
        "started": started.isoformat(), "ended": datetime.now(UTC).isoformat(), "action": "FULL",
        "trigger": "CREATION" if first else "MANUAL",
    }  # fmt: skip
    entry.details["history"] = [*entry.details.get("history", []), done][-KEPT:]


@table_function("DYNAMIC_TABLE_REFRESH_HISTORY")
def refresh_history(
    session: Session, name: str | None = None, name_prefix: str = "", result_limit: int = 100, error_only: bool = False,
    data_timestamp_start: Any = None, data_timestamp_end: Any = None,
) -> pa.Table:  # fmt: skip
    """The refreshes of the dynamic tables, the newest first."""
    wanted = session.resolve(split(name)) if name else None
    tables = [e for d in session.engine.databases() for e in session.catalog.entries("DYNAMIC TABLE", d)]
    tables = [e for e in tables if wanted in (None, e.name) and str(e.name).startswith(name_prefix)]
    found = [] if error_only else [(e, r) for e in tables for r in e.details.get("history", [])]
    found = sorted(found, key=lambda pair: str(pair[1]["started"]), reverse=True)[: int(result_limit)]
    return pa.Table.from_pylist([_row(entry, refresh) for entry, refresh in found], _SCHEMA)


def _row(entry: Entry, refresh: dict[str, Any]) -> dict[str, Any]:
    started, ended = (datetime.fromisoformat(refresh[key]) for key in ("started", "ended"))
    lag = schedules.lag_s(str(entry.details["target_lag"]))
    return {
        "NAME": entry.name.name, "SCHEMA_NAME": entry.name.schema, "DATABASE_NAME": entry.name.database,
        "STATE": "SUCCEEDED", "STATE_CODE": "SUCCESS", "QUALIFIED_NAME": str(entry.name),
        "REFRESH_ACTION": refresh["action"], "REFRESH_TRIGGER": refresh["trigger"], "DATA_TIMESTAMP": started,
        "REFRESH_START_TIME": started, "REFRESH_END_TIME": ended, "TARGET_LAG_SEC": lag,
        "COMPLETION_TARGET": None if lag is None else started + timedelta(seconds=lag),
        "GRAPH_HISTORY_VALID_FROM": entry.created_on,
    }  # fmt: skip
