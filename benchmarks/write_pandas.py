"""How long `write_pandas` takes on the local engine, against DuckDB's own load of the same Parquet.

    python benchmarks/write_pandas.py [--rows 1000000] [--columns 20] [--rounds 3]

One run measures everything on the same data, once for each compression of the Parquet that `write_pandas` sends, and
prints the ratios of the fastest rounds, which are what to compare: the seconds depend on the machine. With gzip, its
default, nearly all of the call is the client's writing of that Parquet. So three ratios to DuckDB's
`CREATE TABLE … AS SELECT * FROM read_parquet(…)` into a database file: of the whole call, of the call less the writing
of the Parquet, and of the engine's part alone (PUT and COPY INTO).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import duckdb
import numpy as np
import pandas as pd
import snowflake.connector
from snowflake.connector.pandas_tools import write_pandas

from intentscore.local.engine import open_engine


def frame(rows: int, columns: int) -> pd.DataFrame:
    """Whole numbers, floats and short texts in turn."""
    generator = np.random.default_rng(7)
    words = np.array(["Returning_Visitor", "New_Visitor", "Other", "May", "November"])
    kinds: list[Callable[[], np.ndarray]] = [
        lambda: generator.integers(0, 1_000_000, rows),
        lambda: generator.random(rows),
        lambda: generator.random(rows) * 1000,
        lambda: words[generator.integers(0, len(words), rows)],
    ]
    return pd.DataFrame({f"C{i}": kinds[i % len(kinds)]() for i in range(columns)})


def fastest(rounds: int, run: Callable[[int], object]) -> float:
    seconds = []
    for number in range(rounds):
        start = time.perf_counter()
        run(number)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    data = frame(given.rows, given.columns)
    print(f"{given.rows:,} rows x {given.columns} columns, fastest of {given.rounds}; times DuckDB's load")
    for compression in ("gzip", "snappy"):
        measure(data, compression, given.rounds)


def measure(data: pd.DataFrame, compression: Literal["gzip", "snappy"], rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name, open_engine(Path(name) / "home", print) as endpoint:
        parquet = str(Path(name) / "data.parquet")

        def load(number: int) -> None:
            with duckdb.connect(str(Path(name) / f"plain{number}.duckdb")) as database:
                database.execute(f"CREATE TABLE T AS SELECT * FROM read_parquet('{parquet}')").fetchall()

        writing = fastest(rounds, lambda _: data.to_parquet(parquet, compression=compression))
        loading = fastest(rounds, load)
        with snowflake.connector.connect(**endpoint.connection_parameters()) as connection:

            def write(number: int) -> None:
                write_pandas(connection, data, f"T{number}", auto_create_table=True, compression=compression)

            whole = fastest(rounds, write)
            cursor = connection.cursor()
            cursor.execute("CREATE TEMPORARY STAGE S")

            def put_and_copy(number: int) -> None:
                cursor.execute(f"CREATE TABLE C{number} AS SELECT * FROM T0 LIMIT 0")
                cursor.execute(f"PUT 'file://{parquet}' @S OVERWRITE = TRUE")
                cursor.execute(
                    f"COPY INTO C{number} FROM @S FILE_FORMAT = (TYPE = PARQUET) "
                    "MATCH_BY_COLUMN_NAME = CASE_SENSITIVE FORCE = TRUE"
                )

            engine = fastest(rounds, put_and_copy)
    own = f"less the Parquet's writing {(whole - writing) / loading:.2f}  PUT and COPY {engine / loading:.2f}"
    print(f"{compression:6}  DuckDB's load {loading:.2f} s  write_pandas {whole / loading:.2f}  {own}")


if __name__ == "__main__":
    main()
