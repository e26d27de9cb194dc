from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from snowflake.connector import ProgrammingError, SnowflakeConnection

Run = Callable[[str], list[tuple[Any, ...]]]


def execute(connection: SnowflakeConnection, text: str) -> Any:
    return connection.cursor().execute(text)


@pytest.fixture
def run(connection: SnowflakeConnection) -> Run:
    return lambda text: list(execute(connection, text).fetchall())


def test_using_shows_its_columns_first_and_once(connection: SnowflakeConnection, run: Run) -> None:
    run("create table l as select 1 as x, 2 as id")
    run("create table r as select 3 as y, 2 as id")
    cursor = execute(connection, "select * from (l inner join r using (id))")
    assert [column.name for column in cursor.description] == ["ID", "X", "Y"]
    assert cursor.fetchall() == [(2, 1, 3)]


def test_an_inner_join_without_a_condition_is_the_cross_product(run: Run) -> None:
    assert run("select * from (select 1 as a) as l inner join (select 2 as b) as r") == [(1, 2)]


def test_asof_join_matches_the_last_row_before_within_its_group(run: Run) -> None:
    query = """
        select * from (select column1 as id, column2 as t from values (1, 10), (2, 10)) as v
        asof join (select column1 as id, column2 as s from values (1, 5), (1, 9), (1, 11)) as w
        match_condition (v.t >= w.s) using (id) order by id"""
    assert run(query) == [(1, 10, 9), (2, 10, None)]


def test_asof_join_takes_one_comparison(run: Run) -> None:
    with pytest.raises(ProgrammingError, match="Only comparison operators '>=', '>', '<=' and '<' are allowed"):
        run("""select * from (select 1 as a) as l asof join (select 1 as b) as r
               match_condition (l.a >= r.b and l.a = r.b)""")


@pytest.fixture
def sales(run: Run) -> None:
    run("create table sales (id int, month varchar, amount int)")
    run("insert into sales values (1, 'JAN', 10), (1, 'FEB', 20), (2, 'JAN', 5)")


@pytest.mark.usefixtures("sales")
@pytest.mark.parametrize("values", ["any", "any order by month desc", "select month from sales"])
def test_a_pivot_finds_its_values(run: Run, connection: SnowflakeConnection, values: str) -> None:
    cursor = execute(connection, f"select * from sales pivot (sum(amount) for month in ({values})) order by id")
    named = [dict(zip([c.name for c in cursor.description], row, strict=True)) for row in cursor.fetchall()]
    assert named == [{"ID": 1, "'JAN'": 10, "'FEB'": 20}, {"ID": 2, "'JAN'": 5, "'FEB'": None}]


@pytest.mark.usefixtures("sales")
def test_a_pivot_fills_its_gaps_on_demand(run: Run) -> None:
    query = "select * from sales pivot (sum(amount) for month in ('JAN', 'FEB') default on null (0)) order by id"
    assert run(query) == [(1, 10, 20), (2, 5, 0)]


@pytest.mark.parametrize(
    ("frame", "message"),
    [("1 following and current row", "Invalid window frame"),
     ("interval '1 day' preceding and 1 following", "Mixing numeric and interval frames is not supported")],
)  # fmt: skip
def test_a_window_frame_must_make_sense(run: Run, frame: str, message: str) -> None:
    with pytest.raises(ProgrammingError, match=message):
        run(f"select count(*) over (order by a range between {frame}) from (select 1 as a)")


def test_a_sample_has_at_most_a_million_rows(run: Run) -> None:
    assert run("select count(*) from (select 1 as a) sample block (100)") == [(1,)]
    with pytest.raises(ProgrammingError, match="between 0 and 1000000"):
        run("select * from (select 1 as a) sample (1000001 rows)")


def test_an_update_counts_rows_matched_several_times(run: Run) -> None:
    run("create table t as select column1 as id, 0 as n from values (1), (2)")
    update = "update t set n = s.n from (select * from values (1, 5), (1, 6), (2, 7) as v (id, n)) s where t.id = s.id"
    assert run(update) == [(2, 1)]
    run("alter session set ERROR_ON_NONDETERMINISTIC_UPDATE = true")
    with pytest.raises(ProgrammingError, match="Duplicate row detected during DML action") as refused:
        run(update)
    assert refused.value.errno == 100090


def test_rows_of_one_query_go_into_several_tables(run: Run) -> None:
    run("create table few (n int)")
    run("create table many (n int, label varchar)")
    source = "select column1 as n from values (1), (5), (9)"
    assert run(f"insert all into few into many (n) values (n * 10) {source}") == [(3, 3)]
    run(f"insert overwrite first when n < 4 then into few when n < 6 then into many values (n, 'mid') "
        f"else into many (label) values ('high') {source}")  # fmt: skip
    assert run("select * from few") == [(1,)]
    assert run("select * from many order by n") == [(5, "mid"), (None, "high")]


def test_values_that_do_not_match_the_columns_are_counted(run: Run) -> None:
    run("create table t (a int, b int)")
    message = "Insert value list does not match column list expecting 2 but got 3"
    with pytest.raises(ProgrammingError, match=message) as refused:
        run("insert into t values (1, 2, 3)")
    assert (refused.value.errno, refused.value.sqlstate) == (2020, "42601")


def test_an_ungrouped_column_is_refused(run: Run) -> None:
    with pytest.raises(ProgrammingError, match="is not a valid group by expression") as refused:
        run("select a, sum(b) from (select 1 as a, 2 as b)")
    assert refused.value.errno == 979


def test_a_natural_join_without_a_shared_column_pairs_all_rows(run: Run) -> None:
    run("create table l as select column1 as x from values (1), (2)")
    run("create table r as select column1 as y from values (3), (4)")
    assert sorted(run("select * from l natural join r")) == [(1, 3), (1, 4), (2, 3), (2, 4)]
    run("create table s as select 2 as x, 5 as z")
    assert run("select * from l natural join s") == [(2, 5)]
