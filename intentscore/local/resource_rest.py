"""The REST routes that list, fetch and drop databases, schemas, tables, views, procedures and functions, and
make databases and schemas.

Each is the statement that does the same, as `snowflake.core` parses its answer.
Source: https://docs.snowflake.com/en/developer-guide/snowflake-rest-api/reference
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from intentscore.local.errors import SnowflakeError, does_not_exist, invalid, unsupported
from intentscore.local.names import display, fold, literal, quote
from intentscore.local.task_rest import EXPIRED, STATUS, done, failed

if TYPE_CHECKING:
    from intentscore.local.engine import Engine
    from intentscore.local.session import Session

Answer = Callable[["Session", str, Request], Any]
DATABASES = "/api/v2/databases"
SCHEMAS = DATABASES + "/{database}/schemas"
OBJECTS = {"tables": "TABLE", "views": "VIEW"}
ROUTINES = {"procedures": ("PROCEDURE", "PROCEDURES"), "user-defined-functions": ("FUNCTION", "USER FUNCTIONS")}


def routes(engine: Engine) -> list[Route]:
    found = _named(engine, DATABASES, "DATABASE") + _named(engine, SCHEMAS, "SCHEMA")
    for path, kind in ((DATABASES, "DATABASE"), (SCHEMAS, "SCHEMA")):
        found.append(_route(engine, path, "POST", kind, _created))
    for path, kind in OBJECTS.items():
        found += _named(engine, f"{SCHEMAS}/{{schema}}/{path}", kind)
    for path, (kind, kinds) in ROUTINES.items():
        base = f"{SCHEMAS}/{{schema}}/{path}"
        found += [
            _route(engine, base, "GET", kinds, _listed),
            _route(engine, base + "/{name}", "GET", kind, _described),
            _route(engine, base + "/{name}", "DELETE", kind, _dropped),
        ]
    return found


def _named(engine: Engine, base: str, kind: str) -> list[Route]:
    return [
        _route(engine, base, "GET", f"{kind}S", _listed),
        _route(engine, base + "/{name}", "GET", f"{kind}S", _fetched),
        _route(engine, base + "/{name}", "DELETE", kind, _dropped),
    ]


def _route(engine: Engine, path: str, method: str, kind: str, answer: Answer) -> Route:
    from intentscore.local.server import session_of

    async def endpoint(request: Request) -> Response:
        session = session_of(engine, request)
        if session is None:
            return failed(401, *EXPIRED)
        request.state.body = await request.body()
        return await run_in_threadpool(_answered, session, kind, request, answer)

    return Route(path, endpoint, methods=[method])


def _answered(session: Session, kind: str, request: Request, answer: Answer) -> Response:
    try:
        return JSONResponse(answer(session, kind, request))
    except SnowflakeError as error:
        return failed(STATUS.get(error.code, 400), f"{error.code:06d}", error.message)


def _listed(session: Session, kind: str, request: Request) -> list[Any]:
    query = request.query_params
    like = f" LIKE {literal(query['like'])}" if "like" in query else ""
    starts = f" STARTS WITH {literal(query['startsWith'])}" if "startsWith" in query else ""
    limit = f" LIMIT {int(query['showLimit'])}" if query.get("showLimit", "").isdigit() else ""
    return _resources(session, f"SHOW AS RESOURCE {kind}{like}{_scope(request)}{starts}{limit}")


def _fetched(session: Session, kind: str, request: Request) -> Any:
    name = fold(request.path_params["name"])
    for resource in _resources(session, f"SHOW AS RESOURCE {kind}{_scope(request)} STARTS WITH {literal(name)}"):
        if resource["name"] == display(name):
            return resource
    raise does_not_exist(kind.removesuffix("S").title(), name)


def _described(session: Session, kind: str, request: Request) -> Any:
    return _resources(session, f"DESCRIBE AS RESOURCE {kind} {_qualified(request)}")[0]


MODES = {"errorIfExists": ("", ""), "orReplace": ("OR REPLACE ", ""), "ifNotExists": ("", "IF NOT EXISTS ")}


def _created(session: Session, kind: str, request: Request) -> dict[str, str]:
    """CREATE DATABASE or SCHEMA out of the request's body; the session stays where it stands."""
    given = {key: value for key, value in _body(request).items() if value is not None}
    mode = request.query_params.get("createMode", "errorIfExists")
    if mode not in MODES or not isinstance(name := given.pop("name", None), str):
        raise invalid(f"invalid createMode '{mode}'" if mode not in MODES else f"a {kind.lower()} needs a name")
    kept = request.query_params.get("kind", given.pop("kind", "PERMANENT")).upper()
    transient = "TRANSIENT " if kept == "TRANSIENT" else ""
    managed = " WITH MANAGED ACCESS" if given.pop("managed_access", False) else ""
    days = given.pop("data_retention_time_in_days", None)
    comment = given.pop("comment", None)
    if given:
        raise unsupported(f"{sorted(given)[0]} of a {kind.lower()}")
    options = f"{f' DATA_RETENTION_TIME_IN_DAYS = {int(days)}' if days is not None else ''}"
    options += f" COMMENT = {literal(comment)}" if comment is not None else ""
    replacing, quietly = MODES[mode]
    place = ".".join([*_places(request), quote(fold(name))])
    with session.standing_in(session.database, session.schema):
        session.execute(f"CREATE {replacing}{transient}{kind} {quietly}{place}{managed}{options}")
    return done(f"{kind.title()} {fold(name)} successfully created.")


def _body(request: Request) -> dict[str, Any]:
    try:
        found = json.loads(request.state.body)
    except ValueError:
        raise invalid("the request's body is no JSON") from None
    return found if isinstance(found, dict) else {}


def _dropped(session: Session, kind: str, request: Request) -> dict[str, str]:
    quietly = "IF EXISTS " if request.query_params.get("ifExists", "").lower() == "true" else ""
    session.execute(f"DROP {kind} {quietly}{_qualified(request)}")
    return done(f"{request.path_params['name']} successfully dropped.")


def _resources(session: Session, statement: str) -> list[Any]:
    shown = session.execute(statement).table.column(0).to_pylist()
    return [json.loads(resource) for resource in shown]


def _scope(request: Request) -> str:
    places = _places(request)
    return f" IN {'.'.join(places)}" if places else ""


def _places(request: Request) -> list[str]:
    return [quote(fold(request.path_params[key])) for key in ("database", "schema") if key in request.path_params]


def _qualified(request: Request) -> str:
    """The name as it stands in the path: of a procedure or function with the types of its arguments."""
    name, arguments, types = request.path_params["name"].partition("(")
    return f"{'.'.join([*_places(request), quote(fold(name))])}{arguments}{types}"
