"""The REST routes of tasks, as `snowflake.core` asks and parses them.

Source: https://docs.snowflake.com/en/developer-guide/snowflake-rest-api/reference/task
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from intentscore.local import names, schedules, tags, task_functions, task_statements, tasks
from intentscore.local.catalog import OWNER
from intentscore.local.errors import SnowflakeError, invalid, unsupported
from intentscore.local.names import ObjectName, display, fold, like_pattern, literal
from intentscore.local.scanner import Scanner
from intentscore.local.statements import Effect
from intentscore.local.tasks import Schema, Task

if TYPE_CHECKING:
    from intentscore.local.engine import Engine
    from intentscore.local.session import Session

log = logging.getLogger(__name__)
STATUS = {2003: 404, 2043: 404, 2002: 409}
EXPIRED = ("390104", "Authentication token has expired. The user must authenticate again.")
MOST_SHOWN = 10_000
_PLAIN = {
    "comment": "comment", "definition": "definition", "condition": "condition", "overlap_policy": "overlap_policy",
    "user_task_timeout_ms": "timeout_ms", "suspend_task_after_num_failures": "suspend_after_failures",
    "task_auto_retry_attempts": "retry_attempts", "session_parameters": "session_parameters",
}  # fmt: skip
_SETTINGS = (
    "user_task_managed_initial_warehouse_size", "target_completion_interval", "serverless_task_min_statement_size",
    "serverless_task_max_statement_size", "error_integration", "success_integration", "execute_as_user",
)  # fmt: skip
_IGNORED = {"task_relations", "created_on", "id", "owner", "owner_role_type", "state", "last_committed_on",
            "last_suspended_on", "database_name", "schema_name"}  # fmt: skip
_TAKEN = {*_PLAIN, *_SETTINGS, *_IGNORED, "name", "warehouse", "schedule", "predecessors", "finalize", "config",
          "allow_overlapping_execution"}  # fmt: skip


@dataclass(frozen=True)
class Call:
    """One request: who asks, about which schema and task, and how."""

    session: Session
    database: str
    schema: str
    task: str
    query: dict[str, str]
    body: Any

    @property
    def name(self) -> ObjectName:
        return self.session.existing_schema(self.session.resolve([self.database, self.schema, self.task]))

    def flag(self, key: str, *, default: bool = False) -> bool:
        return self.query.get(key, str(default)).lower() == "true"


Answer = Callable[[Call], Any]


def routes(engine: Engine) -> list[Route]:
    base = "/api/v2/databases/{database}/schemas/{schema}/tasks"

    def route(path: str, method: str, answer: Answer, effect: Effect = Effect.READ) -> Route:
        return Route(base + path, _endpoint(engine, answer, effect), methods=[method])

    define = Effect.DEFINE
    return [
        route("", "GET", list_tasks),
        route("", "POST", create, define),
        route("/{name}:resume", "POST", resume, define),
        route("/{name}:suspend", "POST", suspend, define),
        route("/{name}:execute", "POST", execute, define),
        route("/{name}:set-tags", "POST", set_tags, define),
        route("/{name}:unset-tags", "POST", unset_tags, define),
        route("/{name}:get-tags", "GET", get_tags),
        route("/{name}/dependents", "GET", dependents),
        route("/{name}/current_graphs", "GET", current_graphs),
        route("/{name}/current-graphs", "GET", current_graphs),
        route("/{name}/complete_graphs", "GET", complete_graphs),
        route("/{name}/complete-graphs", "GET", complete_graphs),
        route("/{name}", "GET", fetch),
        route("/{name}", "PUT", create_or_alter, define),
        route("/{name}", "DELETE", drop, define),
    ]


def _endpoint(engine: Engine, answer: Answer, effect: Effect) -> Callable[[Request], Any]:
    from intentscore.local.server import session_of

    async def endpoint(request: Request) -> Response:
        session = session_of(engine, request)
        if session is None:
            return failed(401, *EXPIRED)
        raw = await request.body()
        return await run_in_threadpool(_answered, session, request, raw, answer, effect)

    return endpoint


def _answered(session: Session, request: Request, raw: bytes, answer: Answer, effect: Effect) -> Response:
    path = request.path_params
    try:
        call = Call(session, fold(path["database"]), fold(path["schema"]), fold(path.get("name", "")),
                    dict(request.query_params), json.loads(raw) if raw else {})  # fmt: skip
        with session.turn(), session.effect(effect):
            return JSONResponse(_jsonable(answer(call)))
    except SnowflakeError as error:
        return failed(STATUS.get(error.code, 400), f"{error.code:06d}", error.message)
    except ValueError as error:
        return failed(400, "391902", f"The request is not valid JSON: {error}")
    except Exception as error:
        log.exception("the engine failed on: %s %s", request.method, request.url.path)
        return failed(500, "000603", f"Internal error of the local engine: {type(error).__name__}: {error}")


def failed(status: int, code: str, message: str) -> Response:
    content = {"message": message, "code": code, "error_code": code, "request_id": secrets.token_hex(16)}
    return JSONResponse(content, status_code=status)


def done(message: str) -> dict[str, str]:
    return {"status": message}


def _jsonable(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _jsonable(item) for key, item in value.items() if item is not None}
    return [_jsonable(item) for item in value] if isinstance(value, list) else value


# ---------------------------------------------------------------------------- a task as JSON, both ways


def to_json(schema: Schema, task: Task) -> dict[str, Any]:
    found = {key: getattr(task, attribute) for key, attribute in _PLAIN.items()}
    found |= {key: task.settings.get(key) for key in _SETTINGS if key != "target_completion_interval"}
    interval = task.settings.get("target_completion_interval")
    return found | {
        "name": display(task.name.name),
        "warehouse": display(task.warehouse) if task.warehouse else None,
        "schedule": _schedule_json(task.schedule),
        "target_completion_interval": _schedule_json(interval),
        "config": json.loads(task.config) if task.config else None,
        "predecessors": [str(task.sibling(name)) for name in task.predecessors],
        "finalize": display(task.finalizes) if task.finalizes else None,
        "task_relations": task_statements.relations(schema, task),
        "allow_overlapping_execution": task.overlap_policy == "ALLOW_CHILD_OVERLAP",
        "created_on": task.created_on,
        "id": task.id,
        "owner": OWNER,
        "owner_role_type": "ROLE",
        "state": task.state,
        "last_committed_on": task.last_committed_on,
        "last_suspended_on": task.last_suspended_on,
        "database_name": display(task.name.database),
        "schema_name": display(task.name.schema),
        "session_parameters": task.session_parameters or None,
    }


def _schedule_json(text: str | None) -> dict[str, Any] | None:
    match schedules.parse(text) if text else None:
        case schedules.Cron(expression, timezone):
            return {"schedule_type": "CRON_TYPE", "cron_expr": expression, "timezone": timezone}
        case schedules.Interval(seconds):
            return {"schedule_type": "MINUTES_TYPE", "minutes": seconds // 60, "seconds": seconds % 60}
    return None


def from_json(call: Call, given: dict[str, Any]) -> Task:
    if unknown := sorted(set(given) - _TAKEN):
        raise unsupported(f"the task property {unknown[0]}")
    name = call.session.resolve([call.database, call.schema, fold(_text(given, "name"))])
    task = Task(name, _text(given, "definition"))
    for key, attribute in _PLAIN.items():
        if given.get(key) is not None:
            setattr(task, attribute, given[key])
    task.settings = {key: given[key] for key in _SETTINGS if given.get(key) is not None}
    if interval := given.get("target_completion_interval"):
        task.settings["target_completion_interval"] = _schedule_text(interval)
    if warehouse := given.get("warehouse"):
        task.warehouse = fold(warehouse)
    if schedule := given.get("schedule"):
        task.schedule = _schedule_text(schedule)
    if given.get("config"):
        task.config = json.dumps(given["config"])
    if given.get("allow_overlapping_execution") is not None and task.overlap_policy is None:
        task.overlap_policy = "ALLOW_CHILD_OVERLAP" if given["allow_overlapping_execution"] else "NO_OVERLAP"
    session = call.session
    task.predecessors = [
        tasks.bare_name(session, name, names.split(predecessor), "predecessor")
        for predecessor in given.get("predecessors") or []
    ]
    if finalize := given.get("finalize"):
        task.finalizes = tasks.bare_name(session, name, names.split(finalize), "root task")
    return task


def _text(given: dict[str, Any], key: str) -> str:
    value = given.get(key)
    if not isinstance(value, str) or not value:
        raise invalid(f"missing required property {key}")
    return value


def _schedule_text(given: dict[str, Any]) -> str:
    if given.get("schedule_type") == "CRON_TYPE":
        return str(schedules.cron(given["cron_expr"], given["timezone"]))
    return str(schedules.interval(int(given.get("minutes") or 0) * 60 + int(given.get("seconds") or 0)))


# ---------------------------------------------------------------------------- the routes


def list_tasks(call: Call) -> Any:
    name = call.session.existing_schema(ObjectName(call.database, call.schema, ""))
    schema = Schema.of(call.session, name)
    pattern = like_pattern(call.query["like"]) if "like" in call.query else None
    limit = int(call.query.get("showLimit", MOST_SHOWN))
    if not 1 <= limit <= MOST_SHOWN:
        raise invalid(f"showLimit must be between 1 and {MOST_SHOWN}")
    found = [
        task
        for own, task in schema.items()
        if (pattern is None or pattern.fullmatch(own))
        and own.startswith(call.query.get("startsWith", ""))
        and own > call.query.get("fromName", "")
        and (task.is_root or not call.flag("rootOnly"))
    ]
    return [to_json(schema, task) for task in found[:limit]]


def create(call: Call) -> Any:
    mode = call.query.get("createMode", "errorIfExists")
    if mode not in ("errorIfExists", "orReplace", "ifNotExists"):
        raise invalid(f"invalid createMode '{mode}'")
    task = from_json(call, call.body)
    made = tasks.create(call.session, task, or_replace=mode == "orReplace", quietly=mode == "ifNotExists")
    if not made:
        return done(f"{task.name.name} already exists, statement succeeded.")
    call.session.catalog.clear_tags(task.name, tasks.TASK)
    return done(f"Task {task.name.name} successfully created.")


def create_or_alter(call: Call) -> Any:
    given = {**call.body, "name": display(call.task)}
    tasks.create_or_alter(call.session, from_json(call, given))
    return done(f"Task {call.task} successfully altered.")


def fetch(call: Call) -> Any:
    task = tasks.find(call.session, call.name)
    return to_json(Schema.of(call.session, task.name), task)


def drop(call: Call) -> Any:
    if call.flag("ifExists") and call.session.catalog.get(tasks.TASK, call.name) is None:
        return done("Drop statement executed successfully.")
    tasks.drop(call.session, call.name)
    return done(f"{call.task} successfully dropped.")


def resume(call: Call) -> Any:
    tasks.resume(call.session, call.name)
    return done("Statement executed successfully.")


def suspend(call: Call) -> Any:
    tasks.suspend(call.session, call.name)
    return done("Statement executed successfully.")


def execute(call: Call) -> Any:
    config = call.body.get("config")
    call.session.engine.task_runs.execute(
        call.session, call.name, config=config if config is None or isinstance(config, str) else json.dumps(config),
        retry_last=call.flag("retryLast"),
    )  # fmt: skip
    return done(f"Task {call.task} is scheduled to run immediately.")


def dependents(call: Call) -> Any:
    tasks.find(call.session, call.name)
    schema = Schema.of(call.session, call.name)
    found = task_functions.dependents(schema, call.task, recursive=call.flag("recursive", default=True))
    return [to_json(schema, task) for task in found]


def current_graphs(call: Call) -> Any:
    tasks.find(call.session, call.name)
    return _runs(call, task_functions.current_graphs(call.session, call.database, call.task, call.schema))


def complete_graphs(call: Call) -> Any:
    tasks.find(call.session, call.name)
    found = task_functions.complete_graphs(
        call.session, call.database, call.task, call.schema, error_only=call.flag("errorOnly", default=True)
    )
    return _runs(call, found)


def _runs(call: Call, found: task_functions.Graphs) -> Any:
    """The client takes no run without a next one: where no schedule says it, that is the run itself."""
    return [
        {
            "root_task_name": display(run.root_task_name), "database_name": display(database),
            "schema_name": display(run.schema_name), "state": run.state,
            "first_error_task_name": run.first_error_task_name, "first_error_code": run.first_error_code,
            "first_error_message": run.first_error_message, "scheduled_time": run.scheduled_time,
            "query_start_time": run.query_start_time, "next_scheduled_time": following or run.scheduled_time,
            "completed_time": run.completed_time, "root_task_id": run.root_task_id,
            "graph_version": run.graph_version, "run_id": run.run_id,
        }
        for database, run, following in found[: int(call.query.get("resultLimit", 1000))]
    ]  # fmt: skip


# ---------------------------------------------------------------------------- tags


def set_tags(call: Call) -> Any:
    tasks.find(call.session, call.name)
    pairs = [f"{_tag(call, tag)} = {literal(str(tag.get('tag_value', '')))}" for tag in _listed(call)]
    tags.set_tags(call.session, call.name, tasks.TASK, Scanner(", ".join(pairs)))
    return done("Statement executed successfully.")


def unset_tags(call: Call) -> Any:
    tasks.find(call.session, call.name)
    tags.unset_tags(call.session, call.name, tasks.TASK, Scanner(", ".join(_tag(call, tag) for tag in _listed(call))))
    return done("Statement executed successfully.")


def get_tags(call: Call) -> Any:
    tasks.find(call.session, call.name)
    references = call.session.catalog.tag_references(call.name.database)
    found = [(names.split(tag), value) for name, _, tag, value in references if name == call.name]
    return [
        {"tag_database": tag[0], "tag_schema": tag[1], "tag_name": tag[2], "tag_value": value, "level": tasks.TASK}
        for tag, value in found
    ]


def _listed(call: Call) -> list[dict[str, Any]]:
    return call.body if isinstance(call.body, list) else [call.body]


def _tag(call: Call, given: dict[str, Any]) -> str:
    database, schema = given.get("tag_database") or call.database, given.get("tag_schema") or call.schema
    return str(ObjectName(fold(database), fold(schema), fold(_text(given, "tag_name"))))
