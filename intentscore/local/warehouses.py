"""Warehouses: names and settings that clients create, show and stand on. The engine computes the same whatever is set.

Source: https://docs.snowflake.com/en/sql-reference/sql/create-warehouse
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from intentscore.local import results
from intentscore.local.catalog import OWNER, Entry, in_account
from intentscore.local.dropping import dropped
from intentscore.local.errors import SnowflakeError, already_exists, does_not_exist, invalid
from intentscore.local.results import Result
from intentscore.local.scanner import Scanner
from intentscore.local.show import named_listing
from intentscore.local.statements import Effect, Statement, statement
from intentscore.local.types import NUMBER, TEXT, TIMESTAMP_LTZ

if TYPE_CHECKING:
    from intentscore.local.session import Session

WAREHOUSE = "WAREHOUSE"
SIZES = {"XSMALL": "X-Small", "SMALL": "Small", "MEDIUM": "Medium", "LARGE": "Large", "XLARGE": "X-Large",
         **{f"X{n}LARGE": f"{n}X-Large" for n in (2, 3, 4, 5, 6)}}  # fmt: skip
SPELLINGS = {"XXLARGE": "X2LARGE", "XXXLARGE": "X3LARGE", **{f"{n}XLARGE": f"X{n}LARGE" for n in (2, 3, 4, 5, 6)}}
DEFAULTS: dict[str, Any] = {
    "WAREHOUSE_TYPE": "STANDARD", "WAREHOUSE_SIZE": "X-Small", "MIN_CLUSTER_COUNT": 1, "MAX_CLUSTER_COUNT": 1,
    "SCALING_POLICY": "STANDARD", "AUTO_SUSPEND": 600, "AUTO_RESUME": True, "RESOURCE_MONITOR": None,
    "ENABLE_QUERY_ACCELERATION": False, "QUERY_ACCELERATION_MAX_SCALE_FACTOR": 8, "MAX_CONCURRENCY_LEVEL": 8,
    "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS": 0, "STATEMENT_TIMEOUT_IN_SECONDS": 172_800, "RESOURCE_CONSTRAINT": None,
    "GENERATION": None,
}  # fmt: skip
SETTINGS = (*DEFAULTS, "COMMENT")


def started(name: str) -> Entry:
    """The warehouse an engine brings with it."""
    details = {**DEFAULTS, "suspended": False, "owner": OWNER}
    return Entry(WAREHOUSE, in_account(name), datetime.now(UTC), "the local engine", details)


def warehouse_exists(session: Session, name: str) -> bool:
    return session.catalog.get(WAREHOUSE, in_account(name)) is not None


def check_warehouse(session: Session, name: str | None) -> None:
    """Refuse a warehouse that is not there; none at all is allowed."""
    if name is not None and not warehouse_exists(session, name):
        raise does_not_exist("Warehouse", name)


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    """The settings as SHOW WAREHOUSES prints them, without the comment."""
    found = {key: value for key, value in given.items() if key != "COMMENT"}
    if "WAREHOUSE_SIZE" in found:
        size = str(found["WAREHOUSE_SIZE"]).upper().replace("-", "")
        size = SPELLINGS.get(size, size)
        if size not in SIZES:
            raise invalid(f"invalid value '{found['WAREHOUSE_SIZE']}' for property 'WAREHOUSE_SIZE'")
        found["WAREHOUSE_SIZE"] = SIZES[size]
    return found


@statement("CREATE WAREHOUSE", effect=Effect.DEFINE)
def create_warehouse(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    quietly = head.if_not_exists()
    name = scanner.identifier()
    scanner.accept("WITH")
    options = scanner.options((*SETTINGS, "INITIALLY_SUSPENDED"))
    scanner.end()
    suspended = bool(options.pop("INITIALLY_SUSPENDED", False))
    if warehouse_exists(session, name) and not head.or_replace:
        if quietly:
            return results.done(f"{name} already exists, statement succeeded.")
        raise already_exists(name)
    details = {**DEFAULTS, **_settings(options), "suspended": suspended, "owner": session.role}
    session.catalog.put(session.catalog.new(WAREHOUSE, in_account(name), options.get("COMMENT") or "", **details))
    session.warehouse = name
    return results.done(f"Warehouse {name} successfully created.")


@statement("ALTER WAREHOUSE", effect=Effect.DEFINE)
def alter_warehouse(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    quietly = head.if_exists()
    name = (
        session.warehouse if scanner.peek() in ("SUSPEND", "RESUME", "SET", "UNSET", "ABORT") else scanner.identifier()
    )
    entry = session.catalog.get(WAREHOUSE, in_account(name or ""))
    if entry is None:
        if quietly:
            return results.done()
        raise does_not_exist("Warehouse", str(name))
    if scanner.accept("RENAME", "TO"):
        _rename(session, entry, scanner.identifier())
    elif scanner.accept("SUSPEND"):
        _switch(entry, suspended=True)
    elif scanner.accept("RESUME"):
        _switch(entry, suspended=False, quietly=scanner.accept("IF", "SUSPENDED"))
    elif scanner.accept("ABORT", "ALL", "QUERIES"):
        pass  # no queries but those of sessions: they are cancelled one by one
    elif scanner.accept("UNSET"):
        _unset(entry, scanner)
    else:
        scanner.expect("SET")
        _set(entry, scanner.options(SETTINGS))
    scanner.end()
    session.catalog.put(entry)
    return results.done()


def _rename(session: Session, entry: Entry, new: str) -> None:
    if warehouse_exists(session, new):
        raise already_exists(new)
    session.catalog.remove(WAREHOUSE, entry.name)
    if session.warehouse == entry.name.name:
        session.warehouse = new
    entry.name = in_account(new)


def _switch(entry: Entry, *, suspended: bool, quietly: bool = False) -> None:
    if entry.details["suspended"] == suspended and not quietly:
        state = "suspended" if suspended else "running"
        raise SnowflakeError(
            f"Invalid state. Warehouse '{entry.name.name}' cannot be {'suspended' if suspended else 'resumed'}: it is "
            f"{state} already.", 90064 if suspended else 90063, "22000",
        )  # fmt: skip
    entry.details["suspended"] = suspended


def _set(entry: Entry, options: dict[str, Any]) -> None:
    if "COMMENT" in options:
        entry.comment = str(options["COMMENT"])
    entry.details |= _settings(options)


def _unset(entry: Entry, scanner: Scanner) -> None:
    while True:
        key = scanner.word()
        if key not in SETTINGS:
            raise invalid(f"invalid property '{key}' for 'WAREHOUSE'")
        _set(entry, {key: DEFAULTS.get(key, "")})
        if not scanner.accept(","):
            return


@statement("DROP WAREHOUSE", effect=Effect.DEFINE)
def drop_warehouse(session: Session, head: Statement) -> Result:
    quietly = head.if_exists()
    name = head.scanner.identifier()
    head.scanner.end()
    if name == session.engine.warehouse:
        raise invalid(f"{name} is the warehouse the local engine starts its sessions on: it cannot be dropped")
    was_there = session.catalog.remove(WAREHOUSE, in_account(name))
    if was_there and session.warehouse == name:
        session.warehouse = None
    return dropped("Warehouse", name, name, was_there=was_there, quietly=quietly)


@statement("USE WAREHOUSE", effect=Effect.CONTROL)
def use_warehouse(session: Session, head: Statement) -> Result:
    name = head.scanner.identifier()
    head.scanner.end()
    if not warehouse_exists(session, name):
        raise SnowflakeError("Object does not exist, or operation cannot be performed.", 2043, "02000")
    session.warehouse = name
    return results.done()


@statement("SHOW WAREHOUSES", "SHOW TERSE WAREHOUSES")
def show_warehouses(session: Session, head: Statement) -> Result:
    listing = named_listing(head.scanner)
    columns = {
        **dict.fromkeys(("name", "state", "type", "size"), TEXT),
        **dict.fromkeys(("min_cluster_count", "max_cluster_count", "started_clusters", "running", "queued"), NUMBER),
        **dict.fromkeys(("is_default", "is_current"), TEXT), "auto_suspend": NUMBER, "auto_resume": TEXT,
        **dict.fromkeys(("created_on", "resumed_on", "updated_on"), TIMESTAMP_LTZ),
        **dict.fromkeys(("owner", "comment", "enable_query_acceleration"), TEXT),
        "query_acceleration_max_scale_factor": NUMBER,
        **dict.fromkeys(("resource_monitor", "scaling_policy", "owner_role_type", "resource_constraint"), TEXT),
    }  # fmt: skip
    return results.rows(columns, [_shown(session, e) for e in listing.entries(session, WAREHOUSE)])


def _shown(session: Session, entry: Entry) -> list[Any]:
    d, name = entry.details, entry.name.name
    state = "SUSPENDED" if d["suspended"] else "STARTED"
    started = 0 if d["suspended"] else 1
    return [
        name, state, d["WAREHOUSE_TYPE"], d["WAREHOUSE_SIZE"], d["MIN_CLUSTER_COUNT"], d["MAX_CLUSTER_COUNT"], started,
        0, 0, "Y" if name == session.engine.warehouse else "N", "Y" if name == session.warehouse else "N",
        d["AUTO_SUSPEND"], str(d["AUTO_RESUME"]).lower(), *[entry.created_on] * 3, d.get("owner", OWNER),
        entry.comment, str(d["ENABLE_QUERY_ACCELERATION"]).lower(), d["QUERY_ACCELERATION_MAX_SCALE_FACTOR"],
        d["RESOURCE_MONITOR"] or "null", d["SCALING_POLICY"], "ROLE", d["RESOURCE_CONSTRAINT"],
    ]  # fmt: skip


@statement("DESCRIBE WAREHOUSE", "DESC WAREHOUSE")
def describe_warehouse(session: Session, head: Statement) -> Result:
    name = head.scanner.identifier()
    head.scanner.end()
    entry = session.catalog.get(WAREHOUSE, in_account(name))
    if entry is None:
        raise does_not_exist("Warehouse", name)
    columns = {"created_on": TIMESTAMP_LTZ, "name": TEXT, "kind": TEXT}
    return results.rows(columns, [[entry.created_on, name, "WAREHOUSE"]])
