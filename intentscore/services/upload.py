"""Load sessions into SESSIONS: validated in the warehouse, all or nothing unless told otherwise."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from intentscore.errors import DataError, DataProblems, Problem
from intentscore.services import staging as staged
from intentscore.services.runs import recorded
from intentscore.settings import Settings
from intentscore.warehouse.identifiers import timestamp_literal
from intentscore.warehouse.tables import SESSIONS, create_tables
from intentscore.warehouse.transaction import transaction

if TYPE_CHECKING:
    from snowflake.snowpark import Session

    from intentscore.data.source import SessionSource

ATTRIBUTES = tuple(column.name for column in staged.COLUMNS if column.name not in SESSIONS.key)


@dataclass(frozen=True)
class UploadResult:
    """`unchanged` rows were in SESSIONS already, with the same values; they keep their LOADED_AT."""

    run_id: str
    source: str
    rows_read: int
    rows_rejected: int
    inserted: int
    updated: int
    unchanged: int
    rejects: str | None
    problems: tuple[Problem, ...]


def upload(
    session: Session,
    settings: Settings,
    source: SessionSource,
    *,
    on_error: Literal["abort", "skip"] = "abort",
    rejects: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> UploadResult:
    """Merge the source's sessions into SESSIONS on (UID, SESSION_DATE), in one transaction.

    Every row is validated in the warehouse. With "abort" one bad row refuses the whole source; with "skip"
    the good rows are loaded. Of rows with the same key the first good one counts. A session whose outcome is
    known keeps it when it comes again without one; the same rows again change nothing. `rejects` receives the
    bad rows as CSV, `progress` the number of rows staged so far.

    Raises DataError (with `details`) when rows are refused or the source cannot be read.
    """
    arguments = {"source": source.name, "fingerprint": source.fingerprint(), "on_error": on_error}
    with recorded(session, settings, "upload", **arguments) as run:
        create_tables(session, settings, [SESSIONS])
        staging = staged.new_staging(session, run.run_id)
        try:
            staged.fill(session, staging, source, progress)
            counts = staged.check(session, staging)
            problems = _report(session, staging, source, counts, rejects) if counts.rejected else None
            if problems and (on_error == "abort" or not counts.good):
                raise _refusal(problems)
            inserted, updated = _merge(session, settings, staging, run.started_at)
        finally:
            with suppress(Exception):  # they go with the session in any case
                staged.drop(session, staging)
        run.row_count = inserted + updated
        return UploadResult(
            run_id=run.run_id,
            source=source.name,
            rows_read=counts.read,
            rows_rejected=counts.rejected,
            inserted=inserted,
            updated=updated,
            unchanged=counts.good - inserted - updated,
            rejects=problems.rejects if problems else None,
            problems=problems.problems if problems else (),
        )


def merge_statement(table: str, staging: staged.Staging, loaded_at: datetime) -> str:
    """A null outcome never replaces a known one: the outcome may be loaded after the session, not before.

    Where the source does not say when the outcome became known, it is the session's own day when both came together,
    the day of this load when the outcome came later or changed.
    """
    names = [*SESSIONS.key, *ATTRIBUTES]
    matched = " AND ".join(f"t.{name} = s.{name}" for name in SESSIONS.key)
    incoming = {name: f"s.{name}" for name in ATTRIBUTES}
    incoming |= {"REVENUE": "COALESCE(s.REVENUE, t.REVENUE)", "OUTCOME_DATE": _outcome_date(loaded_at)}
    changed = " OR ".join(f"t.{name} IS DISTINCT FROM {value}" for name, value in incoming.items())
    updates = ", ".join(f"{name} = {value}" for name, value in incoming.items())
    inserted = {name: f"s.{name}" for name in names}
    inserted["OUTCOME_DATE"] = "IFF(s.REVENUE IS NULL, NULL, COALESCE(s.OUTCOME_DATE, s.SESSION_DATE))"
    at = timestamp_literal(loaded_at)
    return (
        f"MERGE INTO {table} t\n"
        f"USING (SELECT {', '.join(names)} FROM {staging.checked} WHERE {staged.GOOD}) s\nON {matched}\n"
        f"WHEN MATCHED AND ({changed}) THEN UPDATE SET {updates}, LOADED_AT = {at}\n"
        f"WHEN NOT MATCHED THEN INSERT ({', '.join(names)}, LOADED_AT)\n"
        f"VALUES ({', '.join(inserted.values())}, {at})"
    )


def _outcome_date(loaded_at: datetime) -> str:
    return (
        "CASE WHEN s.REVENUE IS NOT NULL AND s.OUTCOME_DATE IS NOT NULL THEN s.OUTCOME_DATE "
        "WHEN s.REVENUE IS NULL OR s.REVENUE = t.REVENUE THEN t.OUTCOME_DATE "
        f"ELSE '{loaded_at:%Y-%m-%d}'::DATE END"
    )


def _merge(session: Session, settings: Settings, staging: staged.Staging, loaded_at: datetime) -> tuple[int, int]:
    statement = merge_statement(SESSIONS.qualified_name(session, settings), staging, loaded_at)
    with transaction(session):
        merged = session.sql(statement).collect()[0]
    return merged["number of rows inserted"], merged["number of rows updated"]


def _report(
    session: Session,
    staging: staged.Staging,
    source: SessionSource,
    counts: staged.Counts,
    rejects: Path | None,
) -> DataProblems:
    if rejects is not None:
        try:
            staged.write_rejects(session, staging, rejects)
        except OSError as error:
            raise DataError(f"cannot write the rejected rows to {rejects}: {error.strerror}") from None
    return DataProblems(
        source=source.name,
        rows_read=counts.read,
        rows_rejected=counts.rejected,
        problems=staged.found_problems(session, staging),
        rejects=str(rejects) if rejects else None,
    )


def _refusal(problems: DataProblems) -> DataError:
    first = problems.problems[0]
    row = f"row {first.row}: {first.column} {first.reason}"
    where = f"; all of them with reasons: {problems.rejects}" if problems.rejects else ""
    skip = "" if problems.rows_rejected == problems.rows_read else "; --on-error skip loads the others"
    return DataError(
        f"{problems.source}: {problems.rows_rejected:,} of {problems.rows_read:,} rows are refused, nothing "
        f"was loaded ({row}){where}{skip}",
        problems,
    )
