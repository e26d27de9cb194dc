"""Simulated sessions: any number, from a seed, each with a known purchase probability.

The generative model is documented in behaviour.py, and in returning.py for shoppers who come back. Sessions are
drawn in blocks of source.BATCH_ROWS, each from numpy's PCG64 seeded with (seed, block), and a UID is a hash
(SplitMix64) of the seed and the session's position: the sessions of a shorter simulation are the first of a longer
one with the same seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from intentscore.data import published
from intentscore.data.behaviour import Floats, Sessions, draw_sessions, purchase_probability
from intentscore.data.identity import Dating, derived_dates, uuid_texts
from intentscore.data.returning import outcomes, shoppers
from intentscore.data.schema import BATCH_SCHEMA, RAW_COLUMNS, ROW_NUMBER
from intentscore.data.source import BATCH_ROWS
from intentscore.errors import UsageError

PURCHASE_PROBABILITY: Final = "PURCHASE_PROBABILITY"
_MODEL: Final = 1
"""Raise it when a change makes the same seed give other sessions."""


def simulate(
    n: int, *, seed: int, year: int = 2024, spread_days: bool = True, returning: float = 0.0
) -> SimulatedSessions:
    """`n` simulated sessions with known outcomes, dated in `year`, streamed.

    With probability `returning` a session is of a shopper who has been there before, and what that shopper did then
    counts for the outcome (see returning.py); with 0 every session is of a shopper of its own.

    Raises UsageError unless n is at least 1, seed at least 0, and returning in [0, 1).
    """
    if n < 1:
        raise UsageError(f"cannot simulate {n} sessions; ask for at least 1")
    if seed < 0:
        raise UsageError(f"the seed {seed} is negative; use 0 or more")
    if not 0 <= returning < 1:
        raise UsageError(f"the probability {returning} of returning is out of range; use 0 or more and less than 1")
    return SimulatedSessions(n, seed, Dating(year, spread_days), returning)


def draw(n: int, seed: int, *, year: int = 2024, spread_days: bool = True, returning: float = 0.0) -> pd.DataFrame:
    """The sessions of `simulate` as one typed frame, with the probability that drew their outcome.

    Columns: RAW_COLUMNS (text as str, counts and codes int64, measures float64, flags bool, dates
    datetime64[ns]) and PURCHASE_PROBABILITY float64 in (0, 1); n rows. Raises as `simulate` does.
    """
    source = simulate(n, seed=seed, year=year, spread_days=spread_days, returning=returning)
    frame: pd.DataFrame = pa.concat_tables(source.blocks()).to_pandas()
    for name in ("SESSION_DATE", "OUTCOME_DATE"):
        frame[name] = pd.to_datetime(frame[name], format="%Y-%m-%d").astype("datetime64[ns]")
    return frame[[*RAW_COLUMNS, PURCHASE_PROBABILITY]]


@dataclass(frozen=True)
class SimulatedSessions:
    rows: int
    seed: int
    dating: Dating
    returning: float = 0.0

    @property
    def name(self) -> str:
        back = f", returning {self.returning:g}" if self.returning else ""
        return f"{self.rows:,} simulated sessions (seed {self.seed}{back})"

    def fingerprint(self) -> str:
        spread = "spread" if self.dating.spread_days else "months"
        back = f":returning:{self.returning:g}" if self.returning else ""
        return f"simulated:{_MODEL}:{self.rows}:{self.seed}:{self.dating.year}:{spread}{back}"

    def batches(self) -> Iterator[pa.Table]:
        first = 1
        for block in self.blocks():
            numbers = pa.array(np.arange(first, first + block.num_rows, dtype=np.int64))
            texts = [block[name].combine_chunks().cast(pa.string()) for name in RAW_COLUMNS]
            yield pa.table([*texts, numbers], names=[*RAW_COLUMNS, ROW_NUMBER]).cast(BATCH_SCHEMA)
            first += block.num_rows

    def blocks(self) -> Iterator[pa.Table]:
        """RAW_COLUMNS, typed but for UID and dates (text), and PURCHASE_PROBABILITY."""
        for block, first in enumerate(range(0, self.rows, BATCH_ROWS)):
            yield self._block(block).slice(0, self.rows - first)

    def _block(self, block: int) -> pa.Table:
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed, block])))
        sessions = draw_sessions(rng, BATCH_ROWS)
        uid = simulated_uids(self.seed, block * BATCH_ROWS, BATCH_ROWS)
        dates = self._dates(sessions, uid)
        drawn, probability = rng.random(BATCH_ROWS), purchase_probability(sessions)
        if not self.returning:
            return _table(sessions, uid, dates, drawn < probability, probability)
        days = dates.to_numpy(zero_copy_only=False).astype("datetime64[D]")
        found = shoppers(rng, sessions, days, self.returning)
        bought, probability = outcomes(found, probability[found.order], drawn)
        order = pa.array(found.order)
        return _table(found.sessions, uid.take(pa.array(found.first)), dates.take(order), bought, probability)

    def _dates(self, sessions: Sessions, uid: pa.Array) -> pa.Array:
        month, weekend = _named(published.MONTHS, sessions.month), pa.array(sessions.weekend)
        return derived_dates(month, weekend.cast(pa.string()), uid, self.dating)


def _table(
    sessions: Sessions, uid: pa.Array, dates: pa.Array, bought: npt.NDArray[np.bool_], probability: Floats
) -> pa.Table:
    return pa.table(
        {
            "UID": uid,
            "SESSION_DATE": dates,
            "ADMINISTRATIVE": sessions.administrative,
            "ADMINISTRATIVE_DURATION": sessions.administrative_duration_s,
            "INFORMATIONAL": sessions.informational,
            "INFORMATIONAL_DURATION": sessions.informational_duration_s,
            "PRODUCT_RELATED": sessions.product,
            "PRODUCT_RELATED_DURATION": sessions.product_duration_s,
            "BOUNCE_RATES": sessions.bounce_rate,
            "EXIT_RATES": sessions.exit_rate,
            "PAGE_VALUES": sessions.page_value,
            "SPECIAL_DAY": sessions.special_day,
            "MONTH": _named(published.MONTHS, sessions.month),
            "OPERATING_SYSTEMS": sessions.operating_system,
            "BROWSER": sessions.browser,
            "REGION": sessions.region,
            "TRAFFIC_TYPE": sessions.traffic,
            "VISITOR_TYPE": _named(published.VISITOR_TYPES, sessions.visitor),
            "WEEKEND": pa.array(sessions.weekend),
            "REVENUE": bought,
            "OUTCOME_DATE": dates,
            PURCHASE_PROBABILITY: probability,
        }
    )


def simulated_uids(seed: int, first: int, n: int) -> pa.Array:
    """UUIDs version 8 (RFC 9562) of the positions first..first + n - 1 in the simulation of `seed`."""
    start = np.random.SeedSequence(seed).generate_state(1, np.uint64)
    counters = (start + np.arange(2 * first, 2 * (first + n), dtype=np.uint64)).astype(np.uint64)
    return uuid_texts(_splitmix64(counters).view(np.uint8).reshape(n, 16), version=8)


def _splitmix64(counters: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The output function of SplitMix64 (Steele, Lea, Flood 2014, https://doi.org/10.1145/2660193.2660195)."""
    mixed = counters * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _named(names: tuple[str, ...], indices: npt.NDArray[np.int64]) -> pa.Array:
    return pa.array(names, pa.string()).take(pa.array(indices))
