"""The engine: one DuckDB process over a home folder, its server, and how a second process joins it.

Two locks in the home folder settle who runs the engine. `engine.lock` is held by the process the engine runs
in. `guests.lock` is held, shared, by every process that has joined it, so that the first waits for the
others before it stops. The kernel releases both when a process dies, however it dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import importlib
import json
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from intentscore.local import arrow_functions, handlers, memory, names, stages, task_history, warehouses, workers
from intentscore.local.catalog import Catalog, in_account
from intentscore.local.errors import already_exists, does_not_exist
from intentscore.local.queries import QueryLog, stopped
from intentscore.local.rewrites import macros
from intentscore.local.session import Session
from intentscore.local.shared_files import SharedFiles
from intentscore.local.storage import Storage
from intentscore.local.task_runs import TaskRuns
from intentscore.local.transactions import Connection, WriterLock

REGISTERING = (
    "context", "creation", "datasets", "definitions", "dynamic_tables", "experiments", "explaining", "file_access",
    "formats", "grants", "history", "immediate", "inference", "inferring", "keys", "loading", "models",
    "monitor_listing", "monitor_metrics", "monitors", "multi_insert", "pivots", "procedures", "resources", "roles",
    "routine_listing", "routines", "sequences", "show", "show_columns", "show_objects", "stages", "tables", "tags",
    "task_functions", "task_statements", "transfer", "udfs", "udtfs", "versions", "views", "warehouses",
)  # fmt: skip
for _module in REGISTERING:  # each registers its statements, functions and resolvers
    importlib.import_module(f"intentscore.local.{_module}")
HOST = "127.0.0.1"
DATABASE = "INTENTSCORE"
WAIT_S = 0.05
MAX_PAUSE_S = 8
SESSION_IDLE_S = 4 * 3600
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "lambda_syntax": "ENABLE_SINGLE_ARROW",
    "variant_minimum_shredding_size": "-1",  # what DuckDB shreds forgets whether a null was JSON's or SQL's
}
RECURSION_LIMIT = 20_000  # clients nest subqueries hundreds deep, and a syntax tree is walked from function to function


@dataclass(frozen=True)
class Endpoint:
    """Where a running engine listens and how to log in; the file that holds it is readable by its owner only."""

    host: str
    port: int
    user: str
    password: str
    account: str
    database: str
    warehouse: str
    role: str

    def connection_parameters(self) -> dict[str, Any]:
        """What the Python connector and Snowpark take to connect, without asking the network which cloud this is.

        One thread fetches a result's chunks: nothing is far away here, and more would take turns on the interpreter.
        """
        quiet = {"CLIENT_TELEMETRY_ENABLED": False, "CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False}
        return {**asdict(self), "protocol": "http", "schema": "PUBLIC", "session_parameters": quiet,
                "platform_detection_timeout_seconds": 0, "client_prefetch_threads": 1}  # fmt: skip


class Engine:
    """DuckDB over a folder, and everything sessions share."""

    account = "local"
    user = "local"
    role = "SYSADMIN"
    warehouse = "LOCAL_WH"
    server_version = "9.36.0"

    def __init__(self, root: Path) -> None:
        self.storage = Storage(root)
        self.password = secrets.token_urlsafe(24)
        self.sessions: dict[str, Session] = {}
        self.masters: dict[str, Session] = {}
        self.writer = WriterLock()
        self.queries = QueryLog()
        self.handlers = handlers.Handlers()
        self.shared_files = SharedFiles()
        self.guests: dict[str, Session] = {}
        self.workers = workers.Workers(root / "handlers")
        self.host, self.port, self.downloads_port = HOST, 0, 0
        self._root_connection = duckdb.connect(config=_SETTINGS)
        self._root_connection.execute("SET GLOBAL TimeZone = 'UTC'").fetchall()
        for definition in macros.for_duckdb():
            self._root_connection.execute(definition).fetchall()
        arrow_functions.register(self._root_connection)
        self._databases: list[str] = []
        self._changing_databases = threading.Lock()
        self.storage.attach_account(self._root_connection)
        self._seed_warehouse()
        for name in self.storage.database_names():
            self._attach(self._root_connection, name)
        if not self._databases:
            self.create_database(DATABASE)
        self.task_runs = TaskRuns(self)
        sys.setrecursionlimit(max(sys.getrecursionlimit(), RECURSION_LIMIT))

    def _seed_warehouse(self) -> None:
        """The warehouse that sessions start on is always there."""
        account = Catalog(Connection(self._root_connection))
        if account.get(warehouses.WAREHOUSE, in_account(self.warehouse)) is None:
            account.put(warehouses.started(self.warehouse))

    # ------------------------------------------------------------------ databases and folders

    def databases(self) -> list[str]:
        return self._databases

    def create_database(self, name: str) -> None:
        with self._changing_databases:
            if name in self._databases:
                raise already_exists(name)
            self.storage.make_database(name)
            self._attach(self.connect(), name)

    def drop_database(self, name: str) -> None:
        with self._changing_databases:
            if name not in self._databases:
                raise does_not_exist("Database", name)
            connection = self.connect()
            query = f"SELECT KIND, DETAILS FROM {names.quote(name)}._ENGINE.OBJECTS"
            objects = connection.execute(query).fetchall()
            connection.execute(f"DETACH {names.quote(name)}").fetchall()
            self._databases = [database for database in self._databases if database != name]
            self.storage.remove_database(name)
            for kind, details in objects:
                self.storage.remove(self.storage.folders_of(kind, json.loads(details)))

    def _attach(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        self.storage.attach_database(connection, name)
        task_history.prepare(connection, name)
        self._databases = sorted([*self._databases, name])

    def connect(self) -> duckdb.DuckDBPyConnection:
        return self._root_connection.cursor()

    def folder(self, *parts: str) -> Path:
        return self.storage.folder(*parts)

    def new_folder_name(self) -> str:
        return self.storage.new_folder_name()

    # ------------------------------------------------------------------ sessions

    def open_session(self, parameters: dict[str, Any]) -> Session:
        self._close_abandoned()
        session = Session(self, parameters)
        self.admit(session, session.token)
        self.masters[session.master_token] = session
        return session

    def admit(self, session: Session, token: str) -> None:
        self.sessions[token] = session

    def forget(self, session: Session) -> None:
        stages.drop_temporary(session)
        self.masters.pop(session.master_token, None)
        for token in [token for token, held in self.sessions.items() if held is session]:
            self.sessions.pop(token, None)

    def _close_abandoned(self) -> None:
        """End sessions whose client has not been heard of for four hours, as Snowflake does."""
        for session in list(self.masters.values()):
            if session.idle_s > SESSION_IDLE_S:
                session.close()

    def cancel_all(self) -> None:
        for query in self.queries.running():
            query.stop(stopped())

    def close(self) -> None:
        self.task_runs.close()
        self.workers.close()
        for session in list(self.masters.values()):
            session.close()
        self._root_connection.close()

    def sweep(self) -> None:
        self.storage.sweep(self.connect(), self._databases)


# ---------------------------------------------------------------------------- running and joining


@contextlib.contextmanager
def open_engine(home: Path, announce: Callable[[str], None]) -> Iterator[Endpoint]:
    """The engine of a home folder: started in this process, or joined where another process runs it."""
    root = private_folder(home)
    told = False
    while True:
        with contextlib.ExitStack() as stack:
            if locked(stack, root / "engine.lock", fcntl.LOCK_EX):
                yield stack.enter_context(running(root, announce))
                return
            if locked(stack, root / "guests.lock", fcntl.LOCK_SH) and (endpoint := read_endpoint(root)):
                yield endpoint
                return
        if not told:
            announce(f"waiting for the local engine in {home}, which another process is starting or stopping")
            told = True
        time.sleep(WAIT_S)


def retry_while_running(home: Path) -> Callable[[], Iterator[int]]:
    """The connector's `backoff_policy`: try again as long as there is an engine, rather than for ever.

    Without it a client whose engine was killed waits without end.
    """

    def pauses_s() -> Iterator[int]:
        pause_s = 0
        while True:
            yield pause_s
            if not _is_running(home):
                from snowflake.connector.errors import OperationalError

                raise OperationalError(
                    f"The local engine in {home} has stopped; what was committed is kept. Run the command again.",
                    errno=250001, sqlstate="08006",
                )  # fmt: skip
            pause_s = min(pause_s + 1, MAX_PAUSE_S)

    return pauses_s


def _is_running(home: Path) -> bool:
    with contextlib.ExitStack() as stack:
        lock = home / "engine" / "engine.lock"
        return lock.exists() and not locked(stack, lock, fcntl.LOCK_SH)


def private_folder(home: Path) -> Path:
    """The engine's folder in the home, for its owner only."""
    if not home.exists():
        home.mkdir(parents=True, mode=0o700)
    root = (home / "engine").resolve()  # handlers work in folders of their own
    root.mkdir(exist_ok=True, mode=0o700)
    if root.stat().st_mode & 0o077:
        root.chmod(0o700)
    return root


