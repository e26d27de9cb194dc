"""COPY INTO a table from staged files, INFER_SCHEMA, and the types of Parquet columns."""

from __future__ import annotations

import csv
import gzip
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from fakesnow.statement_type import COPY
from sqlglot import Expr, exp

from intentscore.local import results, rewrites, sql, types
from intentscore.local.errors import SnowflakeError, does_not_exist, invalid, unsupported
from intentscore.local.names import ObjectName, literal, quote
from intentscore.local.results import Result
from intentscore.local.scanner import Scanner
from intentscore.local.show import table_columns
from intentscore.local.sources import table_function
from intentscore.local.stages import Location, file_format, locate
from intentscore.local.statements import Effect, Statement, statement

if TYPE_CHECKING:
    from intentscore.local.session import Session

OPTIONS: dict[str, type] = dict.fromkeys(
    ("FILE_FORMAT", "FILES", "PATTERN", "ON_ERROR", "PURGE", "FORCE", "MATCH_BY_COLUMN_NAME", "TRUNCATECOLUMNS",
     "SIZE_LIMIT", "RETURN_FAILED_ONLY", "ENFORCE_LENGTH"), str,
)  # fmt: skip


@dataclass
class Load:
    """A COPY INTO <table> as it was written."""

    target: ObjectName
    columns: list[str]
    location: Location
    query: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


@statement("COPY INTO", effect=Effect.WRITE)
def copy_into(session: Session, head: Statement) -> Result:
    if head.scanner.peek() == "@" or not head.scanner.peek():
        raise unsupported("COPY INTO a stage (unloading)")
    load = _read(session, head.scanner)
    if not session.table_exists(load.target):
        raise does_not_exist("Table", str(load.target))
    options = load.options
    kind = _format(session, load)
    files = _files(load)
    if not files:
        return _report([], "Copy executed with 0 files processed.")
    rows = [_load_file(session, load, kind, file) for file in files]
    if str(options.get("PURGE", False)).upper() == "TRUE":
        for file in files:
            session.transaction.after_commit(file.unlink)
    return _report(rows)


def _read(session: Session, scanner: Scanner) -> Load:
    target = session.resolve(scanner.name())
    columns = _names(scanner.parenthesised()) if scanner.peek() == "(" else []
    scanner.expect("FROM")
    query = None
    if scanner.peek() == "(":
        query = scanner.parenthesised()
        location = _location_of(session, query)
    else:
        location = locate(session, scanner.location())
    options = scanner.options(OPTIONS)
    scanner.end()
    return Load(target, columns, location, query, options)


def _names(text: str) -> list[str]:
    scanner = Scanner(text)
    found = [scanner.identifier()]
    while scanner.accept(","):
        found.append(scanner.identifier())
    scanner.end()
    return found


def _location_of(session: Session, query: str) -> Location:
    scanner = Scanner(query)
    while not scanner.accept("FROM"):
        if scanner.done:
            raise invalid("COPY INTO needs a query that reads from a stage")
        scanner.at += 1
    return locate(session, scanner.location())


def _files(load: Load) -> list[Path]:
    names = load.options.get("FILES")
    found = [load.location.below(f"{load.location.path}/{n}") for n in names] if names else load.location.files()
    pattern = load.options.get("PATTERN")
    return [f for f in found if pattern is None or re.fullmatch(pattern, load.location.relative(f))]


def _format(session: Session, load: Load) -> dict[str, Any]:
    given = load.options.get("FILE_FORMAT") or load.location.file_format or {}
    return file_format(session, given)


