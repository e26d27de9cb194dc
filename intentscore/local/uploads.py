"""Uploads that a crash cuts short.

The client copies a file into the stage itself: it creates the file in its full length and then fills it. A file
cut short therefore has a hole, or zeros where the system had made room already. Before an upload begins it is written
down, with copies of the files it may replace, so that the next start can tell what is whole and put back what is not.
"""

from __future__ import annotations

import errno
import filecmp
import fnmatch
import json
import os
import shutil
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from intentscore.local.storage import Storage

INDEX = "index.json"
COPIES = "copies"
PAGE = 4096
END = 16


@dataclass(frozen=True)
class Upload:
    """One PUT: files named like `source` that come into `target`, beside those that were there before."""

    target: str
    source: str
    there: list[str]
    overwrite: bool
    begun: int

    @classmethod
    def beginning(cls, target: Path, source: str, *, overwrite: bool) -> Upload:
        upload = cls(str(target), source, [], overwrite, time.time_ns())
        return replace(upload, there=[path.name for path in upload.files()])

    def files(self) -> list[Path]:
        """What is in the target under the names of the upload."""
        target, pattern = Path(self.target), Path(self.source).name
        if not target.is_dir():
            return []
        return sorted(path for path in target.iterdir() if path.is_file() and _is_upload_of(path.name, pattern))

    def was_cut(self, path: Path) -> bool:
        source = Path(self.source).parent / path.name
        if source.is_file() and filecmp.cmp(path, source, shallow=False):
            return False
        if self._has_changed(source) or self._has_changed(source.with_name(path.name.removesuffix(".gz"))):
            return _has_hole(path)
        return _has_hole(path) or _has_zeros(path) or _is_emptied(path, source)

    def _has_changed(self, source: Path) -> bool:
        """A client changes a file it has sent: what came of it may well be zeros."""
        return source.is_file() and source.stat().st_mtime_ns > self.begun


def put_aside(folder: Path, upload: Upload) -> None:
    """Write down an upload, with copies of the files it may replace."""
    (folder / COPIES).mkdir(parents=True)
    for name in upload.there if upload.overwrite else ():
        shutil.copy2(Path(upload.target) / name, folder / COPIES / name)
    unfinished = folder / f"{INDEX}.new"
    unfinished.write_text(json.dumps(asdict(upload)))
    unfinished.replace(folder / INDEX)


class Uploads:
    """The uploads of one session, written down until its client has gone on to something else."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._folders: dict[tuple[Path, str], Path] = {}

    def begin(self, target: Path, source: str, *, overwrite: bool) -> None:
        """Write an upload down; one of the same files before it has ended, others may still be under way."""
        folder = self._storage.folder("replaced", self._storage.new_folder_name())
        put_aside(folder, Upload.beginning(target, source, overwrite=overwrite))
        if earlier := self._folders.get((target, source)):
            self._storage.remove([earlier])
        self._folders[target, source] = folder

    def forget(self) -> None:
        if self._folders:
            self._storage.remove(self._folders.values())
            self._folders = {}


def _is_upload_of(name: str, pattern: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern + suffix) for suffix in ("", ".gz"))


def mend(uploaded: Iterable[Path], aside: Path) -> None:
    """After a crash: put back what unfinished uploads were replacing, the last first, and remove what is not whole."""
    folders = list(aside.iterdir()) if aside.is_dir() else []
    begun = [(upload, folder) for folder in folders if (upload := _written_down(folder))]
    for upload, folder in sorted(begun, key=lambda pair: pair[0].begun, reverse=True):
        _mend_upload(upload, folder)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    for root in uploaded:
        for path in root.rglob("*") if root.is_dir() else ():
            if path.is_file() and _has_hole(path):
                path.unlink()


def _written_down(folder: Path) -> Upload | None:
    try:
        return Upload(**json.loads((folder / INDEX).read_text()))
    except (FileNotFoundError, TypeError, ValueError):
        return None  # the upload had not been answered yet: nothing has come


def _mend_upload(upload: Upload, folder: Path) -> None:
    for path in upload.files():
        if (path.name not in upload.there or upload.overwrite) and upload.was_cut(path):
            path.unlink()
    for name in upload.there if upload.overwrite else ():
        saved, original = folder / COPIES / name, Path(upload.target) / name
        if saved.exists() and (not original.exists() or _is_emptied(original, saved)):
            original.parent.mkdir(parents=True, exist_ok=True)
            saved.replace(original)


def _has_hole(path: Path) -> bool:
    size = path.stat().st_size
    if size == 0:
        return False
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.lseek(descriptor, 0, os.SEEK_HOLE) < size
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOTSUP):
            return False  # a file system that cannot tell
        raise
    finally:
        os.close(descriptor)


def _has_zeros(path: Path) -> bool:
    """Whether a page of the file is all zeros, or its end."""
    with path.open("rb") as file:
        while page := file.read(PAGE):
            last = page
            if len(page) == PAGE and not page.strip(b"\0"):
                return True
    return path.stat().st_size > 0 and not last[-END:].strip(b"\0")


def _is_emptied(path: Path, model: Path) -> bool:
    return path.stat().st_size == 0 and model.is_file() and model.stat().st_size > 0
