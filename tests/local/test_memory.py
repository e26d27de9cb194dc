from __future__ import annotations

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
    for _ in range(5):
        last = time.monotonic()
        idle.use()
        time.sleep(0.08)
    assert done.wait(10)
    assert at[0] - last >= 0.2
    time.sleep(0.3)
    assert len(at) == 1
    done.clear()
    idle.use()
    assert done.wait(10)
