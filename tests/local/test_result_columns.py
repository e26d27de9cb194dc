"""What a result says of its columns: names, types, nullability."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from snowflake.connector import ProgrammingError, SnowflakeConnection
from snowflake.snowpark import Session
from snowflake.snowpark.types import BooleanType, DecimalType, LongType, StringType, StructField, StructType

NUMBER, TEXT, VARIANT, TIMESTAMP_LTZ, OBJECT, ARRAY = 0, 2, 5, 6, 9, 10


def execute(connection: SnowflakeConnection, text: str) -> Any:
    return connection.cursor().execute(text)


def described(connection: SnowflakeConnection, query: str) -> dict[str, Any]:
    return {column.name: column for column in execute(connection, query).description}


def test_an_unnamed_column_bears_its_own_text_in_upper_case(connection: SnowflakeConnection) -> None:
    assert list(described(connection, "select 1+1, 'day', 3000 :: int, count( * )")) == [
        "1+1", "'DAY'", "3000 :: INT", "COUNT( * )",
    ]  # fmt: skip


def test_columns_that_differ_in_case_only_stay_apart(connection: SnowflakeConnection) -> None:
    cursor = execute(
        connection,
        """
        with visits as (select 1 as "id", 2 as id), more as (select "id", id, id + "id" as total from visits)
        select more.*, "id" as "Id" from more where id = 2 and "id" = 1""",
    )
    assert [column.name for column in cursor.description] == ["id", "ID", "TOTAL", "Id"]
    assert cursor.fetchall() == [(1, 2, 3, 1)]


def test_a_stored_column_meets_its_twin_of_another_case(connection: SnowflakeConnection) -> None:
    cursor: Any = connection.cursor()
    cursor.execute('create table lower ("id" int, n int)')
    cursor.execute("create table upper (id int, m int)")
    cursor.execute("insert into lower values (1, 10)")
    cursor.execute("insert into upper values (2, 20)")
    joined = cursor.execute('select "id", id from lower join upper on "id" + 1 = id').fetchall()
    assert joined == [(1, 2)]
    assert cursor.execute('update lower set "id" = u.id from upper u where u.m = 20').fetchone()[0] == 1
    assert cursor.execute('select "id" from lower').fetchone() == (2,)


def test_a_quoted_name_in_another_case_is_another_column(connection: SnowflakeConnection) -> None:
    execute(connection, "create table visits (id int)")
    with pytest.raises(ProgrammingError, match="invalid identifier '\"id\"'") as refused:
        execute(connection, 'select "id" from visits')
    assert refused.value.errno == 904


def test_a_name_that_two_columns_bear_is_ambiguous(connection: SnowflakeConnection) -> None:
    twice = "(select *, n from (select 1 as n, 2 as m))"
    assert execute(connection, f"select m from {twice}").fetchone() == (2,)
    assert execute(connection, f"select * from {twice}").fetchone() == (1, 2, 1)
    with pytest.raises(ProgrammingError, match="ambiguous column name 'N'"):
        execute(connection, f"select n from {twice}")


def test_a_column_taken_by_its_position_bears_it_as_its_name(connection: SnowflakeConnection) -> None:
    query = """select "$2", $1 from (select $2, $1 from values (1, 2))"""
    assert list(described(connection, query)) == ["$2", "$1"]
    assert execute(connection, query).fetchone() == (2, 2)


def test_what_is_true_or_false_may_be_null_and_decimals_keep_their_size(session: Session) -> None:
    numbers = "(select to_decimal(column1, 3, 1) as a, to_number(column2, 4, 2) as b from values (1.1, 2.25))"
    frame = session.sql(
        f"select a + b as total, a / b as ratio, a % b as rest, a is null as missing, a > 1 as more, true as yes "
        f"from {numbers}"
    )
    assert [(f.name, f.datatype, f.nullable) for f in frame.schema.fields] == [
        ("TOTAL", DecimalType(5, 2), False), ("RATIO", DecimalType(11, 7), False), ("REST", DecimalType(4, 2), False),
        ("MISSING", BooleanType(), True), ("MORE", BooleanType(), True), ("YES", BooleanType(), True),
    ]  # fmt: skip
    assert [str(value) for value in frame.collect()[0]][:3] == ["3.35", "0.4888889", "1.10"]


def test_a_change_is_described_by_the_rows_it_will_count(session: Session) -> None:
    session.sql("create table visits (id int)").collect()
    for statement, counted in (
        ("insert into visits values (1)", ["rows inserted"]),
        ("update visits set id = 2", ["rows updated", "multi-joined rows updated"]),
        ("delete from visits", ["rows deleted"]),
    ):
        assert session.sql(statement).schema == StructType(
            [StructField(f'"number of {name}"', LongType(), nullable=False) for name in counted]
        )


def test_a_query_is_described_before_its_variables_are_bound(connection: SnowflakeConnection) -> None:
    columns = connection.cursor().describe("select ? as label, :1 as other")
    assert [(column.name, column.is_nullable) for column in columns] == [("LABEL", True), ("OTHER", True)]


def test_nullability_follows_keys_literals_and_outer_joins(connection: SnowflakeConnection) -> None:
    execute(connection, "create table visits (id int not null, pages int)")
    columns = described(
        connection,
        """
        select v.id, v.pages, w.id as other, 1 as one, null as nothing, count(*) over () as n,
            coalesce(v.pages, 0) as pages_or_none, iff(v.id > 1, 'a', 'b') as label
        from visits v left join visits w on v.id = w.pages""",
    )
    assert {name for name, column in columns.items() if not column.is_nullable} == {
        "ID", "ONE", "N", "PAGES_OR_NONE", "LABEL",
    }  # fmt: skip


def test_set_operations_combine_nullability(connection: SnowflakeConnection) -> None:
    execute(connection, "create table visits (id int not null, pages int)")
    both = {
        operation: described(connection, f"select id from visits {operation} select pages from visits")["ID"]
        for operation in ("union", "union all", "intersect", "except")
    }
    assert {name: column.is_nullable for name, column in both.items()} == {
        "union": True, "union all": True, "intersect": False, "except": False,
    }  # fmt: skip


def test_declared_types_reach_the_client_through_queries_and_views(connection: SnowflakeConnection) -> None:
    execute(
        connection,
        "create table t (a varchar(7) not null, b number(5, 2), c object, d array, e variant, f timestamp_ltz)",
    )
    execute(connection, "create view v as select a, b, c, d, e, f from (select * from t)")
    columns = described(connection, "select * from v")
    assert [column.type_code for column in columns.values()] == [TEXT, NUMBER, OBJECT, ARRAY, VARIANT, TIMESTAMP_LTZ]
    assert (columns["A"].internal_size, columns["A"].is_nullable) == (7, False)
    assert (columns["B"].precision, columns["B"].scale) == (5, 2)


def test_semi_structured_values_are_printed_indented(connection: SnowflakeConnection) -> None:
    execute(connection, "create table t (v variant)")
    execute(connection, """insert into t select parse_json('{"a":[1,{}],"b":"ä"}')""")
    printed = execute(connection, "select v from t").fetchone()
    assert printed == ('{\n  "a": [\n    1,\n    {}\n  ],\n  "b": "ä"\n}',)


def test_snowpark_reads_the_schema_of_a_dataframe(session: Session) -> None:
    frame = session.create_dataframe([(1, "a"), (2, None)], schema=["id", "label"])
    assert frame.schema == StructType([
        StructField("ID", LongType(), nullable=False), StructField("LABEL", StringType(), nullable=True),
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("window", "scale", "last"),
    [("", 6, "1.333333"), ("order by column1 rows between 1 preceding and 1 following", 3, "1.500")],
)
def test_the_mean_has_three_decimals_over_a_frame_of_rows(session: Session, window: str, scale: int, last: str) -> None:
    frame = session.sql(f"select avg(column1) over ({window}) as m from values (1), (1), (2)")
    assert frame.schema == StructType([StructField("M", DecimalType(38, scale))])
    assert str(frame.collect()[-1]["M"]) == last


def test_a_result_can_be_described_again(connection: SnowflakeConnection) -> None:
    cursor: Any = connection.cursor()
    cursor.execute("select 'abc' as label, 1.5 as score")
    rows = cursor.execute(f"describe result '{cursor.sfqid}'").fetchall()
    assert [row[:4] for row in rows] == [
        ("LABEL", "VARCHAR(3)", "COLUMN", "N"), ("SCORE", "NUMBER(2,1)", "COLUMN", "N"),
    ]  # fmt: skip


def test_a_plan_is_explained_as_text(connection: SnowflakeConnection) -> None:
    execute(connection, "create table visits (id int)")
    (plan,) = execute(connection, "explain using text select id from visits").fetchone()
    assert "VISITS" in plan


def test_whole_numbers_are_as_wide_as_their_type(session: Session) -> None:
    query = "SELECT 7::NUMBER(2) A, 7::NUMBER(4) B, 7::NUMBER(9) C, 7::NUMBER(18) D, 7::NUMBER(38) E"
    kinds = [str(kind) for kind in session.sql(query).to_pandas().dtypes]
    assert kinds == ["int8", "int16", "int32", "int64", "int64"]


def test_a_tables_whole_numbers_are_as_wide_as_their_values(session: Session) -> None:
    session.sql("CREATE TABLE WIDTHS (A INT, B INT, C NUMBER(18,0), D INT, E INT, F NUMBER(9,2))").collect()
    session.sql("INSERT INTO WIDTHS VALUES (127, 128, -32769, 2147483648, NULL, 1), (-128, 0, 0, 0, NULL, 2)").collect()

    def kinds(query: str) -> list[str]:
        return [str(kind) for kind in session.sql(query).to_pandas().dtypes]

    assert kinds("SELECT A, B, C, D FROM WIDTHS") == ["int8", "int16", "int32", "int64"]
    assert kinds("SELECT A, B FROM (SELECT * FROM WIDTHS WHERE B = 0)") == ["int8", "int8"]
    assert kinds("SELECT A + 0 AS A, C::INT AS C FROM WIDTHS") == [
        "int64",
        "int64",
    ]  # only their type is known
    assert kinds("SELECT E, F FROM WIDTHS") == ["float64", "float64"]
    assert session.table("WIDTHS").select("A", "D").collect() == [(127, 2147483648), (-128, 0)]


def test_a_large_result_arrives_whole_in_chunks_of_one_shape(session: Session) -> None:
    session.sql(
        "CREATE TABLE LARGE AS "
        "SELECT SEQ4() AS N, IFF(SEQ4() % 3 = 0, NULL, 'row ' || SEQ4()) AS S, SEQ4() % 2 = 0 AS B, "
        "DATEADD('second', SEQ4(), '2024-01-01'::TIMESTAMP_NTZ) AS T FROM TABLE(GENERATOR(ROWCOUNT => 300001))"
    ).collect()
    cursor = session.connection.cursor().execute("SELECT * FROM LARGE ORDER BY N")
    assert cursor is not None
    batches = cursor.get_result_batches() or []
    assert sum(batch.rowcount or 0 for batch in batches) == 300_001
    assert [batch.rowcount for batch in batches if batch._remote_chunk_info is None] == [1024]  # with the answer
    assert len(batches) == 3
    whole = cursor.fetch_arrow_all()  # refuses chunks whose columns differ in type
    assert whole is not None
    numbers = range(300_001)
    assert whole["N"].to_pylist() == list(numbers)
    assert whole["S"].to_pylist() == [None if n % 3 == 0 else f"row {n}" for n in numbers]
    assert whole["B"].to_pylist() == [n % 2 == 0 for n in numbers]
    assert (whole["T"].to_numpy() == np.datetime64("2024-01-01") + np.arange(300_001).astype("timedelta64[s]")).all()


def test_a_seed_gives_each_row_its_number_again(session: Session) -> None:
    query = "SELECT RANDOM(7) AS R FROM TABLE(GENERATOR(ROWCOUNT => 100))"
    first, second = (session.sql(query).to_pandas()["R"].to_list() for _ in range(2))
    assert first == second
    assert len(set(first)) == 100
