"""Experiments: runs with their metrics, parameters and artifacts under `snow://experiment/…/versions/…`.

Source: https://docs.snowflake.com/en/developer-guide/snowflake-ml/experiments
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from intentscore.local import results
from intentscore.local.catalog import OWNER, Entry, already_there
from intentscore.local.context_functions import context_function
from intentscore.local.dropping import drop, remove_with_folders
from intentscore.local.errors import already_exists, does_not_exist, invalid
from intentscore.local.names import ObjectName, like_pattern, split
from intentscore.local.results import Result
from intentscore.local.scanner import Scanner
from intentscore.local.show import columns_of, read_listing
from intentscore.local.sources import table_function
from intentscore.local.statements import Effect, Statement, statement
from intentscore.local.types import NUMBER, REAL, TEXT

if TYPE_CHECKING:
    from intentscore.local.session import Session

EXPERIMENT = "EXPERIMENT"
RUNNING, FINISHED, STATUSES = "RUNNING", "FINISHED", ("FINISHED", "FAILED")


def run_folder(session: Session, parts: list[str], run: str) -> Path:
    """Where the artifacts of a run are."""
    entry = _experiment(session, parts)
    _run(entry, run)
    return session.engine.folder("experiments", entry.details["folder"], run)


def _experiment(session: Session, parts: list[str]) -> Entry:
    name = session.resolve(parts)
    entry = session.catalog.get(EXPERIMENT, name)
    if entry is None:
        raise does_not_exist("Experiment", str(name))
    return entry


def _run(entry: Entry, name: str) -> dict[str, Any]:
    run: dict[str, Any] | None = entry.details["runs"].get(name)
    if run is None:
        raise does_not_exist("Run", name)
    return run


# ---------------------------------------------------------------------------- CREATE, ALTER, DROP


@statement("CREATE EXPERIMENT", effect=Effect.DEFINE)
def create_experiment(session: Session, head: Statement) -> Result:
    quietly = head.if_not_exists()
    name = session.existing_schema(session.resolve(head.scanner.name()))
    comment = head.scanner.options(("COMMENT",)).get("COMMENT", "")
    head.scanner.end()
    if there := already_there(session, head, EXPERIMENT, name, quietly, _remove):
        return there
    details = {"folder": session.engine.new_folder_name(), "id": secrets.randbits(40), "runs": {}}
    session.catalog.put(session.catalog.new(EXPERIMENT, name, str(comment), **details))
    return results.done(f"Experiment {name.name} successfully created.")


@statement("DROP EXPERIMENT", effect=Effect.DEFINE)
def drop_experiment(session: Session, head: Statement) -> Result:
    return drop(session, head, "Experiment", _remove)


def _remove(session: Session, name: ObjectName) -> bool:
    return remove_with_folders(session, EXPERIMENT, name)


@statement("ALTER EXPERIMENT", effect=Effect.DEFINE)
def alter_experiment(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    quietly = head.if_exists()
    name = session.resolve(scanner.name())
    if session.catalog.get(EXPERIMENT, name) is None and quietly:
        return results.done()
    entry = _experiment(session, list(name))
    if scanner.accept("SET", "COMMENT", "="):
        entry.comment = scanner.string()
    elif scanner.accept("ADD", "RUN"):
        _add_run(entry, scanner)
    elif scanner.accept("COMMIT", "RUN"):
        _commit_run(entry, scanner)
    elif scanner.accept("MODIFY", "RUN"):
        _add_values(_run(entry, scanner.identifier()), scanner)
    elif scanner.accept("DROP", "RUN"):
        _drop_run(session, entry, scanner.identifier())
    else:
        raise scanner.unexpected("ADD RUN, COMMIT RUN, MODIFY RUN, DROP RUN or SET COMMENT")
    scanner.end()
    session.catalog.put(entry)
    return results.done()


def _add_run(entry: Entry, scanner: Scanner) -> None:
    name = scanner.identifier()
    if name in entry.details["runs"]:
        raise already_exists(name)
    options = scanner.nested() if scanner.accept("WITH") else {}
    source = json.loads(options["SOURCE_INFO"]) if "SOURCE_INFO" in options else None
    entry.details["runs"][name] = {
        "id": secrets.randbits(40), "created_on": datetime.now(UTC).isoformat(), "status": RUNNING, "source": source,
        "metrics": [], "parameters": {},
    }  # fmt: skip


def _commit_run(entry: Entry, scanner: Scanner) -> None:
    run = _run(entry, scanner.identifier())
    status = scanner.options(("STATUS",)).get("STATUS", FINISHED) if scanner.accept("WITH") else FINISHED
    if str(status).upper() not in STATUSES:
        raise invalid(f"invalid value [{status}] for parameter 'STATUS'")
    run["status"] = str(status).upper()


def _add_values(run: dict[str, Any], scanner: Scanner) -> None:
    """METRICS are one per name and step, PARAMETERS one per name; the last one counts."""
    scanner.expect("ADD")
    kind = scanner.word()
    scanner.expect("=")
    given = json.loads(scanner.string())
    if kind == "PARAMETERS":
        run["parameters"] |= {item["name"]: str(item["value"]) for item in given}
    elif kind == "METRICS":
        now = datetime.now(UTC).isoformat()
        points = {(m["name"], m["step"]): m for m in run["metrics"]}
        points |= {(m["name"], int(m.get("step", 0))): {**m, "logged_on": now} for m in given}
        run["metrics"] = [*points.values()]
    else:
        raise invalid(f"a run has no {kind}: METRICS or PARAMETERS")


def _drop_run(session: Session, entry: Entry, name: str) -> None:
    _run(entry, name)
    del entry.details["runs"][name]
    folder = session.engine.folder("experiments", entry.details["folder"], name)
    session.transaction.after_commit(lambda: session.engine.storage.remove([folder]))


# ---------------------------------------------------------------------------- SHOW


@statement("SHOW EXPERIMENTS")
def show_experiments(session: Session, head: Statement) -> Result:
    listing = read_listing(session, head.scanner)
    columns = columns_of("name", "database_name", "schema_name", "owner", "comment", "owner_role_type")
    rows = [
        [e.created_on, e.name.name, e.name.database, e.name.schema, OWNER, e.comment, "ROLE"]
        for e in listing.entries(session, EXPERIMENT)
    ]
    return results.rows(columns, rows)


@statement("SHOW RUNS")
def show_runs(session: Session, head: Statement) -> Result:
    entry, found = _asked(session, head.scanner)
    columns = columns_of("name", "database_name", "schema_name", "experiment_name", "metadata")
    rows = [
        [datetime.fromisoformat(run["created_on"]), name, entry.name.database, entry.name.schema, entry.name.name,
         json.dumps(_metadata(run))]
        for name, run in found
    ]  # fmt: skip
    return results.rows(columns, rows)


def _asked(session: Session, scanner: Scanner) -> tuple[Entry, list[tuple[str, dict[str, Any]]]]:
    """The runs of `[LIKE '…'] IN EXPERIMENT e [RUN r]`, by name."""
    pattern = like_pattern(scanner.string()) if scanner.accept("LIKE") else None
    scanner.expect("IN", "EXPERIMENT")
    entry = _experiment(session, scanner.name())
    named = scanner.identifier() if scanner.accept("RUN") else None
    scanner.end()
    if named is not None:
        return entry, [(named, _run(entry, named))]
    runs = sorted(entry.details["runs"].items())
    return entry, [(name, run) for name, run in runs if pattern is None or pattern.fullmatch(name)]


def _metadata(run: dict[str, Any]) -> dict[str, Any]:
    known = {
        "status": run["status"], "metrics": run["metrics"],
        "parameters": [{"name": name, "value": value} for name, value in run["parameters"].items()],
    }  # fmt: skip
    return known | ({"source_info": run["source"]} if run["source"] is not None else {})


@statement("SHOW RUN METRICS")
def show_run_metrics(session: Session, head: Statement) -> Result:
    """The last step of every metric."""
    _, found = _asked(session, head.scanner)
    rows = []
    for name, run in found:
        last = {m["name"]: m for m in sorted(run["metrics"], key=lambda m: int(m["step"]))}
        rows += [[name, m["name"], m["value"], m["step"]] for _, m in sorted(last.items())]
    return results.rows({"run_name": TEXT, "name": TEXT, "value": REAL, "step": NUMBER}, rows)


@statement("SHOW RUN PARAMETERS")
def show_run_parameters(session: Session, head: Statement) -> Result:
    _, found = _asked(session, head.scanner)
    rows = [[name, key, value] for name, run in found for key, value in sorted(run["parameters"].items())]
    return results.rows(dict.fromkeys(("run_name", "name", "value"), TEXT), rows)


@table_function("SYSTEM$GET_EXPERIMENT_RUN_METRICS")
def run_metrics(session: Session, experiment: str, run: str) -> pa.Table:
    """Every point of every metric of a run."""
    points = _run(_experiment(session, split(experiment)), split(run)[0])["metrics"]
    schema = {
        "METRIC_NAME": pa.string(), "STEP": pa.int64(), "VALUE": pa.float64(), "TIMESTAMP": pa.timestamp("us", tz="UTC")
    }  # fmt: skip
    rows = list(_points(points))
    return pa.table({n: pa.array([row[i] for row in rows], kind) for i, (n, kind) in enumerate(schema.items())})


def _points(points: list[dict[str, Any]]) -> Iterator[tuple[Any, ...]]:
    for m in points:
        yield m["name"], int(m["step"]), float(m["value"]), datetime.fromisoformat(m["logged_on"])


@context_function("SYSTEM$RESOLVE_EXPERIMENT_ID")
def experiment_id(session: Session, experiment: str) -> int:
    return int(_experiment(session, split(experiment)).details["id"])


@context_function("SYSTEM$RESOLVE_EXPERIMENT_RUN_ID")
def run_id(session: Session, experiment: str, run: str) -> int:
    return int(_run(_experiment(session, split(experiment)), split(run)[0])["id"])
