from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from intentscore.data.files import open_file
from intentscore.errors import ConfigurationError
from intentscore.features import store
from intentscore.features.definitions import FEATURES, feature_hash, feature_names
from intentscore.services.features import refresh_features
from intentscore.services.upload import upload
from tests.services.conftest import Trained, Workspace
from tests.services.sheets import session_file


def load(work: Workspace, path: Path, *changes: dict[str, str]) -> None:
    upload(work.session, work.settings, open_file(session_file(path / "sessions.csv", *changes)))


def test_every_session_has_every_feature(trained: Trained) -> None:
    work = trained.workspace
    result = refresh_features(work.session, work.settings)
    assert result.rows == trained.uploaded.rows_read
    assert [feature.name for feature in result.features] == list(feature_names())
    assert {(feature.count, feature.nulls) for feature in result.features} == {(result.rows, 0)}
    assert all(math.isfinite(f.minimum or 0) and math.isfinite(f.maximum or 0) for f in result.features)


def test_features_are_computed_from_the_session(workspace: Workspace, tmp_path: Path) -> None:
    load(workspace, tmp_path, {})
    refresh_features(workspace.session, workspace.settings)
    row = workspace.rows("SELECT * FROM SESSION_FEATURES$V1")[0].as_dict()
    assert row["TOTAL_PAGES"] == 8.0
    assert row["TOTAL_DURATION"] == 310.75
    assert row["ADMINISTRATIVE_SHARE"] == 1 / 8
    assert row["BOUNCE_TO_EXIT"] == 0.01 / 0.03
    assert row["LOG_PAGE_VALUES"] == pytest.approx(math.log(13.5), rel=1e-15)
    assert row["MONTH_NUMBER"] == 11.0
    assert row["MONTH_SIN"] == pytest.approx(math.sin(2 * math.pi * 10 / 12), rel=1e-12)
    assert row["VISITOR_CODE"] == 1.0
    assert {type(row[name]) for name in feature_names()} == {float}


def test_a_share_keeps_all_its_digits(workspace: Workspace, tmp_path: Path) -> None:
    load(workspace, tmp_path, {"ADMINISTRATIVE": "1", "INFORMATIONAL": "2", "PRODUCT_RELATED": "4"})
    refresh_features(workspace.session, workspace.settings)
    assert workspace.value("SELECT ADMINISTRATIVE_SHARE FROM SESSION_FEATURES$V1") == 1 / 7


def test_a_session_without_pages_has_shares_of_zero(workspace: Workspace, tmp_path: Path) -> None:
    load(workspace, tmp_path, {"ADMINISTRATIVE": "0", "PRODUCT_RELATED": "0", "EXIT_RATES": "0"})
    refresh_features(workspace.session, workspace.settings)
    row = workspace.rows("SELECT PRODUCT_SHARE, SECONDS_PER_PAGE, BOUNCE_TO_EXIT FROM SESSION_FEATURES$V1")[0]
    assert tuple(row) == (0.0, 0.0, 0.0)


def test_refreshing_takes_new_sessions_in(workspace: Workspace, tmp_path: Path) -> None:
    load(workspace, tmp_path, {})
    assert refresh_features(workspace.session, workspace.settings).rows == 1
    load(workspace, tmp_path, {}, {}, {})
    assert refresh_features(workspace.session, workspace.settings).rows == 3


def test_another_feature_list_under_the_same_version_is_refused(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(workspace, tmp_path, {})
    refresh_features(workspace.session, workspace.settings)
    monkeypatch.setattr(store, "feature_hash", lambda: "0123456789abcdef")
    with pytest.raises(ConfigurationError, match=r"SESSION_FEATURES\$V1 holds another feature list"):
        refresh_features(workspace.session, workspace.settings)


def test_the_hash_depends_on_every_definition() -> None:
    first, *others = FEATURES
    changed = (
        dataclasses.replace(first, name="X"),
        dataclasses.replace(first, sql="1"),
        dataclasses.replace(first, kind="categorical"),
    )
    for feature in changed:
        assert feature_hash([feature, *others]) != feature_hash()
    assert feature_hash([dataclasses.replace(first, meaning="other words"), *others]) == feature_hash()
    assert feature_hash(reversed(FEATURES)) != feature_hash()


def test_feature_names_are_upper_case_and_unique() -> None:
    names = feature_names()
    assert len(set(names)) == len(names)
    assert all(name == name.upper() for name in names)
