"""The REST routes that list, fetch and drop databases, schemas, tables, views, procedures and functions.

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

from intentscore.local.errors import SnowflakeError, does_not_exist
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
