from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from snowflake.connector.errors import ProgrammingError
from snowflake.snowpark import Session
from snowflake.snowpark.exceptions import SnowparkSQLException
from snowflake.snowpark.types import LongType, StringType, StructField, StructType

Put = Callable[[str, Any], str]


@pytest.fixture
def put(session: Session, tmp_path: Path) -> Put:
    """Puts content into a stage and returns where it is."""
    session.sql("CREATE STAGE S").collect()

    def put(name: str, content: Any) -> str:
        path = tmp_path / name
        if isinstance(content, pa.Table):
            pq.write_table(content, path)
        else:
            path.write_text(content)
        session.file.put(str(path), "@S", auto_compress=False)
        return f"@S/{name}"

    return put


def rows(session: Session, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in session.sql(query).collect()]


def test_columns_of_text_by_number_with_file_and_row(session: Session, put: Put) -> None:
    put("a.csv", "1,one\n2,two\n")
    put("b.csv", "3\n")
    found = rows(
        session,
        "SELECT t.$1::INT, $2, METADATA$FILENAME, METADATA$FILE_ROW_NUMBER FROM @S t WHERE t.$1 <> '1' ORDER BY 1",
    )
    assert found == [(2, "two", "a.csv", 2), (3, None, "b.csv", 1)]


def test_format_and_pattern_as_arguments(session: Session, put: Put) -> None:
    put("a.txt", "x;1\ny;2\n")
    put("b.log", "no")
    session.sql("CREATE FILE FORMAT F TYPE = CSV FIELD_DELIMITER = ';' SKIP_HEADER = 1").collect()
    assert rows(session, "SELECT $1, $2 FROM '@S' (FILE_FORMAT => 'F', PATTERN => '.*[.]txt')") == [("y", "2")]


def test_documents_by_path(session: Session, put: Put) -> None:
    put("a.json", '{"a": {"b": [10, 20]}, "s": "x"}\n{"a": {"b": []}}')
    session.sql("CREATE FILE FORMAT J TYPE = JSON").collect()
    query = "SELECT $1:a.b[1]::INT, $1:s::STRING FROM @S (FILE_FORMAT => J)"
    assert rows(session, query) == [(20, "x"), (None, None)]


def test_parquet_columns_keep_their_types(session: Session, put: Put) -> None:
    moment = datetime(2024, 2, 3, 4, 5, 6)
    put("a.parquet", pa.table({"N": [1], "f": [1.5], "T": [moment], "st": [{"k": "v"}]}))
    session.sql("CREATE FILE FORMAT P TYPE = PARQUET").collect()
    cells = '$1:"N"::INT, $1:"f"::FLOAT, $1:"T"::TIMESTAMP_NTZ, $1:"st"."k"::TEXT, $1:"no"::INT'
    query = f"SELECT {cells} FROM @S (FILE_FORMAT => P)"
    assert rows(session, query) == [(1, 1.5, moment, "v", None)]


def test_a_staged_file_joins_a_table(session: Session, put: Put) -> None:
    put("a.csv", "1,one\n")
    session.sql("CREATE TABLE T AS SELECT 1 AS N, 'eins' AS S").collect()
    assert rows(session, "SELECT T.S, f.$2 FROM T JOIN @S f ON T.N = f.$1::INT") == [("eins", "one")]


@pytest.mark.parametrize("mode", ["select", "copy"])
def test_reader_with_schema_and_inference(session: Session, put: Put, mode: str) -> None:
    where = put("a.csv", "ID,NAME,WHEN\n1,one,2024-01-02\n22,two,2024-01-03\n")
    reader = session.read.option("PARSE_HEADER", True).option("INFER_SCHEMA", True)
    if mode == "copy":
        reader = reader.option("ON_ERROR", "CONTINUE")
    frame = reader.csv(where)
    assert frame.columns == ["ID", "NAME", '"WHEN"'] or frame.columns == ["ID", "NAME", "WHEN"]
    assert [row[0] for row in frame.sort("ID").collect()] == [1, 22]
    schema = StructType([StructField("A", LongType()), StructField("B", StringType()), StructField("C", StringType())])
    given = session.read.schema(schema).option("SKIP_HEADER", 1).csv(where)
    assert given.filter(given["A"] > 1).collect()[0]["B"] == "two"


def test_reader_infers_json_and_parquet(session: Session, put: Put) -> None:
    frame = session.read.option("INFER_SCHEMA", True).json(put("a.json", '{"A": 1, "B": "x"}\n{"A": 250, "C": true}'))
    assert [(f.name, f.nullable) for f in frame.schema.fields] == [("A", True), ("B", True), ("C", True)]
    assert [tuple(r) for r in frame.sort("A").collect()] == [(1, "x", None), (250, None, True)]
    parquet = session.read.parquet(put("a.parquet", pa.table({"A": [1, 2], "low er": ["x", "y"]})))
    assert parquet.columns == ["A", '"low er"']
    assert parquet.count() == 2


def test_infer_schema_merges_files(session: Session, put: Put) -> None:
    put("a.csv", "1,true,x\n20.5,false,2024-01-01\n")
    put("b.csv", "300,,\n")
    session.sql("CREATE FILE FORMAT F TYPE = CSV").collect()
    query = (
        "SELECT COLUMN_NAME, TYPE, EXPRESSION, FILENAMES "
        "FROM TABLE(INFER_SCHEMA(LOCATION => '@S', FILE_FORMAT => 'F'{}))"
    )
    assert rows(session, query.format("")) == [
        ("c1", "NUMBER(4, 1)", "$1::NUMBER(4, 1)", "a.csv, b.csv"),
        ("c2", "BOOLEAN", "$2::BOOLEAN", "a.csv, b.csv"),
        ("c3", "TEXT", "$3::TEXT", "a.csv, b.csv"),
    ]
    assert rows(session, query.format(", FILES => ('b.csv')"))[0][1] == "NUMBER(3, 0)"


def test_a_value_that_does_not_fit_is_refused(session: Session, put: Put) -> None:
    put("a.csv", "one\n")
    with pytest.raises(ProgrammingError, match="Numeric value 'one' is not recognized"):
        session.connection.cursor().execute("SELECT $1::INT FROM @S")


def test_infer_schema_names_a_file_that_is_not_there(session: Session, put: Put) -> None:
    put("a.csv", "1,one\n")
    session.sql("CREATE FILE FORMAT F TYPE = CSV").collect()
    call = "SELECT * FROM TABLE(INFER_SCHEMA(LOCATION => '@S', FILE_FORMAT => 'F', FILES => ('b.csv')))"
    with pytest.raises(SnowparkSQLException, match=r"Remote file 'b.csv' was not found"):
        session.sql(call).collect()


def test_a_parquet_column_of_nulls_is_inferred_as_a_number(session: Session, put: Put) -> None:
    put("a.parquet", pa.table({"N": pa.nulls(2)}))
    session.sql("CREATE FILE FORMAT P TYPE = PARQUET").collect()
    inferred = "SELECT COLUMN_NAME, TYPE FROM TABLE(INFER_SCHEMA(LOCATION => '@S', FILE_FORMAT => 'P'))"
    assert rows(session, inferred) == [("N", "NUMBER(38, 0)")]
