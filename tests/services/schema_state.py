"""What is in a schema, to put it back to what it was and to see that it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from snowflake.snowpark import Row, Session

from intentscore.warehouse.identifiers import quoted

# an object before what it is made of
DROPPED = ("MODEL MONITOR", "MODEL", "DYNAMIC TABLE", "VIEW", "TABLE")
KEPT = ("TASK", "PROCEDURE")  # `intentscore schedule drop` is for these
LOG = "RUNS"


@dataclass(frozen=True)
class SchemaState:
    """Objects as (kind, name); `contents` has a hash of the rows of each table but the log of runs."""

    objects: frozenset[tuple[str, str]]
    contents: dict[str, int]
    versions: frozenset[tuple[str, ...]]


def schema_state(session: Session, schema: str) -> SchemaState:
    session.use_schema(schema)
    objects = frozenset((kind, name) for kind in (*DROPPED, *KEPT) for name in _names(session, kind))
    tables = sorted(name for kind, name in objects if kind in ("DYNAMIC TABLE", "TABLE") and name != LOG)
    contents = {name: _rows(session, f"SELECT HASH_AGG(*) FROM {quoted(name)}")[0][0] for name in tables}
    models = sorted(name for kind, name in objects if kind == "MODEL")
    return SchemaState(objects, contents, frozenset(line for name in models for line in _versions(session, name)))


def tidy(session: Session, schema: str, before: SchemaState) -> None:
    """Drop the tables and models that are there now and were not before."""
    session.use_schema(schema)
    for kind in DROPPED:
        for name in _names(session, kind):
            if (kind, name) not in before.objects:
                _rows(session, f"DROP {kind} {quoted(name)}")


@contextmanager
def restored(session: Session, schema: str, table: str, view: str) -> Iterator[None]:
    """The rows of `table`, and what `view` makes of them, are afterwards what they were."""
    kept = f"{table}_KEPT"
    _rows(session, f"CREATE TABLE {kept} AS SELECT * FROM {table}")
    try:
        yield
    finally:
        session.use_schema(schema)
        for statement in (
            f"DELETE FROM {table}",
            f"INSERT INTO {table} SELECT * FROM {kept}",
            f"DROP TABLE {kept}",
            f"ALTER DYNAMIC TABLE {view} REFRESH",
        ):
            _rows(session, statement)


def _names(session: Session, kind: str) -> list[str]:
    shown = [row.as_dict() for row in _rows(session, f"SHOW {kind}S")]
    return [row["name"] for row in shown if kind == "DYNAMIC TABLE" or row.get("is_dynamic") != "Y"]


def _versions(session: Session, model: str) -> list[tuple[str, ...]]:
    shown = _rows(session, f"SHOW VERSIONS IN MODEL {quoted(model)}")
    return [(model, row["name"], row["aliases"], row["is_default_version"]) for row in shown]


def _rows(session: Session, sql: str) -> list[Row]:
    found: list[Row] = session.sql(sql).collect()
    return found
