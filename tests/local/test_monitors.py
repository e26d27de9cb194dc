from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance
from sklearn import metrics
from snowflake.snowpark import Session
from snowflake.snowpark.exceptions import SnowparkSQLException

from intentscore.local.engine import Endpoint
from tests.local import models

_VERSIONS = itertools.count(2)
DAYS = 3
START = datetime.now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=10)
SCORED = """UID STRING, TS TIMESTAMP_NTZ, SCORE FLOAT, CLASS INT, BOUGHT INT, PAGE_VALUES FLOAT, VISITOR STRING,
            AMOUNT FLOAT, PREDICTED_AMOUNT FLOAT"""


def scored(rows: int, seed: int) -> pd.DataFrame:
    """Scored visits over three days, some without an outcome or a page value."""
    rng = np.random.default_rng(seed)
    score = rng.uniform(0, 1, rows).round(2)
    frame = pd.DataFrame(
        {
            "UID": [f"v{i}" for i in range(rows)],
            "TS": [START + timedelta(days=int(d), hours=int(h)) for d, h in rng.integers(0, [DAYS, 24], (rows, 2))],
            "SCORE": score,
            "CLASS": (score > 0.5).astype(int),
            "BOUGHT": pd.Series(rng.uniform(0, 1, rows) < score).astype("Int64"),
            "PAGE_VALUES": rng.normal(seed, 2, rows).round(1),
            "VISITOR": rng.choice(["New", "Returning", "Other"][: 2 + seed % 2], rows),
            "AMOUNT": rng.normal(50, 5, rows),
            "PREDICTED_AMOUNT": rng.normal(50, 5, rows),
        }
    )
    frame.loc[::11, "BOUGHT"] = pd.NA
    frame.loc[::7, "PAGE_VALUES"] = None
    return frame


@pytest.fixture(scope="module")
def session(engine: Endpoint) -> Iterator[Session]:
    """One schema with a scored table, a baseline and a model, for all the tests here."""
    with Session.builder.configs(engine.connection_parameters()).create() as session:
        session.sql("CREATE SCHEMA MONITORS").collect()
        session.use_schema("MONITORS")
        models.log(session, models.booster(), "INTENT")
        models.log(session, models.booster(objective="regression"), "AMOUNTS")
        models.log(session, models.booster(objective="multiclass"), "KINDS")
        models.log(session, models.booster(objective="cross_entropy"), "UNKNOWN")
        for name, seed in (("SCORED", 1), ("BASELINE", 2)):
            session.sql(f"CREATE TABLE {name} ({SCORED})").collect()
            session.write_pandas(scored(600, seed), name, use_logical_type=True)
        yield session


@pytest.fixture
def version(session: Session) -> str:
    """A version of the model that no monitor watches yet."""
    name = f"V{next(_VERSIONS)}"
    session.sql(f"ALTER MODEL INTENT ADD VERSION {name} FROM MODEL INTENT VERSION V1").collect()
    return name


def create(session: Session, version: str, **changes: str | None) -> None:
    options: dict[str, str | None] = {
        "MODEL": "INTENT", "VERSION": f"'{version}'", "FUNCTION": "'predict'", "SOURCE": "SCORED",
        "WAREHOUSE": "LOCAL_WH", "REFRESH_INTERVAL": "'1 hour'", "AGGREGATION_WINDOW": "'1 day'",
        "TIMESTAMP_COLUMN": "TS", "ID_COLUMNS": "('UID')", "PREDICTION_SCORE_COLUMNS": "('SCORE')",
        "PREDICTION_CLASS_COLUMNS": "('CLASS')", "ACTUAL_CLASS_COLUMNS": "('BOUGHT')", "BASELINE": "BASELINE",
        "SEGMENT_COLUMNS": "('VISITOR')",
    }  # fmt: skip
    given = " ".join(f"{key} = {value}" for key, value in (options | changes).items() if value is not None)
    session.sql(f"CREATE OR REPLACE MODEL MONITOR WATCH_{version} WITH {given}").collect()


@pytest.fixture
def watch(session: Session, version: str) -> str:
    create(session, version)
    return f"WATCH_{version}"


def ask(session: Session, function: str, *arguments: str) -> pd.DataFrame:
    given = ", ".join(a if a.startswith(("NULL", "DATEADD", "CURRENT")) else f"'{a}'" for a in arguments)
    return session.sql(f"SELECT * FROM TABLE(MODEL_MONITOR_{function}_METRIC({given}))").to_pandas()


def by_day(frame: pd.DataFrame) -> list[pd.DataFrame]:
    return [day for _, day in frame.groupby(frame["TS"].dt.floor("D"))]


