"""Stages: folders of files inside the engine's home, and nothing outside of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intentscore.local import formats, names, results, types
from intentscore.local.catalog import OWNER, already_there
from intentscore.local.dropping import drop, remove_with_folders
from intentscore.local.errors import already_exists, does_not_exist, invalid
from intentscore.local.names import ObjectName
from intentscore.local.results import Result
from intentscore.local.show import read_listing
from intentscore.local.statements import Effect, Statement, statement

if TYPE_CHECKING:
    from intentscore.local.session import Session

STAGE = "STAGE"
VERSION_URI = re.compile(
    r'snow://(?P<kind>model|dataset|experiment)/(?P<name>(?:"(?:[^"]|"")*"|[^"/])+)/versions/(?:(?P<version>[^/]+)/?(?P<path>.*))?',
    re.DOTALL,
)
_BARE_URI = re.compile(
    r"""'(?:[^'\\]|''|\\.)*'|\$\$.*?\$\$|(?<!["\w])(snow://\w+/(?:"(?:[^"]|"")*"|[^\s"'(),;])+)|"(?:[^"]|"")*\"""",
    re.DOTALL,
)
_DOUBLED_FILE = re.compile(r"(?is)^(\s*(?:put|get)\s[^';]*?)(file:/{4,}[^\s;']+)")


def with_quoted_addresses(text: str) -> str:
    """`FROM snow://dataset/D/versions/V` with its address as a string: its `//` would start a comment.

    So would that of `PUT file:////tmp/a.csv @S`.
    """
    text = _DOUBLED_FILE.sub(lambda found: f"{found[1]}{names.literal(found[2])}", text)
    if "snow://" not in text:
        return text
    return _BARE_URI.sub(lambda found: names.literal(found[1]) if found[1] else found[0], text)


@dataclass(frozen=True)
class Location:
    """A place in a stage: the stage's folder, the path below it, and how LIST prints the stage."""

    root: Path
    path: str
    label: str
    read_only: bool = False
    temporary: bool = False
    file_format: dict[str, Any] | None = None
    name: ObjectName | None = None

    @property
    def target(self) -> Path:
        return self.below(self.path)

    def below(self, path: str) -> Path:
        """A path inside the stage; one that would leave it is refused."""
        if "\0" in path:
            raise invalid("a path cannot hold a null character")
        root = self.root.resolve()
        found = (root / path.lstrip("/")).resolve()
        if found != root and root not in found.parents:
            raise invalid(f"the path '{path}' leaves the stage")
        return found

    def made(self) -> Path:
        """The folder this location names, created where it is not there yet."""
        return _made(self.target)

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
        root = self.root.resolve()
        return sorted(path for path in found if path.is_file() and root in path.resolve().parents)

    def relative(self, file: Path) -> str:
        return file.relative_to(self.root.resolve()).as_posix()


def locate(session: Session, text: str) -> Location:
    """`@db.schema.stage/path`, `@~/path`, `@%table/path` or `snow://model/…` to a place on disk."""
    where = _located(session, text)
    where.below(where.path)
    return where


def _located(session: Session, text: str) -> Location:
    if found := VERSION_URI.fullmatch(text):
        return _of_version(session, found["kind"], names.split(found["name"]), found["version"], found["path"])
    if text.startswith("@~"):
        return Location(_made(session.engine.folder("stages", "_USER")), text[2:].lstrip("/"), "")
    if text.startswith("@%"):
        stage, path = _split(text[2:])
        table = session.resolve(names.split(stage))
        return Location(_made(session.engine.folder("stages", "_TABLE", *table)), path, table.name)
    if text.startswith('"'):
        raise does_not_exist("Stage", text)
    if not text.startswith("@"):
        raise invalid(f"'{text}' is not a stage location")
    stage, path = _split(text[1:])
    name = session.resolve(names.split(stage))
    entry = session.catalog.get(STAGE, name)
    if entry is None:
        raise does_not_exist("Stage", str(name))
    folder = _made(session.engine.folder("stages", entry.details["folder"]))
    return Location(
        folder, path, name.name.lower(), temporary=session.catalog.is_temporary(STAGE, name),
        file_format=entry.details.get("file_format"), name=name,
    )  # fmt: skip


