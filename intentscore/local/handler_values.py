"""Values between Arrow and a handler: what Snowflake's documentation gives a Python handler for each SQL type."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

import pyarrow as pa

from intentscore.local import offsets, undefined

SEMI_STRUCTURED = ("VARIANT", "OBJECT", "ARRAY", "MAP", "GEOGRAPHY", "GEOMETRY", "VECTOR")
_ARROW = {
    "BIGINT": pa.int64(), "DOUBLE": pa.float64(), "VARCHAR": pa.string(), "BOOLEAN": pa.bool_(), "DATE": pa.date32(),
    "TIME": pa.time64("us"), "TIMESTAMP": pa.timestamp("us"), "BLOB": pa.binary(), "JSON": pa.string(),
    "TIMESTAMPTZ": pa.timestamp("us", tz="UTC"), "INTERVAL": offsets.HELD,
}  # fmt: skip


_FITTING = {"NUMBER": int, "FLOAT": float, "VARCHAR": str, "BOOLEAN": bool}
"""The Python type whose values need no conversion."""


class BadValueError(Exception):
    """A value that the declared type cannot hold."""

    def __init__(self, message: str, code: int = 100038) -> None:
        super().__init__(message)
        self.code = code


def base(kind: str) -> str:
    """VARCHAR of `VARCHAR(20)`."""
    return kind.split("(")[0].strip().upper()


def arrow_type(stored: str) -> pa.DataType:
    """The Arrow type of a DuckDB type."""
    if found := re.fullmatch(r"DECIMAL\((\d+),\s*(\d+)\)", stored):
        return pa.decimal128(int(found[1]), int(found[2]))
    return _ARROW.get(stored, pa.string())


# ---------------------------------------------------------------------------- to the handler


class SqlNull:
    """What a function is given for a VARIANT that is SQL NULL; a JSON null is None.

    Source: https://docs.snowflake.com/en/developer-guide/udf/python/udf-python-designing#null-values
    """

    is_sql_null = True


SQL_NULL = SqlNull()


def argument(column: pa.ChunkedArray, kind: str) -> list[Any]:
    """The values a function is called with."""
    cells = decoded(column, kind)
    if base(kind) != "VARIANT" or not column.null_count:
        return cells
    return [cell if given else SQL_NULL for cell, given in zip(cells, column.is_valid().to_pylist(), strict=True)]


def is_sql_null(value: Any, kind: str) -> bool:
    """Whether an argument of a function is SQL NULL."""
    return value is SQL_NULL or (value is None and base(kind) != "VARIANT")


def decoded(column: pa.ChunkedArray, kind: str) -> list[Any]:
    cells = offsets.moments(column)
    if base(kind) in SEMI_STRUCTURED or (base(kind) in ("NUMBER",) and pa.types.is_decimal(column.type)):
        return [cell(value, kind) for value in cells]
    return cells


def cell(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if base(kind) in SEMI_STRUCTURED and isinstance(value, str):
        return json.loads(undefined.as_null(value))
    if isinstance(value, pa.MonthDayNano):
        return offsets.moment(value)
    if isinstance(value, Decimal) and base(kind) == "NUMBER" and kind.endswith((",0)", ", 0)")):
        return int(value)
    return value


def frame(rows: pa.Table, arguments: Sequence[Sequence[str]]) -> Any:
    """The rows as a pandas table, semi-structured cells as Python values."""
    import pandas as pd

    columns: dict[int, Any] = {}
    given = zip(rows.columns, arguments, strict=True) if arguments else ()
    for i, (column, (_, kind, _)) in enumerate(given):
        if base(kind) in SEMI_STRUCTURED:
            columns[i] = pd.Series(argument(column, kind), dtype=object)
        else:
            columns[i] = _pandas(column, base(kind))
    found = pd.DataFrame(columns, index=range(rows.num_rows))
    found.columns = [name.upper() for name, _, _ in arguments]
    return found


def _pandas(column: pa.ChunkedArray, kind: str) -> Any:
    """A column in the pandas type its SQL type has, whole numbers in the narrowest that holds them all.

    Source: https://docs.snowflake.com/en/developer-guide/udf/python/udf-python-batch
    """
    if column.type == offsets.HELD:
        column = pa.chunked_array([pa.array(offsets.moments(column), pa.timestamp("us", tz="UTC"))])
    if kind == "BOOLEAN":
        return column.to_pandas().astype("boolean")
    if kind == "DATE":
        return column.cast(pa.timestamp("s")).to_pandas()
    if kind == "TIME":
        return column.cast(pa.time64("us")).cast(pa.int64()).cast(pa.duration("us")).to_pandas()
    if pa.types.is_integer(column.type) and len(column) and not column.null_count:
        for narrower in (pa.int16(), pa.int32()):
            with contextlib.suppress(pa.ArrowInvalid):
                return column.cast(narrower).to_pandas()
    return column.to_pandas(integer_object_nulls=False)


# ---------------------------------------------------------------------------- from the handler


def encoded(found: Sequence[Any], kind: str, stored: str) -> pa.Array:
    """Python values as the Arrow column of a declared type."""
    convert = _CONVERTERS.get(base(kind), _as_is)
    target = arrow_type(stored)
    fitting = _FITTING.get(base(kind)) if not pa.types.is_decimal(target) else None
    converted = [
        v if type(v) is fitting and v == v else None if _is_missing(v, kind) else convert(v, kind) for v in found
    ]
    try:
        return pa.array(converted, target)
    except (pa.ArrowException, OverflowError, TypeError) as error:
        raise BadValueError(f"Value of a handler cannot be returned as {kind}: {error}") from None


def _is_missing(value: Any, kind: str) -> bool:
    if value is None:
        return base(kind) != "VARIANT"  # of which it is the JSON null
    if hasattr(value, "is_sql_null"):
        return True
    kept = base(kind) in ("FLOAT", *SEMI_STRUCTURED)
    return not kept and (type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value))


def _number(value: Any, kind: str) -> Any:
    size = [int(n) for n in re.findall(r"\d+", kind)]
    scale = size[1] if len(size) > 1 else 0
    try:
        number = Decimal(str(value)) if not isinstance(value, bool) else Decimal(int(value))
        number = number.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)
    except (InvalidOperation, ValueError):
        raise BadValueError(f"Numeric value '{value}' is not recognized") from None
    return number if scale else int(number)


def _float(value: Any, kind: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise BadValueError(f"Numeric value '{value}' is not recognized") from None


def _text(value: Any, kind: str) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _boolean(value: Any, kind: str) -> bool:
    if isinstance(value, str):
        if value.lower() in ("true", "t", "yes", "y", "on", "1"):
            return True
        if value.lower() in ("false", "f", "no", "n", "off", "0"):
            return False
        raise BadValueError(f"Boolean value '{value}' is not recognized", 100037)
    return bool(value)


def _json(value: Any, kind: str) -> str:
    return json.dumps(value, default=_plain)


def _plain(value: Any) -> Any:
    """A value JSON has no word for, as Snowflake prints it inside a VARIANT."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat(" ") if isinstance(value, dt.datetime) else value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return value.hex().upper()
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (set, tuple)):
        return list(value)
    return str(value)


