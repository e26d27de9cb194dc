"""The HTTP routes of the connector's protocol. Every route but the login asks for a session's token."""

from __future__ import annotations

import asyncio
import functools
import gzip
import hmac
import json
import math
import secrets
from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

import anyio.to_thread
from fakesnow.converter import from_binding
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from intentscore.local import names, queries, resource_rest, results, roles, several, task_rest
from intentscore.local.downloads import Chunk
from intentscore.local.errors import SnowflakeError
from intentscore.local.queries import Query
from intentscore.local.session import Session
from intentscore.local.turns import ARRIVED_WITH
from intentscore.local.variables import parameter_values
from intentscore.local.warehouses import warehouse_exists

if TYPE_CHECKING:
    from intentscore.local.engine import Engine

T = TypeVar("T")
JSON_ONLY = ("JavaScript",)  # the drivers that read no Arrow
CHUNKS = "/results/"
TOKEN_LIFETIME_S = 24 * 3600
ANSWER_WITHIN_S = 45.0
STILL_RUNNING = ("333333", "Query execution in progress.")
NOT_WAITED_FOR = ("333334", "Query execution in progress (asynchronous).")
BAD_CREDENTIALS = ("390100", "Incorrect username or password was specified.")
WHERE = {"database": "databaseName", "schema": "schemaName", "warehouse": "warehouse", "role": "roleName"}
NO_SESSION = ("390104", "Authentication token has expired. The user must authenticate again.")


def application(engine: Engine) -> Starlette:
    server = Server(engine)
    routes = [
        Route("/session/v1/login-request", server.login, methods=["POST"]),
        Route("/session/token-request", server.renew, methods=["POST"]),
        Route("/session/heartbeat", server.heartbeat, methods=["POST"]),
        Route("/session", server.session, methods=["POST"]),
        Route("/queries/v1/query-request", server.query, methods=["POST"]),
        Route("/queries/v1/abort-request", server.abort, methods=["POST"]),
        Route("/queries/{query_id}/result", server.result, methods=["GET"]),
        Route("/monitoring/queries/{query_id}", server.monitor, methods=["GET"]),
        Route("/files/{token}/{name}", server.shared_file, methods=["GET"]),
        Route("/telemetry/send", server.acknowledge, methods=["POST"]),
    ]
    return Starlette(routes=[*routes, *task_rest.routes(engine), *resource_rest.routes(engine)])


def _stand_in_role(session: Session, role: str) -> None:
    if role not in roles.held(session):
        session.close()
        message = f"Role '{role}' specified in the connect string does not exist or not authorized."
        raise SnowflakeError(message, 390189, "08001")
    session.role = role


def failed(code: str, message: str, *, sqlstate: str = "", query_id: str = "", status: int = 200) -> JSONResponse:
    data = {"errorCode": code, "sqlState": sqlstate, "queryId": query_id}
    return JSONResponse({"data": data, "code": code, "message": message, "success": False}, status_code=status)


def succeeded(data: Any = None) -> JSONResponse:
    return JSONResponse({"data": data, "code": None, "message": None, "success": True})


async def body(request: Request) -> dict[str, Any]:
    raw = await request.body()
    if request.headers.get("Content-Encoding") == "gzip":
        raw = gzip.decompress(raw)
    read: dict[str, Any] = json.loads(raw) if raw else {}
    return read


def token_of(request: Request) -> str:
    return token_in(request.headers.get("Authorization", ""))


def token_in(header: str) -> str:
    """The token of `Authorization: Snowflake Token="…"`, or of a bearer header."""
    return header.split('"')[1] if header.count('"') >= 2 else header.removeprefix("Bearer ").strip()


def find_chunk(engine: Engine, path: str, authorization: str) -> Chunk | HTTPStatus:
    """The chunk of a result at a path of the download server, for the session whose token comes with it."""
    session = engine.sessions.get(token_in(authorization))
    if session is None:
        return HTTPStatus.UNAUTHORIZED
    address = path.removeprefix(CHUNKS)
    encoded = session.results.chunk(address)
    return HTTPStatus.NOT_FOUND if encoded is None else encoded


Handle = Callable[["Server", Request, Session], Awaitable[Response]]


def session_of(engine: Engine, request: Request) -> Session | None:
    """The session a request's token belongs to, or the one whose handler asks."""
    token = token_of(request)
    guest = engine.guests.get(token)
    ARRIVED_WITH.set(token if guest else None)
    return guest or engine.sessions.get(token)


def with_session(handle: Handle) -> Callable[[Server, Request], Awaitable[Response]]:
    async def guarded(self: Server, request: Request) -> Response:
        session = session_of(self.engine, request)
        if session is None:
            return failed(*NO_SESSION, status=401 if request.method == "GET" else 200)
        return await handle(self, request, session)

    return guarded


