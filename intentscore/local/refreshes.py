"""The refreshes of dynamic tables, and INFORMATION_SCHEMA.DYNAMIC_TABLE_REFRESH_HISTORY."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from intentscore.local.catalog import Entry
from intentscore.local.names import split
from intentscore.local.sources import table_function

if TYPE_CHECKING:
    from intentscore.local.session import Session

KEPT = 100
_TIMES = ("DATA_TIMESTAMP", "REFRESH_START_TIME", "REFRESH_END_TIME")
_TEXTS = ("NAME", "SCHEMA_NAME", "DATABASE_NAME", "STATE", "STATE_CODE", "STATE_MESSAGE", "QUERY_ID",
          "QUALIFIED_NAME", "REFRESH_ACTION", "REFRESH_TRIGGER")  # fmt: skip


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
    rows = [_row(entry, refresh) for entry, refresh in found]
    return pa.table(
        {column: pa.array([row[column] for row in rows], pa.string()) for column in _TEXTS}
        | {column: pa.array([row[column] for row in rows], pa.timestamp("us", tz="UTC")) for column in _TIMES}
    )


def _row(entry: Entry, refresh: dict[str, Any]) -> dict[str, Any]:
    started, ended = (datetime.fromisoformat(refresh[key]) for key in ("started", "ended"))
    return {
        "NAME": entry.name.name, "SCHEMA_NAME": entry.name.schema, "DATABASE_NAME": entry.name.database,
        "STATE": "SUCCEEDED", "STATE_CODE": "SUCCESS", "STATE_MESSAGE": None, "QUERY_ID": None,
        "QUALIFIED_NAME": str(entry.name), "REFRESH_ACTION": refresh["action"], "REFRESH_TRIGGER": refresh["trigger"],
        "DATA_TIMESTAMP": started, "REFRESH_START_TIME": started, "REFRESH_END_TIME": ended,
    }  # fmt: skip
