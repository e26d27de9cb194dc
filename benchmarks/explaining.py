"""What scoring a day takes, and what explaining its highest tenth adds.

usage: python benchmarks/explaining.py [SESSIONS] [CONFIG]

One day of SESSIONS simulated sessions (3,000 unless given), scored and explained by the services as the commands call
them, with a model of CONFIG (configs/train.yaml) that learned from 12,000 others. On a busy machine only the
processor's seconds can be compared.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from intentscore.data.simulate import simulate
from intentscore.model.config import load_train_config
from intentscore.services.explain import explain, plan_explanation
from intentscore.services.features import refresh_features
from intentscore.services.register import register
from intentscore.services.score import plan_score, score
from intentscore.services.train import train
from intentscore.services.upload import upload
from intentscore.settings import Settings
from intentscore.warehouse.session import open_session

LEARNED_FROM = 12_000
DAY = date(2025, 1, 1)
COPIES = (
    "INSERT INTO SESSIONS SELECT s.* REPLACE (UUID_STRING() AS UID, '{day}'::DATE AS SESSION_DATE) "
    "FROM SESSIONS s CROSS JOIN (SELECT SEQ4() FROM TABLE(GENERATOR(ROWCOUNT => {copies}))) LIMIT {rows}"
)


@contextlib.contextmanager
def timed(what: str) -> Iterator[None]:
    clock, processor = time.perf_counter(), time.process_time()
    yield
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    print(f"{what:<40} {clock:8.2f} s {processor:8.2f} s of processor", flush=True)


def main() -> None:
    sessions = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    config = load_train_config(Path(sys.argv[2] if len(sys.argv) > 2 else "configs/train.yaml"))
    settings = Settings()
    with tempfile.TemporaryDirectory() as home:
        os.environ["INTENTSCORE_HOME"] = home
        with open_session(settings, connection="local", command="benchmark", announce=print) as opened:
            session = opened.session
            upload(session, settings, simulate(LEARNED_FROM, seed=1))
            refresh_features(session, settings)
            register(session, settings, train(session, settings, config).run_id)
            session.sql(COPIES.format(day=DAY, copies=-(-sessions // LEARNED_FROM), rows=sessions)).collect()
            with timed(f"score {sessions:,} sessions"):
                score(session, settings, plan_score(session, settings, DAY, DAY))
            for run in ("first time", "again"):
                with timed(f"explain the highest tenth, {run}"):
                    done = explain(session, settings, plan_explanation(session, settings, DAY, DAY))
                print(f"{done.scores:,} scores, {done.rows:,} reasons")


if __name__ == "__main__":
    main()
