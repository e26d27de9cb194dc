"""Functions by their names: macros, DuckDB's own functions of another name, and rewrites of a call's arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlglot import Expr, exp

from intentscore.local.errors import COMPILATION, SnowflakeError, unsupported
from intentscore.local.rewrites.macros import SCHEMA, macro, macros
from intentscore.local.rewrites.registry import kind_of, rewrite

if TYPE_CHECKING:
    from intentscore.local.session import Session

Function = Callable[..., Expr]
FUNCTIONS: dict[str, Function] = {}

ALIASES = {
    "LEN": "LENGTH", "CHAR_LENGTH": "LENGTH", "CHARACTER_LENGTH": "LENGTH", "SUBSTRING": "SUBSTR", "CHAR": "CHR",
    "POW": "POWER", "CEILING": "CEIL", "IFNULL": "NVL", "HEX": "HEX_ENCODE", "MD5_HEX": "MD5",
    "SHA1_HEX": "SHA1", "SHA": "SHA1",
    "DATEFROMPARTS": "DATE_FROM_PARTS", "TIMEFROMPARTS": "TIME_FROM_PARTS",
    "TIMESTAMPFROMPARTS": "TIMESTAMP_FROM_PARTS", "TIMESTAMPNTZFROMPARTS": "TIMESTAMP_FROM_PARTS",
    "TIMESTAMP_NTZ_FROM_PARTS": "TIMESTAMP_FROM_PARTS", "TIMESTAMPLTZFROMPARTS": "TIMESTAMP_LTZ_FROM_PARTS",
    "TIMESTAMPTZFROMPARTS": "TIMESTAMP_TZ_FROM_PARTS",
    "BIT_AND": "BITAND", "BIT_OR": "BITOR", "BIT_XOR": "BITXOR", "BIT_NOT": "BITNOT",
    "BIT_SHIFTLEFT": "BITSHIFTLEFT", "BIT_SHIFTRIGHT": "BITSHIFTRIGHT",
}  # fmt: skip
INTERNAL = {
    "NUMBER", "TEXT", "PART", "SIZE", "BYTES", "DISTINCT", "ELEMENT", "FIELD", "PLACE", "EPOCH", "HAS", "JOINED",
    "FLATTENED", "SPREAD", "JOINED_TEXTS", "VARIANTS",
}  # fmt: skip


def function(*spellings: str) -> Callable[[Function], Function]:
    """Register `f(*arguments) -> expression` under a function's names in SQL."""

    def register(build: Function) -> Function:
        FUNCTIONS.update(dict.fromkeys(spellings, build))
        return build

    return register


def known_names() -> set[str]:
    from intentscore.local.rewrites import THEMES  # every theme registers its functions

    assert THEMES
    return (set(FUNCTIONS) | set(ALIASES) | {name[3:].upper() for name in macros()}) - INTERNAL


@rewrite(exp.Anonymous)
def by_name(node: exp.Anonymous, session: Session) -> Expr:
    """A call of a function that is known by its name."""
    name = node.name.upper()
    if name.startswith("MEMORY.") or isinstance(node.parent, exp.Dot):
        return node
    if name in OF_VARIANTS and node.expressions:
        _refuse_other_than_variant(name, node.expressions[0])
    build = FUNCTIONS.get(name)
    try:
        if build is not None:
            return build(*node.expressions)
    except TypeError:
        raise wrong_arguments(name, len(node.expressions)) from None
    macro_name = f"sf_{ALIASES.get(name, name).lower()}"
    if macro_name in macros() and name not in INTERNAL:
        return macro(macro_name, *node.expressions)
    if name in NOT_OFFERED or name.startswith("AI_"):
        raise unsupported(f"the function {name}")
    return node


NOT_OFFERED = {"TO_FILE", "TRY_TO_FILE", "PARSE_XML", "TO_XML", "CHECK_XML", "XMLGET"}


@rewrite(exp.ToDecfloat, exp.TryToDecfloat, exp.ToFile, exp.CheckXml, exp.XMLGet)
def not_offered(node: exp.Func, session: Session) -> Expr:
    raise unsupported(f"the function {node.sql_name()}")


@rewrite(exp.Dot)
def in_shared_database(node: exp.Dot, session: Session) -> Expr:
    """SNOWFLAKE.CORTEX.COMPLETE(…) and what else Snowflake shares with every account."""
    parts = [part.name.upper() for part in node.flatten()]
    if parts[0] == "SNOWFLAKE" and isinstance(node.expression, exp.Func):
        raise unsupported(f"the function {'.'.join(parts)}")
    return node


OF_VARIANTS = {
    f"{verb}_{kind}"
    for verb in ("IS", "AS")
    for kind in ("ARRAY", "BINARY", "BOOLEAN", "CHAR", "DATE", "DECIMAL", "DOUBLE", "INTEGER", "NUMBER", "OBJECT",
                 "REAL", "TIME", "TIMESTAMP_LTZ", "TIMESTAMP_NTZ", "TIMESTAMP_TZ", "VARCHAR")
}  # fmt: skip


