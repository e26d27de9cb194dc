from __future__ import annotations

import dataclasses
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from intentscore.data.files import open_file
from intentscore.data.schema import ROW_NUMBER
from intentscore.data.simulate import simulate
from intentscore.data.source import SessionSource
from intentscore.errors import ConfigurationError, DataError, UsageError
from intentscore.features.definitions import SESSION_FEATURES, feature_names, features_using
from intentscore.model.config import TrainConfig
from intentscore.services import evaluate as evaluation
from intentscore.services.evaluate import CONSTANT, LOGISTIC, MODEL, Protocol, evaluate
from intentscore.services.features import refresh_features
from intentscore.services.train import with_features
from intentscore.services.upload import upload
from tests.services.conftest import Trained, Workspace

QUICK_FILE = """
cv_folds: 2
num_boost_round: 15
early_stopping_rounds: 10
boosters: 1
params: {learning_rate: 0.1}
"""


@pytest.fixture
def quick(tmp_path: Path) -> str:
    file = tmp_path / "quick.yaml"
    file.write_text(QUICK_FILE)
    return str(file)


def test_a_configuration_is_measured_beside_its_baselines(trained: Trained, quick: str) -> None:
    work = trained.workspace
    before = work.value("SELECT COUNT(*) FROM RUNS")
    found = evaluate(work.session, work.settings, quick)
    champion = f"champion {trained.registered.version}"
    models = [MODEL, champion, LOGISTIC, CONSTANT]
    assert [(row.protocol, row.model) for row in found.figures] == [(p, m) for p in "TO" for m in models]
    assert found.figures[0].roc_auc is not None
    assert found.figures[0].roc_auc > 0.8
    assert [row.roc_auc for row in found.figures if row.model == CONSTANT] == [0.5, 0.5]
    assert len({row.month for row in found.months}) == 4
    assert {row.segment for row in found.segments} == {"visitor type", "month", "traffic type"}
    assert sum(row.sessions for row in found.deciles) == found.sessions == trained.uploaded.rows_read
    assert work.value("SELECT COUNT(*) FROM RUNS") == before


def test_a_champion_whose_run_is_not_at_hand_is_left_out_aloud(
    trained: Trained, quick: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> TrainConfig:
        raise UsageError("no such run")

    work, heard = trained.workspace, list[str]()
    config = evaluation.configuration(work.session, work.settings, quick)
    monkeypatch.setattr(evaluation, "configuration", lambda _s, _t, name: config if name == quick else gone())
    found = evaluate(work.session, work.settings, quick, protocols=("O",), say=heard.append)
    assert f"without the champion {trained.registered.version}: no such run" in heard
    assert {row.model for row in found.figures} == {MODEL, LOGISTIC, CONSTANT}


def test_two_runs_are_compared_on_the_same_sessions(trained: Trained, quick: str) -> None:
    work = trained.workspace
    found = evaluate(work.session, work.settings, trained.trained.run_id, against=quick, protocols=("O",))
    rows = {(row.other, row.measure): row for row in found.comparisons}
    assert rows[quick, "roc_auc"].low is not None
    champion = rows[f"champion {trained.registered.version}", "brier"]
    assert (champion.difference, champion.better) == (0, None)
    assert dataclasses.asdict(found)["against"] == quick


def test_a_column_can_be_left_out_to_see_what_it_is_worth(trained: Trained, quick: str) -> None:
    work = trained.workspace
    found = evaluate(work.session, work.settings, quick, without="PAGE_VALUES", protocols=("O",))
    (auc,) = (row for row in found.comparisons if (row.other, row.measure) == ("without PAGE_VALUES", "roc_auc"))
    assert auc.better is True
    assert sum(row.sessions for row in found.page_values) == found.sessions
    assert sum(row.buyers for row in found.page_values) == found.buyers
    counted = work.rows("SELECT COUNT(*), COUNT_IF(REVENUE) FROM SESSIONS WHERE PAGE_VALUES = 0")[0]
    assert tuple(counted) == (
        sum(row.without_value for row in found.page_values),
        sum(row.buyers_without_value for row in found.page_values),
    )


def test_excluding_a_column_excludes_every_feature_made_of_it(trained: Trained, quick: str, tmp_path: Path) -> None:
    gone = set(features_using("PAGE_VALUES"))
    assert {"PAGE_VALUES", "HAS_PAGE_VALUE", "LOG_TOTAL_VALUE"} <= gone
    config = with_features(TrainConfig(exclude=("PAGE_VALUES", "REGION")))
    assert set(config.exclude) == gone | {"REGION"}
    assert config.categorical is not None
    assert "REGION" not in config.categorical
    without = tmp_path / "without.yaml"
    without.write_text(QUICK_FILE + "exclude: [PAGE_VALUES]\n")
    work = trained.workspace
    found = evaluate(work.session, work.settings, str(without), quick, protocols=("O",))
    assert found.features == len(set(feature_names(SESSION_FEATURES)) - gone)
    (auc,) = (row for row in found.comparisons if (row.other, row.measure) == (quick, "roc_auc"))
    assert auc.better is False
    with_it = evaluate(work.session, work.settings, quick, protocols=("O",))
    line, line_with_it = (next(row.roc_auc for row in one.figures if row.model == LOGISTIC) for one in (found, with_it))
    assert line is not None
    assert line_with_it is not None
    assert line < line_with_it - 0.1


def test_a_name_that_is_no_run_and_no_file_is_refused(workspace: Workspace) -> None:
    with pytest.raises(ConfigurationError, match="nosuch is neither a file nor a run's id"):
        evaluation.configuration(workspace.session, workspace.settings, "nosuch")


def test_what_is_no_feature_cannot_be_excluded() -> None:
    with pytest.raises(ConfigurationError, match="no feature is or uses PAGEVALUES; there are: ADMINISTRATIVE"):
        with_features(TrainConfig(exclude=("PAGEVALUES",)))


def test_the_folds_can_be_dealt_in_the_order_of_a_file(workspace: Workspace, quick: str, tmp_path: Path) -> None:
    work, source = workspace, simulate(600, seed=3)
    upload(work.session, work.settings, source)
    refresh_features(work.session, work.settings)

    def by(order: SessionSource | None, protocol: Protocol = "T") -> float | None:
        found = evaluate(work.session, work.settings, quick, protocols=(protocol,), order=order)
        return found.figures[0].roc_auc

    as_file = by(source)
    table = pa.concat_tables(source.batches()).sort_by([("SESSION_DATE", "ascending"), ("UID", "ascending")])
    pq.write_table(table.drop_columns(ROW_NUMBER), tmp_path / "ordered.parquet")
    assert by(open_file(tmp_path / "ordered.parquet")) == by(None) != as_file
    assert by(source, "O") == by(None, "O")  # its parts are months
    pq.write_table(table[:10].drop_columns(ROW_NUMBER), tmp_path / "few.parquet")
    with pytest.raises(DataError, match=r"sessions are not in .*few\.parquet; name the file they came from"):
        by(open_file(tmp_path / "few.parquet"))


def test_an_unknown_run_or_file_is_named(trained: Trained) -> None:
    work = trained.workspace
    with pytest.raises(UsageError, match="no run 990101_000000_0000"):
        evaluate(work.session, work.settings, "990101_000000_0000")
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml"):
        evaluate(work.session, work.settings, "nowhere.yaml")
