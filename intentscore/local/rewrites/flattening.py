"""FLATTEN and SPLIT_TO_TABLE: rows out of the elements of a value, beside the row the value comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import Expr, exp

from intentscore.local.rewrites.functions import literal
from intentscore.local.rewrites.joins import row_sources
from intentscore.local.rewrites.macros import macro
from intentscore.local.rewrites.registry import rewrite
from intentscore.local.rewrites.semistructured import variant

if TYPE_CHECKING:
    from intentscore.local.session import Session

MADE_ROWS = "made rows"  # the mark of a lateral subquery over the elements of a value

_FLATTENED = ("SEQ", "KEY", "PATH", "INDEX", "VALUE", "THIS")


@rewrite(exp.Lateral, exp.TableFromRows)
def flatten(node: exp.Lateral | exp.TableFromRows, session: Session) -> Expr:
    """FLATTEN as a lateral subquery over the elements."""
    call = node.this
    if not isinstance(call, exp.Explode) and not (isinstance(call, exp.Anonymous) and call.name.upper() == "FLATTEN"):
        return node
    given = [call.this, *call.expressions] if isinstance(call, exp.Explode) else call.expressions
    options = {argument.name.upper(): argument.expression for argument in given if isinstance(argument, exp.Kwarg)}
    value = options.get("INPUT") or next(a for a in given if not isinstance(a, exp.Kwarg))
    mode = str(literal(options["MODE"], "FLATTEN")).upper() if "MODE" in options else "BOTH"
    where = str(literal(options["PATH"], "FLATTEN")) if "PATH" in options else ""
    if where:
        value = macro("sf_get_path", value, exp.Literal.string(where))
    outer = "OUTER" in options and bool(literal(options["OUTER"], "FLATTEN"))
    recursive = "RECURSIVE" in options and bool(literal(options["RECURSIVE"], "FLATTEN"))
    entries = macro("sf_all_entries" if recursive else "sf_entries", variant(value), exp.Literal.string(where))
    if mode != "BOTH":
        entries = macro("sf_entries_of", entries, exp.Literal.string(mode))
    if outer:
        entries = macro("sf_or_none", entries)
    return _lateral(node, entries, _FLATTENED)


_SPLITS = {"SPLIT_TO_TABLE": "sf_split_rows", "STRTOK_SPLIT_TO_TABLE": "sf_strtok_rows"}


@rewrite(exp.Lateral, exp.TableFromRows)
def split_to_table(node: exp.Lateral | exp.TableFromRows, session: Session) -> Expr:
    """SPLIT_TO_TABLE as a lateral subquery over the parts."""
    call = node.this
    if isinstance(call, exp.SplitToTable):
        parts = macro(_SPLITS["SPLIT_TO_TABLE"], call.this, call.expression)
    elif isinstance(call, exp.Anonymous) and call.name.upper() in _SPLITS:
        parts = macro(_SPLITS[call.name.upper()], *call.expressions)
    else:
        return node
    return _lateral(node, parts, ("SEQ", "INDEX", "VALUE"))


def _lateral(node: Expr, entries: Expr, names: tuple[str, ...]) -> Expr:
    """The members of a list of structs as rows, under the names of the alias or these."""
    depth = exp.Kwarg(this=exp.Var(this="max_depth"), expression=exp.Literal.number(2))
    query = exp.select(exp.Anonymous(this="unnest", expressions=[entries, depth]))
    alias = node.args.get("alias") or exp.TableAlias(this=exp.to_identifier("_ROWS", quoted=True))
    if not alias.columns:
        alias.set("columns", [exp.to_identifier(name, quoted=True) for name in names])
    lateral = exp.Lateral(this=query.subquery(), alias=alias)
    lateral.meta[MADE_ROWS] = True
    return lateral


# ---------------------------------------------------------------------------- SEQ


@rewrite(exp.Select)
def numbered_records(node: exp.Select, session: Session) -> Expr:
    """SEQ tells the records apart that the elements come from, where the query looks at it."""
    if node.find(exp.Columns):
        return node
    before: list[Expr] = []
    hidden: dict[str, str] = {}
    for source, _ in list(row_sources(node)):
        if source.meta.get(MADE_ROWS) and before and _shows_number(node, source):
            _number(source, [part for earlier in before for part in _identity(earlier, hidden)])
        before.append(source)
    for star in [projection for projection in node.expressions if projection.is_star] if hidden else ():
        _leave_out(star, hidden)
    return node


def _shows_number(select: exp.Select, source: Expr) -> bool:
    alias, name = source.alias, source.args["alias"].columns[0].name
    return any(p.is_star and (p.args.get("table") is None or p.table == alias) for p in select.expressions) or any(
        column.name == name and column.table in ("", alias) for column in select.find_all(exp.Column)
    )


def _identity(source: Expr, hidden: dict[str, str]) -> list[Expr]:
    """Columns that tell the rows of a row source apart; a number of its own for one that has none."""
    if source.meta.get(MADE_ROWS):
        return [exp.column(column.copy(), table=source.alias, quoted=True) for column in source.args["alias"].columns]
    alias = source.alias_or_name
    if alias not in hidden:
        hidden[alias] = f"_ROW{len(hidden)}"
        number = exp.Window(this=exp.Anonymous(this="row_number"))
        rows = exp.select("*", exp.alias_(number, hidden[alias], quoted=True)).from_(_without_alias(source))
        wrapped = exp.Subquery(this=rows, alias=exp.TableAlias(this=exp.to_identifier(alias or "_ROWS", quoted=True)))
        source.replace(wrapped)
    return [exp.column(hidden[alias], table=alias or "_ROWS", quoted=True)]


def _without_alias(source: Expr) -> Expr:
    inner = source.copy()
    if not (alias := inner.args.get("alias")) or not alias.columns:
        inner.set("alias", exp.TableAlias(this=exp.to_identifier("_RECORDS", quoted=True)))
    return inner


def _number(lateral: Expr, identity: list[Expr]) -> None:
    made = lateral.this.this
    entries = exp.Subquery(this=made.copy(), alias=exp.TableAlias(this=exp.to_identifier("_MADE", quoted=True)))
    only = exp.Cast(this=identity[0], to=exp.DataType.build("BIGINT"))
    number = only if len(identity) == 1 else macro("sf_record", exp.Anonymous(this="hash", expressions=identity))
    rest = exp.Star(except_=[exp.to_identifier("seq", quoted=True)])
    lateral.this.set("this", exp.select(exp.alias_(number, "seq", quoted=True), rest).from_(entries))


def _leave_out(projection: Expr, hidden: dict[str, str]) -> None:
    star = projection.this if isinstance(projection, exp.Column) else projection
    of_one = projection.table if isinstance(projection, exp.Column) else ""
    names = [name for alias, name in hidden.items() if of_one in ("", alias)]
    if names and isinstance(star, exp.Star):
        star.set("except_", [*(star.args.get("except_") or []), *(exp.to_identifier(n, quoted=True) for n in names)])