def locked(stack: contextlib.ExitStack, path: Path, how: int) -> bool:
    """Take a lock without waiting; it is released when the stack is closed."""
    file = stack.enter_context(path.open("a"))
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def read_endpoint(root: Path) -> Endpoint | None:
    try:
        return Endpoint(**json.loads((root / "endpoint.json").read_text()))
    except (FileNotFoundError, ValueError):
        return None


def _nothing(engine: Engine) -> AbstractContextManager[None]:
    return contextlib.nullcontext()


@contextlib.contextmanager
def running(
    root: Path,
    announce: Callable[[str], None],
    port: int = 0,
    beside: Callable[[Engine], AbstractContextManager[None]] = _nothing,
) -> Iterator[Endpoint]:
    """The engine in this process, which holds its lock; `beside` is what else goes on while it is in use."""
    (root / "endpoint.json").unlink(missing_ok=True)
    memory.share_heaps()
    engine = Engine(root)
    engine.sweep()
    with contextlib.closing(engine), _downloads(engine) as engine.downloads_port, _serving(engine, port) as engine.port:
        endpoint = Endpoint(
            HOST, engine.port, engine.user, engine.password, engine.account, DATABASE, engine.warehouse, engine.role
        )
        _write_endpoint(root, endpoint)
        try:
            with beside(engine):
                yield endpoint
        finally:
            (root / "endpoint.json").unlink(missing_ok=True)
            try:
                _await_guests(root, announce)
            finally:
                engine.cancel_all()


