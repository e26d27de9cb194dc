"""EXPLAIN of a query and DESCRIBE RESULT."""

from __future__ import annotations

from typing import TYPE_CHECKING

from intentscore.local import parsing, results, sql, types
from intentscore.local.errors import SnowflakeError, unsupported
from intentscore.local.results import Result
from intentscore.local.scanner import Scanner
from intentscore.local.statements import Statement, statement

if TYPE_CHECKING:
    from intentscore.local.session import Session


@statement("EXPLAIN")
def explain(session: Session, head: Statement) -> Result:
    """The plan DuckDB will follow, as text."""
    scanner = head.scanner
    if scanner.accept("USING") and not scanner.accept("TEXT"):
        raise unsupported(f"EXPLAIN USING {scanner.peek()}")
    text = scanner.rest()
    if "INFORMATION_SCHEMA" in text.upper():
        raise SnowflakeError("SQL compilation error:\nINFORMATION_SCHEMA objects cannot be explained.", 2043, "02000")
    with sql.Preparation(session) as preparation:
        plan = session.fetch(f"EXPLAIN {preparation.to_duckdb(parsing.parse(text, scanner.bindings))}")
    return results.rows({"content": types.TEXT}, [["\n".join(part for _, part in plan)]])


_DESCRIBED = dict.fromkeys(
    ("name", "type", "kind", "null?", "default", "primary key", "unique key", "check", "expression", "comment"),
    types.TEXT,
)


@statement("DESCRIBE RESULT", "DESC RESULT")
def describe_result(session: Session, head: Statement) -> Result:
    """The columns of an earlier query's result, by its id or LAST_QUERY_ID()."""
    query_id = _query_id(session, head.scanner)
    found = session.results.get(query_id)
    if found is None:
        raise SnowflakeError(f"Statement {query_id} not found", 709, "02000")
    pairs = zip(found.table.column_names, found.columns, strict=True)
    return results.rows(
        _DESCRIBED,
        [[n, t.declared, "COLUMN", "Y" if t.nullable else "N", None, "N", "N", None, None, None] for n, t in pairs],
    )


def _query_id(session: Session, scanner: Scanner) -> str:
    if scanner.accept("LAST_QUERY_ID"):
        scanner.expect("(")
        scanner.expect(")")
        scanner.end()
        return session.results.last_id or ""
    found = scanner.string()
    scanner.end()
    return found
