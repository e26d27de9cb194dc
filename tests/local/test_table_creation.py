from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from snowflake.connector import ProgrammingError, SnowflakeConnection


def execute(connection: SnowflakeConnection, text: str) -> Any:
    return connection.cursor().execute(text)


def rows(connection: SnowflakeConnection, query: str) -> list[tuple[Any, ...]]:
    return list(execute(connection, query).fetchall())


def types_of(connection: SnowflakeConnection, table: str) -> dict[str, tuple[str, str]]:
    return {row[0]: (row[1], row[3]) for row in rows(connection, f"describe table {table}")}


def test_an_apostrophe_survives_in_comments(connection: SnowflakeConnection) -> None:
    execute(
        connection, "CREATE TABLE IF NOT EXISTS t (a int comment 'the visit''s id') COMMENT = 'it''s the champion''s'"
    )
    shown = execute(connection, "show tables like 'T'")
    comment = [column.name for column in shown.description].index("comment")
    assert shown.fetchone()[comment] == "it's the champion's"
    assert [row[9] for row in rows(connection, "describe table t")] == ["the visit's id"]


def test_a_clone_keeps_types_defaults_and_rows(connection: SnowflakeConnection) -> None:
    execute(connection, "create table t (a number(5,2) not null, b varchar(3) default 'x', c object)")
    execute(connection, "insert into t (a) values (1.25)")
    execute(connection, "create table copied clone t")
    execute(connection, "create table alike like t")
    assert types_of(connection, "copied") == types_of(connection, "alike") == types_of(connection, "t")
    execute(connection, "insert into alike (a) values (2)")
    assert rows(connection, "select a, b from copied") == rows(connection, "select a - 0.75, b from alike")


def test_a_query_gives_a_table_its_types(connection: SnowflakeConnection) -> None:
    execute(connection, "create table t as select 'abc' as a, 1.5 as b, current_timestamp() as c, [1] as d")
    assert [kind for kind, _ in types_of(connection, "t").values()] == [
        "VARCHAR(3)", "NUMBER(2,1)", "TIMESTAMP_LTZ(9)", "ARRAY",
    ]  # fmt: skip


def test_autoincrement_counts_from_its_start_by_its_step(connection: SnowflakeConnection) -> None:
    execute(connection, "create temporary table t (id int autoincrement, n int)")
    execute(connection, "create table u (id int identity(10, 5), n int)")
    for table in ("t", "u"):
        execute(connection, f"insert into {table} (n) values (1), (2)")
    assert rows(connection, "select id from t order by n") == [(1,), (2,)]
    assert rows(connection, "select id from u order by n") == [(10,), (15,)]


def test_a_temporary_table_may_be_replaced_by_a_query_of_itself(connection: SnowflakeConnection) -> None:
    execute(connection, "create temporary table t as select 1 as a")
    execute(connection, "create or replace temporary table t as select a + 1 as a from t")
    assert rows(connection, "select * from t") == [(2,)]


def test_a_temporary_table_hides_a_permanent_one_until_it_is_dropped(connection: SnowflakeConnection) -> None:
    execute(connection, "create table t as select 'kept' as a")
    execute(connection, "create temporary table t as select 'session' as a")
    assert rows(connection, "select * from t") == [("session",)]
    execute(connection, "drop table t")
    assert rows(connection, "select * from t") == [("kept",)]


def test_a_temporary_view_is_not_replaced_silently(connection: SnowflakeConnection) -> None:
    execute(connection, "create temporary view v as select 1 as a")
    with pytest.raises(ProgrammingError, match="already exists") as refused:
        execute(connection, "create temporary view v as select 2 as a")
    assert (refused.value.errno, refused.value.sqlstate) == (2002, "42710")


def test_two_dots_mean_the_schema_public(connection: SnowflakeConnection, schema: str) -> None:
    database = connection.database
    execute(connection, f"create table {database}..dotted_{schema} (a int)")
    execute(connection, f"insert into {database}..dotted_{schema} values (1)")
    assert rows(connection, f"select * from {database}.public.dotted_{schema}") == [(1,)]
    execute(connection, f"drop table if exists {database}..dotted_{schema}")


