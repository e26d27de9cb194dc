"""Model monitors: which columns of a scored table tell how a model version does, and against which baseline.

A monitor's metrics (see `monitor_metrics`) are computed from its source when they are asked for; its baseline is
the copy taken when it was set. Source: https://docs.snowflake.com/en/sql-reference/sql/create-model-monitor
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from intentscore.local import models, names, parsing, results, sql
from intentscore.local.catalog import SCHEMA, Entry, already_there
from intentscore.local.columns import TableColumn, table_columns
from intentscore.local.dropping import drop
from intentscore.local.errors import already_exists, does_not_exist, invalid
from intentscore.local.names import ObjectName, quote
from intentscore.local.results import Result
from intentscore.local.scanner import Scanner
from intentscore.local.statements import Effect, Statement, statement
from intentscore.local.warehouses import check_warehouse

if TYPE_CHECKING:
    from intentscore.local.session import Session

MONITOR = "MODEL MONITOR"
TASKS = ("TABULAR_BINARY_CLASSIFICATION", "TABULAR_REGRESSION", "TABULAR_MULTI_CLASSIFICATION")
PREDICTIONS = ("PREDICTION_SCORE_COLUMNS", "PREDICTION_CLASS_COLUMNS")
ACTUALS = ("ACTUAL_SCORE_COLUMNS", "ACTUAL_CLASS_COLUMNS")
COLUMN_LISTS = ("ID_COLUMNS", *PREDICTIONS, *ACTUALS, "SEGMENT_COLUMNS", "CUSTOM_METRIC_COLUMNS")
OBJECTS = ("MODEL", "SOURCE", "BASELINE", "TIMESTAMP_CUSTOM_METRIC_TABLE")
WORDS = ("VERSION", "FUNCTION", "WAREHOUSE", "REFRESH_INTERVAL", "AGGREGATION_WINDOW", "TIMESTAMP_COLUMN", "COMMENT")
REQUIRED = ("MODEL", "VERSION", "FUNCTION", "SOURCE", "WAREHOUSE", "REFRESH_INTERVAL", "AGGREGATION_WINDOW",
            "TIMESTAMP_COLUMN")  # fmt: skip
SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}
MIN_REFRESH_S = 60
MAX_SEGMENT_COLUMNS = 5
NUMERIC = ("fixed", "real")


def monitor(session: Session, parts: list[str]) -> Entry:
    name = session.resolve(parts)
    entry = session.catalog.get(MONITOR, name)
    if entry is None:
        raise does_not_exist("Model Monitor", str(name))
    return entry


# ---------------------------------------------------------------------------- CREATE


@statement("CREATE MODEL MONITOR", effect=Effect.DEFINE)
def create_model_monitor(session: Session, head: Statement) -> Result:
    quietly = head.if_not_exists()
    name = session.existing_schema(session.resolve(head.scanner.name()))
    head.scanner.accept("WITH")
    options = _read_options(head.scanner)
    if there := already_there(session, head, MONITOR, name, quietly, _remove):
        return there
    entry = session.catalog.new(MONITOR, name, str(options.pop("COMMENT", "")), **_checked(session, name, options))
    _keep_baseline(session, entry, options.get("BASELINE"))
    session.catalog.put(entry)
    return results.done(f"Model monitor {name.name} successfully created.")


def _read_options(scanner: Scanner) -> dict[str, Any]:
    found: dict[str, Any] = {}
    while not scanner.done:
        key = scanner.word()
        if key not in (*OBJECTS, *WORDS, *COLUMN_LISTS) or key in found:
            scanner.at -= 1
            raise scanner.unexpected()
        scanner.expect("=")
        if key in OBJECTS:
            found[key] = _object_name(scanner)
        elif key in COLUMN_LISTS:
            found[key] = [names.fold(str(column)) for column in scanner.nested()]
        else:
            found[key] = str(scanner.value())
        scanner.accept(",")
    return found


def _object_name(scanner: Scanner) -> list[str]:
    """A name, or a string that holds one."""
    is_bare = scanner.peek() or (scanner.token is not None and scanner.token.token_type.name == "IDENTIFIER")
    return scanner.name() if is_bare else names.split(scanner.string())


def _checked(session: Session, name: ObjectName, options: dict[str, Any]) -> dict[str, Any]:
    """The details of a monitor, after Snowflake's rules for them."""
    if missing := [key for key in REQUIRED if key not in options]:
        raise invalid(f"missing the required parameter {missing[0]} of a model monitor")
    model, version, task, function = _model(session, name, options)
    source = session.resolve(options["SOURCE"])
    columns = _source_columns(session, source)
    chosen = {key: options.get(key, []) for key in COLUMN_LISTS}
    timestamp = names.fold(options["TIMESTAMP_COLUMN"])
    _check_columns(columns, timestamp, chosen, task)
    _check_interval(options["REFRESH_INTERVAL"])
    window_days(options["AGGREGATION_WINDOW"])
    check_warehouse(session, names.fold(options["WAREHOUSE"]))
    for other in session.catalog.entries(MONITOR, name.database, name.schema):
        d = other.details
        if (d["model"], d["version"], d["function"]) == (list(model), version, function):
            raise already_exists(f"{other.name}' for model '{model}' version '{version}")
    custom = options.get("TIMESTAMP_CUSTOM_METRIC_TABLE")
    return {
        "model": list(model), "version": version, "function": function, "task": task, "source": list(source),
        "warehouse": names.fold(options["WAREHOUSE"]), "refresh_interval": options["REFRESH_INTERVAL"],
        "aggregation_window": options["AGGREGATION_WINDOW"], "timestamp_column": timestamp, "suspended": False,
        "baseline": None, "baseline_table": None,
        "custom_metric_table": list(session.resolve(custom)) if custom else None,
        **{key.lower(): value for key, value in chosen.items()},
    }  # fmt: skip


