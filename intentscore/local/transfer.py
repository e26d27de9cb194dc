"""PUT, GET, LIST, REMOVE and COPY FILES."""

from __future__ import annotations

import hashlib
import re
import shutil
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from intentscore.local import results, sql, types
from intentscore.local.errors import SnowflakeError, invalid
from intentscore.local.results import Result
from intentscore.local.stages import Location, locate
from intentscore.local.statements import Effect, Statement, statement

if TYPE_CHECKING:
    from intentscore.local.session import Session


def _transfer(command: str, location: Path, sources: list[str], **more: Any) -> Result:
    """The answer on which the connector itself copies the files: `LOCAL_FS` is a folder it can reach."""
    info = {"locationType": "LOCAL_FS", "location": str(location), "creds": {}}
    data = {"stageInfo": info, "src_locations": sources, "command": command, **more}
    return Result(pa.table({}), [], transfer=data)


def _local_path(address: str) -> str:
    return address[len("file://") :] if address.lower().startswith("file://") else address


@statement("PUT", effect=Effect.CONTROL)
def put(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    source, where = _local_path(scanner.location()), locate(session, scanner.location())
    options = scanner.options({"PARALLEL": int, "AUTO_COMPRESS": bool, "SOURCE_COMPRESSION": str, "OVERWRITE": bool})
    scanner.end()
    if where.read_only:
        raise SnowflakeError("SQL compilation error:\nthe files of a version cannot be written to.", 2076, "42601")
    target = where.made()
    session.uploads.begin(target, source, overwrite=options.get("OVERWRITE", False))
    return _transfer(
        "UPLOAD",
        target,
        [source],
        parallel=options.get("PARALLEL", 4),
        autoCompress=options.get("AUTO_COMPRESS", True),
        sourceCompression=str(options.get("SOURCE_COMPRESSION", "auto_detect")).lower(),
        overwrite=options.get("OVERWRITE", False),
    )


@statement("GET", effect=Effect.CONTROL)
def get(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    where, target = locate(session, scanner.location()), _local_path(scanner.location())
    options = scanner.options({"PARALLEL": int, "PATTERN": str})
    scanner.end()
    files = _matching(where, options.get("PATTERN"))
    return _transfer(
        "DOWNLOAD", where.root.resolve(), [where.relative(f) for f in files], parallel=options.get("PARALLEL", 10),
        localLocation=target, encryptionMaterial=[],
    )  # fmt: skip


def _matching(where: Location, pattern: str | None) -> list[Path]:
    files = where.files()
    return files if pattern is None else [f for f in files if re.fullmatch(pattern, where.relative(f))]


@statement("LIST", "LS")
def list_files(session: Session, head: Statement) -> Result:
    where = locate(session, head.scanner.location())
    pattern = head.scanner.options({"PATTERN": str}).get("PATTERN")
    head.scanner.end()
    columns = {"name": types.TEXT, "size": types.NUMBER, "md5": types.TEXT, "last_modified": types.TEXT}
    rows = []
    for file in _matching(where, pattern):
        stat = file.stat()
        changed = format_datetime(datetime.fromtimestamp(stat.st_mtime, UTC), usegmt=True)
        label = f"{where.label}/{where.relative(file)}" if where.label else where.relative(file)
        rows.append([label, stat.st_size, hashlib.md5(file.read_bytes()).hexdigest(), changed])
    return results.rows(columns, rows)


@statement("REMOVE", "RM", effect=Effect.CONTROL)
def remove(session: Session, head: Statement) -> Result:
    where = locate(session, head.scanner.location())
    pattern = head.scanner.options({"PATTERN": str}).get("PATTERN")
    head.scanner.end()
    if where.read_only:
        raise SnowflakeError("SQL compilation error:\nthe files of a version cannot be changed.", 2076, "42601")
    rows = []
    for file in _matching(where, pattern):
        rows.append([f"{where.label}/{where.relative(file)}", "removed"])
        file.unlink()
    return results.rows({"name": types.TEXT, "result": types.TEXT}, rows)


# ---------------------------------------------------------------------------- COPY FILES


@statement("COPY FILES INTO", effect=Effect.CONTROL)
def copy_files(session: Session, head: Statement) -> Result:
    """Copies from one stage to another; a query names the files, and under what names they arrive."""
    scanner = head.scanner
    target = locate(session, scanner.location())
    if target.read_only:
        raise SnowflakeError("SQL compilation error:\nthe files of a version cannot be written to.", 2076, "42601")
    scanner.expect("FROM")
    if scanner.peek() == "(":
        pairs, prefix = _named_by_query(session, scanner.parenthesised()), f"{target.name}/"
    else:
        pairs, prefix = [], ""
        source = locate(session, scanner.location())
    options = scanner.options({"FILES": str, "PATTERN": str, "DETAILED_OUTPUT": bool})
    scanner.end()
    if not prefix:
        pairs = _under(source, options.get("FILES"), options.get("PATTERN"))
    copied = []
    for file, name in pairs:
        placed = f"{target.path.rstrip('/')}/{name}".lstrip("/")
        with session.engine.storage.placing(target.below(placed)) as incoming:
            shutil.copyfile(file, incoming)
        copied.append(f"{prefix}{placed}")
    if options.get("DETAILED_OUTPUT", True):
        return results.rows({"file": types.TEXT}, [[name] for name in copied])
    return results.rows({"numOfFilesCopied": types.NUMBER}, [[len(copied)]])


def _under(source: Location, names: list[str] | None, pattern: str | None) -> list[tuple[Path, str]]:
    base = source.path if source.path.endswith("/") or not source.path else f"{source.path}/"
    if names is not None:
        chosen = [source.below(base + name) for name in names]
        if missing := [f for f in chosen if not f.is_file()]:
            raise SnowflakeError(f"Remote file '{missing[0].name}' was not found.", 100150, "22000")
    else:
        chosen = _matching(source, pattern)
    return [(file, source.relative(file).removeprefix(base)) for file in chosen]


def _named_by_query(session: Session, query: str) -> list[tuple[Path, str]]:
    """(file, new name) of each row; a single column keeps the path the file has in its stage."""
    rows = sql.run_text(session, query).table
    if rows.num_columns > 2:
        raise invalid("the query of COPY FILES exceeds maximum allowable number of columns (2)")
    found = []
    for address, *given in zip(*(column.to_pylist() for column in rows.columns), strict=True):
        where = locate(session, address)
        if not where.target.is_file():
            raise SnowflakeError(f"Remote file '{address}' was not found.", 100150, "22000")
        found.append((where.target, str(given[0]) if given and given[0] is not None else where.path))
    return found
