"""What the isolation of Python handlers costs, on this machine.

python benchmarks/handlers.py [rows]

Prints the latency of CALL (first after the start, first of a new procedure, warm), the time of scalar functions over
rows, and a LightGBM model over `rows` x 20 in batches of 100,000: in this process, and in a handler's process.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import lightgbm
import numpy as np
import pyarrow as pa
from snowflake.snowpark import Session

from intentscore.local.engine import open_engine
from intentscore.local.workers import Definition, Workers

PYTHON = "LANGUAGE PYTHON RUNTIME_VERSION = 3.11 PACKAGES = ('snowflake-snowpark-python')"
BATCH_ROWS = 100_000
COLUMNS = 20
MODEL = """
import os, sys
import lightgbm, pandas
from _snowflake import vectorized

booster = lightgbm.Booster(model_file=sys._xoptions["snowflake_import_directory"] + "model.txt")

@vectorized(input=pandas.DataFrame, max_batch_size=100_000)
def score(frame):
    return booster.predict(frame, num_threads=1)
"""


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def calls(session: Session) -> None:
    for name in ("FIRST", "SECOND"):
        session.sql(
            f"CREATE PROCEDURE {name}() RETURNS INT {PYTHON} HANDLER = 'run' AS "
            "$$\ndef run(session):\n    return session.sql('SELECT 1').collect()[0][0]\n$$"
        ).collect()
    print(f"CALL, first after the start:  {timed(lambda: session.sql('CALL FIRST()').collect()):.3f} s")
    print(f"CALL, first of a procedure:   {timed(lambda: session.sql('CALL SECOND()').collect()):.3f} s")
    warm = [timed(lambda: session.sql("CALL SECOND()").collect()) for _ in range(20)]
    print(f"CALL, warm (median of 20):    {statistics.median(warm):.3f} s")


def functions(session: Session, rows: int) -> None:
    session.sql(
        "CREATE FUNCTION EACH(X INT) RETURNS INT LANGUAGE PYTHON RUNTIME_VERSION = 3.11 HANDLER = 'f' AS "
        "$$\ndef f(x):\n    return x + 1\n$$"
    ).collect()
    session.sql(
        "CREATE FUNCTION ALL_OF(X INT) RETURNS INT LANGUAGE PYTHON RUNTIME_VERSION = 3.11 PACKAGES = ('pandas') "
        "HANDLER = 'f' AS $$\nimport pandas\nfrom _snowflake import vectorized\n@vectorized(input=pandas.DataFrame)\n"
        "def f(df):\n    return df[0] + 1\n$$"
    ).collect()
    for name, label in (("EACH", "row by row"), ("ALL_OF", "vectorized")):
        query = f"SELECT SUM({name}(SEQ4())) FROM TABLE(GENERATOR(ROWCOUNT => {rows}))"
        print(f"function {label}, {rows:,} rows: {timed(lambda q=query: session.sql(q).collect()):.2f} s")  # type: ignore[misc]


def model(rows: int, folder: Path) -> None:
    generator = np.random.default_rng(0)
    train = generator.normal(size=(20_000, COLUMNS))
    booster = lightgbm.train(
        {"objective": "binary", "num_leaves": 63, "verbosity": -1},
        lightgbm.Dataset(train, (train[:, 0] > 0).astype(int)),
        200,
    )
    file = folder / "model.txt"
    booster.save_model(file)
    values = generator.normal(size=(rows, COLUMNS))
    table = pa.table({f"A{i}": values[:, i] for i in range(COLUMNS)})
    batches = [table.slice(offset, BATCH_ROWS) for offset in range(0, rows, BATCH_ROWS)]
    own = timed(lambda: [booster.predict(b.to_pandas(), num_threads=1) for b in batches])
    stat = file.stat()
    definition = Definition(
        "FUNCTION", "SCORE", "score", MODEL, (("model.txt", str(file), stat.st_size, stat.st_mtime_ns),),
        tuple((f"A{i}", "FLOAT", "DOUBLE") for i in range(COLUMNS)), (("RESULT", "FLOAT", "DOUBLE"),),
    )  # fmt: skip
    workers = Workers(folder / "handlers")
    with workers.lease(definition) as worker:
        worker.ask({"do": "rows"}, batches[0].slice(0, 10))
        apart = timed(lambda: [worker.ask({"do": "rows"}, batch) for batch in batches])
    workers.close()
    print(f"model in this process, {rows:,} rows:      {own:.2f} s")
    print(f"model in a handler's process, same rows: {apart:.2f} s, {apart / own:.2f} times")


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as home:
        with open_engine(Path(home), print) as endpoint:
            session = Session.builder.configs(endpoint.connection_parameters()).create()
            calls(session)
            functions(session, rows)
            session.close()
        model(rows, Path(home))


if __name__ == "__main__":
    main()
