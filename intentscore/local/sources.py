"""What stands behind FROM: tables by their full names, staged files, table functions, model calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlglot import Expr, exp

from intentscore.local import information_schema, names, results, spelling
from intentscore.local.errors import COMPILATION, SnowflakeError, does_not_exist, unsupported
from intentscore.local.names import display
from intentscore.local.results import Result
from intentscore.local.rewrites import visible_ctes
from intentscore.local.sharing import sharing

if TYPE_CHECKING:
    from intentscore.local.sql import Preparation

TableFunction = Callable[..., pa.Table]
TABLE_FUNCTIONS: dict[str, TableFunction] = {}
Resolver = Callable[[Expr, "Preparation"], Expr]
RESOLVERS: list[Resolver] = []
GENERATED = "_GENERATED"
NATIVE_TABLE_FUNCTIONS = (exp.Explode, exp.Posexplode, exp.SplitToTable)


def table_function(*spellings: str) -> Callable[[TableFunction], TableFunction]:
    """Register `f(session, *positional, **named) -> Arrow table` for TABLE(NAME(…))."""

    def register(function: TableFunction) -> TableFunction:
        TABLE_FUNCTIONS.update(dict.fromkeys(spellings, function))
        return function

    return register


def resolver(function: Resolver) -> Resolver:
    """Register a pass over the tree that puts something of ours in the place of a row source."""
    RESOLVERS.append(function)
    return function


def resolve(root: Expr, preparation: Preparation) -> Expr:
    for function in RESOLVERS:
        root = function(root, preparation)
    root = _table_functions(root, preparation)
    return _tables(root, preparation)


def _table_functions(root: Expr, preparation: Preparation) -> Expr:
    with sharing(preparation.session):
        return _with_rows_of_functions(root, preparation)


def _with_rows_of_functions(root: Expr, preparation: Preparation) -> Expr:
    for node in list(root.find_all(exp.TableFromRows)):
        call = node.this
        if isinstance(call, exp.Window) and isinstance(call.this, NATIVE_TABLE_FUNCTIONS):
            node.set("this", call := call.this)  # its rows are those of each input row, whatever the partition
        while isinstance(call, exp.Dot):
            call = call.expression
        if isinstance(call, NATIVE_TABLE_FUNCTIONS) or call.name.upper() == "STRTOK_SPLIT_TO_TABLE":
            continue
        name = call.name.upper() if isinstance(call, exp.Anonymous) else call.sql_name()
        function = TABLE_FUNCTIONS.get(name)
        if function is None:
            raise SnowflakeError(
                f"{COMPILATION}Unknown table function {name}; the local engine has none of this name.", 2141, "42601"
            )
        if name == "GENERATOR":
            _count_over_generated(node)
        positional, named = _arguments(call, preparation)
        table = preparation.register(function(preparation.session, *positional, **named))
        replacement = reference(table, node.args.get("alias"))
        if node is root:
            return replacement
        node.replace(replacement)
    return root


def _count_over_generated(node: exp.TableFromRows) -> None:
    """SEQ4() and its like are the generator's own count."""
    select = node.find_ancestor(exp.Select)
    for call in list(select.find_all(exp.Func)) if select else ():
        name = call.name if isinstance(call, exp.Anonymous) else call.sql_name()
        if name.upper() in ("SEQ1", "SEQ2", "SEQ4", "SEQ8"):
            call.replace(exp.column(GENERATED, quoted=True))


def _arguments(call: Expr, preparation: Preparation) -> tuple[list[Any], dict[str, Any]]:
    if isinstance(call, exp.Generator):  # the parser has taken the names away
        return [], {name: _value(value, preparation) for name, value in call.args.items()}
    positional: list[Any] = []
    named: dict[str, Any] = {}
    given = call.expressions if isinstance(call, exp.Anonymous) else list(call.args.values())
    for argument in given:
        if isinstance(argument, exp.Kwarg):
            named[argument.name.lower()] = _value(argument.expression, preparation)
        elif isinstance(argument, Expr):
            positional.append(_value(argument, preparation))
    return positional, named


