"""Tasks in SQL: CREATE, ALTER, DROP, SHOW, DESCRIBE and EXECUTE TASK."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from intentscore.local import results, tasks
from intentscore.local.catalog import OWNER
from intentscore.local.dropping import drop
from intentscore.local.errors import invalid
from intentscore.local.names import ObjectName, fold
from intentscore.local.results import Result
from intentscore.local.scanner import Scanner
from intentscore.local.show import read_listing
from intentscore.local.statements import Effect, Statement, statement
from intentscore.local.tags import read_tag_values, set_tags, unset_tags
from intentscore.local.tasks import Schema, Task
from intentscore.local.types import TEXT, TIMESTAMP_LTZ
from intentscore.local.warehouses import check_warehouse

if TYPE_CHECKING:
    from intentscore.local.session import Session

_FIELDS = {
    "SCHEDULE": "schedule", "CONFIG": "config", "COMMENT": "comment", "OVERLAP_POLICY": "overlap_policy",
    "USER_TASK_TIMEOUT_MS": "timeout_ms", "SUSPEND_TASK_AFTER_NUM_FAILURES": "suspend_after_failures",
    "TASK_AUTO_RETRY_ATTEMPTS": "retry_attempts",
}  # fmt: skip
_SETTINGS = (
    "USER_TASK_MANAGED_INITIAL_WAREHOUSE_SIZE", "SERVERLESS_TASK_MIN_STATEMENT_SIZE",
    "SERVERLESS_TASK_MAX_STATEMENT_SIZE", "TARGET_COMPLETION_INTERVAL", "ERROR_INTEGRATION", "SUCCESS_INTEGRATION",
    "USER_TASK_MINIMUM_TRIGGER_INTERVAL_IN_SECONDS", "LOG_LEVEL",
)  # fmt: skip
_NUMBERS = ("timeout_ms", "suspend_after_failures", "retry_attempts")
_EMPTY = {"comment": ""}


def _set(task: Task, key: str, value: Any) -> None:
    """One `KEY = value` of CREATE TASK or ALTER TASK SET; what is no property of tasks is a session parameter."""
    if key == "WAREHOUSE":
        task.warehouse = fold(str(value))
    elif key == "ALLOW_OVERLAPPING_EXECUTION":
        task.overlap_policy = "ALLOW_CHILD_OVERLAP" if value in (True, "TRUE", "true") else "NO_OVERLAP"
    elif key == "FINALIZE":
        task.finalizes = fold(str(value))
    elif field := _FIELDS.get(key):
        if field in _NUMBERS and not isinstance(value, int):
            raise invalid(f"invalid value '{value}' for property {key}")
        setattr(task, field, value.upper() if field == "overlap_policy" else value)
    elif key in _SETTINGS:
        task.settings[key.lower()] = value
    else:
        task.session_parameters[key] = value


def _unset(task: Task, key: str) -> None:
    if key == "WAREHOUSE":
        task.warehouse = None
    elif key == "ALLOW_OVERLAPPING_EXECUTION":
        task.overlap_policy = None
    elif key == "FINALIZE":
        task.finalizes = None
    elif field := _FIELDS.get(key):
        setattr(task, field, _EMPTY.get(field))
    else:
        task.settings.pop(key.lower(), None)
        task.session_parameters.pop(key, None)


def _read_settings(session: Session, scanner: Scanner, task: Task) -> None:
    while scanner.peek(1) == "=":
        key = scanner.word()
        scanner.expect("=")
        if key == "FINALIZE":
            task.finalizes = tasks.bare_name(session, task.name, scanner.name(), "root task")
        else:
            _set(task, key, scanner.identifier() if key == "WAREHOUSE" else scanner.value())
        scanner.accept(",")


def _read_names(session: Session, scanner: Scanner, task: Task) -> list[str]:
    found = [_read_predecessor(session, scanner, task)]
    while scanner.accept(","):
        found.append(_read_predecessor(session, scanner, task))
    return found


def _read_predecessor(session: Session, scanner: Scanner, task: Task) -> str:
    """A name, which may be written as a string."""
    parts = [fold(scanner.string())] if scanner.is_string else scanner.name()
    return tasks.bare_name(session, task.name, parts, "predecessor")


# ---------------------------------------------------------------------------- create


@statement("CREATE TASK", effect=Effect.DEFINE)
def create_task(session: Session, head: Statement) -> Result:
    quietly = head.if_not_exists()
    name = session.resolve(head.scanner.name())
    task, tagged = _read_task(session, head.scanner, name)
    if not tasks.create(session, task, or_replace=head.or_replace, quietly=quietly):
        return results.done(f"{name.name} already exists, statement succeeded.")
    session.catalog.clear_tags(name, tasks.TASK)
    for tag, value in tagged:
        session.catalog.set_tag(name, tasks.TASK, tag, value)
    return results.done(f"Task {name.name} successfully created.")


@statement("CREATE OR ALTER TASK", effect=Effect.DEFINE)
def create_or_alter_task(session: Session, head: Statement) -> Result:
    name = session.resolve(head.scanner.name())
    task, _ = _read_task(session, head.scanner, name)
    known = session.catalog.get(tasks.TASK, name) is not None
    tasks.create_or_alter(session, task)
    return results.done(f"Task {name.name} successfully {'altered' if known else 'created'}.")


def _read_task(session: Session, scanner: Scanner, name: ObjectName) -> tuple[Task, list[tuple[ObjectName, str]]]:
    task, tagged = Task(name, ""), []
    while not scanner.accept("AS"):
        if scanner.accept("WITH", "TAG") or scanner.accept("TAG"):
            tagged = read_tag_values(session, Scanner(scanner.parenthesised()))
        elif scanner.accept("AFTER"):
            task.predecessors = _read_names(session, scanner, task)
        elif scanner.accept("WHEN"):
            task.condition = scanner.until("AS")
        elif scanner.accept("EXECUTE", "AS", "USER"):
            task.settings["execute_as_user"] = scanner.identifier()
        elif scanner.peek(1) == "=":
            _read_settings(session, scanner, task)
        else:
            raise scanner.unexpected("AS")
    task.definition = scanner.rest()
    if not task.definition:
        raise scanner.unexpected("a statement")
    return task, tagged


# ---------------------------------------------------------------------------- alter, drop


@statement("ALTER TASK", effect=Effect.DEFINE)
def alter_task(session: Session, head: Statement) -> Result:
    scanner, quietly = head.scanner, head.if_exists()
    name = session.resolve(scanner.name())
    if quietly and session.catalog.get(tasks.TASK, name) is None:
        return results.done()
    tasks.find(session, name)
    if scanner.accept("RESUME"):
        scanner.end()
        tasks.resume(session, name)
    elif scanner.accept("SUSPEND"):
        scanner.end()
        tasks.suspend(session, name)
    elif scanner.accept("SET", "TAG"):
        set_tags(session, name, tasks.TASK, scanner)
    elif scanner.accept("UNSET", "TAG"):
        unset_tags(session, name, tasks.TASK, scanner)
    else:
        _change(session, scanner, name)
    return results.done()


def _change(session: Session, scanner: Scanner, name: ObjectName) -> None:
    """Changes of the graph or of what it runs: its root must be suspended before and after."""
    graph = Schema.of(session, name)
    task = graph[name.name]
    graph.require_suspended(task)
    if scanner.accept("SET", "FINALIZE", "="):
        task.finalizes = tasks.bare_name(session, name, scanner.name(), "root task")
    elif scanner.accept("SET"):
        _read_settings(session, scanner, task)
    elif scanner.accept("UNSET"):
        while not scanner.done:
            _unset(task, scanner.word())
            scanner.accept(",")
    elif scanner.accept("ADD", "AFTER"):
        task.predecessors += [n for n in _read_names(session, scanner, task) if n not in task.predecessors]
    elif scanner.accept("REMOVE", "AFTER"):
        gone = _read_names(session, scanner, task)
        task.predecessors = [n for n in task.predecessors if n not in gone]
    elif scanner.accept("REMOVE", "WHEN"):
        task.condition = None
    elif scanner.accept("MODIFY", "AS"):
        task.definition = scanner.rest()
    elif scanner.accept("MODIFY", "WHEN"):
        task.condition = scanner.rest()
    else:
        raise scanner.unexpected("RESUME, SUSPEND, SET, UNSET, ADD AFTER, REMOVE AFTER, REMOVE WHEN or MODIFY")
    scanner.end()
    check_warehouse(session, task.warehouse)
    graph.check(task)
    graph.require_suspended(task)
    tasks.save(session, task)


@statement("DROP TASK", effect=Effect.DEFINE)
def drop_task(session: Session, head: Statement) -> Result:
    return drop(session, head, "Task", _remove)


def _remove(session: Session, name: ObjectName) -> bool:
    if session.catalog.get(tasks.TASK, name) is None:
        return False
    tasks.drop(session, name)
    return True


# ---------------------------------------------------------------------------- show, describe

COLUMNS = {
    "created_on": TIMESTAMP_LTZ,
    **dict.fromkeys(
        ("name", "id", "database_name", "schema_name", "owner", "comment", "warehouse", "schedule", "predecessors",
         "state", "definition", "condition", "allow_overlapping_execution", "error_integration"), TEXT),
    "last_committed_on": TIMESTAMP_LTZ, "last_suspended_on": TIMESTAMP_LTZ,
    **dict.fromkeys(
        ("owner_role_type", "config", "budget", "task_relations", "last_suspended_reason", "success_integration",
         "scheduling_mode", "target_completion_interval", "execute_as_user", "overlap_policy"), TEXT),
}  # fmt: skip


def relations(graph: Schema, task: Task) -> str:
    """How a task stands to others, as SHOW TASKS and the clients know it."""
    found: dict[str, Any] = {"Predecessors": [str(task.sibling(n)) for n in task.predecessors]}
    if finalizer := graph.finalizer_of(task):
        found["FinalizerTask"] = finalizer
    if task.finalizes is not None:
        found["FinalizedRootTask"] = str(task.sibling(task.finalizes))
    return json.dumps(found, separators=(",", ":"))


def row(graph: Schema, task: Task) -> list[Any]:
    return [
        task.created_on, task.name.name, task.id, task.name.database, task.name.schema, OWNER, task.comment,
        task.warehouse, task.schedule, json.dumps([str(task.sibling(n)) for n in task.predecessors]), task.state,
        task.definition, task.condition, str(task.overlap_policy == "ALLOW_CHILD_OVERLAP").lower(),
        task.settings.get("error_integration"), moment(task.last_committed_on), moment(task.last_suspended_on), "ROLE",
        task.config, None, relations(graph, task), task.last_suspended_reason,
        task.settings.get("success_integration"), "FIXED" if task.schedule else None,
        task.settings.get("target_completion_interval"), task.settings.get("execute_as_user"),
        task.overlap_policy or "NO_OVERLAP",
    ]  # fmt: skip


def moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@statement("SHOW TASKS", "SHOW TERSE TASKS")
def show_tasks(session: Session, head: Statement) -> Result:
    listing = read_listing(session, head.scanner, roots=True)
    limit, listing.limit = listing.limit, None
    found = [tasks.from_entry(entry) for entry in listing.entries(session, tasks.TASK)]
    schemas = {task.name[:2]: Schema.of(session, task.name) for task in found}
    shown = [task for task in found if task.is_root or not listing.root_only][:limit]
    answer = results.rows(COLUMNS, [row(schemas[task.name[:2]], task) for task in shown])
    if head.words[1] == "TERSE":
        terse = ("created_on", "name", "database_name", "schema_name", "schedule", "state")
        answer = results.Result(answer.table.select(terse), [COLUMNS[name] for name in terse])
    return answer


@statement("DESCRIBE TASK", "DESC TASK")
def describe_task(session: Session, head: Statement) -> Result:
    name = session.resolve(head.scanner.name())
    head.scanner.end()
    task = tasks.find(session, name)
    return results.rows(COLUMNS, [row(Schema.of(session, name), task)])


# ---------------------------------------------------------------------------- execute


@statement("EXECUTE TASK", effect=Effect.DEFINE)
def execute_task(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    name, config, retry = session.resolve(scanner.name()), None, False
    if scanner.accept("RETRY", "LAST"):
        retry = True
    elif scanner.accept("USING", "CONFIG"):
        scanner.expect("=")
        config = scanner.string()
    scanner.end()
    session.engine.task_runs.execute(session, name, config=config, retry_last=retry)
    return results.done(f"Task {name.name} is scheduled to run immediately.")