def test_performance_agrees_with_scikit_learn(session: Session, watch: str) -> None:
    days = [day.dropna(subset=["BOUGHT"]) for day in by_day(scored(600, 1))]
    expected: dict[str, Callable[[pd.DataFrame], float]] = {
        "ROC_AUC": lambda d: metrics.roc_auc_score(d["BOUGHT"].astype(int), d["SCORE"]),
        "CLASSIFICATION_ACCURACY": lambda d: metrics.accuracy_score(d["BOUGHT"].astype(int), d["CLASS"]),
        "PRECISION": lambda d: metrics.precision_score(d["BOUGHT"].astype(int), d["CLASS"]),
        "RECALL": lambda d: metrics.recall_score(d["BOUGHT"].astype(int), d["CLASS"]),
        "F1_SCORE": lambda d: metrics.f1_score(d["BOUGHT"].astype(int), d["CLASS"]),
    }
    for name, value in expected.items():
        found = ask(session, "PERFORMANCE", watch, name)
        assert found["METRIC_VALUE"].to_list() == pytest.approx([value(day) for day in days], abs=1e-12), name
        assert found["COUNT_USED"].to_list() == [len(day) for day in days]
        assert found["COUNT_UNUSED"].sum() == scored(600, 1)["BOUGHT"].isna().sum()
        assert found["EVENT_TIMESTAMP"].to_list() == [pd.Timestamp(START + timedelta(days=i)) for i in range(DAYS)]


def test_regression_metrics_agree_with_scikit_learn(session: Session) -> None:
    changes = {
        "MODEL": "AMOUNTS", "PREDICTION_SCORE_COLUMNS": "('PREDICTED_AMOUNT')", "ACTUAL_SCORE_COLUMNS": "('AMOUNT')",
        "PREDICTION_CLASS_COLUMNS": None, "ACTUAL_CLASS_COLUMNS": None,
    }  # fmt: skip
    create(session, "V1", **changes)
    frame = scored(600, 1)
    expected = {
        "RMSE": metrics.root_mean_squared_error, "MAE": metrics.mean_absolute_error,
        "MAPE": metrics.mean_absolute_percentage_error, "MSE": metrics.mean_squared_error,
    }  # fmt: skip
    for name, function in expected.items():
        found = ask(session, "PERFORMANCE", "WATCH_V1", name, "ALL")
        assert found["METRIC_VALUE"].to_list() == pytest.approx([function(frame["AMOUNT"], frame["PREDICTED_AMOUNT"])])
    session.sql("DROP MODEL MONITOR WATCH_V1").collect()


def test_multi_class_metrics_agree_with_scikit_learn(session: Session) -> None:
    frame = scored(600, 1).assign(GUESS=scored(600, 5)["VISITOR"])
    session.sql("CREATE OR REPLACE TABLE KINDS_SCORED (TS TIMESTAMP_NTZ, VISITOR STRING, GUESS STRING)").collect()
    session.write_pandas(frame[["TS", "VISITOR", "GUESS"]], "KINDS_SCORED", use_logical_type=True)
    changes = {
        "MODEL": "KINDS", "SOURCE": "KINDS_SCORED", "PREDICTION_CLASS_COLUMNS": "('GUESS')",
        "ACTUAL_CLASS_COLUMNS": "('VISITOR')", "PREDICTION_SCORE_COLUMNS": None, "SEGMENT_COLUMNS": None,
        "ID_COLUMNS": None, "BASELINE": None,
    }  # fmt: skip
    create(session, "V1", **changes)
    truth = (frame["VISITOR"], frame["GUESS"])
    expected = {
        "CLASSIFICATION_ACCURACY": metrics.accuracy_score(*truth),
        "MACRO_AVERAGE_PRECISION": metrics.precision_score(*truth, average="macro", zero_division=0),
        "MACRO_AVERAGE_RECALL": metrics.recall_score(*truth, average="macro", zero_division=0),
        "MICRO_AVERAGE_PRECISION": metrics.precision_score(*truth, average="micro"),
        "MICRO_AVERAGE_RECALL": metrics.recall_score(*truth, average="micro"),
    }
    for name, value in expected.items():
        found = ask(session, "PERFORMANCE", "WATCH_V1", name, "ALL")
        assert found["METRIC_VALUE"].to_list() == pytest.approx([value]), name
    session.sql("DROP MODEL MONITOR WATCH_V1").collect()


def shares(values: npt.NDArray[Any], edges: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1) / len(values)


