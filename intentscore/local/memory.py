"""Memory for large results: taken again rather than anew while they are read, given back when nobody reads.

Touching a page for the first time takes longer than writing it. With glibc's own settings each thread has a heap that
shrinks at every opportunity, so that a client and the engine in one process took 120,000 fresh pages for a result of
160 MB, which is most of the time the reading took.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable

import pyarrow as pa

_PROCESS = ctypes.CDLL(None)
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # mallopt(3)
_HEAPS = 2
_LARGEST_ON_HEAP = 32 * 2**20
_NEVER, _GLIBC_DEFAULT = 2**31 - 1, 128 * 2**10


def share_heaps() -> None:
    """The threads of this process share their heaps, where the C library is glibc."""
    _set(_ARENA_MAX, _HEAPS)
    _set(_MMAP_THRESHOLD, _LARGEST_ON_HEAP)


def hold() -> None:
    """Keep what is freed from now on, to be used again."""
    _set(_TRIM_THRESHOLD, _NEVER)


def release() -> None:
    """Give freed memory back to the system, now and from now on."""
    pa.default_memory_pool().release_unused()
    _set(_TRIM_THRESHOLD, _GLIBC_DEFAULT)
    if trim := getattr(_PROCESS, "malloc_trim", None):
        trim(0)


def _set(parameter: int, value: int) -> None:
    if mallopt := getattr(_PROCESS, "mallopt", None):
        mallopt(parameter, value)


class WhenIdle:
    """Work that is done once its owner has not been in use for a while, each time after it was."""

    def __init__(self, pause_s: float, work: Callable[[], None]) -> None:
        self._pause_s, self._work = pause_s, work
        self._used = 0.0
        self._waiting = False
        self._lock = threading.Lock()

    def use(self) -> None:
        with self._lock:
            self._used = time.monotonic()
            if not self._waiting:
                self._waiting = True
                self._look_in(self._pause_s)

    def _look_in(self, pause_s: float) -> None:
        timer = threading.Timer(pause_s, self._look)
        timer.daemon = True  # the end of the process does not wait for it
        timer.start()

    def _look(self) -> None:
        with self._lock:
            rest = self._used + self._pause_s - time.monotonic()
            if rest > 0:
                self._look_in(rest)
                return
            self._waiting = False
        self._work()
