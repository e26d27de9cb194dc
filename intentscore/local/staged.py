"""Staged files as relations: `FROM @stage (FILE_FORMAT => …)`, `$1`, `$1:"column"` and the METADATA$ columns."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import Expr, exp

from intentscore.local import delimited, formats, spelling
from intentscore.local.errors import SnowflakeError, invalid, unsupported
from intentscore.local.formats import UNREADABLE, FileFormat
from intentscore.local.names import literal, quote
from intentscore.local.rewrites.macros import macro
from intentscore.local.rewrites.semistructured import variant
from intentscore.local.sources import resolver
from intentscore.local.stages import Location, locate

if TYPE_CHECKING:
    from intentscore.local.sql import Preparation

CODECS = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd"}
METADATA = ("METADATA$FILENAME", "METADATA$FILE_ROW_NUMBER", "METADATA$FILE_CONTENT_KEY",
            "METADATA$FILE_LAST_MODIFIED", "METADATA$START_SCAN_TIME")  # fmt: skip
Register = Callable[[pa.Table], str]


@dataclass(frozen=True)
class Staged:
    """Files as one relation: what stands behind FROM, and what its columns are.

    `fields` are the columns of files that name their own (with their Arrow types); otherwise `width` says how
    many columns `$1`, `$2`… there are. Fields that differ in letter case only are `held` under names of their own.
    """

    relation: str
    fields: dict[str, pa.DataType]
    width: int
    in_columns: bool
    held: dict[str, str] = field(default_factory=dict)

    def column(self, number: int) -> Expr:
        if self.in_columns:
            if number > 1:
                return exp.Null()
            pairs = [part for name in self.fields for part in (exp.Literal.string(name), self.field(name))]
            return macro("sf_load_variant", exp.Anonymous(this="json_object", expressions=pairs))
        return _column(f"${number}") if number <= self.width else exp.Null()

    def field(self, name: str) -> exp.Column:
        return _column(self.held.get(name, name))


def _column(name: str) -> exp.Column:
    return exp.column(name, quoted=True)


# ---------------------------------------------------------------------------- reading files


def select_files(where: Location, pattern: str | None = None, names: Sequence[str] | None = None) -> list[Path]:
    """The files under a location; `names` are relative to it, the pattern is matched against the whole path."""
    if names is not None:
        prefix = f"{where.path.rstrip('/')}/" if where.path else ""
        return [where.below(prefix + name) for name in names]
    found = where.files()
    return found if pattern is None else [f for f in found if re.fullmatch(pattern, where.relative(f), re.DOTALL)]


def scan(where: Location, files: Sequence[Path], form: FileFormat, register: Register) -> Staged:
    """The files as one relation."""
    if form.type == "PARQUET":
        return _scan_parquet(where, files, form, register)
    tables = [with_metadata(where, file, table_of(file, form)) for file in files]
    if not tables:
        tables = [pa.table({"$1": pa.array([], pa.string())})]
    table = pa.concat_tables(tables, promote_options="permissive")
    names = [name for name in table.column_names if name not in METADATA]
    fields = {name: table.schema.field(name).type for name in names} if form.in_columns else {}
    return Staged(_typed(register(table), form), fields, len(names), form.in_columns)


def _typed(registered: str, form: FileFormat) -> str:
    if form.type != "JSON":
        return registered
    return f'(SELECT * REPLACE ("$1"::JSON AS "$1") FROM {registered})'


def _scan_parquet(where: Location, files: Sequence[Path], form: FileFormat, register: Register) -> Staged:
    if not files:
        return Staged(register(pa.table({"$1": pa.array([], pa.string())})), {}, 1, True)
    fields: dict[str, pa.DataType] = {}
    for file in files:
        for column in parquet_schema(file):
            fields.setdefault(column.name, column.type)
    if held := spelling.held(list(fields)):
        return Staged(register(_apart(where, files, held)), fields, 1, True, held)
    listed = ", ".join(literal(str(file)) for file in files)
    text = "true" if form.flag("BINARY_AS_TEXT") else "false"
    root = f"{where.root.resolve().as_posix()}/"
    keys = _of_files({file: literal(_key(file)) for file in files})
    changes = _of_files({file: f"make_timestamp({int(file.stat().st_mtime)}000000)" for file in files})
    relation = (
        f'(SELECT *, substr("_file", {len(root) + 1}) AS "METADATA$FILENAME", '
        'file_row_number + 1 AS "METADATA$FILE_ROW_NUMBER", '
        f'{keys}["_file"] AS "METADATA$FILE_CONTENT_KEY", {changes}["_file"] AS "METADATA$FILE_LAST_MODIFIED", '
        'now() AS "METADATA$START_SCAN_TIME" '
        f"FROM read_parquet([{listed}], union_by_name = {str(len(files) > 1).lower()}, "
        f"binary_as_string = {text}, filename = '_file', file_row_number = true))"
    )
    return Staged(relation, fields, 1, True)


def _apart(where: Location, files: Sequence[Path], held: dict[str, str]) -> pa.Table:
    """Parquet files whose columns DuckDB does not tell apart, under names it does."""
    tables = [pq.read_table(file) for file in files]
    renamed = [table.rename_columns([held.get(name, name) for name in table.column_names]) for table in tables]
    described = [with_metadata(where, file, table) for file, table in zip(files, renamed, strict=True)]
    return pa.concat_tables(described, promote_options="permissive")


def _of_files(values: dict[Path, str]) -> str:
    return "MAP {" + ", ".join(f"{literal(str(file))}: {value}" for file, value in values.items()) + "}"


def _key(file: Path) -> str:
    """What a file is known by: it changes when the file does, which is not read for it."""
    stat = file.stat()
    return hashlib.md5(f"{file} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()


def parquet_schema(file: Path) -> pa.Schema:
    try:
        return pq.read_schema(file)
    except pa.ArrowInvalid as error:
        raise SnowflakeError(f"Error parsing the parquet file: {error}", 100135, UNREADABLE) from None


def with_metadata(where: Location, file: Path, table: pa.Table) -> pa.Table:
    rows = table.num_rows
    stat = file.stat()
    changed = datetime.fromtimestamp(int(stat.st_mtime), UTC).replace(tzinfo=None)
    values = (
        pa.repeat(pa.scalar(where.relative(file)), rows),
        pa.array(range(1, rows + 1), pa.int64()),
        pa.repeat(pa.scalar(hashlib.md5(file.read_bytes()).hexdigest()), rows),
        pa.repeat(pa.scalar(changed, pa.timestamp("us")), rows),
        pa.repeat(pa.scalar(datetime.now(UTC), pa.timestamp("us", tz="UTC")), rows),
    )
    for name, value in zip(METADATA, values, strict=True):
        table = table.append_column(name, value)
    return table


def table_of(file: Path, form: FileFormat) -> pa.Table:
    """One file as a table: `$1`… for text, one JSON text `$1` for documents, its own columns otherwise."""
    match form.type:
        case "CSV":
            records = delimited.read(text_of(file, form), form)
            if records.broken:
                line, message = records.broken
                raise SnowflakeError(f"{message}\n  File '{file.name}', line {line}", 100065, "22000")
            return numbered(records.columns)
        case "JSON":
            return pa.table({"$1": pa.array(list(documents(text_of(file, form), form, file)), pa.string())})
        case "ORC":
            from pyarrow import orc

            return orc.read_table(file)
        case "AVRO":
            from intentscore.local import avro

            return avro.read(bytes_of(file, form), file)
        case other:
            raise unsupported(f"reading {other} files")


def numbered(columns: list[pa.Array]) -> pa.Table:
    return pa.table({f"${i + 1}": column for i, column in enumerate(columns)} or {"$1": pa.array([], pa.string())})


def bytes_of(file: Path, form: FileFormat) -> bytes:
    """The content of a file, decompressed as COMPRESSION says or, by default, as its first bytes tell."""
    raw = file.read_bytes()
    wanted = str(form["COMPRESSION"] or "AUTO").upper()
    if wanted == "NONE":
        return raw
    for magic, codec in CODECS.items():
        if raw.startswith(magic):
            with pa.CompressedInputStream(pa.BufferReader(raw), codec) as stream:
                return bytes(stream.read())
    if wanted in ("GZIP", "BZ2", "ZSTD"):
        raise SnowflakeError(
            f"Invalid data encountered during decompression for file: '{file.name}'", 100133, UNREADABLE
        )
    if wanted in ("BROTLI", "DEFLATE", "RAW_DEFLATE"):
        raise unsupported(f"the compression {wanted}")
    return raw


def text_of(file: Path, form: FileFormat) -> str:
    encoding = str(form["ENCODING"] or "UTF8").lower()
    replace = form.flag("REPLACE_INVALID_CHARACTERS") or form.flag("IGNORE_UTF8_ERRORS")
    try:
        return bytes_of(file, form).decode(encoding, "replace" if replace else "strict")
    except UnicodeDecodeError:
        raise SnowflakeError(f"Invalid UTF8 detected in file '{file.name}'", 100144, UNREADABLE) from None
    except LookupError:
        raise invalid(f"invalid value ['{encoding}'] for parameter 'ENCODING'") from None


def documents(text: str, form: FileFormat, file: Path) -> Iterator[str]:
    """The JSON values of a file, one after another, as canonical texts (a VARIANT keeps no order of keys)."""
    for value in values(text, file, strip_array=form.flag("STRIP_OUTER_ARRAY")):
        kept = _without_nulls(value) if form.flag("STRIP_NULL_VALUES") else value
        yield json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def values(text: str, file: Path, *, strip_array: bool = False) -> Iterator[Any]:
    decoder = json.JSONDecoder()
    text = text.removeprefix("\ufeff")
    at = 0
    while True:
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1
        if at >= len(text):
            return
        try:
            value, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            line = text.count("\n", 0, error.pos) + 1
            raise SnowflakeError(
                f"Error parsing JSON: {text[at : at + 40]}\n  File '{file.name}', line {line}, "
                f"character {error.colno}", 100069, UNREADABLE,
            ) from None  # fmt: skip
        if strip_array and isinstance(value, list):
            yield from value
        else:
            yield value


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(v) for key, v in value.items() if v is not None}
    return [_without_nulls(v) for v in value] if isinstance(value, list) else value


# ---------------------------------------------------------------------------- in queries


@resolver
def staged_tables(root: Expr, preparation: Preparation) -> Expr:
    """Every `FROM @stage` of a statement."""
    for node in list(root.find_all(exp.Table)):
        text = location_text(node)
        select = node.find_ancestor(exp.Select)
        if text is None or select is None:
            continue
        session = preparation.session
        where = locate(session, text)
        given = format_name(node)
        form = formats.find(session, given if given is not None else where.file_format)
        pattern = node.args.get("pattern")
        files = select_files(where, pattern.name if pattern is not None else None)
        staged = scan(where, files, form, preparation.register)
        alias = node.alias
        read_columns(select, staged, alias)
        node.replace(_subquery(staged.relation, alias))
    return root


def location_text(node: exp.Table) -> str | None:
    """The stage location a table reference is, if it is one."""
    text = node.this.name if isinstance(node.this, (exp.Var, exp.Literal)) else ""
    return text if text.startswith(("@", "snow://")) else None


def format_name(node: exp.Table) -> str | None:
    given = node.args.get("format")
    if given is None:
        return None
    if isinstance(given, exp.Table):
        return ".".join(quote(part.name) for part in given.parts)
    return str(given.name)


def _subquery(relation: str, alias: str) -> exp.Table:
    table = exp.Table(this=exp.Var(this=relation))
    table.set("alias", exp.TableAlias(this=exp.to_identifier(alias or "_STAGED", quoted=True)))
    return table


def read_columns(select: Expr, staged: Staged, alias: str = "", *, loading: bool = False) -> None:
    """Put the columns of the files in the place of `$1`, `$1:"name"` and their like."""
    for parameter in list(select.find_all(exp.Parameter, exp.Column)):
        number = _number(parameter)
        if number is None or parameter.find_ancestor(exp.Select) is not select:
            continue
        whole = parameter.parent if isinstance(parameter.parent, exp.Column) else parameter
        if isinstance(whole, exp.Column) and whole.table and whole.table.upper() != alias.upper():
            continue
        path = whole.parent
        if staged.in_columns and number == 1 and _is_path(path, whole):
            path.replace(_field(path, staged, loading=loading))  # type: ignore[union-attr]
        else:
            whole.replace(staged.column(number))


def _number(node: Expr) -> int | None:
    """The number of `$1`, written as it is or in quotes."""
    if isinstance(node, exp.Parameter):
        return int(node.name) if node.name.isdigit() else None
    name = node.name if isinstance(node.this, exp.Identifier) else ""
    return int(name[1:]) if name.startswith("$") and name[1:].isdigit() else None


def _is_path(path: Any, whole: Expr) -> bool:
    return isinstance(path, exp.JSONExtract) and path.this is whole and len(path.expression.expressions) > 1


def _field(path: Any, staged: Staged, *, loading: bool) -> Expr:
    """`$1:"A"` as the column A, typed where a cast or a load follows and a VARIANT otherwise."""
    name, *rest = path.expression.expressions[1:]
    if name.name not in staged.fields:
        return exp.Null()
    column: Expr = staged.field(name.name)
    if rest:
        inner = exp.JSONPath(expressions=[exp.JSONPathRoot(), *[key.copy() for key in rest]])
        return exp.JSONExtract(this=variant(column), expression=inner, variant_extract=True, requires_json=True)
    cast = path.parent if isinstance(path.parent, (exp.Cast, exp.TryCast)) else None
    selected = isinstance(path.parent, (exp.Select, exp.Alias, exp.Paren)) and not loading
    kind = staged.fields[name.name]
    document = without_nulls(_json(column)) if pa.types.is_struct(kind) else _json(column)
    if (cast is not None and cast.to.this in SEMISTRUCTURED) or (loading and pa.types.is_nested(kind)):
        return macro("sf_load_variant", document)
    if selected or pa.types.is_nested(kind):
        return document
    if type(cast) is exp.Cast and pa.types.is_string(kind) and cast.to.this not in TEXTUAL:
        return _or_refused(column, cast)
    return column


SEMISTRUCTURED = (exp.DType.VARIANT, exp.DType.OBJECT, exp.DType.ARRAY, exp.DType.MAP)
TEXTUAL = (exp.DType.TEXT, exp.DType.VARCHAR, exp.DType.CHAR, exp.DType.NVARCHAR, exp.DType.BINARY, exp.DType.VARBINARY)


def _or_refused(column: Expr, cast: exp.Cast) -> Expr:
    """A text that the cast does not take is refused in the words for a VARIANT."""
    wanted = cast.to.sql(dialect="snowflake").upper()
    target = "FIXED" if cast.to.is_type(*exp.DataType.INTEGER_TYPES, exp.DType.DECIMAL) else wanted
    message = exp.Concat(
        expressions=[exp.Literal.string("Failed to cast variant value "), exp.cast(_json(column.copy()), "TEXT"),
                     exp.Literal.string(f" to {target}")],
        safe=False, coalesce=False,
    )  # fmt: skip
    fits = exp.TryCast(this=column.copy(), to=cast.to.copy())
    refused = exp.and_(
        exp.Not(this=exp.Is(this=column.copy(), expression=exp.Null())), exp.Is(this=fits, expression=exp.Null())
    )
    return exp.Case(ifs=[exp.If(this=refused, true=exp.Anonymous(this="error", expressions=[message]))], default=column)


def without_nulls(document: Expr) -> exp.Anonymous:
    """The fields a struct of a Parquet file has in a row: those that hold nothing are not there."""
    return exp.Anonymous(this="json_merge_patch", expressions=[exp.Literal.string("{}"), document])


def _json(value: Expr) -> exp.Anonymous:
    return exp.Anonymous(this="to_json", expressions=[value])
