"""TIMESTAMP_TZ: a value has an offset of its own, and is compared by the moment it means."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest
from snowflake.connector import ProgrammingError, SnowflakeConnection
from snowflake.snowpark import Session
from snowflake.snowpark.functions import col, convert_timezone, lit, pandas_udf, to_timestamp_tz, udf
from snowflake.snowpark.types import PandasSeriesType, StringType, TimestampTimeZone, TimestampType

TZ = TimestampType(TimestampTimeZone.TZ)


def at(*clock: int, hours: float) -> dt.datetime:
    return dt.datetime(*clock, tzinfo=dt.timezone(dt.timedelta(hours=hours)))  # type: ignore[arg-type,misc]


def rows(connection: SnowflakeConnection, query: str) -> list[Any]:
    return list(connection.cursor().execute(query) or ())


def same(found: dt.datetime, expected: dt.datetime) -> bool:
    return found == expected and found.utcoffset() == expected.utcoffset()


TWO = at(2024, 1, 1, 2, hours=5.5)
A = "'2024-01-01 02:00:00 +05:30'::timestamp_tz"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (A, TWO),
        ("to_timestamp_tz('2024-01-01 02:00:00.123456 -0830')", at(2024, 1, 1, 2, 0, 0, 123456, hours=-8.5)),
        ("'2024-01-01T02:00:00Z'::timestamp_tz", at(2024, 1, 1, 2, hours=0)),
        ("'9998-12-31 23:00:00 -01:00'::timestamp_tz", at(9998, 12, 31, 23, hours=-1)),
        ("'1900-02-28 23:00:00 +01:00'::timestamp_tz", at(1900, 2, 28, 23, hours=1)),
        ("to_timestamp_tz('04/05/2024 01:02 -0700', 'MM/DD/YYYY HH24:MI TZHTZM')", at(2024, 4, 5, 1, 2, hours=-7)),
        ("timestamp_tz_from_parts(2024, 7, 2, 3, 4, 5, 0, 'America/Los_Angeles')", at(2024, 7, 2, 3, 4, 5, hours=-7)),
        (f"convert_timezone('Asia/Tokyo', {A})", at(2024, 1, 1, 5, 30, hours=9)),
        (f"date_trunc('day', {A})", at(2024, 1, 1, hours=5.5)),
        (f"dateadd(month, 1, {A})", at(2024, 2, 1, 2, hours=5.5)),
        (f"dateadd(hour, -3, {A})", at(2023, 12, 31, 23, hours=5.5)),
        (f"{A} + interval '1 month, 1 day'", at(2024, 2, 2, 2, hours=5.5)),
        (f"add_months({A}, 1)", at(2024, 2, 1, 2, hours=5.5)),
        (f"time_slice({A}, 1, 'month')", at(2024, 1, 1, hours=5.5)),
        (f"greatest({A}, '2023-01-01')", TWO),
        (f"coalesce(null, {A}, current_timestamp())", TWO),
        (f"iff(true, {A}, '2023-01-01')", TWO),
        ("parse_json('{\"a\": \"2024-01-01 02:00:00 +05:30\"}'):a::timestamp_tz", TWO),
    ],
)  # fmt: skip
def test_a_moment_keeps_its_offset(connection: SnowflakeConnection, expression: str, expected: dt.datetime) -> None:
    [(found,)] = rows(connection, f"select {expression}")
    assert same(found, expected), found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (f"{A}::date", dt.date(2024, 1, 1)), (f"{A}::time", dt.time(2)), (f"hour({A})", 2), (f"day({A})", 1),
        (f"{A}::timestamp_ntz", dt.datetime(2024, 1, 1, 2)),
        (f"{A}::timestamp_ltz", dt.datetime(2023, 12, 31, 20, 30, tzinfo=dt.UTC)),
        (f"date_part(tzh, {A})", 5), (f"extract(timezone_minute from {A})", 30),
        (f"date_part(epoch_second, {A})", 1704054600), (f"dayname({A})", "Mon"),
        (f"{A}::varchar", "2024-01-01 02:00:00.000 +0530"), (f"{A} || '!'", "2024-01-01 02:00:00.000 +0530!"),
        (f"to_char({A}, 'HH24:MI TZH:TZM')", "02:00 +05:30"), (f"to_char({A}, 'HH24 TZHTZM')", "02 +0530"),
        (f"to_json({A}::variant)", '"2024-01-01 02:00:00.000 +0530"'),
        (f"datediff(minute, {A}, '2023-12-31 20:30:00 +0000'::timestamp_tz)", 0),
        (f"{A} = '2023-12-31 20:30:00 +0000'::timestamp_tz", True), (f"{A} > '2023-12-31 20:29:59'", True),
        (f"{A} between '2023-12-31' and current_timestamp()", True), (f"{A} in ('2023-12-31 20:30:00')", True),
        (f"{A} = '2023-12-31 20:30:00'::timestamp_ntz", True), (f"equal_null({A}, null)", False),
        (f"decode({A}, '2023-12-31 20:30:00', 'same', 'other')", "same"),
    ],
)  # fmt: skip
def test_its_parts_are_those_of_its_own_clock(connection: SnowflakeConnection, expression: str, expected: Any) -> None:
    assert rows(connection, f"select {expression}") == [(expected,)]


MOMENTS = """(select column1 i, column2::timestamp_tz a from values (1, '2024-01-01 10:00:00 +05:00'),
    (2, '2024-01-01 05:00:00 +00:00'), (3, '2024-01-01 00:30:00 -08:00'), (4, null))"""


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("select count(*) from {} group by a order by a", [(2,), (1,), (1,)]),
        ("select i from {} order by a desc nulls last, i", [(3,), (1,), (2,), (4,)]),
        ("select count(distinct a), hour(max(a)) from {}", [(2, 0)]),
        ("select count(*) from (select distinct a from {})", [(3,)]),
        ("select x.i, y.i from {0} x join {0} y on x.a = y.a and x.i < y.i", [(1, 2)]),
        ("select i, row_number() over (partition by a order by i) n from {} qualify n = 2", [(2, 2)]),
        ("select count(*) from (select a from {0} union select a from {0})", [(3,)]),
        ("select i from {0} where a = (select min(a) from {0}) order by i", [(1,), (2,)]),
        ("select hour(a) from {} group by a having max(a) > '2024-01-01 06:00:00'", [(0,)]),
    ],
)
def test_moments_are_compared_by_what_they_mean(connection: SnowflakeConnection, query: str, expected: Any) -> None:
    assert rows(connection, query.format(MOMENTS)) == expected


def test_a_table_keeps_offsets(connection: SnowflakeConnection) -> None:
    rows(connection, "create table moments (i int, a timestamp_tz, l timestamp_ltz, n timestamp_ntz, s varchar)")
    rows(connection, f"insert into moments select 1, {A}, {A}, {A}, {A}")
    rows(connection, "insert into moments (i, a) values (2, '2024-01-01 02:00:00 -03:00'), (3, default)")
    cursor = connection.cursor()
    cursor.executemany("insert into moments (i, a) values (%s, %s)", [(4, TWO), (5, at(2024, 1, 1, hours=-3))])
    rows(connection, "update moments set a = '2024-05-05 05:05:05 +09:00', n = a where a < '2023-12-31 21:00:00'")
    rows(
        connection,
        f"""merge into moments using (select 2 i, {A} x union all select 9, {A}) u on moments.i = u.i
        when matched then update set a = u.x, l = u.x when not matched then insert (i, a, n) values (u.i, u.x, u.x)""",
    )
    rows(connection, "delete from moments where a > '2024-05-01'")
    rows(connection, "create table copied as select * from moments")
    utc, clock = dt.datetime(2023, 12, 31, 20, 30, tzinfo=dt.UTC), dt.datetime(2024, 1, 1, 2)
    found = rows(connection, "select i, a, l, n, s from copied order by i")
    five = at(2024, 1, 1, hours=-3)
    assert found == [
        (2, TWO, utc, None, None),
        (3, *[None] * 4),
        (5, five, None, None, None),
        (9, TWO, None, clock, None),
    ]
    assert [a.utcoffset() for _, a, *_ in found if a] == [TWO.utcoffset(), dt.timedelta(hours=-3), TWO.utcoffset()]
    kinds = rows(connection, "select data_type from information_schema.columns where table_name = 'COPIED'")
    assert [kind for (kind,) in kinds][1:4] == ["TIMESTAMP_TZ", "TIMESTAMP_LTZ", "TIMESTAMP_NTZ"]


def test_defaults_of_moments(connection: SnowflakeConnection) -> None:
    rows(
        connection,
        f"create table stamped (i int, a timestamp_tz default {A}, b timestamp_tz default current_timestamp())",
    )
    rows(connection, "alter session set timezone = 'Asia/Kolkata'")
    rows(connection, "insert into stamped (i) values (1)")
    [(a, b)] = rows(connection, "select a, b from stamped")
    assert same(a, TWO)
    assert b.utcoffset() == dt.timedelta(hours=5.5)
    assert abs(b - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=10)
    [(ddl,)] = rows(connection, "select get_ddl('table', 'stamped')")
    assert "A TIMESTAMP_TZ(9) DEFAULT '2024-01-01 02:00:00.000 +0530'::TIMESTAMP_TZ" in ddl
    assert "B TIMESTAMP_TZ(9) DEFAULT CURRENT_TIMESTAMP()" in ddl


def test_offsets_in_files(connection: SnowflakeConnection) -> None:
    rows(connection, "create stage moved")
    rows(
        connection,
        f"copy into @moved/a.csv from (select 1, {A}) single = true file_format = (type = csv compression = none)",
    )
    rows(connection, f"copy into @moved/b from (select object_construct('a', {A})) file_format = (type = json)")
    rows(connection, "create table loaded (i int, a timestamp_tz)")
    rows(connection, "copy into loaded from @moved/a.csv file_format = (type = csv)")
    rows(connection, "copy into loaded (a) from (select $1:a from @moved/b) file_format = (type = json)")
    form = "(type = csv timestamp_format = 'YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM')"
    rows(connection, f"copy into loaded from @moved/a.csv file_format = {form} force = true")
    assert all(same(a, TWO) for (a,) in rows(connection, "select a from loaded"))
    assert len(rows(connection, "select * from loaded")) == 3
    with pytest.raises(ProgrammingError, match="TIMESTAMP_TZ to Parquet"):
        rows(connection, "copy into @moved/c from loaded file_format = (type = parquet)")


def test_offsets_in_results_of_every_kind(session: Session) -> None:
    frame = session.create_dataframe([[TWO], [None]], schema=["a"]).select(col("a").cast(TZ).alias("a"))
    assert same(frame.collect()[0][0], TWO)
    [row] = session.range(1).select(to_timestamp_tz(lit("2024-01-01 02:00:00 +0530")).alias("A"),
                                    convert_timezone(lit("Asia/Tokyo"), lit(TWO)).alias("B")).collect()  # fmt: skip
    assert same(row["A"], TWO)
    assert same(row["B"], at(2024, 1, 1, 5, 30, hours=9))
    table = frame.to_pandas()
    assert list(pd.to_datetime(table["A"], utc=True)) == [pd.Timestamp(TWO), pd.NaT]
    many: Any = session.connection.cursor().execute(
        f"select dateadd(second, seq4(), {A}) a from table(generator(rowcount => 70000)) order by a"
    )
    fetched = many.fetchall()
    assert same(fetched[-1][0], TWO + dt.timedelta(seconds=69_999))
    session.sql("alter session set python_connector_query_result_format = 'JSON'").collect()
    assert same(session.sql(f"select {A}").collect()[0][0], TWO)


def test_handlers_take_and_give_offsets(session: Session) -> None:
    next_day: Any = udf(lambda moment: moment + dt.timedelta(days=1), return_type=TZ, input_types=[TZ])
    texts = PandasSeriesType(StringType())
    in_utc: Any = pandas_udf(
        lambda moments: moments.dt.strftime("%H:%M"), return_type=texts, input_types=[PandasSeriesType(TZ)]
    )
    frame = session.sql(f"select {A} a")
    [row] = frame.select(next_day("a").alias("B"), in_utc("a").alias("C")).collect()
    assert same(row["B"], at(2024, 1, 2, 2, hours=5.5))
    assert row["C"] == "20:30"
    session.sql("""create procedure later(a timestamp_tz) returns timestamp_tz language sql
        as begin let b timestamp_tz := dateadd(hour, 1, a); return b; end""").collect()
    assert same(session.sql(f"call later({A})").collect()[0][0], at(2024, 1, 1, 3, hours=5.5))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (f"avg({A})", "Invalid argument types for function 'AVG': .TIMESTAMP_TZ"),
        (f"{A} - {A}", "Invalid argument types for function '-': .TIMESTAMP_TZ.9., TIMESTAMP_TZ"),
        (f"{A} = 'tomorrow'", "'tomorrow' is not recognized"),
        (f"convert_timezone('UTC', 'Asia/Tokyo', {A})", "has to be a TIMESTAMP_NTZ"),
        (f"object_construct(*) from (select {A} a)", "not support OBJECT_CONSTRUCT(.*) over a column of"),
        ("interval '10 years'", "does not support an interval as a value of its own"),
        ("'1 day'::interval", "does not support the type INTERVAL"),
        ("a - b from (select sysdate() a, sysdate() b)", "does not support an interval as a value"),
    ],
)  # fmt: skip
def test_what_is_not_taken_is_refused(connection: SnowflakeConnection, query: str, message: str) -> None:
    with pytest.raises(ProgrammingError, match=message):
        rows(connection, f"select {query}")


def test_a_null_is_still_a_null_to_functions_of_moments(connection: SnowflakeConnection) -> None:
    functions = (
        "hour(null), dateadd(day, 1, null), to_varchar(null), try_to_date(null), to_variant(null), null::timestamp_tz"
    )
    assert rows(connection, f"select {functions}") == [(None,) * 6]


def test_a_column_of_nulls_alone_is_taken_too(connection: SnowflakeConnection) -> None:
    functions = "hour(b), dateadd(day, 1, b), date_trunc('day', b), try_to_date(b), to_variant(b), to_timestamp_tz(b)"
    assert rows(connection, f"select {functions} from (values (1, null)) v(a, b)") == [(None,) * 6]
