"""Datasets: versions of query results, each kept as Parquet files under `snow://dataset/…/versions/…`.

Source: https://docs.snowflake.com/en/developer-guide/snowflake-ml/dataset
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intentscore.local import formats, results
from intentscore.local.catalog import OWNER, Entry, already_there
from intentscore.local.dropping import drop, remove_with_folders
from intentscore.local.errors import SnowflakeError, does_not_exist
from intentscore.local.names import ObjectName
from intentscore.local.results import Result
from intentscore.local.scanner import Scanner
from intentscore.local.show import columns_of, read_listing
from intentscore.local.stages import Location
from intentscore.local.statements import Effect, Statement, statement
from intentscore.local.storage import file_name
from intentscore.local.unloading import Unload, expression, unload_files

if TYPE_CHECKING:
    from intentscore.local.session import Session

DATASET = "DATASET"
OPTIONS = ("COMMENT", "METADATA")


def version_folder(session: Session, parts: list[str], version: str | None) -> Path:
    """Where the files of a version are, or of all; version names are taken as they are written."""
    name = session.resolve(parts)
    entry = session.catalog.get(DATASET, name)
    if entry is None:
        raise does_not_exist("Dataset", str(name))
    if version is None:
        return session.engine.folder("datasets", entry.details["folder"])
    if version not in entry.details["versions"]:
        raise _no_version(entry, version)
    return _folder(session, entry, version)


def _folder(session: Session, entry: Entry, version: str) -> Path:
    return session.engine.folder("datasets", entry.details["folder"], version)


def _no_version(entry: Entry, version: str) -> SnowflakeError:
    return SnowflakeError(f"Dataset version '{version}' does not exist in dataset '{entry.name}'.", 399012, "02000")


@statement("CREATE DATASET", effect=Effect.DEFINE)
def create_dataset(session: Session, head: Statement) -> Result:
    quietly = head.if_not_exists()
    name = session.existing_schema(session.resolve(head.scanner.name()))
    comment = head.scanner.options(("COMMENT",)).get("COMMENT", "")
    head.scanner.end()
    if there := already_there(session, head, DATASET, name, quietly, _remove):
        return there
    folder = session.engine.new_folder_name()
    session.catalog.put(session.catalog.new(DATASET, name, comment, folder=folder, versions={}))
    return results.done(f"Dataset {name.name} successfully created.")


@statement("ALTER DATASET", effect=Effect.DEFINE)
def alter_dataset(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    quietly = head.if_exists()
    name = session.resolve(scanner.name())
    entry = session.catalog.get(DATASET, name)
    if entry is None:
        if quietly:
            return results.done()
        raise SnowflakeError(f"Dataset '{name}' does not exist or not authorized.", 399019, "02000")
    if scanner.accept("ADD", "VERSION"):
        _add_version(session, entry, _version(scanner), scanner)
    elif scanner.accept("DROP", "VERSION"):
        _drop_version(session, entry, _version(scanner))
    else:
        scanner.expect("SET", "COMMENT", "=")
        entry.comment = scanner.string()
    scanner.end()
    session.catalog.put(entry)
    return results.done()


def _version(scanner: Scanner) -> str:
    return scanner.string() if scanner.is_string else scanner.identifier()


def _add_version(session: Session, entry: Entry, version: str, scanner: Scanner) -> None:
    if version in entry.details["versions"]:
        raise SnowflakeError(f"Dataset version '{version}' already exists in '{entry.name}'.", 399020, "42710")
    file_name(version)
    scanner.expect("FROM")
    query = scanner.parenthesised()
    partition_by = expression(scanner, OPTIONS) if scanner.accept("PARTITION", "BY") else None
    options = scanner.options(OPTIONS)
    folder = _folder(session, entry, version)
    shutil.rmtree(folder, ignore_errors=True)  # what a crash has left of an earlier attempt
    folder.mkdir(parents=True)
    session.transaction.on_rollback(lambda: session.engine.storage.remove([folder]))
    unload = Unload(Location(folder, "", ""), query, partition_by, {"HEADER": True})
    unload_files(session, unload, formats.find(session, {"TYPE": "PARQUET"}))
    entry.details["versions"][version] = {
        "created_on": datetime.now(UTC).isoformat(), "comment": options.get("COMMENT"),
        "metadata": options.get("METADATA"),
    }  # fmt: skip


def _drop_version(session: Session, entry: Entry, version: str) -> None:
    if entry.details["versions"].pop(version, None) is None:
        raise _no_version(entry, version)
    folder = _folder(session, entry, version)
    session.transaction.after_commit(lambda: session.engine.storage.remove([folder]))


@statement("DROP DATASET", effect=Effect.DEFINE)
def drop_dataset(session: Session, head: Statement) -> Result:
    return drop(session, head, "Dataset", _remove)


def _remove(session: Session, name: ObjectName) -> bool:
    return remove_with_folders(session, DATASET, name)


@statement("SHOW DATASETS")
def show_datasets(session: Session, head: Statement) -> Result:
    listing = read_listing(session, head.scanner)
    columns = columns_of("name", "database_name", "schema_name", "owner", "comment", "versions", "owner_role_type")
    return results.rows(
        columns,
        [
            [e.created_on, e.name.name, e.name.database, e.name.schema, OWNER, e.comment,
             str(list(e.details["versions"])).replace("'", '"'), "ROLE"]
            for e in listing.entries(session, DATASET)
        ],
    )  # fmt: skip


VERSION_COLUMNS = columns_of("version", "database_name", "schema_name", "dataset_name", "comment", "metadata")


def version_rows(session: Session, parts: list[str]) -> dict[str, list[Any]]:
    """The rows of SHOW VERSIONS IN DATASET, by the version's name."""
    name = session.resolve(parts)
    entry = session.catalog.get(DATASET, name)
    if entry is None:
        raise SnowflakeError(
            f"SQL compilation error:\nObject '{name}' does not exist or not authorized.", 2043, "02000"
        )
    return {
        version: [datetime.fromisoformat(v["created_on"]), version, *name, v["comment"], v["metadata"]]
        for version, v in entry.details["versions"].items()
    }