def test_drift_of_numbers_agrees_with_scipy(session: Session, watch: str) -> None:
    base = scored(600, 2)["PAGE_VALUES"].dropna().to_numpy()
    days = [day["PAGE_VALUES"].dropna().to_numpy() for day in by_day(scored(600, 1))]
    edges = np.unique(np.quantile(base, np.arange(1, 10) / 10))
    q = shares(base, edges)
    floored = [np.maximum(shares(day, edges), 1e-4) for day in days]
    expected = {
        "DIFFERENCE_OF_MEANS": [day.mean() - base.mean() for day in days],
        "WASSERSTEIN": [wasserstein_distance(day, base) for day in days],
        "JENSEN_SHANNON": [jensenshannon(shares(day, edges), q, base=2) for day in days],
        "POPULATION_STABILITY_INDEX": [float(((p - q) * np.log(p / q)).sum()) for p in floored],
    }
    for name, values in expected.items():
        found = ask(session, "DRIFT", watch, name, "PAGE_VALUES")
        assert found["METRIC_VALUE"].to_list() == pytest.approx(values, abs=1e-9), name
        assert found["COL_COUNT_USED"].to_list() == [len(day) for day in days]
        assert set(found["BASELINE_COL_COUNT_USED"]) == {len(base)}
        assert set(found["COLUMN_NAME"]) == {"PAGE_VALUES"}


def test_drift_of_categories_agrees_with_scipy(session: Session, watch: str) -> None:
    now = scored(600, 1)["VISITOR"].value_counts(normalize=True)
    then = scored(600, 2)["VISITOR"].value_counts(normalize=True).reindex(now.index, fill_value=0)
    found = ask(session, "DRIFT", watch, "JENSEN_SHANNON", "VISITOR", "ALL")
    assert found["METRIC_VALUE"].to_list() == pytest.approx([jensenshannon(now, then, base=2)])


def test_statistics_agree_with_pandas(session: Session, watch: str) -> None:
    days = [day["PAGE_VALUES"] for day in by_day(scored(600, 1))]
    expected = {
        "COUNT": [d.count() for d in days], "COUNT_NULL": [d.isna().sum() for d in days],
        "MIN": [d.min() for d in days], "MAX": [d.max() for d in days], "AVG": [d.mean() for d in days],
        "SUM": [d.sum() for d in days],
    }  # fmt: skip
    for name, values in expected.items():
        assert ask(session, "STAT", watch, name, "PAGE_VALUES")["METRIC_VALUE"].to_list() == pytest.approx(values)


def test_a_range_and_a_segment_narrow_a_metric(session: Session, watch: str) -> None:
    frame = scored(600, 1)
    segment = json.dumps({"SEGMENTS": [{"column": "VISITOR", "value": "New"}]})
    second_day = (str(START + timedelta(days=1)), str(START + timedelta(days=2)))
    found = ask(session, "STAT", watch, "COUNT", "SCORE", "1 DAY", *second_day, segment)
    wanted = frame[(frame["TS"].dt.floor("D") == START + timedelta(days=1)) & (frame["VISITOR"] == "New")]
    assert found["METRIC_VALUE"].to_list() == [len(wanted)]
    assert found[["SEGMENT_COLUMN", "SEGMENT_VALUE"]].to_numpy().tolist() == [["VISITOR", "New"]]


def test_ranges_of_weeks_start_on_monday(session: Session, watch: str) -> None:
    found = ask(session, "STAT", watch, "COUNT", "SCORE", "1 WEEK", "DATEADD(DAY, -30, CURRENT_TIMESTAMP())")
    assert found["METRIC_VALUE"].sum() == 600
    assert {stamp.weekday() for stamp in found["EVENT_TIMESTAMP"]} == {0}


def test_the_baseline_is_a_copy(session: Session, watch: str) -> None:
    session.sql("CREATE TABLE LATER AS SELECT * FROM SCORED").collect()
    session.sql(f"ALTER MODEL MONITOR {watch} SET BASELINE = 'LATER'").collect()
    session.sql("DROP TABLE LATER").collect()
    assert ask(session, "DRIFT", watch, "WASSERSTEIN", "SCORE", "ALL")["METRIC_VALUE"].to_list() == pytest.approx([0])
    shown = json.loads(session.sql("SHOW MODEL MONITORS").filter(f"\"name\" = '{watch}'").collect()[0]["baseline"])
    assert (shown["name"], shown["status"]) == ("LATER", "DELETED")


def test_a_monitor_is_suspended_and_resumed(session: Session, watch: str) -> None:
    def state() -> str:
        return str(session.sql(f"SHOW MODEL MONITORS LIKE '{watch}'").collect()[0]["monitor_state"])

    assert state() == "ACTIVE"
    session.sql(f"ALTER MODEL MONITOR {watch} SUSPEND").collect()
    assert state() == "SUSPENDED"
    session.sql(f"ALTER MODEL MONITOR {watch} RESUME").collect()
    assert state() == "ACTIVE"


