"""Python functions that DuckDB calls, over Arrow columns."""

from __future__ import annotations

import contextlib
import inspect
import secrets
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

if TYPE_CHECKING:
    from intentscore.local.transactions import Connection


@contextlib.contextmanager
def python_function(
    duck: Connection, run: Callable[..., pa.Array], takes: list[str], gives: str, *, volatile: bool
) -> Iterator[str]:
    """The name of a function of one connection, for as long as the block lasts."""
    name = f"_python_{secrets.token_hex(6)}"

    def called(*columns: pa.ChunkedArray) -> pa.Array:
        return run(*columns)

    kind = inspect.Parameter.POSITIONAL_ONLY
    called.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # DuckDB counts the parameters
        [inspect.Parameter(f"column{i}", kind) for i in range(len(takes))]
    )
    duck.create_function(
        name, called, list(takes), gives, type=PythonUDFType.ARROW, null_handling=FunctionNullHandling.SPECIAL,
        side_effects=volatile,
    )  # fmt: skip
    try:
        yield name
    finally:
        duck.remove_function(name)
