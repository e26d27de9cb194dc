from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from snowflake.connector import ProgrammingError, SnowflakeConnection
from snowflake.snowpark import Session


def rows(connection: SnowflakeConnection, text: str) -> list[Any]:
    return list(connection.cursor().execute(text).fetchall())  # type: ignore[union-attr]


def test_the_definition_of_a_table_makes_it_again(connection: SnowflakeConnection) -> None:
    rows(
        connection,
        """create transient table T (A int not null default 1, "b c" varchar(10) comment 'why')
                        cluster by (A) comment = 'what'""",
    )
    [(text,)] = rows(connection, "select get_ddl('table', 'T')")
    assert text == (
        "create or replace TRANSIENT TABLE T cluster by (A)(\n\tA NUMBER(38,0) NOT NULL DEFAULT 1,\n"
        "\t\"b c\" VARCHAR(10) COMMENT 'why'\n)COMMENT='what'\n;"
    )
    rows(connection, text)
    assert rows(connection, "select get_ddl('table', 'T')") == [(text,)]


def test_the_definition_of_a_view_is_its_statement(connection: SnowflakeConnection) -> None:
    rows(connection, "create view V as select 1 as A")
    assert rows(connection, "select get_ddl('view', 'V')") == [("create view V as select 1 as A;",)]


def test_show_tables_says_of_what_kind_a_table_is_and_since_when(connection: SnowflakeConnection) -> None:
    before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    for kind in ("", "transient", "temporary"):
        rows(connection, f"create {kind} table T_{kind} (A int)")
    rows(connection, "alter table T_ rename to T_RENAMED")
    found = {row[1]: row for row in rows(connection, "show tables in schema limit 10")}
    assert {name: row[4] for name, row in found.items()} == {
        "T_RENAMED": "TABLE", "T_TRANSIENT": "TRANSIENT", "T_TEMPORARY": "TEMPORARY",
    }  # fmt: skip
    assert all(row[0] > before for row in found.values())


def test_show_columns_describes_each_type(connection: SnowflakeConnection) -> None:
    rows(connection, "create table T (A number(10, 2) not null, B varchar(5))")
    first, second = rows(connection, "show columns in T")
    assert json.loads(first[3]) == {"type": "FIXED", "precision": 10, "scale": 2, "nullable": False}
    assert json.loads(second[3]) == {
        "type": "TEXT", "length": 5, "byteLength": 20, "nullable": True, "fixed": False,
    }  # fmt: skip


def test_comments_of_schemas_and_databases_are_shown(connection: SnowflakeConnection, schema: str) -> None:
    rows(connection, f"alter schema {schema} set comment = 'mine'")
    rows(connection, "alter schema set DEFAULT_PYTHON_ARTIFACT_REPOSITORY = snowflake.snowpark.pypi_shared_repository")
    [shown] = rows(connection, f"show schemas like '{schema}'")
    assert shown[6] == "mine"
    with pytest.raises(ProgrammingError, match="does not support the parameter NOSUCH"):
        rows(connection, "alter schema set NOSUCH = 1")


def test_moments_are_read_and_shown_in_the_session_s_time_zone(connection: SnowflakeConnection) -> None:
    rows(connection, "alter session set timezone = 'America/Los_Angeles'")
    [(ltz, tz, hour, epoch, text)] = rows(
        connection,
        """
        select to_timestamp_ltz('2024-07-01 10:00:00'), to_timestamp_tz('2024-01-01 10:00:00'),
               date_part(hour, to_timestamp_ltz('2024-07-01 17:00:00 +0000')),
               to_timestamp_ltz(0)::timestamp_ntz, to_varchar(to_timestamp_tz('2024-01-01 10:00:00'))""",
    )
    assert ltz == dt.datetime(2024, 7, 1, 17, tzinfo=dt.UTC)
    assert (tz.utcoffset(), tz.hour) == (dt.timedelta(hours=-8), 10)
    assert (hour, epoch) == (10, dt.datetime(1969, 12, 31, 16))
    assert text == "2024-01-01 10:00:00.000 -0800"
    rows(connection, "alter session unset timezone")
    assert rows(connection, "select to_timestamp_ltz(0)::timestamp_ntz") == [(dt.datetime(1970, 1, 1),)]
    with pytest.raises(ProgrammingError, match="invalid value \\[Mars/Olympus\\] for parameter 'TIMEZONE'"):
        rows(connection, "alter session set timezone = 'Mars/Olympus'")


def test_a_column_is_found_by_its_position(session: Session) -> None:
    session.sql("create table T as select 1 as A, 'x' as B").collect()
    assert session.sql('select $2, "$1" as N from T where $1 = 1').collect() == [("x", 1)]
    assert session.sql("select T.$2, U.$1 from T join (select 7 as C) as U on T.$1 < U.$1").collect() == [("x", 7)]


def test_parts_of_a_text_are_rows(connection: SnowflakeConnection) -> None:
    query = (
        "select t.id, p.index, p.value from (select 1 as id, 'a-b' as s) as t, lateral split_to_table(t.s, '-') as p"
    )
    assert sorted(rows(connection, query)) == [(1, 1, "a"), (1, 2, "b")]
    over = "select value from table(split_to_table('a-b', '-') over (partition by 1)) order by index"
    assert rows(connection, over) == [("a",), ("b",)]


def test_queries_may_be_nested_hundreds_deep(connection: SnowflakeConnection) -> None:
    query = "select 1 as A"
    for _ in range(150):
        query = f"select A + 1 as A from ({query})"
    assert rows(connection, query) == [(151,)]


def test_columns_without_a_name_are_called_as_they_were_written(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor().execute('select "a b"||\'x\', sum(1) from (select 1 as "a b") group by all')
    assert cursor is not None
    assert [column.name for column in cursor.description] == ["\"A B\"||'X'", "SUM(1)"]


def test_a_whole_number_column_takes_38_digits_within_a_transaction(connection: SnowflakeConnection) -> None:
    rows(connection, "create table T (A number(38, 0), B varchar)")
    rows(connection, "begin")
    rows(connection, "insert into T values (1, 'small')")
    rows(connection, "insert into T select 99999999999999999999, 'wide'")
    rows(connection, "commit")
    connection.cursor().executemany("insert into T values (%s, %s)", [(88888888888888888888, "bound"), (2, "bound")])
    assert sorted(rows(connection, "select A, A + 1 from T")) == [
        (1, 2), (2, 3), (88888888888888888888, 88888888888888888889), (99999999999999999999, 100000000000000000000),
    ]  # fmt: skip


def test_a_statement_held_in_a_text_is_executed(connection: SnowflakeConnection) -> None:
    rows(connection, "set N = 5")
    assert rows(connection, "execute immediate 'select ? + 1' using (N)") == [(6,)]
    assert rows(connection, "execute immediate $$select 'x'$$") == [("x",)]


def test_a_dynamic_tables_retention_is_taken(connection: SnowflakeConnection) -> None:
    rows(
        connection,
        "create dynamic table D target_lag = '1 day' warehouse = LOCAL_WH data_retention_time_in_days = 1 "
        "max_data_extension_time_in_days = 2 as select 1 as A",
    )
    assert rows(connection, "select * from D") == [(1,)]
