"""`MODEL(name, version)!METHOD(arguments)`: a model's packaged handler, where a query calls it.

A call in a select list runs over large batches: the rows of the SELECT are computed first, the handler gets
their arguments, and its answers stand beside them, so that the rest of the query runs over an ordinary table.
A call anywhere else (a filter, an aggregate, a window) is a function DuckDB calls itself, in its own smaller batches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import sqlglot
from sqlglot import Expr, exp

from intentscore.local import handlers, models
from intentscore.local.errors import SnowflakeError, does_not_exist, unsupported
from intentscore.local.handlers import Method
from intentscore.local.model_tables import beside_table
from intentscore.local.names import fold
from intentscore.local.rewrites import fold_names
from intentscore.local.rewrites.macros import macro
from intentscore.local.selects import appended, in_scope, over, with_visible_ctes
from intentscore.local.sources import reference, resolver

if TYPE_CHECKING:
    from intentscore.local.session import Session
    from intentscore.local.sql import Preparation

ROW_BY_ROW = ("group", "having", "qualify", "distinct", "windows")


@resolver
def model_calls(root: Expr, preparation: Preparation) -> Expr:
    """Replace the model calls of a query, the innermost SELECT first."""
    while call := next(reversed(list(root.find_all(exp.ModelAttribute))), None):
        select = call.find_ancestor(exp.Select)
        if select is None:
            raise unsupported("a model call outside of a SELECT")
        source = call.find_ancestor(exp.TableFromRows)
        method, arguments = find_method(preparation.session, call)
        if source is not None:
            replaced: Expr = beside_table(select, source, call, method, arguments, preparation)
        elif preparation.describe_only or _is_unused(call, select):
            call.replace(_unknown(method))
            continue
        elif _is_select_list(select):
            replaced = _in_batches(select, preparation)
        else:
            call.replace(_function(method, arguments, preparation))
            continue
        if select is root:
            root = replaced
        elif replaced is not select:
            select.replace(replaced)
    return root


def find_method(session: Session, call: exp.ModelAttribute) -> tuple[Method, list[Expr]]:
    """The method a call names, and its arguments with the types and defaults the method declares."""
    reference, invoked = call.this, call.expression
    if isinstance(invoked, exp.Window):
        invoked = invoked.this
    parts, given = _model_reference(reference)
    entry = models.model(session, parts)
    folder = models.version_folder(session, parts, models.version_name(entry, given))
    declared = models.manifest(folder)["methods"]
    found = next((m for m in declared if m["name"] == invoked.name), None) or next(
        (m for m in declared if handlers.same_name(m["name"], invoked.name)), None
    )
    if found is None:
        raise does_not_exist("Function", f"{entry.name}!{invoked.name.upper()}")
    method = handlers.read_method(folder, found)
    return method, _arguments(method, invoked)


def _model_reference(reference: Expr) -> tuple[list[str], str]:
    """`MODEL(db.schema.m, v)`, or a model's own name, which means its default version."""
    if not isinstance(reference, exp.Anonymous):
        return [fold(p.sql(dialect="snowflake")) for p in _dotted(reference)], "DEFAULT"
    named, *version = reference.expressions
    given = fold(version[0].sql(dialect="snowflake")) if version else "DEFAULT"
    return [fold(p.sql(dialect="snowflake")) for p in _dotted(named)], given


def _dotted(node: Expr) -> list[Expr]:
    if isinstance(node, exp.Dot):
        return [*_dotted(node.this), *_dotted(node.expression)]
    return list(node.parts) if isinstance(node, exp.Column) else [node]


def _arguments(method: Method, invoked: Expr) -> list[Expr]:
    given = list(invoked.expressions)
    named = {a.name.upper(): a.expression for a in given if isinstance(a, exp.Kwarg)}
    given = [a for a in given if not isinstance(a, exp.Kwarg)]
    if method.wide and len(given) == 1:
        given = _object_values(given[0])
    required = [i for i in method.inputs if i.default is None]
    if not len(required) <= len(given) <= len(method.inputs):
        raise SnowflakeError(
            f"SQL compilation error:\nInvalid argument types for function '{invoked.name.upper()}': it takes "
            f"{len(required)} arguments, not {len(given)}", 1044, "42P13",
        )  # fmt: skip
    for declared in method.inputs[len(given) :]:
        default = named.get(declared.name.upper())
        given.append(default if default is not None else _default(declared))
    return [_typed(value, declared) for value, declared in zip(given, method.inputs, strict=True)]