@functools.cache
def _unlimited() -> anyio.CapacityLimiter:
    return anyio.CapacityLimiter(math.inf)


class Server:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._tasks: set[asyncio.Task[None]] = set()

    async def login(self, request: Request) -> Response:
        given = (await body(request)).get("data", {})
        user, password = str(given.get("LOGIN_NAME", "")), str(given.get("PASSWORD", ""))
        if not self._knows(user, password):
            return failed(*BAD_CREDENTIALS)
        wanted = {key: request.query_params.get(parameter) for key, parameter in WHERE.items()}
        try:
            session = await _in_thread(self._open, given.get("SESSION_PARAMETERS") or {}, wanted)
            session.client = f"{given.get('CLIENT_APP_ID') or ''} {given.get('CLIENT_APP_VERSION') or ''}".strip()
        except SnowflakeError as error:
            return failed(f"{error.code:06d}", error.message)
        info = {
            "databaseName": session.database, "schemaName": session.schema, "warehouseName": session.warehouse,
            "roleName": session.role,
        }  # fmt: skip
        return succeeded(
            {
                "token": session.token, "masterToken": session.master_token, "validityInSeconds": TOKEN_LIFETIME_S,
                "masterValidityInSeconds": TOKEN_LIFETIME_S, "displayUserName": user.upper(),
                "serverVersion": self.engine.server_version, "sessionId": session.id, "sessionInfo": info,
                "parameters": _parameters(session),
            }
        )  # fmt: skip

    def _knows(self, user: str, password: str) -> bool:
        same_user = hmac.compare_digest(user.lower().encode(), self.engine.user.lower().encode())
        return hmac.compare_digest(password.encode(), self.engine.password.encode()) and same_user

    def _open(self, parameters: dict[str, Any], given: dict[str, str | None]) -> Session:
        """A session standing where the client wants: in what is not there it stands nowhere, but a role must be."""
        wanted = {key: names.fold(value) for key, value in given.items() if value}
        session = self.engine.open_session(parameters)
        if "role" in wanted:
            _stand_in_role(session, wanted["role"])
        if "warehouse" in wanted:
            session.warehouse = wanted["warehouse"] if warehouse_exists(session, wanted["warehouse"]) else None
        if wanted.get("database") in self.engine.databases():
            session.use(wanted["database"])
            if "schema" in wanted and session.schema_exists(wanted["database"], wanted["schema"]):
                session.use(None, wanted["schema"])
            elif "schema" in wanted:
                session.schema = None
        return session

    async def shared_file(self, request: Request) -> Response:
        """A file for whoever has its address from GET_PRESIGNED_URL."""
        file = self.engine.shared_files.file(request.path_params["token"])
        if file is None:
            return Response("the address is unknown or has expired", 403)
        return FileResponse(file) if file.is_file() else Response("no such file", 404)

    async def renew(self, request: Request) -> Response:
        """A new session token for the master token; earlier ones stay good for what is under way."""
        session = self.engine.masters.get(token_of(request))
        if session is None:
            return failed(*NO_SESSION)
        session.touch()
        token = secrets.token_urlsafe(32)
        self.engine.admit(session, token)
        return succeeded(
            {"sessionToken": token, "masterToken": session.master_token, "validityInSecondsST": TOKEN_LIFETIME_S,
             "validityInSecondsMT": TOKEN_LIFETIME_S, "sessionId": session.id}
        )  # fmt: skip

    @with_session
    async def heartbeat(self, request: Request, session: Session) -> Response:
        session.touch()
        return succeeded()

    @with_session
    async def acknowledge(self, request: Request, session: Session) -> Response:
        return succeeded()

    @with_session
    async def session(self, request: Request, session: Session) -> Response:
        if request.query_params.get("delete") and ARRIVED_WITH.get() is None:
            await _in_thread(session.close)
        return succeeded()

    @with_session
    async def abort(self, request: Request, session: Session) -> Response:
        """The client's own timeout, or Ctrl-C: it names the request whose query is to stop."""
        query = self.engine.queries.of_request(session, str((await body(request)).get("requestId")))
        if query is not None:
            query.stop(queries.cancelled())
        return succeeded()

    # ------------------------------------------------------------------ queries

    @with_session
    async def query(self, request: Request, session: Session) -> Response:
        given = await body(request)
        request_id = request.query_params.get("requestId")
        query = self.engine.queries.of_request(session, request_id) if request_id else None
        if query is None:  # otherwise the client asks again for an answer that did not reach it
            query = self._started(session, given, request_id)
        if query.is_async:
            return _in_progress(query, NOT_WAITED_FOR)
        return await self._outcome(session, query, request)

    def _started(self, session: Session, given: dict[str, Any], request_id: str | None) -> Query:
        query = Query(
            results.new_query_id(), session, given.get("sqlText", ""), session.id, request_id=request_id,
            is_async=bool(given.get("asyncExec")),
        )  # fmt: skip
        self.engine.queries.add(query)
        task = asyncio.create_task(_in_thread(_run, session, query, given))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return query

    async def _outcome(self, session: Session, query: Query, request: Request) -> Response:
        """The answer to a query, or after a while that it still runs: the client then asks for its result."""
        if not await _in_thread(query.finished.wait, ANSWER_WITHIN_S):
            return _in_progress(query, STILL_RUNNING)
        if query.error is not None:
            error = query.error
            return failed(f"{error.code:06d}", error.message, sqlstate=error.sqlstate, query_id=query.id)
        kept = session.results.kept(query.id)
        if kept is None:
            return _not_found(query.id)
        base = f"{request.url.scheme}://{request.url.hostname}:{self.engine.downloads_port}{CHUNKS}"
        as_json = str(session.parameters.get("PYTHON_CONNECTOR_QUERY_RESULT_FORMAT")).upper().startswith("JSON")
        data = await _in_thread(
            partial(
                results.answer,
                query.id,
                kept,
                base,
                session.token,
                as_json=as_json or session.client.startswith(JSON_ONLY),
            )
        )
        if query.children:
            data |= {"resultIds": ",".join(child.id for child in query.children),
                     "resultTypes": ",".join(child.kind or "0" for child in query.children)}  # fmt: skip
        return succeeded(
            data
            | {
                "parameters": _parameters(session),
                "finalDatabaseName": session.database,
                "finalSchemaName": session.schema,
                "finalWarehouseName": session.warehouse,
                "finalRoleName": session.role,
            }
        )

    @with_session
    async def result(self, request: Request, session: Session) -> Response:
        query = self._query(request, session)
        return (
            _not_found(request.path_params["query_id"])
            if query is None
            else await self._outcome(session, query, request)
        )

    @with_session
    async def monitor(self, request: Request, session: Session) -> Response:
        query = self._query(request, session)
        if query is None:
            return succeeded({"queries": []})
        shown: dict[str, Any] = {"id": query.id, "status": query.status, "state": query.status, "sqlText": query.text}
        if query.error is not None:
            shown |= {"errorCode": f"{query.error.code:06d}", "errorMessage": query.error.message}
        return succeeded({"queries": [shown]})

    def _query(self, request: Request, session: Session) -> Query | None:
        """A query of this very session."""
        query = self.engine.queries.get(request.path_params["query_id"])
        return query if query is not None and query.session_id == session.id else None


