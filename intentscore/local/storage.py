"""The engine's folder on disk: one file per database, a folder per stage and per model version.

Whatever moment a crash comes at, the next start finds either the old state or the new one. Files are written before
the catalog row that names them is committed, and deleted after the row is gone; what neither refers to is swept.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import duckdb

from intentscore.local import catalog, names, uploads
from intentscore.local.errors import invalid

FOLDERS = {"STAGE": "stages", "MODEL": "models", "DATASET": "datasets", "EXPERIMENT": "experiments"}
SUFFIX, WAL = ".duckdb", ".wal"
STARTED, DROPPED = ".new", ".dropped"
INCOMING = "incoming"
LONGEST_NAME = 255 - len(SUFFIX + WAL + DROPPED)


def file_name(name: str) -> str:
    """An object's name as the name of one file: no path, nor a part of one."""
    encoded = quote(name, safe="").replace(".", "%2E")
    if not encoded or len(encoded) > LONGEST_NAME:
        raise invalid(f"the name '{name[:40]}…' is too long for a file of the local engine")
    return encoded


class Storage:
    """Paths within the engine's folder, and what is done to them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._databases = self.folder("databases")
        self._databases.mkdir(parents=True, exist_ok=True)

    def folder(self, *parts: str) -> Path:
        return self.root.joinpath(*map(file_name, parts))

    def new_folder_name(self) -> str:
        return secrets.token_hex(12)

    @contextlib.contextmanager
    def placing(self, target: Path) -> Iterator[Path]:
        """Where to write a file that comes to its place whole, and only when all is well."""
        incoming = self.folder(INCOMING, self.new_folder_name())
        for folder in (incoming.parent, target.parent):
            folder.mkdir(parents=True, exist_ok=True)
        try:
            yield incoming
            incoming.replace(target)
        finally:
            incoming.unlink(missing_ok=True)

    # ------------------------------------------------------------------ databases

    def database_names(self) -> list[str]:
        """The databases of an earlier run, after removing what is left of half-made and half-dropped ones."""
        for left in [*self._databases.glob(f"*{STARTED}*"), *self._databases.glob(f"*{DROPPED}")]:
            left.unlink()
        for log in self._databases.glob(f"*{SUFFIX}{WAL}"):
            if not log.with_suffix("").exists():
                log.unlink()
        return sorted(unquote(file.name.removesuffix(SUFFIX)) for file in self._databases.glob(f"*{SUFFIX}"))

    def database_file(self, name: str) -> Path:
        return self._databases / f"{file_name(name)}{SUFFIX}"

    def make_database(self, name: str) -> None:
        self._make(self.database_file(name))

    def _make(self, file: Path) -> None:
        """A complete database appears under its name at once."""
        started = file.with_name(file.name + STARTED)
        with contextlib.closing(duckdb.connect()) as connection:  # of its own: others may be writing in theirs
            connection.execute(f"ATTACH {names.literal(str(started))} AS STARTED").fetchall()
            catalog.prepare(connection, "STARTED")
            connection.execute("CREATE SCHEMA IF NOT EXISTS STARTED.PUBLIC").fetchall()
            connection.execute("CHECKPOINT STARTED").fetchall()
        started.replace(file)

    def attach_database(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        self._attach(connection, self.database_file(name), name)

    def attach_account(self, connection: duckdb.DuckDBPyConnection) -> None:
        """The file of what belongs to the account, made by the first run."""
        file = self.root / f"account{SUFFIX}"
        if not file.exists():
            for left in self.root.glob(f"{file.name}*"):
                left.unlink()
            self._make(file)
        self._attach(connection, file, catalog.ACCOUNT)

    def _attach(self, connection: duckdb.DuckDBPyConnection, file: Path, name: str) -> None:
        connection.execute(f"ATTACH {names.literal(str(file))} AS {names.quote(name)}").fetchall()
        catalog.prepare(connection, name)

    def remove_database(self, name: str) -> None:
        """Gone with the renaming of its file: a log without a database is never read."""
        file = self.database_file(name)
        dropped = file.with_name(file.name + DROPPED)
        file.replace(dropped)
        file.with_name(file.name + WAL).unlink(missing_ok=True)
        dropped.unlink()

    # ------------------------------------------------------------------ folders of stages and model versions

    def folders_of(self, kind: str, details: dict[str, Any]) -> list[Path]:
        """The folders that the catalog row of a stage, a model or a dataset refers to."""
        below = FOLDERS.get(kind)
        if below is None:
            return []
        found = [details.get("folder"), *(version.get("folder") for version in details.get("versions", {}).values())]
        return [self.folder(below, name) for name in found if name]

    def sweep(self, connection: duckdb.DuckDBPyConnection, databases: Iterable[str]) -> None:
        """Remove what a crash left behind: folders nothing refers to, and files that are not whole."""
        known = {
            folder
            for database in databases
            for kind, details in connection.execute(
                f"SELECT KIND, DETAILS FROM {names.quote(database)}._ENGINE.OBJECTS WHERE list_contains(?, KIND)",
                [[*FOLDERS]],
            ).fetchall()
            for folder in self.folders_of(kind, json.loads(details))
        }
        for kind in FOLDERS.values():
            for folder in self.folder(kind).glob("*"):
                if not folder.name.startswith("_") and folder not in known:
                    shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(self.folder(INCOMING), ignore_errors=True)
        uploads.mend([self.folder("stages"), self.folder("experiments")], self.folder("replaced"))

    def remove(self, folders: Iterable[Path]) -> None:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
