"""What a model was trained on, in a few lines: enough to tell whether two runs saw the same sessions."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class MonthSummary:
    month: str
    sessions: int
    buyers: int


@dataclass(frozen=True)
class DataSummary:
    """`fingerprint` is the SHA-256 of column names, values, outcomes and dates, in row order."""

    fingerprint: str
    rows: int
    buyers: int
    months: tuple[MonthSummary, ...]


def summarise(matrix: pd.DataFrame, bought: NDArray[np.bool_], dates: pd.Series[Any]) -> DataSummary:
    """`matrix`: float64 (n, f); `bought`: bool (n,); `dates`: dates or timestamps (n,), none missing."""
    days = pd.Series(pd.to_datetime(dates)).reset_index(drop=True)
    months = days.dt.strftime("%Y-%m").to_numpy()
    return DataSummary(
        fingerprint=_digest(matrix, bought, days),
        rows=len(bought),
        buyers=int(bought.sum()),
        months=tuple(
            MonthSummary(month, int((months == month).sum()), int(bought[months == month].sum()))
            for month in sorted(set(months))
        ),
    )


def _digest(matrix: pd.DataFrame, bought: NDArray[np.bool_], days: pd.Series[pd.Timestamp]) -> str:
    digest = hashlib.sha256("\n".join(matrix.columns).encode())
    digest.update(np.ascontiguousarray(matrix.to_numpy(), dtype="<f8").tobytes())
    digest.update(bought.tobytes())
    digest.update("\n".join(days.dt.strftime("%Y-%m-%d")).encode())
    return digest.hexdigest()
