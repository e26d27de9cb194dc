"""Columns that differ in letter case only, "a" and A: two to Snowflake, one to DuckDB.

In a table and in a statement that holds such a pair, all but one spelling get a number (`a~1`): in the table for
good, in the statement for as long as it runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from sqlglot import Expr, exp

if TYPE_CHECKING:
    from intentscore.local.shapes import Field

MARK = "~"
NATIVE = "native"  # the mark of a subtree that is DuckDB's SQL already
TableFields = Callable[[exp.Table], "list[Field] | None"]


def plain(name: str) -> str:
    """The name without the number it had in a statement."""
    return re.sub(rf"{MARK}\d+", "", name)


def held(names: Sequence[str]) -> dict[str, str]:
    """The names a table's columns are held under, for those that are not their own."""
    groups: dict[str, set[str]] = {}
    for name in names:
        groups.setdefault(name.upper(), set()).add(name)
    return {
        name: f"{name}{MARK}{number}"
        for group in groups.values() if len(group) > 1
        for number, name in enumerate(_others(group, set()), start=1)
    }  # fmt: skip


def spelled(names: Sequence[str]) -> list[str]:
    """The columns of a table by their own names, from those they are held under."""
    stems = {name.upper() for name in names}
    return [plain(name) if MARK in name and plain(name).upper() in stems else name for name in names]


def separate(root: Expr, tables: TableFields, is_cte: Callable[[exp.Table], bool]) -> Expr:
    """Tell apart what DuckDB cannot; left alone where a row source does not tell its columns."""
    sources = {id(node): node for node in _walk(root) if isinstance(node, exp.Table) and not is_cte(node)}
    known = {key: tables(node) for key, node in sources.items()}
    if any(found is None for found in known.values()):
        return root
    targets = _targets(root)
    spellings: dict[str, set[str]] = {}
    identifiers = [node for node in _walk(root) if isinstance(node, exp.Identifier) and _names_column(node)]
    for name in [i.name for i in identifiers] + [f.name for found in known.values() for f in found or []]:
        spellings.setdefault(name.upper(), set()).add(name)
    of_target = [f for key, node in sources.items() if node in targets for f in known[key] or []]
    stored = {f.name: f.held for f in of_target if f.held}
    kept = {f.name for f in of_target if not f.held}
    numbered = stored | {
        name: f"{name}{MARK}{number}"
        for group in spellings.values() if len(group) > 1
        for number, name in enumerate(_others(group - stored.keys(), kept), start=len(group))
    }  # fmt: skip
    if not numbered:
        return root
    for identifier in identifiers:
        identifier.set("this", numbered.get(identifier.name, identifier.name))
    for key, node in sources.items():
        found = known[key] or []
        if node not in targets and any(f.name in numbered for f in found):
            replacement = _renamed(node, found, numbered)
            if node is root:
                return replacement
            node.replace(replacement)
    return root


def _walk(node: Expr) -> Iterator[Expr]:
    if node.meta.get(NATIVE):
        return
    yield node
    for child in node.iter_expressions():
        yield from _walk(child)


def _names_column(identifier: exp.Identifier) -> bool:
    parent, place = identifier.parent, identifier.arg_key
    if isinstance(parent, exp.Column):
        return place == "this"
    if isinstance(parent, exp.TableAlias):
        return place == "columns"
    return isinstance(parent, (exp.Alias, exp.PivotAlias, exp.Star, exp.Join, exp.Schema, exp.Tuple, exp.Pivot))


def _targets(root: Expr) -> list[Expr]:
    if not isinstance(root, (exp.Insert, exp.Update, exp.Delete, exp.Merge)):
        return []
    target = root.this.this if isinstance(root.this, exp.Schema) else root.this
    return [target]


def _others(group: set[str], kept: set[str]) -> list[str]:
    """All spellings but the one that stays: a DML target's own, else the one in upper case."""
    stays = next(iter(sorted(group & kept)), None) or next((n for n in sorted(group) if n == n.upper()), min(group))
    return sorted(group - {stays})


def _renamed(table: exp.Table, found: list[Field], numbered: dict[str, str]) -> Expr:
    alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name, quoted=True))
    inner = table.copy()
    inner.set("alias", None)
    cells = [
        exp.alias_(exp.column(f.held or f.name, quoted=True), numbered.get(f.name, f.name), quoted=True) for f in found
    ]  # fmt: skip
    return exp.Subquery(this=exp.Select(expressions=cells).from_(inner), alias=alias.copy())
