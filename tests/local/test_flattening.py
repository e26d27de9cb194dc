from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection

Run = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def run(connection: SnowflakeConnection) -> Run:
    return lambda text: list(connection.cursor().execute(text).fetchall())  # type: ignore[union-attr]


@pytest.fixture
def baskets(run: Run) -> None:
    """Three baskets, two of them alike, as nothing but SEQ can tell."""
    run(
        "create table baskets as select column1 as shop, parse_json(column2) as items "
        "from values ('a', '[[1, 2], [1]]'), ('b', '[[3]]'), ('a', '[[1, 2], [1]]')"
    )


@pytest.mark.usefixtures("baskets")
def test_seq_tells_the_records_apart_that_the_elements_come_from(run: Run) -> None:
    counted = "select count(*) from baskets, lateral flatten(items) f group by f.seq order by 1"
    assert run(counted) == [(1,), (2,), (2,)]
    everything = run("select * from baskets b join table(flatten(input => b.items)) f")
    assert sorted(len([row for row in everything if row[2] == seq]) for seq in {row[2] for row in everything}) == [
        1, 2, 2,
    ]  # fmt: skip
    assert run("select count(distinct seq) from baskets, table(split_to_table(shop || ',x', ','))") == [(3,)]


@pytest.mark.usefixtures("baskets")
def test_seq_of_elements_of_elements_and_of_joined_records(run: Run) -> None:
    nested = "from baskets b, lateral flatten(b.items) f, lateral flatten(f.value) g"
    assert run(f"select count(distinct g.seq), count(distinct f.seq), count(*) {nested}") == [(5, 3, 7)]
    joined = "from baskets l join baskets r on l.shop = r.shop, lateral flatten(l.items) f"
    assert run(f"select count(distinct f.seq), count(*) {joined}") == [(5, 9)]


@pytest.mark.usefixtures("baskets")
def test_a_star_shows_no_more_columns_than_there_are(connection: SnowflakeConnection) -> None:
    def names(query: str) -> list[str]:
        cursor = connection.cursor().execute(query)
        assert cursor is not None
        return [column.name for column in cursor.description]

    flattened = ["SEQ", "KEY", "PATH", "INDEX", "VALUE", "THIS"]
    assert names("select * from baskets, lateral flatten(items) f") == ["SHOP", "ITEMS", *flattened]
    assert names("select b.*, f.seq from baskets b left join lateral flatten(items) f") == ["SHOP", "ITEMS", "SEQ"]
    assert names("select * exclude shop from baskets, lateral flatten(items) f") == ["ITEMS", *flattened]
