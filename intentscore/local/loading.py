"""COPY INTO a table: which files, what the columns are, what ON_ERROR makes of bad records, and the report."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
from fakesnow.statement_type import COPY

from intentscore.local import errors, formats, results, staged, types
from intentscore.local.checking import Failure, check
from intentscore.local.errors import SnowflakeError, invalid
from intentscore.local.formats import UNREADABLE, FileFormat
from intentscore.local.load_history import LoadHistory
from intentscore.local.mapping import Mapping, Target, map_columns, read_targets
from intentscore.local.names import ObjectName, display, quote
from intentscore.local.results import Result
from intentscore.local.scanner import Scanner
from intentscore.local.stages import Location, locate
from intentscore.local.statements import Effect, Statement, statement

if TYPE_CHECKING:
    from intentscore.local.session import Session

OPTIONS: dict[str, type] = dict.fromkeys(
    ("FILE_FORMAT", "FILES", "PATTERN", "ON_ERROR", "PURGE", "FORCE", "MATCH_BY_COLUMN_NAME", "TRUNCATECOLUMNS",
     "SIZE_LIMIT", "RETURN_FAILED_ONLY", "ENFORCE_LENGTH", "LOAD_UNCERTAIN_FILES", "VALIDATION_MODE",
     "INCLUDE_METADATA", "LOAD_MODE"), str,
)  # fmt: skip
REPORT = {
    "file": types.TEXT, "status": types.TEXT, "rows_parsed": types.NUMBER, "rows_loaded": types.NUMBER,
    "error_limit": types.NUMBER, "errors_seen": types.NUMBER, "first_error": types.TEXT,
    "first_error_line": types.NUMBER, "first_error_character": types.NUMBER, "first_error_column_name": types.TEXT,
}  # fmt: skip


@dataclass
class Load:
    """A COPY INTO <table> as it was written."""

    target: ObjectName
    columns: list[str]
    location: Location
    query: str | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def flag(self, option: str) -> bool:
        return str(self.options.get(option, False)).upper() == "TRUE"

    @property
    def on_error(self) -> str:
        return str(self.options.get("ON_ERROR", "ABORT_STATEMENT")).upper()


def copy_into_table(session: Session, scanner: Scanner) -> Result:
    load = read(session, scanner)
    if not session.table_exists(load.target):
        raise SnowflakeError(f"{errors.COMPILATION}Table '{display(load.target.name)}' does not exist", 2003, "42S02")
    form = formats.find(session, load.options.get("FILE_FORMAT") or load.location.file_format)
    names = load.options.get("FILES")
    files = staged.select_files(load.location, load.options.get("PATTERN"), names)
    missing = [load.location.relative(f) for f in files if not f.is_file()]
    if missing and not load.options.get("VALIDATION_MODE"):
        raise SnowflakeError(NOT_FOUND.format(missing[0]), 91016, "22000")
    targets = read_targets(session, load.target)
    if load.options.get("VALIDATION_MODE"):
        return _validate(session, load, form, files, targets)
    history = LoadHistory(session, load.target, load.location, purge=load.flag("PURGE"))
    fresh = files if load.flag("FORCE") else [f for f in files if not history.knows(f)]
    rows = [_skipped(load, f) for f in files if f not in fresh] if names else []
    for file in fresh:
        report = _load_file(session, load, form, file, targets)
        history.add(file, report)
        rows.append(report)
    if load.flag("PURGE"):
        for file in fresh:
            session.transaction.after_commit(file.unlink)
    if not rows:
        return results.rows({"status": types.TEXT}, [["Copy executed with 0 files processed."]], COPY)
    if load.flag("RETURN_FAILED_ONLY"):
        rows = [row for row in rows if row[1] != "LOADED"]
    return results.rows(REPORT, rows, COPY)


def read(session: Session, scanner: Scanner) -> Load:
    target = session.resolve(scanner.name())
    columns = Scanner(scanner.parenthesised()).identifiers() if scanner.peek() == "(" else []
    scanner.expect("FROM")
    query = None
    if scanner.peek() == "(":
        query = scanner.parenthesised()
        location = _location_of(session, query)
    else:
        location = locate(session, scanner.location())
    options = scanner.options(OPTIONS)
    scanner.end()
    on_error = str(options.get("ON_ERROR", "ABORT_STATEMENT")).upper()
    if on_error not in ("ABORT_STATEMENT", "CONTINUE") and not on_error.startswith("SKIP_FILE"):
        raise invalid(f"invalid value [{on_error}] for parameter 'ON_ERROR'")
    return Load(target, columns, location, query, options)


def _location_of(session: Session, query: str) -> Location:
    scanner = Scanner(query)
    while not scanner.accept("FROM"):
        if scanner.done:
            raise invalid("COPY INTO needs a query that reads from a stage")
        scanner.at += 1
    return locate(session, scanner.location())


# ---------------------------------------------------------------------------- one file


def _load_file(session: Session, load: Load, form: FileFormat, file: Path, targets: list[Target]) -> list[Any]:
    try:
        mapping = map_columns(session, load, form, file, targets)
    except SnowflakeError as error:
        if load.on_error == "ABORT_STATEMENT" or error.sqlstate != UNREADABLE:
            raise
        return [load.location.relative(file), "LOAD_FAILED", 0, 0, 1, 1, error.message, None, None, None]
    if form.in_columns and load.on_error == "ABORT_STATEMENT":
        loaded = _load_directly(session, load, mapping, file)
        return [load.location.relative(file), "LOADED", loaded, loaded, 1, 0, None, None, None, None]
    checked = check(session, mapping)
    failures = checked.failures
    if failures and load.on_error == "ABORT_STATEMENT":
        raise aborted(load, file, failures[0])
    skip = _skips(load.on_error, len(failures), checked.parsed)
    loaded = 0 if skip else _insert(session, load, mapping, checked.good)
    status = "LOAD_FAILED" if failures and not loaded else "PARTIALLY_LOADED" if failures else "LOADED"
    limit = checked.parsed if load.on_error == "CONTINUE" else _limit(load.on_error, checked.parsed)
    first = failures[0] if failures else None
    return [load.location.relative(file), status, checked.parsed, loaded, limit, len(failures),
            *((first.message, first.line, first.character, first.column) if first else (None,) * 4)]  # fmt: skip


def _load_directly(session: Session, load: Load, mapping: Mapping, file: Path) -> int:
    """Columns that have types of their own, straight from the file into the table."""
    named = ", ".join(quote(target.held) for target in mapping.targets)
    cells = ", ".join(mapping.cells)
    try:
        with contextlib.ExitStack() as stack:
            relation = mapping.read(lambda table: stack.enter_context(session.registered(table)))
            query = f"INSERT INTO {session.physical(load.target)} ({named}) SELECT {cells} FROM {relation}"
            return int(session.fetch(query)[0][0])
    except duckdb.InterruptException:
        raise
    except duckdb.Error as error:
        found = errors.from_duckdb(error)
        raise SnowflakeError(
            f"{found.message}\n  File '{load.location.relative(file)}'\n{ADVICE}", found.code, found.sqlstate
        ) from error


def _insert(session: Session, load: Load, mapping: Mapping, good: pa.Table) -> int:
    if not good.num_rows:
        return 0
    named = ", ".join(quote(target.held) for target in mapping.targets)
    with session.registered(good) as source:
        return int(session.fetch(
            f"INSERT INTO {session.physical(load.target)} ({named}) SELECT * FROM {source}")[0][0])  # fmt: skip


def _skips(on_error: str, failed: int, parsed: int) -> bool:
    """Whether SKIP_FILE, SKIP_FILE_<n> or SKIP_FILE_<n>% leaves the whole file out."""
    return on_error.startswith("SKIP_FILE") and failed > 0 and failed >= _limit(on_error, parsed)


def _limit(on_error: str, parsed: int) -> int:
    amount = on_error.removeprefix("SKIP_FILE").strip("_")
    if not on_error.startswith("SKIP_FILE") or not amount:
        return 1
    return max(1, int(float(amount[:-1]) * parsed / 100)) if amount.endswith("%") else int(amount)


NOT_FOUND = (
    "Remote file '{}' was not found. There are several potential causes. The file might not exist. The required "
    "credentials may be missing or invalid. If you are running a copy command, please make sure files are not deleted "
    "when they are being loaded or files are not being loaded into two different tables concurrently with auto purge "
    "option."
)
ADVICE = (
    "  If you would like to continue loading when an error is encountered, use other values such as 'SKIP_FILE' or "
    "'CONTINUE' for the ON_ERROR option. For more information on loading options, please run 'info loading_data' in a "
    "SQL client."
)


def aborted(load: Load, file: Path, failure: Failure) -> SnowflakeError:
    where = f"  File '{load.location.relative(file)}', line {failure.line}, character {failure.character}\n"
    row = f"  Row {failure.row}, column {failure.column}\n" if failure.column else ""
    return SnowflakeError(f"{failure.message}\n{where}{row}{ADVICE}", failure.code, "22000")


def _skipped(load: Load, file: Path) -> list[Any]:
    return [load.location.relative(file), "LOAD_SKIPPED", 0, 0, 0, 0, "File was loaded before.", None, None, None]


# ---------------------------------------------------------------------------- VALIDATION_MODE


def _validate(session: Session, load: Load, form: FileFormat, files: list[Path], targets: list[Target]) -> Result:
    """Reads the files and loads nothing: the rows that would be loaded, or every error."""
    if load.query is not None:
        raise invalid("VALIDATION_MODE does not support COPY statements that transform data during a load")
    mode = str(load.options["VALIDATION_MODE"]).upper()
    if mode in ("RETURN_ERRORS", "RETURN_ALL_ERRORS"):
        return results.rows(ERRORS, [row for file in files for row in _errors_in(session, load, form, file, targets)])
    amount = mode.removeprefix("RETURN_").removesuffix("_ROWS")
    if not amount.isdigit():
        raise invalid(f"invalid value [{mode}] for parameter 'VALIDATION_MODE'")
    tables = []
    for file in files:
        checked = check(session, map_columns(session, load, form, file, targets))
        if checked.failures:
            raise aborted(load, file, checked.failures[0])
        tables.append(checked.good)
    if not tables:
        return results.rows({target.name: types.TEXT for target in targets}, [])
    table = pa.concat_tables(tables, promote_options="permissive").slice(0, int(amount))
    return Result(table, [target.type for target in targets[: table.num_columns]], 0)


def _errors_in(session: Session, load: Load, form: FileFormat, file: Path, targets: list[Target]) -> list[list[Any]]:
    name = load.location.relative(file)
    if not file.is_file():
        return [[NOT_FOUND.format(name), name, None, None, None, "remote", 91016, "22000", None, None, None, None]]
    checked = check(session, map_columns(session, load, form, file, targets))
    return [
        [f.message, name, f.line, f.character, None, "conversion", f.code, "22018", f.column, f.row, f.line, None]
        for f in checked.failures
    ]


ERRORS = {
    "ERROR": types.TEXT, "FILE": types.TEXT, "LINE": types.NUMBER, "CHARACTER": types.NUMBER,
    "BYTE_OFFSET": types.NUMBER, "CATEGORY": types.TEXT, "CODE": types.NUMBER, "SQL_STATE": types.TEXT,
    "COLUMN_NAME": types.TEXT, "ROW_NUMBER": types.NUMBER, "ROW_START_LINE": types.NUMBER,
    "REJECTED_RECORD": types.TEXT,
}  # fmt: skip


@statement("COPY INTO", effect=Effect.WRITE)
def copy_into(session: Session, head: Statement) -> Result:
    from intentscore.local.unloading import copy_into_location, is_location

    if is_location(head.scanner):
        return copy_into_location(session, head.scanner)
    return copy_into_table(session, head.scanner)
