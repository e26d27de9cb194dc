"""The Python that snowflake-ml-python packed with a model: loaded from the version's files and run in large batches."""

from __future__ import annotations

import importlib.util
import json
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from intentscore.local import undefined
from intentscore.local.errors import SnowflakeError
from intentscore.local.handler_runtime import snowflake_module
from intentscore.local.names import fold, quote

BATCH_ROWS = 100_000
KEPT_HANDLERS = 32
_ARROW = {
    "DOUBLE": pa.float64(), "FLOAT": pa.float64(), "BOOL": pa.bool_(), "STRING": pa.string(), "BYTES": pa.binary(),
    "TIMESTAMP_NTZ": pa.timestamp("us"),
    **{f"{sign}INT{bits}": pa.int64() for sign in ("", "U") for bits in (8, 16, 32, 64)},
}  # fmt: skip
_DUCKDB = {
    pa.float64(): "DOUBLE", pa.bool_(): "BOOLEAN", pa.string(): "VARCHAR", pa.int64(): "BIGINT", pa.binary(): "BLOB",
    pa.timestamp("us"): "TIMESTAMP", pa.json_(): "JSON",
}  # fmt: skip
_ACCEPTED = {
    "DOUBLE": "DOUBLE", "FLOAT": "DOUBLE", "REAL": "DOUBLE", "BOOLEAN": "BOOLEAN", "STRING": "VARCHAR",
    "VARCHAR": "VARCHAR", "TEXT": "VARCHAR", "BINARY": "BLOB", "DATE": "DATE",
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ"), "TIMESTAMP"),
    **dict.fromkeys(("TINYINT", "BYTEINT", "SMALLINT", "INT", "INTEGER", "BIGINT"), "BIGINT"),
}  # fmt: skip


@dataclass(frozen=True)
class Input:
    """An argument of a method: the DuckDB type it is cast to (None: a nested value, kept), and its default in SQL."""

    name: str
    type: str | None
    default: str | None = None


@dataclass(frozen=True)
class Method:
    """One method of one model version: where its handler is and what it takes and gives."""

    folder: Path
    handler: str
    is_table_function: bool
    inputs: tuple[Input, ...]
    outputs: tuple[tuple[str, pa.DataType], ...]
    single_output: bool
    wide: bool

    @property
    def duckdb_type(self) -> str:
        if self.single_output:
            return _DUCKDB[self.outputs[0][1]]
        fields = ", ".join(f"{quote(name)} {_DUCKDB[kind]}" for name, kind in self.outputs)
        return f"STRUCT({fields})"


def read_method(folder: Path, declared: dict[str, Any]) -> Method:
    """A method of the manifest, with the types of its signature."""
    signatures = yaml.safe_load((folder / "model" / "model.yaml").read_text())["signatures"]
    target = declared["handler"].split(".")[1]
    signature = signatures[target]
    is_table = declared["type"] == "TABLE_FUNCTION"
    outputs = [_output(o) for o in signature["outputs"]]
    if is_table:  # a table function's columns carry the names of the manifest
        outputs = [(o["name"], kind) for o, (_, kind) in zip(declared["outputs"], outputs, strict=True)]
    inputs = [Input(i["name"], _accepted(i["type"])) for i in declared["inputs"]]
    wide = len(inputs) == 1 and len(signature["inputs"]) > 1
    if wide:  # more columns than a function takes arguments: they come as one OBJECT
        inputs = [Input(_name(i), _feature_type(i)) for i in signature["inputs"]]
    inputs += [Input(p["name"], _accepted(p["type"]), str(p["default"])) for p in declared.get("params") or ()]
    single = not is_table and declared["outputs"][0]["type"].upper() not in ("OBJECT", "VARIANT")
    return Method(folder, declared["handler"], is_table, tuple(inputs), tuple(outputs), single, wide)


def _name(feature: dict[str, Any]) -> str:
    return str(feature.get("feature_group", feature)["name"])


def _feature_type(feature: dict[str, Any]) -> str | None:
    kind = _output(feature)[1]
    return None if kind == pa.json_() else _DUCKDB[kind]


def _output(feature: dict[str, Any]) -> tuple[str, pa.DataType]:
    """A group of features and an array are nested values."""
    nested = "type" not in feature or feature.get("shape") is not None
    return _name(feature), pa.json_() if nested else _ARROW.get(feature["type"], pa.json_())


def _accepted(declared: str) -> str | None:
    base = declared.split("(", 1)[0].strip().upper()
    if base in ("NUMBER", "DECIMAL", "NUMERIC"):
        return "BIGINT" if declared.replace(" ", "").endswith(",0)") or "(" not in declared else "DOUBLE"
    return _ACCEPTED.get(base)


# ---------------------------------------------------------------------------- loading


