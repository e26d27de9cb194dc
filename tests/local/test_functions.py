"""What Snowflake documents its functions to answer, asked through the connector."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import snowflake.connector
from snowflake.connector import ProgrammingError, SnowflakeConnection
from snowflake.snowpark import Session
from snowflake.snowpark.functions import window
from sqlglot import exp

from intentscore.local.engine import Endpoint
from intentscore.local.rewrites.macros import macro

SCALAR = [
    ("1 / 3", Decimal("0.333333")),
    ("2 / 3", Decimal("0.666667")),
    ("1.1::number(3,1) / 3.3::number(4,2)", Decimal("0.3333333")),
    ("div0(5, 0)", Decimal(0)),
    ("mod(7, 3)", 1),
    ("round(2.5)", 3),
    ("round(2.5, 0, 'HALF_TO_EVEN')", 2),
    ("trunc(-1.58, 1)", Decimal("-1.5")),
    ("ceil(1.2)", 2),
    ("width_bucket(5, 0, 10, 5)", 3),
    ("greatest(1, null)", None),
    ("nvl2(null, 'a', 'b')", "b"),
    ("decode(null, null, 'missing', 'there')", "missing"),
    ("equal_null(null, null)", True),
    ("zeroifnull(null)", 0),
    ("iff(1 > 0, 'yes', 'no')", "yes"),
    ("'2' + 3", 5),
    ("substr('snowflake', -5, 3)", "fla"),
    ("split_part('a.b.c', '.', -1)", "c"),
    ("split_part('a.b.c', '.', 0)", "a"),
    ("initcap('one tWO three')", "One Two Three"),
    ("lpad('7', 3, '0')", "007"),
    ("charindex('a', 'banana', 3)", 4),
    ("concat_ws('-', 'a', null, 'c')", None),
    ("regexp_replace('a1b22', '[0-9]+', '#')", "a#b#"),
    ("regexp_substr('a1b22', '[0-9]+', 1, 2)", "22"),
    ("regexp_count('a1b22', '[0-9]')", 3),
    ("'abc' regexp 'a.'", False),  # the whole text has to match
    ("translate('peter', 'pt', 'wd')", "weder"),
    ("editdistance('kitten', 'sitting')", 3),
    ("soundex('Robert')", "R163"),
    ("md5('a')", "0cc175b9c0f1b6a831c399e269772661"),
    ("base64_decode_string(base64_encode('Snow'))", "Snow"),
    ("try_to_number('x')", None),
    ("try_cast('x' as number(3, 1))", None),
    ("try_cast('1.25' as number(3, 1))", Decimal("1.3")),
    ("to_char(12.50::number(10,4))", "12.5000"),
    ("to_boolean('off')", False),
    ("try_cast('2024-02-30' as date)", None),
    ("as_decimal(to_variant(1.23), 6, 3)", Decimal("1.230")),
    ("to_binary('4A')", bytearray(b"J")),
    ("length(sha2('a', 512))", 128),
    ("sha2('', 224)", "d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f"),
    ("'1E+30'::number", 10**30),
    ("'12345678901234567890.5'::number", 12345678901234567891),
    ("1E+30::number", 10**30),
    ("greatest(column1, column2, 3) from values ('3.5', 2)", 3.5),
    ("to_char(to_decimal(column1, 10, 4)) from values ('1.5')", "1.5000"),
    ("to_json(to_variant('20:57:01.5'::time))", '"20:57:01"'),
    ("array_contains(5.5::float::variant, parse_json('[4.4, 5.5]'))", True),
    ("array_size(array_remove(parse_json('[4.4, 5.5, 5.5]')::array, 5.5))", 1),
]
DATES = [
    ("dateadd(month, 1, '2024-01-31'::date)", dt.date(2024, 2, 29)),
    ("dateadd(hour, 2, '2024-01-31'::date)", dt.datetime(2024, 1, 31, 2)),
    ("'2024-01-31'::date + interval '1 month, 1 week'", dt.date(2024, 3, 7)),
    ("'2024-01-31'::date - interval '1 minute'", dt.datetime(2024, 1, 30, 23, 59)),
    ("'2024-01-31'::timestamp + interval '2 q, 3 hours 4 us'", dt.datetime(2024, 7, 31, 3, 0, 0, 4)),
    ("to_date(column1, column2) from values ('31/01/2024', 'DD/MM/YYYY')", dt.date(2024, 1, 31)),
    ("try_to_timestamp(column1, column2) from values ('31 Jan', 'YYYY')", None),
    ("'2024-02-28'::date + 2", dt.date(2024, 3, 1)),
    ("'2024-03-01'::date - '2024-02-01'::date", 29),
    ("add_months('2024-02-29'::date, 12)", dt.date(2025, 2, 28)),
    ("datediff(month, '2024-01-31'::date, '2024-02-01'::date)", 1),
    ("datediff(year, '2023-12-31'::date, '2024-01-01'::date)", 1),
    ("months_between('2024-03-31'::date, '2024-02-29'::date)", Decimal("1.000000")),
    ("date_trunc('quarter', '2024-05-17'::date)", dt.date(2024, 4, 1)),
    ("last_day('2024-02-05'::date)", dt.date(2024, 2, 29)),
    ("next_day('2024-05-17'::date, 'Friday')", dt.date(2024, 5, 24)),
    ("dayofweek('2024-05-19'::date)", 0),
    ("dayofweekiso('2024-05-19'::date)", 7),
    ("dayname('2024-05-17'::date)", "Fri"),
    ("date_from_parts(2024, 13, 0)", dt.date(2024, 12, 31)),
    ("date_part(epoch_second, '2024-01-01'::timestamp)", 1704067200),
    ("to_date('17-MAY-2024')", dt.date(2024, 5, 17)),
    ("to_date('05/17/2024', 'MM/DD/YYYY')", dt.date(2024, 5, 17)),
    ("to_timestamp(1704067200)", dt.datetime(2024, 1, 1)),
    ("to_timestamp_ntz('Thu, 01 Feb 2024 00:00:00 -0600')", dt.datetime(2024, 2, 1)),
    ("to_time('20:57:01.123456+0700', 'HH24:MI:SS.FFTZHTZM')", dt.time(20, 57, 1, 123456)),
    ("to_varchar('2024-05-17 03:04:05'::timestamp, 'YYYY/MM/DD HH24:MI')", "2024/05/17 03:04"),
    ("time_slice('2024-05-17'::date, 2, 'MONTH', 'START')", dt.date(2024, 5, 1)),
]
SEMI_STRUCTURED = [
    ("parse_json('{\"a\": [1, 2.5]}'):a[1]::float", 2.5),
    ("get_path(parse_json('[[1, 2]]'), '[0][1]')::int", 2),
    ("typeof(parse_json('1.5'))", "DECIMAL"),
    ("typeof(parse_json('{}'))", "OBJECT"),
    ("array_size(array_construct(1, 2, 3))", 3),
    ("array_contains(2::variant, array_construct(1, 2.5, 2))", True),
    ("array_contains(9::variant, array_construct(1, 2))", False),
    ("array_position('b'::variant, array_construct('a', 'b'))", 1),
    ("array_to_string(array_construct(1, 2, 3), '; ')", "1; 2; 3"),
    ("array_to_string(array_slice([0, 1, 2, 3], 1, -1), ',')", "1,2"),
    ("array_to_string(array_distinct([2, 1, 2]), ',')", "2,1"),
    ("array_to_string(array_except([1, 2, 3], [2]), ',')", "1,3"),
    ("array_to_string(array_intersection([1, 2], [2, 3]), ',')", "2"),
    ("array_to_string(array_remove([1, 2, 1], 1), ',')", "2"),
    ("array_to_string(array_insert([1, 2], 1, 9), ',')", "1,9,2"),
    ("array_flatten([[1], null])", None),
    ("array_to_string(split('a-b', '-'), '+')", "a+b"),
    ("object_construct('b', 1, 'a', object_construct('d', 1, 'c', 2))::varchar", '{"a":{"c":2,"d":1},"b":1}'),
    ("array_to_string(object_keys(object_construct('b', 1, 'a', 2)), ',')", "a,b"),
    ("is_integer(to_variant(1))", True),
    ("is_null_value(parse_json('{\"a\": null}'):a)", True),
    ("check_json('[1, 2]')", None),
    ('json_extract_path_text(\'{"a": {"b": "c"}}\', \'a.b\')', "c"),
    ("json_extract_path_text(concat('{\"a\": ', '[1]}'), concat('a', '[0]'))", "1"),
    ("json_extract_path_text('{\"a\": null}', 'a')", None),
    ("try_parse_json('{')", None),
]
JSON = [
    ("object_construct('b', 1, 'a', 2, 'gone', null)", {"a": 2, "b": 1}),
    ("object_construct_keep_null('a', null)", {"a": None}),
    ("object_insert(object_construct('a', 1), 'b', 2)", {"a": 1, "b": 2}),
    ("object_delete(object_construct('a', 1, 'b', 2), 'b')", {"a": 1}),
    ("object_pick(object_construct('a', 1, 'b', 2), 'b')", {"b": 2}),
    (
        "object_construct('at', '2024-01-02'::timestamp_ntz, 'text', '2024-01-02 00:00:00')",
        {"at": "2024-01-02 00:00:00.000", "text": "2024-01-02 00:00:00"},
    ),
    ("array_construct('2024-01-02 03:04:05.6'::timestamp_ntz)", ["2024-01-02 03:04:05.600"]),
    (
        "object_construct('o', object_construct('at', '2024-01-02'::timestamp_ntz))",
        {"o": {"at": "2024-01-02 00:00:00.000"}},
    ),
    ("array_unique_agg(n) from (select 1 as n where false)", []),
    ("array_cat([1], ['x'])", [1, "x"]),
    ("to_geography('POINT(30 10)')", {"coordinates": [30, 10], "type": "Point"}),
    ("to_geometry('LINESTRING(1 2, 3 4)')", {"coordinates": [[1, 2], [3, 4]], "type": "LineString"}),
    ("strtok_to_array('a b')", ["a", "b"]),
]
AGGREGATES = [
    ("count(n)", 4),
    ("sum(n)", 9),
    ("avg(n)", Decimal("2.250000")),
    ("median(n)", Decimal("2.000")),
    ("var_pop(n)", Decimal("1.187500")),
    ("variance(n)", Decimal("1.583333")),
    ("stddev_pop(x)", pytest.approx(1.0897247)),
    ("count_if(n > 1)", 3),
    ("max_by(g, n)", "b"),
    ("mode(n)", 2),
    ("listagg(g, ',') within group (order by n, g)", "a,a,b,b"),
    ("listagg(distinct g, '''') within group (order by g desc)", "b'a"),
    ("listagg(distinct n * 5, ',') within group (order by n * 5)", "5,10,20"),  # as numbers, not as texts
    ("array_agg(distinct nullif(n, 1) * 5) within group (order by nullif(n, 1) * 5 desc)::varchar", "[20,10]"),
    ("listagg(nullif(g, 'a'), '-') within group (order by n)", "b-b"),
    ("listagg(distinct g) within group (order by g) over (partition by 1)", "ab"),
    ("booland_agg(n > 0)", True),
    ("array_size(array_agg(n))", 4),
    ("array_size(array_unique_agg(n))", 3),
    ("approx_percentile(n, 0.5)", 2.0),
    ("approx_percentile_estimate(approx_percentile_accumulate(n), 0.5)", 2.0),
    ("corr(n, x)", pytest.approx(1.0)),
    ("hash_agg(g, n) = hash_agg(g, n)", True),
    ("hash_agg(g) = hash_agg(distinct g)", False),  # each comes twice
    ("hash_agg(n) = hash_agg(distinct n)", False),
]
ROWS = "(select column1 as g, column2 as n, column2::float as x from values ('a', 1), ('a', 2), ('b', 2), ('b', 4))"


@pytest.fixture(scope="module")
def connection(engine: Endpoint) -> Iterator[SnowflakeConnection]:
    """One for the whole table: nothing is made."""
    with snowflake.connector.connect(**engine.connection_parameters()) as connection:
        yield connection


Value = Callable[[str], Any]


@pytest.fixture
def value(connection: SnowflakeConnection) -> Value:
    def value(text: str) -> Any:
        row = connection.cursor().execute(f"select {text}").fetchone()  # type: ignore[union-attr]
        assert isinstance(row, tuple)
        return row[0]

    return value


@pytest.mark.parametrize(("expression", "expected"), [*SCALAR, *DATES, *SEMI_STRUCTURED])
def test_a_function_answers_as_documented(value: Value, expression: str, expected: Any) -> None:
    assert value(expression) == expected


@pytest.mark.parametrize(("expression", "expected"), JSON)
def test_a_structure_is_printed_as_json_with_its_keys_in_order(value: Value, expression: str, expected: Any) -> None:
    printed = value(expression)
    assert json.loads(printed) == expected
    assert printed == json.dumps(expected, indent=2, sort_keys=True)


@pytest.mark.parametrize(("expression", "expected"), AGGREGATES)
def test_an_aggregate_answers_as_documented(value: Value, expression: str, expected: Any) -> None:
    assert value(f"{expression} from {ROWS}") == expected


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("1 / 0", "Division by zero"),
        ("'a'::int", "Numeric value 'a' is not recognized"),
        ("'12.5'::number(2, 1)", "Numeric value '12.5' is out of range"),
        ("123.5::number(3, 1)", "Number out of representable range"),
        ("'a' collate 'x;y'", "Invalid collation specification"),
        ("to_date('nonsense')", "Date 'nonsense' is not recognized"),
        ("parse_json('{')", "Error parsing JSON"),
        ("date_trunc('dow', current_date())", "not a valid date/time component"),
        ("nothing_of_this_name(1)", "Unknown function NOTHING_OF_THIS_NAME"),
        (f"missing + 1 from {ROWS}", "invalid identifier 'MISSING'"),
        (f"rank() over (partition by g) from {ROWS}", "requires ORDER BY in window specification"),
        ("is_array(column1) from values ('a')", "Invalid argument types for function 'IS_ARRAY'"),
        ("as_decimal('a')", "invalid type .VARCHAR.1.. for parameter 'AS_DECIMAL"),
        ("coalesce(n) from (select 1 as n)", "not enough arguments for function .COALESCE"),
        ("parse_json('\"Red\"')::int", 'Failed to cast variant value "Red" to FIXED'),
        ("to_decfloat(1)", "does not support the function TO_DECFLOAT"),
        ("1.5::decfloat", "does not support the type DECFLOAT"),
        ("to_file('@s/a.png')", "does not support the function TO_FILE"),
        ("parse_xml('<a/>')", "does not support the function PARSE_XML"),
        ("ai_complete('model', 'text')", "does not support the function AI_COMPLETE"),
        ("snowflake.cortex.sentiment('text')", "does not support the function SNOWFLAKE.CORTEX.SENTIMENT"),
        ("random('abc')", "Numeric value 'abc' is not recognized"),
        (f"row_number() over (partition by g) from {ROWS}", "requires ORDER BY in window specification"),
        (f"ntile(0) over (order by n) from {ROWS}", "NTILE argument must be at least 1"),
        (f"n from {ROWS} where sum(n) > 1", "Invalid aggregate function in where clause"),
        (
            f"sum(n) over (order by n range between interval '1 day' preceding and current row) from {ROWS}",
            "numeric ORDER BY clause only allows numeric window frame boundaries",
        ),
        ("'2024-01-31'::timestamp + interval '1 parsec'", "'parsec' is not a valid date/time component"),
        ("convert_timezone('UTC', 'Asia/Tokyo', current_timestamp())", "has to be a TIMESTAMP_NTZ"),
        ("to_date(column1, column2) from values ('31 Jan', 'YYYY')", "Can't parse '31 Jan' as timestamp with format"),
        (f"* ilike 'nothing%' from {ROWS}", "SELECT with no columns"),
    ],
)
def test_a_wrong_argument_is_refused_in_an_account_s_words(value: Value, expression: str, message: str) -> None:
    with pytest.raises(ProgrammingError, match=message):
        value(expression)


def test_the_mean_over_a_frame_of_rows_has_three_decimals_and_over_a_partition_six(value: Value) -> None:
    over = "avg(n) over (partition by g order by n{}) from {} qualify row_number() over (order by n desc) = 1"
    assert str(value(over.format("", ROWS))) == "3.000000"
    assert str(value(over.format(" rows between 1 preceding and current row", ROWS))) == "3.000"


def test_a_random_seed_gives_each_row_a_number_of_its_own(connection: SnowflakeConnection) -> None:
    rows = connection.cursor().execute(f"select random(7), random(7), random(8) from {ROWS}").fetchall()  # type: ignore[union-attr]
    assert all(first == second != other for first, second, other in rows)
    assert len({row[0] for row in rows}) == 4


def test_a_row_is_hashed_and_made_an_object_by_its_star(value: Value) -> None:
    assert json.loads(value(f"object_construct(*) from {ROWS} where n = 4")) == {"G": "b", "N": 4, "X": 4.0}
    assert value(f"count(distinct h) from (select hash(*) as h from {ROWS})") == 4


def test_a_hash_of_rows_takes_them_in_any_order_and_none_for_nothing(value: Value) -> None:
    assert value(f"hash_agg(*) from (select * from {ROWS} where false)") == 0
    upwards, downwards = (f"(select hash_agg(n) from (select n from {ROWS} order by n {way}))" for way in ("", "desc"))
    assert value(f"{upwards} = {downwards}") is True
    windows = f"(select g, hash_agg(n) over (partition by g) as h from {ROWS})"
    assert value(f"min(h) = (select hash_agg(n) from {ROWS} where g = 'b') from {windows} where g = 'b'") is True


def test_an_order_by_an_expression_over_an_alias(connection: SnowflakeConnection) -> None:
    query = f"select n + 0 as m from {ROWS} order by (m - 3) * (m - 3), m desc"
    rows = connection.cursor().execute(query).fetchall()  # type: ignore[union-attr]
    assert [m for (m,) in rows] == [4, 2, 2, 1]


def test_rows_are_ordered_by_expressions_over_a_column_s_alias(session: Session) -> None:
    rows = session.sql(
        "SELECT V, SUBSTRING(V, 3) AS LAST FROM VALUES ('1.2'), ('1.11'), ('1.7') T(V) ORDER BY ABS(8 - LAST), -LAST"
    ).collect()
    assert [row["LAST"] for row in rows] == ["7", "11", "2"]
    assert session.sql("SELECT -V AS N FROM VALUES ('2') T(V)").collect()[0]["N"] == -2


HAVING = [
    ("avg(n) > 1", ["b"]), ("average > 1", ["b"]), ("sum(n) / count(*) < 2", ["a"]), ("sum(n) * 2 > 2 and k < 'b'", []),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "kept"), HAVING)
def test_groups_are_chosen_by_what_is_reckoned_from_aggregates(
    connection: SnowflakeConnection, condition: str, kept: list[str]
) -> None:
    query = (
        "select k, avg(n) as average from (select 'a' as k, 1 as n union all select 'b', 2) group by k "
        f"having {condition}"
    )
    assert [row[0] for row in connection.cursor().execute(query).fetchall()] == kept  # type: ignore[union-attr]


def test_a_number_that_is_reckoned_is_not_looked_at_again() -> None:
    """Every macro with overloads around an expression has DuckDB bind it several times more."""
    days = macro("date_diff", exp.Literal.string("day"), exp.column("a"), exp.column("b"))
    assert macro("sf_number", days) is days
    assert macro("sf_operand", exp.column("a")) is not exp.column("a")
    moved = macro("sf_plus_days", exp.Literal.number(1), exp.column("a"))
    assert macro("sf_movable", moved) is moved


def test_moments_are_put_into_windows(session: Session) -> None:
    moments = session.create_dataframe([[dt.datetime(1970, 1, 1, 0, 0, 13)]], schema=["ts"])
    [(found,)] = moments.select(window(moments.ts, "10 seconds")).collect()
    assert json.loads(found) == {"start": "1970-01-01 00:00:10.000", "end": "1970-01-01 00:00:20.000"}