def test_the_condition_may_stand_behind_the_name(connection: SnowflakeConnection) -> None:
    execute(connection, 'create table t if not exists ("AS" bigint not null)')
    (answer,) = rows(connection, 'create table t if not exists ("AS" bigint not null)')
    assert answer == ("T already exists, statement succeeded.",)


def test_a_column_name_stands_once_in_a_table(connection: SnowflakeConnection) -> None:
    with pytest.raises(ProgrammingError, match="duplicate column name 'A'"):
        execute(connection, "create table t (a int, a int)")


def test_columns_of_a_table_may_differ_in_case_only(connection: SnowflakeConnection) -> None:
    execute(connection, """create table twins ("id" int, id int, "Id" varchar(5) comment 'label')""")
    execute(connection, "insert into twins values (1, 2, 'a'), (3, 4, 'b')")
    execute(connection, 'insert into twins (id, "Id") select "id" + 4, \'c\' from twins where "Id" = \'a\'')
    execute(connection, 'update twins set "id" = id + 10 where id = 5')
    execute(connection, 'create temporary table copied as select *, 0 as "iD" from twins')
    execute(connection, 'create view seen as select "Id", id, "id" from copied where "iD" = 0')
    assert rows(connection, 'select * from seen order by "id"') == [("a", 2, 1), ("b", 4, 3), ("c", 5, 15)]
    assert types_of(connection, "twins") == {
        "id": ("NUMBER(38,0)", "Y"), "ID": ("NUMBER(38,0)", "Y"), "Id": ("VARCHAR(5)", "Y"),
    }  # fmt: skip
    named = "select column_name from information_schema.columns where table_name = 'TWINS' order by ordinal_position"
    assert [name for (name,) in rows(connection, named)] == ["id", "ID", "Id"]


TWINS = [
    ('table "x" (i int)', "table X (i int)", "table or view {0}.X beside {0}.\"x\""),
    ('table "x" (i int)', "or replace table X as select 1 as i", "table or view {0}.X beside {0}.\"x\""),
    ('table "x" (i int)', "table if not exists X (i int)", "table or view {0}.X beside {0}.\"x\""),
    ("table X (i int)", 'view "x" as select 1 as i', "table or view {0}.\"x\" beside {0}.X"),
    ('view "x" as select 1 as i', "or replace view X as select 2 as i", "table or view {0}.X beside {0}.\"x\""),
    ('temporary table "x" (i int)', "temporary view X as select 2 as i", "table or view {0}.X beside {0}.\"x\""),
    ('temporary view "x" as select 1 as i', "temporary table X (i int)", "table or view {0}.X beside {0}.\"x\""),
    ('sequence "x"', "sequence X", "sequence {0}.X beside {0}.\"x\""),
]  # fmt: skip


@pytest.mark.parametrize(("there", "twin", "named"), TWINS)
def test_a_name_that_differs_in_case_only_is_refused_by_both_names(
    connection: SnowflakeConnection, schema: str, there: str, twin: str, named: str
) -> None:
    execute(connection, f"create {there}")
    with pytest.raises(ProgrammingError) as refused:
        execute(connection, f"create {twin}")
    assert (refused.value.errno, refused.value.sqlstate) == (2, "0A000")
    assert named.format(f"INTENTSCORE.{schema}") in str(refused.value)


def test_a_table_may_change_the_case_of_its_own_name_but_take_no_twins(connection: SnowflakeConnection) -> None:
    execute(connection, 'create table "x" as select 1 as i')
    execute(connection, "create table y (i int)")
    with pytest.raises(ProgrammingError, match=r'X beside .*"x"'):
        execute(connection, "alter table y rename to x")
    execute(connection, 'alter table "x" rename to X')
    assert rows(connection, "select * from x") == [(1,)]


