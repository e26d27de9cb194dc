"""Uploads that a crash cuts short.

The client copies a file into the stage itself: it creates the file in its full length and then fills it. A file
cut short therefore has a hole, which is how the next start knows it. Before a file is overwritten its old version
is put aside, so that the next start can put it back.
"""

from __future__ import annotations

import errno
import fnmatch
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from intentscore.local.storage import Storage

INDEX = "index.json"


def put_aside(folder: Path, target: Path, source: str) -> Path | None:
    """Keep copies of the files an overwriting upload of `source` into `target` may replace; where they are."""
    pattern = Path(source).name
    named = [p for p in target.iterdir() if p.is_file() and _is_upload_of(p.name, pattern)] if target.is_dir() else []
    if not named:
        return None
    folder.mkdir(parents=True)
    for number, path in enumerate(named):
        shutil.copy2(path, folder / str(number))
    unfinished = folder / f"{INDEX}.new"
    unfinished.write_text(json.dumps([str(path) for path in named]))
    unfinished.replace(folder / INDEX)
    return folder


class Replaced:
    """What the uploads of one session replaced, kept until its client has gone on to something else."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._folders: list[Path] = []

    def keep(self, target: Path, source: str) -> None:
        folder = self._storage.folder("replaced", self._storage.new_folder_name())
        if kept := put_aside(folder, target, source):
            self._folders.append(kept)

    def forget(self) -> None:
        if self._folders:
            self._storage.remove(self._folders)
            self._folders = []


def _is_upload_of(name: str, pattern: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern + suffix) for suffix in ("", ".gz"))


def mend(uploaded: Iterable[Path], aside: Path) -> None:
    """After a crash: put back what an unfinished upload was replacing, and remove what is not whole."""
    for folder in aside.iterdir() if aside.is_dir() else ():
        for number, name in _index(folder):
            saved, original = folder / number, Path(name)
            if saved.exists() and not _is_whole(original, at_least=1 if saved.stat().st_size else 0):
                original.parent.mkdir(parents=True, exist_ok=True)
                saved.replace(original)
        shutil.rmtree(folder, ignore_errors=True)
    for root in uploaded:
        for path in root.rglob("*") if root.is_dir() else ():
            if path.is_file() and not _is_whole(path):
                path.unlink()


def _index(folder: Path) -> Iterator[tuple[str, str]]:
    try:
        names = json.loads((folder / INDEX).read_text())
    except (FileNotFoundError, ValueError):
        return  # the upload had not been answered yet: nothing is replaced
    yield from ((str(number), name) for number, name in enumerate(names))


def _is_whole(path: Path, at_least: int = 0) -> bool:
    if not path.exists():
        return False
    size = path.stat().st_size
    if size == 0:
        return size >= at_least
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.lseek(descriptor, 0, os.SEEK_HOLE) >= size
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOTSUP):
            return True  # a file system that cannot tell
        raise
    finally:
        os.close(descriptor)
