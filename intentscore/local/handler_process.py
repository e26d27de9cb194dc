"""The process that handler processes are forked from: it has imported what handlers need, and runs none itself.

It is started once by the engine, with one end of a socket pair. `F` and a descriptor over the socket forks a
process that serves handlers on that descriptor; `K` and a process id ends one. When the engine is gone, however
it went, the socket is at its end: every handler is killed and this process ends too.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import socket
import struct
import sys

from intentscore.local import handler_runtime

PRELOADED = ("pyarrow", "pandas", "cloudpickle", "snowflake.snowpark", "snowflake.snowpark.functions")
MESSAGE = struct.Struct("!ci")


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    children: set[int] = set()
    while True:
        try:
            message, descriptors, _, _ = socket.recv_fds(control, MESSAGE.size, 1)
        except OSError:
            break
        _reap(children)
        if len(message) < MESSAGE.size:
            break
        command, number = MESSAGE.unpack(message)
        if command == b"F":
            child = os.fork()
            if child == 0:
                control.close()
                _serve(descriptors[0])
            children.add(child)
            os.close(descriptors[0])
            control.sendall(MESSAGE.pack(b"F", child))
        elif command == b"K" and number in children:
            _kill(number)
    for child in children:
        _kill(child)
    os._exit(0)


def _serve(descriptor: int) -> None:
    """In the forked process: nothing of the engine's package is left for the handler to meet."""
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        for name in [name for name in sys.modules if name.split(".")[0] == "intentscore"]:
            del sys.modules[name]
        sys.path[:] = [entry for entry in sys.path if entry != sys.argv[2]]
        handler_runtime.serve(descriptor)
        code = 0
    finally:
        os._exit(code)


def _kill(child: int) -> None:
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(child, signal.SIGKILL)


def _reap(children: set[int]) -> None:
    for child in list(children):
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(child, os.WNOHANG)[0]:
                children.discard(child)
