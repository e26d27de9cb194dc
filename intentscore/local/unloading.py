"""COPY INTO a stage: the rows of a table or query as CSV, JSON or Parquet files."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from fakesnow.statement_type import COPY

from intentscore.local import formats, offsets, results, sql, types
from intentscore.local.errors import SnowflakeError, invalid, unsupported
from intentscore.local.formats import FileFormat
from intentscore.local.names import quote
from intentscore.local.results import Result
from intentscore.local.scanner import LITERALS, Scanner
from intentscore.local.stages import Location, locate
from intentscore.local.types import ColumnType

if TYPE_CHECKING:
    from intentscore.local.session import Session
    from intentscore.local.storage import Storage

OPTIONS: dict[str, type] = dict.fromkeys(
    ("FILE_FORMAT", "OVERWRITE", "SINGLE", "MAX_FILE_SIZE", "INCLUDE_QUERY_ID", "DETAILED_OUTPUT", "HEADER",
     "VALIDATION_MODE"), str,
)  # fmt: skip
MAX_FILE_SIZE = 16 * 2**20
NULL_FOLDER = "__NULL__"
SEMISTRUCTURED = ("variant", "object", "array")


@dataclass
class Unload:
    """A COPY INTO <location> as it was written."""

    location: Location
    query: str
    partition_by: str | None
    options: dict[str, Any] = field(default_factory=dict)

    def flag(self, option: str, default: bool = False) -> bool:
        return str(self.options.get(option, default)).upper() == "TRUE"


@dataclass(frozen=True)
class Written:
    name: str
    size: int
    rows: int


def is_location(scanner: Scanner) -> bool:
    token = scanner.token
    quoted = token is not None and token.token_type in LITERALS and token.text.startswith("@")
    return quoted or bool(token and scanner.text[token.start] == "@")


def copy_into_location(session: Session, scanner: Scanner) -> Result:
    unload = _read(session, scanner)
    if unload.location.read_only:
        raise SnowflakeError("SQL compilation error:\nthe files of a version cannot be written to.", 2076, "42601")
    form = formats.find(session, unload.options.get("FILE_FORMAT") or unload.location.file_format)
    if unload.options.get("VALIDATION_MODE"):
        return sql.run_text(session, unload.query)
    return _report(unload, *unload_files(session, unload, form))


def unload_files(session: Session, unload: Unload, form: FileFormat) -> tuple[pa.Table, list[Written]]:
    """Write the rows of the query; what they were, and the files they are in."""
    selected = sql.run_text(session, unload.query)
    columns = list(selected.columns)
    table = results.saying("null", selected)  # `undefined` is no JSON
    if form.type == "JSON" and (len(columns) != 1 or columns[0].wire not in SEMISTRUCTURED):
        raise SnowflakeError(
            "SQL compilation error:\nJSON file format can produce one and only one column of type variant, object, or "
            "array. Use CSV file format if you want to unload more than one column.", 2019, "0A000",
        )  # fmt: skip
    storage = session.engine.storage
    written: list[Written] = []
    if unload.partition_by is None:
        written += _write(storage, unload, form, table, columns, folder="", query_id=_query_id(unload))
    else:
        for folder, part in _partitions(session, unload, table):
            query_id = results.new_query_id()
            written += _write(storage, unload, form, part, columns, folder=folder, query_id=query_id)
    return table, written


def _read(session: Session, scanner: Scanner) -> Unload:
    location = locate(session, scanner.location())
    scanner.expect("FROM")
    if scanner.peek() == "(":
        query = scanner.parenthesised()
    else:
        query = "SELECT * FROM " + ".".join(quote(part) for part in scanner.name())
    partition_by = None
    if scanner.accept("PARTITION", "BY"):
        partition_by = expression(scanner, OPTIONS)
    options = scanner.options(OPTIONS)
    if scanner.accept("HEADER"):
        options["HEADER"] = True
        options |= scanner.options(OPTIONS)
    scanner.end()
    if partition_by and (str(options.get("SINGLE", "")).upper() == "TRUE" or options.get("OVERWRITE") is True):
        raise invalid("SINGLE = TRUE and OVERWRITE = TRUE are not supported with PARTITION BY")
    return Unload(location, query, partition_by, options)


def expression(scanner: Scanner, ends: Container[str]) -> str:
    """The text of an expression, up to one of the options that may follow it."""
    if scanner.peek() == "(":
        return scanner.parenthesised()
    start = scanner.tokens[scanner.at].start
    while not scanner.done and not (scanner.peek() in ends and scanner.peek(1) == "=") and scanner.peek() != "HEADER":
        scanner.at += 1
    end = scanner.tokens[scanner.at].start if scanner.at < len(scanner.tokens) else len(scanner.text)
    return scanner.text[start:end]


def _partitions(session: Session, unload: Unload, table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """(folder, rows) for each value of the partition expression."""
    query = f"SELECT ({unload.partition_by})::STRING AS FOLDER FROM ({unload.query})"
    keys = sql.run_text(session, query).table.column(0).to_pylist()
    for key in sorted(set(keys), key=str):
        chosen = [i for i, k in enumerate(keys) if k == key]
        yield (NULL_FOLDER if key is None else key.strip("/")), table.take(chosen)


def _query_id(unload: Unload) -> str | None:
    return results.new_query_id() if unload.flag("INCLUDE_QUERY_ID") else None


# ---------------------------------------------------------------------------- files


def _write(
    storage: Storage, unload: Unload, form: FileFormat, table: pa.Table, columns: list[ColumnType],
    *, folder: str, query_id: str | None,
) -> list[Written]:  # fmt: skip
    if not table.num_rows and not (unload.flag("SINGLE") and unload.flag("HEADER")):
        return []
    single = unload.flag("SINGLE")
    written = []
    parts = [table] if single else _split(table, int(unload.options.get("MAX_FILE_SIZE", MAX_FILE_SIZE)))
    for number, part in enumerate(parts):
        name = _file_name(unload, form, folder, number, query_id, single=single)
        target = unload.location.below(name)
        if target.exists() and not unload.flag("OVERWRITE"):
            raise SnowflakeError(
                f"Files already existing at the unload destination: @{unload.location.label}/{name}. Use overwrite "
                "option to force unloading.", 1030, "22000",
            )  # fmt: skip
        with storage.placing(target) as incoming:
            incoming.write_bytes(_content(unload, form, part, columns))
        shown = (
            name.removeprefix(unload.location.path.rpartition("/")[0] + "/") if "/" in unload.location.path else name
        )
        written.append(Written(shown, target.stat().st_size, part.num_rows))
    return written


def _split(table: pa.Table, limit: int) -> list[pa.Table]:
    """Parts of about so many bytes each."""
    size = max(table.nbytes, 1)
    step = max(1, int(table.num_rows * limit / size))
    return [table.slice(at, step) for at in range(0, table.num_rows, step)]


def _file_name(
    unload: Unload, form: FileFormat, folder: str, number: int, query_id: str | None, *, single: bool
) -> str:
    path = unload.location.path
    if single:
        return path if path and not path.endswith("/") else f"{path}data"
    prefix = path if path and not path.endswith("/") and not folder else f"{path.rstrip('/')}/".lstrip("/")
    if folder:
        prefix += f"{folder}/"
    stem = prefix if prefix and not prefix.endswith("/") else f"{prefix}data"
    identity = f"_{query_id}" if query_id else ""
    return f"{stem}{identity}_0_{number}_0{_extension(form)}"


def _extension(form: FileFormat) -> str:
    own = form["FILE_EXTENSION"]
    codec = _codec(form)
    if form.type == "PARQUET":
        return f".{own or 'parquet'}" if codec is None or own else f".{codec}.parquet"
    suffix = {"gzip": ".gz", "bz2": ".bz2", "zstd": ".zst", None: ""}[codec]
    name = str(own).lstrip(".") if own else form.type.lower()
    return f".{name}{'' if own else suffix}"


def _codec(form: FileFormat) -> str | None:
    """The compression of an unloaded file; AUTO is gzip, and snappy for Parquet."""
    wanted = str(form["COMPRESSION"] or "AUTO").upper()
    if form.type == "PARQUET":
        if wanted == "LZO":
            raise unsupported("the compression LZO")
        return None if wanted == "NONE" else "snappy"
    known = {"AUTO": "gzip", "GZIP": "gzip", "BZ2": "bz2", "ZSTD": "zstd", "NONE": None}
    if wanted not in known:
        raise unsupported(f"unloading with the compression {wanted}")
    return known[wanted]


def _content(unload: Unload, form: FileFormat, table: pa.Table, columns: list[ColumnType]) -> bytes:
    header = unload.flag("HEADER")
    match form.type:
        case "PARQUET":
            named = table if header else table.rename_columns([f"_COL_{i}" for i in range(table.num_columns)])
            return _parquet(named, _codec(form))
        case "CSV":
            text = _csv(form, table, columns, header=header)
        case "JSON":
            text = "".join(f"{_compact(value)}\n" for value in table.column(0).to_pylist() if value is not None)
        case other:
            raise unsupported(f"unloading to {other} files")
    return _compressed(text.encode(), _codec(form))


def _compressed(content: bytes, codec: str | None) -> bytes:
    if codec == "gzip":
        return gzip.compress(content, 6, mtime=0)
    if codec == "bz2":
        return bz2.compress(content)
    return content if codec is None else bytes(pa.compress(content, codec, asbytes=True))


def _parquet(table: pa.Table, codec: str | None) -> bytes:
    """Source: https://docs.snowflake.com/en/sql-reference/sql/copy-into-location"""
    if offsets.HELD in table.schema.types:
        raise unsupported("unloading TIMESTAMP_TZ to Parquet, which an account refuses too: cast it to TIMESTAMP_NTZ")
    sink = io.BytesIO()
    plain = pa.table({
        name: column.cast(column.type.storage_type) if isinstance(column.type, pa.BaseExtensionType) else column
        for name, column in zip(table.column_names, table.columns, strict=True)
    })  # fmt: skip
    pq.write_table(plain, sink, compression=codec or "none")
    return sink.getvalue()


