"""Which column of a staged file goes into which column of a table, and through what expression."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlglot import Expr, exp

from intentscore.local import context_functions, conversions, delimited, parsing, rewrites, staged
from intentscore.local.columns import table_columns
from intentscore.local.errors import SnowflakeError, invalid, unsupported
from intentscore.local.formats import FileFormat
from intentscore.local.names import ObjectName, display, literal, quote
from intentscore.local.types import ColumnType

if TYPE_CHECKING:
    from intentscore.local.loading import Load
    from intentscore.local.session import Session


@dataclass(frozen=True)
class Target:
    """A column of the table that is loaded."""

    name: str
    position: int
    type: ColumnType
    duckdb_type: str
    nullable: bool
    default: str | None
    held: str
    """DuckDB's name for the column."""


@dataclass
class Mapping:
    """The rows of one file as the table's columns: `raws` before and `cells` after conversion, in DuckDB's SQL.

    `relation` names the Arrow tables in `tables` by their keys, until they are registered where they are read.
    """

    table: ObjectName
    relation: str
    tables: dict[str, pa.Table]
    targets: list[Target]
    raws: list[str]
    cells: list[str]
    form: FileFormat
    records: delimited.Records | None = None
    expected_width: int | None = None

    def label(self, target: Target) -> str:
        return f'"{self.table.name}"["{target.name}":{target.position}]'

    def read(self, register: Callable[[pa.Table], str]) -> str:
        """What stands behind FROM, once every Arrow table has a name."""
        relation = self.relation
        for key, table in self.tables.items():
            relation = relation.replace(key, register(table))
        return relation


@dataclass
class _Source:
    """One file, opened."""

    staged: staged.Staged
    tables: dict[str, pa.Table] = field(default_factory=dict)
    records: delimited.Records | None = None


def read_targets(session: Session, table: ObjectName) -> list[Target]:
    temporary = session.temporary_tables.get(table)
    where = ("temp", "main", temporary) if temporary else table
    physical = dict(
        session.fetch(
            "SELECT column_name, data_type FROM duckdb_columns() "
            "WHERE database_name = ? AND schema_name = ? AND table_name = ?", where,
        )
    )  # fmt: skip
    return [
        Target(c.name, i + 1, c.type, physical[c.held_name], c.nullable, c.default, c.held_name)
        for i, c in enumerate(table_columns(session, table))
    ]


def map_columns(session: Session, load: Load, form: FileFormat, file: Path, targets: list[Target]) -> Mapping:
    source = _open(load, form, file)
    chosen = _chosen(load, targets)
    width = None
    match_by = str(load.options.get("MATCH_BY_COLUMN_NAME", "NONE")).upper()
    if load.query is not None:
        raws = _query_cells(session, load.query, source.staged)
        _same_number(chosen, raws)
    elif match_by != "NONE":
        chosen, raws = _matched(load, form, source, chosen, sensitive=match_by == "CASE_SENSITIVE")
    elif form.type == "CSV":
        raws = [f'"${i + 1}"' if i < source.staged.width else "NULL::VARCHAR" for i in range(len(chosen))]
        strict = form.flag("ERROR_ON_COLUMN_COUNT_MISMATCH") and not load.columns
        width = len(chosen) if strict else None
    else:
        raws = _whole_document(form, source.staged, chosen)
    truncate = load.flag("TRUNCATECOLUMNS") or str(load.options.get("ENFORCE_LENGTH", True)).upper() == "FALSE"
    cells = [
        _native(raw, target)
        if form.in_columns
        else conversions.convert(raw, target.type, target.duckdb_type, form, truncate=truncate)
        for raw, target in zip(raws, chosen, strict=True)
    ]
    return Mapping(load.target, source.staged.relation, source.tables, chosen, raws, cells, form, source.records, width)


def _open(load: Load, form: FileFormat, file: Path) -> _Source:
    tables: dict[str, pa.Table] = {}

    def register(table: pa.Table) -> str:
        key = f"_source_{secrets.token_hex(8)}"
        tables[key] = table
        return key

    if form.type != "CSV":
        return _Source(staged.scan(load.location, [file], form, register), tables)
    records = delimited.read(staged.text_of(file, form), form)
    table = staged.with_metadata(load.location, file, staged.numbered(records.columns))
    return _Source(staged.Staged(register(table), {}, len(records.columns), False), tables, records)


def _chosen(load: Load, targets: list[Target]) -> list[Target]:
    by_name = {target.name: target for target in targets}
    for name in load.columns:
        if name not in by_name:
            raise SnowflakeError(
                f"SQL compilation error: error line 1 at position 0\ninvalid identifier '{display(name)}'",
                904, "42000",
            )  # fmt: skip
    return [by_name[name] for name in load.columns] or targets


