"""RUNS: one row for every command that changed something, or tried to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from intentscore import __version__
from intentscore.settings import Settings
from intentscore.warehouse.errors import snowflake_errors
from intentscore.warehouse.identifiers import literal, timestamp_literal
from intentscore.warehouse.tables import RUNS, create_tables
from intentscore.warehouse.tags import new_run_id, query_tag

if TYPE_CHECKING:
    from snowflake.snowpark import Session

LONGEST_MESSAGE = 1000


@dataclass
class Run:
    """A run under way; the service fills in what it comes to know. `started_at` is UTC without a zone."""

    run_id: str
    command: str
    arguments: Mapping[str, Any]
    started_at: datetime
    row_count: int | None = None
    model_version: str | None = None
    feature_hash: str | None = None

    @property
    def query_tag(self) -> str:
        return query_tag(self.command, self.run_id)


def utc_now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


@contextmanager
def recorded(session: Session, settings: Settings, command: str, **arguments: Any) -> Iterator[Run]:
    """Tag the statements of a run and write its row in RUNS, whether it succeeds or raises."""
    run = Run(new_run_id(), command, arguments, utc_now())
    tag_before: str | None = session.query_tag
    with snowflake_errors(f"run {command}"):
        create_tables(session, settings, [RUNS])
        session.query_tag = run.query_tag
        try:
            yield run
        except BaseException as error:
            # what went wrong matters more than whether it could be written down
            with suppress(Exception):
                _write(session, settings, run, "failed", str(error) or type(error).__name__)
            raise
        else:
            _write(session, settings, run, "done", None)
        finally:
            with suppress(Exception):
                session.query_tag = tag_before or ""


def _write(session: Session, settings: Settings, run: Run, outcome: str, message: str | None) -> None:
    values = {
        "RUN_ID": literal(run.run_id),
        "COMMAND": literal(run.command),
        "STARTED_AT": timestamp_literal(run.started_at),
        "FINISHED_AT": timestamp_literal(utc_now()),
        "OUTCOME": literal(outcome),
        "MESSAGE": _text(" ".join(message.split())[:LONGEST_MESSAGE] if message else None),
        "USER_NAME": "CURRENT_USER()",
        "ROLE_NAME": "CURRENT_ROLE()",
        "ARGUMENTS": literal(json.dumps(dict(run.arguments), default=str)),
        "ROW_COUNT": "NULL" if run.row_count is None else str(run.row_count),
        "MODEL_VERSION": _text(run.model_version),
        "FEATURE_HASH": _text(run.feature_hash),
        "QUERY_TAG": literal(run.query_tag),
        "PACKAGE_VERSION": literal(__version__),
    }
    table = RUNS.qualified_name(session, settings)
    session.sql(f"INSERT INTO {table} ({', '.join(values)}) SELECT {', '.join(values.values())}").collect()


def _text(value: str | None) -> str:
    return "NULL" if value is None else literal(value)
