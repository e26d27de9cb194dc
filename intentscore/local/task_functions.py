"""What a task asks about its own run, and the table functions over tasks and their runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from intentscore.local import names, parsing, results, sql, task_statements, tasks
from intentscore.local.context_functions import context_function
from intentscore.local.errors import SnowflakeError, invalid
from intentscore.local.results import Result
from intentscore.local.sources import table_function
from intentscore.local.statements import Effect, Statement, statement
from intentscore.local.task_history import EXECUTING, FAILED, SCHEDULED, SKIPPED, SUCCEEDED, GraphRun, TaskRun
from intentscore.local.task_runner import Context
from intentscore.local.tasks import Schema, Task
from intentscore.local.types import NUMBER, TEXT, TIMESTAMP_LTZ, ColumnType

if TYPE_CHECKING:
    from intentscore.local.session import Session

MOST_ROWS = 10_000
AHEAD = timedelta(days=8)
DONE = (SUCCEEDED, FAILED, SKIPPED, "CANCELLED")


def current_run(session: Session, function: str) -> Context:
    context: Context | None = session.task_run
    if context is None:
        raise SnowflakeError(f"Function {function} must be called from within a task.", 91426, "22023")
    return context


def timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


# ---------------------------------------------------------------------------- inside a task


@context_function("SYSTEM$SET_RETURN_VALUE")
def set_return_value(session: Session, value: Any) -> str:
    current_run(session, "SYSTEM$SET_RETURN_VALUE").return_value = None if value is None else str(value)
    return "Return value set."


@context_function("SYSTEM$GET_PREDECESSOR_RETURN_VALUE")
def get_predecessor_return_value(session: Session, name: str | None = None) -> str | None:
    """Of the predecessor named, or of the only one; a finalizer may name any task of the graph."""
    context = current_run(session, "SYSTEM$GET_PREDECESSOR_RETURN_VALUE")
    task = context.task
    if name is not None:
        wanted = names.split(name)[-1]
        known = task.predecessors if task.finalizes is None else list(context.values)
        wanted = next((n for n in known if n in (wanted, name)), wanted)
        if wanted not in known:
            raise invalid(f"task {wanted} is not a predecessor of task {task.name.name}")
        return context.values.get(wanted)
    if len(task.predecessors) != 1:
        raise invalid(f"task {task.name.name} has {len(task.predecessors)} predecessors: name one")
    return context.values.get(task.predecessors[0])


@context_function("SYSTEM$GET_TASK_GRAPH_CONFIG")
def get_task_graph_config(session: Session, path: str | None = None) -> str | None:
    context = current_run(session, "SYSTEM$GET_TASK_GRAPH_CONFIG")
    text = context.run.config or context.root_config
    if text is None or path is None:
        return text
    found: Any = json.loads(text)
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found if found is None or isinstance(found, str) else json.dumps(found)


@context_function("SYSTEM$CURRENT_USER_TASK_NAME")
def current_user_task_name(session: Session) -> str:
    return str(current_run(session, "SYSTEM$CURRENT_USER_TASK_NAME").task.name)


@context_function("SYSTEM$TASK_RUNTIME_INFO")
def task_runtime_info(session: Session, wanted: str) -> str | None:
    context = current_run(session, "SYSTEM$TASK_RUNTIME_INFO")
    last = context.last_success
    match wanted.upper():
        case "CURRENT_TASK_NAME":
            return str(context.task.name)
        case "CURRENT_ROOT_TASK_NAME":
            return str(context.root)
        case "CURRENT_ROOT_TASK_UUID":
            return context.run.root_task_id
        case "CURRENT_TASK_GRAPH_RUN_GROUP_ID":
            return context.run.graph_run_group_id
        case "CURRENT_TASK_GRAPH_ORIGINAL_SCHEDULED_TIMESTAMP":
            return original_schedule(context.run)
        case "LAST_SUCCESSFUL_TASK_GRAPH_RUN_GROUP_ID":
            return last.graph_run_group_id if last else None
        case "LAST_SUCCESSFUL_TASK_GRAPH_ORIGINAL_SCHEDULED_TIMESTAMP":
            return original_schedule(last) if last else None
    raise invalid(f"SYSTEM$TASK_RUNTIME_INFO does not know '{wanted}'")


def original_schedule(run: GraphRun) -> str:
    """A retry has a time of its own, but the run id of the first attempt, which is its time in milliseconds."""
    return timestamp(datetime.fromtimestamp(run.run_id / 1000, UTC))


@statement(
    "CALL SYSTEM$SET_RETURN_VALUE", "CALL SYSTEM$GET_PREDECESSOR_RETURN_VALUE", "CALL SYSTEM$GET_TASK_GRAPH_CONFIG",
    "CALL SYSTEM$CURRENT_USER_TASK_NAME", "CALL SYSTEM$TASK_RUNTIME_INFO", "CALL SYSTEM$TASK_DEPENDENTS_ENABLE",
)  # fmt: skip
def call_system_function(session: Session, head: Statement) -> Result:
    """A system function is called as a procedure too; its value is the only cell."""
    head.scanner.at -= 1
    query = parsing.parse(f"SELECT {head.scanner.rest()}", head.scanner.bindings)
    answer = sql.query(session, query)
    return Result(answer.table.rename_columns([head.words[1]]), answer.columns)


# ---------------------------------------------------------------------------- from anywhere


@context_function("SYSTEM$TASK_DEPENDENTS_ENABLE")
def task_dependents_enable(session: Session, name: str) -> str:
    with session.effect(Effect.DEFINE):
        tasks.enable_dependents(session, session.resolve(names.split(name)))
    return "Statement executed successfully."


@table_function("TASK_DEPENDENTS")
def task_dependents(session: Session, task_name: str, recursive: bool = True) -> pa.Table:
    name = session.resolve(names.split(task_name))
    tasks.find(session, name)
    schema = Schema.of(session, name)
    found = dependents(schema, name.name, recursive=recursive)
    columns = {key.upper(): column for key, column in task_statements.COLUMNS.items()}
    return results.rows(columns, [task_statements.row(schema, task) for task in found]).table


def dependents(schema: Schema, name: str, *, recursive: bool) -> list[Task]:
    """The task itself, and the tasks behind it."""
    if recursive:
        return schema.graph(name)
    finalizer = schema.finalizer(name)
    return [schema[name], *schema.children(name), *([finalizer] if finalizer else [])]


# ---------------------------------------------------------------------------- what has run

_RUN_COLUMNS: dict[str, ColumnType] = {
    **dict.fromkeys(("QUERY_ID", "NAME", "DATABASE_NAME", "SCHEMA_NAME", "QUERY_TEXT", "CONDITION_TEXT"), TEXT),
    "STATE": TEXT, "ERROR_CODE": NUMBER, "ERROR_MESSAGE": TEXT,
    **dict.fromkeys(("SCHEDULED_TIME", "QUERY_START_TIME", "NEXT_SCHEDULED_TIME", "COMPLETED_TIME"), TIMESTAMP_LTZ),
    "ROOT_TASK_ID": TEXT, "GRAPH_VERSION": NUMBER, "RUN_ID": NUMBER, "RETURN_VALUE": TEXT, "SCHEDULED_FROM": TEXT,
    "ATTEMPT_NUMBER": NUMBER, "INSTANCE_ID": TEXT, "GRAPH_RUN_GROUP_ID": TEXT, "CONFIG": TEXT,
}  # fmt: skip
_GRAPH_COLUMNS: dict[str, ColumnType] = {
    **dict.fromkeys(("ROOT_TASK_NAME", "DATABASE_NAME", "SCHEMA_NAME", "STATE", "SCHEDULED_FROM",
                     "FIRST_ERROR_TASK_NAME"), TEXT),
    "FIRST_ERROR_CODE": NUMBER, "FIRST_ERROR_MESSAGE": TEXT,
    **dict.fromkeys(("SCHEDULED_TIME", "QUERY_START_TIME", "NEXT_SCHEDULED_TIME", "COMPLETED_TIME"), TIMESTAMP_LTZ),
    "ROOT_TASK_ID": TEXT, "GRAPH_VERSION": NUMBER, "RUN_ID": NUMBER, "ATTEMPT_NUMBER": NUMBER, "CONFIG": TEXT,
    "GRAPH_RUN_GROUP_ID": TEXT,
}  # fmt: skip


def _table(
    columns: dict[str, ColumnType], records: Sequence[tuple[str, GraphRun | TaskRun, datetime | None]]
) -> pa.Table:
    """Rows of (database, record, time of the next run), whose columns carry the names of the records' fields."""
    made_up = {"DATABASE_NAME", "NEXT_SCHEDULED_TIME", "INSTANCE_ID"}
    rows = []
    for database, record, following in records:
        own = {name: getattr(record, name.lower()) for name in columns if name not in made_up}
        own |= {"DATABASE_NAME": database, "NEXT_SCHEDULED_TIME": following, "INSTANCE_ID": None}
        rows.append([own[name] for name in columns])
    return results.rows(columns, rows).table


