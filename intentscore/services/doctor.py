"""Whether everything is in place, and how to mend what is not."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING

from intentscore import __version__
from intentscore.errors import ConfigurationError, IntentscoreError, WarehouseError
from intentscore.services.packaging import pinned_packages
from intentscore.services.versions import (
    CHAMPION,
    alias_holder,
    features_of,
    load_version,
    registered_versions,
    wanted_version,
)
from intentscore.settings import Settings
from intentscore.warehouse.errors import snowflake_errors
from intentscore.warehouse.grants import GRANTS, OPTIONAL, OWNER
from intentscore.warehouse.identifiers import current_schema, identifier, literal, qualified

if TYPE_CHECKING:
    from snowflake.snowpark import Session

MAX_CLOCK_S = 60.0
MIN_FREE_GB = 1.0
PROBE = "INTENTSCORE_PACKAGES_PROBE"
RUNTIME = f"{sys.version_info.major}.{sys.version_info.minor}"
"""Procedures run on the Python they were registered from."""


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

    def require_healthy(self) -> None:
        """Raises ConfigurationError for refused credentials, WarehouseError for anything else that failed."""
        failed = [check.check for check in self.checks if not check.ok]
        if failed:
            error = ConfigurationError if "credentials" in failed else WarehouseError
            raise error(f"{len(failed)} checks failed ({', '.join(failed)}); see `mend` above")


@dataclass(frozen=True)
class Subject:
    """What is examined: `artifact_repository` is where the procedures' packages are to come from."""

    session: Session
    settings: Settings
    artifact_repository: str | None


def diagnose(
    opening: Callable[[], AbstractContextManager[Session]], settings: Settings, artifact_repository: str | None
) -> DoctorResult:
    """Every check; without a session, why there is none, and those checks that need none."""
    try:
        with opening() as session:
            return examine(Subject(session, settings, artifact_repository))
    except IntentscoreError as error:
        return DoctorResult(False, (_refused(error), _versions(), _free_disk_of(settings)))


def examine(subject: Subject) -> DoctorResult:
    """Every check, each on its own: one that fails does not keep the others from being made."""
    made = tuple(_made(check, subject) for check in CHECKS)
    return DoctorResult(all(check.ok for check in made), made)


def _refused(error: IntentscoreError) -> Check:
    if isinstance(error, ConfigurationError):
        mend = "correct account, user and credentials of the connection, or name another one with --connection"
        return Check("credentials", False, str(error), mend)
    return Check("target", False, str(error), "see that the account can be reached from here, by its right name")


def _made(check: Callable[[Subject], Check], subject: Subject) -> Check:
    name = check.__name__.strip("_").replace("_", " ")
    try:
        with snowflake_errors(f"check the {name}"):
            return check(subject)
    except Exception as error:
        return Check(name, False, " ".join(str(error).split()), "mend this first, then run `intentscore doctor` again")


def _target(subject: Subject) -> Check:
    session = subject.session
    where = f"{session.connection.account}, {current_schema(session)}"
    return Check("target", True, f"{where}, Snowflake {session.sql('SELECT CURRENT_VERSION()').collect()[0][0]}")


def _credentials(subject: Subject) -> Check:
    """The session is open, so they were taken."""
    user = subject.session.sql("SELECT CURRENT_USER()").collect()[0][0]
    return Check("credentials", True, f"taken, as user {user}")


def _role(subject: Subject) -> Check:
    session = subject.session
    role = str(session.get_current_role() or "none").strip('"')
    if role in ("ACCOUNTADMIN", "none"):
        return Check("role", False, role, f"set `role:` to one with the grants of docs/grants.sql, as {OWNER}")
    return Check("role", True, role)


def _privileges(subject: Subject) -> Check:
    session = subject.session
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


