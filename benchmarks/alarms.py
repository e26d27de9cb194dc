"""How often days without drift are an alarm, and how soon a feature scaled by 1.5 is one.

python -m benchmarks.alarms [--seeds N] [--sessions N ...] [--volumes N ...] [--learned DAY ...] [--every N] [--last N]

Simulated sessions with the simulator's own seasons; the model learns from the first months. `own dates` is what
`upload --simulate` loads, busy months and quiet ones; `each day` deals as many sessions to every day of a month.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import duckdb
import lightgbm as lgb
import numpy as np
import pandas as pd

from intentscore.data.simulate import draw
from intentscore.features.definitions import SESSION_FEATURES
from intentscore.model.boosting import boost
from intentscore.model.config import TrainConfig
from intentscore.services.monitor_limits import DAY, Change, Watch
from intentscore.services.monitor_source import SCORE
from intentscore.settings import MonitoringLimits

DAYS, FACTOR, ROUNDS = 200, 1.5, 160
COLUMNS = (
    "PAGE_VALUES", "PRODUCT_RELATED_DURATION", "PRODUCT_RELATED", "BOUNCE_RATES", "EXIT_RATES",
    "ADMINISTRATIVE_DURATION", "ADMINISTRATIVE", "INFORMATIONAL_DURATION",
)  # fmt: skip
CATEGORICAL = [one.name for one in SESSION_FEATURES if one.kind == "categorical"]
FEATURES = ", ".join(f"CAST({one.sql} AS DOUBLE) AS {one.name}" for one in SESSION_FEATURES)


@dataclass(frozen=True)
class Shop:
    """`sessions` as the shop records them, dated; the model learned from those up to `learned_until`."""

    sessions: pd.DataFrame
    learned_until: date
    first: date
    limits: MonitoringLimits

    @cached_property
    def days(self) -> list[date]:
        every = sorted(one for one in self.sessions[DAY].unique() if one >= self.first)
        return every[:DAYS]

    @cached_property
    def learned(self) -> pd.Series[bool]:
        return self.sessions[DAY] <= self.learned_until

    @cached_property
    def booster(self) -> lgb.Booster:
        past = self.sessions[self.learned]
        return boost(features(past), past["REVENUE"].to_numpy(bool), CATEGORICAL, ROUNDS, TrainConfig(), 7)

    @cached_property
    def watched(self) -> pd.DataFrame:
        return self.values(self.sessions)

    @cached_property
    def baseline(self) -> pd.DataFrame:
        rows = self.watched[self.learned.to_numpy()]
        return rows.sample(min(len(rows), 50_000), random_state=0)

    def values(self, sessions: pd.DataFrame) -> pd.DataFrame:
        """What the monitor's view has of these sessions."""
        matrix = features(sessions)
        score = np.asarray(self.booster.predict(matrix.to_numpy()))
        texts = {name: matrix[name].astype(int).astype(str).to_numpy(object) for name in CATEGORICAL}
        return matrix.assign(**texts).assign(**{SCORE: score, DAY: sessions[DAY].to_numpy()})

    def alarms(self) -> Iterator[tuple[date, tuple[Change, ...]]]:
        watch = Watch(self.baseline, self.watched, self.limits)
        for day in self.days:
            yield day, watch.changes(day)

    def first_days(self, column: str, days: list[date], last: int = 1) -> list[int | None]:
        """For a drift from each of these days on, on which of its days it is an alarm; None for later than `last`."""
        return [self._detected(column, day, last) for day in days]

    def _detected(self, column: str, day: date, last: int) -> int | None:
        window = [day + timedelta(days=number) for number in range(-self.limits.recent_days, last)]
        sessions = self.sessions[self.sessions[DAY].isin(window)].copy()
        later = sessions[DAY] >= day
        sessions[column] = sessions[column].astype(float).where(~later, sessions[column] * FACTOR)
        watch = Watch(self.baseline, self.values(sessions), self.limits)
        for number in range(last):
            if any(change.column == column for change in watch.changes(day + timedelta(days=number))):
                return number + 1
        return None


Maker = Callable[[int, int, date, date], Shop]


def features(sessions: pd.DataFrame) -> pd.DataFrame:
    found: pd.DataFrame = duckdb.execute(f"SELECT {FEATURES} FROM sessions").df()
    return found


def own_dates(sessions: int, seed: int, learned_until: date, first: date) -> Shop:
    """As `upload --simulate` loads them."""
    drawn = draw(sessions, seed)
    return Shop(drawn.assign(**{DAY: drawn["SESSION_DATE"].dt.date}), learned_until, first, MonitoringLimits())


def even_days(per_day: int, seed: int, learned_until: date, first: date) -> Shop:
    """As many sessions on every day, each of its own month."""
    drawn = draw(per_day * 31 * 70, seed)
    dated = []
    for month, rows in drawn.groupby(drawn["SESSION_DATE"].dt.to_period("M")):
        days = pd.period_range(month.start_time, month.end_time, freq="D").to_timestamp().date
        kept = rows.iloc[: len(days) * per_day]
        dated.append(kept.assign(**{DAY: np.resize(days, len(kept))}))
    return Shop(pd.concat(dated), learned_until, first, MonitoringLimits())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--sessions", type=int, nargs="*", default=[12_000, 60_000, 200_000])
    parser.add_argument("--volumes", type=int, nargs="*", default=[100, 300, 1000])
    parser.add_argument("--learned", type=date.fromisoformat, nargs="*", default=[date(2024, 11, 30)])
    parser.add_argument("--first", type=date.fromisoformat, default=date(2024, 5, 20))
    parser.add_argument("--every", type=int, default=10, help="plant a drift on every n-th day")
    parser.add_argument("--last", type=int, default=1)
    given = parser.parse_args()
    makers: list[tuple[str, Maker, int]] = [(f"{n:>7,} own dates", own_dates, n) for n in given.sessions]
    makers += [(f"{n:>7,} each day", even_days, n) for n in given.volumes]
    for name, make, size in makers:
        for learned in given.learned:
            for seed in range(1, given.seeds + 1):
                print(f"{name}, learned until {learned}, seed {seed}:", end=" ", flush=True)
                show_alarms(make(size, seed, learned, given.first))
            if given.every:
                show_detection(make(size, 1, learned, given.first), given.every, given.last)


def show_alarms(shop: Shop) -> None:
    found = [(day, changes) for day, changes in shop.alarms() if changes]
    print(f"{sum(len(changes) for _, changes in found)} alarms on {len(found)} of {len(shop.days)} days", flush=True)
    for day, changes in found:
        print(f"      {day}  {', '.join(f'{one.column} {one.measure} {one.value:.3g}' for one in changes)}")


def show_detection(shop: Shop, every: int, last: int) -> None:
    """The share of days from which on a drift is seen within 1, 2, ... days."""
    days = shop.days[5::every]
    for column in COLUMNS:
        seen = dict(zip(days, shop.first_days(column, days, last), strict=True))
        hits = [np.mean([day is not None and day <= n for day in seen.values()]) for n in range(1, last + 1)]
        never = [str(day) for day, found in seen.items() if found is None]
        print(
            f"      {column:<26} {' '.join(f'{hit:4.0%}' for hit in hits)}  never: {', '.join(never) or '-'}",
            flush=True,
        )


if __name__ == "__main__":
    main()