def _write_endpoint(root: Path, endpoint: Endpoint) -> None:
    write_private(root / "endpoint.json", json.dumps(asdict(endpoint)))


def write_private(path: Path, text: str) -> None:
    """A file that its owner only can read, complete as soon as it is there."""
    written = path.with_name(path.name + ".new")
    written.unlink(missing_ok=True)
    descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    written.replace(path)


def _await_guests(root: Path, announce: Callable[[str], None]) -> None:
    """Stay until every process that joined has left."""
    with contextlib.ExitStack() as stack:
        if locked(stack, root / "guests.lock", fcntl.LOCK_EX):
            return
        announce("done; another process still uses this local engine, waiting for it to finish")
        fcntl.flock(stack.enter_context((root / "guests.lock").open("a")), fcntl.LOCK_EX)


def _downloads(engine: Engine) -> AbstractContextManager[int]:
    from intentscore.local import downloads
    from intentscore.local.server import find_chunk

    return downloads.serving(HOST, functools.partial(find_chunk, engine))


@contextlib.contextmanager
def _serving(engine: Engine, port: int) -> Iterator[int]:
    """The HTTP server on a port of the loopback interface (0: a free one), in a thread."""
    import uvicorn

    from intentscore.local.server import application

    listener = socket.socket(proto=socket.IPPROTO_TCP)  # named, or asyncio leaves Nagle's delay on
    if port:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError:
        listener.close()
        raise
    config = uvicorn.Config(
        application(engine), log_config=None, log_level="warning", access_log=False, lifespan="off",
        timeout_graceful_shutdown=5,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the local engine's server did not start")
        time.sleep(0.005)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