def _warehouse(subject: Subject) -> Check:
    session = subject.session
    name = session.get_current_warehouse()
    if name is None:
        return Check("warehouse", False, "none", "set `warehouse:` in configs/intentscore.yaml or in the connection")
    plain = name.strip('"')
    shown = session.sql(f"SHOW WAREHOUSES LIKE {literal(plain)}").collect()
    if not shown:
        return Check("warehouse", False, f"{plain} is not there for this role", f"GRANT USAGE ON WAREHOUSE {plain}")
    return Check("warehouse", True, f"{plain}, {shown[0]['size']}, {shown[0]['state'].lower()}")


def _packages(subject: Subject) -> Check:
    """Packages are resolved when a procedure is created: so one is, for this session only."""
    pins, source = pinned_packages(), subject.artifact_repository
    clause = f"ARTIFACT_REPOSITORY = {source}\n" if source else ""
    name = qualified(subject.session, PROBE)
    try:
        with snowflake_errors("create a procedure with the pinned packages"):
            subject.session.sql(
                f"CREATE OR REPLACE TEMPORARY PROCEDURE {name}() RETURNS VARCHAR LANGUAGE PYTHON\n"
                f"RUNTIME_VERSION = {literal(RUNTIME)} {clause}PACKAGES = ({', '.join(map(literal, pins))})\n"
                "HANDLER = 'run' AS 'def run(session): return \"here\"'"
            ).collect()
    except IntentscoreError as error:
        mend = (
            "install intentscore from requirements.lock, whose versions are pinned; see that the role may use "
            f"`artifact_repository: {source}` of configs/schedule.yaml (docs/grants.sql)"
        )
        return Check("packages", False, str(error), mend)
    subject.session.sql(f"DROP PROCEDURE IF EXISTS {name}()").collect()
    return Check("packages", True, f"{len(pins)} for Python {RUNTIME} from {source or 'the account'}")


def _champion(subject: Subject) -> Check:
    """Whether it can score (its features are there) and be explained."""
    session, settings = subject.session, subject.settings
    known = registered_versions(session, settings)
    if alias_holder(known, CHAMPION) is None:
        return Check("champion", True, "none yet")
    version = wanted_version(known, settings, CHAMPION)
    view = features_of(session, settings, version).full_name
    methods = {found["target_method"] for found in load_version(session, settings, version.name).show_functions()}
    if "explain" not in methods or "base_log_odds" not in version.metrics:
        return Check("champion", False, f"{version.name} cannot be explained", "register its run again")
    return Check("champion", True, f"{version.name}, which reads {view}")


def _versions(subject: Subject | None = None) -> Check:
    clients = ("snowflake-snowpark-python", "snowflake-ml-python", "snowflake-connector-python", "lightgbm")
    found = ", ".join(f"{name} {metadata.version(name)}" for name in clients)
    return Check("versions", True, f"intentscore {__version__}, {found}")


def _clock(subject: Subject) -> Check:
    session = subject.session
    theirs = session.sql("SELECT SYSDATE()").collect()[0][0]
    apart = abs((datetime.now(UTC).replace(tzinfo=None) - theirs).total_seconds())
    if apart > MAX_CLOCK_S:
        return Check("clock", False, f"{apart:.0f} s apart from the account", "set this machine's clock by NTP")
    return Check("clock", True, f"{apart:.1f} s apart")


def _free_disk(subject: Subject) -> Check:
    return _free_disk_of(subject.settings)


def _free_disk_of(settings: Settings) -> Check:
    folder = settings.home if settings.home.exists() else settings.home.absolute().parent
    free = shutil.disk_usage(folder).free / 2**30
    if free < MIN_FREE_GB:
        return Check("free disk", False, f"{free:.1f} GB at {folder}", "make room, or set INTENTSCORE_HOME elsewhere")
    return Check("free disk", True, f"{free:.0f} GB")


CHECKS = (_target, _credentials, _role, _privileges, _warehouse, _packages, _champion, _versions, _clock, _free_disk)
