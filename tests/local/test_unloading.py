from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import DatabaseError
from snowflake.snowpark import Session

Run = Callable[..., list[Any]]
Get = Callable[[str], dict[str, bytes]]


@pytest.fixture
def run(connection: SnowflakeConnection) -> Run:
    def run(*statements: str) -> list[Any]:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        rows: list[Any] = cursor.fetchall()
        return rows

    run("CREATE STAGE S", "CREATE TABLE T (N INT, S TEXT)", "INSERT INTO T VALUES (1, 'a,b'), (2, NULL), (3, '')")
    return run


@pytest.fixture
def get(run: Run, tmp_path: Path) -> Get:
    """What the files at a place hold, decompressed, by their names."""

    def get(place: str) -> dict[str, bytes]:
        run(f"GET {place} 'file://{tmp_path}/'")
        return {
            p.name: gzip.decompress(p.read_bytes()) if p.suffix == ".gz" else p.read_bytes()
            for p in sorted(tmp_path.iterdir())
        }

    return get


def test_a_table_unloads_to_compressed_csv(run: Run, get: Get) -> None:
    ((rows, _, _),) = run("COPY INTO @S/out/ FROM T FILE_FORMAT = (TYPE = CSV FIELD_OPTIONALLY_ENCLOSED_BY = '\"')")
    assert rows == 3
    assert get("@S/out/") == {"data_0_0_0.csv.gz": b'1,"a,b"\n2,\\N\n3,""\n'}


def test_prefix_header_single_and_extension(run: Run, get: Get) -> None:
    run(
        "COPY INTO @S/part FROM (SELECT N FROM T ORDER BY N) FILE_FORMAT = (COMPRESSION = NONE) HEADER = TRUE",
        "COPY INTO @S/one.txt FROM (SELECT N, S FROM T WHERE N = 1) SINGLE = TRUE FILE_FORMAT = (COMPRESSION = NONE)",
    )
    assert get("@S") == {"part_0_0_0.csv": b"N\n1\n2\n3\n", "one.txt": b"1,a\\,b\n"}


def test_files_that_are_there_are_kept_unless_overwritten(run: Run) -> None:
    run("COPY INTO @S/x FROM T")
    with pytest.raises(DatabaseError, match="Files already existing at the unload destination"):
        run("COPY INTO @S/x FROM T")
    run("COPY INTO @S/x FROM T OVERWRITE = TRUE")


def test_detailed_output_and_size_limit(run: Run) -> None:
    found = run(
        "COPY INTO @S/x FROM (SELECT SEQ4() AS N FROM TABLE(GENERATOR(ROWCOUNT => 1000))) MAX_FILE_SIZE = 4000 "
        "DETAILED_OUTPUT = TRUE FILE_FORMAT = (COMPRESSION = NONE)"
    )
    assert [name for name, _, _ in found][:2] == ["x_0_0_0.csv", "x_0_1_0.csv"]
    assert sum(rows for _, _, rows in found) == 1000


def test_partitions_become_folders(run: Run) -> None:
    run("COPY INTO @S/p FROM T PARTITION BY (IFF(N = 2, NULL, 'n=' || N::STRING)) FILE_FORMAT = (TYPE = PARQUET)")
    folders = [name.split("/")[2] for name, *_ in run("LIST @S/p")]
    assert folders == ["__NULL__", "n=1", "n=3"]
    assert all(name.endswith(".snappy.parquet") for name, *_ in run("LIST @S/p"))


def test_parquet_names_columns_only_with_a_header(run: Run, tmp_path: Path) -> None:
    for header, names in (("TRUE", ["N", "S"]), ("FALSE", ["_COL_0", "_COL_1"])):
        run(
            f"COPY INTO @S/p FROM T FILE_FORMAT = (TYPE = PARQUET) HEADER = {header} OVERWRITE = TRUE",
            f"GET @S/p 'file://{tmp_path}/'",
        )
        assert pq.read_table(tmp_path / "p_0_0_0.snappy.parquet").column_names == names


def test_json_takes_one_column_of_documents(run: Run, get: Get) -> None:
    run("COPY INTO @S/j FROM (SELECT PARSE_JSON('{\"n\": ' || N || '}') FROM T ORDER BY N) FILE_FORMAT = (TYPE = JSON)")
    assert get("@S/j") == {"j_0_0_0.json.gz": b'{"n":1}\n{"n":2}\n{"n":3}\n'}
    with pytest.raises(DatabaseError, match="one and only one column"):
        run("COPY INTO @S/k FROM T FILE_FORMAT = (TYPE = JSON)")


def test_what_is_unloaded_loads_again(run: Run) -> None:
    form = "FILE_FORMAT = (TYPE = CSV FIELD_OPTIONALLY_ENCLOSED_BY = '\"')"
    run(f"COPY INTO @S/r/ FROM T {form}", "CREATE TABLE U AS SELECT * FROM T LIMIT 0", f"COPY INTO U FROM @S/r/ {form}")
    assert run("SELECT * FROM U ORDER BY N") == run("SELECT * FROM T ORDER BY N")


def test_data_frames_unload_and_load(session: Session) -> None:
    session.sql("CREATE STAGE S").collect()
    frame = session.create_dataframe([[1, "a"], [2, "b"]], schema=["N", "S"])
    writer: Any = frame.write
    (report,) = writer.copy_into_location("@S/f.csv", file_format_type="csv", header=True, single=True,
                                          format_type_options={"COMPRESSION": "NONE"})  # fmt: skip
    assert report.rows_unloaded == 2
    session.read.option("SKIP_HEADER", 1).schema(frame.schema).csv("@S/f.csv").copy_into_table("F")
    assert session.table("F").count() == 2
