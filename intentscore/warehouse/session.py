"""The session factory: the only place that knows whether Snowflake is an account or the local engine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intentscore.errors import ConfigurationError
from intentscore.settings import Settings
from intentscore.warehouse.connections import LOCAL, Connection, choose_connection
from intentscore.warehouse.errors import snowflake_errors, translated
from intentscore.warehouse.identifiers import current_schema, identifier, literal, resolved
from intentscore.warehouse.tags import new_run_id, query_tag

if TYPE_CHECKING:
    from snowflake.snowpark import Session


@dataclass(frozen=True)
class OpenSession:
    """`target` is `local engine .intentscore` or `account/database.schema as role`."""

    session: Session
    target: str
    run_id: str


def to_stderr(message: str) -> None:
    print(message, file=sys.stderr)


@contextmanager
def open_session(
    settings: Settings,
    *,
    connection: str | None = None,
    command: str,
    announce: Callable[[str], None] = to_stderr,
) -> Iterator[OpenSession]:
    """A session in our schema, tagged with the command; closed before the local engine stops.

    Raises ConfigurationError for an unknown or wrong connection and refused credentials, WarehouseError when
    the account cannot be reached or used.
    """
    chosen = choose_connection(settings, connection, Path())
    if chosen.exposed_file:
        file = chosen.exposed_file
        announce(f"warning: {file} holds a secret and others may read it; run: chmod 600 {file}")
    with _parameters(chosen, settings, announce) as parameters:
        session = _connect(parameters, chosen)
        try:
            run_id = new_run_id()
            with snowflake_errors("prepare the session"):
                session.query_tag = query_tag(command, run_id)
                _use_schema(session, settings, chosen, parameters.get("database"))
            yield OpenSession(session, _target(session, chosen, settings), run_id)
        finally:
            session.close()


@contextmanager
def _parameters(chosen: Connection, settings: Settings, announce: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    if chosen.name != LOCAL:
        overlay = {"role": settings.role, "warehouse": settings.warehouse, "database": settings.database}
        yield {**chosen.parameters, **{key: value for key, value in overlay.items() if value}}
        return
    from intentscore.local.engine import open_engine, retry_while_running

    with open_engine(settings.home, announce) as engine:
        yield engine.connection_parameters() | {"backoff_policy": retry_while_running(settings.home)}


def _connect(parameters: Mapping[str, Any], chosen: Connection) -> Session:
    from snowflake.snowpark import Session

    # our schema may not exist yet: it is created and used once connected
    known = {key: value for key, value in parameters.items() if key != "schema"}
    try:
        session: Session = Session.builder.configs(known).create()
    except Exception as error:
        # not chained: the vendor's error was raised with the credentials at hand
        raise translated(error, f"connect with {chosen.source}", chosen.secrets) from None
    return session


def _use_schema(session: Session, settings: Settings, chosen: Connection, wanted: str | None) -> None:
    database = session.get_current_database()
    if database is None and wanted:
        raise ConfigurationError(
            f"database {wanted} does not exist or the role may not use it; check its name and the role"
        )
    if database is None:
        raise ConfigurationError("no database; set `database:` in configs/intentscore.yaml or in the connection")
    schema = _schema_name(settings, chosen)
    shown = session.sql(f"SHOW SCHEMAS LIKE {literal(resolved(schema))} IN DATABASE {identifier(database)}").collect()
    name = f"{identifier(database)}.{identifier(schema)}"
    # looked up first: IF NOT EXISTS wants the privilege to create even when there is nothing to create
    if not any(row["name"] == resolved(schema) for row in shown):
        session.sql(f"CREATE SCHEMA IF NOT EXISTS {name}").collect()
    session.use_schema(name)


def _schema_name(settings: Settings, chosen: Connection) -> str:
    """The settings' schema, unless only a connection file or SNOWFLAKE_SCHEMA names one."""
    given = chosen.parameters.get("schema")
    if given and "schema_name" not in settings.model_fields_set:
        return str(given)
    return settings.schema_name


def _target(session: Session, chosen: Connection, settings: Settings) -> str:
    if chosen.name == LOCAL:
        return f"local engine {settings.home}"
    role = resolved(session.get_current_role() or "no role")
    return f"{session.connection.account}/{current_schema(session)} as {role}"
