"""SHOW AS RESOURCE and DESCRIBE AS RESOURCE: objects as JSON documents, in the shape the REST routes give them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from intentscore.local import results, types
from intentscore.local.catalog import CLUSTERING, OWNER, TABLE, Entry
from intentscore.local.columns import shown_default, table_columns
from intentscore.local.names import ObjectName, display
from intentscore.local.results import Result
from intentscore.local.routine_listing import named_routine
from intentscore.local.routines import FUNCTION, PROCEDURE
from intentscore.local.show import Listing, Relation, read_listing, relations, show_databases, show_schemas
from intentscore.local.signatures import Parameter, Routine
from intentscore.local.statements import Statement, statement

if TYPE_CHECKING:
    from intentscore.local.session import Session

Resource = dict[str, Any]
COLUMN = "As Resource"
OWNED = {"owner": OWNER, "owner_role_type": "ROLE"}


def _answer(resources: list[Resource]) -> Result:
    rows = [[json.dumps(resource, default=lambda moment: moment.isoformat())] for resource in resources]
    return results.rows({COLUMN: types.VARIANT}, rows)


@statement("SHOW AS RESOURCE DATABASES")
def databases(session: Session, head: Statement) -> Result:
    return _answer([_of_account(row) for row in _rows(show_databases(session, head))])


@statement("SHOW AS RESOURCE SCHEMAS")
def schemas(session: Session, head: Statement) -> Result:
    shown = _rows(show_schemas(session, head))
    return _answer([{**_of_account(row), "database_name": display(row["database_name"])} for row in shown])


def _rows(shown: Result) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = shown.table.to_pylist()
    return rows


def _of_account(row: dict[str, Any]) -> Resource:
    return {
        "name": display(row["name"]), "created_on": row["created_on"], "kind": "PERMANENT", "comment": row["comment"],
        "is_default": row["is_default"] == "Y", "is_current": row["is_current"] == "Y",
        "retention_time": int(row["retention_time"]), **OWNED,
    }  # fmt: skip


@statement("SHOW AS RESOURCE TABLES")
def tables(session: Session, head: Statement) -> Result:
    return _relations(session, head, TABLE, _table)


@statement("SHOW AS RESOURCE VIEWS")
def views(session: Session, head: Statement) -> Result:
    return _relations(session, head, "VIEW", _view)


def _relations(session: Session, head: Statement, kind: str, make: Callable[[Session, Relation], Resource]) -> Result:
    listing = read_listing(session, head.scanner)
    found = [*relations(session, listing, kind), *_temporary(session, listing, kind)][: listing.limit]
    return _answer([{**_placed(each.name, each), **make(session, each)} for each in found])


def _temporary(session: Session, listing: Listing, kind: str) -> Iterator[Relation]:
    for name, physical in session.temporary_tables.items():
        placed = listing.database in (None, name.database) and listing.schema in (None, name.schema)
        if placed and listing.wants(name.name) and session.is_temporary_view(physical) == (kind == "VIEW"):
            yield Relation(name, "", None, session.catalog.get(kind, name))


def _placed(name: ObjectName, found: Relation | Entry) -> Resource:
    return {
        "name": display(name.name), "database_name": display(name.database), "schema_name": display(name.schema),
        "created_on": found.created_on, "comment": found.comment, **OWNED,
    }  # fmt: skip


def _table(session: Session, table: Relation) -> Resource:
    clustering = session.catalog.get(CLUSTERING, table.name)
    columns = [
        {"name": display(column.name), "datatype": column.type.declared, "nullable": column.nullable,
         "default": shown_default(session, column), "comment": column.comment}
        for column in table_columns(session, table.name)
    ]  # fmt: skip
    transient = table.entry is not None and table.entry.details["transient"]
    kind = "TEMPORARY" if table.name in session.temporary_tables else "TRANSIENT" if transient else "PERMANENT"
    return {
        "kind": kind, "columns": columns, "rows": table.detail, "bytes": 0,
        "cluster_by": [clustering.details["columns"]] if clustering else [],
    }  # fmt: skip


def _view(session: Session, view: Relation) -> Resource:
    columns = [
        {"name": display(column.name), "datatype": column.type.declared, "comment": column.comment}
        for column in table_columns(session, view.name)
    ]
    text = view.entry.details["text"] if view.entry else view.detail
    return {"kind": "PERMANENT", "secure": False, "columns": columns, "query": text}


# ---------------------------------------------------------------------------- procedures and functions


@statement("SHOW AS RESOURCE PROCEDURES")
def procedures(session: Session, head: Statement) -> Result:
    return _routines(session, head, PROCEDURE)


@statement("SHOW AS RESOURCE USER FUNCTIONS", "SHOW AS RESOURCE FUNCTIONS")
def functions(session: Session, head: Statement) -> Result:
    return _routines(session, head, FUNCTION)


def _routines(session: Session, head: Statement, kind: str) -> Result:
    listing: Listing = read_listing(session, head.scanner)
    found = [e for d in listing.databases(session) for e in session.catalog.entries(kind, d, listing.schema)]
    wanted = [entry for entry in found if listing.wants(entry.details["routine"]["name"])]
    return _answer([_routine(entry, kind) for entry in wanted[: listing.limit]])


@statement("DESCRIBE AS RESOURCE PROCEDURE", "DESC AS RESOURCE PROCEDURE")
def describe_procedure(session: Session, head: Statement) -> Result:
    return _described(session, head, PROCEDURE)


@statement("DESCRIBE AS RESOURCE FUNCTION", "DESC AS RESOURCE FUNCTION")
def describe_function(session: Session, head: Statement) -> Result:
    return _described(session, head, FUNCTION)


def _described(session: Session, head: Statement, kind: str) -> Result:
    return _answer([_routine(named_routine(session, head, kind), kind)])


def _routine(entry: Entry, kind: str) -> Resource:
    routine = Routine.from_json(entry.details["routine"])
    described = _placed(ObjectName(entry.name.database, entry.name.schema, routine.name), entry) | {
        "arguments": [_argument(argument) for argument in routine.arguments], "return_type": _returned(routine),
        "language_config": _language(routine), "body": routine.body, "is_secure": routine.secure, "is_builtin": False,
        "min_num_arguments": routine.required, "max_num_arguments": len(routine.arguments),
    }  # fmt: skip
    if kind == PROCEDURE:
        return described | {"execute_as": routine.execute_as}
    return described | {"is_aggregate": routine.aggregate, "is_table_function": routine.columns is not None,
                        "is_memoizable": False, "is_temporary": False}  # fmt: skip


def _argument(argument: Parameter) -> Resource:
    found = {"name": display(argument.name), "datatype": argument.type}
    return found if argument.default is None else found | {"default_value": argument.default}


def _returned(routine: Routine) -> Resource:
    if routine.columns is None:
        return {"type": "DATATYPE", "datatype": routine.returns, "nullable": not routine.not_null}
    columns = [{"name": display(column.name), "datatype": column.type} for column in routine.columns]
    return {"type": "TABLE", "column_list": columns}


def _language(routine: Routine) -> Resource:
    shared = {"language": routine.language, "called_on_null_input": not routine.strict}
    if routine.language != "PYTHON":
        return shared
    return shared | {
        "runtime_version": str(routine.options["RUNTIME_VERSION"]), "handler": routine.options["HANDLER"],
        "packages": [str(package) for package in routine.options.get("PACKAGES", [])],
        "imports": list(routine.options.get("IMPORTS", [])),
    }  # fmt: skip
