"""How long `write_pandas` takes on the local engine, against DuckDB's own load of the same Parquet.

    python benchmarks/write_pandas.py [--rows 1000000] [--columns 20] [--rounds 3]

One run measures everything on the same data and prints the ratios of the fastest rounds, which are what to compare:
the seconds depend on the machine. Most of `write_pandas` is the client's: it writes the frame as gzip Parquet before
it sends anything. So there are two ratios, of the engine's part (PUT and COPY INTO of that Parquet) to DuckDB's
`CREATE TABLE … AS SELECT * FROM read_parquet(…)` into a database file, and of the whole call to DuckDB's load
together with the writing of the Parquet.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

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
    with tempfile.TemporaryDirectory() as name, open_engine(Path(name) / "home", print) as endpoint:
        parquet = str(Path(name) / "data.parquet")

        def load(number: int) -> None:
            with duckdb.connect(str(Path(name) / f"plain{number}.duckdb")) as database:
                database.execute(f"CREATE TABLE T AS SELECT * FROM read_parquet('{parquet}')").fetchall()

        writing = fastest(given.rounds, lambda _: data.to_parquet(parquet, compression="gzip"))
        loading = fastest(given.rounds, load)
        with snowflake.connector.connect(**endpoint.connection_parameters()) as connection:
            whole = fastest(given.rounds, lambda i: write_pandas(connection, data, f"T{i}", auto_create_table=True))
            cursor = connection.cursor()
            cursor.execute("CREATE TEMPORARY STAGE S")

            def put_and_copy(number: int) -> None:
                cursor.execute(f"CREATE TABLE C{number} AS SELECT * FROM T0 LIMIT 0")
                cursor.execute(f"PUT 'file://{parquet}' @S OVERWRITE = TRUE")
                cursor.execute(
                    f"COPY INTO C{number} FROM @S FILE_FORMAT = (TYPE = PARQUET) "
                    "MATCH_BY_COLUMN_NAME = CASE_SENSITIVE FORCE = TRUE"
                )

            engine = fastest(given.rounds, put_and_copy)
    print(f"{given.rows:,} rows x {given.columns} columns, fastest of {given.rounds}")
    print(f"DuckDB load                {loading:6.2f} s   and writing the Parquet {writing:.2f} s")
    print(f"PUT and COPY INTO          {engine:6.2f} s   {engine / loading:.2f} times DuckDB's load")
    print(f"write_pandas               {whole:6.2f} s   {whole / (loading + writing):.2f} times load and writing")


if __name__ == "__main__":
    main()