def _load_file(session: Session, load: Load, kind: dict[str, Any], file: Path) -> list[Any]:
    source = reader(kind, file)
    target_columns = load.columns or [c.name for c in table_columns(session, load.target)]
    if load.query is not None:
        cells = _query_cells(session, load.query, kind, file)
    elif str(kind.get("TYPE", "CSV")).upper() == "PARQUET":
        target_columns, cells = _matched(load, target_columns, file)
    else:
        cells = [quote(f"column{i}") for i in range(len(target_columns))]
    if len(cells) != len(target_columns):
        raise SnowflakeError(
            f"SQL compilation error:\nInsert value list does not match column list expecting {len(target_columns)} "
            f"but got {len(cells)}", 2020, "42601",
        )  # fmt: skip
    named = ", ".join(quote(c) for c in target_columns)
    loaded = session.fetch(
        f"INSERT INTO {session.physical(load.target)} ({named}) SELECT {', '.join(cells)} FROM {source}"
    )[0][0]
    return [load.location.relative(file), "LOADED", loaded, loaded, 1, 0, None, None, None, None]


def _query_cells(session: Session, query: str, kind: dict[str, Any], file: Path) -> list[str]:
    """The select list of `SELECT $1:"A"::T, … FROM @stage` over the columns of one file."""
    tree = sql.parse(query)
    if not isinstance(tree, exp.Select):
        raise unsupported("COPY INTO from anything but a plain SELECT over a stage")
    is_parquet = str(kind.get("TYPE", "CSV")).upper() == "PARQUET"
    fields = {f.name: f for f in pq.read_schema(file)} if is_parquet else {}
    return [
        rewrites.apply(rewrites.fold_names(staged_column(cell, fields)), session).sql(dialect="duckdb")
        for cell in tree.expressions
    ]


def staged_column(cell: Expr, fields: dict[str, Any]) -> Expr:
    """`$1:"A"` is the Parquet column A, and `$3` the third column of a text file."""
    holder = exp.Paren(this=cell.copy())
    for node in list(holder.find_all(exp.JSONExtract)):
        path = node.expression.expressions
        if isinstance(node.this, exp.Parameter) and len(path) == 2:
            node.replace(_parquet_column(path[1].name, fields))
    for parameter in list(holder.find_all(exp.Parameter)):
        parameter.replace(exp.column(f"column{int(parameter.name) - 1}", quoted=True))
    found: Expr = holder.this.pop()
    return found


def _parquet_column(name: str, fields: dict[str, Any]) -> Expr:
    if name not in fields:
        return exp.Null()
    column = exp.column(name, quoted=True)
    return exp.Anonymous(this="to_json", expressions=[column]) if pa.types.is_nested(fields[name].type) else column


def _matched(load: Load, target_columns: list[str], file: Path) -> tuple[list[str], list[str]]:
    mode = str(load.options.get("MATCH_BY_COLUMN_NAME", "NONE")).upper()
    if mode == "NONE":
        raise invalid("a Parquet file is loaded with MATCH_BY_COLUMN_NAME or through a SELECT of $1:column")
    key = str if mode == "CASE_SENSITIVE" else str.upper
    given = {key(name): name for name in pq.read_schema(file).names}
    pairs = [(column, quote(given[key(column)])) for column in target_columns if key(column) in given]
    return [c for c, _ in pairs], [cell for _, cell in pairs]


def reader(kind: dict[str, Any], file: Path) -> str:
    """The DuckDB table function that reads a staged file of this format."""
    match str(kind.get("TYPE", "CSV")).upper():
        case "PARQUET":
            return f"read_parquet({literal(str(file))}, binary_as_string=false)"
        case "CSV":
            return _csv_reader(kind, file)
        case "JSON":
            return f'read_json_objects({literal(str(file))}) AS _json("column0")'
        case other:
            raise unsupported(f"the file format {other}")


def _csv_reader(kind: dict[str, Any], file: Path) -> str:
    quote_char = kind.get("FIELD_OPTIONALLY_ENCLOSED_BY", "NONE")
    options = {
        "all_varchar": "true", "header": "false", "auto_detect": "false", "null_padding": "true",
        "delim": literal(_character(kind.get("FIELD_DELIMITER", ","))),
        "skip": str(int(kind.get("SKIP_HEADER", 0))),
        "quote": "''" if str(quote_char).upper() == "NONE" else literal(str(quote_char)),
        "escape": "''" if str(quote_char).upper() == "NONE" else literal(str(quote_char)),
        "columns": _csv_columns(kind, file),
    }  # fmt: skip
    nulls = kind.get("NULL_IF", [r"\N"])
    options["nullstr"] = "[" + ", ".join(literal(str(n)) for n in (nulls if isinstance(nulls, list) else [nulls])) + "]"
    if str(kind.get("EMPTY_FIELD_AS_NULL", True)).upper() == "TRUE":
        options["nullstr"] = options["nullstr"].replace("[", "['', ", 1)
    named = ", ".join(f"{key} = {value}" for key, value in options.items())
    return f"read_csv({literal(str(file))}, {named})"