def test_schemas_and_databases_that_differ_in_case_only_are_refused(
    connection: SnowflakeConnection, schema: str
) -> None:
    refusals = {
        f'schema "{schema.lower()}"': f'INTENTSCORE."{schema.lower()}" beside INTENTSCORE.{schema}',
        "schema main": "the name MAIN, which it uses itself",
        'database "intentscore"': '"intentscore" beside INTENTSCORE',
    }
    for statement, named in refusals.items():
        with pytest.raises(ProgrammingError, match="Unsupported feature") as refused:
            execute(connection, f"create {statement}")
        assert named in str(refused.value)


def test_stages_and_functions_may_differ_in_case_only(connection: SnowflakeConnection) -> None:
    execute(connection, 'create stage "held"')
    execute(connection, "create stage held")
    execute(connection, "create function \"next\"(a int) returns int as 'a + 1'")
    execute(connection, "create function next(a int) returns int as 'a + 2'")
    assert {row[1] for row in rows(connection, "show stages")} == {"held", "HELD"}
    assert rows(connection, 'select "next"(1), next(1)') == [(2, 3)]


def test_a_missing_table_is_named_as_it_was_written(connection: SnowflakeConnection, schema: str) -> None:
    for written in ("missing", f"{schema}.missing"):
        with pytest.raises(ProgrammingError, match=f"'{written.upper()}' does not exist or not authorized") as refused:
            execute(connection, f"select * from {written}")
        assert (refused.value.errno, refused.value.sqlstate) == (2003, "42S02")


def test_an_object_that_is_there_is_named_as_it_was_written(connection: SnowflakeConnection, schema: str) -> None:
    execute(connection, "create table visits (id int)")
    execute(connection, "create view seen as select id from visits")
    for statement, name in (("table", "VISITS (id int)"), ("view", "SEEN as select 1 as n")):
        for place in ("", f"INTENTSCORE.{schema}."):
            with pytest.raises(ProgrammingError, match=f"Object '{place}{name.split()[0]}' already exists"):
                execute(connection, f"create {statement} {place}{name}")


def test_a_clustering_key_is_told_as_it_was_written(connection: SnowflakeConnection) -> None:
    execute(connection, "create table visits (id int, day timestamp) cluster by ( cast(day as date), id)")
    (told,) = execute(connection, "select get_ddl('table', 'visits')").fetchone()
    assert "cluster by ( cast(day as date), id)" in told


def test_a_variant_becomes_what_its_column_holds(connection: SnowflakeConnection) -> None:
    execute(connection, "create table held (a array, o object, n int default 7)")
    execute(connection, """insert into held (o, a) select parse_json('{"x": 1}'), parse_json('[1, 2]')""")
    execute(connection, "insert into held values (null, null, default)")
    assert rows(connection, "select a[1], o:x, n from held order by o") == [("2", "1", 7), (None, None, 7)]
    for given, error in (
        ("array_construct(1), 'x', 1", "expecting OBJECT but got VARCHAR"),
        ("null, null, array_construct(1)", "expecting NUMBER\\(38,0\\) but got ARRAY for column N"),
        ("null, parse_json('[1]'), 1", "Failed to cast variant value"),
    ):
        with pytest.raises(ProgrammingError, match=error):
            execute(connection, f"insert into held select {given}")


def test_a_table_made_of_a_query_holds_numbers_of_38_digits(connection: SnowflakeConnection) -> None:
    execute(
        connection,
        "create table wide as select 99999999999999999999999999999999999999 as n, '55555555555555555555'::int as m",
    )
    assert rows(connection, "select n, m from wide") == [(10**38 - 1, 55555555555555555555)]
    assert types_of(connection, "wide")["N"] == ("NUMBER(38,0)", "Y")


@pytest.mark.parametrize(
    "statement", ["create table refused (a decfloat)", "alter table visits add column a vector(float, 3)"]
)
def test_a_type_that_the_engine_has_not_is_refused_by_name(connection: SnowflakeConnection, statement: str) -> None:
    execute(connection, "create table visits (id int)")
    with pytest.raises(ProgrammingError, match=r"does not support the type (DECFLOAT|VECTOR)"):
        execute(connection, statement)


