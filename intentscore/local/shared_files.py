"""Files that are read by an address alone, until it expires."""

from __future__ import annotations

import secrets
import threading
import time
from pathlib import Path


class SharedFiles:
    def __init__(self) -> None:
        self._shared: dict[str, tuple[Path, float]] = {}
        self._lock = threading.Lock()

    def share(self, file: Path, lifetime_s: float) -> str:
        """The secret part of the file's address."""
        token, now = secrets.token_urlsafe(32), time.monotonic()
        with self._lock:
            self._shared = {t: held for t, held in self._shared.items() if held[1] > now}
            self._shared[token] = (file, now + lifetime_s)
        return token

    def file(self, token: str) -> Path | None:
        with self._lock:
            file, expires = self._shared.get(token, (None, 0.0))
        return file if expires > time.monotonic() else None