def _value(argument: Expr, preparation: Preparation) -> Any:
    """An argument's value: a literal's, or what a constant expression comes to."""
    if isinstance(argument, (exp.Tuple, exp.Array)):
        return [_value(item, preparation) for item in argument.expressions]
    try:
        return argument.to_py()
    except ValueError:
        if isinstance(argument, exp.Cast) and isinstance(argument.this, exp.Literal):
            return preparation.session.shared.once(("value", argument.sql()), lambda: _computed(argument, preparation))
        return _computed(argument, preparation)


def _computed(argument: Expr, preparation: Preparation) -> Any:
    query = preparation.to_duckdb(exp.select(argument.copy()))
    return preparation.session.duck.sql(query).fetchall()[0][0]


def reference(registered: str, alias: Expr | None = None) -> exp.Table:
    """A registered Arrow table as a row source, under the alias of what it stands for."""
    catalog, schema, name = registered.split(".")
    table = exp.table_(name, db=schema, catalog=catalog, quoted=True)
    if alias is not None:
        table.set("alias", alias.copy())
    return table


def _name_identifier(node: exp.Table) -> None:
    """IDENTIFIER('db.schema.name') as the name it holds."""
    call = node.this
    if isinstance(call, exp.DynamicIdentifier):
        held = call.this
    elif isinstance(call, exp.Anonymous) and call.name.upper() == "IDENTIFIER" and call.expressions:
        held = call.expressions[0]
    else:
        return
    parts = names.split(held.name)
    for place, part in zip(("this", "db", "catalog"), reversed(parts), strict=False):
        node.set(place, exp.to_identifier(part, quoted=True))


def _tables(root: Expr, preparation: Preparation) -> Expr:
    """Every table by the full name it has here; CTE names stay as they are."""
    for node in list(root.find_all(exp.Table)):
        _name_identifier(node)
        if not isinstance(node.this, exp.Identifier) or node.catalog == "temp":
            continue
        if not node.db and node.name in visible_ctes(node):
            continue
        replacement = _resolved(node, preparation)
        if node is root:
            return replacement
        if replacement is not node:
            node.replace(replacement)
    for column in root.find_all(exp.Column):
        column.set("db", None)
        column.set("catalog", None)
    return root


def _resolved(node: exp.Table, preparation: Preparation) -> Expr:
    session = preparation.session
    if node.args.get("when") is not None:
        raise unsupported("Time Travel (AT and BEFORE)")
    name = session.resolve([part.name for part in node.parts])
    if name.schema == "INFORMATION_SCHEMA":
        view = information_schema.view(session, name)
        view.meta[spelling.NATIVE] = True
        return exp.Subquery(this=view, alias=node.args.get("alias") or exp.TableAlias(this=_quoted(name.name)))
    temporary = session.temporary_tables.get(name)
    if temporary is None:
        written = ".".join(display(part.name) for part in node.parts)
        node.set("catalog", _quoted(name.database))
        node.set("db", _quoted(name.schema))
        if preparation.table_fields(node) is None:
            raise does_not_exist("Object", written)
        return node
    if not node.args.get("alias") and not isinstance(node.parent, (exp.Insert, exp.Schema)):
        node.set("alias", exp.TableAlias(this=_quoted(name.name)))
    node.set("this", _quoted(temporary))
    node.set("db", _quoted("main"))
    node.set("catalog", _quoted("temp"))
    return node


def _quoted(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)


@table_function("GENERATOR")
def generator(session: Any, rowcount: int | None = None, timelimit: int = 0) -> pa.Table:
    """So many rows without a column of their own; SEQ4() and ROW_NUMBER() count over them."""
    if rowcount is None:
        raise unsupported("GENERATOR by TIMELIMIT")
    return pa.table({GENERATED: pa.array(range(rowcount), pa.int64())})


@table_function("RESULT_SCAN")
def result_scan(session: Any, query_id: str | None) -> pa.Table:
    """The rows of an earlier query of this session."""
    found = session.results.get(query_id or session.results.last_id or "")
    if found is None:
        raise SnowflakeError(f"Statement {query_id} not found", 709, "02000")
    return read_again(found)


def read_again(result: Result) -> pa.Table:
    """The rows of a result as a table to query; two columns of one name cannot be, later ones get a number."""
    table = results.saying("undefined", result)
    seen: dict[str, int] = {}
    renamed = []
    for column in table.column_names:
        seen[column] = seen.get(column, 0) + 1
        renamed.append(column if seen[column] == 1 else f"{column}_{seen[column]}")
    return table.rename_columns(renamed)
