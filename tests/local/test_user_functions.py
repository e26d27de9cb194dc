from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from snowflake.snowpark import Session
from snowflake.snowpark.exceptions import SnowparkSQLException
from snowflake.snowpark.functions import col, pandas_udtf
from snowflake.snowpark.types import FloatType, IntegerType, PandasDataFrameType, PandasSeriesType

from intentscore.local.workers import Definition, Workers

PYTHON = "LANGUAGE PYTHON RUNTIME_VERSION = 3.11"


@pytest.fixture
def numbers(session: Session) -> None:
    rows = ", ".join(f"({n}, {n % 3})" for n in range(10))
    session.sql(f"CREATE TABLE T (A INT, B INT) AS SELECT * FROM VALUES {rows}").collect()


def create(session: Session, head: str, code: str, handler: str = "f", more: str = "", kind: str = "FUNCTION") -> None:
    session.sql(f"CREATE {kind} {head} {PYTHON} {more} HANDLER = '{handler}' AS $$\n{code}\n$$").collect()


def rows(session: Session, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in session.sql(query).collect()]


@pytest.mark.usefixtures("numbers")
def test_a_function_is_called_anywhere_in_a_query(session: Session, schema: str) -> None:
    create(session, "PLUS(X INT, Y INT DEFAULT 1) RETURNS INT", "def f(x, y):\n    return x + y")
    assert rows(session, "SELECT A, PLUS(A) FROM T WHERE PLUS(A, 2) > 10 ORDER BY PLUS(A) DESC") == [(9, 10)]
    assert rows(session, f"SELECT {schema}.PLUS(x => PLUS(1), y => 5), SUM(PLUS(A)) FROM T") == [(7, 55)]
    session.sql("CREATE TABLE U AS SELECT PLUS(A) AS P FROM T").collect()
    assert rows(session, "SELECT MAX(P) FROM U") == [(10,)]


@pytest.mark.usefixtures("numbers")
def test_the_overload_of_a_function_is_chosen_by_the_types_of_its_arguments(session: Session) -> None:
    create(session, "KIND(X INT) RETURNS STRING", "def f(x):\n    return f'number {x}'")
    create(session, "KIND(X STRING) RETURNS STRING", "def f(x):\n    return f'text {x}'")
    assert rows(session, "SELECT KIND(A), KIND('a') FROM T WHERE A = 4") == [("number 4", "text a")]


def test_null_is_none_and_a_strict_function_is_not_called_with_it(session: Session) -> None:
    create(session, "SEES(X INT) RETURNS STRING", "def f(x):\n    return repr(x)")
    create(session, "STRICTLY(X INT) RETURNS STRING", "def f(x):\n    return repr(x)", more="STRICT")
    assert rows(session, "SELECT SEES(NULL), STRICTLY(NULL), STRICTLY(1)") == [("None", None, "1")]


def test_semi_structured_values_are_python_values(session: Session) -> None:
    code = "def f(x):\n    return {'kind': type(x).__name__, 'again': x}"
    create(session, "TELLS(X VARIANT) RETURNS VARIANT", code)
    assert rows(session, "SELECT TELLS(PARSE_JSON('[1]')):kind::STRING, TELLS(PARSE_JSON('[1]')):again[0]::INT") == [
        ("list", 1)
    ]


def test_a_function_tells_a_json_null_from_sql_null(session: Session) -> None:
    code = "def f(x):\n    return 'SQL' if hasattr(x, 'is_sql_null') else repr(x)"
    create(session, "SEES(X VARIANT) RETURNS STRING", code)
    create(session, "STRICTLY(X VARIANT) RETURNS STRING", code, more="STRICT")
    given = "SELECT COLUMN1 AS N, PARSE_JSON(COLUMN2) AS X FROM VALUES (1, 'null'), (2, NULL), (3, '[undefined]')"
    assert rows(session, f"SELECT SEES(X), STRICTLY(X) FROM ({given}) ORDER BY N") == [
        ("None", "None"), ("SQL", None), ("[None]", "[None]"),
    ]  # fmt: skip
    create(session, "SAME(X VARIANT) RETURNS VARIANT", "def f(x):\n    return x")
    assert rows(session, f"SELECT SAME(X), SAME(X) IS NULL FROM ({given}) WHERE N < 3 ORDER BY N") == [
        ("null", False), (None, True),
    ]  # fmt: skip


