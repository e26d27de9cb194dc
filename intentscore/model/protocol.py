"""Which sessions teach and which examine. T deals all sessions to folds; O keeps the order of time.

T is scikit-learn's RepeatedStratifiedKFold(n_splits=3, n_repeats=3, random_state=0) on the sessions in the order
of date and UID. O trains on all months before a tested month, for each of the last four months.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import RepeatedStratifiedKFold

from intentscore.errors import DataError

Labels = NDArray[np.bool_]
Scores = NDArray[np.float64]
Rows = NDArray[np.int64]
Learner = Callable[[pd.DataFrame, Labels, pd.DataFrame], Scores]
"""(training matrix (m, f), outcomes (m,), matrix to score (k, f)) -> scores in [0, 1] (k,)"""

SPLITS, REPEATS, SEED = 3, 3, 0
TESTED_MONTHS = 4


@dataclass(frozen=True)
class Part:
    """`train` and `test` are row numbers that share none; `name` is 'repeat.fold' or the tested 'YYYY-MM'."""

    name: str
    train: Rows
    test: Rows


@dataclass(frozen=True)
class Examined:
    """What one learner gave to the sessions it had not seen: `scores[i]` are those of `parts[i].test`."""

    parts: tuple[Part, ...]
    scores: tuple[Scores, ...]

    def pooled(self) -> tuple[Rows, Scores]:
        """Every tested session once, in row order, with the mean of its scores."""
        rows = np.concatenate([part.test for part in self.parts])
        tested, position, times = np.unique(rows, return_inverse=True, return_counts=True)
        return tested, np.bincount(position, weights=np.concatenate(self.scores)) / times


def repeated_folds(bought: Labels) -> tuple[Part, ...]:
    """Protocol T. Raises DataError with fewer than three buyers or non-buyers."""
    buyers = int(bought.sum())
    if min(buyers, len(bought) - buyers) < SPLITS:
        raise DataError(f"{len(bought)} sessions with {buyers} buyers are too few to evaluate on; load more sessions")
    dealer = RepeatedStratifiedKFold(n_splits=SPLITS, n_repeats=REPEATS, random_state=SEED)
    dealt = enumerate(dealer.split(np.zeros(len(bought)), bought))
    return tuple(Part(f"{n // SPLITS + 1}.{n % SPLITS + 1}", train, test) for n, (train, test) in dealt)


def out_of_time(dates: pd.Series[Any], months: int = TESTED_MONTHS) -> tuple[Part, ...]:
    """Protocol O on the last `months` calendar months that have sessions, the first of all never among them.

    `dates`: dates or timestamps (n,), none missing. Raises DataError when all sessions are of one month.
    """
    month = pd.Series(pd.to_datetime(dates)).dt.strftime("%Y-%m").to_numpy()
    known = sorted(set(month))
    if len(known) < 2:
        raise DataError(f"sessions of {len(known)} month(s) cannot be tested out of time; load more months")
    tested = known[1:][-months:]
    return tuple(Part(name, np.flatnonzero(month < name), np.flatnonzero(month == name)) for name in tested)


def examine(
    learner: Learner,
    matrix: pd.DataFrame,
    bought: Labels,
    parts: tuple[Part, ...],
    say: Callable[[str], None] = lambda _: None,
) -> Examined:
    """Let `learner` learn and score each part. `matrix`: float64 (n, f); `bought`: bool (n,)."""
    scores = []
    for part in parts:
        say(part.name)
        scores.append(learner(matrix.iloc[part.train], bought[part.train], matrix.iloc[part.test]))
    return Examined(parts, tuple(scores))
