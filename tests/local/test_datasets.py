from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from snowflake.ml import dataset
from snowflake.ml._internal.exceptions.dataset_errors import DatasetExistError, DatasetNotExistError
from snowflake.ml.dataset import Dataset
from snowflake.snowpark import Session
from snowflake.snowpark.exceptions import SnowparkSQLException

from intentscore.local.engine import Endpoint

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def session(engine: Endpoint) -> Iterator[Session]:
    with Session.builder.configs(engine.connection_parameters()).create() as session:
        session.sql("CREATE SCHEMA DATASETS").collect()
        session.use_schema("DATASETS")
        yield session


@pytest.fixture(scope="module")
def visits(session: Session) -> Dataset:
    frame = session.create_dataframe([(1, 0.5, "a"), (2, 1.5, "b"), (3, 2.5, "a")], ["UID", "RATE", "KIND"])
    return dataset.create_from_dataframe(
        session, "VISITS", "v1", frame, exclude_cols=["UID"], label_cols=["KIND"], comment="it's the first"
    )


def test_a_version_holds_the_rows_it_was_made_of(session: Session, visits: Dataset) -> None:
    assert [file.rsplit("/", 1)[1] for file in visits.read.files()] == ["data_0_0_0.snappy.parquet"]
    found = dataset.load_dataset(session, "VISITS", "v1")
    assert sorted(found.read.to_pandas()["RATE"]) == [0.5, 1.5, 2.5]
    assert found.read.to_snowpark_dataframe().count() == 3
    assert found.read.to_snowpark_dataframe(only_feature_cols=True).columns == ["RATE"]


def test_a_version_keeps_comment_and_metadata(session: Session, visits: Dataset) -> None:
    version = dataset.load_dataset(session, "VISITS", "v1").selected_version
    assert version is not None
    assert (version.comment, version.exclude_cols, version.label_cols) == ("it's the first", ["UID"], ["KIND"])


def test_versions_differ_in_letter_case_and_are_listed_and_deleted(session: Session, visits: Dataset) -> None:
    visits.create_version("V1", session.sql("SELECT 1 AS N"))
    assert visits.list_versions() == ["V1", "v1"]
    with pytest.raises(DatasetExistError, match="already exist"):
        visits.create_version("V1", session.sql("SELECT 2 AS N"))
    visits.delete_version("V1")
    assert visits.list_versions() == ["v1"]
    assert Dataset.load(session, "VISITS").select_version("v1").read.to_pandas().shape == (3, 3)


def test_a_version_is_partitioned_into_folders(session: Session) -> None:
    frame = session.create_dataframe([(1, "a"), (2, "b")], ["N", "KIND"])
    made = dataset.create_from_dataframe(session, "PARTED", "v", frame, partition_by="KIND")
    assert made.selected_version is not None
    folders = [row["name"].rsplit("/", 1)[0] for row in made.selected_version.list_files()]
    assert folders == ["versions/v/a", "versions/v/b"]


def test_a_quoted_name_may_look_like_an_address(session: Session) -> None:
    made = dataset.create_from_dataframe(session, '"my/versions/d"', "v", session.sql("SELECT 1 AS N"))
    assert made.read.to_pandas().shape == (1, 1)
    listed = session.sql('LIST snow://dataset/"my/versions/d"/versions/').collect()
    assert [row["name"] for row in listed] == ["versions/v/data_0_0_0.snappy.parquet"]


def test_a_dataset_is_created_once_replaced_and_dropped(session: Session) -> None:
    made = Dataset.create(session, "ONCE")
    with pytest.raises(DatasetExistError, match="already exists"):
        Dataset.create(session, "ONCE")
    made.create_version("v", session.sql("SELECT 1 AS N"))
    session.sql("CREATE OR REPLACE DATASET ONCE").collect()
    assert made.list_versions() == []
    made.delete()
    with pytest.raises(DatasetNotExistError, match="does not exist"):
        Dataset.load(session, "ONCE")
    with pytest.raises(SnowparkSQLException, match="does not exist"):
        session.sql("LIST 'snow://dataset/ONCE/versions/v/'").collect()


def test_the_files_of_a_version_cannot_be_written(session: Session, visits: Dataset) -> None:
    with pytest.raises(SnowparkSQLException, match="cannot be"):
        session.sql("REMOVE 'snow://dataset/VISITS/versions/v1/'").collect()


# ---------------------------------------------------------------------------- files by other ways


@pytest.fixture(scope="module")
def stage(session: Session, tmp_path_factory: pytest.TempPathFactory) -> str:
    session.sql("CREATE STAGE PAGES DIRECTORY = (ENABLE = TRUE)").collect()
    for name in ("a.txt", "b.txt"):
        file = tmp_path_factory.mktemp("pages") / name
        file.write_text(name * 2)
        session.file.put(str(file), "@PAGES/deep", auto_compress=False)
    return "PAGES"


def test_a_directory_table_lists_the_files_of_its_stage(session: Session, stage: str) -> None:
    rows = session.sql(
        "SELECT RELATIVE_PATH, SIZE FROM DIRECTORY(@PAGES) WHERE RELATIVE_PATH LIKE '%b.txt' OR SIZE > 100"
    ).collect()
    assert [tuple(row) for row in rows] == [("deep/b.txt", 10)]
    session.sql("CREATE STAGE BARE").collect()
    with pytest.raises(SnowparkSQLException, match="no directory table"):
        session.sql("SELECT * FROM DIRECTORY(@BARE)").collect()


def test_a_presigned_address_is_good_for_its_file_alone(session: Session, stage: str, tmp_path: Path) -> None:
    address = session.sql("SELECT GET_PRESIGNED_URL(@DATASETS.PAGES, 'deep/a.txt', 60) AS URL").collect()[0][0]
    assert urllib.request.urlopen(address).read() == b"a.txta.txt"
    for wrong in (address.replace("/files/", "/files/x"), address.replace("/files/", "/files/%2e%2e/")):
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(wrong)
    with pytest.raises(SnowparkSQLException, match="leaves the stage"):
        session.sql("SELECT GET_PRESIGNED_URL(@PAGES, '../../secret')").collect()
    each = "SELECT GET_PRESIGNED_URL(@PAGES, column1, 60) FROM VALUES ('deep/a.txt'), ('deep/b.txt')"
    assert [urllib.request.urlopen(row[0]).read()[:5] for row in session.sql(each).collect()] == [b"a.txt", b"b.txt"]
    gone = session.sql("SELECT GET_PRESIGNED_URL(@PAGES, 'none.txt', 0.01)").collect()[0][0]
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(gone)
