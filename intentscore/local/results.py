"""Results: Snowflake's column types over Arrow tables, small ones in the answer, large ones as chunks to fetch."""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from fakesnow.statement_type import DDL, DML_TYPE_IDS

from intentscore.local import json_rows, memory, offsets, spilling, types, undefined
from intentscore.local.types import ColumnType

INLINE_ROWS = 5_000
FIRST_ROWS, FIRST_BYTES = 1_024, 2**17  # of a larger result, at most
CHUNK_ROWS, CHUNK_BYTES = 262_144, 24 * 2**20  # at most; larger ones leave the heap (memory.py)
KEPT_RESULTS = 64
KEPT_BYTES = 256 * 2**20
IDLE_AFTER_S = 0.5


@dataclass
class Result:
    """What a statement answers: rows with Snowflake types, or instructions for a file transfer."""

    table: pa.Table
    columns: Sequence[ColumnType]
    statement_type: int = 0
    transfer: dict[str, Any] | None = None
    is_report: bool = False
    """Whether the engine made up the rows itself, to tell what it did or what there is."""

    @property
    def is_dml(self) -> bool:
        return self.statement_type in DML_TYPE_IDS

    @property
    def rowtype(self) -> list[dict[str, Any]]:
        pairs = zip(self.table.column_names, self.columns, strict=True)
        return [column.described(name) for name, column in pairs]


def rows(columns: dict[str, ColumnType], data: Iterable[Sequence[Any]], statement_type: int = 0) -> Result:
    """A result from Python rows, for the answers the engine makes up itself."""
    listed = list(data)
    arrays = [pa.array([row[i] for row in listed], _ARROW[column.wire]) for i, column in enumerate(columns.values())]
    table = pa.Table.from_arrays(arrays, names=list(columns))
    return Result(table, list(columns.values()), statement_type, is_report=True)


_ARROW = {
    "text": pa.string(), "fixed": pa.int64(), "real": pa.float64(), "boolean": pa.bool_(), "variant": pa.string(),
    "timestamp_ltz": pa.timestamp("us", tz="UTC"), "timestamp_ntz": pa.timestamp("us"), "date": pa.date32(),
}  # fmt: skip


def done(message: str = "Statement executed successfully.") -> Result:
    return rows({"status": types.TEXT}, [[message]], DDL)


def counts(statement_type: int, **affected: int) -> Result:
    """The rows a DML statement affected, under the column names the clients add up."""
    return rows(counted_columns(*affected), [list(affected.values())], statement_type)


def counted_columns(*names: str) -> dict[str, ColumnType]:
    number = replace(types.NUMBER, nullable=False)
    return {f"number of {name.replace('_', ' ').replace('multi ', 'multi-')}": number for name in names}


def saying(word: str, result: Result) -> pa.Table:
    """The rows, with a word for the elements of arrays that have no value."""
    table = result.table
    for i, (name, column) in enumerate(zip(table.column_names, result.columns, strict=True)):
        if column.wire in types.SEMI_STRUCTURED and pa.types.is_string(table.schema.field(i).type):
            table = table.set_column(i, name, pc.replace_substring(table.column(i), undefined.MARK, word))
    return table


# ---------------------------------------------------------------------------- encoding for the wire


def encode(result: Result) -> pa.Buffer:
    """The result as an Arrow stream."""
    sink = pa.BufferOutputStream()
    _write(_batch(result), sink)
    return sink.getvalue()


def encode_chunk(result: Result) -> list[pa.Buffer]:
    """The same in parts, most of which are the result's own memory."""
    parts = _Parts()
    _write(_batch(result), pa.PythonFile(parts, "w"))
    return parts.written


class _Parts:
    """A file that keeps what is written to it, without a copy."""

    closed = False

    def __init__(self) -> None:
        self.written: list[pa.Buffer] = []

    def write(self, part: pa.Buffer | bytes) -> None:
        self.written.append(pa.py_buffer(part))

    def tell(self) -> int:
        return sum(part.size for part in self.written)

    def flush(self) -> None:
        """Nothing waits to be written."""

    def close(self) -> None:
        self.closed = True


def _write(batch: pa.RecordBatch, sink: pa.NativeFile) -> None:
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)