def _object_values(argument: Expr) -> list[Expr]:
    """The values of OBJECT_CONSTRUCT_KEEP_NULL('A', a, 'B', b…), in their order."""
    if isinstance(argument, exp.StarMap | exp.Struct | exp.JSONObject):
        return [pair.expression for pair in argument.expressions]
    if isinstance(argument, exp.Anonymous):
        return argument.expressions[1::2]
    raise unsupported("a model call with an OBJECT other than OBJECT_CONSTRUCT_KEEP_NULL(…)")


def _default(declared: handlers.Input) -> Expr:
    return fold_names(sqlglot.parse_one(declared.default or "NULL", read="snowflake"))


def _typed(value: Expr, declared: handlers.Input) -> Expr:
    if declared.type is None:  # a VARIANT has a form of its own in Arrow
        return macro("sf_document", value.copy())
    return exp.cast(value.copy(), exp.DataType.build(declared.type, dialect="duckdb"))


def _unknown(method: Method) -> Expr:
    """A NULL of the type the call answers with."""
    return exp.cast(exp.null(), exp.DataType.build(method.duckdb_type, dialect="duckdb"))


# ---------------------------------------------------------------------------- which way to run a call


def _is_unused(call: exp.ModelAttribute, select: exp.Select) -> bool:
    """Whether nothing reads the column a call gives: Snowflake does not run the model for it either."""
    column, subquery, outer = call.parent, select.parent, select.parent_select
    if not isinstance(column, exp.Alias) or not isinstance(subquery, exp.Subquery) or outer is None:
        return False
    if not isinstance(subquery.parent, exp.From) or outer.args.get("joins") or outer.args.get("laterals"):
        return False
    if any(p.is_star for p in outer.expressions):
        return False
    within = {id(node) for node in select.walk()}
    read = {c.name for c in outer.find_all(exp.Column) if id(c) not in within}
    own = {c.name for c in select.find_all(exp.Column) if c.find_ancestor(exp.Select) is select}
    return column.alias not in read | own


def _is_select_list(select: exp.Select) -> bool:
    """Whether every call of this SELECT stands in its list, where no grouping or window takes it up."""
    if any(select.args.get(clause) for clause in ROW_BY_ROW):
        return False
    calls = [c for c in select.find_all(exp.ModelAttribute) if c.find_ancestor(exp.Select) is select]
    listed = [c for p in select.expressions for c in in_scope(p, exp.ModelAttribute)]
    if len(calls) != len(listed) or any(c.find_ancestor(exp.ModelAttribute) for c in calls):
        return False
    aggregates = [a for p in select.expressions for a in in_scope(p, exp.AggFunc) if not a.find_ancestor(exp.Window)]
    return not aggregates and not any(call.find_ancestor(exp.Window) for call in calls)


# ---------------------------------------------------------------------------- a call in a select list


def _in_batches(select: exp.Select, preparation: Preparation) -> exp.Select:
    """`SELECT *, MODEL(m, v)!F(a) AS r FROM t`: rows and arguments first, then answers, then the list over both."""
    calls = [
        (call, *find_method(preparation.session, call))
        for p in select.expressions
        for call in in_scope(p, exp.ModelAttribute)
    ]
    inner = with_visible_ctes(select)
    arguments = [appended(inner, "A", given) for _, _, given in calls]
    answers: dict[str, Method] = {}
    for number, (call, method, _) in enumerate(calls):
        answers[f"_R{number}"] = method
        call.replace(exp.column(f"_R{number}", quoted=True))
    outer, rows = over(select, inner, set(answers), preparation)
    for (name, method), named in zip(answers.items(), arguments, strict=True):
        answered = preparation.session.engine.handlers.call(method, rows.select(named))
        rows = rows.append_column(name, answered.column(0) if method.single_output else structs(answered))
    given = {name for named in arguments for name in named}
    registered = preparation.register(rows.select([n for n in rows.column_names if n not in given]))
    return outer.from_(reference(registered))


def structs(answers: pa.Table) -> pa.StructArray:
    arrays = [c.combine_chunks() for c in answers.columns]
    arrays = [a.chunk(0) if isinstance(a, pa.ChunkedArray) else a for a in arrays]
    return pa.StructArray.from_arrays(arrays, fields=list(answers.schema))


# ---------------------------------------------------------------------------- a call anywhere else


def _function(method: Method, arguments: list[Expr], preparation: Preparation) -> Expr:
    """The handler as a DuckDB function of this statement."""
    run = preparation.session.engine.handlers

    def answer(*columns: pa.ChunkedArray) -> pa.Array:
        table = pa.Table.from_arrays(list(columns), names=[f"A{i}" for i in range(len(columns))])
        answered = run.call(method, table)
        column = answered.column(0) if method.single_output else structs(answered)
        return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column

    types = [declared.type or "VARCHAR" for declared in method.inputs]
    return exp.Anonymous(this=preparation.function(answer, types, method.duckdb_type), expressions=arguments)
