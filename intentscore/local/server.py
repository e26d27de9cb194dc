"""The HTTP routes of the connector's protocol. Every route but the login asks for a session's token."""

from __future__ import annotations

import gzip
import hmac
import json
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from fakesnow.converter import from_binding
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from intentscore.local import names, results, sql
from intentscore.local.errors import SnowflakeError
from intentscore.local.session import Session

if TYPE_CHECKING:
    from intentscore.local.engine import Engine

log = logging.getLogger(__name__)
TOKEN_LIFETIME_S = 24 * 3600
BAD_CREDENTIALS = ("390100", "Incorrect username or password was specified.")
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
        Route("/results/{address}", server.chunk, methods=["GET"]),
        Route("/telemetry/send", server.acknowledge, methods=["POST"]),
    ]
    return Starlette(routes=routes)


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
    """The token of `Authorization: Snowflake Token="…"`, or of a bearer header."""
    header = request.headers.get("Authorization", "")
    return header.split('"')[1] if header.count('"') >= 2 else header.removeprefix("Bearer ").strip()


Handle = Callable[["Server", Request, Session], Awaitable[Response]]


def with_session(handle: Handle) -> Callable[[Server, Request], Awaitable[Response]]:
    async def guarded(self: Server, request: Request) -> Response:
        session = self.engine.sessions.get(token_of(request))
        if session is None:
            return failed(*NO_SESSION, status=401 if request.method == "GET" else 200)
        return await handle(self, request, session)

    return guarded


class Server:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def login(self, request: Request) -> Response:
        given = (await body(request)).get("data", {})
        user, password = str(given.get("LOGIN_NAME", "")), str(given.get("PASSWORD", ""))
        if not self._knows(user, password):
            return failed(*BAD_CREDENTIALS)
        wanted = {key: request.query_params.get(f"{key}Name") for key in ("database", "schema", "warehouse")}
        try:
            session = await run_in_threadpool(self._open, given.get("SESSION_PARAMETERS") or {}, wanted)
        except SnowflakeError as error:
            return failed(f"{error.code:06d}", error.message)
        info = {
            "databaseName": session.database, "schemaName": session.schema, "warehouseName": session.warehouse,
            "roleName": session.role,
        }  # fmt: skip
        return succeeded(
            {
                "token": session.token, "masterToken": session.token, "validityInSeconds": TOKEN_LIFETIME_S,
                "masterValidityInSeconds": TOKEN_LIFETIME_S, "displayUserName": user.upper(),
                "serverVersion": self.engine.server_version, "sessionId": session.id, "sessionInfo": info,
                "parameters": _parameters(session),
            }
        )  # fmt: skip

    def _knows(self, user: str, password: str) -> bool:
        same_user = hmac.compare_digest(user.lower().encode(), self.engine.user.lower().encode())
        return hmac.compare_digest(password.encode(), self.engine.password.encode()) and same_user

    def _open(self, parameters: dict[str, Any], wanted: dict[str, str | None]) -> Session:
        session = self.engine.open_session(parameters)
        database, schema = (names.fold(v) if (v := wanted[key]) else None for key in ("database", "schema"))
        if database in self.engine.databases():
            session.use(database)
            if schema is not None and session.schema_exists(str(database), schema):
                session.use(None, schema)
            elif schema is not None:
                session.schema = None
        return session

    @with_session
    async def renew(self, request: Request, session: Session) -> Response:
        return succeeded(
            {"sessionToken": session.token, "masterToken": session.token, "validityInSecondsST": TOKEN_LIFETIME_S,
             "validityInSecondsMT": TOKEN_LIFETIME_S, "sessionId": session.id}
        )  # fmt: skip

    @with_session
    async def heartbeat(self, request: Request, session: Session) -> Response:
        return succeeded()

    @with_session
    async def acknowledge(self, request: Request, session: Session) -> Response:
        return succeeded()

    @with_session
    async def session(self, request: Request, session: Session) -> Response:
        if request.query_params.get("delete"):
            await run_in_threadpool(session.close)
        return succeeded()

    @with_session
    async def abort(self, request: Request, session: Session) -> Response:
        session.duck.interrupt()
        return succeeded()

    @with_session
    async def query(self, request: Request, session: Session) -> Response:
        given = await body(request)
        base = f"{request.url.scheme}://{request.url.netloc}"
        return await run_in_threadpool(self._run, session, given, base)

    def _run(self, session: Session, given: dict[str, Any], base: str) -> Response:
        query_id = results.new_query_id()
        text = given.get("sqlText", "")
        try:
            for name, value in (given.get("parameters") or {}).items():
                session.parameters.setdefault(name, value)
            result = _execute(session, text, given.get("bindings") or {}, describe_only=bool(given.get("describeOnly")))
        except SnowflakeError as error:
            log.debug("refused %s: %s", text, error.message)
            return failed(f"{error.code:06d}", error.message, sqlstate=error.sqlstate, query_id=query_id)
        except Exception as error:
            log.exception("the engine failed on: %s", text)
            message = f"Internal error of the local engine in: {text[:200]}\n{type(error).__name__}: {error}"
            return failed("000603", message, sqlstate="XX000", query_id=query_id)
        kept = session.results.keep(query_id, result)
        data = results.answer(query_id, kept, f"{base}/results", session.token)
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
        query_id = request.path_params["query_id"]
        found = session.results.kept(query_id)
        if found is None:
            return failed("000709", f"Statement {query_id} not found", sqlstate="02000", query_id=query_id)
        base = f"{request.url.scheme}://{request.url.netloc}/results"
        return succeeded(results.answer(query_id, found, base, session.token) | {"parameters": []})

    @with_session
    async def monitor(self, request: Request, session: Session) -> Response:
        known = session.results.get(request.path_params["query_id"]) is not None
        return succeeded({"queries": [{"id": request.path_params["query_id"], "status": "SUCCESS"}] if known else []})

    @with_session
    async def chunk(self, request: Request, session: Session) -> Response:
        encoded = await run_in_threadpool(session.results.chunk, request.path_params["address"])
        if encoded is None:
            return Response(status_code=404)
        return Response(encoded, media_type="application/octet-stream")


def _parameters(session: Session) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in session.parameters.items()]


def _execute(session: Session, text: str, bindings: dict[str, Any], *, describe_only: bool) -> results.Result:
    if any(isinstance(b["value"], list) for b in bindings.values()):
        columns = [[_bound({**b, "value": v}) for v in b["value"]] for b in _in_order(bindings)]
        return sql.insert_batch(session, text, columns)
    return session.execute(text, [_bound(b) for b in _in_order(bindings)], describe_only=describe_only)


def _in_order(bindings: dict[str, Any]) -> list[dict[str, Any]]:
    return [bindings[key] for key in sorted(bindings, key=int)]


def _bound(binding: dict[str, Any]) -> Any:
    if binding["value"] is None:
        return None
    if binding["type"] == "REAL":
        return float(binding["value"])
    return from_binding(binding)