def _refuse_other_than_variant(name: str, argument: Expr) -> None:
    """What asks for the kind of value in a VARIANT takes nothing else."""
    kind = kind_of(argument)
    if kind is None or kind.wire in ("variant", "array", "object"):
        return
    if name in ("AS_DECIMAL", "AS_NUMBER"):
        detail = f"invalid type [{kind.declared}] for parameter '{name}(variantValue...)'"
    else:
        shown = {"IS_VARCHAR": "IS_CHAR"}.get(name, name)
        detail = f"Invalid argument types for function '{shown}': ({kind.declared})"
    raise SnowflakeError(f"{COMPILATION}{detail}", 1044, "42P13")


@rewrite(exp.Coalesce)
def coalesce(node: exp.Coalesce, session: Session) -> Expr:
    if not node.expressions:
        detail = (
            f"not enough arguments for function [COALESCE({node.this.sql(dialect='snowflake')})], expected 2, got 1"
        )
        raise SnowflakeError(f"{COMPILATION}{detail}", 938, "22023")
    return node


def wrong_arguments(name: str, count: int) -> SnowflakeError:
    return SnowflakeError(f"{COMPILATION}wrong number of arguments ({count}) for function [{name}].", 938, "22023")


def literal(node: Expr, name: str) -> Any:
    """The value of an argument that has to be a constant."""
    if isinstance(node, (exp.Literal, exp.Boolean, exp.Neg)):
        return node.to_py()
    if isinstance(node, (exp.Cast, exp.Paren)):
        return literal(node.this, name)
    if isinstance(node, exp.DPipe):
        return f"{literal(node.this, name)}{literal(node.expression, name)}"
    raise SnowflakeError(f"{COMPILATION}argument of function {name} needs to be constant", 1015, "22023")


CANNOT_CHOOSE = ("has multiple overloads that match", "the expression has side effects")


def expand_aliases(root: Expr) -> Expr:
    """A column that is another column's alias, by what it stands for."""
    for select in root.find_all(exp.Select):
        aliases = {p.alias: p.this for p in select.expressions if isinstance(p, exp.Alias)}
        for place in (*select.expressions, *(select.args.get(key) for key in ("where", "group", "having", "qualify"))):
            if place is not None:
                _expand_in(place, aliases, frozenset([place.alias]))
        for ordered in select.args["order"].expressions if select.args.get("order") else ():
            if not isinstance(ordered.this, exp.Column):
                _expand_in(ordered, aliases, frozenset())
    return bind_aggregates(root)


def _expand_in(place: Expr, aliases: dict[str, Expr], within: frozenset[str]) -> None:
    for column in list(place.find_all(exp.Column)):
        meant = aliases.get(column.name) if not column.table and column.name not in within else None
        if meant is not None and column.find_ancestor(exp.Query) is place.find_ancestor(exp.Query):
            expanded = exp.paren(meant.copy(), copy=False)
            column.replace(expanded)
            _expand_in(expanded, aliases, within | {column.name})


AGGREGATES = (exp.AggFunc, exp.Window, exp.WithinGroup, exp.Filter)


def bind_aggregates(root: Expr) -> Expr:
    """A typed macro over an aggregate, or over a column a lateral subquery has from outside.

    DuckDB can only tell the type of such an argument once it is a lambda's parameter.
    """
    for node in list(root.find_all(exp.Anonymous, bfs=False)):
        if not node.name.startswith(SCHEMA) or _within_macro(node):
            continue
        kinds = (*AGGREGATES, exp.Column) if node.find_ancestor(exp.Lateral) else AGGREGATES
        found = list(_outermost(node, kinds))
        if not found:
            continue
        fields = []
        for i, aggregate in enumerate(found):
            # not `_of.a0`, which HAVING takes for a column
            of = exp.Anonymous(this="struct_extract", expressions=[exp.column("_of"), exp.Literal.string(f"a{i}")])
            aggregate.replace(of)
            fields.append(exp.PropertyEQ(this=exp.to_identifier(f"a{i}"), expression=aggregate))
        held = exp.Anonymous(this="list_value", expressions=[exp.Struct(expressions=fields)])
        over = exp.Anonymous(this="list_transform", expressions=[held])
        bound = exp.Anonymous(this="list_extract", expressions=[over, exp.Literal.number(1)])
        if node is root:
            root = bound
        else:
            node.replace(bound)
        over.append("expressions", exp.Lambda(this=node, expressions=[exp.to_identifier("_of")]))
    return root


def _within_macro(node: Expr) -> bool:
    parent = node.parent
    while parent is not None and not isinstance(parent, (*AGGREGATES, exp.Query)):
        if isinstance(parent, exp.Anonymous) and parent.name.startswith(SCHEMA):
            return True
        parent = parent.parent
    return False


def _outermost(node: Expr, kinds: tuple[type[Expr], ...]) -> list[Expr]:
    """The outermost nodes of these kinds within, not those of a subquery."""
    found: list[Expr] = []
    for child in node.iter_expressions():
        if isinstance(child, kinds):
            found.append(child)
        elif not isinstance(child, exp.Query):
            found.extend(_outermost(child, kinds))
    return found
