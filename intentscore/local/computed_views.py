"""Views over what DuckDB cannot store: a model's answers, a table function, staged files.

DuckDB keeps an empty view with their columns, so that they are listed and described like any other; where a
query reads one, its own query stands in its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import Expr, exp

from intentscore.local import context_functions, parsing, rewrites, sources
from intentscore.local.names import ObjectName, quote

if TYPE_CHECKING:
    from intentscore.local.session import Session
    from intentscore.local.sql import Preparation

KEY = "computed"


def is_computed(query: Expr, preparation: Preparation) -> bool:
    """Whether a prepared query reads rows that exist only while it runs."""
    return preparation.holds_rows or query.find(exp.ModelAttribute) is not None


def placeholder(session: Session, prepared: str, columns: list[str]) -> str:
    """An empty query with the columns of the view."""
    relation = session.duck.sql(prepared)
    named = columns or relation.columns
    cells = [f"CAST(NULL AS {kind}) AS {quote(c)}" for c, kind in zip(named, relation.types, strict=True)]
    return f"SELECT {', '.join(cells)} WHERE FALSE"


def details(session: Session, query: str, columns: list[str]) -> dict[str, Any]:
    """What the view's entry remembers: the query, its columns' names, and where its own names are looked up."""
    return {KEY: {"query": query, "columns": columns, "database": session.database, "schema": session.schema}}


def expand(root: Expr, preparation: Preparation) -> Expr:
    """Put the query of a computed view where the view is read."""
    session = preparation.session
    for table in list(root.find_all(exp.Table)):
        if not isinstance(table.this, exp.Identifier) or table.catalog == "temp":
            continue
        if not table.db and table.name in rewrites.visible_ctes(table):
            continue
        name = session.resolve([part.name for part in table.parts])
        entry = session.catalog.get("VIEW", name)
        hidden = name in session.temporary_tables and not session.catalog.is_temporary("VIEW", name)
        if entry is None or KEY not in entry.details or hidden:
            continue
        table.replace(_subquery(session, name, entry.details[KEY], table, preparation))
    return root


def _subquery(
    session: Session, name: ObjectName, stored: dict[str, Any], table: exp.Table, preparation: Preparation
) -> exp.Subquery:
    query = rewrites.fold_names(rewrites.name_columns(parsing.parse(stored["query"])))
    query = context_functions.evaluate(query, session)
    for inner in query.find_all(exp.Table):
        if isinstance(inner.this, exp.Identifier) and inner.name not in rewrites.visible_ctes(inner):
            inner.set("catalog", inner.args.get("catalog") or exp.to_identifier(stored["database"], quoted=True))
            inner.set("db", inner.args.get("db") or exp.to_identifier(stored["schema"], quoted=True))
    alias = exp.to_identifier(table.alias or name.name, quoted=True)
    columns = [exp.to_identifier(column, quoted=True) for column in stored["columns"]]
    return exp.Subquery(this=expand(query, preparation), alias=exp.TableAlias(this=alias, columns=columns))


sources.RESOLVERS.insert(0, expand)
