"""Handler processes, seen from the engine: forked when needed, kept warm for one definition, killed with the engine.

A handler runs in a process of its own, so that its code, its imports and what it does to them stay out of the
engine and out of every other handler. What comes back over the pipe is JSON and Arrow, never a pickle: nothing a
handler returns is executed here.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pyarrow as pa

from intentscore.local.errors import SnowflakeError
from intentscore.local.handler_process import MESSAGE

KEPT_WARM = 6
MOST_AT_ONCE = 16
PACKAGE_ROOT = str(Path(__file__).resolve().parents[2])
_BOOT = "import json, sys; sys.path.extend(json.loads(sys.argv[3])); sys.path.append(sys.argv[2]); " \
    "from intentscore.local.handler_process import main; main()"  # fmt: skip


@dataclass(frozen=True)
class Definition:
    """All that a process needs to know of a handler; two that are equal can share a warm process."""

    kind: str
    name: str
    handler: str
    code: str | None
    imports: tuple[tuple[str, str, int, int], ...]
    """(path in the import directory, file, size, time of change) of every imported file."""
    arguments: tuple[tuple[str, str, str], ...]
    """(name, Snowflake type, DuckDB type) of every argument."""
    returns: tuple[tuple[str, str, str], ...]
    strict: bool = False

    def described(self) -> dict[str, Any]:
        return {"kind": self.kind, "name": self.name, "handler": self.handler, "code": self.code,
                "arguments": self.arguments, "returns": self.returns, "strict": self.strict}  # fmt: skip


@dataclass(eq=False)
class Worker:
    """One handler process and the pipe to it."""

    definition: Definition
    pid: int
    pipe: Connection
    folder: Path
    kill: Callable[[Worker], None]
    is_alive: bool = True
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, question: dict[str, Any], table: pa.Table | None = None) -> tuple[dict[str, Any], pa.Table | None]:
        """One question, one answer; a failure of the handler is raised as Snowflake words it."""
        with self._lock:
            try:
                self.pipe.send_bytes(json.dumps({**question, "table": table is not None}).encode())
                if table is not None:
                    self.pipe.send_bytes(as_bytes(table))
                answer = json.loads(self.pipe.recv_bytes())
                answered = from_bytes(self.pipe.recv_bytes()) if answer["table"] else None
            except (EOFError, OSError):
                self.is_alive = False
                raise SnowflakeError(
                    f"Function {self.definition.name} with handler {self.definition.handler} was ended: "
                    "its Python process stopped.", 100357, "P0000",
                ) from None  # fmt: skip
        if error := answer.get("error"):
            raise SnowflakeError(error["message"], error["code"], error["sqlstate"])
        return answer, answered

    def cancel(self) -> None:
        self.is_alive = False
        self.kill(self)


def as_bytes(table: pa.Table) -> memoryview:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return memoryview(sink.getvalue())


def from_bytes(raw: bytes) -> pa.Table:
    return pa.ipc.open_stream(raw).read_all()


class Workers:
    """The handler processes of one engine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._idle: list[Worker] = []
        self._numbers = 0
        self._closed = False
        self._lock = threading.RLock()
        self._room = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._source: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        shutil.rmtree(folder, ignore_errors=True)

    def warm_up(self) -> None:
        """Start the process that handlers are forked from, without waiting for its imports."""
        with self._lock:
            if self._control is not None or self._closed:
                return
            self._folder.mkdir(parents=True, exist_ok=True)
            ours, theirs = socket.socketpair()
            packages = [p for p in sys.path if Path(p).name in ("site-packages", "dist-packages")]
            with (self._folder / "handlers.log").open("ab") as log, theirs:
                self._source = subprocess.Popen(
                    [sys.executable, "-I", "-c", _BOOT, str(theirs.fileno()), PACKAGE_ROOT, json.dumps(packages)],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder,
                    pass_fds=[theirs.fileno()], start_new_session=True,
                )  # fmt: skip
            self._control = ours

    @contextlib.contextmanager
    def lease(self, definition: Definition, *, nested: bool = False) -> Iterator[Worker]:
        """A process for this handler, for as long as the block lasts; it is kept warm when all went well.

        A call within a call does not wait for room: the one around it would wait for ever.
        """
        room = contextlib.nullcontext() if nested else self._room
        with room:
            worker = self._take(definition) or self._fork(definition)
            try:
                yield worker
            except SnowflakeError:
                self._give_back(worker)
                raise
            except BaseException:
                self._end(worker)
                raise
            self._give_back(worker)

    def _take(self, definition: Definition) -> Worker | None:
        with self._lock:
            for worker in self._idle:
                if worker.definition == definition:
                    self._idle.remove(worker)
                    return worker
        return None

    def _give_back(self, worker: Worker) -> None:
        with self._lock:
            if worker.is_alive and self._control is not None:
                self._idle.append(worker)
                ended = self._idle[:-KEPT_WARM]
                self._idle = self._idle[-KEPT_WARM:]
            else:
                ended = [worker]
        for each in ended:
            self._end(each)

    def _end(self, worker: Worker) -> None:
        worker.is_alive = False
        self._kill(worker)
        worker.pipe.close()
        shutil.rmtree(worker.folder, ignore_errors=True)

    def _kill(self, worker: Worker) -> None:
        with self._lock, contextlib.suppress(OSError):
            if self._control is not None:
                self._control.sendall(MESSAGE.pack(b"K", worker.pid))

    def _fork(self, definition: Definition) -> Worker:
        with self._lock:
            self.warm_up()
            self._numbers += 1
            folder = self._folder / str(self._numbers)
            _place_imports(definition, folder)
            ours, theirs = socket.socketpair()
            with theirs:
                answer = self._ask_for_fork(theirs.fileno()) or self._ask_another(theirs.fileno())
        if len(answer) < MESSAGE.size:
            raise SnowflakeError("The local engine could not start a process for Python handlers.", 603, "XX000")
        worker = Worker(definition, MESSAGE.unpack(answer)[1], Connection(ours.detach()), folder, self._kill)
        try:
            worker.ask({"do": "load", "folder": str(folder), **definition.described()})
        except SnowflakeError:
            self._end(worker)
            raise
        return worker

    def _ask_for_fork(self, descriptor: int) -> bytes:
        if self._control is None:
            return b""
        try:
            socket.send_fds(self._control, [MESSAGE.pack(b"F", 0)], [descriptor])
            return self._control.recv(MESSAGE.size)
        except OSError:
            return b""

    def _ask_another(self, descriptor: int) -> bytes:
        """The process that handlers are forked from has been killed: another takes its place."""
        if self._control is None or self._source is None:
            return b""
        self._control.close()
        self._source.kill()
        self._source.wait()
        self._control, self._idle = None, []
        self.warm_up()
        return self._ask_for_fork(descriptor)

    def close(self) -> None:
        """Kill every handler; calls under way fail, and no more are taken."""
        with self._lock:
            self._closed = True
            control, self._control = self._control, None
            source, self._source = self._source, None
            self._idle = []
        if control is not None:
            control.close()
        if source is not None:
            if not self._numbers:
                source.kill()
            try:
                source.wait(5)
            except subprocess.TimeoutExpired:
                source.kill()
                source.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def _place_imports(definition: Definition, folder: Path) -> None:
    imports = folder / "imports"
    imports.mkdir(parents=True)
    for place, file, _, _ in definition.imports:
        target = imports / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
