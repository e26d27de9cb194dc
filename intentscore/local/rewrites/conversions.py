"""Types and casts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakesnow import transforms as fakesnow
from sqlglot import Expr, exp

from intentscore.local.errors import unsupported
from intentscore.local.rewrites.registry import cast, macro, rewrite

if TYPE_CHECKING:
    from intentscore.local.session import Session

Type = exp.DataType.Type

_DUCKDB_TYPES = {
    Type.INT: Type.BIGINT, Type.SMALLINT: Type.BIGINT, Type.TINYINT: Type.BIGINT, Type.BIGINT: Type.BIGINT,
    Type.FLOAT: Type.DOUBLE, Type.DOUBLE: Type.DOUBLE, Type.TIMESTAMPNTZ: Type.TIMESTAMP,
    Type.TIMESTAMPLTZ: Type.TIMESTAMPTZ, Type.DATETIME: Type.TIMESTAMP, Type.VARIANT: Type.JSON,
    Type.OBJECT: Type.JSON, Type.ARRAY: Type.JSON, Type.MAP: Type.JSON, Type.CHAR: Type.TEXT, Type.NCHAR: Type.TEXT,
    Type.VARCHAR: Type.TEXT, Type.NVARCHAR: Type.TEXT, Type.BINARY: Type.VARBINARY,
}  # fmt: skip


@rewrite(exp.DataType)
def data_type(node: exp.DataType, session: Session) -> Expr:
    """The DuckDB type that holds a Snowflake type; NUMBER without a scale is a 64-bit integer."""
    if node.this == Type.DECIMAL:
        size = [int(p.name) for p in node.expressions]
        if not size or (size[0] == 38 and size[1:] in ([], [0])):
            return exp.DataType(this=Type.BIGINT)
        precision, scale = (*size, 0)[:2]
        return exp.DataType.build(f"DECIMAL({precision}, {scale})")
    if node.this in (Type.GEOGRAPHY, Type.GEOMETRY, Type.VECTOR):
        raise unsupported(f"the type {node.this.value}")
    target = _DUCKDB_TYPES.get(node.this)
    return exp.DataType(this=target) if target else node


@rewrite(exp.ToNumber)
def to_number(node: exp.ToNumber, session: Session) -> Expr:
    converted = fakesnow.to_decimal(node)
    if isinstance(converted, (exp.Cast, exp.TryCast)):
        converted.set("to", data_type(converted.to, session))
    return converted


@rewrite(exp.ToChar)
def to_varchar(node: exp.ToChar, session: Session) -> Expr:
    return node if node.args.get("format") else macro("sf_to_varchar", node.this)


@rewrite(exp.Cast)
def cast_to_text(node: exp.Cast, session: Session) -> Expr:
    is_text = node.to.this == Type.TEXT and type(node) is exp.Cast
    if is_text and not isinstance(node.this, (exp.Literal, exp.Null, exp.JSONExtract, exp.Bracket)):
        return macro("sf_to_varchar", node.this)
    if is_text and isinstance(node.this, (exp.JSONExtract, exp.Bracket)):
        return macro("sf_variant_text", node.this)
    if node.to.this == Type.TIMESTAMP and not isinstance(node.this, exp.Null):
        return macro("sf_timestamp", node.this)
    return node


@rewrite(exp.ToBoolean)
def to_boolean(node: exp.ToBoolean, session: Session) -> Expr:
    return macro("sf_try_boolean", node.this) if node.args.get("safe") else cast(node.this, Type.BOOLEAN)
