"""SHOW VERSIONS, of a model or of a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from intentscore.local import datasets, models, results
from intentscore.local.names import like_pattern
from intentscore.local.results import Result
from intentscore.local.statements import Statement, statement

if TYPE_CHECKING:
    from intentscore.local.session import Session


@statement("SHOW VERSIONS")
def show_versions(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    pattern = like_pattern(scanner.string()) if scanner.accept("LIKE") else None
    scanner.expect("IN")
    of = datasets if scanner.accept("DATASET") else models
    scanner.accept("MODEL")
    rows = of.version_rows(session, scanner.name())
    limit = scanner.value() if scanner.accept("LIMIT") else None
    scanner.end()
    found = [row for name, row in rows.items() if pattern is None or pattern.fullmatch(name)]
    return results.rows(of.VERSION_COLUMNS, found[:limit])
