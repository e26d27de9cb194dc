"""What names mean: folding, the names of unnamed columns, common table expressions in sight."""

from __future__ import annotations

from sqlglot import Expr, exp

WRITTEN = "written"


def fold_names(root: Expr) -> Expr:
    """Unquoted identifiers in upper case; all of them quoted, so that no DuckDB keyword is in the way."""
    for order in root.find_all(exp.Ordered):
        if isinstance(order.this, exp.Column) and order.this.sql().upper() == "ALL":
            order.set("this", exp.Var(this="ALL"))  # every column of the select list
    for identifier in list(root.find_all(exp.Identifier)):
        if isinstance(identifier.parent, exp.PropertyEQ) and identifier.arg_key == "this":
            identifier.replace(exp.Literal.string(identifier.name))  # the key of an OBJECT literal
        elif not identifier.quoted:
            identifier.set("this", identifier.name.upper())
            identifier.set("quoted", True)
    return root


def name_columns(root: Expr) -> Expr:
    """Give an unnamed expression of a select list the name Snowflake gives it: its own text."""
    for select in root.find_all(exp.Select):
        for projection in select.expressions:
            named = isinstance(projection, (exp.Alias, exp.Column, exp.Dot, exp.Parameter)) or projection.is_star
            named = named and not (isinstance(projection, exp.Dot) and isinstance(projection.expression, exp.Func))
            if number := _position(projection):
                projection.replace(exp.alias_(projection.copy(), f"${number}", quoted=True))
            elif not named:
                projection.replace(exp.alias_(projection.copy(), _text(projection), quoted=True))
    return root


def _position(projection: Expr) -> str:
    """The number of `$1`, written as it is or in quotes."""
    if isinstance(projection, exp.Column):
        number = projection.name.removeprefix("$") if projection.name.startswith("$") else ""
    else:
        number = projection.name if isinstance(projection, exp.Parameter) else ""
    return number if number.isdigit() else ""


def _text(expression: Expr) -> str:
    """As it was written, in upper case throughout."""
    return str(expression.meta.get(WRITTEN) or expression.sql(dialect="snowflake")).upper()


def visible_ctes(node: Expr) -> set[str]:
    """The common table expressions a table name at this place may mean."""
    found: set[str] = set()
    child, parent = node, node.parent
    while parent is not None:
        with_ = parent.args.get("with_")
        if isinstance(with_, exp.With) and with_ is not child:
            found |= {cte.alias for cte in with_.expressions}
        if isinstance(parent, exp.With):
            earlier = parent.expressions[: parent.expressions.index(child)]
            found |= {cte.alias for cte in earlier}
            if parent.args.get("recursive"):
                found.add(child.alias)
        child, parent = parent, parent.parent
    return found