def _same_number(chosen: list[Target], cells: list[str]) -> None:
    if len(chosen) != len(cells):
        raise SnowflakeError(
            f"SQL compilation error:\nInsert value list does not match column list expecting {len(chosen)} "
            f"but got {len(cells)}", 2020, "42601",
        )  # fmt: skip


def _query_cells(session: Session, query: str, source: staged.Staged) -> list[str]:
    """The select list of `SELECT $1:"A"::T, … FROM @stage` over the columns of one file."""
    tree = parsing.parse(query)
    if not isinstance(tree, exp.Select) or any(tree.args.get(c) for c in ("joins", "where", "group", "distinct")):
        raise unsupported("COPY INTO from anything but a plain SELECT over a stage")
    holder = rewrites.fold_names(tree)
    from_ = holder.args["from_"].this
    staged.read_columns(holder, source, from_.alias, loading=True)
    cells = []
    for cell in holder.expressions:
        bare: Expr = exp.Paren(this=cell.unalias().copy())
        for column in bare.find_all(exp.Column):
            column.set("table", None)
        bare = context_functions.evaluate(bare, session)
        cells.append(rewrites.apply(bare, session).sql(dialect="duckdb"))
    return cells


def _matched(
    load: Load, form: FileFormat, source: _Source, chosen: list[Target], *, sensitive: bool
) -> tuple[list[Target], list[str]]:
    """The columns whose names the file has; INCLUDE_METADATA adds what is known about the file."""

    def key(name: str) -> str:
        return name if sensitive else name.upper()

    given = {key(name): cell for name, cell in _named_cells(form, source).items()}
    included = _included(load)
    pairs = []
    for target in chosen:
        if target.name in included:
            pairs.append((target, quote(included[target.name])))
        elif key(target.name) in given:
            pairs.append((target, given[key(target.name)]))
    if not pairs:
        raise invalid("the files have no column that the table has")
    return [target for target, _ in pairs], [cell for _, cell in pairs]


def _included(load: Load) -> dict[str, str]:
    found: dict[str, str] = {}
    for column, name in (load.options.get("INCLUDE_METADATA") or {}).items():
        wanted = str(name).upper()
        if wanted not in staged.METADATA:
            raise invalid(f"invalid metadata column '{name}' in INCLUDE_METADATA")
        found[column] = wanted
    return found


def _named_cells(form: FileFormat, source: _Source) -> dict[str, str]:
    if form.in_columns:
        return {name: _own_cell(source.staged, name) for name in source.staged.fields}
    if form.type == "CSV":
        if source.records is None or source.records.header is None:
            raise invalid("MATCH_BY_COLUMN_NAME of CSV files needs a file format with PARSE_HEADER = TRUE")
        return {name: f'"${i + 1}"' for i, name in enumerate(source.records.header)}
    names: dict[str, Any] = {}
    for table in source.tables.values():
        for text in table.column("$1").to_pylist():
            value = json.loads(text)
            names |= dict.fromkeys(value) if isinstance(value, dict) else {}
    return {name: f'json_extract("$1", {literal(_json_path(name))})' for name in names}


def _own_cell(source: staged.Staged, name: str) -> str:
    cell = quote(source.field(name).name)
    return f"json_merge_patch('{{}}', to_json({cell}))" if pa.types.is_struct(source.fields[name]) else cell


def _json_path(key: str) -> str:
    escaped = key.replace('"', '\\"')
    return f'$."{escaped}"'


def _whole_document(form: FileFormat, source: staged.Staged, chosen: list[Target]) -> list[str]:
    if len(chosen) != 1 or chosen[0].type.wire not in ("variant", "object", "array"):
        raise SnowflakeError(
            f"SQL compilation error:\n{form.type} file format can produce one and only one column of type variant, "
            "object, or array. Load data into separate columns using the MATCH_BY_COLUMN_NAME copy option or copy "
            "with transformation.", 2019, "0A000",
        )  # fmt: skip
    return [source.column(1).sql(dialect="duckdb")]


def _native(cell: str, target: Target) -> str:
    if target.duckdb_type == "JSON":
        return f"to_json({cell})"
    if target.type.wire == "object":
        return f"memory.main.sf_to_object(memory.main.sf_load_variant({cell}))"
    if target.type.wire in ("array", "binary"):
        return f"memory.main.sf_to_{target.type.wire}({cell})"
    own = {"text": "sf_to_varchar", "timestamp_tz": "sf_to_timestamp_tz"}.get(target.type.wire)
    return f"memory.main.{own}({cell})" if own else cell