def test_a_score_that_is_no_probability_suspends_the_monitor(session: Session, version: str) -> None:
    session.sql("CREATE OR REPLACE TABLE ODD AS SELECT * FROM SCORED").collect()
    session.sql("UPDATE ODD SET SCORE = 1.5 WHERE UID = 'v3'").collect()
    create(session, version, SOURCE="ODD")
    described = session.sql(f"DESC MODEL MONITOR WATCH_{version}").collect()[0]
    assert described["monitor_state"] == "SUSPENDED"
    assert "outside of [0, 1]" in json.loads(described["aggregation_last_error"])["SOURCE"]
    with pytest.raises(SnowparkSQLException, match="suspended"):
        ask(session, "STAT", f"WATCH_{version}", "COUNT", "SCORE")


def test_segments_are_added_and_dropped(session: Session, watch: str) -> None:
    def segments() -> list[str]:
        described = session.sql(f"DESCRIBE MODEL MONITOR {watch}").collect()[0]
        return list(json.loads(described["columns"])["segment_columns"])

    session.sql(f"ALTER MODEL MONITOR {watch} DROP SEGMENT_COLUMN = 'VISITOR'").collect()
    assert segments() == []
    session.sql(f"ALTER MODEL MONITOR {watch} ADD SEGMENT_COLUMN = 'VISITOR'").collect()
    assert segments() == ["VISITOR"]
    with pytest.raises(SnowparkSQLException, match="already exists"):
        session.sql(f"ALTER MODEL MONITOR {watch} ADD SEGMENT_COLUMN = 'VISITOR'").collect()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"TIMESTAMP_COLUMN": "'UID'"}, "TIMESTAMP_NTZ"),
        ({"REFRESH_INTERVAL": "'59 seconds'"}, "minimum of 60 seconds"),
        ({"AGGREGATION_WINDOW": "'12 hours'"}, "whole number of days"),
        ({"PREDICTION_SCORE_COLUMNS": "('NOPE')"}, "'NOPE' does not exist"),
        ({"PREDICTION_SCORE_COLUMNS": None, "PREDICTION_CLASS_COLUMNS": None}, "needs a prediction column"),
        ({"SEGMENT_COLUMNS": "('SCORE')"}, "must be of type STRING"),
        ({"FUNCTION": "'explode'"}, "does not exist"),
        ({"WAREHOUSE": "OTHER_WH"}, "does not exist"),
        ({"SOURCE": "NOPE"}, "does not exist"),
        ({"MODEL": "UNKNOWN", "VERSION": "'V1'"}, "task"),
        ({"SHADE": "1"}, "SHADE"),
        ({"VERSION": None}, "VERSION"),
    ],
)
def test_a_monitor_that_breaks_a_rule_is_refused(
    session: Session, version: str, changes: dict[str, str | None], message: str
) -> None:
    with pytest.raises(SnowparkSQLException, match=message):
        create(session, version, **changes)
    assert not session.sql(f"SHOW MODEL MONITORS LIKE 'WATCH_{version}'").collect()


def test_a_model_version_has_one_monitor(session: Session, watch: str) -> None:
    with pytest.raises(SnowparkSQLException, match="already exists"):
        session.sql(
            f"CREATE MODEL MONITOR SECOND WITH MODEL = INTENT VERSION = '{watch.removeprefix('WATCH_')}' "
            "FUNCTION = 'predict' SOURCE = SCORED WAREHOUSE = LOCAL_WH REFRESH_INTERVAL = '1 hour' "
            "AGGREGATION_WINDOW = '1 day' TIMESTAMP_COLUMN = TS PREDICTION_SCORE_COLUMNS = ('SCORE')"
        ).collect()


def test_a_metric_of_another_kind_of_model_is_refused(session: Session, watch: str) -> None:
    with pytest.raises(SnowparkSQLException, match="RMSE"):
        ask(session, "PERFORMANCE", watch, "RMSE")
    with pytest.raises(SnowparkSQLException, match="numeric"):
        ask(session, "DRIFT", watch, "WASSERSTEIN", "VISITOR")


def test_a_dropped_monitor_is_gone(session: Session, watch: str) -> None:
    session.sql(f"DROP MODEL MONITOR {watch}").collect()
    with pytest.raises(SnowparkSQLException, match="does not exist"):
        ask(session, "STAT", watch, "COUNT", "SCORE")
    session.sql(f"DROP MODEL MONITOR IF EXISTS {watch}").collect()
