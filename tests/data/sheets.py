"""Small files of sessions for the tests."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from intentscore.data.source import SessionSource

Row = Mapping[str, str]

SESSION: Row = {
    "Administrative": "2",
    "Administrative_Duration": "80.5",
    "Informational": "0",
    "Informational_Duration": "0",
    "ProductRelated": "12",
    "ProductRelated_Duration": "420.25",
    "BounceRates": "0",
    "ExitRates": "0.025",
    "PageValues": "12.5",
    "SpecialDay": "0",
    "Month": "Nov",
    "OperatingSystems": "2",
    "Browser": "2",
    "Region": "1",
    "TrafficType": "3",
    "VisitorType": "Returning_Visitor",
    "Weekend": "FALSE",
    "Revenue": "TRUE",
}


def session(**changes: str) -> Row:
    return {**SESSION, **changes}


def write_csv(path: Path, rows: Sequence[Row], *, encoding: str = "utf-8", line_end: str = "\r\n") -> Path:
    with path.open("w", newline="", encoding=encoding) as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator=line_end)
        writer.writeheader()
        writer.writerows(rows)
    return path


def all_sessions(source: SessionSource) -> pa.Table:
    return pa.concat_tables(source.batches())


def column(source: SessionSource, name: str) -> list[str | None]:
    values: list[str | None] = all_sessions(source)[name].to_pylist()
    return values
