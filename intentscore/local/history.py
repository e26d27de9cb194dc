"""What runs and what ran: query history, open transactions, and the functions that cancel and wait."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from intentscore.local import parsing, queries, results, rewrites, types
from intentscore.local.context_functions import context_function, evaluate
from intentscore.local.errors import SnowflakeError, invalid
from intentscore.local.queries import Query
from intentscore.local.results import Result
from intentscore.local.sources import table_function
from intentscore.local.statements import Statement, statement

if TYPE_CHECKING:
    from intentscore.local.session import Session

MAX_ROWS = 10_000
UNITS_S = {"SECONDS": 1, "MINUTES": 60, "HOURS": 3600, "DAYS": 86_400}
MOMENT = pa.timestamp("us", tz="UTC")


# ---------------------------------------------------------------------------- cancelling and waiting


@context_function("SYSTEM$CANCEL_QUERY")
def cancel_query(session: Session, query_id: str) -> str:
    query = session.engine.queries.get(str(query_id))
    if query is None or not query.stop(queries.cancelled()):
        raise SnowflakeError("Identified SQL statement is not currently executing.", 605, "57014")
    return f"query [{query_id}] terminated."


@context_function("SYSTEM$CANCEL_ALL_QUERIES")
def cancel_all_queries(session: Session, session_id: int | str) -> str:
    """Cancel what a session runs; the statement that asks for it is not meant."""
    mine = [query for query in session.engine.queries.running() if query.session_id == int(session_id)]
    running = [query for query in mine if not cancels(query.text)]
    stopped = [query for query in running if query.stop(queries.cancelled())]
    return f"{len(stopped)} queries cancelled"


@context_function("SYSTEM$ABORT_SESSION")
def abort_session(session: Session, session_id: int | str) -> str:
    found = [s for s in session.engine.masters.values() if s.id == int(session_id)]
    if not found or found[0] is session:
        raise invalid(f"Session {session_id} does not exist or cannot be aborted.")
    found[0].close()
    return f"Session {session_id} terminated."


@context_function("SYSTEM$WAIT")
def wait(session: Session, amount: float, unit: str = "SECONDS") -> str:
    if unit.upper() not in UNITS_S:
        raise invalid(f"invalid time unit '{unit}' of SYSTEM$WAIT")
    session.wait(float(amount) * UNITS_S[unit.upper()])
    return f"waited {amount:g} {unit.lower()}"


def cancels(text: str) -> bool:
    """Whether a statement cancels others: it does not wait for its turn."""
    words = text[:60].upper().split(maxsplit=1)
    return len(words) == 2 and words[0] == "SELECT" and words[1].startswith("SYSTEM$CANCEL_")


def cancel(session: Session, text: str) -> Result:
    """Answer such a statement without DuckDB, whose connection is busy with what is to be cancelled."""
    select = evaluate(rewrites.name_columns(parsing.parse(text)), session)
    cells = {cell.alias_or_name: cell.unalias().to_py() for cell in select.expressions}
    return results.rows(dict.fromkeys(cells, types.TEXT), [list(cells.values())])


# ---------------------------------------------------------------------------- transactions


@statement("SHOW TRANSACTIONS")
def show_transactions(session: Session, head: Statement) -> Result:
    if head.scanner.accept("IN"):
        head.scanner.expect("ACCOUNT")
    head.scanner.end()
    columns = {
        "id": types.NUMBER, "user": types.TEXT, "session": types.NUMBER, "name": types.TEXT,
        "started_on": types.TIMESTAMP_LTZ, "state": types.TEXT, "scope": types.NUMBER,
    }  # fmt: skip
    opened = [s for s in session.engine.masters.values() if s.transaction.id is not None]
    return results.rows(
        columns,
        [[int(s.transaction.id or 0), session.engine.user.upper(), s.id, "", s.transaction.started, "running", 0]
         for s in opened],
    )  # fmt: skip


@statement("SHOW LOCKS")
def show_locks(session: Session, head: Statement) -> Result:
    """One session writes at a time, so that there is at most one lock."""
    if head.scanner.accept("IN"):
        head.scanner.expect("ACCOUNT")
    head.scanner.end()
    columns = {
        "resource": types.TEXT, "type": types.TEXT, "transaction": types.NUMBER,
        "transaction_started_on": types.TIMESTAMP_LTZ, "status": types.TEXT, "acquired_on": types.TIMESTAMP_LTZ,
        "query_id": types.TEXT, "session": types.NUMBER,
    }  # fmt: skip
    owner = session.engine.writer.owner
    if owner is None or owner.transaction.id is None:
        return results.rows(columns, [])
    held = owner.transaction
    row = [owner.database, "PARTITIONS", int(held.id or 0), held.started, "HOLDING", held.started, None, owner.id]
    return results.rows(columns, [row])


@statement("SHOW REGIONS")
def show_regions(session: Session, head: Statement) -> Result:
    head.scanner.end()
    columns = dict.fromkeys(("region_group", "snowflake_region", "cloud", "region", "display_name"), types.TEXT)
    return results.rows(columns, [["PUBLIC", "LOCAL", "local", "local", "the local engine"]])


@context_function("CURRENT_TRANSACTION")
def current_transaction(session: Session) -> str | None:
    return session.transaction.id


@context_function("LAST_TRANSACTION")
def last_transaction(session: Session) -> str | None:
    return session.transaction.last_id


# ---------------------------------------------------------------------------- query history

_KINDS = {
    "BEGIN": "BEGIN_TRANSACTION", "START": "BEGIN_TRANSACTION", "PUT": "PUT_FILES", "GET": "GET_FILES",
    "LIST": "LIST_FILES", "LS": "LIST_FILES", "REMOVE": "REMOVE_FILES", "RM": "REMOVE_FILES", "WITH": "SELECT",
    "DESC": "DESCRIBE", "TRUNCATE": "TRUNCATE_TABLE",
}  # fmt: skip
_OBJECT_VERBS = ("CREATE", "ALTER", "DROP")


def kind(text: str) -> str:
    """QUERY_TYPE, from the statement's first words."""
    words = [word.strip("(;").upper() for word in text[:200].split()]
    words = [word for word in words if word not in ("OR", "REPLACE", "TRANSIENT", "TEMP", "TEMPORARY", "SCOPED")]
    if not words:
        return "UNKNOWN"
    if words[0] in _OBJECT_VERBS and len(words) > 1:
        return f"{words[0]}_{words[1]}"
    return _KINDS.get(words[0], words[0])


