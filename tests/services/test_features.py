from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from intentscore.data.files import open_file
from intentscore.errors import ConfigurationError
from intentscore.features.definitions import FEATURES, feature_hash, feature_list, feature_names
from intentscore.features.history import history_features
from intentscore.features.store import registered_views
from intentscore.services.features import refresh_features
from intentscore.services.models import models
from intentscore.services.score import plan_score
from intentscore.services.upload import upload
from intentscore.settings import FeatureViewSettings, Settings
from tests.services.conftest import Trained, Workspace
from tests.services.sheets import session_file


def load(work: Workspace, path: Path, *changes: dict[str, str]) -> None:
    upload(work.session, work.settings, open_file(session_file(path / "sessions.csv", *changes)))


def test_every_session_has_every_feature(trained: Trained) -> None:
    work = trained.workspace
    result = refresh_features(work.session, work.settings)
    assert result.rows == trained.uploaded.rows_read
    assert [feature.name for feature in result.features] == list(feature_names())
    history = {feature.name for feature in history_features((7, 30, 90))}
    always = {feature.name for feature in FEATURES if not feature.nullable}
    found = {f.name: f for f in result.features}
    assert {found[name].count for name in always} == {result.rows}
    assert found["EXIT_RATES_WITH_VALUE"].count + found["EXIT_RATES_WITHOUT_VALUE"].count == result.rows
    assert {f.nulls for f in result.features if f.name in history} == {result.rows}
    assert all(math.isfinite(f.minimum or 0) and math.isfinite(f.maximum or 0) for f in result.features)


def test_features_are_computed_from_the_session(workspace: Workspace, tmp_path: Path) -> None:
    load(workspace, tmp_path, {})
    refresh_features(workspace.session, workspace.settings)
    row = workspace.rows("SELECT * FROM SESSION_FEATURES$V1")[0].as_dict()
    assert row["TOTAL_PAGES"] == 8.0
    assert row["TOTAL_DURATION"] == 310.75
    assert row["ADMINISTRATIVE_SHARE"] == 1 / 8
    assert row["BOUNCE_TO_EXIT"] == 0.01 / 0.03
    assert row["TOTAL_EXIT_RATE"] == 0.03 * 8
    assert row["TOTAL_BOUNCE_RATE"] == 0.01 * 8
    assert row["LOG_PAGE_VALUES"] == pytest.approx(math.log(13.5), rel=1e-15)
    assert row["MONTH_NUMBER"] == 11.0
    assert row["MONTH_SIN"] == pytest.approx(math.sin(2 * math.pi * 10 / 12), rel=1e-12)
    assert row["VISITOR_CODE"] == 1.0
    assert (row["EXIT_RATES_WITH_VALUE"], row["EXIT_RATES_WITHOUT_VALUE"]) == (0.03, None)
    assert {type(row[feature.name]) for feature in FEATURES if not feature.nullable} == {float}


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


def with_view(settings: Settings, **changes: Any) -> Settings:
    view = FeatureViewSettings.model_validate({**settings.feature_view.model_dump(), **changes})
    return settings.model_copy(update={"feature_view": view})


def test_another_feature_list_becomes_a_version_of_its_own(workspace: Workspace, tmp_path: Path) -> None:
    load(workspace, tmp_path, {})
    session, settings = workspace.session, workspace.settings
    doubled = with_view(settings, own_features=[{"name": "DOUBLED", "sql": "2 * page_values", "meaning": "it's twice"}])
    first, second = refresh_features(session, settings), refresh_features(session, doubled)
    assert [first.version, second.version] == ["V1", "V2"]
    assert [refresh_features(session, one).version for one in (settings, doubled)] == ["V1", "V2"]
    assert "DOUBLED" not in workspace.rows("SELECT * FROM SESSION_FEATURES$V1")[0].as_dict()
    assert workspace.value("SELECT DOUBLED FROM SESSION_FEATURES$V2") == 25.0
    assert second.features[-1].meaning == "it's twice"
    views = registered_views(session, settings)
    assert [(view.full_name, view.hash) for view in views] == [
        ("SESSION_FEATURES$V1", first.hash),
        ("SESSION_FEATURES$V2", second.hash),
    ]


def test_a_version_that_the_settings_name_is_never_redefined(workspace: Workspace, tmp_path: Path) -> None:
    load(workspace, tmp_path, {})
    session, settings = workspace.session, workspace.settings
    refresh_features(session, with_view(settings, version="MINE"))
    with pytest.raises(ConfigurationError, match=r"SESSION_FEATURES\$MINE holds another feature list"):
        refresh_features(session, with_view(settings, version="MINE", history_days=[]))
    assert refresh_features(session, with_view(settings, history_days=[])).version == "V1"


def test_the_refresh_frequency_follows_the_settings(workspace: Workspace, tmp_path: Path) -> None:
    load(workspace, tmp_path, {})
    for frequency in ("1 day", "2 hours", "2 hours"):
        refresh_features(workspace.session, with_view(workspace.settings, refresh_freq=frequency))
        shown = workspace.rows("SHOW DYNAMIC TABLES LIKE 'SESSION_FEATURES$V1'")
        assert [row["target_lag"] for row in shown] == [frequency]


@pytest.mark.parametrize("sql", ["IFF(REVENUE, 1, 0)", "datediff('day', outcome_date, session_date)"])
def test_a_feature_made_of_the_outcome_is_refused(sql: str) -> None:
    with pytest.raises(ValidationError, match="is not known when a session is scored"):
        with_view(Settings(), own_features=[{"name": "LEAK", "sql": sql}])


def test_a_feature_of_a_known_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="there is a feature REGION already"):
        feature_list(with_view(Settings(), own_features=[{"name": "REGION", "sql": "1"}]))


def test_a_model_reads_the_version_of_the_view_it_was_trained_on(trained: Trained) -> None:
    work = trained.workspace
    changed = with_view(work.settings, own_features=[{"name": "TRIPLED", "sql": "3 * PAGE_VALUES"}])
    before = plan_score(work.session, work.settings, trained.day, trained.day)
    try:
        view = refresh_features(work.session, changed)
        after = plan_score(work.session, changed, trained.day, trained.day)
        assert view.version != trained.trained.feature_view.partition("$")[2]
        assert after.preparation[0] == before.preparation[0]
        assert f"{trained.trained.feature_view}" in after.preparation[1]
        (listed,) = models(work.session, changed).versions
        assert listed.feature_view == trained.trained.feature_view
    finally:
        work.rows(f"DROP DYNAMIC TABLE SESSION_FEATURES${view.version}")


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
