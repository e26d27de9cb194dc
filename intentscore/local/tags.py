"""Tags: created with allowed values, set on objects, and read back as references."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from intentscore.local import results, types
from intentscore.local.catalog import OWNER, already_there
from intentscore.local.context_functions import context_function
from intentscore.local.dropping import drop
from intentscore.local.errors import does_not_exist, invalid, unsupported
from intentscore.local.names import ObjectName, split
from intentscore.local.results import Result
from intentscore.local.scanner import Scanner
from intentscore.local.show import Listing, read_listing
from intentscore.local.sources import table_function
from intentscore.local.statements import Effect, Statement, statement

if TYPE_CHECKING:
    from intentscore.local.session import Session

TAG = "TAG"


@statement("CREATE TAG", effect=Effect.DEFINE)
def create_tag(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    quietly = head.if_not_exists()
    name = session.existing_schema(session.resolve(scanner.name()))
    allowed = _allowed_values(scanner)
    comment = scanner.options({"COMMENT": str}).get("COMMENT", "")
    scanner.end()
    if there := already_there(session, head, TAG, name, quietly):
        return there
    session.catalog.put(session.catalog.new(TAG, name, comment, allowed_values=allowed))
    return results.done(f"Tag {name.name} successfully created.")


def _allowed_values(scanner: Scanner) -> list[str] | None:
    if not scanner.accept("ALLOWED_VALUES"):
        return None
    values = [scanner.string()]
    while scanner.accept(","):
        values.append(scanner.string())
    return values


def _tag(session: Session, parts: list[str]) -> Any:
    name = session.resolve(parts)
    entry = session.catalog.get(TAG, name)
    if entry is None:
        raise does_not_exist("Tag", str(name))
    return entry


@statement("ALTER TAG", effect=Effect.DEFINE)
def alter_tag(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    if (
        head.if_exists()
        and session.catalog.get(TAG, session.resolve(Scanner(scanner.text, (), scanner.tokens[scanner.at :]).name()))
        is None
    ):
        return results.done()
    entry = _tag(session, scanner.name())
    allowed = entry.details["allowed_values"] or []
    if scanner.accept("SET", "COMMENT", "="):
        entry.comment = scanner.string()
    elif scanner.accept("UNSET", "COMMENT"):
        entry.comment = ""
    elif scanner.accept("UNSET", "ALLOWED_VALUES"):
        entry.details["allowed_values"] = None
    elif scanner.accept("ADD"):
        entry.details["allowed_values"] = [*allowed, *(_allowed_values(scanner) or [])]
    elif scanner.accept("RENAME"):
        raise unsupported("renaming a tag")
    else:
        scanner.expect("DROP")
        dropped = _allowed_values(scanner) or []
        entry.details["allowed_values"] = [value for value in allowed if value not in dropped]
    scanner.end()
    session.catalog.put(entry)
    return results.done()


@statement("DROP TAG", effect=Effect.DEFINE)
def drop_tag(session: Session, head: Statement) -> Result:
    return drop(session, head, "Tag", lambda session, name: session.catalog.remove(TAG, name))


@statement("SHOW TAGS")
def show_tags(session: Session, head: Statement) -> Result:
    listing = read_listing(session, head.scanner)
    columns = {
        "created_on": types.TIMESTAMP_LTZ, "name": types.TEXT, "database_name": types.TEXT, "schema_name": types.TEXT,
        "owner": types.TEXT, "comment": types.TEXT, "allowed_values": types.TEXT, "owner_role_type": types.TEXT,
    }  # fmt: skip
    return results.rows(
        columns,
        [
            [e.created_on, e.name.name, e.name.database, e.name.schema, OWNER, e.comment,
             json.dumps(e.details["allowed_values"]) if e.details["allowed_values"] else None, "ROLE"]
            for e in _entries(session, listing)
        ],
    )  # fmt: skip


def _entries(session: Session, listing: Listing) -> list[Any]:
    return listing.entries(session, TAG)


# ---------------------------------------------------------------------------- tags on objects


def read_tag_values(session: Session, scanner: Scanner) -> list[tuple[ObjectName, str]]:
    """`tag = 'value', …`, each tag existing and each value one it allows."""
    found = []
    while True:
        entry = _tag(session, scanner.name())
        scanner.expect("=")
        value = scanner.string()
        allowed = entry.details["allowed_values"]
        if allowed and value not in allowed:
            raise invalid(f"Tag value '{value}' is not one of the allowed values of tag '{entry.name}'")
        found.append((entry.name, value))
        if not scanner.accept(","):
            return found


def set_tags(session: Session, name: ObjectName, domain: str, scanner: Scanner) -> None:
    for tag, value in read_tag_values(session, scanner):
        session.catalog.set_tag(name, domain, tag, value)


def unset_tags(session: Session, name: ObjectName, domain: str, scanner: Scanner) -> None:
    while True:
        session.catalog.set_tag(name, domain, _tag(session, scanner.name()).name, None)
        if not scanner.accept(","):
            return


@table_function("TAG_REFERENCES")
def tag_references(session: Session, object_name: str, domain: str) -> pa.Table:
    wanted = session.resolve(split(object_name))
    references = session.catalog.tag_references(wanted.database)
    return _reference_table(r for r in references if r[:2] == (wanted, _domain(domain)))


def _domain(given: str) -> str:
    """The kind under which tags are kept: a view counts as a table, and MODULE is a model."""
    return {"MODULE": "MODEL", "VIEW": "TABLE", "DYNAMIC TABLE": "TABLE"}.get(given.upper(), given.upper())


@context_function("SYSTEM$GET_TAG")
def get_tag(session: Session, tag: str, object_name: str, domain: str) -> str | None:
    """The value of a tag on an object, or NULL."""
    wanted = str(_tag(session, split(tag)).name)
    name = session.resolve(split(object_name))
    references = session.catalog.tag_references(name.database)
    return next((r[3] for r in references if r[:3] == (name, _domain(domain), wanted)), None)


@table_function("TAG_REFERENCES_INTERNAL")
def tag_references_internal(session: Session, tag_name: str) -> pa.Table:
    wanted = session.resolve(split(tag_name))
    return _reference_table(r for r in session.catalog.tag_references(wanted.database) if r[2] == str(wanted))


def _reference_table(references: Any) -> pa.Table:
    rows = []
    for name, domain, tag, value in references:
        tag_database, tag_schema, tag_name = split(tag)
        rows.append(
            [
                tag_database,
                tag_schema,
                tag_name,
                value,
                "TABLE",
                name.database,
                name.schema,
                name.name,
                domain,
            ]
        )
    names = ["TAG_DATABASE", "TAG_SCHEMA", "TAG_NAME", "TAG_VALUE", "LEVEL", "OBJECT_DATABASE", "OBJECT_SCHEMA",
             "OBJECT_NAME", "DOMAIN"]  # fmt: skip
    return pa.table({column: pa.array([row[i] for row in rows], pa.string()) for i, column in enumerate(names)})


@context_function("ENTITY_DETAIL")
def entity_detail(session: Session, kind: str, name: str, sections: str | None = None) -> str:
    """What the Feature Store's client asks instead of TAG_REFERENCES: tags of an object, or objects of a tag."""
    wanted = session.resolve(split(name))
    references = session.catalog.tag_references(wanted.database)
    if kind.upper() == "TAG":
        listed = [_detail(r) for r in references if r[2] == str(wanted)]
        return json.dumps({"referencedEntities": {"tagReferenceList": listed}})
    listed = [_detail(r) for r in references if r[:2] == (wanted, _domain(kind))]
    return json.dumps({"tagReferencesInfo": {"tagReferenceList": listed}})


def _detail(reference: tuple[ObjectName, str, str, str]) -> dict[str, str]:
    name, domain, tag, value = reference
    tag_database, tag_schema, tag_name = split(tag)
    return {
        "database": name.database, "schema": name.schema, "entityName": name.name, "domain": domain,
        "tagDatabase": tag_database, "tagSchema": tag_schema, "tagName": tag_name, "tagValue": value, "level": "TABLE",
    }  # fmt: skip