def _parameters(session: Session) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in session.parameters.items()]


def _run(session: Session, query: Query, given: dict[str, Any]) -> None:
    bindings, describe_only = given.get("bindings") or {}, bool(given.get("describeOnly"))

    def work() -> results.Result:
        wanted = int(query.parameters.get("MULTI_STATEMENT_COUNT", session.parameters.get("MULTI_STATEMENT_COUNT", 1)))
        if wanted != 1 and not describe_only:
            return several.execute(session, query, wanted, [_bound(b) for b in _in_order(bindings)])
        return _execute(session, query.text, bindings, describe_only=describe_only)

    try:
        query.parameters = parameter_values(given.get("parameters") or {})
        session.run(query, work)
    finally:
        if not query.finished.is_set():
            query.finish(queries.cancelled())


def _execute(session: Session, text: str, bindings: dict[str, Any], *, describe_only: bool) -> results.Result:
    if any(isinstance(b["value"], list) for b in bindings.values()):
        columns = [[_bound({**b, "value": v}) for v in b["value"]] for b in _in_order(bindings)]
        return session.insert_batch(text, columns)
    return session.execute(text, [_bound(b) for b in _in_order(bindings)], describe_only=describe_only)


async def _in_thread(work: Callable[..., T], *arguments: Any) -> T:
    """In a thread of its own however many there are: one that waits for a lock must not keep its holder out."""
    return await anyio.to_thread.run_sync(partial(work, *arguments), limiter=_unlimited())


def _in_progress(query: Query, answer: tuple[str, str]) -> JSONResponse:
    code, message = answer
    url = f"/queries/{query.id}/result"
    data = {"queryId": query.id, "getResultUrl": url, "queryAbortsAfterSecs": 0, "progressDesc": None}
    return JSONResponse({"data": data, "code": code, "message": message, "success": True})


def _not_found(query_id: str) -> JSONResponse:
    return failed("000709", f"Statement {query_id} not found", sqlstate="02000", query_id=query_id)


def _in_order(bindings: dict[str, Any]) -> list[dict[str, Any]]:
    return [bindings[key] for key in sorted(bindings, key=int)]


def _bound(binding: dict[str, Any]) -> Any:
    if binding["value"] is None:
        return None
    if binding["type"] == "REAL":
        return float(binding["value"])
    if binding["type"] == "FIXED" and not binding["value"].lstrip("+-").isdigit():
        return Decimal(binding["value"])
    return from_binding(binding)
