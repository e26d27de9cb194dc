from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from snowflake.ml.experiment import ExperimentTracking
from snowflake.snowpark import Session
from snowflake.snowpark.exceptions import SnowparkSQLException

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")


@pytest.fixture
def tracking(session: Session, schema: str) -> Iterator[ExperimentTracking]:
    ExperimentTracking._instance = None
    tracking = ExperimentTracking(session, database_name="INTENTSCORE", schema_name=schema)
    tracking.set_experiment("TRIALS")
    yield tracking
    ExperimentTracking._instance = None


def test_a_run_keeps_its_metrics_and_parameters(session: Session, tracking: ExperimentTracking) -> None:
    with tracking.start_run("FIRST"):
        tracking.log_metrics({"loss": 0.5}, step=1)
        tracking.log_metrics({"loss": 0.25}, step=2)
        tracking.log_metrics({"loss": 0.4}, step=1)
        tracking.log_params({"depth": 3})
    assert tracking.list_metrics().to_pandas()["loss"].tolist() == [0.25]
    assert tracking.list_params("FIRST").to_pandas()["depth"].tolist() == ["3"]
    history = tracking.get_metric_history(run_name="FIRST")
    assert [(row["step"], row["value"]) for row in history.collect()] == [(1, 0.4), (2, 0.25)]
    (shown,) = session.sql("SHOW RUNS LIKE 'first' IN EXPERIMENT TRIALS").collect()
    assert '"status": "FINISHED"' in shown["metadata"]


def test_a_run_that_fails_says_so_and_is_not_resumed(session: Session, tracking: ExperimentTracking) -> None:
    with pytest.raises(ValueError, match="broken"), tracking.start_run("SECOND"):
        raise ValueError("broken")
    assert '"FAILED"' in session.sql("SHOW RUNS IN EXPERIMENT TRIALS").collect()[0]["metadata"]
    with pytest.raises(RuntimeError, match="no longer running"):
        tracking.start_run("SECOND")


def test_artifacts_are_kept_with_their_run(tracking: ExperimentTracking, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("kept")
    with tracking.start_run("THIRD"):
        tracking.log_artifact(str(tmp_path / "notes.txt"), artifact_path="text")
    assert [found.name for found in tracking.list_artifacts("THIRD")] == ["text/notes.txt"]
    tracking.download_artifacts("THIRD", target_path=str(tmp_path / "down"))
    assert (tmp_path / "down" / "text" / "notes.txt").read_text() == "kept"
    tracking.delete_run("THIRD")
    with pytest.raises(SnowparkSQLException, match="Run 'THIRD' does not exist"):
        tracking.list_artifacts("THIRD")


def test_an_experiment_goes_with_what_it_holds(session: Session, tracking: ExperimentTracking) -> None:
    assert [row["name"] for row in session.sql("SHOW EXPERIMENTS").collect()] == ["TRIALS"]
    tracking.delete_experiment("TRIALS")
    assert session.sql("SHOW EXPERIMENTS").collect() == []
    with pytest.raises(SnowparkSQLException, match="Experiment"):
        session.sql("ALTER EXPERIMENT TRIALS ADD RUN R").collect()
