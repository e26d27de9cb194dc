from __future__ import annotations

from pathlib import Path

import pytest

from intentscore.data.files import open_file
from intentscore.errors import ConfigurationError, NothingToDoError, WarehouseError
from intentscore.features.definitions import FEATURES, feature_names
from intentscore.services.feature_views import (
    FeatureDescription,
    ViewDescription,
    describe,
    list_views,
    refresh_history,
    refresh_views,
)
from intentscore.services.features import refresh_features
from intentscore.services.upload import upload
from tests.services.conftest import Trained, Workspace
from tests.services.sheets import session_file
from tests.services.test_features import with_view


def test_the_versions_are_listed_with_who_reads_them(trained: Trained) -> None:
    work = trained.workspace
    (listed,) = list_views(work.session, work.settings).versions
    assert (listed.version, listed.current, listed.state) == ("V1", True, "ACTIVE")
    assert (listed.features, listed.rows) == (len(FEATURES), trained.uploaded.rows_read)
    assert listed.refresh_freq == work.settings.feature_view.refresh_freq
    assert trained.registered.version in listed.read_by


@pytest.mark.parametrize("name", ["SESSION_FEATURES", "v1", "session_features$V1"])
def test_a_version_is_described_by_any_of_its_names(trained: Trained, name: str) -> None:
    work = trained.workspace
    found = describe(work.session, work.settings, name)
    assert isinstance(found, ViewDescription)
    assert (found.view, found.entities, found.timestamp) == ("SESSION_FEATURES$V1", ("SHOPPER (UID)",), "SESSION_DATE")
    assert [feature.name for feature in found.features] == list(feature_names())
    assert {f.name: (f.kind, f.meaning) for f in found.features} == {f.name: (f.kind, f.meaning) for f in FEATURES}
    assert (found.rows, found.last_day) == (trained.uploaded.rows_read, trained.day.replace(month=12))


def test_a_feature_is_described_with_its_sql_and_values(trained: Trained) -> None:
    work = trained.workspace
    found = describe(work.session, work.settings, "total_pages")
    assert isinstance(found, FeatureDescription)
    assert found.sql == "(ADMINISTRATIVE + INFORMATIONAL + PRODUCT_RELATED)"
    assert found.count == trained.uploaded.rows_read
    assert found.nulls == 0
    total = "SUM(ADMINISTRATIVE + INFORMATIONAL + PRODUCT_RELATED)"
    assert found.mean == pytest.approx(float(work.value(f"SELECT {total} FROM SESSIONS")) / found.count, rel=1e-12)
    assert "V1" in found.versions_with_it


def test_an_unknown_name_is_answered_with_the_known_ones(trained: Trained) -> None:
    with pytest.raises(ConfigurationError, match=r"NOSUCH is neither a feature .* \(SESSION_FEATURES\$V1"):
        describe(trained.workspace.session, trained.workspace.settings, "NOSUCH")


def test_refreshing_takes_the_versions_in_use_and_registers_none(workspace: Workspace, tmp_path: Path) -> None:
    session, settings = workspace.session, workspace.settings
    other = with_view(settings, history_days=[])
    with pytest.raises(NothingToDoError, match="no feature view in use"):
        refresh_views(session, settings)
    upload(session, settings, open_file(session_file(tmp_path / "s.csv", {})))
    for registered in (settings, other):
        refresh_features(session, registered)
    upload(session, settings, open_file(session_file(tmp_path / "s.csv", {}, {})))
    (refreshed,) = refresh_views(session, settings).versions
    assert (refreshed.version, refreshed.rows) == ("V1", 2)
    assert workspace.value("SELECT COUNT(*) FROM SESSION_FEATURES$V2") == 1
    with pytest.raises(NothingToDoError, match="no feature view in use"):
        refresh_views(session, with_view(settings, history_days=[5]))


def test_the_history_shows_each_refresh_the_newest_first(workspace: Workspace, tmp_path: Path) -> None:
    session, settings = workspace.session, workspace.settings
    with pytest.raises(NothingToDoError, match="run `intentscore features`"):
        refresh_history(session, settings)
    upload(session, settings, open_file(session_file(tmp_path / "s.csv", {})))
    refresh_features(session, settings)
    refresh_views(session, settings)
    found = refresh_history(session, settings).refreshes
    assert [refresh.trigger for refresh in found] == ["MANUAL", "CREATION"]
    assert {(refresh.version, refresh.state) for refresh in found} == {("V1", "SUCCEEDED")}


def test_an_own_feature_that_does_not_compile_is_named_and_nothing_registered(
    workspace: Workspace, tmp_path: Path
) -> None:
    upload(workspace.session, workspace.settings, open_file(session_file(tmp_path / "s.csv", {})))
    faulty = with_view(workspace.settings, own_features=[{"name": "ODD", "sql": "NO_SUCH_COLUMN + 1"}])
    with pytest.raises(WarehouseError, match="cannot compute ODD"):
        refresh_features(workspace.session, faulty)
    assert workspace.rows("SHOW DYNAMIC TABLES") == []
