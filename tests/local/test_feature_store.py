from __future__ import annotations

from collections.abc import Iterator

import pytest
from snowflake.ml.feature_store import CreationMode, Entity, FeatureStore, FeatureView
from snowflake.snowpark import Session
from snowflake.snowpark.exceptions import SnowparkSQLException

from intentscore.local.engine import Endpoint

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def session(engine: Endpoint) -> Iterator[Session]:
    with Session.builder.configs(engine.connection_parameters()).create() as session:
        session.sql("CREATE SCHEMA FEATURES").collect()
        session.use_schema("FEATURES")
        session.sql("CREATE TABLE EVENTS (USER_ID INT, TS TIMESTAMP_NTZ, PAGE_VALUE FLOAT)").collect()
        session.sql(
            "INSERT INTO EVENTS VALUES (1, '2024-01-01', 1), (1, '2024-01-10', 10), (2, '2024-01-05', 5)"
        ).collect()
        yield session


@pytest.fixture(scope="module")
def store(session: Session) -> FeatureStore:
    store = FeatureStore(
        session, database="INTENTSCORE", name="STORE", default_warehouse="LOCAL_WH",
        creation_mode=CreationMode.CREATE_IF_NOT_EXIST,
    )  # fmt: skip
    session.use_schema("FEATURES")
    store.register_entity(Entity("SHOPPER", ["USER_ID"], desc="who visits"))
    return store


def view(session: Session, store: FeatureStore, name: str, **others: str) -> FeatureView:
    drafted = FeatureView(
        name=name, entities=[store.get_entity("SHOPPER")], feature_df=session.table("FEATURES.EVENTS"),
        timestamp_col="TS", desc="values", **others,
    )  # fmt: skip
    return store.register_feature_view(drafted.attach_feature_desc({"PAGE_VALUE": "of a page"}), "V1")


def test_a_view_is_found_again_as_it_was_registered(session: Session, store: FeatureStore) -> None:
    registered = view(session, store, "PLAIN")
    found = store.get_feature_view("PLAIN", "V1")
    assert found == registered
    assert found.feature_descs["PAGE_VALUE"] == "of a page"
    assert "PLAIN" in store.list_feature_views().to_pandas()["NAME"].to_list()


def test_a_managed_view_is_refreshed_suspended_and_updated(session: Session, store: FeatureStore) -> None:
    managed = view(session, store, "MANAGED", refresh_freq="1 day")
    assert store.read_feature_view(managed).count() == session.table("EVENTS").count()
    session.sql("INSERT INTO EVENTS VALUES (2, '2024-02-01', 7)").collect()
    store.refresh_feature_view(managed)
    assert store.read_feature_view(managed).count() == session.table("EVENTS").count()
    assert {row["STATE"] for row in store.get_refresh_history(managed).collect()} == {"SUCCEEDED"}
    assert str(store.suspend_feature_view(managed).status) == "FeatureViewStatus.SUSPENDED"
    assert str(store.resume_feature_view(managed).status) == "FeatureViewStatus.ACTIVE"
    updated = store.update_feature_view("MANAGED", "V1", refresh_freq="2 days", desc="newer")
    assert (updated.desc, updated.refresh_freq) == ("newer", "2 days")


def test_a_view_is_overwritten(session: Session, store: FeatureStore) -> None:
    view(session, store, "WRITTEN")
    query = session.table("FEATURES.EVENTS").select("USER_ID", "TS")
    drafted = FeatureView(
        name="WRITTEN", entities=[store.get_entity("SHOPPER")], feature_df=query, timestamp_col="TS",
        refresh_freq="1 day", cluster_by=["TS"],
    )  # fmt: skip
    store.register_feature_view(drafted, "V1", overwrite=True)
    found = store.get_feature_view("WRITTEN", "V1")
    assert (found.refresh_freq, found.cluster_by) == ("1 day", ["TS"])


