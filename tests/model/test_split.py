from __future__ import annotations

from datetime import date

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intentscore.errors import DataError
from intentscore.model.split import split_by_time


@given(
    st.lists(st.dates(date(2023, 1, 1), date(2025, 12, 31)), min_size=1, max_size=60),
    st.integers(min_value=1, max_value=3),
)
def test_every_held_out_session_is_in_a_later_month_than_every_training_session(
    days: list[date], holdout_months: int
) -> None:
    months = sorted({day.strftime("%Y-%m") for day in days})
    dates = pd.Series(pd.to_datetime(days))
    if len(months) <= holdout_months:
        with pytest.raises(DataError, match=f"at least {holdout_months + 1}"):
            split_by_time(dates, holdout_months)
        return
    split = split_by_time(dates, holdout_months)
    assert (split.train ^ split.holdout).all()
    assert split.train_period.months == tuple(months[:-holdout_months])
    assert split.holdout_period.months == tuple(months[-holdout_months:])
    assert split.train_period.last.strftime("%Y-%m") < split.holdout_period.first.strftime("%Y-%m")
    assert split.train_period.sessions + split.holdout_period.sessions == len(days)


def test_the_same_month_of_two_years_is_two_months() -> None:
    split = split_by_time(pd.Series(pd.to_datetime(["2025-03-02", "2024-03-09", "2025-03-31"])))
    assert split.holdout.tolist() == [True, False, True]


def test_plain_dates_and_any_index_are_taken() -> None:
    dates = pd.Series([date(2024, 11, 1), date(2024, 12, 1)], index=[7, 7])
    assert split_by_time(dates).holdout.tolist() == [False, True]


def test_a_missing_date_is_refused() -> None:
    with pytest.raises(DataError, match="1 sessions have no date"):
        split_by_time(pd.Series([pd.Timestamp("2024-11-01"), pd.NaT, pd.Timestamp("2024-12-01")]))


def test_no_session_at_all_is_refused() -> None:
    with pytest.raises(DataError, match="0 month"):
        split_by_time(pd.Series(pd.to_datetime([])))
