"""How fast results come back, against DuckDB alone on the same data in the same run, and whether memory returns.

python -m benchmarks.reading
"""

from __future__ import annotations

import contextlib
import gc
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import snowflake.connector
from snowflake.snowpark import Session

from intentscore.local.engine import Endpoint, open_engine

ROWS = 1_000_000
ROUNDS = 5
COLUMNS = ", ".join(
    [*(f"SEQ8() * {i} AS I{i}" for i in range(6)), *(f"SEQ8() / {i}.5::FLOAT AS F{i}" for i in range(8)),
     *(f"'name' || MOD(SEQ8(), 1{i}) AS S{i}" for i in range(3)), "MOD(SEQ8(), 2) = 0 AS B",
     "DATEADD('second', SEQ8(), '2024-01-01'::TIMESTAMP_NTZ) AS T", "'2024-01-01'::DATE AS D"]
)  # fmt: skip


def resident_mb() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 // 2**20


def timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@contextlib.contextmanager
def engine_with_session(home: Path) -> Iterator[tuple[Endpoint, Session]]:
    with open_engine(home, print) as engine:
        session = Session.builder.configs(engine.connection_parameters()).create()
        yield engine, session
        session.close()


def start(home: Path) -> None:
    took = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        with engine_with_session(home):
            took.append(time.perf_counter() - started)
    print(f"engine and session, imports done: {statistics.median(took):.2f} s (at most 1)")


def to_pandas(session: Session) -> None:
    session.sql(f"CREATE TABLE BIG AS SELECT {COLUMNS} FROM TABLE(GENERATOR(ROWCOUNT => {ROWS}))").collect()
    duck = duckdb.connect()
    copy = session.table("BIG").to_pandas().astype({f"I{i}": "int64" for i in range(6)})  # sent in fewer bits
    duck.register("copy", copy)
    duck.execute("CREATE TABLE BIG AS SELECT * FROM copy").fetchall()
    duck.unregister("copy")
    del copy
    ratios, own = [], []
    for _ in range(ROUNDS):
        own.append(timed(lambda: duck.sql("SELECT * FROM BIG").to_arrow_table().to_pandas()))
        ratios.append(timed(lambda: session.table("BIG").to_pandas()) / own[-1])
    print(f"to_pandas of {ROWS:,} x 20: {min(ratios):.1f} to {max(ratios):.1f}, median {statistics.median(ratios):.1f} "
          f"times DuckDB's own {statistics.median(own):.2f} s (at most 2.5)")  # fmt: skip
    duck.close()


def memory(session: Session) -> None:
    def settle() -> int:
        gc.collect()
        time.sleep(1)
        return resident_mb()

    before = settle()
    for _ in range(ROUNDS):
        session.table("BIG").to_pandas()
    print(f"memory: {before} MB before reading {ROUNDS} times, {settle()} MB after")


def sessions(engine: Endpoint) -> None:
    def one() -> None:
        with snowflake.connector.connect(**engine.connection_parameters()) as connection:
            connection.cursor().execute("CREATE TEMPORARY TABLE T AS SELECT 1 AS N")

    for _ in range(20):
        one()
    before, threads = resident_mb(), threading.active_count()
    took = timed(lambda: [one() for _ in range(200)])
    print(
        f"200 sessions: {took:.1f} s, {resident_mb() - before} MB and {threading.active_count() - threads} threads more"
    )


def parallel(engine: Endpoint) -> None:
    """16 clients that read and write for a few seconds."""
    counts: list[int] = []

    def client(number: int) -> None:
        done = 0
        with snowflake.connector.connect(**engine.connection_parameters()) as connection:
            cursor = connection.cursor()
            while time.monotonic() < until:
                cursor.execute(f"INSERT INTO SHARED VALUES ({number})")
                cursor.execute("SELECT COUNT(*) FROM SHARED").fetchall()
                done += 2
        counts.append(done)

    with snowflake.connector.connect(**engine.connection_parameters()) as connection:
        connection.cursor().execute("CREATE TABLE SHARED (N INT)")
    until = time.monotonic() + 5
    threads = [threading.Thread(target=client, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"16 clients: {sum(counts) / 5:.0f} statements a second, the slowest client {min(counts) / 5:.0f}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        start(home)
        with engine_with_session(home) as (engine, session):
            to_pandas(session)
            memory(session)
            sessions(engine)
            parallel(engine)


if __name__ == "__main__":
    main()
