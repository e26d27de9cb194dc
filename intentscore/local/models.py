"""The model registry: models, their versions, aliases and default, and the files of each version."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from intentscore.local import names, results
from intentscore.local.catalog import OWNER, Entry, already_there
from intentscore.local.dropping import drop, remove_with_folders
from intentscore.local.errors import SnowflakeError, already_exists, does_not_exist, invalid
from intentscore.local.names import ObjectName
from intentscore.local.results import Result
from intentscore.local.scanner import Scanner
from intentscore.local.show import columns_of, read_listing
from intentscore.local.statements import Effect, Statement, statement
from intentscore.local.tags import set_tags, unset_tags

if TYPE_CHECKING:
    from intentscore.local.session import Session

MODEL = "MODEL"
MAX_VERSIONS = 1_000
MAX_METADATA_BYTES = 100 * 1024
SYSTEM_ALIASES = ("DEFAULT", "FIRST", "LAST")


def model(session: Session, parts: list[str]) -> Entry:
    name = session.resolve(parts)
    entry = session.catalog.get(MODEL, name)
    if entry is None:
        raise does_not_exist("Model", str(name))
    return entry


def version_name(entry: Entry, given: str) -> str:
    """The version that a version name or an alias means."""
    versions = entry.details["versions"]
    if given in versions:
        return given
    for name, version in versions.items():
        if given in version["aliases"]:
            return str(name)
    match given:
        case "DEFAULT":
            return str(entry.details["default"])
        case "FIRST":
            return str(next(iter(versions)))
        case "LAST":
            return str(next(reversed(versions)))
        case _:
            raise SnowflakeError(
                f"SQL compilation error:\nVersion '{given}' does not exist in model '{entry.name}'.",
                2003,
                "02000",
            )


def version_folder(session: Session, parts: list[str], version: str) -> Path:
    entry = model(session, parts)
    stored = entry.details["versions"][version_name(entry, version)]
    return session.engine.folder("models", stored["folder"])


def manifest(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((folder / "MANIFEST.yml").read_text())
    return read


# ---------------------------------------------------------------------------- CREATE, ALTER, DROP


@statement("CREATE MODEL", effect=Effect.DEFINE)
def create_model(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    quietly = head.if_not_exists()
    name = session.existing_schema(session.resolve(scanner.name()))
    version = "VERSION_1"
    if scanner.accept("WITH", "VERSION"):
        version = scanner.identifier()
    if there := already_there(session, head, MODEL, name, quietly, _remove):
        return there
    entry = session.catalog.new(MODEL, name, default=version, versions={})
    _add_version(session, entry, version, scanner)
    session.catalog.put(entry)
    return results.done(f"Model {name.name} successfully created.")


def _add_version(session: Session, entry: Entry, version: str, scanner: Scanner) -> None:
    scanner.expect("FROM")
    if scanner.accept("MODEL"):
        parts = scanner.name()
        source_version = scanner.identifier() if scanner.accept("VERSION") else "DEFAULT"
        source = version_folder(session, parts, source_version)
    else:
        from intentscore.local.stages import locate

        source = locate(session, scanner.location()).target
    scanner.end()
    if version in entry.details["versions"]:
        raise already_exists(version)
    if len(entry.details["versions"]) >= MAX_VERSIONS:
        raise invalid(f"a model has at most {MAX_VERSIONS} versions")
    if not (source / "MANIFEST.yml").is_file():
        raise invalid(f"no MANIFEST.yml in '{scanner.text}'")
    folder = session.engine.new_folder_name()
    copied = session.engine.folder("models", folder)
    session.transaction.on_rollback(lambda: session.engine.storage.remove([copied]))
    shutil.copytree(source, copied)
    read = manifest(source)
    entry.details["versions"][version] = {
        "created_on": datetime.now(UTC).isoformat(), "comment": "", "metadata": "{}", "aliases": [], "folder": folder,
        "user_data": read.get("user_data") or {}, "platforms": read.get("target_platforms") or ["WAREHOUSE"],
        "functions": [method["name"] for method in read["methods"]],
    }  # fmt: skip


@statement("ALTER MODEL", effect=Effect.DEFINE)
def alter_model(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    quietly = head.if_exists()
    name = session.resolve(scanner.name())
    entry = session.catalog.get(MODEL, name)
    if entry is None:
        if quietly:
            return results.done()
        raise does_not_exist("Model", str(name))
    if scanner.accept("RENAME", "TO"):
        parts = scanner.name()
        target = session.resolve(parts if len(parts) > 1 else [name.database, name.schema, *parts])
        if session.catalog.get(MODEL, target):
            raise already_exists(str(target))
        session.catalog.remove(MODEL, name)
        session.catalog.move_tags(name, target, MODEL)
        entry.name = target
    elif scanner.accept("ADD", "VERSION"):
        _add_version(session, entry, scanner.identifier(), scanner)
    elif scanner.accept("DROP", "VERSION"):
        _drop_version(session, entry, scanner.identifier())
    elif scanner.accept("MODIFY", "VERSION") or scanner.accept("VERSION"):
        _alter_version(entry, version_name(entry, scanner.identifier()), scanner)
    elif scanner.accept("SET", "TAG"):
        set_tags(session, name, MODEL, scanner)
    elif scanner.accept("UNSET", "TAG"):
        unset_tags(session, name, MODEL, scanner)
    elif scanner.accept("SET"):
        for key, value in scanner.options({"COMMENT": str, "DEFAULT_VERSION": str}).items():
            if key == "COMMENT":
                entry.comment = str(value)
            else:
                entry.details["default"] = version_name(entry, str(value))
    scanner.end()
    session.catalog.put(entry)
    return results.done()


def _drop_version(session: Session, entry: Entry, given: str) -> None:
    version = version_name(entry, given)
    if version == entry.details["default"]:
        raise invalid(f"Cannot drop version '{version}' because it is the default version of the model.")
    folder = session.engine.folder("models", entry.details["versions"].pop(version)["folder"])
    session.transaction.after_commit(lambda: session.engine.storage.remove([folder]))


def _alter_version(entry: Entry, version: str, scanner: Scanner) -> None:
    stored = entry.details["versions"][version]
    if scanner.accept("UNSET", "ALIAS"):
        stored["aliases"] = []
        return
    scanner.expect("SET")
    for key, value in scanner.options({"ALIAS": str, "COMMENT": str, "METADATA": str}).items():
        if key == "ALIAS":
            _set_alias(entry, version, names.fold(str(value)))
        elif key == "COMMENT":
            stored["comment"] = str(value)
        else:
            if len(str(value).encode()) > MAX_METADATA_BYTES:
                raise invalid(f"the metadata of a model version is limited to {MAX_METADATA_BYTES} bytes")
            json.loads(str(value))
            stored["metadata"] = str(value)


def _set_alias(entry: Entry, version: str, alias: str) -> None:
    if alias in SYSTEM_ALIASES:
        raise invalid(f"'{alias}' is a system alias")
    holder = next((n for n, v in entry.details["versions"].items() if alias in v["aliases"]), None)
    if holder not in (None, version):
        raise invalid(f"Alias '{alias}' is already in use by version '{holder}'.")
    entry.details["versions"][version]["aliases"] = [alias]


@statement("COMMENT ON MODEL", effect=Effect.DEFINE)
def comment_on_model(session: Session, head: Statement) -> Result:
    entry = model(session, head.scanner.name())
    head.scanner.expect("IS")
    entry.comment = head.scanner.string()
    head.scanner.end()
    session.catalog.put(entry)
    return results.done()


@statement("DROP MODEL", effect=Effect.DEFINE)
def drop_model(session: Session, head: Statement) -> Result:
    return drop(session, head, "Model", _remove)


def _remove(session: Session, name: ObjectName) -> bool:
    session.catalog.clear_tags(name, MODEL)
    return remove_with_folders(session, MODEL, name)


# ---------------------------------------------------------------------------- SHOW


@statement("SHOW MODELS")
def show_models(session: Session, head: Statement) -> Result:
    listing = read_listing(session, head.scanner)
    columns = columns_of("name", "model_type", "database_name", "schema_name", "comment", "owner",
                         "default_version_name", "versions", "aliases")  # fmt: skip
    return results.rows(
        columns,
        [
            [e.created_on, e.name.name, "USER_MODEL", e.name.database, e.name.schema, e.comment, OWNER,
             e.details["default"], json.dumps(list(e.details["versions"])), json.dumps(_all_aliases(e))]
            for e in listing.entries(session, MODEL)
        ],
    )  # fmt: skip


def _all_aliases(entry: Entry) -> dict[str, str]:
    versions = entry.details["versions"]
    own = {alias: name for name, version in versions.items() for alias in version["aliases"]}
    return {
        "DEFAULT": entry.details["default"],
        "FIRST": next(iter(versions)),
        "LAST": next(reversed(versions)),
        **own,
    }


VERSION_COLUMNS = columns_of(
    "name", "aliases", "comment", "database_name", "schema_name", "model_name", "is_default_version", "functions",
    "metadata", "user_data", "model_attributes", "model_spec", "runnable_in", "inference_services",
)  # fmt: skip


def version_rows(session: Session, parts: list[str]) -> dict[str, list[Any]]:
    """The rows of SHOW VERSIONS IN MODEL, by the version's name."""
    entry = model(session, parts)
    return {name: _version_row(session, entry, name, v) for name, v in entry.details["versions"].items()}