def _compact(value: Any) -> str:
    return json.dumps(json.loads(value) if isinstance(value, str) else value, separators=(",", ":"), default=str,
                      ensure_ascii=False)  # fmt: skip


# ---------------------------------------------------------------------------- CSV


def _csv(form: FileFormat, table: pa.Table, columns: list[ColumnType], *, header: bool) -> str:
    delimiter, quoting = form.character("FIELD_DELIMITER") or "", form.character("FIELD_OPTIONALLY_ENCLOSED_BY")
    end = form.character("RECORD_DELIMITER") or "\n"
    nulls = form.nulls()
    null = nulls[0] if nulls else ""
    escape = form.character("ESCAPE") or form.character("ESCAPE_UNENCLOSED_FIELD")
    texts = [_texts(column, kind, form) for column, kind in zip(table.columns, columns, strict=True)]
    enclosed = [
        quoting is not None and kind.wire in ("text", *SEMISTRUCTURED, "binary", "date", "time") for kind in columns
    ]

    def cell(value: str | None, enclose: bool) -> str:
        if value is None:
            return null
        if enclose and quoting:
            return quoting + value.replace(quoting, quoting * 2) + quoting
        if escape and quoting is None:
            return re.sub(f"[{re.escape(escape + delimiter + end)}]", lambda m: escape + m[0], value)
        return value

    lines = []
    if header:
        lines.append(delimiter.join(cell(name, quoting is not None) for name in table.column_names))
    for row in zip(*texts, strict=True):
        lines.append(delimiter.join(cell(value, enclose) for value, enclose in zip(row, enclosed, strict=True)))
    return "".join(line + end for line in lines)