def _character(text: Any) -> str:
    return str(text).encode().decode("unicode_escape")


def _csv_columns(kind: dict[str, Any], file: Path) -> str:
    opener = gzip.open if file.suffix == ".gz" else open
    with opener(file, "rt", newline="", encoding="utf-8") as text:
        delimiter = _character(kind.get("FIELD_DELIMITER", ","))
        width = max(
            (len(row) for _, row in zip(range(20), csv.reader(text, delimiter=delimiter), strict=False)),
            default=1,
        )
    return "{" + ", ".join(f"'column{i}': 'VARCHAR'" for i in range(width)) + "}"


_REPORT = {
    "file": types.TEXT,
    "status": types.TEXT,
    "rows_parsed": types.NUMBER,
    "rows_loaded": types.NUMBER,
    "error_limit": types.NUMBER,
    "errors_seen": types.NUMBER,
    "first_error": types.TEXT,
    "first_error_line": types.NUMBER,
    "first_error_character": types.NUMBER,
    "first_error_column_name": types.TEXT,
}


def _report(rows: list[list[Any]], empty: str = "") -> Result:
    return results.rows(_REPORT, rows, COPY) if rows else results.rows({"status": types.TEXT}, [[empty]], COPY)


# ---------------------------------------------------------------------------- INFER_SCHEMA


@table_function("INFER_SCHEMA")
def infer_schema(session: Session, location: str, file_format: str | None = None, **options: Any) -> pa.Table:
    """The columns of staged Parquet files with the types Snowflake gives them."""
    kind = _named_format(session, file_format)
    if str(kind.get("TYPE", "")).upper() != "PARQUET":
        raise unsupported(f"INFER_SCHEMA of {kind.get('TYPE', 'CSV')} files")
    files = locate(session, location).files()
    if not files:
        raise SnowflakeError(f"Cannot find files in location '{location}'", 2085, "42601")
    fold = str(options.get("ignore_case", False)).lower() == "true"
    logical = str(kind.get("USE_LOGICAL_TYPE", False)).upper() == "TRUE"
    found = [
        (f.name.upper() if fold else f.name, _parquet_type(f.type, logical=logical), f.nullable)
        for f in pq.read_schema(files[0])
    ]
    return pa.table({
        "COLUMN_NAME": [name for name, *_ in found], "TYPE": [kind for _, kind, _ in found],
        "NULLABLE": [nullable for *_, nullable in found],
        "EXPRESSION": [f"$1:{name}::{kind}" for name, kind, _ in found],
        "FILENAMES": [files[0].name] * len(found), "ORDER_ID": pa.array(range(len(found)), pa.int64()),
    })  # fmt: skip


def _named_format(session: Session, name: str | None) -> dict[str, Any]:
    return file_format(session, {"FORMAT_NAME": name}) if name else {}


def _parquet_type(kind: Any, *, logical: bool) -> str:
    if pa.types.is_boolean(kind):
        return "BOOLEAN"
    if pa.types.is_integer(kind):
        return "NUMBER(38, 0)"
    if pa.types.is_floating(kind):
        return "REAL"
    if pa.types.is_decimal(kind):
        return f"NUMBER({kind.precision}, {kind.scale})"
    if pa.types.is_date(kind):
        return "DATE"
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP_NTZ" if kind.tz is None or not logical else "TIMESTAMP_LTZ"
    if pa.types.is_time(kind):
        return "TIME"
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return "BINARY"
    return "VARIANT" if pa.types.is_nested(kind) else "TEXT"
