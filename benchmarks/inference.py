"""How much time the engine adds to a model's own: `mv.run` over many rows against the packaged handler alone.

usage: python benchmarks/inference.py [ROWS [REPEATS]]

Both sides run the very handler that snowflake-ml-python packed, over the same rows in batches of 100,000. The
client's side ends with a table of the scores, so that no result is carried over the wire. The two take turns, and
the least time of each counts.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from snowflake.ml.registry import Registry
from snowflake.snowpark import Session

from intentscore.local.engine import open_engine
from intentscore.local.handlers import BATCH_ROWS, Handlers, read_method
from intentscore.local.models import manifest

FEATURES = [f"F{i}" for i in range(20)]


def rows(count: int) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(0).normal(size=(count, len(FEATURES))), columns=FEATURES)


def booster() -> lightgbm.Booster:
    frame = rows(20_000)
    bought = (frame.sum(axis=1) > 0).astype(int)
    parameters = {"objective": "binary", "verbosity": -1, "num_threads": 1}
    return lightgbm.train(parameters, lightgbm.Dataset(frame, bought), num_boost_round=100)


@dataclass
class Spent:
    """Seconds by the clock and of the processor: on a busy machine only the second can be compared."""

    clock: float
    processor: float

    def __str__(self) -> str:
        return f"{self.clock:.2f} s ({self.processor:.2f} s of processor)"


@contextlib.contextmanager
def timed() -> Iterator[Spent]:
    spent = Spent(-time.perf_counter(), -time.process_time())
    yield spent
    spent.clock += time.perf_counter()
    spent.processor += time.process_time()


def handler_alone(home: Path, frame: pd.DataFrame) -> Spent:
    """What the handler itself takes, without anything around it."""
    folder = next((home / "engine" / "models").glob("*"))
    method = read_method(folder, next(m for m in manifest(folder)["methods"] if m["name"] == "PREDICT"))
    run = Handlers()._load(method)
    with timed() as spent:
        for start in range(0, len(frame), BATCH_ROWS):
            batch = frame.iloc[start : start + BATCH_ROWS].reset_index(drop=True)
            batch.columns = pd.RangeIndex(batch.shape[1])
            run(batch)
    return spent


def through_the_client(session: Session, version: Any) -> Spent:
    with timed() as spent:
        answers = version.run(session.table("ROWS_TO_SCORE"), function_name="predict")
        answers.select('"output_feature_0"').write.save_as_table("SCORES", mode="overwrite")
    return spent


def least(spent: list[Spent]) -> Spent:
    return Spent(min(s.clock for s in spent), min(s.processor for s in spent))


def main() -> None:
    count, repeats = (int(given) for given in (*sys.argv[1:], *("1000000", "3")[len(sys.argv) - 1 :]))
    frame = rows(count)
    with (
        tempfile.TemporaryDirectory() as folder,
        open_engine(Path(folder), print) as engine,
        Session.builder.configs(engine.connection_parameters()).create() as session,
    ):
        version = Registry(session).log_model(
            booster(), model_name="M", version_name="V1", sample_input_data=frame.head(100),
            target_platforms=["WAREHOUSE"], options={"relax_version": False, "enable_explainability": False},
        )  # fmt: skip
        session.write_pandas(frame, "ROWS_TO_SCORE", auto_create_table=True)
        through_the_client(session, version)
        turns = [(handler_alone(Path(folder), frame), through_the_client(session, version)) for _ in range(repeats)]
    handler, client = least([turn[0] for turn in turns]), least([turn[1] for turn in turns])
    by_clock, by_processor = client.clock / handler.clock, client.processor / handler.processor
    print(f"{count:,} rows: handler {handler}, mv.run {client}, ratio {by_clock:.2f} ({by_processor:.2f})")


if __name__ == "__main__":
    main()
