from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from snowflake.ml.model import ModelVersion
from snowflake.ml.registry import Registry
from snowflake.snowpark import Session
from snowflake.snowpark.exceptions import SnowparkSQLException

from intentscore.local.engine import Endpoint
from tests.local import models

pytestmark = pytest.mark.filterwarnings("ignore:When invoking partitioned", "ignore:is_datetime64tz_dtype")
VISITS = models.visits(60, seed=3)
BOOSTER = models.booster()
SCORES = np.asarray(BOOSTER.predict(VISITS[models.FEATURES]))


@pytest.fixture(scope="module")
def session(engine: Endpoint) -> Iterator[Session]:
    """One schema with a table of visits and the models, for all the tests here."""
    with Session.builder.configs(engine.connection_parameters()).create() as session:
        session.sql("CREATE SCHEMA INFERENCE").collect()
        session.use_schema("INFERENCE")
        models.log(session, BOOSTER, "INTENT")
        models.log(
            session,
            models.Shapes(),
            "SHAPES",
            sample_input_data=None,
            signatures={"predict": models.shapes_signature()},
        )
        numbers = pd.DataFrame({"KIND": ["a", "a", "b"], "N": [1, 2, 3]})
        models.log(
            session, models.Totals(), "TOTALS", sample_input_data=numbers[["N"]],
            options={"function_type": "TABLE_FUNCTION", "relax_version": False},
        )  # fmt: skip
        session.write_pandas(numbers, "NUMBERS", auto_create_table=True)
        session.write_pandas(VISITS.assign(ID=range(60)), "VISITS", auto_create_table=True)
        yield session


CALL = "MODEL(INTENT, V1)!PREDICT(PAGE_VALUES, EXIT_RATES):output_feature_0::FLOAT"


def scores(session: Session, query: str) -> list[float]:
    return [float(row[0]) for row in session.sql(query).collect()]


def test_scores_stand_beside_their_rows(session: Session) -> None:
    found = session.sql(f"SELECT ID, {CALL} AS SCORE, ID + 1 AS NEXT FROM VISITS ORDER BY ID").to_pandas()
    assert found["SCORE"].to_list() == pytest.approx(list(SCORES))
    assert found["NEXT"].to_list() == list(range(1, 61))


def test_a_default_version_is_called_by_the_models_name(session: Session) -> None:
    query = "SELECT INTENT!PREDICT(PAGE_VALUES, EXIT_RATES):output_feature_0 FROM VISITS ORDER BY ID"
    assert scores(session, query) == pytest.approx(list(SCORES))


def test_a_version_gets_an_alias_in_the_with_clause(session: Session) -> None:
    query = (
        "WITH MV AS MODEL INTENT VERSION V1, T AS (SELECT * FROM VISITS) "
        "SELECT MV!PREDICT(PAGE_VALUES, EXIT_RATES):output_feature_0 FROM T ORDER BY ID"
    )
    assert scores(session, query) == pytest.approx(list(SCORES))
    alone = query.replace(", T AS (SELECT * FROM VISITS)", "").replace("FROM T", "FROM VISITS")
    assert scores(session, alone) == pytest.approx(list(SCORES))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"SELECT AVG({CALL}) FROM VISITS", [SCORES.mean()]),
        (f"SELECT COUNT(*) FROM VISITS WHERE {CALL} > 0.5", [(SCORES > 0.5).sum()]),
        (f"SELECT MAX(S) FROM (SELECT {CALL} AS S FROM VISITS)", [SCORES.max()]),
        (f"WITH P AS (SELECT {CALL} AS S FROM VISITS) SELECT SUM(S) FROM P", [SCORES.sum()]),
        (f"SELECT {CALL} AS S FROM VISITS ORDER BY S DESC LIMIT 3", sorted(SCORES)[::-1][:3]),
        (f"SELECT {CALL} AS S FROM VISITS QUALIFY ROW_NUMBER() OVER (ORDER BY S DESC) = 1", [SCORES.max()]),
        (f"SELECT S * 2 FROM (SELECT {CALL} AS S, ID FROM VISITS) ORDER BY ID", list(SCORES * 2)),
        (f"SELECT A.S FROM (SELECT ID, {CALL} AS S FROM VISITS) A JOIN VISITS B ON A.ID = B.ID ORDER BY A.ID",
         list(SCORES)),
        ("SELECT R:output_feature_0::FLOAT + ID FROM (SELECT *, MODEL(INTENT, V1)!PREDICT(PAGE_VALUES, EXIT_RATES) "
         "AS R FROM VISITS) ORDER BY ID", list(SCORES + np.arange(60))),
    ],
)  # fmt: skip
def test_a_model_is_called_anywhere_in_a_query(session: Session, query: str, expected: list[float]) -> None:
    assert scores(session, query) == pytest.approx(list(expected))


def test_a_later_cell_reads_an_earlier_answer(session: Session) -> None:
    query = (
        "SELECT MODEL(INTENT, V1)!PREDICT(PAGE_VALUES, EXIT_RATES) AS R, R:output_feature_0::FLOAT AS S "
        "FROM VISITS ORDER BY ID"
    )
    assert session.sql(query).to_pandas()["S"].to_list() == pytest.approx(list(SCORES))


def test_scores_are_stored(session: Session) -> None:
    session.sql(f"CREATE OR REPLACE TABLE STORED AS SELECT ID, {CALL} AS S FROM VISITS").collect()
    session.sql(f"INSERT INTO STORED SELECT ID + 60, {CALL} FROM VISITS").collect()
    assert scores(session, "SELECT S FROM STORED ORDER BY ID") == pytest.approx([*SCORES, *SCORES])