def _batch(result: Result) -> pa.RecordBatch:
    """The rows as they are sent, with the field metadata the connector's reader asks for."""
    arrays = [_encoded(_combined(c), t) for c, t in zip(result.table.columns, result.columns, strict=True)]
    fields = [
        pa.field(name, array.type, metadata=_metadata(column))
        for name, array, column in zip(result.table.column_names, arrays, result.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _told(result: Result) -> list[list[str | None]]:
    """The rows as texts; a time is told in seconds."""
    arrays = []
    for column, kind in zip(result.table.columns, result.columns, strict=True):
        array = _encoded(_combined(column), kind)
        if kind.wire == "time":
            array = pa.array([None if n is None else json_rows.seconds(n) for n in array.to_pylist()], pa.string())
        arrays.append(array)
    return json_rows.rowset(arrays)


def _metadata(column: ColumnType) -> dict[str, str]:
    return {
        "logicalType": column.sent_as.upper(), "precision": str(column.precision or 38),
        "scale": str(column.scale or 0), "charLength": str(column.length or 0),
    }  # fmt: skip


def _combined(column: pa.ChunkedArray) -> pa.Array:
    if isinstance(column.type, pa.BaseExtensionType):
        column = pa.chunked_array([c.storage for c in column.chunks], type=column.type.storage_type)
    combined = column.combine_chunks()
    return combined.chunk(0) if isinstance(combined, pa.ChunkedArray) else combined


def _encoded(array: pa.Array, column: ColumnType) -> pa.Array:
    kind = array.type
    if pa.types.is_null(kind):
        return array.cast(_ARROW.get(column.wire, pa.string()))
    if kind == offsets.HELD:
        return offsets.on_the_wire(array)
    if pa.types.is_nested(kind):
        return pa.array([None if v is None else _printed(v) for v in array.to_pylist()], pa.string())
    if column.wire in types.SEMI_STRUCTURED:
        return pa.array([None if v is None else _indented(v) for v in array.to_pylist()], pa.string())
    if pa.types.is_timestamp(kind):
        return _timestamp_struct(array)
    if pa.types.is_time(kind):
        return pc.multiply(array.cast(pa.time64("ns")).cast(pa.int64()), 1)
    if column.wire == "fixed":
        return _whole_or_decimal(array, column)
    if pa.types.is_float32(kind):
        return array.cast(pa.float64())
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_dictionary(kind):
        return array.cast(pa.string())
    if pa.types.is_large_binary(kind):
        return array.cast(pa.binary())
    return array


def _printed(value: Any) -> str:
    """Semi-structured values as an account prints them: keys in order, indented by two."""
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True, default=str)
    return undefined.shown(text)


def _indented(text: str) -> str:
    """A JSON text as an account prints it; one without members is as it should be."""
    return _printed(json.loads(text)) if text[:1] in "{[" else text


def _whole_or_decimal(array: pa.Array, column: ColumnType) -> pa.Array:
    """Snowflake sends a whole number as the integers its type fits in, and as a decimal only past 64 bits."""
    if pa.types.is_decimal(array.type) and column.scale:
        return array if array.type.bit_width == 128 else array.cast(pa.decimal128(38, array.type.scale))
    for kind in (min(_integers(column.precision or 38), _SIGNED[column.bits], key=lambda i: i.bit_width), pa.int64()):
        with contextlib.suppress(pa.ArrowInvalid):
            return array.cast(kind)
    return array.cast(pa.decimal128(38, 0))


def narrowed(kind: ColumnType, column: pa.ChunkedArray) -> ColumnType:
    """The type of whole numbers whose range is known: they are sent in no more bits than it takes.

    Source: https://github.com/snowflakedb/snowflake-connector-python/issues/1170
    """
    if kind.wire != "fixed" or kind.scale or column.null_count == len(column):
        return kind
    least, most = (int(value.as_py()) for value in pc.min_max(column).values())
    bits = max(least, ~least, most, ~most).bit_length() + 1
    return replace(kind, bits=next((width for width in _SIGNED if bits <= width), 64))


_SIGNED = {8: pa.int8(), 16: pa.int16(), 32: pa.int32(), 64: pa.int64()}


def _integers(digits: int) -> pa.DataType:
    """Source: https://docs.snowflake.com/en/developer-guide/python-connector/python-connector-pandas"""
    widths = ((2, pa.int8()), (4, pa.int16()), (9, pa.int32()))
    return next((kind for most, kind in widths if digits <= most), pa.int64())


def _timestamp_struct(array: pa.Array) -> pa.StructArray:
    """Seconds since the epoch and nanoseconds within the second."""
    moments = array.cast(pa.timestamp("us", tz=array.type.tz), safe=False)
    micros = moments.cast(pa.int64())
    seconds = pc.floor(pc.divide(micros.cast(pa.float64(), safe=False), 1e6)).cast(pa.int64())
    fraction = pc.multiply(pc.subtract(micros, pc.multiply(seconds, 1_000_000)), 1_000).cast(pa.int32())
    fields = [pa.field("epoch", pa.int64()), pa.field("fraction", pa.int32())]
    return pa.StructArray.from_arrays([seconds, fraction], fields=fields, mask=array.is_null())


# ---------------------------------------------------------------------------- results that wait to be read


@dataclass
class Kept:
    """A result the engine still holds, with the addresses of its chunks."""

    result: Result
    chunks: dict[str, tuple[int, int]] = field(default_factory=dict)
    inline: int = 0
    spilled: bool = False

    @property
    def bytes(self) -> int:
        return int(self.result.table.nbytes)

    @property
    def is_large(self) -> bool:
        """Whether it is to leave memory when nobody reads."""
        return not self.spilled and self.bytes >= spilling.SPILLED_FROM_BYTES


def _encoded_chunk(kept: Kept, address: str) -> list[pa.Buffer]:
    offset, length = kept.chunks[address]
    return encode_chunk(Result(kept.result.table.slice(offset, length), kept.result.columns))


def _spans(table: pa.Table, inline: int) -> list[tuple[int, int]]:
    """Chunks of about the same size of the rows from `inline` on, as (first row, rows)."""
    chunks = max(-(-table.num_rows // CHUNK_ROWS), -(-table.nbytes // CHUNK_BYTES))
    rows = -(-table.num_rows // (8 * chunks)) * 8  # so that no bitmap has to be shifted
    return [(first, min(rows, table.num_rows - first)) for first in range(inline, table.num_rows, rows)]


def _first_rows(table: pa.Table) -> int:
    """How many rows of a large result come with the answer.

    An account sends some, and the connector counts on it: where its threads are the first to decode a chunk, they
    can wait for each other without end.
    """
    rows: int = FIRST_BYTES * table.num_rows // max(table.nbytes, 1)
    return min(FIRST_ROWS, max(rows // 8 * 8, 8))


class ResultStore:
    """The results of one session: chunks to fetch and RESULT_SCAN; the oldest go when there are too many."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._lock = threading.Lock()
        self._idle = memory.WhenIdle(IDLE_AFTER_S, self._leave_memory)
        self.last_id: str | None = None

    def keep(self, query_id: str, result: Result) -> Kept:
        kept = Kept(result)
        if not _fits_inline(result):
            kept.inline = _first_rows(result.table)
            kept.chunks = {f"{query_id}.{i}": span for i, span in enumerate(_spans(result.table, kept.inline))}
        with self._lock:
            self._kept[query_id] = kept
            self.last_id = query_id
            size = sum(k.bytes for k in self._kept.values())
            while len(self._kept) > KEPT_RESULTS or (size > KEPT_BYTES and len(self._kept) > 1):
                size -= self._kept.popitem(last=False)[1].bytes
        if kept.is_large:
            memory.hold()
            self._idle.use()
        return kept

    def kept(self, query_id: str) -> Kept | None:
        with self._lock:
            return self._kept.get(query_id)

    def get(self, query_id: str) -> Result | None:
        kept = self.kept(query_id)
        return kept.result if kept else None

    def chunk(self, address: str) -> list[pa.Buffer] | None:
        """A chunk's bytes, in parts."""
        kept = self.kept(address.rsplit(".", 1)[0])
        if kept is None or address not in kept.chunks:
            return None
        self._idle.use()
        return _encoded_chunk(kept, address)

    def _leave_memory(self) -> None:
        """Large results go to disk when nobody has asked for anything in a while, and the memory to the system."""
        with self._lock:
            held = [kept for kept in self._kept.values() if kept.is_large]
        while held:
            self._spill(held.pop())
        memory.release()

    def _spill(self, kept: Kept) -> None:
        kept.result = replace(kept.result, table=spilling.spill(kept.result.table, self._folder / secrets.token_hex(8)))
        kept.spilled = True

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()


def _fits_inline(result: Result) -> bool:
    return bool(result.table.num_rows <= INLINE_ROWS)


def answer(query_id: str, kept: Kept, chunk_url: str, token: str, *, as_json: bool = False) -> dict[str, Any]:
    """The data part of a query's answer, without the session's own fields; as JSON where the client asks for it.

    What is no query's result is told in JSON always, as an account does.
    """
    result = kept.result
    if result.transfer is not None:
        return {**result.transfer, "queryId": query_id}
    total = result.table.num_rows
    data: dict[str, Any] = {
        "rowtype": result.rowtype, "total": total, "returned": total, "queryId": query_id,
        "statementTypeId": result.statement_type,
    }  # fmt: skip
    if as_json or result.is_dml or (result.is_report and not kept.chunks):
        data |= {"queryResultFormat": "json", "rowset": _told(result)}
    elif not kept.chunks:
        encoded = b64encode(encode(result)).decode() if total else ""  # the client makes the empty table itself
        data |= {"queryResultFormat": "arrow", "rowsetBase64": encoded}
    else:
        size = max(1, result.table.nbytes // len(kept.chunks))
        first = Result(result.table.slice(0, kept.inline), result.columns)
        data |= {
            "queryResultFormat": "arrow", "rowsetBase64": b64encode(encode(first)).decode(),
            "chunkHeaders": {"Authorization": f'Snowflake Token="{token}"'},
            "chunks": [
                {"url": f"{chunk_url}{address}", "rowCount": length, "uncompressedSize": size, "compressedSize": size}
                for address, (_, length) in kept.chunks.items()
            ],
        }  # fmt: skip
    return data


def new_query_id() -> str:
    """An id in the form of a UUID, as Snowflake's are."""
    raw = secrets.token_hex(16)
    return f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}"
