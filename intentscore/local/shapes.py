"""What the columns of a query are, beyond what DuckDB can tell: name, nullability, declared type.

Worked out on Snowflake's tree, before it is rewritten. Where something is not known the answer is None, and
what DuckDB says about the column counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlglot import Expr, exp

from intentscore.local import expression_types, types
from intentscore.local.errors import ambiguous_column
from intentscore.local.rewrites.joins import NOTHING_SHARED, is_asof, row_sources, using
from intentscore.local.rewrites.registry import KIND, POSITION
from intentscore.local.types import ColumnType

TableFields = Callable[[exp.Table], "list[Field] | None"]


@dataclass(frozen=True)
class Field:
    """A column; `type` is None where DuckDB's own type is all there is to know.

    A stored column that has a twin of another letter case is `held` under another name. `stored` says that it comes out
    as it is in a table, which knows the range of its values.
    """

    name: str
    type: ColumnType | None = None
    nullable: bool = True
    held: str = ""
    stored: bool = False


@dataclass
class Source:
    """One row source of a FROM clause."""

    alias: str
    fields: list[Field] | None
    hidden: tuple[str, ...] = ()  # columns a USING has merged into another source's


UNKNOWN = Field("")
_PLAIN = (exp.Identifier, exp.DataType, exp.Var)
Ctes = dict[str, "list[Field] | None"]


def fields(
    query: Expr, tables: TableFields, ctes: Ctes | None = None, unknown: list[str] | None = None
) -> list[Field] | None:
    """The columns of a query, or None where a part of it hides them.

    The names that no row source of theirs has are added to `unknown`: an outer query's, or nobody's.
    """
    shaper = _Shaper(tables)
    found = shaper.query(query, dict(ctes or {}))
    if unknown is not None:
        unknown += shaper.unknown
    return found


class _Shaper:
    def __init__(self, tables: TableFields) -> None:
        self.tables = tables
        self.unknown: list[str] = []

    def query(self, node: Expr, ctes: Ctes) -> list[Field] | None:
        ctes = self._with(node, ctes)
        match node:
            case exp.Subquery():
                inner = None if node.args.get("pivots") else self.query(node.this, ctes)
                return _renamed(inner, node.args.get("alias"))
            case exp.SetOperation():
                return self._set_operation(node, ctes)
            case exp.Select():
                return self._select(node, ctes)
            case exp.Values():
                return self._values(node)
            case exp.Table():
                return self._source(node, ctes).fields
            case exp.Update() | exp.Delete() | exp.Merge():
                self._changes(node, ctes)
        return None

    def _changes(self, node: Expr, ctes: Ctes) -> None:
        """Settle the types of what a DML statement compares and assigns, where it matters which they are."""
        given = node.args.get("using")
        beside = [given] if isinstance(given, Expr) else list(given or [])
        if (from_ := node.args.get("from_")) is not None:
            beside += [from_.this, *(join.this for join in from_.this.args.get("joins") or [])]
        scope = _Scope([self._source(source, ctes) for source in (node.this, *beside)], ctes)
        kinds = [field.type for source in scope.sources for field in source.fields or []]
        if {types.TIMESTAMP_TZ.wire, types.VARIANT.wire} & {kind.wire for kind in kinds if kind is not None}:
            for part in (*node.expressions, *(node.args.get(key) for key in ("where", "on", "whens"))):
                if isinstance(part, Expr):
                    self._visit(part, scope)

    def _with(self, node: Expr, ctes: Ctes) -> Ctes:
        with_ = node.args.get("with_")
        if not isinstance(with_, exp.With):
            return ctes
        ctes = dict(ctes)
        for cte in with_.expressions:
            if with_.args.get("recursive"):
                ctes[cte.alias] = None
            ctes[cte.alias] = _renamed(self.query(cte.this, ctes), cte.args.get("alias"))
        return ctes

    def _set_operation(self, node: exp.SetOperation, ctes: Ctes) -> list[Field] | None:
        left, right = self.query(node.left, ctes), self.query(node.right, ctes)
        if left is None or right is None or len(left) != len(right) or node.args.get("by_name"):
            return None
        return [
            Field(a.name, a.type if a.type == b.type else expression_types.wider(a.type, b.type), _together(node, a, b))
            for a, b in zip(left, right, strict=True)
        ]

    def _values(self, node: exp.Values) -> list[Field]:
        rows = [row.expressions if isinstance(row, exp.Tuple) else [row.this] for row in node.expressions]
        scope = _Scope([])
        cells = [[self.expression(cell, scope) for cell in row] for row in rows]
        columns = [
            Field(f"COLUMN{i + 1}", expression_types.common([c.type for c in column]), any(c.nullable for c in column))
            for i, column in enumerate(zip(*cells, strict=False))
        ]
        return _renamed(columns, node.args.get("alias")) or columns

    # ------------------------------------------------------------------ FROM

    def _select(self, node: exp.Select, ctes: Ctes) -> list[Field] | None:
        scope = _Scope(self._sources(node, ctes), ctes)
        found: list[Field] = []
        for projection in node.expressions:
            if projection.is_star:
                expanded = self._star(projection, scope)
                if expanded is None:
                    return None
                found += expanded
            else:
                field = self.expression(projection, scope)
                found.append(replace(field, name=_column_name(projection) or field.name))
                scope.aliases.setdefault(projection.alias_or_name, field)
        for clause in ("where", "group", "having", "qualify", "order"):
            if isinstance(part := node.args.get(clause), Expr):
                self._visit(part, scope)
        for join in node.args.get("joins") or []:
            if isinstance(on := join.args.get("on"), Expr):
                self.expression(on, scope)
        return found

    def _sources(self, node: exp.Select, ctes: Ctes) -> list[Source]:
        sources: list[Source] = []
        for source, join in row_sources(node):
            joined = self._source(source, ctes)
            side, kind = ((join.side or "").upper(), (join.kind or "").upper()) if join else ("", "")
            if kind in ("SEMI", "ANTI"):
                continue
            if join and (join.args.get("method") or "").upper() == "NATURAL":
                join.meta[NOTHING_SHARED] = _share_nothing(sources, joined)
                joined = joined if join.meta[NOTHING_SHARED] else replace(joined, fields=None)
            if side in ("RIGHT", "FULL"):
                sources = [_all_nullable(earlier) for earlier in sources]
            if side in ("LEFT", "FULL") or is_asof(join):
                joined = _all_nullable(joined)
            merged = tuple(using(join))
            sources = [replace(earlier, hidden=earlier.hidden + merged) for earlier in sources]
            sources.append(replace(joined, hidden=merged))
        for _lateral in node.args.get("laterals") or []:
            sources.append(Source("", None))
        return sources

    def _source(self, node: Expr, ctes: Ctes) -> Source:
        if node.args.get("pivots"):
            return Source(node.alias_or_name, None)
        match node:
            case exp.Table() if not node.db and node.name in ctes:
                found = ctes[node.name]
            case exp.Table():
                found = self.tables(node)
            case exp.Subquery() if isinstance(node.this, (exp.Table, exp.Subquery)) and node.this.args.get("joins"):
                found = None
            case exp.Subquery() if isinstance(node.this, exp.Table):
                found = self._source(node.this, ctes).fields
            case exp.Subquery() | exp.Values():
                return Source(node.alias, self.query(node, ctes))
            case _:
                found = None
        return Source(node.alias_or_name, _renamed(found, node.args.get("alias")))

    def _star(self, node: Expr, scope: _Scope) -> list[Field] | None:
        star = node.this if isinstance(node, exp.Column) else node
        if not isinstance(star, exp.Star):
            return None
        table = node.table if isinstance(node, exp.Column) else ""
        chosen = [source for source in scope.sources if table in ("", source.alias)]
        if any(source.fields is None for source in chosen):
            return None
        merged = () if table else dict.fromkeys(name for source in chosen for name in source.hidden)
        found = [replace(scope.column(name, ""), name=name) for name in merged]
        for source in chosen:
            found += [f for f in source.fields or [] if table or f.name not in source.hidden]
        dropped = {column.name for column in star.args.get("except_") or []}
        replaced = {alias.alias: self.expression(alias.this, scope) for alias in star.args.get("replace") or []}
        renamed = {alias.this.name: alias.alias for alias in star.args.get("rename") or []}
        return [
            replace(replaced.get(f.name, f), name=renamed.get(f.name, f.name)) for f in found if f.name not in dropped
        ]

    # ------------------------------------------------------------------ expressions

    def expression(self, node: Expr, scope: _Scope) -> Field:
        """Type and nullability of an expression; its name is the caller's business."""
        found = scope.settled.get(id(node))
        if found is None:
            found = scope.settled[id(node)] = self._expression(node, scope)
        if found.type is not None:
            node.meta[KIND] = found.type
        return found

    def _expression(self, node: Expr, scope: _Scope) -> Field:
        match node:
            case exp.Alias() | exp.Paren():
                return self.expression(node.this, scope)
            case exp.Column() if isinstance(node.this, exp.Identifier):
                return self._named(node, scope)
            case exp.Column() if isinstance(node.this, exp.Parameter):
                return self._position(node, node.this.name, scope)
            case exp.Parameter():
                return self._position(node, node.name, scope)
            case exp.Null():
                return UNKNOWN
            case exp.Boolean():
                return Field("", types.BOOLEAN)
            case exp.Literal():
                return Field("", expression_types.of_literal(node), nullable=False)
            case exp.Neg():
                return self.expression(node.this, scope)
            case exp.TryCast():
                self.expression(node.this, scope)
                return Field("", expression_types.declared(node.to))
            case exp.Cast():
                return Field("", expression_types.declared(node.to), self.expression(node.this, scope).nullable)
            case exp.Window():
                self._visit(node, scope)
                inner = self.expression(node.this, scope)
                return Field("", inner.type, inner.nullable)
            case exp.Case() | exp.If():
                return self._branches(node, scope)
            case exp.Anonymous() if expression_types.called(node) == "IFF" and len(node.expressions) == 3:
                _, *parts = [self.expression(e, scope) for e in node.expressions]
                return Field("", expression_types.common([p.type for p in parts]), any(p.nullable for p in parts))
            case exp.Coalesce():
                parts = [self.expression(e, scope) for e in (node.this, *node.expressions)]
                return Field("", expression_types.common([p.type for p in parts]), all(p.nullable for p in parts))
        return self._computed(node, scope)

    def _named(self, node: exp.Column, scope: _Scope) -> Field:
        found = scope.find(node.name, node.table)
        if found is None and scope.complete:
            if node.name[:1] == "$" and not node.table:
                return self._position(node, node.name[1:], scope)
            self.unknown.append(node.name)
        return found or UNKNOWN

    def _position(self, node: Expr, text: str, scope: _Scope) -> Field:
        """`$1`: the first column of the rows the query reads."""
        table = node.table if isinstance(node, exp.Column) else ""
        source, field = scope.position(text, table)
        if source is not None:
            node.meta[POSITION] = (source, field.name)
        return field

    def _visit(self, node: Expr, scope: _Scope) -> None:
        """Settle the types of what an expression is made of."""
        for child in node.iter_expressions():
            if isinstance(child, exp.Query):
                self.query(child, scope.ctes)
            elif not isinstance(child, _PLAIN):
                self.expression(child, scope)

    def _computed(self, node: Expr, scope: _Scope) -> Field:
        self._visit(node, scope)
        kind = expression_types.settled(node)
        if expression_types.never_null(node):
            return Field("", kind, nullable=False)
        if isinstance(node, expression_types.OF_ITS_ARGUMENT):
            inner = self.expression(node.this, scope)
            return Field("", inner.type, nullable=True)
        if expression_types.strict(node):
            children = [child for child in node.iter_expressions() if not isinstance(child, exp.Var)]
            return Field("", kind, any(self.expression(child, scope).nullable for child in children))
        return Field("", kind)

    def _branches(self, node: Expr, scope: _Scope) -> Field:
        if isinstance(node, exp.Case):
            results = [when.args["true"] for when in node.args["ifs"]]
            default = node.args.get("default")
            conditions = [node.this, *(when.this for when in node.args["ifs"])]
        else:
            conditions = [node.this]
            results, default = [node.args["true"]], node.args.get("false")
        for condition in conditions:
            if condition is not None:
                self.expression(condition, scope)
        parts = [self.expression(r, scope) for r in results]
        parts.append(self.expression(default, scope) if default is not None else UNKNOWN)
        return Field("", expression_types.common([p.type for p in parts]), any(p.nullable for p in parts))