@pytest.mark.usefixtures("numbers")
def test_an_exception_in_a_function_is_told_as_a_traceback(session: Session) -> None:
    create(session, "FAILS(X INT) RETURNS INT", "def f(x):\n    return 1 // (x - 5)")
    with pytest.raises(SnowparkSQLException) as failure:
        session.sql("SELECT FAILS(A) FROM T").collect()
    assert failure.value.sql_error_code == 100357
    assert "ZeroDivisionError" in failure.value.message
    assert "in function FAILS with handler f" in failure.value.message


@pytest.mark.usefixtures("numbers")
def test_a_vectorized_function_gets_tables(session: Session) -> None:
    code = (
        "import pandas\nfrom _snowflake import vectorized\n@vectorized(input=pandas.DataFrame)\n"
        "def f(df):\n    return df[0] * df[1]"
    )
    create(session, "TIMES(X INT, Y FLOAT) RETURNS FLOAT", code, more="PACKAGES = ('pandas')")
    assert rows(session, "SELECT SUM(TIMES(A, 0.5)) FROM T") == [(22.5,)]
    registered = session.udf.register(
        lambda x: x + 1,
        return_type=PandasSeriesType(IntegerType()),
        input_types=[PandasSeriesType(IntegerType())],
        packages=["pandas"],
    )
    assert session.table("T").select(registered(col("A"))).to_pandas().iloc[:, 0].sum() == 55


AGGREGATE = """
class Total:
    def __init__(self):
        self.sum = 0
    @property
    def aggregate_state(self):
        return self.sum
    def accumulate(self, x):
        self.sum += x
    def merge(self, other):
        self.sum += other
    def finish(self):
        return self.sum
"""


@pytest.mark.usefixtures("numbers")
def test_an_aggregate_function_works_on_groups_and_windows(session: Session) -> None:
    create(session, "TOTAL(X INT) RETURNS INT", AGGREGATE, "Total", kind="AGGREGATE FUNCTION")
    assert rows(session, "SELECT B, TOTAL(A) FROM T GROUP BY B ORDER BY B") == [(0, 18), (1, 12), (2, 15)]
    assert rows(session, "SELECT TOTAL(DISTINCT B), TOTAL(A) FROM T WHERE A < 5") == [(3, 10)]
    assert rows(session, "SELECT TOTAL(A) OVER (PARTITION BY B) FROM T WHERE A = 7") == [(7,)]


def test_the_columns_of_a_vectorized_function_have_the_documented_pandas_types(session: Session) -> None:
    code = "def f(table):\n    return table[0].map(lambda _: ' '.join(str(kind) for kind in table.dtypes))"
    session.sql(
        f"CREATE FUNCTION KINDS(A INT, B INT, C BOOLEAN, D DATE, E TIME) RETURNS STRING {PYTHON} "
        f"PACKAGES = ('pandas') HANDLER = 'g' AS $$\nfrom _snowflake import vectorized\nimport pandas\n"
        f"{code}\n@vectorized(input=pandas.DataFrame)\ndef g(table):\n"
        "    table.columns = range(5)\n    return f(table)\n$$"
    ).collect()
    ((kinds,),) = rows(session, "SELECT KINDS(4096, 1048576, TRUE, '2024-01-31'::DATE, '10:20:30'::TIME)")
    assert kinds.split() == ["int16", "int32", "boolean", "datetime64[s]", "timedelta64[us]"]


