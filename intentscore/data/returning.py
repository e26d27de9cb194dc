"""Shoppers who come back, for simulated sessions: who is the same as before, and what that does to a purchase.

The sessions are those of behaviour.py. In the order of their dates, shuffled a little, they are dealt to LANES
lanes; in a lane, a session belongs to the shopper of the session before it with probability `share`, unless it is of
the same day or of a new visitor. A shopper keeps region, operating system and browser of the first session.

With s earlier sessions, p purchases in them, and d days since the last one, a session's log-odds of a purchase are
those of behaviour.py plus -0.9 + 4 p / s + 0.6 exp(-d / 10), and as they are when there was none before.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from intentscore.data.behaviour import Floats, Integers, Sessions, is_new

LANES: Final = 1000
_SHUFFLED: Final = 3 * LANES

Days = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class Shoppers:
    """n sessions, those of a shopper one after the other by date; `first` (n,) is the position of the shopper's first
    session and `order` (n,) where each session was among those given.
    """

    sessions: Sessions
    days: Days
    first: Integers
    order: Integers


def shoppers(rng: np.random.Generator, sessions: Sessions, days: Days, share: float) -> Shoppers:
    """Deal sessions (n,) on `days` (n,) to shoppers."""
    order = _by_lane(rng, days)
    dealt = Sessions(**{column.name: getattr(sessions, column.name)[order] for column in fields(sessions)})
    days, lanes = days[order], np.arange(len(order)) * LANES // len(order)
    comes_back = rng.random(len(order)) < share
    comes_back[1:] &= (days[1:] != days[:-1]) & (lanes[1:] == lanes[:-1])
    comes_back &= ~is_new(dealt)
    comes_back[0] = False
    first = np.maximum.accumulate(np.where(comes_back, 0, np.arange(len(order))))
    same = {name: getattr(dealt, name)[first] for name in ("region", "operating_system", "browser")}
    return Shoppers(replace(dealt, **same), days, first, order)


def outcomes(found: Shoppers, probability: Floats, drawn: Floats) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Who buys, and with what probability; `probability` (n,) is that of a first session, `drawn` (n,) uniform."""
    base = np.log(probability / (1 - probability))
    bought = drawn < probability
    known = probability.copy()
    purchases = np.zeros(len(base))
    visit = np.arange(len(base)) - found.first
    for number in range(1, int(visit.max()) + 1):
        now = np.flatnonzero(visit == number)
        purchases[now] = purchases[now - 1] + bought[now - 1]
        days = (found.days[now] - found.days[now - 1]).astype(np.float64)
        log_odds = base[now] - 0.9 + 4 * purchases[now] / number + 0.6 * np.exp(-days / 10)
        known[now] = 1 / (1 + np.exp(-log_odds))
        bought[now] = drawn[now] < known[now]
    return bought, known


def _by_lane(rng: np.random.Generator, days: Days) -> Integers:
    """Positions lane by lane, in each lane by date; every lane has sessions of all seasons."""
    by_date = np.argsort(days, kind="stable")
    shuffled = np.argsort(np.arange(len(days)) + rng.normal(0, _SHUFFLED, len(days)), kind="stable")
    lane = np.empty(len(days), dtype=np.int64)
    lane[by_date[shuffled]] = np.arange(len(days)) % LANES
    return np.lexsort((days, lane)).astype(np.int64)
