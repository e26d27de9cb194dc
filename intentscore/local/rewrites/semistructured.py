"""VARIANT, ARRAY and OBJECT: paths, elements and constructors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import Expr, exp

from intentscore.local.errors import unsupported
from intentscore.local.rewrites.conversions import OBJECT_TYPE
from intentscore.local.rewrites.functions import function
from intentscore.local.rewrites.macros import macro
from intentscore.local.rewrites.registry import every_column, kind_of, rewrite
from intentscore.local.types import SEMI_STRUCTURED

if TYPE_CHECKING:
    from intentscore.local.session import Session


def _typed(value: Expr, kind: str) -> exp.Cast:
    return exp.Cast(this=value, to=exp.DataType(this=exp.DataType.Type.USERDEFINED, kind=kind))


def variant(value: Expr) -> Expr:
    return macro("sf_to_variant", value)


def array(values: list[Expr]) -> Expr:
    listed = exp.Anonymous(this="list_value", expressions=values)
    return _typed(listed, "VARIANT[]") if not values else listed


@rewrite(exp.JSONExtractScalar)
def path_text(node: exp.JSONExtractScalar, session: Session) -> Expr:
    """JSON_EXTRACT_PATH_TEXT, which is TO_VARCHAR(GET_PATH(PARSE_JSON(text), path))."""
    node.set("this", macro("sf_parse_json", node.this))
    return macro("sf_to_varchar", path(node, session))


@rewrite(exp.JSONExtract)
def path(node: exp.JSONExtract | exp.JSONExtractScalar, session: Session) -> Expr:
    """`column:key.key[0]`, step by step."""
    if not isinstance(node.expression, exp.JSONPath):
        return macro("sf_get_path", node.this, node.expression)
    found: Expr = node.this
    for part in node.expression.expressions:
        if isinstance(part, exp.JSONPathKey):
            found = macro("sf_field", found, exp.Literal.string(str(part.this)))
        elif isinstance(part, exp.JSONPathSubscript):
            index = part.this
            found = (
                macro("sf_element", found, exp.Literal.number(index))
                if isinstance(index, int)
                else macro("sf_field", found, exp.Literal.string(str(index)))
            )
        elif not isinstance(part, exp.JSONPathRoot):
            raise unsupported(f"the path {node.expression.sql()}")
    return found


@rewrite(exp.Bracket)
def element(node: exp.Bracket, session: Session) -> Expr:
    index = node.expressions[0]
    if index.is_string:
        return macro("sf_field", node.this, index)
    if index.is_int or isinstance(index, exp.Neg):
        return macro("sf_element", node.this, index)
    return macro("sf_get", node.this, index)


@rewrite(exp.ToVariant)
def to_variant(node: exp.ToVariant, session: Session) -> Expr:
    return variant(node.this)


@function("GET")
def get(value: Expr, index: Expr) -> Expr:
    return macro("sf_field" if index.is_string else "sf_get", value, index)


@function("GET_PATH")
def get_path(value: Expr, where: Expr) -> Expr:
    return macro("sf_get_path", value, where)


@function("ARRAY_CONSTRUCT")
def array_construct(*values: Expr) -> Expr:
    return array([variant(value) for value in values])


@function("ARRAY_CONSTRUCT_COMPACT")
def array_construct_compact(*values: Expr) -> Expr:
    return macro("sf_array_construct_compact", array_construct(*values))


@rewrite(exp.Array)
def array_literal(node: exp.Array, session: Session) -> Expr:
    return array_construct(*node.expressions)


@rewrite(exp.Struct)
def object_literal(node: exp.Struct, session: Session) -> Expr:
    pairs = [
        (exp.Literal.string(p.name), p.expression)
        for p in node.expressions
        if isinstance(p, (exp.PropertyEQ, exp.Slice))
    ]
    return _object("sf_object_construct", [part for pair in pairs for part in pair])


@function("OBJECT_CONSTRUCT")
def object_construct(*parts: Expr) -> Expr:
    return _object("sf_object_construct", list(parts))


@function("OBJECT_CONSTRUCT_KEEP_NULL")
def object_construct_keep_null(*parts: Expr) -> Expr:
    return _object("sf_object_construct_keep_null", list(parts))


def _object(name: str, parts: list[Expr]) -> Expr:
    if len(parts) == 1 and parts[0].is_star:
        row = exp.Anonymous(this="struct_pack", expressions=[every_column(parts[0])])
        found = macro("sf_object_of_json", macro("sf_row_json", row))
        return found if name.endswith("keep_null") else macro("sf_without_nulls", found)
    if not parts:
        return _typed(exp.Anonymous(this="MAP", expressions=[]), OBJECT_TYPE)
    keys = exp.Anonymous(this="list_value", expressions=[macro("sf_to_varchar", key) for key in parts[::2]])
    return macro(name, keys, array([variant(value) for value in parts[1::2]]))


@function("ARRAY_UNIQUE_AGG")
def array_unique_agg(value: Expr) -> Expr:
    return macro("sf_array_unique_agg", exp.AnonymousAggFunc(this="list", expressions=[value]))


@function("AS_DECIMAL", "AS_NUMBER")
def as_decimal(value: Expr, precision: Expr | None = None, scale: Expr | None = None) -> Expr:
    """The number in a VARIANT, and nothing where it holds something else."""
    if precision is None:
        return macro("sf_as_integer", value)
    digits = f"{precision.name}, {scale.name if scale is not None else 0}"
    return exp.Cast(this=macro("sf_as_scaled", value), to=exp.DataType.build(f"DECIMAL({digits})"))


@function("OBJECT_DELETE")
def object_delete(value: Expr, *keys: Expr) -> Expr:
    return macro("sf_object_delete", value, exp.Anonymous(this="list_value", expressions=list(keys)))


@function("OBJECT_PICK")
def object_pick(value: Expr, *keys: Expr) -> Expr:
    listed = macro("sf_texts", keys[0]) if len(keys) == 1 else exp.Anonymous(this="list_value", expressions=list(keys))
    return macro("sf_object_pick", value, listed)


# ---------------------------------------------------------------------------- a JSON null as SQL's NULL


@rewrite(exp.Count)
def count(node: exp.Count, session: Session) -> Expr:
    """A JSON null is not counted.

    Source: https://docs.snowflake.com/en/sql-reference/functions/count
    """
    counted = node.this.expressions if isinstance(node.this, exp.Distinct) else [node.this]
    for value in counted:
        _stripped(value)
    return node


@rewrite(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In)
def comparison(node: Expr, session: Session) -> Expr:
    """Beside a value of another type a JSON null is what its cast to that type is: NULL."""
    if isinstance(node.parent, exp.Update) and node.arg_key == "expressions":
        return node
    operands = [operand for operand in node.iter_expressions() if not isinstance(operand, exp.Query)]
    if any((kind := kind_of(operand)) is not None and kind.wire not in SEMI_STRUCTURED for operand in operands):
        for operand in operands:
            _stripped(operand)
    return node


def _stripped(value: Expr) -> None:
    kind = kind_of(value)
    if kind is not None and kind.wire == "variant":
        value.replace(macro("sf_strip_null_value", value.copy()))
