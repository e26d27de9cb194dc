from __future__ import annotations

import itertools
import threading
import time

from intentscore.local.memory import WhenIdle


def test_work_waits_until_its_owner_is_idle_and_is_done_once() -> None:
    done = threading.Event()
    at: list[float] = []

    def work() -> None:
        at.append(time.monotonic())
        done.set()

    idle = WhenIdle(0.2, work)
    used: list[float] = []
    for _ in range(5):
        used.append(time.monotonic())
        idle.use()
        time.sleep(0.08)
    assert done.wait(120)
    time.sleep(0.3)
    assert all(moment - max(use for use in used if use <= moment) >= 0.2 for moment in at)
    assert len(at) <= 1 + sum(then - use >= 0.2 for use, then in itertools.pairwise(used))  # 1, but if it stood still
    done.clear()
    idle.use()
    assert done.wait(120)