class _Scope:
    def __init__(self, sources: list[Source], ctes: Ctes | None = None) -> None:
        self.sources = sources
        self.ctes = ctes or {}
        self.aliases: dict[str, Field] = {}
        self.settled: dict[int, Field] = {}
        """By the node's id: each is asked for by all that surround it."""

    @property
    def complete(self) -> bool:
        """Whether the columns of every row source are known."""
        return bool(self.sources) and all(source.fields is not None for source in self.sources)

    def column(self, name: str, table: str) -> Field:
        return self.find(name, table) or UNKNOWN

    def find(self, name: str, table: str) -> Field | None:
        for source in self.sources:
            if table in ("", source.alias) and (found := [f for f in source.fields or [] if f.name == name]):
                if len(found) > 1:
                    raise ambiguous_column(name)
                return found[0]
        return self.aliases.get(name) if not table else None

    def position(self, text: str, table: str) -> tuple[str | None, Field]:
        """The alias and the column at a position over all row sources; no alias where that is not known."""
        index = int(text) - 1 if text.isdigit() else -1
        for source in self.sources:
            if table not in ("", source.alias):
                continue
            if source.fields is None or index < 0:
                break
            if index < len(source.fields):
                return source.alias, source.fields[index]
            index -= len(source.fields)
        return None, UNKNOWN


def _column_name(projection: Expr) -> str:
    if POSITION in projection.meta:
        return projection.name if projection.name.startswith("$") else f"${projection.name}"
    return str(projection.alias_or_name)


def _together(node: exp.SetOperation, left: Field, right: Field) -> bool:
    if isinstance(node, (exp.Intersect, exp.Except)):
        return left.nullable
    return left.nullable or right.nullable


def _share_nothing(earlier: list[Source], joined: Source) -> bool:
    names = {field.name for source in earlier for field in source.fields or []}
    known = joined.fields is not None and all(source.fields is not None for source in earlier)
    return known and not any(field.name in names for field in joined.fields or [])


def _all_nullable(source: Source) -> Source:
    known = source.fields
    return replace(source, fields=[replace(f, nullable=True) for f in known] if known is not None else None)


def _renamed(found: list[Field] | None, alias: Expr | None) -> list[Field] | None:
    """`AS t (a, b)` gives the first columns other names."""
    names = [c.name for c in alias.columns] if isinstance(alias, exp.TableAlias) and found is not None else []
    if found is None or not names:
        return found
    return [replace(f, name=n) for f, n in zip(found, names, strict=False)] + found[len(names) :]
