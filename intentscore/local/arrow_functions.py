"""Functions that DuckDB lacks, computed here over Arrow columns for every session of an engine."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import duckdb
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

from intentscore.local.rewrites.conversions import strftime_format

Cell = Callable[..., Any]
_LONG_FRACTION = re.compile(r"(\.\d{6})\d+")
_FRACTIONS = re.compile(r"%[ng]")


def register(duck: duckdb.DuckDBPyConnection) -> None:
    """Give DuckDB the functions; a cursor of the connection sees them, too."""
    for bits in (224, 384, 512):
        _register(duck, f"arrow_sha{bits}", partial(_digest, f"sha{bits}"), ["BLOB"], "VARCHAR")
    _register(duck, "arrow_read_in_format", _read_in_format, ["VARCHAR", "VARCHAR"], "VARCHAR")
    _register(duck, "arrow_try_read_in_format", _try_read_in_format, ["VARCHAR", "VARCHAR"], "VARCHAR")


def _register(duck: duckdb.DuckDBPyConnection, name: str, cell: Cell, takes: list[str], gives: str) -> None:
    def called(*columns: pa.ChunkedArray) -> pa.Array:
        rows = zip(*(column.to_pylist() for column in columns), strict=True)
        return pa.array([None if None in row else cell(*row) for row in rows], pa.string())

    kind = inspect.Parameter.POSITIONAL_ONLY
    called.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # DuckDB counts the parameters
        [inspect.Parameter(f"column{i}", kind) for i in range(len(takes))]
    )
    duck.create_function(
        name, called, list(takes), gives, type=PythonUDFType.ARROW, null_handling=FunctionNullHandling.SPECIAL
    )


def _digest(algorithm: str, value: bytes) -> str:
    return hashlib.new(algorithm, value).hexdigest()


def _read_in_format(text: str, form: str) -> str:
    """A date or time written in a format of Snowflake's, in ISO form."""
    if form.upper() == "AUTO":
        return text
    directives = _FRACTIONS.sub("%f", strftime_format(form))
    try:
        return datetime.strptime(_LONG_FRACTION.sub(r"\1", text), directives).isoformat(" ")
    except ValueError:
        raise ValueError(f"100096:22007:Can't parse '{text}' as timestamp with format '{form}'") from None


def _try_read_in_format(text: str, form: str) -> str | None:
    try:
        return _read_in_format(text, form)
    except ValueError:
        return None
