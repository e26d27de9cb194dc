"""The Online Shoppers Purchasing Intention data set: downloaded once, checked, cached.

C. Okan Sakar, Yomi Kastro (2018), UCI Machine Learning Repository,
https://doi.org/10.24432/C5F88Q, CC BY 4.0.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import zipfile
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Final
from urllib.request import urlopen

from intentscore.data.files import open_csv, sha256_of
from intentscore.data.identity import Dating
from intentscore.data.source import SessionSource
from intentscore.errors import DataError

DATASET_VARIABLE: Final = "INTENTSCORE_DATASET"
_TIMEOUT_S: Final = 20
_MAX_ARCHIVE_BYTES: Final = 64 << 20


class ArchiveUnavailableError(DataError):
    """The published archive cannot be downloaded, or what comes is something else."""


@dataclass(frozen=True)
class Archive:
    """A published zip file with one CSV file of sessions in it; the checksums are hex SHA-256."""

    url: str
    sha256: str
    member: str
    member_sha256: str
    rows: int


UCI: Final = Archive(
    url="https://archive.ics.uci.edu/static/public/468/online+shoppers+purchasing+intention+dataset.zip",
    sha256="2972e6184d3ad7beaaa831d9fc2b059dc3ee29df69d1ec593c466a5cd8485d14",
    member="online_shoppers_intention.csv",
    member_sha256="b3055ee355f59134d851d32641183cb4a8b45def7124d2f50442a042f358e0d9",
    rows=12_330,
)


def open_uci(cache_dir: Path, *, year: int = 2024, spread_days: bool = False, archive: Archive = UCI) -> SessionSource:
    """The published sessions: the file $INTENTSCORE_DATASET names, else from `cache_dir`, else downloaded.

    Raises DataError when the named file is not the published one, and ArchiveUnavailableError (a DataError)
    when the published archive cannot be had.
    """
    path, origin = _located(cache_dir, archive)
    return open_csv(path, f"UCI Online Shoppers ({origin})", Dating(year, spread_days), rows=archive.rows)


def _located(cache_dir: Path, archive: Archive) -> tuple[Path, str]:
    named = os.environ.get(DATASET_VARIABLE)
    if named:
        return _checked(Path(named).expanduser(), archive), "local copy"
    cached = cache_dir / archive.member
    if cached.is_file() and sha256_of(cached) == archive.member_sha256:
        return cached, "cached"
    _store(_unpacked(_downloaded(archive), archive), cached)
    return cached, "downloaded"


def _checked(path: Path, archive: Archive) -> Path:
    if not path.is_file():
        raise DataError(f"{DATASET_VARIABLE} names {path}, which does not exist; correct it or unset it")
    if sha256_of(path) != archive.member_sha256:
        raise DataError(
            f"{DATASET_VARIABLE} names {path}, which is not the published {archive.member} "
            f"(SHA-256 differs); unset it, or load that file with `intentscore upload {path}`"
        )
    return path


def _downloaded(archive: Archive) -> bytes:
    try:
        with urlopen(archive.url, timeout=_TIMEOUT_S) as response:
            content: bytes = response.read(_MAX_ARCHIVE_BYTES)
    except (OSError, HTTPException) as error:
        reason = " ".join(str(getattr(error, "reason", error)).split())
        raise ArchiveUnavailableError(f"cannot download {archive.url} ({reason}); {_ways_on(archive)}") from error
    if hashlib.sha256(content).hexdigest() != archive.sha256:
        raise ArchiveUnavailableError(
            f"{archive.url} is not the published archive (SHA-256 differs); {_ways_on(archive)}"
        )
    return content


def _unpacked(content: bytes, archive: Archive) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        member = file.read(archive.member)
    if hashlib.sha256(member).hexdigest() != archive.member_sha256:
        raise ArchiveUnavailableError(
            f"{archive.member} in {archive.url} is not the published file; {_ways_on(archive)}"
        )
    return member


def _store(content: bytes, path: Path) -> None:
    """Writes through a temporary file, so that no other process ever sees half of it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as stream:
            stream.write(content)
        Path(stream.name).replace(path)
    except OSError as error:
        raise DataError(f"cannot write {path} ({error.strerror}); make that folder writable") from error


def _ways_on(archive: Archive) -> str:
    return f"set {DATASET_VARIABLE} to a copy of {archive.member}, or use --simulate N"
