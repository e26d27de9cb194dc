from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError

SESSION = {
    "type": "record",
    "name": "Session",
    "fields": [
        {"name": "uid", "type": "string"},
        {"name": "pages", "type": ["null", "long"]},
        {"name": "rate", "type": "double"},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "paid", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["NEW", "RETURNING"]}},
        {"name": "before", "type": ["null", "Kind"]},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "device", "type": {"type": "record", "name": "Device", "fields": [{"name": "os", "type": "int"}]}},
        {"name": "extra", "type": {"type": "map", "values": "int"}},
    ],
}
ROWS: list[dict[str, Any]] = [
    {
        "uid": "a", "pages": 3, "rate": 0.25, "day": date(2024, 11, 1), "at": datetime(2024, 11, 1, 8, 30, tzinfo=UTC),
        "paid": Decimal("12.50"), "kind": "NEW", "before": None, "tags": ["x", "y"], "device": {"os": 7},
        "extra": {"k": 1},
    },
    {
        "uid": "b", "pages": None, "rate": 1.5, "day": date(2024, 11, 2), "at": datetime(2024, 11, 2, tzinfo=UTC),
        "paid": Decimal("0.00"), "kind": "RETURNING", "before": "NEW", "tags": [], "device": {"os": 8}, "extra": {},
    },
]  # fmt: skip

Stage = Callable[[str, bytes], None]
Rows = Callable[[str], list[Any]]


def packed(schema: Any, rows: list[Any], codec: str = "null") -> bytes:
    file = io.BytesIO()
    fastavro.writer(file, schema, rows, codec=codec)
    return file.getvalue()


@pytest.fixture
def rows(connection: SnowflakeConnection) -> Rows:
    def rows(statement: str) -> list[Any]:
        return list(connection.cursor().execute(statement).fetchall())  # type: ignore[union-attr]

    return rows


@pytest.fixture
def stage(rows: Rows, tmp_path: Path) -> Stage:
    """Puts bytes into the stage S under a name."""
    rows("CREATE STAGE S FILE_FORMAT = (TYPE = AVRO)")

    def stage(name: str, content: bytes) -> None:
        (tmp_path / name).write_bytes(content)
        rows(f"PUT 'file://{tmp_path / name}' @S AUTO_COMPRESS = FALSE OVERWRITE = TRUE")

    return stage


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_records_are_read_by_the_names_of_their_fields(rows: Rows, stage: Stage, codec: str) -> None:
    stage("a.avro", packed(SESSION, ROWS, codec))
    found = rows(
        "SELECT $1:uid::TEXT, $1:pages::INT, $1:rate::FLOAT, $1:day::DATE, $1:at::TIMESTAMP_NTZ, "
        "$1:paid::NUMBER(9, 2), $1:kind::TEXT, $1:before::TEXT, $1:tags[1]::TEXT, $1:device:os::INT, $1:extra:k::INT "
        "FROM @S ORDER BY 1"
    )
    assert found == [
        ("a", 3, 0.25, date(2024, 11, 1), datetime(2024, 11, 1, 8, 30), Decimal("12.50"), "NEW", None, "y", 7, 1),
        ("b", None, 1.5, date(2024, 11, 2), datetime(2024, 11, 2), Decimal("0.00"), "RETURNING", "NEW", None, 8, None),
    ]


def test_a_compressed_file_loads_by_name_and_whole(rows: Rows, stage: Stage) -> None:
    stage("a.avro.gz", gzip.compress(packed(SESSION, ROWS)))
    rows("CREATE TABLE T (UID TEXT, PAGES INT, DAY DATE, PAID NUMBER(9, 2), TAGS ARRAY, DEVICE OBJECT)")
    rows("COPY INTO T FROM @S MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE FILE_FORMAT = (TYPE = AVRO)")
    assert rows("SELECT UID, PAGES, DAY, PAID, ARRAY_SIZE(TAGS), DEVICE:os::INT FROM T ORDER BY UID") == [
        ("a", 3, date(2024, 11, 1), Decimal("12.50"), 2, 7),
        ("b", None, date(2024, 11, 2), Decimal("0.00"), 0, 8),
    ]
    rows("CREATE TABLE W (V VARIANT)")
    rows("COPY INTO W FROM @S FILE_FORMAT = (TYPE = AVRO)")
    assert rows("SELECT V:uid::TEXT, V:device:os::INT FROM W ORDER BY 1") == [("a", 7), ("b", 8)]


def test_the_schema_is_inferred_from_the_files_own(rows: Rows, stage: Stage) -> None:
    stage("a.avro", packed(SESSION, []))
    rows("CREATE FILE FORMAT F TYPE = AVRO")
    inferred = rows("SELECT COLUMN_NAME, TYPE FROM TABLE(INFER_SCHEMA(LOCATION => '@S', FILE_FORMAT => 'F'))")
    assert inferred == [
        ("uid", "TEXT"), ("pages", "NUMBER(38, 0)"), ("rate", "REAL"), ("day", "DATE"), ("at", "TIMESTAMP_LTZ"),
        ("paid", "NUMBER(9, 2)"), ("kind", "TEXT"), ("before", "TEXT"), ("tags", "VARIANT"), ("device", "VARIANT"),
        ("extra", "VARIANT"),
    ]  # fmt: skip


@pytest.mark.parametrize("content", [b"no avro", packed(SESSION, ROWS)[:-30]], ids=["other", "cut off"])
def test_a_file_that_is_broken_is_named(rows: Rows, stage: Stage, content: bytes) -> None:
    stage("a.avro", content)
    with pytest.raises(ProgrammingError, match=r"Error parsing the avro file 'a\.avro'"):
        rows("SELECT $1 FROM @S")


@pytest.mark.parametrize(
    ("record", "row", "named"),
    [
        ("string", "a", "AVRO files of anything but records"),
        ({"type": "record", "name": "R", "fields": [{"name": "u", "type": ["int", "string"]}]}, {"u": 1},
         "AVRO unions of several types"),
        ({"type": "record", "name": "R", "fields": [{"name": "r", "type": ["null", "R"]}]}, {"r": None},
         "the AVRO type R within itself"),
    ],
    ids=["no record", "union", "recursive"],
)  # fmt: skip
def test_what_columns_cannot_hold_is_refused_by_name(
    rows: Rows, stage: Stage, record: Any, row: Any, named: str
) -> None:
    stage("a.avro", packed(record, [row]))
    with pytest.raises(ProgrammingError, match=f"Unsupported feature: the local engine does not support {named}"):
        rows("SELECT $1 FROM @S")
