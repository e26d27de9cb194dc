"""Objects whose names differ in letter case only, "x" and X: two to Snowflake, one to DuckDB's catalog."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from intentscore.local.errors import unsupported
from intentscore.local.names import ObjectName, display

if TYPE_CHECKING:
    from intentscore.local.session import Session

OWN_SCHEMAS = ("MAIN", "_ENGINE")


def refuse_relation(
    session: Session, name: ObjectName, *, temporary: bool = False, renamed_from: ObjectName | None = None
) -> None:
    """Refuse a table or view beside its twin, unless it is the twin that gets the name."""
    there = session.temporary_tables if temporary else _of_schema(session, name, "table", "view")
    _refuse("table or view", name, [other for other in there if other != renamed_from])


def refuse_sequence(session: Session, name: ObjectName) -> None:
    _refuse("sequence", name, _of_schema(session, name, "sequence"))


def refuse_schema(session: Session, database: str, schema: str) -> None:
    if schema.upper() in OWN_SCHEMAS:
        raise unsupported(f"a schema of the name {display(schema)}, which it uses itself")
    there = session.fetch("SELECT database_name, schema_name FROM duckdb_schemas()")
    _refuse("schema", (database, schema), there)


def refuse_database(session: Session, name: str) -> None:
    _refuse("database", (name,), [(other,) for other in session.engine.databases()])


def _of_schema(session: Session, name: ObjectName, *kinds: str) -> list[ObjectName]:
    found = session.fetch(
        " UNION ALL ".join(
            f"SELECT {kind}_name FROM duckdb_{kind}s() WHERE database_name = $1 AND schema_name = $2" for kind in kinds
        ),
        name[:2],
    )
    return [name._replace(name=other) for (other,) in found]


def _refuse(kind: str, name: tuple[str, ...], there: Iterable[tuple[str, ...]]) -> None:
    twin = next((other for other in there if other != name and _folded(other) == _folded(name)), None)
    if twin is not None:
        raise unsupported(f"the {kind} {_shown(name)} beside {_shown(twin)}, whose name differs in letter case only")


def _folded(name: tuple[str, ...]) -> list[str]:
    return [part.upper() for part in name]


def _shown(name: tuple[str, ...]) -> str:
    return ".".join(map(display, name))