def test_a_view_refreshed_on_a_schedule_keeps_its_tags(session: Session, store: FeatureStore) -> None:
    view(session, store, "SCHEDULED", refresh_freq="0 3 * * * UTC")
    assert store.get_feature_view("SCHEDULED", "V1").name == "SCHEDULED"
    assert len(session.sql("SHOW TASKS LIKE 'SCHEDULED$V1' IN SCHEMA INTENTSCORE.STORE").collect()) == 1
    store.delete_feature_view("SCHEDULED", "V1")
    assert not session.sql("SHOW TASKS LIKE 'SCHEDULED$V1' IN SCHEMA INTENTSCORE.STORE").collect()


@pytest.mark.parametrize("method", ["sequential", "cte"])
def test_a_training_set_holds_what_was_known_then(session: Session, store: FeatureStore, method: str) -> None:
    features = view(session, store, f"KNOWN_{method.upper()}")
    moments = session.sql(
        "SELECT * FROM VALUES (1, '2024-01-05'::TIMESTAMP_NTZ), (1, '2024-01-20'::TIMESTAMP_NTZ), "
        "(2, '2024-01-06'::TIMESTAMP_NTZ), (3, '2024-01-06'::TIMESTAMP_NTZ) AS S(USER_ID, AT)"
    )
    found = store.generate_training_set(moments, [features], spine_timestamp_col="AT", join_method=method)
    values = [row["PAGE_VALUE"] for row in found.sort("USER_ID", "AT").collect()]
    assert values == [1.0, 10.0, 5.0, None]


def test_a_deleted_entity_is_gone(session: Session, store: FeatureStore) -> None:
    store.register_entity(Entity("GONE", ["USER_ID"]))
    store.delete_entity("GONE")
    assert store.list_entities().filter("NAME = 'GONE'").count() == 0


@pytest.mark.parametrize(("operator", "expected"), [(">=", [1, 10, 5]), (">", [1, 1, 5]), ("<=", [10, 10, 7])])
def test_asof_join_matches_the_nearest_row(session: Session, operator: str, expected: list[float]) -> None:
    query = (
        "SELECT E.PAGE_VALUE FROM (SELECT * FROM VALUES (1, '2024-01-05'), (1, '2024-01-10'), (2, '2024-01-06') "
        f"AS S(USER_ID, AT)) M ASOF JOIN EVENTS E MATCH_CONDITION (M.AT {operator} E.TS) "
        "ON M.USER_ID = E.USER_ID ORDER BY M.USER_ID, M.AT"
    )
    session.sql("DELETE FROM EVENTS WHERE TS = '2024-02-01'").collect()
    session.sql("INSERT INTO EVENTS VALUES (2, '2024-02-01', 7)").collect()
    assert [row[0] for row in session.sql(query).collect()] == expected


def test_a_tag_takes_only_the_values_it_allows(session: Session) -> None:
    session.sql("CREATE TAG STAGE_OF_LIFE ALLOWED_VALUES 'draft', 'done'").collect()
    session.sql("ALTER TABLE EVENTS SET TAG STAGE_OF_LIFE = 'draft'").collect()
    with pytest.raises(SnowparkSQLException, match="allowed values"):
        session.sql("ALTER TABLE EVENTS SET TAG STAGE_OF_LIFE = 'other'").collect()
    references = "SELECT TAG_NAME, TAG_VALUE FROM TABLE(INFORMATION_SCHEMA.TAG_REFERENCES('EVENTS', 'TABLE'))"
    assert [tuple(row) for row in session.sql(references).collect()] == [("STAGE_OF_LIFE", "draft")]
    tags = "SYSTEM$GET_TAG('STAGE_OF_LIFE', 'EVENTS', 'table'), SYSTEM$GET_TAG($$STAGE_OF_LIFE$$, $$OTHER$$, 'table')"
    assert tuple(session.sql(f"SELECT {tags}").collect()[0]) == ("draft", None)


