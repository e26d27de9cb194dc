"""`MODEL(name, version)!METHOD(arguments)`: the model's own packaged handler, over large batches.

The file that snowflake-ml-python packed with the model is executed as it is, as the warehouse would. The
rows of the SELECT around the call are computed first, the handler gets their arguments in batches, and its
answers stand beside them under the call's name, so that the rest of the query runs over an ordinary table.
"""

from __future__ import annotations

import importlib.util
import sys
import threading
import types as python_types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import yaml
from sqlglot import Expr, exp

from intentscore.local import models
from intentscore.local.errors import SnowflakeError, does_not_exist, unsupported
from intentscore.local.names import fold, quote
from intentscore.local.sources import reference, resolver

if TYPE_CHECKING:
    from intentscore.local.session import Session
    from intentscore.local.sql import Preparation

BATCH_ROWS = 100_000
_ARROW = {
    "DOUBLE": pa.float64(), "FLOAT": pa.float64(), "BOOL": pa.bool_(), "STRING": pa.string(), "BYTES": pa.binary(),
    **{f"{sign}INT{bits}": pa.int64() for sign in ("", "U") for bits in (8, 16, 32, 64)},
}  # fmt: skip
_DUCKDB = {
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.binary(): "BLOB",
}


@dataclass(frozen=True)
class Method:
    """One method of one model version: where its handler is and what it takes and gives."""

    folder: Path
    handler: str
    is_table_function: bool
    inputs: tuple[str, ...]
    outputs: tuple[tuple[str, pa.DataType], ...]
    single_output: bool

    @property
    def duckdb_type(self) -> str:
        fields = ", ".join(f"{quote(name)} {_DUCKDB[kind]}" for name, kind in self.outputs)
        return f"STRUCT({fields})"


def find_method(session: Session, call: exp.ModelAttribute) -> tuple[Method, list[Expr]]:
    reference, invoked = call.this, call.expression
    if isinstance(invoked, exp.Window):
        invoked = invoked.this
    parts = [fold(p.sql(dialect="snowflake")) for p in _dotted(reference.expressions[0])]
    given = fold(reference.expressions[1].sql(dialect="snowflake")) if len(reference.expressions) > 1 else "DEFAULT"
    entry = models.model(session, parts)
    folder = models.version_folder(session, parts, models.version_name(entry, given))
    name = invoked.name.upper()
    found = next((m for m in models.manifest(folder)["methods"] if fold(m["name"]).upper() == name), None)
    if found is None:
        raise does_not_exist("Function", f"{entry.name}!{name}")
    return _method(folder, found), invoked.expressions


def _dotted(node: Expr) -> list[Expr]:
    return [*_dotted(node.this), *_dotted(node.expression)] if isinstance(node, exp.Dot) else (
        list(node.parts) if isinstance(node, exp.Column) else [node])  # fmt: skip


def _method(folder: Path, found: dict[str, Any]) -> Method:
    signatures = yaml.safe_load((folder / "model" / "model.yaml").read_text())["signatures"]
    target = next(name for name in signatures if name.upper() == fold(found["name"]).upper())
    is_table = found["type"] == "TABLE_FUNCTION"
    declared = [(o["name"], _arrow_type(o)) for o in signatures[target]["outputs"]]
    if is_table:  # a table function's columns carry the names of the manifest
        declared = [(fold(o["name"]), kind) for o, (_, kind) in zip(found["outputs"], declared, strict=True)]
    single = not is_table and found["outputs"][0]["type"].upper() not in ("OBJECT", "VARIANT")
    inputs = tuple(i["name"] for i in found["inputs"])
    return Method(folder, found["handler"], is_table, inputs, tuple(declared), single)


def _arrow_type(output: dict[str, Any]) -> pa.DataType:
    if output.get("shape") or output["type"] not in _ARROW:
        raise unsupported(f"a model output of type {output['type']} with shape {output.get('shape')}")
    return _ARROW[output["type"]]


# ---------------------------------------------------------------------------- running the handler


class Handlers:
    """The packaged handlers an engine has loaded; each is loaded once and called by one thread at a time."""

    def __init__(self) -> None:
        self._loaded: dict[tuple[Path, str], Callable[..., Any]] = {}
        self._lock = threading.RLock()

    def call(self, method: Method, arguments: pa.Table) -> pa.Table:
        with self._lock:
            handler = self._load(method)
            batches = [_answers(method, handler, batch) for batch in arguments.to_batches(max_chunksize=BATCH_ROWS)]
        schema = pa.schema([pa.field(name, kind) for name, kind in method.outputs])
        return pa.Table.from_batches([b for batch in batches for b in batch.to_batches()], schema=schema)

    def _load(self, method: Method) -> Callable[..., Any]:
        key = (method.folder, method.handler)
        if key not in self._loaded:
            self._loaded[key] = _load_file(*key)
        return self._loaded[key]