COLLECT = """
class Collect:
    def __init__(self):
        self.seen = []
    @property
    def aggregate_state(self):
        return self.seen
    def accumulate(self, x):
        self.seen = self.seen + [x]
    def merge(self, other):
        self.seen = self.seen + other
    def finish(self):
        return {'seen': self.seen}
"""


@pytest.mark.usefixtures("numbers")
def test_an_aggregate_function_takes_and_gives_semi_structured_values(session: Session) -> None:
    create(session, "SEEN(X ARRAY) RETURNS OBJECT", COLLECT, "Collect", kind="AGGREGATE FUNCTION")
    assert rows(session, "SELECT SEEN(ARRAY_CONSTRUCT(A)):seen[0][0]::INT FROM T WHERE A = 4") == [(4,)]


def test_handlers_run_again_after_the_process_they_are_forked_from_was_killed(tmp_path: Path) -> None:
    workers = Workers(tmp_path)
    with contextlib.closing(workers):
        for name in ("BEFORE", "AFTER"):
            code = f"def f():\n    return '{name}'"
            definition = Definition("FUNCTION", name, "f", code, (), (), (("", "VARCHAR", "VARCHAR"),))
            with workers.lease(definition) as worker:
                assert worker.is_alive
            assert workers._source is not None
            workers._source.kill()
            workers._source.wait()


TABLE_FUNCTION = """
class Evens:
    def __init__(self):
        self.seen = 0
    def process(self, x):
        self.seen += 1
        if x % 2 == 0:
            yield x, 'even'
    def end_partition(self):
        yield self.seen, 'seen'
"""


@pytest.mark.usefixtures("numbers")
def test_a_table_function_works_by_partition(session: Session) -> None:
    create(session, "EVENS(X INT) RETURNS TABLE (N INT, WHAT STRING)", TABLE_FUNCTION, "Evens")
    assert rows(session, "SELECT * FROM TABLE(EVENS(4))") == [(4, "even"), (1, "seen")]
    joined = "SELECT T.A, T.B, E.* FROM T, TABLE(EVENS(A) OVER (PARTITION BY B ORDER BY A)) E WHERE B = 1"
    assert rows(session, joined) == [(4, 1, 4, "even"), (None, 1, 3, "seen")]
    assert session.table("T").join_table_function("EVENS", col("A")).count() == 6


@pytest.mark.usefixtures("numbers")
def test_a_vectorized_table_function_gets_its_partition_as_a_table(session: Session) -> None:
    class Mean:
        def end_partition(self, df):  # type: ignore[no-untyped-def]
            return pd.DataFrame({"B": [df.iloc[0, 0]], "MEAN": [df.iloc[:, 1].mean()]})

    mean = pandas_udtf(
        Mean,
        output_schema=PandasDataFrameType([IntegerType(), FloatType()], ["GROUPED", "MEAN"]),
        input_types=[PandasDataFrameType([IntegerType(), IntegerType()])],
        packages=["pandas"],
        session=session,
    )
    found = session.table("T").select(mean("B", "A").over(partition_by="B")).sort("GROUPED").collect()
    assert [tuple(row) for row in found] == [(0, 4.5), (1, 4.0), (2, 5.0)]


@pytest.mark.usefixtures("numbers")
def test_sql_functions_are_expressions_and_tables(session: Session) -> None:
    session.sql("CREATE FUNCTION HALF(X FLOAT) RETURNS FLOAT AS 'x / 2'").collect()
    session.sql("CREATE FUNCTION BELOW(N INT) RETURNS INT AS 'SELECT COUNT(*) FROM T WHERE A < N'").collect()
    session.sql("CREATE FUNCTION FIRSTS(N INT) RETURNS TABLE (K INT) AS 'SELECT A FROM T WHERE A < N'").collect()
    assert rows(session, "SELECT HALF(3) + 1, BELOW(4)") == [(2.5, 4)]
    assert rows(session, "SELECT SUM(K) FROM TABLE(FIRSTS(4))") == [(6,)]


