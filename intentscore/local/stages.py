"""Stages: folders of files inside the engine's home, and nothing outside of them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from intentscore.local import names, results, types
from intentscore.local.catalog import OWNER
from intentscore.local.errors import SnowflakeError, already_exists, does_not_exist, invalid
from intentscore.local.names import ObjectName
from intentscore.local.results import Result
from intentscore.local.show import read_listing
from intentscore.local.statements import Effect, Statement, statement

if TYPE_CHECKING:
    from intentscore.local.session import Session

STAGE = "STAGE"
FILE_FORMAT = "FILE FORMAT"
MODEL_URI = re.compile(r"snow://model/(?P<model>.+?)/versions/(?P<version>[^/]+)/?(?P<path>.*)", re.DOTALL)


@dataclass(frozen=True)
class Location:
    """A place in a stage: the stage's folder, the path below it, and how LIST prints the stage."""

    root: Path
    path: str
    label: str
    read_only: bool = False
    file_format: dict[str, Any] | None = None

    @property
    def target(self) -> Path:
        return self.below(self.path)

    def below(self, path: str) -> Path:
        """A path inside the stage; one that would leave it is refused."""
        root = self.root.resolve()
        found = (root / path.lstrip("/")).resolve()
        if found != root and root not in found.parents:
            raise invalid(f"the path '{path}' leaves the stage")
        return found

    def files(self) -> list[Path]:
        """The files under this path: of a folder, or of a common prefix of their names, as in a stage."""
        target = self.target
        if target.is_file():
            return [target]
        if target.is_dir():
            found = target.rglob("*")
        else:
            if not target.parent.is_dir():
                return []
            matching = [p for p in target.parent.iterdir() if p.name.startswith(target.name)]
            found = (q for p in matching for q in ([p] if p.is_file() else p.rglob("*")))
        return sorted(path for path in found if path.is_file())

    def relative(self, file: Path) -> str:
        return file.relative_to(self.root.resolve()).as_posix()


def locate(session: Session, text: str) -> Location:
    """`@db.schema.stage/path`, `@~/path`, `@%table/path` or `snow://model/…` to a place on disk."""
    if found := MODEL_URI.fullmatch(text):
        from intentscore.local.models import version_folder

        folder = version_folder(session, names.split(found["model"]), names.fold(found["version"]))
        return Location(folder, found["path"], f"versions/{found['version']}", read_only=True)
    if text.startswith("@~"):
        return Location(_made(session.engine.folder("stages", "_USER")), text[2:].lstrip("/"), "")
    if text.startswith("@%"):
        stage, path = _split(text[2:])
        table = session.resolve(names.split(stage))
        return Location(_made(session.engine.folder("stages", "_TABLE", *table)), path, table.name)
    if not text.startswith("@"):
        raise invalid(f"'{text}' is not a stage location")
    stage, path = _split(text[1:])
    name = session.resolve(names.split(stage))
    entry = session.catalog.get(STAGE, name)
    if entry is None:
        raise does_not_exist("Stage", str(name))
    folder = _made(session.engine.folder("stages", entry.details["folder"]))
    return Location(folder, path, name.name.lower(), file_format=entry.details.get("file_format"))


def _split(text: str) -> tuple[str, str]:
    """A stage name, whose quoted parts may hold a slash, and the path behind it."""
    found = re.match(r'((?:"(?:[^"]|"")*"|[^"/.]+)(?:\.(?:"(?:[^"]|"")*"|[^"/.]*))*)(?:/(.*))?$', text, re.DOTALL)
    if found is None:
        raise invalid(f"'@{text}' is not a stage location")
    return found[1], found[2] or ""


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


# ---------------------------------------------------------------------------- CREATE, DROP, SHOW


