"""Text functions with arguments DuckDB wants in another form: regular expressions, patterns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import Expr, exp

from intentscore.local.errors import COMPILATION, SnowflakeError, invalid
from intentscore.local.rewrites.functions import function, literal
from intentscore.local.rewrites.macros import macro
from intentscore.local.rewrites.registry import rewrite

if TYPE_CHECKING:
    from intentscore.local.session import Session


_FIRST: Expr = exp.Literal.number(1)


def _number(value: int) -> Expr:
    return exp.Literal.number(value)


def _options(parameters: Expr | None, extra: str = "") -> Expr:
    """The parameters of a regular expression: c, i, m, n, s; `e` says that a group is wanted."""
    text = str(literal(parameters, "REGEXP")) if parameters is not None else ""
    if unknown := set(text) - set("cimnse"):
        raise SnowflakeError(f"{COMPILATION}Invalid regular expression parameter '{min(unknown)}'", 2143, "22023")
    found = ("i" if text.rfind("i") > text.rfind("c") else "c") + ("m" if "m" in text else "")
    return exp.Literal.string(found + ("s" if "s" in text else "") + extra)


@function("REGEXP_LIKE", "RLIKE")
def regexp_like(subject: Expr, pattern: Expr, parameters: Expr | None = None) -> Expr:
    return macro("sf_regexp_like", subject, pattern, _options(parameters))


@rewrite(exp.RegexpLike)
def regexp_operator(node: exp.RegexpLike, session: Session) -> Expr:
    return regexp_like(node.this, node.expression, node.args.get("flag"))


@function("REGEXP_COUNT")
def regexp_count(subject: Expr, pattern: Expr, position: Expr = _FIRST, parameters: Expr | None = None) -> Expr:
    return macro("sf_regexp_count", subject, pattern, position.copy(), _options(parameters))


@function("REGEXP_SUBSTR", "REGEXP_EXTRACT")
def regexp_substr(
    subject: Expr, pattern: Expr, position: Expr = _FIRST, occurrence: Expr = _FIRST, parameters: Expr | None = None,
    group: Expr | None = None,
) -> Expr:  # fmt: skip
    which = _group(parameters, group)
    return macro(
        "sf_regexp_substr",
        subject,
        pattern,
        position.copy(),
        occurrence.copy(),
        _options(parameters),
        which,
    )


def _group(parameters: Expr | None, group: Expr | None) -> Expr:
    wanted = parameters is not None and "e" in str(literal(parameters, "REGEXP"))
    return group or _number(1 if wanted else 0)


@function("REGEXP_SUBSTR_ALL", "REGEXP_EXTRACT_ALL")
def regexp_substr_all(
    subject: Expr, pattern: Expr, position: Expr = _FIRST, occurrence: Expr = _FIRST, parameters: Expr | None = None,
    group: Expr | None = None,
) -> Expr:  # fmt: skip
    return macro("sf_regexp_all", subject, pattern, position.copy(), _options(parameters), _group(parameters, group))


@function("REGEXP_INSTR")
def regexp_instr(
    subject: Expr, pattern: Expr, position: Expr = _FIRST, occurrence: Expr = _FIRST, option: Expr | None = None,
    parameters: Expr | None = None, group: Expr | None = None,
) -> Expr:  # fmt: skip
    end = option or _number(0)
    return macro("sf_regexp_instr", subject, pattern, position.copy(), occurrence.copy(), end, _options(parameters))


@function("REGEXP_REPLACE")
def regexp_replace(
    subject: Expr, pattern: Expr, replacement: Expr | None = None, position: Expr = _FIRST,
    occurrence: Expr | None = None,
    parameters: Expr | None = None,
) -> Expr:  # fmt: skip
    new = replacement or exp.Literal.string("")
    if occurrence is None or occurrence.name == "0":
        return macro("sf_regexp_replace_all", subject, pattern, new, position.copy(), _options(parameters, "g"))
    return macro("sf_regexp_replace_one", subject, pattern, new, position.copy(), occurrence, _options(parameters))


@rewrite(exp.StrPosition)
def position(node: exp.StrPosition, session: Session) -> Expr:
    return char_index(node.args["substr"], node.this, node.args.get("position"))


@function("CHARINDEX")
def char_index(part: Expr, text: Expr, start: Expr | None = None) -> Expr:
    return macro("sf_charindex", part, text, *([start] if start is not None else []))


@rewrite(exp.Like, exp.ILike)
def like(node: exp.Like, session: Session) -> Expr:
    """A VARIANT or a number is matched as its text."""
    if not isinstance(node.this, exp.Literal):
        node.set("this", macro("sf_text", node.this))
    return node


@rewrite(exp.DPipe)
def concatenation(node: exp.DPipe, session: Session) -> Expr:
    for side in ("this", "expression"):
        operand = node.args[side]
        if not isinstance(operand, (exp.Literal, exp.DPipe)):
            node.set(side, macro("sf_bytes_or_text", operand))
    return node


@function("CONCAT")
def concat(*parts: Expr) -> Expr:
    """NULL when any part is."""
    found = macro("sf_bytes_or_text", parts[0])
    for part in parts[1:]:
        found = exp.DPipe(this=found, expression=macro("sf_bytes_or_text", part))
    return exp.paren(found, copy=False)


@function("CONCAT_WS")
def concat_ws(separator: Expr, *parts: Expr) -> Expr:
    texts = [macro("sf_text", part) for part in parts]
    return macro("sf_concat_ws", separator, exp.Anonymous(this="list_value", expressions=texts))


@function("SHA2", "SHA2_HEX")
def sha2(value: Expr, size: Expr | None = None) -> Expr:
    bits = int(literal(size, "SHA2")) if size is not None else 256
    if bits not in (224, 256, 384, 512):
        raise SnowflakeError(f"{COMPILATION}invalid digest size {bits} for SHA2", 2143, "22023")
    if bits == 256:
        return exp.Anonymous(this="sha256", expressions=[macro("sf_bytes_or_text", value)])
    return exp.Anonymous(this=f"arrow_sha{bits}", expressions=[macro("sf_bytes", macro("sf_bytes_or_text", value))])


@function("SHA2_BINARY")
def sha2_binary(value: Expr, size: Expr | None = None) -> Expr:
    return exp.Anonymous(this="unhex", expressions=[sha2(value, size)])


TRIMMED = "trimmed"  # marks a value whose collation passes over the spaces around it


_MARKS = {"ci", "cs", "ai", "as", "fl", "fu", "lower", "upper", "pi", "ps", "trim", "ltrim", "rtrim"}
_LOCALE = re.compile(r"|utf8|bin|default|[a-z]{2,3}(_[a-z]{2,4}){0,2}|" + "|".join(sorted(_MARKS)))


@function("COLLATE")
def collate(value: Expr, specification: Expr) -> Expr:
    """The collation's weakest comparison: without case, accents or the spaces around, where it says so."""
    written = str(literal(specification, "COLLATE"))
    parts = written.lower().strip("'").split("-")
    if not _LOCALE.fullmatch(parts[0]) or not set(parts[1:]) <= _MARKS:
        raise invalid(f"Invalid collation specification: '{written}'.")
    names = [name for mark, name in (("ci", "NOCASE"), ("ai", "NOACCENT")) if mark in parts]
    found: Expr = exp.paren(value, copy=False)
    if names:
        found = exp.Collate(this=value, expression=exp.Var(this=".".join(names)))
    found.meta["specification"] = written
    found.meta[TRIMMED] = bool({"trim", "ltrim", "rtrim"} & set(parts))
    return found


@rewrite(exp.Collate)
def collate_operator(node: exp.Collate, session: Session) -> Expr:
    written = node.expression
    if isinstance(written, exp.Literal):
        return collate(node.this, written)
    return node


@rewrite(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ)
def collated_comparison(node: exp.Binary, session: Session) -> Expr:
    for side in ("this", "expression"):
        if node.args[side].meta.get(TRIMMED):
            node.set(side, macro("sf_trim", node.args[side]))
    return node


@function("COLLATION")
def collation(value: Expr) -> Expr:
    """The specification of a COLLATE; columns have none."""
    if isinstance(value, exp.Collate) or TRIMMED in value.meta:
        return exp.Literal.string(value.meta.get("specification", ""))
    return exp.Null()
