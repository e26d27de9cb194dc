"""Whether everything is in place, and how to mend what is not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING

from intentscore import __version__
from intentscore.services.packaging import PACKAGES, pinned_packages
from intentscore.settings import Settings
from intentscore.warehouse.errors import snowflake_errors
from intentscore.warehouse.grants import GRANTS, OPTIONAL, OWNER
from intentscore.warehouse.identifiers import current_schema, identifier, literal

if TYPE_CHECKING:
    from snowflake.snowpark import Session

MAX_CLOCK_S = 60.0
MIN_FREE_GB = 1.0
RUNTIME = "3.11"


@dataclass(frozen=True)
class Check:
    """`mend` says what to do where `ok` is false."""

    check: str
    ok: bool
    found: str
    mend: str | None = None


@dataclass(frozen=True)
class DoctorResult:
    healthy: bool
    checks: tuple[Check, ...]


def examine(session: Session, settings: Settings) -> DoctorResult:
    """Every check, each on its own: one that fails does not keep the others from being made."""
    made = tuple(_made(check, session, settings) for check in CHECKS)
    return DoctorResult(all(check.ok for check in made), made)


def _made(check: Callable[[Session, Settings], Check], session: Session, settings: Settings) -> Check:
    name = check.__name__.strip("_").replace("_", " ")
    try:
        with snowflake_errors(f"check the {name}"):
            return check(session, settings)
    except Exception as error:
        return Check(name, False, " ".join(str(error).split()), "mend this first, then run `intentscore doctor` again")


def _target(session: Session, settings: Settings) -> Check:
    where = f"{session.connection.account}, {current_schema(session)}"
    return Check("target", True, f"{where}, Snowflake {session.sql('SELECT CURRENT_VERSION()').collect()[0][0]}")


def _role(session: Session, settings: Settings) -> Check:
    role = str(session.get_current_role() or "none").strip('"')
    if role in ("ACCOUNTADMIN", "none"):
        return Check("role", False, role, f"set `role:` to one with the grants of docs/grants.sql, as {OWNER}")
    return Check("role", True, role)


def _privileges(session: Session, settings: Settings) -> Check:
    role = identifier(str(session.get_current_role() or ""))
    rows = session.sql(f"SHOW GRANTS TO ROLE {role}").collect()
    held = {(row["privilege"], row["granted_on"].replace("_", " ")) for row in rows}
    owned = {kind for privilege, kind in held if privilege == "OWNERSHIP"}
    wanted = [g for g in GRANTS if g.role == OWNER and g.privilege not in OPTIONAL]
    missing = [g for g in wanted if (g.privilege, g.kind) not in held and g.kind not in owned]
    if missing:
        names = ", ".join(f"{g.privilege} on {g.kind.lower()}" for g in missing)
        return Check("privileges", False, f"role {role} lacks {names}", "run the grants of docs/grants.sql")
    return Check("privileges", True, f"{len(wanted)} of {len(wanted)}")


def _warehouse(session: Session, settings: Settings) -> Check:
    name = session.get_current_warehouse()
    if name is None:
        return Check("warehouse", False, "none", "set `warehouse:` in configs/intentscore.yaml or in the connection")
    plain = name.strip('"')
    shown = session.sql(f"SHOW WAREHOUSES LIKE {literal(plain)}").collect()
    if not shown:
        return Check("warehouse", False, f"{plain} is not there for this role", f"GRANT USAGE ON WAREHOUSE {plain}")
    return Check("warehouse", True, f"{plain}, {shown[0]['size']}, {shown[0]['state'].lower()}")


def _packages(session: Session, settings: Settings) -> Check:
    names = ", ".join(literal(name) for name in PACKAGES)
    rows = session.sql(
        "SELECT PACKAGE_NAME, VERSION FROM INFORMATION_SCHEMA.PACKAGES WHERE LANGUAGE = 'python' "
        f"AND (RUNTIME_VERSION = {literal(RUNTIME)} OR RUNTIME_VERSION IS NULL) AND PACKAGE_NAME IN ({names})"
    ).collect()
    offered = {f"{row[0]}=={row[1]}" for row in rows}
    missing = [pin for pin in pinned_packages() if pin not in offered]
    if missing:
        mend = "set `artifact_repository: snowflake.snowpark.pypi_shared_repository` in configs/schedule.yaml"
        return Check("packages", False, f"not offered for Python {RUNTIME}: {', '.join(missing)}", mend)
    return Check("packages", True, f"{len(PACKAGES)} offered for Python {RUNTIME}")


def _versions(session: Session, settings: Settings) -> Check:
    clients = ("snowflake-snowpark-python", "snowflake-ml-python", "snowflake-connector-python", "lightgbm")
    found = ", ".join(f"{name} {metadata.version(name)}" for name in clients)
    return Check("versions", True, f"intentscore {__version__}, {found}")


def _clock(session: Session, settings: Settings) -> Check:
    theirs = session.sql("SELECT SYSDATE()").collect()[0][0]
    apart = abs((datetime.now(UTC).replace(tzinfo=None) - theirs).total_seconds())
    if apart > MAX_CLOCK_S:
        return Check("clock", False, f"{apart:.0f} s apart from the account", "set this machine's clock by NTP")
    return Check("clock", True, f"{apart:.1f} s apart")


def _free_disk(session: Session, settings: Settings) -> Check:
    folder = settings.home if settings.home.exists() else settings.home.absolute().parent
    free = shutil.disk_usage(folder).free / 2**30
    if free < MIN_FREE_GB:
        return Check("free disk", False, f"{free:.1f} GB at {folder}", "make room, or set INTENTSCORE_HOME elsewhere")
    return Check("free disk", True, f"{free:.0f} GB")


CHECKS = (_target, _role, _privileges, _warehouse, _packages, _versions, _clock, _free_disk)
