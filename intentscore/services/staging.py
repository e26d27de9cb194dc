"""Sessions on their way in: staged as text, then parsed and judged in the warehouse, nowhere else.

Everything here is temporary and belongs to one upload: a stage, a table of the text as it came (`rows`), and
a table of typed values with what is wrong with each row (`checked`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from intentscore.data.schema import RAW_COLUMNS, ROW_NUMBER
from intentscore.errors import Problem
from intentscore.warehouse.identifiers import literal, qualified
from intentscore.warehouse.tables import SESSIONS, Column, fault, parsed

if TYPE_CHECKING:
    import pyarrow as pa
    from snowflake.snowpark import Session

    from intentscore.data.source import SessionSource

COLUMNS = tuple(column for column in SESSIONS.columns if column.name in RAW_COLUMNS)
KEY = ", ".join(SESSIONS.key)
GOOD = "REASONS = '' AND FILE_ROW = FIRST_ROW"


@dataclass(frozen=True)
class Staging:
    """Qualified names of one upload's temporary objects."""

    stage: str
    rows: str
    checked: str


@dataclass(frozen=True)
class Counts:
    read: int
    good: int

    @property
    def rejected(self) -> int:
        return self.read - self.good


def new_staging(session: Session, run_id: str) -> Staging:
    suffix = run_id.upper()
    stage, rows, checked = (f"UPLOAD_{kind}_{suffix}" for kind in ("FILES", "ROWS", "CHECKED"))
    return Staging(qualified(session, stage), qualified(session, rows), qualified(session, checked))


def fill(session: Session, staging: Staging, source: SessionSource, progress: Callable[[int], None] | None) -> None:
    """Put the source's batches on the stage as Parquet and copy them into `rows` as text."""
    session.sql(f"CREATE TEMPORARY STAGE {staging.stage}").collect()
    text_columns = ", ".join(f"{column.name} VARCHAR" for column in COLUMNS)
    session.sql(f"CREATE TEMPORARY TABLE {staging.rows} (FILE_ROW NUMBER(38, 0), {text_columns})").collect()
    done = 0
    for number, batch in enumerate(source.batches()):
        session.file.put_stream(_parquet(batch), f"@{staging.stage}/batch_{number:06d}.parquet", auto_compress=False)
        done += batch.num_rows
        if progress:
            progress(done)
    session.sql(copy_statement(staging)).collect()


def check(session: Session, staging: Staging) -> Counts:
    session.sql(check_statement(staging)).collect()
    counted = f"SELECT COUNT(*) AS READ_ROWS, COUNT_IF({GOOD}) AS GOOD_ROWS FROM {staging.checked}"
    row = session.sql(counted).collect()[0]
    return Counts(row["READ_ROWS"], row["GOOD_ROWS"])


def found_problems(session: Session, staging: Staging) -> tuple[Problem, ...]:
    """Each kind of fault with its number of rows, its first row and the value there; most rows first."""
    found = session.sql(problems_statement(staging)).collect()
    problems = [
        Problem(row["COLUMN_NAME"], row["REASON"], row["ROW_COUNT"], row["FIRST_FAULT"], row["EXAMPLE"])
        for row in found
    ]
    return tuple(sorted(problems, key=lambda problem: (-problem.rows, problem.column, problem.reason)))


def write_rejects(session: Session, staging: Staging, path: Path) -> None:
    """A CSV of the rejected rows as they came, with their row number and all reasons."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([ROW_NUMBER, "REASON", *(column.name for column in COLUMNS)])
        writer.writerows(session.sql(rejects_statement(staging)).to_local_iterator())


def drop(session: Session, staging: Staging) -> None:
    for kind, name in (("TABLE", staging.checked), ("TABLE", staging.rows), ("STAGE", staging.stage)):
        session.sql(f"DROP {kind} IF EXISTS {name}").collect()


def copy_statement(staging: Staging) -> str:
    names = ", ".join(column.name for column in COLUMNS)
    values = ", ".join(f'$1:"{column.name}"::VARCHAR' for column in COLUMNS)
    return (
        f"COPY INTO {staging.rows} (FILE_ROW, {names})\n"
        f'FROM (SELECT $1:"{ROW_NUMBER}"::NUMBER(38, 0), {values} FROM @{staging.stage})\n'
        "FILE_FORMAT = (TYPE = PARQUET) ON_ERROR = ABORT_STATEMENT"
    )


def check_statement(staging: Staging) -> str:
    """Typed values, all reasons of a row, and the first good row of its key: later ones are duplicates."""
    values = ",\n    ".join(f"{parsed(column, _text(column))} AS {column.name}" for column in COLUMNS)
    reasons = " ||\n    ".join(
        f"COALESCE({literal(column.name + ' ')} || {fault(column, _text(column))} || '; ', '')" for column in COLUMNS
    )
    return (
        f"CREATE TEMPORARY TABLE {staging.checked} AS\n"
        f"WITH parsed AS (\n  SELECT r.FILE_ROW,\n    {values},\n    {reasons} AS REASONS\n"
        f"  FROM {staging.rows} r\n)\n"
        f"SELECT *, MIN(FILE_ROW) OVER (PARTITION BY {KEY}, IFF(REASONS = '', 0, 1)) AS FIRST_ROW\n"
        "FROM parsed"
    )


def problems_statement(staging: Staging) -> str:
    faults = [
        f"SELECT {literal(column.name)} AS COLUMN_NAME, {fault(column, _text(column))} AS REASON, "
        f"r.FILE_ROW AS FILE_ROW, {_text(column)} AS FOUND FROM {staging.rows} r"
        for column in COLUMNS
    ]
    repeats = (
        f"SELECT {literal(KEY)} AS COLUMN_NAME, 'repeats the key of an earlier row' AS REASON, "
        f"FILE_ROW, UID || ' (as in row ' || FIRST_ROW || ')' AS FOUND\n"
        f"FROM {staging.checked} WHERE REASONS = '' AND FILE_ROW > FIRST_ROW"
    )
    return (
        "SELECT COLUMN_NAME, REASON, COUNT(*) AS ROW_COUNT, MIN(FILE_ROW) AS FIRST_FAULT, "
        "MIN_BY(FOUND, FILE_ROW) AS EXAMPLE\nFROM (\n" + "\nUNION ALL\n".join([*faults, repeats]) + "\n)\n"
        "WHERE REASON IS NOT NULL GROUP BY COLUMN_NAME, REASON"
    )


def rejects_statement(staging: Staging) -> str:
    values = ", ".join(_text(column) for column in COLUMNS)
    return (
        f"SELECT r.FILE_ROW, IFF(c.REASONS <> '', LEFT(c.REASONS, LENGTH(c.REASONS) - 2), "
        f"'{KEY} repeats row ' || c.FIRST_ROW) AS REASON, {values}\n"
        f"FROM {staging.rows} r JOIN {staging.checked} c ON r.FILE_ROW = c.FILE_ROW\n"
        f"WHERE c.REASONS <> '' OR c.FILE_ROW > c.FIRST_ROW ORDER BY r.FILE_ROW"
    )


def _text(column: Column) -> str:
    return f"r.{column.name}"


def _parquet(batch: pa.Table) -> io.BytesIO:
    import pyarrow.parquet as pq

    file = io.BytesIO()
    pq.write_table(batch, file)
    file.seek(0)
    return file
