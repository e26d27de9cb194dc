from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from intentscore.errors import DataError
from intentscore.model.boosting import cross_validate
from intentscore.model.config import TrainConfig
from intentscore.model.folds import deal

from .conftest import Sessions

MONTHS = TrainConfig(cv_folds=3)


def test_whole_months_are_left_out_and_each_once(sessions: Sessions) -> None:
    month = sessions.dates.dt.strftime("%Y-%m").to_numpy()
    folds = deal(sessions.bought, sessions.dates, MONTHS, seed=1)
    assert [sorted(set(month[left_out])) for _, left_out in folds] == [["2024-08", "2024-09"], ["2024-10"], ["2024-11"]]
    for learned, left_out in folds:
        assert not set(month[learned]) & set(month[left_out])
        assert len(learned) + len(left_out) == len(month)


def test_there_are_no_more_folds_than_months(sessions: Sessions) -> None:
    assert len(deal(sessions.bought, sessions.dates, TrainConfig(cv_folds=8), seed=1)) == 4


def test_sessions_are_dealt_at_random_on_request_or_within_one_month(sessions: Sessions) -> None:
    asked = deal(sessions.bought, sessions.dates, TrainConfig(cv_folds=3, fold_by="sessions"), seed=1)
    one_month = pd.Series(pd.to_datetime(["2024-08-01"] * len(sessions.bought)))
    alone = deal(sessions.bought, one_month, MONTHS, seed=1)
    for one, other in zip(asked, alone, strict=True):
        assert np.array_equal(one[1], other[1])
    shares = [sessions.bought[left_out].mean() for _, left_out in asked]
    assert max(shares) - min(shares) < 0.002


def test_months_without_which_nobody_bought_are_no_fold(sessions: Sessions) -> None:
    only_in_november = sessions.bought & (sessions.dates.dt.month == 11).to_numpy()
    folds = deal(only_in_november, sessions.dates, MONTHS, seed=1)
    assert all(only_in_november[learned].any() for learned, _ in folds)


def test_fewer_buyers_than_folds_are_refused(sessions: Sessions) -> None:
    with pytest.raises(DataError, match=r"2 buyers .* too few for 3 folds"):
        deal(np.arange(len(sessions.bought)) < 2, sessions.dates, MONTHS, seed=1)


def test_boosters_that_stop_on_other_months_stop_earlier_where_months_differ(
    sessions: Sessions, config: TrainConfig
) -> None:
    # what the noise column says of the outcome is turned round from month to month
    turned = np.where(sessions.dates.dt.month % 2, 1, -1) * sessions.matrix["NOISE"].fillna(0) > 0.3
    matrix = sessions.matrix.assign(MONTH=sessions.dates.dt.month.astype(np.float64))
    outcomes = np.asarray(sessions.bought | turned)
    rounds = {
        way: cross_validate(matrix, outcomes, sessions.dates, (), config.model_copy(update={"fold_by": way})).rounds
        for way in ("months", "sessions")
    }
    assert rounds["months"] < rounds["sessions"]
