"""Dynamic tables: a table with a stored query, computed anew when it is refreshed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlglot import Expr, exp

from intentscore.local import parsing, refreshes, results, rewrites, routines, schedules, sql, types, udfs
from intentscore.local.catalog import OWNER
from intentscore.local.dropping import drop
from intentscore.local.errors import does_not_exist, invalid
from intentscore.local.names import ObjectName, literal, quote
from intentscore.local.results import Result
from intentscore.local.scanner import Scanner
from intentscore.local.show import linear, read_listing
from intentscore.local.statements import Effect, Statement, statement
from intentscore.local.tables import DYNAMIC, drop_relation, rename, renamed
from intentscore.local.views import Definition, alter, declared, describe, known_columns, read_definition, stays

if TYPE_CHECKING:
    from intentscore.local.session import Session

ALTERABLE = ("TARGET_LAG", "WAREHOUSE", "COMMENT", "INITIALIZATION_WAREHOUSE")


@statement("CREATE DYNAMIC TABLE", effect=Effect.DEFINE)
def create_dynamic_table(session: Session, head: Statement) -> Result:
    quietly = head.if_not_exists()
    name = session.existing_schema(session.resolve(head.scanner.name()))
    definition = read_definition(session, head.scanner)
    if "TARGET_LAG" not in definition.options:
        raise invalid("missing option TARGET_LAG of a dynamic table")
    if stays(session, name, DYNAMIC, or_replace=head.or_replace, quietly=quietly):
        return results.done(f"{name.name} already exists, statement succeeded.")
    mode = _refresh_mode(session, definition)
    options = definition.options
    entry = session.catalog.new(
        DYNAMIC, name, options.get("COMMENT", ""), text=_shown(head.scanner.text, definition), query=definition.query,
        columns=[column for column, _ in definition.columns], target_lag=schedules.shown_lag(options["TARGET_LAG"]),
        warehouse=options.get("WAREHOUSE", session.warehouse), state="ACTIVE",
        initialization_warehouse=options.get("INITIALIZATION_WAREHOUSE"), refresh_mode=mode.name,
        refresh_mode_reason=mode.reason, cluster_by=definition.cluster_by,
        context=[session.database, session.schema], refreshed=None,
    )  # fmt: skip
    if str(options.get("INITIALIZE", "ON_CREATE")).upper() == "ON_CREATE":
        _fill(session, entry)
    else:
        _fill(session, entry, limit=0)
    describe(session, "TABLE", name, definition)
    for tag, value in definition.tags:
        session.catalog.set_tag(name, "TABLE", tag, value)
    session.catalog.put(entry)
    return results.done(f"Dynamic table {name.name} successfully created.")


_INITIALIZE = re.compile(r"\b(INITIALIZE\s*=\s*)(\w+)", re.IGNORECASE)


def _shown(text: str, definition: Definition) -> str:
    """The statement as SHOW prints it: with INITIALIZE's value in quotes."""
    head = text[: text.rindex(definition.query)] if definition.query in text else ""
    return _INITIALIZE.sub(r"\1'\2'", head) + text[len(head) :]


_ONLY_FULL = {
    exp.Limit: "LIMIT", exp.Order: "ORDER BY", exp.Except: "EXCEPT", exp.Intersect: "INTERSECT", exp.Pivot: "PIVOT",
    exp.TableSample: "SAMPLE", exp.Rand: "RANDOM", exp.CurrentTimestamp: "CURRENT_TIMESTAMP",
    exp.CurrentDate: "CURRENT_DATE", exp.Uuid: "UUID_STRING",
}  # fmt: skip


@dataclass(frozen=True)
class RefreshMode:
    name: str
    reason: str | None = None


def _refresh_mode(session: Session, definition: Definition) -> RefreshMode:
    """AUTO is INCREMENTAL where Snowflake can refresh the query from its changes alone.

    The engine computes the table anew either way; the mode is what clients are told. Source:
    https://docs.snowflake.com/en/user-guide/dynamic-tables-supported-queries
    """
    asked = str(definition.options.get("REFRESH_MODE", "AUTO")).upper()
    if asked != "AUTO":
        return RefreshMode(asked)
    found = next(_only_full(session, rewrites.fold_names(parsing.parse(definition.query))), None)
    if found is None:
        return RefreshMode("INCREMENTAL")
    return RefreshMode("FULL", f"Change tracking is not supported on queries with {found}.")


def _only_full(session: Session, query: Expr) -> Iterator[str]:
    """What in a query only a full refresh can compute."""
    for node in query.find_all(*_ONLY_FULL):
        if not node.find_ancestor(exp.Window):
            yield next(name for kind, name in _ONLY_FULL.items() if isinstance(node, kind))
    for call in query.find_all(exp.Anonymous):
        parts, _ = udfs.called(call)
        if any(not found.routine.immutable for found in udfs.find_all(session, routines.FUNCTION, parts)):
            yield f"the volatile function {parts[-1]}"