def _limit(value: Any) -> int:
    if not isinstance(value, int) or not 1 <= value <= MOST_ROWS:
        raise invalid(f"RESULT_LIMIT must be between 1 and {MOST_ROWS}")
    return value


@table_function("TASK_HISTORY")
def task_history(
    session: Session,
    scheduled_time_range_start: datetime | None = None,
    scheduled_time_range_end: datetime | None = None,
    result_limit: int = 100,
    task_name: str | None = None,
    error_only: bool = False,
    root_task_id: str | None = None,
) -> pa.Table:
    """Runs of the last seven days and the next ones of the schedules, newest first."""
    conditions = ["SCHEDULED_TIME >= ?"]
    values: list[Any] = [_aware(scheduled_time_range_start) or datetime.now(UTC) - timedelta(days=7)]
    if end := _aware(scheduled_time_range_end):
        conditions, values = [*conditions, "SCHEDULED_TIME <= ?"], [*values, end]
    if task_name is not None:
        conditions, values = [*conditions, "upper(NAME) = upper(?)"], [*values, task_name]
    if root_task_id is not None:
        conditions, values = [*conditions, "ROOT_TASK_ID = ?"], [*values, root_task_id]
    if error_only:
        conditions.append("STATE IN ('FAILED', 'CANCELLED')")
    found: list[tuple[str, GraphRun | TaskRun, datetime | None]] = []
    history = session.engine.task_runs.history
    for database in session.engine.databases():
        runs = history.task_runs(database, " AND ".join(conditions), values)
        found += [(database, run, None) for run in runs]
        if end is None and not error_only:
            upcoming = [(_upcoming_task(root, due)) for root, due in scheduled(session, database)]
            found += [(database, run, None) for run in upcoming if task_name in (None, run.name)
                      and root_task_id in (None, run.root_task_id)]  # fmt: skip
    found.sort(key=lambda one: one[1].scheduled_time, reverse=True)
    return _table(_RUN_COLUMNS, found[: _limit(result_limit)])


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def scheduled(session: Session, database: str) -> list[tuple[Task, datetime]]:
    """The root tasks of a database that are due within eight days, and when."""
    now = datetime.now(UTC)
    found = []
    for entry in session.catalog.entries(tasks.TASK, database):
        task = tasks.from_entry(entry)
        due = task.next_run(now) if task.is_root else None
        if due is not None and due - now <= AHEAD:
            found.append((task, due))
    return found