@table_function("QUERY_HISTORY", "QUERY_HISTORY_BY_USER", "QUERY_HISTORY_BY_WAREHOUSE")
def query_history(session: Session, *positional: Any, **limits: Any) -> pa.Table:
    """Source: https://docs.snowflake.com/en/sql-reference/functions/query_history"""
    return _history(session, session.engine.queries.all(), **limits)


@table_function("QUERY_HISTORY_BY_SESSION")
def query_history_by_session(session: Session, *positional: Any, **limits: Any) -> pa.Table:
    wanted = int(limits.pop("session_id", None) or (positional[0] if positional else session.id))
    return _history(session, [q for q in session.engine.queries.all() if q.session_id == wanted], **limits)


def _history(session: Session, found: list[Query], **limits: Any) -> pa.Table:
    start, end = (limits.pop(f"end_time_range_{edge}", None) for edge in ("start", "end"))
    limit = int(limits.pop("result_limit", 100))
    for named in ("user_name", "warehouse_name", "include_client_generated_statement"):
        limits.pop(named, None)
    if limits:
        raise invalid(f"invalid argument '{next(iter(limits))}' of QUERY_HISTORY")
    if not 1 <= limit <= MAX_ROWS:
        raise invalid(f"RESULT_LIMIT must be between 1 and {MAX_ROWS}")
    found = [q for q in found if _within(q, start, end)]
    rows = [_row(session, query) for query in reversed(found)][:limit]
    return pa.Table.from_pylist(rows, _SCHEMA)


