"""A JSON null is a value of a VARIANT; SQL NULL is none.

Source: https://docs.snowflake.com/en/user-guide/semistructured-considerations
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import snowflake.connector
from snowflake.connector import SnowflakeConnection

from intentscore.local.engine import Endpoint, open_engine

Run = Callable[[str], list[tuple[Any, ...]]]
MANY = 70_000  # rows from which on DuckDB would store a VARIANT in columns of its own


@pytest.fixture
def run(connection: SnowflakeConnection) -> Run:
    return lambda text: list(connection.cursor().execute(text).fetchall())  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def shared(engine: Endpoint) -> Iterator[SnowflakeConnection]:
    """For what makes nothing."""
    with snowflake.connector.connect(**engine.connection_parameters()) as connection:
        yield connection


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("parse_json('null')", "null"),
        ("parse_json('{\"a\": null}'):a", "null"),
        ("parse_json('{\"a\": null}'):b", None),
        ('parse_json(\'{"a": {"b": null}}\'):a.b', "null"),
        ('parse_json(\'{"a": {"b": null}}\'):a.b.c', None),
        ("parse_json('[1, null]')[1]", "null"),
        ("parse_json('[1, null]')[2]", None),
        ("get(parse_json('[null]'), 0)", "null"),
        ("get_path(parse_json('{\"a\": [null]}'), 'a[0]')", "null"),
        ("parse_json('{\"a\": null}')::object['a']", "null"),
        ("parse_json(null)", None),
        ("parse_json('')", None),
        ("try_parse_json('null')", "null"),
        ("to_variant('null')", '"null"'),
        ("to_json(parse_json('null'))", "null"),
        ("to_json(to_variant('null'))", '"null"'),
        ("parse_json('null') is null", False),
        ("is_null_value(parse_json('null'))", True),
        ("is_null_value(to_variant(1))", False),
        ("is_null_value(parse_json('{\"a\": null}'):b)", None),
        ("typeof(parse_json('null'))", "NULL_VALUE"),
        ("typeof(parse_json('{\"a\": null}'):b)", None),
        ("is_array(parse_json('null'))", False),
        ("strip_null_value(parse_json('null'))", None),
        ("strip_null_value(parse_json('1'))", "1"),
        ("coalesce(parse_json('null'), to_variant(1))", "null"),
        ("coalesce(parse_json('null')::varchar, 'x')", "x"),
        ("parse_json('null') = parse_json('null')", True),
        ("parse_json('null') > 1", None),
        ("parse_json('null') not in ('x')", None),
    ],
)
def test_a_json_null_is_there_and_a_missing_element_is_not(
    shared: SnowflakeConnection, expression: str, expected: Any
) -> None:
    assert shared.cursor().execute(f"select {expression}").fetchone() == (expected,)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "kind",
    ["varchar", "int", "number(10, 2)", "float", "boolean", "date", "timestamp", "timestamp_tz", "time", "binary",
     "array", "object"],
)  # fmt: skip
def test_a_json_null_becomes_null_in_a_cast(shared: SnowflakeConnection, kind: str) -> None:
    assert shared.cursor().execute(f"select parse_json('null')::{kind}").fetchone() == (None,)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("array_construct(1, null, parse_json('null'))", "[1,undefined,null]"),
        ("array_construct(array_construct(null))", "[[undefined]]"),
        ("object_construct('a', array_construct(null), 'b', 'undefined')", '{"a":[undefined],"b":"undefined"}'),
        ("array_construct(null)::variant", "[undefined]"),
        ("parse_json(to_json(array_construct(null, parse_json('null'))))", "[undefined,null]"),
        ("array_append(array_construct(), null)", "[undefined]"),
        ("array_compact(array_construct(1, null, parse_json('null')))", "[1]"),
        ("array_construct_compact(1, null, parse_json('null'))", "[1,null]"),
        ("array_sort(array_construct(2, parse_json('null'), null, 1))", "[1,2,null,undefined]"),
        ("array_flatten(parse_json('[[1, null], [2]]'))", "[1,null,2]"),
        ("array_distinct(parse_json('[null, null]'))", "[null]"),
        ("array_except(array_construct(null, 1), array_construct(null))", "[1]"),
        ("object_construct('a', null, 'b', parse_json('null'))", '{"b":null}'),
        ("object_construct_keep_null('a', null)", '{"a":null}'),
        ("object_insert(object_construct(), 'a', parse_json('null'))", '{"a":null}'),
        ("object_insert(object_construct(), 'a', null)", "{}"),
    ],
)
def test_an_array_tells_a_json_null_from_an_element_without_a_value(
    shared: SnowflakeConnection, expression: str, expected: str
) -> None:
    printed, text = shared.cursor().execute(f"select {expression}, to_json({expression})").fetchone()  # type: ignore
    assert (printed.replace("\n", "").replace(" ", ""), text) == (expected, expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("array_construct(null)[0] is null", True),
        ("array_construct(null)::variant[0] is null", True),
        ("parse_json('[undefined]')[0] is null", True),
        ("object_construct_keep_null('a', null):a is null", False),
        ("array_size(array_construct(null, parse_json('null')))", 2),
        ("array_contains(parse_json('null'), parse_json('[1, null]'))", True),
        ("array_contains(parse_json('null'), array_construct(1, null))", False),
        ("array_contains(null::variant, array_construct(1, null))", True),
        ("array_contains(null::variant, parse_json('[null]'))", None),
        ("array_to_string(parse_json('[1, null, 2]'), ',')", "1,,2"),
        ("array_min(parse_json('[null, null]'))", "null"),
        ("array_min(array_construct(null, null))", None),
    ],
)
def test_an_element_is_found_as_what_it_is(shared: SnowflakeConnection, expression: str, expected: Any) -> None:
    assert shared.cursor().execute(f"select {expression}").fetchone() == (expected,)  # type: ignore[union-attr]


@pytest.fixture
def values(run: Run) -> None:
    run("create table held (n int, v variant)")
    run(
        "insert into held select column1, parse_json(column2) "
        "from values (1, 'null'), (2, null), (3, '{\"a\": null}'), (4, '5'), (5, 'null')"
    )


@pytest.mark.usefixtures("values")
def test_a_table_keeps_json_nulls_apart_in_groups_counts_and_order(run: Run) -> None:
    assert run("select n from held where v is null") == [(2,)]
    assert run("select n from held where v:a is not null") == [(3,)]
    assert run("select n from held where is_null_value(v) order by n") == [(1,), (5,)]
    assert run("select v, count(*) from held where n <> 3 group by v order by count(*), v") == [
        ("5", 1), (None, 1), ("null", 2),
    ]  # fmt: skip
    assert run("select n from held where n <> 3 order by v, n") == [(4,), (1,), (5,), (2,)]
    assert run("select count(v), count(distinct v), count(v:a), count(*) from held") == [(2, 2, 0, 5)]
    assert run("select array_size(array_agg(v)), sum(iff(v > 0, 1, 0)) from held where n <> 3") == [(3, 1)]
    assert run("select n, case when v > 0 then 'more' end from held where n in (1, 4)") == [(1, None), (4, "more")]
    assert run("select l.n, r.n from held l join held r on l.v = r.v and l.n < r.n") == [(1, 5)]
    run("delete from held where v > 0 and n <> 3")
    run("update held set v = parse_json('null') where v is null")
    assert run("select n from held where v is null or n = 4") == []


def test_flatten_gives_json_nulls_and_elements_without_a_value(run: Run) -> None:
    assert run("select value, value is null from table(flatten(parse_json('[1, null]')))") == [
        ("1", False), ("null", False),
    ]  # fmt: skip
    assert run("select value, value is null from table(flatten(array_construct(1, null)))") == [
        ("1", False), (None, True),
    ]  # fmt: skip
    assert run("select key, value from table(flatten(parse_json('{\"a\": null}')))") == [("a", "null")]


def test_files_bring_their_json_nulls(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"n": 1, "v": null}\n{"n": 2}\n')
    pq.write_table(pa.table({"n": [1, 2], "v": ["null", None]}), tmp_path / "b.parquet")
    for text in ("create stage files", f"put 'file://{tmp_path}/*' @files auto_compress = false",
                 "create table whole (v variant)", "create table parts (n int, v variant)",
                 "copy into whole from @files/a.json file_format = (type = json)",
                 "copy into parts from (select $1:n, $1:v from @files/a.json) file_format = (type = json)",
                 ):  # fmt: skip
        run(text)
    assert run("select v:v, v:v is null from whole order by v:n") == [("null", False), (None, True)]
    assert run("select v, v is null from parts order by n") == [("null", False), (None, True)]
    run("truncate table parts")
    run("copy into parts from @files/b.parquet file_format = (type = parquet) match_by_column_name = case_insensitive")
    assert run("select v is null from parts order by n") == [(False,), (True,)]


def test_files_and_earlier_results_keep_what_was_there(run: Run, tmp_path: Path) -> None:
    run("create stage files")
    made = "select array_construct(1, null, parse_json('null'))"
    run(f"copy into @files/a.json from ({made}) file_format = (type = json compression = none) single = true")
    run(f"get @files/a.json 'file://{tmp_path}'")
    assert (tmp_path / "a.json").read_text() == "[1,null,null]\n"
    run(made)
    assert run("select parse_json($1)[0], parse_json($1)[1] is null from table(result_scan(last_query_id()))") == [
        ("1", True)
    ]


def test_json_nulls_of_many_rows_are_still_there_after_a_restart(tmp_path: Path) -> None:
    made = "create table many as select parse_json(decode(seq4() % 3, 0, 'null', 1, '1')) v"
    counted = "select v is null, is_null_value(v), count(*) from many group by all"
    third = MANY // 3
    for statements in ([f"{made} from table(generator(rowcount => {MANY}))", counted], [counted]):
        with (
            open_engine(tmp_path, lambda _: None) as engine,
            snowflake.connector.connect(**engine.connection_parameters()) as connection,
        ):
            found = [connection.cursor().execute(text).fetchall() for text in statements][-1]  # type: ignore[union-attr]
        assert sorted(found, key=str) == [(False, False, third), (False, True, third + 1), (True, None, third)]