def test_the_past_of_a_table_is_refused_by_name(connection: SnowflakeConnection) -> None:
    execute(connection, "create table visits (id int)")
    with pytest.raises(ProgrammingError, match="does not support Time Travel"):
        execute(connection, "select * from visits at(offset => -60)")


def test_a_view_has_no_bind_variables(connect: Callable[..., SnowflakeConnection], schema: str) -> None:
    cursor = connect(schema=schema, paramstyle="qmark").cursor()
    with pytest.raises(ProgrammingError, match="Bind variables not allowed in view"):
        cursor.execute("create view v as select ? as n", (1,))


def test_the_information_schema_knows_how_a_table_was_made(connection: SnowflakeConnection, schema: str) -> None:
    rows(connection, "CREATE TRANSIENT TABLE T (A INT) CLUSTER BY (A)")
    rows(connection, "CREATE VIEW V AS SELECT * FROM T")
    rows(connection, "CREATE DYNAMIC TABLE D TARGET_LAG = '1 day' WAREHOUSE = LOCAL_WH AS SELECT * FROM T")
    query = (
        "SELECT TABLE_NAME, TABLE_TYPE, IS_TRANSIENT, CLUSTERING_KEY, IS_DYNAMIC, LAST_ALTERED <= CURRENT_TIMESTAMP, "
        "TO_VARCHAR(CONVERT_TIMEZONE('UTC', LAST_ALTERED), 'YYYY' || ' UTC') LIKE '20% UTC' "
        f"FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = '{schema}' ORDER BY 1"
    )
    assert rows(connection, query) == [
        ("D", "BASE TABLE", "NO", None, "YES", True, True), ("T", "BASE TABLE", "YES", "LINEAR(A)", "NO", True, True),
        ("V", "VIEW", "NO", None, "NO", True, True),
    ]  # fmt: skip


def test_a_table_is_overwritten_by_a_query_over_itself(connection: SnowflakeConnection) -> None:
    rows(connection, "CREATE TABLE T AS SELECT * FROM VALUES (1), (2), (3) V(A)")
    rows(connection, "CREATE VIEW V AS SELECT A FROM T WHERE A >= (SELECT MAX(A) - 1 FROM T)")
    assert rows(connection, "INSERT OVERWRITE INTO T SELECT A * 10 FROM V") == [(2,)]
    rows(connection, "BEGIN")
    rows(connection, "INSERT INTO T VALUES (40)")
    rows(connection, "INSERT OVERWRITE INTO T SELECT A + 1 FROM T WHERE A > 20")
    rows(connection, "COMMIT")
    assert rows(connection, "SELECT A FROM T ORDER BY A") == [(31,), (41,)]


def test_a_statement_that_succeeds_has_no_sqlstate(connection: SnowflakeConnection) -> None:
    assert connection.cursor().execute("SELECT 1").sqlstate is None  # type: ignore[union-attr]


def test_a_view_names_each_column_once(connection: SnowflakeConnection) -> None:
    with pytest.raises(ProgrammingError, match="duplicate column name 'A'") as refused:
        execute(connection, "create view seen as select 1 as a, 2 as a")
    assert (refused.value.errno, refused.value.sqlstate) == (2025, "42S21")


def test_text_in_a_binary_column_is_hexadecimal(connect: Callable[..., SnowflakeConnection], schema: str) -> None:
    connection = connect(schema=schema, paramstyle="qmark")
    execute(connection, "create table held (id int, bytes binary)")
    execute(connection, "insert into held values (1, '0aff')")
    cursor = connection.cursor()
    cursor.executemany("insert into held values (?, ?)", [(2, b"\x01\x02"), (3, None)])  # told as text beside a NULL
    assert rows(connection, "select bytes from held order by id") == [(b"\x0a\xff",), (b"\x01\x02",), (None,)]