def _version_row(session: Session, entry: Entry, name: str, version: dict[str, Any]) -> list[Any]:
    folder = session.engine.folder("models", version["folder"])
    spec_text = (folder / "model" / "model.yaml").read_text() if (folder / "model" / "model.yaml").exists() else ""
    spec = yaml.safe_load(spec_text) or {} if spec_text else {}
    aliases = [
        *version["aliases"],
        *(a for a, v in _all_aliases(entry).items() if v == name and a in SYSTEM_ALIASES),
    ]
    attributes = {
        "framework": spec.get("model_type"),
        "task": spec.get("task"),
        "client": "snowflake-ml-python",
    }
    return [
        datetime.fromisoformat(version["created_on"]), name, json.dumps(aliases), version["comment"],
        entry.name.database, entry.name.schema, entry.name.name, str(name == entry.details["default"]).lower(),
        json.dumps(version["functions"]), version["metadata"], json.dumps(version["user_data"]),
        json.dumps(attributes), spec_text, json.dumps(version["platforms"]), "[]",
    ]  # fmt: skip


@statement("SHOW FUNCTIONS IN MODEL")
def show_functions_in_model(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    entry = model(session, scanner.name())
    version = version_name(entry, scanner.identifier() if scanner.accept("VERSION") else "DEFAULT")
    scanner.end()
    stored = entry.details["versions"][version]
    columns = columns_of("name", "return_type", "arguments")
    methods = manifest(session.engine.folder("models", stored["folder"]))["methods"]
    created = datetime.fromisoformat(stored["created_on"])
    return results.rows(columns, [[created, m["name"], _return_type(m), _signature(m)] for m in methods])


def _return_type(method: dict[str, Any]) -> str:
    outputs = method["outputs"]
    if method["type"] == "TABLE_FUNCTION":
        fields = ", ".join(f"{output['name']} {output['type']}" for output in outputs)
        return f"TABLE ({fields})"
    return str(outputs[0]["type"])


def _signature(method: dict[str, Any]) -> str:
    return f"{method['name']}({', '.join(i['type'] for i in method['inputs'])})"