def test_functions_are_listed_described_and_told_as_ddl(session: Session) -> None:
    create(session, "LISTED(A INT) RETURNS INT", "def f(a):\n    return a", more="COMMENT = 'what it does'")
    shown = session.sql("SHOW USER FUNCTIONS LIKE 'LISTED'").collect()[0]
    assert (shown["arguments"], shown["language"]) == ("LISTED(NUMBER) RETURN NUMBER", "PYTHON")
    assert dict(rows(session, "DESCRIBE FUNCTION LISTED(INT)"))["handler"] == "f"
    ddl = session.sql("SELECT GET_DDL('FUNCTION', 'LISTED(INT)')").collect()[0][0]
    assert "COMMENT='what it does'" in ddl
    session.sql("DROP FUNCTION LISTED(INT)").collect()
    session.sql(ddl).collect()
    assert rows(session, "SELECT LISTED(5)") == [(5,)]


def test_a_function_outlives_its_session_unless_it_is_temporary(session: Session, schema: str, connect: Any) -> None:
    create(session, "STAYS() RETURNS INT", "def f():\n    return 1")
    create(session, "GOES() RETURNS INT", "def f():\n    return 2", kind="TEMPORARY FUNCTION")
    other = connect(schema=schema).cursor()
    assert other.execute("SELECT STAYS()").fetchall() == [(1,)]
    with pytest.raises(Exception, match="Unknown function GOES"):
        other.execute("SELECT GOES()")


def test_a_view_over_a_python_function_computes_when_it_is_read(session: Session) -> None:
    create(session, "NEXT(X INT) RETURNS INT", "def f(x):\n    return x + 1")
    session.sql("CREATE TABLE T (A INT)").collect()
    session.sql("CREATE VIEW V AS SELECT NEXT(A) AS B FROM T").collect()
    session.sql("INSERT INTO T VALUES (1), (2)").collect()
    assert rows(session, "SELECT B FROM V ORDER BY B") == [(2,), (3,)]


def test_a_table_function_takes_and_gives_semi_structured_values(session: Session) -> None:
    code = """
class Echo:
    def process(self, v, a, o):
        assert v == 'x' and a == [1, 'b'] and o == {'k': 2}
        yield v, a, o"""
    create(session, "ECHO(V VARIANT, A ARRAY, O OBJECT) RETURNS TABLE (V2 VARIANT, A2 ARRAY, O2 OBJECT)", code, "Echo")
    given = "SELECT TO_VARIANT('x') AS V, ARRAY_CONSTRUCT(1, 'b') AS A, OBJECT_CONSTRUCT('k', 2) AS O"
    [found] = rows(session, f"SELECT R.* FROM ({given}) AS T, TABLE(ECHO(T.V, T.A, T.O)) AS R")
    assert [json.loads(cell) for cell in found] == ["x", [1, "b"], {"k": 2}]


def test_built_in_functions_are_listed_beside_those_of_users(session: Session) -> None:
    create(session, "TOTAL(A INT) RETURNS INT", "def f(a): return a")
    aggregates = rows(session, """SHOW FUNCTIONS ->> SELECT "name" FROM $1 WHERE "is_aggregate" = 'Y'""")
    assert {("SUM",), ("COUNT",), ("LISTAGG",)} <= set(aggregates)
    listed = [(row["name"], row["is_builtin"]) for row in session.sql("SHOW FUNCTIONS LIKE 'TO%A%'").collect()]
    assert {("TO_VARIANT", "Y"), ("TOTAL", "N")} <= set(listed)
    assert [row["name"] for row in session.sql("SHOW USER FUNCTIONS LIKE 'TO%'").collect()] == ["TOTAL"]
    assert "TOTAL" not in {row["name"] for row in session.sql("SHOW BUILTIN FUNCTIONS").collect()}