def _date(value: Any, kind: str) -> Any:
    value = _parsed(value, dt.date, "Date")
    return value.date() if isinstance(value, dt.datetime) else value


def _time(value: Any, kind: str) -> Any:
    if hasattr(value, "to_pytimedelta"):
        return (dt.datetime.min + value.to_pytimedelta()).time()
    return _parsed(value, dt.time, "Time")


def _timestamp(value: Any, kind: str) -> Any:
    value = _parsed(value, dt.datetime, "Timestamp")
    if not isinstance(value, dt.datetime):
        return dt.datetime.combine(value, dt.time())
    if value.tzinfo is not None:
        value = value.astimezone(dt.UTC)
        return value if base(kind) == "TIMESTAMP_LTZ" else value.replace(tzinfo=None)
    return value


def _zoned(value: Any, kind: str) -> Any:
    value = _parsed(value, dt.datetime, "Timestamp")
    return offsets.held(value if isinstance(value, dt.datetime) else dt.datetime.combine(value, dt.time()))


def _parsed(value: Any, wanted: Any, what: str) -> Any:
    if hasattr(value, "to_pydatetime"):
        return value.to_pydatetime()
    if isinstance(value, str):
        try:
            return wanted.fromisoformat(value)
        except ValueError:
            raise BadValueError(f"{what} '{value}' is not recognized", 100040) from None
    return value