def _model(session: Session, name: ObjectName, options: dict[str, Any]) -> tuple[ObjectName, str, str, str]:
    entry = models.model(session, options["MODEL"])
    if (entry.name.database, entry.name.schema) != (name.database, name.schema):
        raise invalid(f"the model monitor '{name}' must be in the schema of its model '{entry.name}'")
    version = models.version_name(entry, names.fold(options["VERSION"]))
    stored = entry.details["versions"][version]
    function = str(options["FUNCTION"])
    if function.upper() not in (declared.upper() for declared in stored["functions"]):
        raise does_not_exist("Function", f"{entry.name}!{function}")
    spec = session.engine.folder("models", stored["folder"]) / "model" / "model.yaml"
    task = str((yaml.safe_load(spec.read_text()) or {}).get("task") or "").upper()
    if task not in TASKS:
        raise invalid(
            f"version '{version}' of model '{entry.name}' has the task {task or 'UNKNOWN'}; a model monitor needs "
            f"one of {', '.join(TASKS)}: set it when the model is logged"
        )
    return entry.name, version, task, function.upper()


def _source_columns(session: Session, source: ObjectName) -> dict[str, TableColumn]:
    if not session.table_exists(source):
        raise does_not_exist("Object", str(source))
    return {column.name: column for column in table_columns(session, source)}


def _check_columns(columns: dict[str, TableColumn], timestamp: str, chosen: dict[str, list[str]], task: str) -> None:
    for column in (timestamp, *(c for listed in chosen.values() for c in listed)):
        if column not in columns:
            raise invalid(f"column '{column}' does not exist in the source of the model monitor")
    if columns[timestamp].type.wire != "timestamp_ntz":
        raise invalid(f"the timestamp column '{timestamp}' must be of type TIMESTAMP_NTZ")
    if not any(chosen[key] for key in PREDICTIONS):
        raise invalid("a model monitor needs a prediction column: PREDICTION_SCORE_COLUMNS or PREDICTION_CLASS_COLUMNS")
    numeric = ["PREDICTION_SCORE_COLUMNS", "ACTUAL_SCORE_COLUMNS", "CUSTOM_METRIC_COLUMNS"]
    for column in (c for key in numeric for c in chosen[key]):
        if columns[column].type.wire not in NUMERIC:
            raise invalid(f"the column '{column}' must be numeric")
    if task == "TABULAR_REGRESSION" and (chosen["PREDICTION_CLASS_COLUMNS"] or chosen["ACTUAL_CLASS_COLUMNS"]):
        raise invalid("a regression model has no class columns")
    for column in chosen["SEGMENT_COLUMNS"]:
        _check_segment(columns, column)
    if len(chosen["SEGMENT_COLUMNS"]) > MAX_SEGMENT_COLUMNS:
        raise invalid(f"a model monitor has at most {MAX_SEGMENT_COLUMNS} segment columns")


def _check_segment(columns: dict[str, TableColumn], column: str) -> None:
    if column not in columns:
        raise invalid(f"column '{column}' does not exist in the source of the model monitor")
    if columns[column].type.wire != "text":
        raise invalid(f"the segment column '{column}' must be of type STRING")


def _seconds(text: str) -> int:
    found = re.fullmatch(r"\s*(\d+)\s*(second|minute|hour|day)s?\s*", text, re.IGNORECASE)
    if found is None:
        raise invalid(f"'{text}' is not a period such as '1 day'")
    return int(found[1]) * SECONDS[found[2].lower()]


