"""What `intentscore local` does: keep an engine running for any client, stop it, look at it, empty it."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from intentscore.errors import ConfigurationError, UsageError
from intentscore.local import engine
from intentscore.local.scheduler import scheduling
from intentscore.local.storage import SUFFIX

Announce = Callable[[str], None]
SERVE_LOCK, ENGINE_LOCK, GUESTS_LOCK = "serve.lock", "engine.lock", "guests.lock"
PASSWORD, STOP = "password", "stop"
LOOK_EVERY_S = 0.1


@dataclass(frozen=True)
class Connection:
    """How any Snowflake client connects; the password stands in a file that only its owner can read."""

    account: str
    host: str
    port: str
    protocol: str
    user: str
    password_file: Path
    database: str
    schema: str
    warehouse: str
    role: str


@dataclass(frozen=True)
class DatabaseStatus:
    database: str
    bytes: int


@dataclass(frozen=True)
class Status:
    """`running` is `serve` (`intentscore local serve`), `command` (another command's own engine) or `no`."""

    folder: Path
    running: Literal["serve", "command", "no"]
    connection: Connection | None
    databases: tuple[DatabaseStatus, ...]


@dataclass(frozen=True)
class Stopped:
    folder: Path
    stopped: bool


@dataclass(frozen=True)
class Emptied:
    folder: Path
    databases: tuple[str, ...]
    bytes: int


def folder(home: Path) -> Path:
    """Where the engine of a home keeps everything."""
    return (home / "engine").resolve()


def serve(home: Path, port: int, announce: Announce, ready: Callable[[Connection], None]) -> None:
    """Run the engine and its scheduler until `stop`, an interrupt or a termination.

    `ready` is told how to connect. Raises ConfigurationError when the engine runs already or the port is taken.
    """
    root = engine.private_folder(home).resolve()
    over = threading.Event()
    with contextlib.ExitStack() as stack:
        if not engine.locked(stack, root / ENGINE_LOCK, fcntl.LOCK_EX):
            raise ConfigurationError(f"the local engine in {home} runs already; see `intentscore local status`")
        engine.locked(stack, root / SERVE_LOCK, fcntl.LOCK_EX)
        (root / STOP).unlink(missing_ok=True)
        stack.enter_context(_until_signalled(over))
        try:
            endpoint = stack.enter_context(engine.running(root, announce, port, scheduling))
        except OSError as error:
            raise ConfigurationError(f"cannot listen on port {port}: {error.strerror}") from None
        stack.callback((root / PASSWORD).unlink, missing_ok=True)
        engine.write_private(root / PASSWORD, endpoint.password)
        ready(_connection(root, endpoint))
        announce("serving until an interrupt or `intentscore local stop`")
        while not over.wait(LOOK_EVERY_S) and not (root / STOP).exists():
            pass
        (root / STOP).unlink(missing_ok=True)


@contextlib.contextmanager
def _until_signalled(over: threading.Event) -> Iterator[None]:
    """An interrupt or a termination ends the serving, and with it the block, in good order."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: over.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop(home: Path, *, wait_s: float = 60.0) -> Stopped:
    """Ask `serve` to stop and wait until it has; false when nothing serves.

    Raises ConfigurationError when the engine is another command's, or is still in use when the wait is over.
    """
    root = folder(home)
    running = _running(root)
    if running == "command":
        raise ConfigurationError(f"a command runs the local engine in {home}; it stops when the command ends")
    if running == "no":
        return Stopped(root, stopped=False)
    (root / STOP).touch()
    deadline = time.monotonic() + wait_s
    while _running(root) == "serve":
        if time.monotonic() > deadline:
            raise ConfigurationError(
                f"the local engine in {home} is still in use; it stops when its last client leaves"
            )
        time.sleep(LOOK_EVERY_S)
    return Stopped(root, stopped=True)


def status(home: Path) -> Status:
    root = folder(home)
    running = _running(root)
    endpoint = engine.read_endpoint(root) if running != "no" else None
    connection = _connection(root, endpoint) if endpoint else None
    return Status(root, running, connection, _databases(root))


def reset(home: Path, *, yes: bool) -> Emptied:
    """Delete all databases, stages and models of a home's engine.

    Raises UsageError without `yes`, ConfigurationError while the engine runs.
    """
    root = folder(home)
    held = _databases(root)
    if not yes:
        listed = ", ".join(one.database for one in held) or "nothing"
        raise UsageError(f"this would delete {listed} in {root} and all that is in it; to do so, add --yes")
    with contextlib.ExitStack() as stack:
        if root.exists():
            if not engine.locked(stack, root / ENGINE_LOCK, fcntl.LOCK_EX):
                raise ConfigurationError(f"the local engine in {home} is running; run `intentscore local stop` first")
            size = sum(file.stat().st_size for file in root.rglob("*") if file.is_file())
            for entry in root.iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                elif entry.suffix != ".lock":
                    entry.unlink()
        else:
            size = 0
    return Emptied(root, tuple(one.database for one in held), size)


def _running(root: Path) -> Literal["serve", "command", "no"]:
    if not (root / ENGINE_LOCK).exists():
        return "no"
    with contextlib.ExitStack() as stack:
        if (root / SERVE_LOCK).exists() and not engine.locked(stack, root / SERVE_LOCK, fcntl.LOCK_EX):
            return "serve"
        if not engine.locked(stack, root / ENGINE_LOCK, fcntl.LOCK_EX):
            return "command"
    return "no"


def _connection(root: Path, endpoint: engine.Endpoint) -> Connection:
    return Connection(
        endpoint.account, endpoint.host, str(endpoint.port), "http", endpoint.user, root / PASSWORD, endpoint.database,
        "PUBLIC", endpoint.warehouse, endpoint.role,
    )  # fmt: skip


def _databases(root: Path) -> tuple[DatabaseStatus, ...]:
    files = sorted((root / "databases").glob(f"*{SUFFIX}"))
    return tuple(DatabaseStatus(unquote(file.name.removesuffix(SUFFIX)), file.stat().st_size) for file in files)
