from __future__ import annotations

from datetime import date

import numpy as np
import pytest
import shap

from intentscore.data.simulate import simulate
from intentscore.errors import ConfigurationError, NothingToDoError
from intentscore.features.definitions import FEATURES
from intentscore.model.run import find_run
from intentscore.services import versions
from intentscore.services.features import refresh_features
from intentscore.services.importance import explained_sample, global_explanation
from intentscore.services.register import register
from intentscore.services.train import train
from intentscore.services.upload import upload
from intentscore.settings import OwnFeature
from tests.services.conftest import QUICK, Trained, Workspace


def test_contributions_are_those_of_shap(trained: Trained) -> None:
    work = trained.workspace
    sample = explained_sample(work.session, work.settings, size=200)
    booster = find_run(work.settings.home / "runs", trained.trained.run_id).booster()
    explainer = shap.TreeExplainer(booster)
    expected = explainer.shap_values(sample.values, from_call=True)
    assert list(sample.features) == booster.feature_name()
    assert sample.log_odds == pytest.approx(expected, abs=1e-12)
    assert sample.base_log_odds == pytest.approx(explainer.expected_value, abs=1e-12)


def test_contributions_and_base_value_add_up_to_the_log_odds(trained: Trained) -> None:
    work = trained.workspace
    sample = explained_sample(work.session, work.settings, date(2024, 11, 1), date(2024, 11, 30), size=200)
    booster = find_run(work.settings.home / "runs", trained.trained.run_id).booster()
    log_odds = np.asarray(booster.predict(sample.values, raw_score=True))
    assert sample.base_log_odds + sample.log_odds.sum(axis=1) == pytest.approx(log_odds, abs=1e-9)
    assert (sample.first, sample.last) == (date(2024, 11, 1), date(2024, 11, 1))


def test_a_sample_is_the_same_every_time(trained: Trained) -> None:
    work = trained.workspace
    one, other = (explained_sample(work.session, work.settings, size=50) for _ in range(2))
    assert one.sessions == 50
    assert np.array_equal(one.log_odds, other.log_odds)


def test_features_are_ranked_by_their_mean_absolute_contribution(trained: Trained) -> None:
    work = trained.workspace
    sample = explained_sample(work.session, work.settings, size=100)
    found = global_explanation(sample)
    means = dict(zip(sample.features, np.abs(sample.log_odds).mean(axis=0), strict=True))
    assert [row.log_odds for row in found.features] == sorted(means.values(), reverse=True)
    assert {row.feature: row.log_odds for row in found.features} == means
    assert sum(row.share for row in found.features) == pytest.approx(1)
    assert {row.feature: row.meaning for row in found.features} == {
        one.name: one.meaning for one in FEATURES if not one.history
    }


def test_features_of_this_installation_are_told_by_their_own_meaning(workspace: Workspace) -> None:
    """Those the version reads, as they were registered, whatever the present list says."""
    work = workspace
    upload(work.session, work.settings, simulate(1000, seed=4))
    own = OwnFeature(name="VALUE_PER_PAGE", sql="PAGE_VALUES / (1 + PRODUCT_RELATED)", meaning="page value per page")
    view = work.settings.feature_view.model_copy(update={"own_features": (own,), "history_days": ()})
    settings = work.settings.model_copy(update={"feature_view": view})
    refresh_features(work.session, settings)
    register(work.session, settings, train(work.session, settings, QUICK).run_id)
    sample = explained_sample(work.session, work.settings, size=20)
    told = {row.feature: row.meaning for row in global_explanation(sample).features}
    assert told["VALUE_PER_PAGE"] == "page value per page"
    assert told["EXIT_RATES"] == "mean exit rate of the pages seen"


def test_days_without_sessions_cannot_be_explained(trained: Trained) -> None:
    work = trained.workspace
    with pytest.raises(NothingToDoError, match="no sessions to explain"):
        explained_sample(work.session, work.settings, date(2031, 1, 1))


def test_a_version_without_a_base_value_says_so(trained: Trained) -> None:
    work = trained.workspace
    known = versions.registered_versions(work.session, work.settings)[0]
    with pytest.raises(ConfigurationError, match="without its base value; register its run again"):
        _ = versions.RegisteredVersion(known.name, known.aliases, {}).base_log_odds
