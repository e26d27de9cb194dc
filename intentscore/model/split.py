"""The past teaches, the last month examines: sessions are never dealt to train and hold-out at random."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intentscore.errors import DataError


@dataclass(frozen=True)
class Period:
    """Sessions of whole calendar months; `months` as 'YYYY-MM', only those that have sessions, in order."""

    months: tuple[str, ...]
    first: date
    last: date
    sessions: int


@dataclass(frozen=True)
class TimeSplit:
    """`train` and `holdout` are complementary boolean masks (n,), in the row order of the dates given."""

    train: NDArray[np.bool_]
    holdout: NDArray[np.bool_]
    train_period: Period
    holdout_period: Period


def split_by_time(dates: pd.Series[Any], holdout_months: int = 1) -> TimeSplit:
    """Hold out the last `holdout_months` calendar months that have sessions.

    `dates`: shape (n,), dates or timestamps. Raises DataError when a date is missing, or when no month is
    left to learn from.
    """
    days = pd.Series(pd.to_datetime(dates)).reset_index(drop=True)
    if days.isna().any():
        raise DataError(f"{int(days.isna().sum())} sessions have no date; load them again with one")
    months = days.dt.strftime("%Y-%m").to_numpy()
    known = sorted(set(months))
    if len(known) <= holdout_months:
        raise DataError(
            f"sessions of {len(known)} month(s) ({', '.join(known) or 'none'}) cannot be split by time: "
            f"holding out {holdout_months} needs at least {holdout_months + 1}; load more months"
        )
    holdout = np.isin(months, known[-holdout_months:])
    return TimeSplit(
        ~holdout, holdout, _period(days[~holdout], months[~holdout]), _period(days[holdout], months[holdout])
    )


def _period(days: pd.Series[pd.Timestamp], months: NDArray[np.object_]) -> Period:
    return Period(tuple(sorted(set(months))), days.min().date(), days.max().date(), len(days))