def _texts(column: pa.ChunkedArray, kind: ColumnType, form: FileFormat) -> list[str | None]:
    show = _shower(kind, form)
    return [None if value is None else show(value) for value in offsets.moments(column)]


def _shower(kind: ColumnType, form: FileFormat) -> Any:
    match kind.wire:
        case "boolean":
            return lambda v: "true" if v else "false"
        case "real":
            return lambda v: str(int(v)) if abs(v) < 1e15 and v == int(v) else "NaN" if v != v else repr(v)
        case "binary":
            return lambda v: bytes(v).hex().upper()
        case "timestamp_ntz":
            return lambda v: f"{v:%Y-%m-%d %H:%M:%S}.{v.microsecond // 1000:03d}"
        case "timestamp_ltz" | "timestamp_tz":
            return lambda v: f"{v:%Y-%m-%d %H:%M:%S}.{v.microsecond // 1000:03d} {v:%z}"
        case "time":
            return lambda v: f"{v:%H:%M:%S}"
        case wire if wire in SEMISTRUCTURED:
            return _compact
        case _:
            return str


def _report(unload: Unload, table: pa.Table, written: list[Written]) -> Result:
    if unload.flag("DETAILED_OUTPUT"):
        columns = {"FILE_NAME": types.TEXT, "FILE_SIZE": types.NUMBER, "ROW_COUNT": types.NUMBER}
        return results.rows(columns, [[w.name, w.size, w.rows] for w in written], COPY)
    columns = dict.fromkeys(("rows_unloaded", "input_bytes", "output_bytes"), types.NUMBER)
    return results.rows(columns, [[table.num_rows, table.nbytes, sum(w.size for w in written)]], COPY)