class Handlers:
    """The packaged handlers an engine has loaded: each loaded once, and run by one thread at a time."""

    def __init__(self) -> None:
        self._loaded: OrderedDict[tuple[Path, str], Callable[..., Any]] = OrderedDict()
        self._lock = threading.RLock()

    def call(self, method: Method, arguments: pa.Table) -> pa.Table:
        """One answer for every row of arguments, computed in batches."""
        with self._lock:
            handler = self._load(method)
            run = handler().process if method.is_table_function else handler
            answers = [_answer(method, run, batch) for batch in _batches(arguments)]
        return pa.concat_tables(answers) if answers else empty(method)

    def call_partitions(
        self, method: Method, arguments: pa.Table, starts: Sequence[int]
    ) -> Iterator[tuple[int, pa.Table]]:
        """The answers to each partition, with the row it starts at; the rows of a partition stand together."""
        with self._lock:
            handler = self._load(method)
            for start, stop in zip(starts, [*starts[1:], arguments.num_rows], strict=False):
                instance = handler()
                run = getattr(instance, "end_partition", None) or instance.process
                yield start, _answer(method, run, arguments.slice(start, stop - start))

    def answers_by_partition(self, method: Method) -> bool:
        """Whether the function answers with rows of its own for a partition, rather than one for each row."""
        with self._lock:
            return hasattr(self._load(method), "end_partition")

    def _load(self, method: Method) -> Callable[..., Any]:
        sys._xoptions["snowflake_import_directory"] = f"{method.folder}/"
        key = (method.folder, method.handler)
        if key not in self._loaded:
            self._loaded[key] = _load_file(*key)
            if len(self._loaded) > KEPT_HANDLERS:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(key)
        return self._loaded[key]


def _load_file(folder: Path, handler: str) -> Callable[..., Any]:
    """Execute the handler's file with the import directory a warehouse gives it."""
    sys.modules.setdefault("_snowflake", snowflake_module())
    module_name, function = handler.rsplit(".", 1)
    path = folder.joinpath(*module_name.split(".")).with_suffix(".py")
    spec = importlib.util.spec_from_file_location(f"_model_{folder.name}_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise SnowflakeError(f"Python handler file {path.name} cannot be loaded", 100357, "P0000")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise python_error(handler, error) from error
    loaded: Callable[..., Any] = getattr(module, function)
    return loaded


def python_error(handler: str, error: Exception) -> SnowflakeError:
    text = f"Python Interpreter Error:\n{type(error).__name__}: {error} in function {handler}"
    return SnowflakeError(text, 100357, "P0000")


# ---------------------------------------------------------------------------- rows in, rows out


def _batches(arguments: pa.Table) -> list[pa.Table]:
    starts = range(0, arguments.num_rows, BATCH_ROWS)
    return [arguments.slice(start, BATCH_ROWS) for start in starts]


def _answer(method: Method, run: Callable[..., Any], arguments: pa.Table) -> pa.Table:
    frame = _frame(method, arguments)
    try:
        answered = run(frame)
    except Exception as error:
        raise python_error(method.handler, error) from error
    columns = _columns(method, answered)
    arrays = [_array(values, kind) for values, (_, kind) in zip(columns, method.outputs, strict=True)]
    return pa.Table.from_arrays(arrays, schema=_schema(method))


def _schema(method: Method) -> pa.Schema:
    return pa.schema([pa.field(name, kind) for name, kind in method.outputs])


def empty(method: Method) -> pa.Table:
    return _schema(method).empty_table()


def _frame(method: Method, arguments: pa.Table) -> Any:
    """The arguments as the DataFrame a vectorized handler gets: numbers with NaN for NULL, nested values as objects."""
    import pandas as pd

    if all(declared.type is not None for declared in method.inputs):
        frame = arguments.to_pandas()
        frame.columns = pd.RangeIndex(frame.shape[1])
        return frame
    series = []
    for column, declared in zip(arguments.columns, method.inputs, strict=True):
        if declared.type is None:
            series.append(pd.Series([_parsed(v) for v in column.to_pylist()], dtype=object))
        else:
            series.append(column.to_pandas())
    frame = pd.concat(series, axis=1)
    frame.columns = pd.RangeIndex(frame.shape[1])
    return frame


def _parsed(value: Any) -> Any:
    """A VARIANT reaches Python as what its JSON says."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(undefined.as_null(value))
    except ValueError:
        return value


def _columns(method: Method, answered: Any) -> list[Any]:
    import pandas as pd

    if isinstance(answered, list):
        return [[row.get(name) for row in answered] for name, _ in method.outputs]
    if isinstance(answered, pd.Series):
        return [answered]
    if isinstance(answered, dict):
        return list(answered.values())
    return [answered.iloc[:, i] for i in range(answered.shape[1])]


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    if kind == pa.json_():
        texts = [None if _missing(v) else json.dumps(v, default=_plain) for v in values]
        return pa.ExtensionArray.from_storage(kind, pa.array(texts, pa.string()))
    try:
        return _whole(pa.array(values, type=kind, from_pandas=True))
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        pass
    if kind == pa.string():
        return pa.array([None if _missing(v) else str(v) for v in values], kind)
    return _whole(pa.array(values, from_pandas=True).cast(kind, safe=False))


def _whole(array: Any) -> pa.Array:
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def _plain(value: Any) -> Any:
    """What NumPy and pandas put into answers, as JSON knows it."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return value.hex() if isinstance(value, bytes) else str(value)


def same_name(declared: str, called: str) -> bool:
    return fold(declared).upper() == called.upper()