@statement("CREATE STAGE", effect=Effect.DEFINE)
def create_stage(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    quietly = head.if_not_exists()
    name = session.existing_schema(session.resolve(scanner.name()))
    options = scanner.options(dict.fromkeys(("FILE_FORMAT", "COMMENT", "DIRECTORY", "ENCRYPTION", "COPY_OPTIONS"), str))
    scanner.end()
    if session.catalog.get(STAGE, name):
        if quietly:
            return results.done(f"{name.name} already exists, statement succeeded.")
        if not head.or_replace:
            raise already_exists(str(name))
        _remove_stage(session, name)
    entry = session.catalog.new(
        STAGE, name, options.get("COMMENT", ""), folder=session.engine.new_folder_name(),
        file_format=_given_format(options.get("FILE_FORMAT")),
    )  # fmt: skip
    folder = session.engine.folder("stages", entry.details["folder"])
    folder.mkdir(parents=True)
    session.transaction.on_rollback(lambda: session.engine.storage.remove([folder]))
    session.catalog.put(entry, temporary=head.temporary)
    return results.done(f"Stage area {name.name} successfully created.")


def _given_format(given: Any) -> dict[str, Any]:
    return given if isinstance(given, dict) else {"FORMAT_NAME": given} if given else {}


def _remove_stage(session: Session, name: ObjectName) -> None:
    entry = session.catalog.get(STAGE, name)
    if entry is not None:
        session.catalog.remove(STAGE, name)
        folder = session.engine.folder("stages", entry.details["folder"])
        session.transaction.after_commit(lambda: session.engine.storage.remove([folder]))


def drop_temporary(session: Session) -> None:
    """What the session's temporary stages hold on disk goes with the session."""
    for entry in session.catalog.temporary():
        if entry.kind == STAGE:
            _remove_stage(session, entry.name)


@statement("DROP STAGE", effect=Effect.DEFINE)
def drop_stage(session: Session, head: Statement) -> Result:
    quietly = head.if_exists()
    name = session.resolve(head.scanner.name())
    head.scanner.end()
    if session.catalog.get(STAGE, name) is None and not quietly:
        raise does_not_exist("Stage", str(name))
    _remove_stage(session, name)
    return results.done(f"{name.name} successfully dropped.")


@statement("SHOW STAGES")
def show_stages(session: Session, head: Statement) -> Result:
    listing = read_listing(session, head.scanner)
    columns = {
        "created_on": types.TIMESTAMP_LTZ,
        **dict.fromkeys(
            (
                "name",
                "database_name",
                "schema_name",
                "url",
                "has_credentials",
                "has_encryption_key",
                "owner",
                "comment",
                "region",
                "type",
                "cloud",
                "storage_integration",
                "owner_role_type",
                "directory_enabled",
            ),
            types.TEXT,
        ),
    }
    return results.rows(
        columns,
        [
            [
                e.created_on,
                e.name.name,
                e.name.database,
                e.name.schema,
                "",
                "N",
                "N",
                OWNER,
                e.comment,
                None,
                "INTERNAL TEMPORARY" if session.catalog.is_temporary(STAGE, e.name) else "INTERNAL",
                None,
                None,
                "ROLE",
                "N",
            ]
            for e in listing.entries(session, STAGE)
        ],
    )


@statement("CREATE FILE FORMAT", effect=Effect.DEFINE)
def create_file_format(session: Session, head: Statement) -> Result:
    quietly = head.if_not_exists()
    name = session.existing_schema(session.resolve(head.scanner.name()))
    options = head.scanner.options()
    head.scanner.end()
    if session.catalog.get(FILE_FORMAT, name) and not head.or_replace:
        if quietly:
            return results.done(f"{name.name} already exists, statement succeeded.")
        raise already_exists(str(name))
    comment = options.pop("COMMENT", "")
    session.catalog.put(session.catalog.new(FILE_FORMAT, name, comment, **options), temporary=head.temporary)
    return results.done(f"File format {name.name} successfully created.")


@statement("DROP FILE FORMAT", effect=Effect.DEFINE)
def drop_file_format(session: Session, head: Statement) -> Result:
    quietly = head.if_exists()
    name = session.resolve(head.scanner.name())
    head.scanner.end()
    if not session.catalog.remove(FILE_FORMAT, name) and not quietly:
        raise does_not_exist("File format", str(name))
    return results.done(f"{name.name} successfully dropped.")


def file_format(session: Session, given: Any) -> dict[str, Any]:
    """The options of a file format, given by name or in place."""
    options = dict(_given_format(given))
    named = options.pop("FORMAT_NAME", None)
    if named is None:
        return options
    entry = session.catalog.get(FILE_FORMAT, session.resolve(names.split(str(named))))
    if entry is None:
        raise does_not_exist("File format", str(named))
    return {**entry.details, **options}


# ---------------------------------------------------------------------------- PUT, GET, LIST, REMOVE


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
        raise SnowflakeError("SQL compilation error:\na model version cannot be written to.", 2076, "42601")
    target = _made(where.target)
    if options.get("OVERWRITE", False):
        session.put_aside(target, source)
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
        raise SnowflakeError("SQL compilation error:\na model version cannot be changed.", 2076, "42601")
    rows = []
    for file in _matching(where, pattern):
        rows.append([f"{where.label}/{where.relative(file)}", "removed"])
        file.unlink()
    return results.rows({"name": types.TEXT, "result": types.TEXT}, rows)