def test_a_dynamic_table_is_described_as_an_account_does(session: Session) -> None:
    session.sql(
        "CREATE OR REPLACE DYNAMIC TABLE HOURLY TARGET_LAG = '2h' WAREHOUSE = LOCAL_WH INITIALIZE = ON_SCHEDULE "
        "AS SELECT USER_ID, 'a'::VARCHAR(10) AS CODE FROM EVENTS ORDER BY 1 LIMIT 1"
    ).collect()
    shown = session.sql("SHOW DYNAMIC TABLES LIKE 'HOURLY'").collect()[0]
    assert (shown["target_lag"], shown["refresh_mode"], shown["rows"]) == ("2 hours", "FULL", 0)
    assert "ORDER BY" in shown["refresh_mode_reason"] or "LIMIT" in shown["refresh_mode_reason"]
    assert "INITIALIZE = 'ON_SCHEDULE'" in shown["text"]
    assert [row["type"] for row in session.sql("DESC DYNAMIC TABLE HOURLY").collect()][1] == "VARCHAR(10)"
    session.sql("ALTER DYNAMIC TABLE HOURLY REFRESH").collect()
    history = session.sql(
        "SELECT * FROM TABLE(INFORMATION_SCHEMA.DYNAMIC_TABLE_REFRESH_HISTORY(NAME => 'INTENTSCORE.FEATURES.HOURLY'))"
    ).collect()
    assert [(row["TARGET_LAG_SEC"], row["STATE"]) for row in history] == [(7200, "SUCCEEDED")]


def test_a_dynamic_table_over_a_volatile_function_is_computed_in_full(session: Session) -> None:
    body = "LANGUAGE PYTHON RUNTIME_VERSION = '3.11' HANDLER = 'f' AS 'def f(x): return x'"
    for name, kind in (("STEADY", "IMMUTABLE"), ("FLEETING", "VOLATILE")):
        session.sql(f"CREATE OR REPLACE FUNCTION {name}(X INT) RETURNS INT {kind} {body}").collect()
        session.sql(
            f"CREATE OR REPLACE DYNAMIC TABLE OF_{name} TARGET_LAG = '1 day' WAREHOUSE = LOCAL_WH "
            f"INITIALIZE = ON_SCHEDULE AS SELECT intentscore.features.{name.lower()}(USER_ID) AS X FROM EVENTS"
        ).collect()
    modes = {row["name"]: row["refresh_mode"] for row in session.sql("SHOW DYNAMIC TABLES LIKE 'OF_%'").collect()}
    assert modes == {"OF_STEADY": "INCREMENTAL", "OF_FLEETING": "FULL"}


@pytest.mark.parametrize("replacement", ["VIEW KIND AS SELECT 1 AS A", "TABLE KIND (A INT)"])
def test_an_object_is_not_replaced_by_one_of_another_kind(session: Session, replacement: str) -> None:
    session.sql(
        "CREATE OR REPLACE DYNAMIC TABLE KIND TARGET_LAG = 'DOWNSTREAM' WAREHOUSE = LOCAL_WH AS SELECT 1 AS A"
    ).collect()
    with pytest.raises(SnowparkSQLException, match="already exists as DYNAMIC_TABLE"):
        session.sql(f"CREATE OR REPLACE {replacement}").collect()


def test_views_and_dynamic_tables_are_renamed(session: Session) -> None:
    session.sql("CREATE OR REPLACE VIEW OLD_VIEW AS SELECT 1 AS A").collect()
    session.sql(
        "CREATE OR REPLACE DYNAMIC TABLE OLD_TABLE TARGET_LAG = '1 day' WAREHOUSE = LOCAL_WH AS SELECT 1 AS A"
    ).collect()
    session.sql("ALTER VIEW OLD_VIEW RENAME TO NEW_VIEW").collect()
    session.sql("ALTER DYNAMIC TABLE OLD_TABLE RENAME TO NEW_TABLE").collect()
    session.sql("ALTER VIEW IF EXISTS OLD_VIEW RENAME TO NEW_VIEW").collect()
    assert session.table("NEW_VIEW").count() == 1
    session.sql("ALTER DYNAMIC TABLE NEW_TABLE REFRESH").collect()
    assert session.sql("SHOW DYNAMIC TABLES LIKE 'OLD_TABLE'").collect() == []
    assert [row["name"] for row in session.sql("SHOW VIEWS LIKE '%_VIEW' IN SCHEMA").collect()] == ["NEW_VIEW"]
