"""Which files a table was loaded from: the same file is not loaded twice within 64 days."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intentscore.local.names import ObjectName
from intentscore.local.stages import Location

if TYPE_CHECKING:
    from intentscore.local.session import Session

KEPT_DAYS = 64


class LoadHistory:
    """The loads of one table from one stage; those that a session's end takes along are kept in the session."""

    def __init__(self, session: Session, table: ObjectName, where: Location, *, purge: bool) -> None:
        self._session, self._table, self._where = session, table, where
        self._needless = where.temporary and purge
        self._passing = where.temporary or table in session.temporary_tables
        self._known = self._read()

    def _read(self) -> dict[str, str]:
        if self._passing:
            return self._session.loaded_files.get(self._table, {})
        return self._session.catalog.loaded_files(self._table, KEPT_DAYS)

    def _key(self, file: Path) -> str:
        return f"{self._where.root.name}/{self._where.relative(file)}"

    def knows(self, file: Path) -> bool:
        """Whether this very content of the file was loaded; a file changed since is loaded again."""
        key = self._key(file)
        return key in self._known and self._known[key] == _digest(file)

    def add(self, file: Path, report: list[Any]) -> None:
        """Note what was loaded of a file, unless nothing was or the stage goes with the session anyway."""
        if self._needless or report[1] == "LOAD_FAILED":
            return
        digest = _digest(file)
        if self._passing:
            self._session.loaded_files.setdefault(self._table, {})[self._key(file)] = digest
        else:
            self._session.catalog.add_loaded_file(self._table, self._key(file), digest)


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "md5").hexdigest()


def forget(session: Session, catalog: str, schema: str, table: str) -> None:
    """A table that was emptied, named as DuckDB has it, may be loaded from the same files again."""
    if catalog != "temp":
        session.catalog.forget_loaded_files(ObjectName(catalog, schema, table))
    for name, physical in session.temporary_tables.items():
        if catalog == "temp" and physical == table:
            session.loaded_files.pop(name, None)