def _of_version(session: Session, kind: str, name: list[str], version: str | None, path: str | None) -> Location:
    from intentscore.local import datasets, experiments, models

    if kind == "experiment":
        if version is None:
            raise invalid("the run of the experiment is missing from its address")
        run = names.fold(version)
        return Location(_made(experiments.run_folder(session, name, run)), path or "", f"/versions/{run}")
    if kind == "dataset":
        folder = datasets.version_folder(session, name, version)
    elif version is None:
        raise invalid("a version of the model is missing from its address")
    else:
        folder = models.version_folder(session, name, names.fold(version))
    return Location(folder, path or "", f"versions/{version}" if version else "versions", read_only=True)


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
    if there := already_there(session, head, STAGE, name, quietly, _remove):
        return there
    entry = session.catalog.new(
        STAGE, name, options.get("COMMENT", ""), folder=session.engine.new_folder_name(),
        file_format=formats.as_options(options.get("FILE_FORMAT")), directory=_directory(options),
    )  # fmt: skip
    formats.find(session, entry.details["file_format"])
    folder = session.engine.folder("stages", entry.details["folder"])
    folder.mkdir(parents=True)
    session.transaction.on_rollback(lambda: session.engine.storage.remove([folder]))
    session.catalog.put(entry, temporary=head.temporary)
    return results.done(f"Stage area {name.name} successfully created.")


def _remove(session: Session, name: ObjectName) -> bool:
    return remove_with_folders(session, STAGE, name)


def drop_temporary(session: Session) -> None:
    """What the session's temporary stages hold on disk goes with the session."""
    for entry in session.catalog.temporary():
        if entry.kind == STAGE:
            _remove(session, entry.name)


@statement("DROP STAGE", effect=Effect.DEFINE)
def drop_stage(session: Session, head: Statement) -> Result:
    return drop(session, head, "Stage", _remove)


@statement("SHOW STAGES")
def show_stages(session: Session, head: Statement) -> Result:
    listing = read_listing(session, head.scanner)
    columns = {
        "created_on": types.TIMESTAMP_LTZ,
        **dict.fromkeys(
            ("name", "database_name", "schema_name", "url", "has_credentials", "has_encryption_key", "owner", "comment",
             "region", "type", "cloud", "notification_channel", "storage_integration", "endpoint", "owner_role_type",
             "directory_enabled"), types.TEXT,
        ),
    }  # fmt: skip
    data = []
    for entry in listing.entries(session, STAGE):
        kind = "INTERNAL TEMPORARY" if session.catalog.is_temporary(STAGE, entry.name) else "INTERNAL"
        data.append([entry.created_on, entry.name.name, entry.name.database, entry.name.schema, "", "N", "N", OWNER,
                     entry.comment, None, kind, None, None, None, None, "ROLE",
                     "Y" if entry.details.get("directory") else "N"])  # fmt: skip
    return results.rows(columns, data)


@statement("DESC STAGE", "DESCRIBE STAGE")
def describe_stage(session: Session, head: Statement) -> Result:
    name = session.resolve(head.scanner.name())
    head.scanner.end()
    entry = session.catalog.get(STAGE, name)
    if entry is None:
        raise does_not_exist("Stage", str(name))
    form = formats.find(session, entry.details.get("file_format"))
    directory = str(bool(entry.details.get("directory"))).lower()
    rows: list[list[str | None]] = [
        *formats.described(form),
        ["STAGE_COPY_OPTIONS", "ON_ERROR", "String", "ABORT_STATEMENT", "ABORT_STATEMENT"],
        ["STAGE_COPY_OPTIONS", "PURGE", "Boolean", "false", "false"],
        ["STAGE_LOCATION", "URL", "String", "", ""],
        ["DIRECTORY", "ENABLE", "Boolean", directory, "false"],
    ]
    return results.rows({"parent_property": types.TEXT, **formats.PROPERTIES}, rows)


@statement("ALTER STAGE", effect=Effect.DEFINE)
def alter_stage(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    quietly = head.if_exists()
    name = session.resolve(scanner.name())
    entry = session.catalog.get(STAGE, name)
    if entry is None:
        if quietly:
            return results.done()
        raise does_not_exist("Stage", str(name))
    if scanner.accept("REFRESH"):  # a directory table reads the folder itself
        scanner.end()
        return results.done()
    if scanner.accept("RENAME", "TO"):
        new = session.resolve(scanner.name())
        if session.catalog.get(STAGE, new):
            raise already_exists(str(new))
        temporary = session.catalog.is_temporary(STAGE, name)
        session.catalog.remove(STAGE, name)
        entry.name = new
        session.catalog.put(entry, temporary=temporary)
    else:
        scanner.expect("SET")
        options = scanner.options(dict.fromkeys(("FILE_FORMAT", "COMMENT", "DIRECTORY"), str))
        if "FILE_FORMAT" in options:
            entry.details["file_format"] = formats.as_options(options["FILE_FORMAT"])
            formats.find(session, entry.details["file_format"])
        entry.details["directory"] = _directory(options, entry.details.get("directory", False))
        entry.comment = options.get("COMMENT", entry.comment)
        session.catalog.put(entry)
    scanner.end()
    return results.done()


def _directory(options: dict[str, Any], default: bool = False) -> bool:
    given = options.get("DIRECTORY")
    return default if not isinstance(given, dict) else str(given.get("ENABLE", default)).upper() == "TRUE"
