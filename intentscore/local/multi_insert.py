"""INSERT ALL and INSERT FIRST: rows of one query into several tables, with or without conditions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fakesnow.statement_type import INSERT
from sqlglot import exp

from intentscore.local import parsing, results, sources, sql
from intentscore.local.names import quote
from intentscore.local.results import Result
from intentscore.local.scanner import Scanner
from intentscore.local.statements import Effect, Statement, statement

if TYPE_CHECKING:
    from intentscore.local.session import Session

SOURCE = "_MULTI_INSERT_SOURCE"


@dataclass
class Branch:
    """The tables that rows under one condition go into; no condition is ELSE or an unconditional insert."""

    condition: str | None
    targets: list[tuple[list[str], list[str], str]] = field(default_factory=list)
    """Name, columns, and the text of VALUES; '' for all columns of the query."""


@statement("INSERT ALL", "INSERT FIRST", "INSERT OVERWRITE ALL", "INSERT OVERWRITE FIRST", effect=Effect.WRITE)
def multi_insert(session: Session, head: Statement) -> Result:
    words = head.words
    branches, query = _read(head.scanner)
    first_only = "FIRST" in words[:3]
    if "OVERWRITE" in words[:2]:
        for emptied in {session.resolve(target[0]) for branch in branches for target in branch.targets}:
            session.fetch(f"DELETE FROM {session.physical(emptied)}")
    with sql.Preparation(session) as preparation:
        prepared = preparation.to_duckdb(parsing.parse(query, head.scanner.bindings))
        given = session.duck.sql(prepared).to_arrow_table()
    counted: dict[str, int] = {}
    earlier: list[str] = []
    with session.registered(given) as source:
        for branch in branches:
            condition = _condition(branch, earlier, first_only=first_only)
            for name, columns, values in branch.targets:
                into = f"insert into {'.'.join(quote(part) for part in name)}"
                named = f" ({', '.join(quote(c) for c in columns)})" if columns else ""
                text = f"{into}{named} select {values or '*'} from {SOURCE}{condition}"
                counted[name[-1]] = counted.get(name[-1], 0) + _insert(session, text, source)
    return results.counts(INSERT, **{f"rows inserted into {name}": count for name, count in counted.items()})


def _insert(session: Session, text: str, source: str) -> int:
    tree = parsing.parse(text)
    for table in tree.find_all(exp.Table):
        if table.name == SOURCE:
            table.replace(sources.reference(source, exp.TableAlias(this=exp.to_identifier(SOURCE))))
    with sql.Preparation(session) as preparation:
        prepared, _ = sql.prepared_insert(preparation, tree)
        return int(session.fetch(sql.generate(prepared))[0][0])


def _condition(branch: Branch, earlier: list[str], *, first_only: bool) -> str:
    """ELSE takes what no WHEN took, and FIRST leaves out what an earlier WHEN took."""
    without = [f"not coalesce(({other}), false)" for other in earlier]
    if branch.condition is None:
        return f" where {' and '.join(without)}" if without else ""
    parts = [f"({branch.condition})", *(without if first_only else [])]
    earlier.append(branch.condition)
    return f" where {' and '.join(parts)}"


def _read(scanner: Scanner) -> tuple[list[Branch], str]:
    branches = [Branch(None)] if scanner.peek() == "INTO" else []
    while not scanner.done:
        if scanner.accept("WHEN"):
            branches.append(Branch(_until(scanner, "THEN")))
            scanner.expect("THEN")
        elif scanner.accept("ELSE"):
            branches.append(Branch(None))
        elif scanner.accept("INTO"):
            name = scanner.name()
            columns = Scanner(scanner.parenthesised()).identifiers() if scanner.peek() == "(" else []
            values = scanner.parenthesised() if scanner.accept("VALUES") else ""
            branches[-1].targets.append((name, columns, values))
        else:
            return branches, scanner.rest()
    raise scanner.unexpected("a query")


def _until(scanner: Scanner, word: str) -> str:
    start, depth = scanner.tokens[scanner.at].start, 0
    while depth or scanner.peek() != word:
        if scanner.done:
            raise scanner.unexpected(word)
        depth += {"(": 1, ")": -1, "CASE": 1, "END": -1}.get(scanner.peek(), 0)
        scanner.at += 1
    return scanner.text[start : scanner.tokens[scanner.at].start]