def _fill(session: Session, entry: Any, *, limit: int | None = None) -> None:
    """Compute the table anew from its query, whose names are looked up where the table was created."""
    started = datetime.now(UTC)
    with session.standing_in(*entry.details["context"]), sql.Preparation(session) as preparation:
        query = preparation.to_duckdb(parsing.parse(entry.details["query"]))
        if limit is not None:
            query = f"SELECT * FROM ({query}) LIMIT {limit}"
        named = entry.details["columns"]
        columns = f" ({', '.join(quote(c) for c in named)})" if named else ""
        source = f"SELECT * FROM ({query}) AS _source{columns}"
        if session.relation_kind(entry.name) is None:
            known = known_columns(session, preparation, query, named)
            session.fetch(f"CREATE TABLE {entry.name.duckdb} AS {source}")
            session.catalog.declare_columns(entry.name, declared(known))
        else:
            session.fetch(f"DELETE FROM {entry.name.duckdb}")
            session.fetch(f"INSERT INTO {entry.name.duckdb} {source}")
    if limit is None:
        entry.details["refreshed"] = datetime.now(UTC).isoformat()
        refreshes.note(session, entry, started)


def _dynamic_table(session: Session, scanner: Scanner, *, quietly: bool) -> Any:
    name = session.resolve(scanner.name())
    entry = session.catalog.get(DYNAMIC, name)
    if entry is None and not quietly:
        raise does_not_exist("Dynamic Table", str(name))
    return entry


@statement("ALTER DYNAMIC TABLE", effect=Effect.DEFINE)
def alter_dynamic_table(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    entry = _dynamic_table(session, scanner, quietly=head.if_exists())
    if entry is None:
        return results.done()
    if scanner.accept("RENAME", "TO"):
        rename(session, entry.name, renamed(session, scanner, entry.name))
        scanner.end()
        return results.done()
    if scanner.accept("REFRESH"):
        return refresh(session, entry)
    if scanner.accept("SUSPEND"):
        entry.details["state"] = "SUSPENDED"
    elif scanner.accept("RESUME"):
        entry.details["state"] = "ACTIVE"
    elif scanner.peek() == "SET" and scanner.peek(1) in ALTERABLE:
        scanner.word()
        options = scanner.options(dict.fromkeys(ALTERABLE, str))
        if (comment := options.pop("COMMENT", None)) is not None:
            entry.comment = str(comment)
            session.fetch(f"COMMENT ON TABLE {entry.name.duckdb} IS {literal(entry.comment)}")
        if "TARGET_LAG" in options:
            options["TARGET_LAG"] = schedules.shown_lag(str(options["TARGET_LAG"]))
        entry.details |= {key.lower(): value for key, value in options.items()}
    elif scanner.accept("UNSET", "INITIALIZATION_WAREHOUSE"):
        entry.details["initialization_warehouse"] = None
    else:
        alter(session, scanner, entry.name, DYNAMIC)
    scanner.end()
    session.catalog.put(entry)
    return results.done()


def refresh(session: Session, entry: Any) -> Result:
    before = session.fetch(f"SELECT count(*) FROM {entry.name.duckdb}")[0][0]
    _fill(session, entry)
    session.catalog.put(entry)
    after = session.fetch(f"SELECT count(*) FROM {entry.name.duckdb}")[0][0]
    columns = {"data_timestamp": types.TEXT, "statistics": types.TEXT}
    statistics = f'{{"insertedRows":{after},"deletedRows":{before}}}'
    return results.rows(columns, [[entry.details["refreshed"], statistics]])


@statement("DROP DYNAMIC TABLE", effect=Effect.DEFINE)
def drop_dynamic_table(session: Session, head: Statement) -> Result:
    return drop(session, head, "Dynamic Table", _remove)


def _remove(session: Session, name: ObjectName) -> bool:
    if session.catalog.get(DYNAMIC, name) is None:
        return False
    drop_relation(session, name)
    return True


@statement("SHOW DYNAMIC TABLES")
def show_dynamic_tables(session: Session, head: Statement) -> Result:
    listing = read_listing(session, head.scanner)
    columns = {
        "created_on": types.TIMESTAMP_LTZ,
        **dict.fromkeys(
            ("name", "database_name", "schema_name", "cluster_by", "owner", "target_lag", "refresh_mode",
             "refresh_mode_reason", "warehouse", "initialization_warehouse", "comment", "text", "automatic_clustering",
             "scheduling_state", "last_suspended_on", "is_clone", "is_replica", "is_iceberg", "data_timestamp",
             "owner_role_type"), types.TEXT),
        "rows": types.NUMBER, "bytes": types.NUMBER,
    }  # fmt: skip
    rows = []
    for entry in listing.entries(session, DYNAMIC):
        d = entry.details
        size = session.fetch(f"SELECT count(*) FROM {entry.name.duckdb}")[0][0]
        rows.append([
            entry.created_on, entry.name.name, entry.name.database, entry.name.schema, linear(d["cluster_by"]), OWNER,
            d["target_lag"], d["refresh_mode"], d.get("refresh_mode_reason"), d["warehouse"],
            d.get("initialization_warehouse"), entry.comment, d["text"], "OFF", d["state"], None,
            "false", "false", "false", d["refreshed"], "ROLE", size, 0,
        ])  # fmt: skip
    return results.rows(columns, rows)
