from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest

from intentscore.model.bag import merge
from intentscore.model.boosting import bag_members, boost, learn
from intentscore.model.config import TrainConfig
from intentscore.model.training import fit

from .conftest import Sessions


@pytest.fixture(scope="module")
def bag(config: TrainConfig) -> TrainConfig:
    return config.model_copy(update={"bags": 2})


def test_the_merged_booster_gives_the_members_mean_log_odds(sessions: Sessions, bag: TrainConfig) -> None:
    members = [
        member
        for seed in (bag.seed, bag.seed + 1)
        for member in bag_members(sessions.matrix, sessions.bought, sessions.dates, ("VISITOR_CODE",), seed, bag)
    ]
    merged, _ = learn(sessions.matrix, sessions.bought, sessions.dates, ("VISITOR_CODE",), bag)
    values = sessions.matrix.to_numpy()
    for kind in ({"raw_score": True}, {"pred_contrib": True}):
        mean = np.mean([m.booster.predict(values, num_iteration=m.rounds, **kind) for m in members], axis=0)
        assert np.abs(np.asarray(merged.predict(values, **kind)) - mean).max() < 1e-12
    assert merged.num_trees() == sum(member.rounds for member in members)
    assert len(members) == 2 * bag.cv_folds


def test_boosters_of_other_seeds_on_all_sessions_become_their_mean(sessions: Sessions, config: TrainConfig) -> None:
    learned = (sessions.matrix, sessions.bought, ("VISITOR_CODE",))
    three = config.model_copy(update={"boosters": 3})
    merged, validated = learn(sessions.matrix, sessions.bought, sessions.dates, ("VISITOR_CODE",), three)
    members = [boost(*learned, validated.rounds, config, config.seed + number) for number in range(3)]
    values = sessions.matrix.to_numpy()
    each = [np.asarray(member.predict(values, raw_score=True)) for member in members]
    assert np.abs(np.asarray(merged.predict(values, raw_score=True)) - np.mean(each, axis=0)).max() < 1e-12
    assert np.abs(each[0] - each[1]).max() > 0.01
    assert merged.num_trees() == 3 * validated.rounds


def test_each_member_stops_on_its_own_left_out_sessions(sessions: Sessions, bag: TrainConfig) -> None:
    members = list(bag_members(sessions.matrix, sessions.bought, sessions.dates, ("VISITOR_CODE",), 1, bag))
    assert len({member.rounds for member in members}) > 1
    left_out = np.concatenate([member.left_out for member in members])
    assert sorted(left_out) == list(range(len(sessions.bought)))


def test_a_bag_is_stored_and_loaded_like_any_booster(sessions: Sessions, bag: TrainConfig) -> None:
    model = fit(sessions.matrix, sessions.bought, sessions.dates, bag)
    loaded = lgb.Booster(model_str=model.model_text)
    values = sessions.matrix.to_numpy()
    assert np.array_equal(loaded.predict(values), model.booster.predict(values))
    assert loaded.model_to_string() == model.model_text
    assert loaded.feature_name() == list(model.features)
    assert model.importances[0].feature == "PAGE_VALUES"
    assert fit(sessions.matrix, sessions.bought, sessions.dates, bag).model_text == model.model_text


def test_boosters_of_other_inputs_are_not_merged(sessions: Sessions, config: TrainConfig) -> None:
    one, _ = learn(sessions.matrix, sessions.bought, sessions.dates, (), config)
    other, _ = learn(sessions.matrix.drop(columns="NOISE"), sessions.bought, sessions.dates, (), config)
    with pytest.raises(ValueError, match="differ in their inputs"):
        merge([one, other], [1, 1])
    with pytest.raises(ValueError, match="0 members"):
        merge([], [])