def _as_is(value: Any, kind: str) -> Any:
    return value


_CONVERTERS = {
    "NUMBER": _number, "FLOAT": _float, "VARCHAR": _text, "BOOLEAN": _boolean, "DATE": _date, "TIME": _time,
    "TIMESTAMP_NTZ": _timestamp, "TIMESTAMP_LTZ": _timestamp, "TIMESTAMP_TZ": _zoned,
    **dict.fromkeys(SEMI_STRUCTURED, _json),
}  # fmt: skip


def series(answered: Any, count: int, kind: str, stored: str) -> pa.Array:
    """What a vectorized function returned, a pandas series, an array or a list, as an Arrow column."""
    target = arrow_type(stored)
    if len(answered) != count:
        raise ValueError(f"Expected {count} rows in output given {count} rows in input, got {len(answered)}")
    if base(kind) in ("NUMBER", "FLOAT", "BOOLEAN") and not pa.types.is_decimal(target):
        try:
            return pa.array(answered, from_pandas=True).cast(target)
        except (pa.ArrowException, TypeError):
            pass
    return encoded(list(answered), kind, stored)


def tabulated(found: list[tuple[int, bool, Any]], returns: Sequence[Sequence[str]]) -> pa.Table:
    """The output rows of a table function with `_ROW`, the input row of each, and `_END` for end_partition's."""
    pieces = []
    rows: list[tuple[int, bool, Any]] = []
    for row, end, answer in found:
        if not hasattr(answer, "iloc"):
            rows.append((row, end, answer))
            continue
        columns = [answer.iloc[:, i] for i in range(answer.shape[1])]
        _check_width(len(columns), returns)
        arrays = [series(c, len(answer), kind, stored) for c, (_, kind, stored) in zip(columns, returns, strict=True)]
        origin = range(row, row + len(answer)) if not end else [row] * len(answer)
        pieces.append(_with_origin(arrays, returns, list(origin), [end] * len(answer)))
    cells = [_row(answer, returns) for _, _, answer in rows]
    arrays = [encoded([row[i] for row in cells], kind, stored) for i, (_, kind, stored) in enumerate(returns)]
    pieces.append(_with_origin(arrays, returns, [row for row, _, _ in rows], [end for _, end, _ in rows]))
    return pa.concat_tables(pieces)


def _row(answer: Any, returns: Sequence[Sequence[str]]) -> tuple[Any, ...]:
    row = tuple(answer) if isinstance(answer, (tuple, list)) else (answer,)
    _check_width(len(row), returns)
    return row


def _check_width(width: int, returns: Sequence[Sequence[str]]) -> None:
    if width != len(returns):
        raise BadValueError(f"Expected {len(returns)} columns in the output of the table function, got {width}", 100357)


def _with_origin(arrays: list[pa.Array], returns: Sequence[Any], rows: list[int], ends: list[bool]) -> pa.Table:
    named = {f"C{i}": array for i, array in enumerate(arrays)}
    return pa.table({**named, "_ROW": pa.array(rows, pa.int64()), "_END": pa.array(ends, pa.bool_())})