def test_a_view_with_a_model_follows_its_table(session: Session) -> None:
    session.sql("CREATE OR REPLACE TABLE COMING AS SELECT * FROM VISITS WHERE ID < 10").collect()
    session.sql(f"CREATE OR REPLACE VIEW SCORED AS SELECT ID, {CALL} AS S FROM COMING").collect()
    session.sql("INSERT INTO COMING SELECT * FROM VISITS WHERE ID >= 10").collect()
    assert scores(session, "SELECT V.S FROM SCORED V ORDER BY V.ID") == pytest.approx(list(SCORES))
    described = {row["name"]: row["type"] for row in session.sql("DESC VIEW SCORED").collect()}
    assert described["S"] == "FLOAT"


def test_a_dynamic_table_holds_scores(session: Session) -> None:
    session.sql(
        f"CREATE OR REPLACE DYNAMIC TABLE SCORES_NOW TARGET_LAG = '1 day' WAREHOUSE = LOCAL_WH "
        f"AS SELECT ID, {CALL} AS S FROM VISITS"
    ).collect()
    assert scores(session, "SELECT S FROM SCORES_NOW ORDER BY ID") == pytest.approx(list(SCORES))


def version(session: Session, name: str) -> ModelVersion:
    return Registry(session).get_model(name).version("V1")


def test_the_client_gets_every_type_and_null_back(session: Session) -> None:
    mv = version(session, "SHAPES")
    frame = session.sql("SELECT * FROM VALUES (1), (NULL), (3) AS T(N)")
    found = mv.run(frame, function_name="predict").sort("N").collect()
    assert [row["whole"] for row in found] == [None, 2, 6]
    assert [row["flag"] for row in found] == [False, False, True]
    assert [row["text"] for row in found[1:]] == ["n1", "n3"]
    assert json.loads(found[2]["parts"]) == {"half": 1.5, "name": "n"}


def test_a_parameter_replaces_its_default(session: Session) -> None:
    mv = version(session, "SHAPES")
    found = mv.run(pd.DataFrame({"N": [1, 2]}), function_name="predict", params={"factor": 5.0})
    assert found["whole"].to_list() == [5, 10]


def test_a_parameter_may_be_a_list(session: Session) -> None:
    mv = version(session, "SHAPES")
    found = mv.run(pd.DataFrame({"N": [1, 2]}), function_name="predict", params={"shifts": [1.0, 2.0]})
    assert found["whole"].to_list() == [5, 7]


def test_explanations_come_one_row_for_each(session: Session) -> None:
    models.log(session, BOOSTER, "EXPLAINED", options={"relax_version": False, "enable_explainability": True})
    found = version(session, "EXPLAINED").run(VISITS[models.FEATURES], function_name="explain")
    contributions = np.asarray(BOOSTER.predict(VISITS[models.FEATURES], pred_contrib=True))[:, :2]
    assert found.to_numpy() == pytest.approx(contributions)


def test_a_partitioned_function_answers_each_partition(session: Session) -> None:
    query = (
        "SELECT KIND, N, R.TOTAL, R.ROWS_SEEN FROM NUMBERS, "
        "TABLE(MODEL(TOTALS, V1)!PREDICT(N) OVER (PARTITION BY KIND)) R ORDER BY KIND"
    )
    assert [tuple(row) for row in session.sql(query).collect()] == [("a", None, 3, 2), ("b", None, 3, 1)]


def test_an_unread_answer_is_not_computed(session: Session) -> None:
    query = "SELECT ID FROM (SELECT *, MODEL(SHAPES, V1)!PREDICT(ID, ID::FLOAT) AS R FROM VISITS)"
    assert session.sql(query).count() == 60
    with pytest.raises(SnowparkSQLException, match="must be equal"):
        session.sql(query.replace("SELECT ID", "SELECT ID, R")).collect()


def test_a_wrong_number_of_arguments_is_refused(session: Session) -> None:
    with pytest.raises(SnowparkSQLException, match="Invalid argument types for function 'PREDICT'"):
        session.sql("SELECT MODEL(INTENT, V1)!PREDICT(PAGE_VALUES) FROM VISITS").collect()


def test_a_flow_reads_the_statement_before(session: Session) -> None:
    found = session.sql('SHOW MODELS ->> SELECT "name" FROM $1 WHERE "name" LIKE \'TOT%\'').collect()
    assert [row[0] for row in found] == ["TOTALS"]


@pytest.mark.parametrize("method", ["TRANSFORM", "FILTER", "CONVERT", "EXTRACT"])
def test_a_method_may_be_called_like_a_function_of_sql(session: Session, method: str) -> None:
    """The parser reads it as the model's: what is missing is the method, not the sense of the statement."""
    with pytest.raises(SnowparkSQLException, match=rf"Function '.*INTENT.*!{method}' does not exist"):
        session.sql(f"SELECT MODEL(INTENT, V1)!{method}(PAGE_VALUES, EXIT_RATES, 1) AS R FROM VISITS").collect()


def test_a_model_is_commented_and_deleted_with_its_files(session: Session) -> None:
    registry = Registry(session)
    session.sql("CREATE MODEL PASSING WITH VERSION V1 FROM MODEL INTENT VERSION V1").collect()
    registry.get_model("PASSING").comment = "it's for a test"
    session.sql("COMMENT ON MODEL INTENT IS 'stays'").collect()
    shown = {row["name"]: row["comment"] for row in session.sql("SHOW MODELS").collect()}
    assert (shown["PASSING"], shown["INTENT"]) == ("it's for a test", "stays")
    registry.delete_model("PASSING")
    for statement in ("LIST 'snow://model/PASSING/versions/V1/'", "SHOW VERSIONS IN MODEL PASSING"):
        with pytest.raises(SnowparkSQLException, match="does not exist"):
            session.sql(statement).collect()