def _within(query: Query, start: datetime | None, end: datetime | None) -> bool:
    ended = query.ended
    if ended is None:
        return end is None
    return (start is None or ended >= _aware(start)) and (end is None or ended <= _aware(end))


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


_SCHEMA = pa.schema([
    ("QUERY_ID", pa.string()), ("QUERY_TEXT", pa.string()), ("DATABASE_NAME", pa.string()),
    ("SCHEMA_NAME", pa.string()), ("QUERY_TYPE", pa.string()), ("SESSION_ID", pa.int64()), ("USER_NAME", pa.string()),
    ("ROLE_NAME", pa.string()), ("WAREHOUSE_NAME", pa.string()), ("WAREHOUSE_SIZE", pa.string()),
    ("QUERY_TAG", pa.string()), ("EXECUTION_STATUS", pa.string()), ("ERROR_CODE", pa.string()),
    ("ERROR_MESSAGE", pa.string()), ("START_TIME", MOMENT), ("END_TIME", MOMENT), ("TOTAL_ELAPSED_TIME", pa.int64()),
    ("EXECUTION_TIME", pa.int64()), ("COMPILATION_TIME", pa.int64()), ("ROWS_PRODUCED", pa.int64()),
    ("BYTES_SCANNED", pa.int64()),
])  # fmt: skip


def _row(session: Session, query: Query) -> dict[str, Any]:
    database, schema, warehouse, role = query.context or (None, None, None, None)
    status = {queries.FAILED: "FAILED_WITH_ERROR", queries.SUCCEEDED: "SUCCESS"}.get(query.status, "RUNNING")
    elapsed = int(((query.ended or datetime.now(UTC)) - query.started).total_seconds() * 1000)
    return {
        "QUERY_ID": query.id, "QUERY_TEXT": query.text, "DATABASE_NAME": database, "SCHEMA_NAME": schema,
        "QUERY_TYPE": kind(query.text), "SESSION_ID": query.session_id, "USER_NAME": session.engine.user.upper(),
        "ROLE_NAME": role, "WAREHOUSE_NAME": warehouse, "WAREHOUSE_SIZE": None, "QUERY_TAG": query.tag,
        "EXECUTION_STATUS": status, "ERROR_CODE": f"{query.error.code:06d}" if query.error else None,
        "ERROR_MESSAGE": query.error.message if query.error else None, "START_TIME": query.started,
        "END_TIME": query.ended, "TOTAL_ELAPSED_TIME": elapsed, "EXECUTION_TIME": elapsed, "COMPILATION_TIME": 0,
        "ROWS_PRODUCED": query.rows, "BYTES_SCANNED": 0,
    }  # fmt: skip


@table_function("GET_QUERY_OPERATOR_STATS")
def query_operator_stats(session: Session, query_id: str) -> pa.Table:
    """A query as one operator, its result: DuckDB runs it in operators of its own, which are not counted.

    Source: https://docs.snowflake.com/en/sql-reference/functions/get_query_operator_stats
    """
    query = session.engine.queries.get(query_id)
    if query is None or not query.finished.is_set():
        raise SnowflakeError(f"Statement {query_id} not found", 709, "02000")
    counted = {"input_rows": query.rows or 0, "output_rows": query.rows or 0}
    cells = {
        "QUERY_ID": query.id, "STEP_ID": 1, "OPERATOR_ID": 0, "PARENT_OPERATORS": None, "OPERATOR_TYPE": "Result",
        "OPERATOR_STATISTICS": counted, "EXECUTION_TIME_BREAKDOWN": {"overall_percentage": 1.0},
        "OPERATOR_ATTRIBUTES": {"expressions": ["*"]},
    }  # fmt: skip
    kinds = {"STEP_ID": pa.int64(), "OPERATOR_ID": pa.int64(), "PARENT_OPERATORS": pa.list_(pa.int64())}
    return pa.table({name: pa.array([cell], kinds.get(name)) for name, cell in cells.items()})
