"""What the shopper's history costs and what it is worth, on simulated shoppers who come back.

python -m benchmarks.history [SESSIONS OF THE REFRESH] [SESSIONS OF THE MODEL]
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score
from snowflake.snowpark import Session

from intentscore.data.simulate import PURCHASE_PROBABILITY, draw, simulate
from intentscore.features.definitions import FEATURES
from intentscore.features.store import refresh_statement, register_view
from intentscore.model.boosting import boost
from intentscore.model.config import BoosterParams, TrainConfig
from intentscore.model.protocol import Labels, Scores, examine, repeated_folds
from intentscore.services.train import training_frame
from intentscore.services.upload import upload
from intentscore.settings import Settings
from intentscore.warehouse.session import open_session

RETURNING, SEED, ROUNDS = 0.6, 1, 400
CONFIG = TrainConfig(params=BoosterParams(learning_rate=0.05))


@contextmanager
def loaded(sessions: int) -> Iterator[tuple[Session, Settings]]:
    with tempfile.TemporaryDirectory() as home:
        os.environ["INTENTSCORE_HOME"] = home
        settings = Settings()
        with open_session(settings, connection="local", command="benchmark", announce=lambda _: None) as opened:
            upload(opened.session, settings, simulate(sessions, seed=SEED, returning=RETURNING))
            yield opened.session, settings


def timed(what: str, work: Callable[[], Any]) -> Any:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    print(f"{what:<40} {time.perf_counter() - wall:7.1f} s  ({time.process_time() - cpu:.1f} s of processor time)")
    return result


def measure_refresh(sessions: int) -> None:
    with loaded(sessions) as (session, settings):
        plain = settings.model_copy(
            update={"feature_view": settings.feature_view.model_copy(update={"history_days": ()})}
        )
        for what, chosen in (("without history", plain), ("with history", settings)):
            view = register_view(session, chosen)
            what = f"refresh of {sessions:,} sessions {what}"
            timed(what, session.sql(refresh_statement(session, view)).collect)


def out_of_fold(matrix: pd.DataFrame, bought: Labels, categorical: list[str]) -> Scores:
    """Scores (n,) of protocol T's first three folds, each by a booster of ROUNDS trees on the two others."""

    def score(past: pd.DataFrame, outcomes: Labels, unseen: pd.DataFrame) -> Scores:
        booster = boost(past, outcomes, categorical, ROUNDS, CONFIG)
        return np.asarray(booster.predict(unseen.to_numpy()), dtype=np.float64)

    return examine(score, matrix, bought, repeated_folds(bought)[:3]).pooled()[1]


def measure_worth(sessions: int) -> None:
    with loaded(sessions) as (session, settings):
        register_view(session, settings)
        frame = training_frame(session, settings)
    known = draw(sessions, SEED, returning=RETURNING)
    rows = [("true probability", known["REVENUE"].to_numpy(), known[PURCHASE_PROBABILITY].to_numpy())]
    bought = frame["REVENUE"].to_numpy(dtype=bool)
    categorical = [feature.name for feature in FEATURES if feature.kind == "categorical"]
    for what, history in (("without history", False), ("with history", True)):
        names = [feature.name for feature in FEATURES if history or not feature.history]
        rows.append((what, bought, out_of_fold(frame[names].astype(float), bought, categorical)))
    for what, outcomes, scores in rows:
        auc, precision = roc_auc_score(outcomes, scores), average_precision_score(outcomes, scores)
        print(f"{sessions:,} sessions, {what:<18} ROC AUC {auc:.4f}, average precision {precision:.4f}")


if __name__ == "__main__":
    measure_refresh(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
    measure_worth(int(sys.argv[2]) if len(sys.argv) > 2 else 100_000)
