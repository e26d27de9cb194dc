"""Sessions from a CSV or Parquet file, read batch by batch."""

from __future__ import annotations

import csv
import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from intentscore.data.identity import Dating, Occurrences, canonical_numbers, completed
from intentscore.data.schema import match_columns
from intentscore.data.source import BATCH_ROWS, SessionSource
from intentscore.errors import DataError

_PARQUET: Final = (".parquet", ".pq")
_CSV: Final = (".csv", ".csv.gz")
_BLOCK_BYTES: Final = 4 << 20
_MAX_HEADER_BYTES: Final = 1 << 20


def open_file(path: Path, *, year: int = 2024, spread_days: bool = False) -> SessionSource:
    """The sessions of a CSV (.csv, .csv.gz; comma, UTF-8, any line ends) or Parquet (.parquet, .pq) file.

    `year` and `spread_days` date the sessions of a file without a SESSION_DATE column.
    Raises DataError when the file is missing, empty or unreadable, or has not the columns of a session.
    """
    name, suffix = str(path), path.name.lower()
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise DataError(f"{name} {what}; give the path of a CSV or Parquet file")
    if not suffix.endswith((*_CSV, *_PARQUET)):
        raise DataError(f"{name} is neither CSV nor Parquet; export it as .csv, .csv.gz or .parquet")
    if path.stat().st_size == 0:
        raise DataError(f"{name} is empty; give a file with a header and at least one session")
    dating = Dating(year, spread_days)
    if suffix.endswith(_PARQUET):
        return open_parquet(path, name, dating)
    return open_csv(path, name, dating)


def open_csv(path: Path, name: str, dating: Dating, rows: int | None = None) -> CsvSessions:
    header, lines = _read_header(path, name)
    return CsvSessions(name, rows, path, dating, len(header), lines, match_columns(header, name))


def open_parquet(path: Path, name: str, dating: Dating) -> ParquetSessions:
    with _parquet_errors(name), pq.ParquetFile(path) as file:
        found, rows = file.schema_arrow.names, file.metadata.num_rows
    columns = {column: found[position] for column, position in match_columns(found, name).items()}
    return ParquetSessions(name, rows, path, dating, columns)


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True)
class CsvSessions:
    name: str
    rows: int | None
    path: Path
    dating: Dating
    width: int
    header_lines: int
    positions: dict[str, int]

    def fingerprint(self) -> str:
        return f"sha256:{sha256_of(self.path)}"

    def batches(self) -> Iterator[pa.Table]:
        return _completed(self._raw(), self.dating, self.name)

    def _raw(self) -> Iterator[pa.Table]:
        names = [f"_{position}" for position in range(self.width)]
        for column, position in self.positions.items():
            names[position] = column
        compression = "gzip" if _is_gzip(self.path) else None
        with (
            self._errors(),
            pa.input_stream(str(self.path), compression=compression) as stream,
            pa_csv.open_csv(stream, **self._options(names)) as reader,
        ):
            for batch in reader:
                yield pa.Table.from_batches([batch])

    def _options(self, names: list[str]) -> dict[str, Any]:
        return {
            # One thread, or pyarrow does not know the number of a bad row.
            "read_options": pa_csv.ReadOptions(
                column_names=names, skip_rows=self.header_lines, block_size=_BLOCK_BYTES, use_threads=False
            ),
            "parse_options": pa_csv.ParseOptions(newlines_in_values=True),
            "convert_options": pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), include_columns=list(self.positions)
            ),
        }

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError, EOFError) as error:
            raise DataError(self._explained(str(error))) from error

    def _explained(self, error: str) -> str:
        row = re.search(r"Row #(\d+)", error)
        where = f"row {int(row[1]) - self.header_lines}" if row else "a row"
        width = re.search(r"Expected (\d+) columns, got (\d+)", error)
        if width:
            return (
                f"{self.name}: {where} has {width[2]} values where the header has {width[1]}; "
                "correct that line (a comma in a text needs quotes, a quote its closing quote)"
            )
        if "UTF8" in error:
            return f"{self.name}: {where} is not UTF-8; save the file as UTF-8"
        if "straddling" in error:
            return f"{self.name}: a row is longer than 4 MB; look for a quote that is never closed"
        if "too short" in error:
            return _no_sessions(self.name)
        return f"{self.name} cannot be read ({_one_line(error)}); make the file again and retry"


@dataclass(frozen=True)
class ParquetSessions:
    name: str
    rows: int
    path: Path
    dating: Dating
    columns: dict[str, str]

    def fingerprint(self) -> str:
        return f"sha256:{sha256_of(self.path)}"

    def batches(self) -> Iterator[pa.Table]:
        return _completed(self._raw(), self.dating, self.name)

    def _raw(self) -> Iterator[pa.Table]:
        with _parquet_errors(self.name), pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=list(self.columns.values())):
                texts = {column: self._text(batch[found], found) for column, found in self.columns.items()}
                yield pa.table(texts)

    def _text(self, values: pa.Array, found: str) -> pa.Array:
        try:
            return text_of(values)
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
            kind = values.type
            raise DataError(
                f"{self.name}: column '{found}' is {kind}, which is no text, number or date; store it as one"
            ) from error


def text_of(values: pa.Array) -> pa.Array:
    """Typed values as text: numbers in their shortest form, true and false, dates as YYYY-MM-DD."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return text_of(values.cast(kind.value_type))
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return text_of(pc.local_timestamp(values))
    if pa.types.is_timestamp(kind) or pa.types.is_date64(kind):
        return values.cast(pa.date32(), safe=False).cast(pa.string())
    if pa.types.is_float16(kind):
        return text_of(values.cast(pa.float32()))
    if pa.types.is_decimal(kind):
        return canonical_numbers(values.cast(pa.string()))
    return values.cast(pa.string())


def _completed(raw: Iterator[pa.Table], dating: Dating, name: str) -> Iterator[pa.Table]:
    seen, rows = Occurrences(), 0
    for table in raw:
        if table.num_rows:
            yield completed(table, rows + 1, dating, seen)
        rows += table.num_rows
    if not rows:
        raise DataError(_no_sessions(name))


def _no_sessions(name: str) -> str:
    return f"{name} has a header but no sessions; give a file with at least one row"


def _read_header(path: Path, name: str) -> tuple[list[str], int]:
    """The column names and the number of lines up to and with the header."""
    try:
        with _opened(path) as stream:
            for number, line in enumerate(iter(lambda: stream.readline(_MAX_HEADER_BYTES), b""), start=1):
                text = line.decode("utf-8-sig").strip()
                if text:
                    return next(csv.reader([text])), number
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: the header is not UTF-8; save the file as UTF-8 CSV") from error
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise DataError(f"{name} cannot be read ({_one_line(str(error))}); make the file again and retry") from error
    raise DataError(f"{name} is empty; give a file with a header and at least one session")


def _opened(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path)) if _is_gzip(path) else path.open("rb")


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


@contextmanager
def _parquet_errors(name: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = _one_line(str(error))
        raise DataError(f"{name} is not a readable Parquet file ({reason}); write it again and retry") from error


def _one_line(text: str) -> str:
    return " ".join(text.split())[:160].rstrip(".")
