from __future__ import annotations

import json
from pathlib import Path

import pytest

from intentscore.data.files import open_file
from intentscore.errors import ConfigurationError, GateRefusedError, NothingToDoError, UsageError
from intentscore.features.definitions import feature_hash
from intentscore.model.config import TrainConfig
from intentscore.model.run import read_run
from intentscore.services import register as registering
from intentscore.services.features import refresh_features
from intentscore.services.register import register
from intentscore.services.train import train, training_frame
from intentscore.services.upload import upload
from intentscore.services.versions import registered_versions
from tests.services.conftest import QUICK, Trained, Workspace
from tests.services.sheets import session_file


def test_the_last_month_is_held_out(trained: Trained) -> None:
    result = trained.trained
    assert result.holdout_months == "2024-12"
    assert "2024-12" not in result.train_months
    assert result.rows == trained.uploaded.rows_read


def test_the_same_sessions_and_configuration_give_the_same_model(trained: Trained) -> None:
    work = trained.workspace
    again = train(work.session, work.settings, QUICK)
    first, second = (Path(result.path) / "model.txt" for result in (trained.trained, again))
    assert first.read_bytes() == second.read_bytes()


def test_the_baselines_stand_beside_the_model_in_result_and_run_folder(trained: Trained) -> None:
    work = trained.workspace
    again = train(work.session, work.settings, QUICK)
    loss = {row.measure: row for row in again.metrics}["log_loss"]
    assert loss.champion == loss.holdout
    assert loss.holdout is not None
    assert loss.constant_rate is not None
    assert loss.logistic_regression is not None
    assert loss.holdout < loss.constant_rate
    assert {row.champion for row in trained.trained.metrics} == {None}
    kept = read_run(Path(again.path)).metrics["baselines"]
    assert set(kept) == {"constant_rate", "logistic_regression", "champion"}
    assert kept["logistic_regression"]["holdout"]["log_loss"] == loss.logistic_regression


def test_the_run_folder_says_what_it_was_made_from(trained: Trained) -> None:
    folder = read_run(Path(trained.trained.path))
    assert folder.features["hash"] == feature_hash()
    assert folder.data["rows"] == trained.uploaded.rows_read
    assert "BROWSER" in (folder.config.categorical or ())


def test_training_is_on_record_under_the_id_of_its_folder(trained: Trained) -> None:
    run = trained.trained.run_id
    row = trained.workspace.rows(f"SELECT * FROM RUNS WHERE RUN_ID = '{run}'")[0]
    assert (row["COMMAND"], row["OUTCOME"], row["FEATURE_HASH"]) == ("train", "done", feature_hash())
    assert json.loads(row["ARGUMENTS"])["config"]["cv_folds"] == QUICK.cv_folds


def test_tuning_writes_the_parameters_it_found_into_the_run_and_stays_in_the_training_months(
    workspace: Workspace,
) -> None:
    from intentscore.data.simulate import simulate

    heard: list[str] = []
    upload(workspace.session, workspace.settings, simulate(2500, seed=4, spread_days=False))
    refresh_features(workspace.session, workspace.settings)
    first = train(workspace.session, workspace.settings, QUICK, tune=6, say=heard.append)
    config = read_run(Path(first.path)).config
    assert [line.split(":")[0] for line in heard[:6]] == [f"trial {n} of 6" for n in range(1, 7)]
    heard.clear()
    workspace.rows("UPDATE SESSIONS SET REVENUE = NOT REVENUE WHERE MONTH = 'Dec'")
    again = train(workspace.session, workspace.settings, QUICK, tune=6, say=heard.append)
    assert [line for line in heard if line.startswith("trial")] == []
    assert read_run(Path(again.path)).config == config


def test_sessions_without_an_outcome_are_not_learned_from(workspace: Workspace, tmp_path: Path) -> None:
    file = session_file(tmp_path / "s.csv", {"UID": "b"}, {"UID": "a"}, {"REVENUE": ""})
    upload(workspace.session, workspace.settings, open_file(file))
    refresh_features(workspace.session, workspace.settings)
    assert list(training_frame(workspace.session, workspace.settings)["UID"]) == ["a", "b"]


def test_each_session_is_learned_from_as_it_was_on_its_day(workspace: Workspace, tmp_path: Path) -> None:
    visits = [{"UID": "x", "SESSION_DATE": f"2024-11-0{day}", "PRODUCT_RELATED": str(day)} for day in (1, 2, 3)]
    upload(workspace.session, workspace.settings, open_file(session_file(tmp_path / "s.csv", *visits)))
    refresh_features(workspace.session, workspace.settings)
    frame = training_frame(workspace.session, workspace.settings)
    assert [day.day for day in frame["SESSION_DATE"]] == [1, 2, 3]
    assert list(frame["PRODUCT_RELATED"]) == [1.0, 2.0, 3.0]


def test_training_without_features_says_what_to_run(workspace: Workspace) -> None:
    with pytest.raises(ConfigurationError, match="run `intentscore features`"):
        train(workspace.session, workspace.settings, QUICK)


def test_training_without_an_outcome_says_what_to_load(workspace: Workspace, tmp_path: Path) -> None:
    file = session_file(tmp_path / "s.csv", {"REVENUE": ""})
    upload(workspace.session, workspace.settings, open_file(file))
    refresh_features(workspace.session, workspace.settings)
    with pytest.raises(NothingToDoError, match="no session has a known outcome"):
        train(workspace.session, workspace.settings, QUICK)


def test_another_label_is_refused(workspace: Workspace) -> None:
    with pytest.raises(ConfigurationError, match="allowed: REVENUE"):
        train(workspace.session, workspace.settings, TrainConfig(label="WEEKEND"))


def test_the_first_version_is_champion_and_later_ones_challenge(workspace: Workspace, trained: Trained) -> None:
    work = trained.workspace
    settings = work.settings.model_copy(update={"model_name": "ALIASES"})
    work.session.use_schema(settings.schema_name)
    first, second, third = (register(work.session, settings, trained.trained.run_id) for _ in range(3))
    assert [first.alias, second.alias, third.alias] == ["CHAMPION", "CHALLENGER", "CHALLENGER"]
    aliases = {version.name: version.aliases for version in registered_versions(work.session, settings)}
    assert aliases == {first.version: ("CHAMPION",), second.version: (), third.version: ("CHALLENGER",)}
    shown = work.rows("SHOW MODELS LIKE 'ALIASES'")[0]
    assert shown["default_version_name"] == first.version


def test_a_version_knows_its_run_and_feature_list(trained: Trained) -> None:
    work = trained.workspace
    (version,) = registered_versions(work.session, work.settings)
    assert version.name == trained.registered.version
    assert version.metrics["run_id"] == trained.trained.run_id
    assert version.feature_hash == feature_hash()
    assert 0.5 < version.metrics["holdout_roc_auc"] <= 1


def test_an_unknown_run_is_refused(trained: Trained) -> None:
    with pytest.raises(UsageError, match="no run 990101_000000_0000"):
        register(trained.workspace.session, trained.workspace.settings, "990101_000000_0000")


def test_a_run_whose_feature_view_is_gone_is_not_registered(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registering, "registered_views", lambda *_: ())
    with pytest.raises(GateRefusedError, match="which is not there"):
        register(trained.workspace.session, trained.workspace.settings, trained.trained.run_id)


def test_registering_prints_nothing(trained: Trained, capfd: pytest.CaptureFixture[str]) -> None:
    work = trained.workspace
    register(work.session, work.settings.model_copy(update={"model_name": "QUIET"}), trained.trained.run_id)
    assert tuple(capfd.readouterr()) == ("", "")