def _check_interval(text: str) -> None:
    if _seconds(text) < MIN_REFRESH_S:
        raise invalid(f"REFRESH_INTERVAL '{text}' is shorter than the minimum of {MIN_REFRESH_S} seconds")


def window_days(text: str) -> int:
    seconds = _seconds(text)
    if seconds == 0 or seconds % SECONDS["day"]:
        raise invalid(f"AGGREGATION_WINDOW '{text}' must be a whole number of days")
    return seconds // SECONDS["day"]


def _keep_baseline(session: Session, entry: Entry, parts: list[str] | None) -> None:
    """Copy the baseline: a monitor compares with what it was when it was set."""
    _forget_baseline(session, entry)
    if parts is None:
        return
    name = session.resolve(parts)
    if not session.table_exists(name):
        raise does_not_exist("Object", str(name))
    copied = f"{quote(entry.name.database)}.{SCHEMA}.{quote('BASELINE_' + session.engine.new_folder_name())}"
    with sql.Preparation(session) as preparation:
        query = preparation.to_duckdb(parsing.parse(f"SELECT * FROM {name.duckdb}"))
        session.fetch(f"CREATE TABLE {copied} AS {query}")
    entry.details |= {"baseline": list(name), "baseline_table": copied}


def _forget_baseline(session: Session, entry: Entry) -> None:
    if copied := entry.details["baseline_table"]:
        session.fetch(f"DROP TABLE IF EXISTS {copied}")
    entry.details |= {"baseline": None, "baseline_table": None}


# ---------------------------------------------------------------------------- ALTER, DROP


@statement("ALTER MODEL MONITOR", effect=Effect.DEFINE)
def alter_model_monitor(session: Session, head: Statement) -> Result:
    scanner = head.scanner
    quietly = head.if_exists()
    name = session.resolve(scanner.name())
    entry = session.catalog.get(MONITOR, name)
    if entry is None:
        if quietly:
            return results.done()
        raise does_not_exist("Model Monitor", str(name))
    if scanner.accept("SUSPEND"):
        entry.details["suspended"] = True
    elif scanner.accept("RESUME"):
        entry.details["suspended"] = False
    elif scanner.accept("ADD"):
        _add_column(session, entry, scanner)
    elif scanner.accept("DROP"):
        key, column = _named_column(scanner)
        if column not in entry.details[key]:
            raise does_not_exist("Column", column)
        entry.details[key] = [c for c in entry.details[key] if c != column]
    else:
        scanner.expect("SET")
        _set(session, entry, _read_options(scanner))
    scanner.end()
    session.catalog.put(entry)
    return results.done()


def _named_column(scanner: Scanner) -> tuple[str, str]:
    kind = scanner.word()
    if kind not in ("SEGMENT_COLUMN", "CUSTOM_METRIC_COLUMN"):
        scanner.at -= 1
        raise scanner.unexpected("SEGMENT_COLUMN or CUSTOM_METRIC_COLUMN")
    scanner.expect("=")
    return f"{kind.lower()}s", names.fold(str(scanner.value()))


def _add_column(session: Session, entry: Entry, scanner: Scanner) -> None:
    key, column = _named_column(scanner)
    if column in entry.details[key]:
        raise already_exists(column)
    columns = _source_columns(session, ObjectName(*entry.details["source"]))
    if key == "segment_columns":
        _check_segment(columns, column)
        if len(entry.details[key]) == MAX_SEGMENT_COLUMNS:
            raise invalid(f"a model monitor has at most {MAX_SEGMENT_COLUMNS} segment columns")
    elif column not in columns or columns[column].type.wire not in NUMERIC:
        raise invalid(f"column '{column}' is not a numeric column of the source of the model monitor")
    entry.details[key].append(column)


def _set(session: Session, entry: Entry, options: dict[str, Any]) -> None:
    for key, value in options.items():
        match key:
            case "BASELINE":
                _keep_baseline(session, entry, value)
            case "REFRESH_INTERVAL":
                _check_interval(value)
                entry.details["refresh_interval"] = value
            case "WAREHOUSE":
                check_warehouse(session, names.fold(value))
            case "COMMENT":
                entry.comment = value
            case _:
                raise invalid(f"{key} of a model monitor cannot be changed")


@statement("DROP MODEL MONITOR", effect=Effect.DEFINE)
def drop_model_monitor(session: Session, head: Statement) -> Result:
    return drop(session, head, "Model Monitor", _remove)


def _remove(session: Session, name: ObjectName) -> bool:
    if entry := session.catalog.get(MONITOR, name):
        _forget_baseline(session, entry)
    return session.catalog.remove(MONITOR, name)
