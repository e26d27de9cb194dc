"""Results on disk: what a client has fetched leaves memory, and can still be read again."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

SPILLED_FROM_BYTES = 4 * 2**20
_PROCESS = ctypes.CDLL(None)


def spill(table: pa.Table, path: Path) -> pa.Table:
    """The same table, mapped from a file: its pages belong to the system, which takes them back when it needs to."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    mapped = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    path.unlink()  # the mapping keeps it until nobody reads it any more; a crash leaves nothing
    return mapped


def later(pause_s: float, work: Callable[[], None]) -> None:
    """Do this in a thread after a pause; the end of the process does not wait for it."""
    timer = threading.Timer(pause_s, work)
    timer.daemon = True
    timer.start()


def release() -> None:
    """Give freed memory back to the system, which Arrow and the C library would rather keep."""
    pa.default_memory_pool().release_unused()
    trim = getattr(_PROCESS, "malloc_trim", None)  # glibc has it
    if trim is not None:
        trim(0)