def _upcoming_task(root: Task, due: datetime) -> TaskRun:
    return TaskRun(root.name.schema, root.name.name, root.id, "", 1, root.version, _milliseconds(due), "SCHEDULE", due,
                   SCHEDULED, root.definition, root.condition)  # fmt: skip


def upcoming_graph(root: Task, due: datetime) -> GraphRun:
    return GraphRun(root.name.schema, root.name.name, root.id, "", 1, root.version, _milliseconds(due), "SCHEDULE", due)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


Graphs = list[tuple[str, GraphRun, datetime | None]]


def current_graphs(session: Session, database: str, root: str | None = None, schema: str | None = None) -> Graphs:
    """Graph runs under way, and those the schedules start next."""
    history = session.engine.task_runs.history
    coming = [(task, due) for task, due in scheduled(session, database)]
    running = history.graph_runs(database, f"STATE IN ('{SCHEDULED}', '{EXECUTING}')")
    found: Graphs = [(database, run, _after(session, database, run)) for run in running]
    found += [(database, upcoming_graph(task, due), task.next_run(due)) for task, due in coming]
    return [one for one in found if _is_of(one[1], root, schema)]


def complete_graphs(session: Session, database: str, root: str | None = None, schema: str | None = None, *,
                    error_only: bool = False) -> Graphs:  # fmt: skip
    """Graph runs that ended in the last hour."""
    states = "('FAILED', 'CANCELLED')" if error_only else str(DONE)
    history = session.engine.task_runs.history
    since = datetime.now(UTC) - timedelta(hours=1)
    runs = history.graph_runs(database, f"STATE IN {states} AND COMPLETED_TIME >= ?", [since])
    return [(database, run, _after(session, database, run)) for run in runs if _is_of(run, root, schema)]


def _is_of(run: GraphRun, root: str | None, schema: str | None) -> bool:
    return root in (None, run.root_task_name) and schema in (None, run.schema_name)


def _after(session: Session, database: str, run: GraphRun) -> datetime | None:
    """When the schedule starts the next run after this one."""
    entry = session.catalog.get(tasks.TASK, names.ObjectName(database, run.schema_name, run.root_task_name))
    return tasks.from_entry(entry).next_run(run.scheduled_time) if entry else None


@table_function("CURRENT_TASK_GRAPHS")
def current_task_graphs(session: Session, result_limit: int = 1000, root_task_name: str | None = None) -> pa.Table:
    root = root_task_name.upper() if root_task_name else None
    found = [one for database in session.engine.databases() for one in current_graphs(session, database, root)]
    return _table(_GRAPH_COLUMNS, found[: _limit(result_limit)])


@table_function("COMPLETE_TASK_GRAPHS")
def complete_task_graphs(session: Session, result_limit: int = 1000, root_task_name: str | None = None,
                         error_only: bool = False) -> pa.Table:  # fmt: skip
    root = root_task_name.upper() if root_task_name else None
    found = [
        one
        for database in session.engine.databases()
        for one in complete_graphs(session, database, root, error_only=error_only)
    ]
    return _table(_GRAPH_COLUMNS, found[: _limit(result_limit)])