def _load_file(folder: Path, handler: str) -> Callable[..., Any]:
    """Execute the handler's file with the import directory a warehouse gives it."""
    sys.modules.setdefault("_snowflake", _snowflake_module())
    module_name, function = handler.rsplit(".", 1)
    path = folder.joinpath(*module_name.split(".")).with_suffix(".py")
    sys._xoptions["snowflake_import_directory"] = f"{folder}/"
    spec = importlib.util.spec_from_file_location(f"_model_{folder.name}_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise SnowflakeError(f"Python handler file {path.name} cannot be loaded", 100357, "P0000")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    loaded: Callable[..., Any] = getattr(module, function)
    return loaded


def _snowflake_module() -> python_types.ModuleType:
    """The module that a warehouse gives its handlers; `vectorized` only marks them."""
    module = python_types.ModuleType("_snowflake")
    module.vectorized = lambda **options: lambda function: function  # type: ignore[attr-defined]
    return module


def _answers(method: Method, handler: Callable[..., Any], batch: pa.RecordBatch) -> pa.Table:
    import pandas as pd

    frame = batch.to_pandas()
    frame.columns = range(frame.shape[1])
    try:
        if method.is_table_function:
            instance = handler()
            answered = (instance.end_partition if hasattr(instance, "end_partition") else instance.process)(frame)
        else:
            answered = handler(frame)
    except Exception as error:
        raise SnowflakeError(
            f"Python Interpreter Error:\n{type(error).__name__}: {error} in function {method.handler}",
            100357,
            "P0000",
        ) from error
    if isinstance(answered, list):
        answered = {name: [row[name] for row in answered] for name, _ in method.outputs}
    elif isinstance(answered, pd.Series):
        answered = {method.outputs[0][0]: answered}
    columns = (
        list(answered.values())
        if isinstance(answered, dict)
        else [answered.iloc[:, i] for i in range(answered.shape[1])]
    )
    arrays = [pa.array(c, type=kind, from_pandas=True) for c, (_, kind) in zip(columns, method.outputs, strict=True)]
    return pa.Table.from_arrays(arrays, names=[name for name, _ in method.outputs])


# ---------------------------------------------------------------------------- in a query


@resolver
def model_calls(root: Expr, preparation: Preparation) -> Expr:
    """Replace every SELECT with a model call by one over its rows and the handler's answers."""
    while call := next(reversed(list(root.find_all(exp.ModelAttribute))), None):
        select = call.find_ancestor(exp.Select)
        if select is None:
            raise unsupported("a model call outside of a SELECT")
        in_from = call.find_ancestor(exp.TableFromRows)
        replaced = (
            _beside_table(select, in_from, call, preparation) if in_from else _in_select_list(select, preparation)
        )
        if select is root:
            root = replaced
        elif replaced is not select:
            select.replace(replaced)
    return root


def _in_select_list(select: exp.Select, preparation: Preparation) -> exp.Select:
    """`SELECT *, MODEL(m, v)!F(a) AS r FROM t`: the rows are computed with a mark where each call stands."""
    calls = [
        (call, *find_method(preparation.session, call), i)
        for i, projection in enumerate(select.expressions)
        for call in projection.find_all(exp.ModelAttribute)
        if call.find_ancestor(exp.Select) is select
    ]
    if not calls:
        raise unsupported("a model call outside of a select list")
    if preparation.describe_only:
        for call, method, _, _ in calls:
            replacement = exp.cast(exp.null(), _described(method))
            call.replace(replacement)
        return select
    marks = {f"_CALL{position}": position for *_, position in calls}
    inner = _with_visible_ctes(select)
    for name, position in marks.items():
        inner.expressions[position].replace(exp.alias_(exp.null(), name, quoted=True))
    asked: list[list[str]] = []
    for number, (_, _, arguments, _) in enumerate(calls):
        named = [f"_A{number}_{i}" for i in range(len(arguments))]
        asked.append(named)
        for argument, name in zip(arguments, named, strict=True):
            inner.append("expressions", exp.alias_(argument.copy(), name, quoted=True))
    rows = _run(inner, preparation)
    handlers = preparation.session.engine.handlers
    answers = {}
    for number, ((call, method, _, _), named) in enumerate(zip(calls, asked, strict=True)):
        answered = handlers.call(method, rows.select(named))
        answers[f"_R{number}"] = answered.column(0) if method.single_output else _structs(answered)
        call.replace(exp.column(f"_R{number}", quoted=True))
    kept = [name for name in rows.column_names if not name.startswith("_A")]
    return _over(select, rows.select(range(len(kept))), answers, marks, preparation)


def _described(method: Method) -> exp.DataType:
    kind = _DUCKDB[method.outputs[0][1]] if method.single_output else method.duckdb_type
    return exp.DataType.build(kind, dialect="duckdb")


def _over(
    select: exp.Select,
    rows: pa.Table,
    answers: dict[str, Any],
    marks: dict[str, int],
    preparation: Preparation,
) -> exp.Select:
    """The select list again, over the computed rows and the answers beside them."""
    names = rows.column_names
    table = rows.rename_columns([f"_C{i}" for i in range(len(names))])
    for name, column in answers.items():
        table = table.append_column(name, column)
    outer = exp.Select().from_(reference(preparation.register(table)))
    for i, name in enumerate(names):
        projection = select.expressions[marks[name]] if name in marks else None
        cell = projection.copy() if projection else exp.alias_(exp.column(f"_C{i}", quoted=True), name, quoted=True)
        outer.append("expressions", cell)
    return outer


def _run(query: exp.Select, preparation: Preparation) -> pa.Table:
    from intentscore.local import rewrites, sources, sql

    resolved = rewrites.apply(sources.resolve(query, preparation), preparation.session)
    return preparation.session.duck.sql(sql.generate(resolved)).to_arrow_table()


def _with_visible_ctes(select: exp.Select) -> exp.Select:
    """A copy of a part of the query together with the common table expressions around it."""
    copy = select.copy()
    own = copy.args["with_"].expressions if copy.args.get("with_") else []
    outer: list[Expr] = []
    child: Expr = select
    while child.parent is not None:
        parent = child.parent
        if isinstance(parent, exp.With):
            outer = [cte.copy() for cte in parent.expressions[: parent.expressions.index(child)]] + outer
        elif (with_ := parent.args.get("with_")) is not None and with_ is not child:
            outer = [cte.copy() for cte in with_.expressions] + outer
        child = parent
    if outer:
        copy.set("with_", exp.With(expressions=[*outer, *own]))
    return copy


def _structs(answers: pa.Table) -> pa.Array:
    arrays = [c.combine_chunks() for c in answers.columns]
    arrays = [a.chunk(0) if isinstance(a, pa.ChunkedArray) else a for a in arrays]
    return pa.StructArray.from_arrays(arrays, names=answers.column_names)


def _beside_table(
    select: exp.Select, source: exp.TableFromRows, call: exp.ModelAttribute, preparation: Preparation
) -> exp.Select:
    """`SELECT … FROM t, TABLE(MODEL(m, v)!F(a) OVER (…))`: the function's columns stand beside t's."""
    method, arguments = find_method(preparation.session, call)
    join = source.find_ancestor(exp.Join)
    if join is None:
        raise unsupported("a model's table function without a table before it")
    named = [f"_A{i}" for i in range(len(arguments))]
    inner = _with_visible_ctes(select)
    cells = [exp.alias_(a.copy(), n, quoted=True) for a, n in zip(arguments, named, strict=True)]
    inner.set("expressions", [exp.Star(), *cells])
    inner.set("joins", [j for i, j in enumerate(inner.args["joins"]) if i != join.index])
    for clause in ("where", "group", "having", "qualify", "order", "limit", "distinct"):
        inner.set(clause, None)
    rows = _run(inner.limit(0) if preparation.describe_only else inner, preparation)
    answers = preparation.session.engine.handlers.call(method, rows.select(named))
    table = rows.drop_columns(named)
    for name, column in zip(answers.column_names, answers.columns, strict=True):
        table = table.append_column(name, column)
    registered = reference(preparation.register(table))
    alias, function_alias = select.args["from_"].this.alias_or_name, source.alias
    registered.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))
    for column in select.find_all(exp.Column):
        if function_alias and column.table == function_alias:
            column.set("table", exp.to_identifier(alias, quoted=True))
    select.set("from_", exp.From(this=registered))
    select.set("with_", None)
    select.set("joins", [j for j in select.args["joins"] if j is not join])
    return select
