"""Which training sessions are left out together, to find the number of rounds on sessions not learned from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from intentscore.errors import DataError
from intentscore.model.config import TrainConfig

Fold = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Rows to learn from, and rows left out."""


def deal(bought: NDArray[np.bool_], dates: pd.Series[Any], config: TrainConfig, seed: int) -> tuple[Fold, ...]:
    """At most `config.cv_folds` folds of rows; `bought` and `dates` have shape (n,).

    `config.fold_by` 'months' leaves out whole calendar months, neighbours together where there are more than folds:
    a booster that stops on them fits months it has not seen. With 'sessions', or without two such blocks of months,
    the sessions are dealt at random, with as many buyers to each.

    Raises DataError when there are fewer buyers, or fewer non-buyers, than folds.
    """
    buyers = int(bought.sum())
    if min(buyers, len(bought) - buyers) < config.cv_folds:
        raise DataError(
            f"{len(bought)} sessions with {buyers} buyers before the held-out month(s) are too few for "
            f"{config.cv_folds} folds; load more sessions or lower cv_folds"
        )
    if config.fold_by == "months":
        blocks = _blocks_of_months(dates, config.cv_folds)
        if len(blocks) > 1 and all(0 < bought[learned].sum() < len(learned) for learned, _ in blocks):
            return blocks
    dealer = StratifiedKFold(config.cv_folds, shuffle=True, random_state=seed)
    return tuple(dealer.split(np.zeros(len(bought)), bought))


def _blocks_of_months(dates: pd.Series[Any], most: int) -> tuple[Fold, ...]:
    month = pd.Series(pd.to_datetime(dates)).dt.strftime("%Y-%m").to_numpy()
    known = np.unique(month.astype(str))
    left_out = [np.isin(month, block) for block in np.array_split(known, min(most, len(known)))]
    return tuple((np.flatnonzero(~rows), np.flatnonzero(rows)) for rows in left_out)
