from __future__ import annotations

import threading
import time

from intentscore.local.memory import Buffers, WhenIdle


def test_a_buffer_that_was_given_back_is_taken_again() -> None:
    buffers = Buffers()
    first = buffers.take(3_000_000)
    second = buffers.take(1_000)
    assert second.address != first.address
    buffers.give_back(first.slice(0, 3_000_000))
    buffers.give_back(second.slice(0, 1_000))
    larger = buffers.take(2_500_000)
    assert larger.address == first.address
    assert buffers.take(2_500_000).address not in (first.address, second.address)
    buffers.give_back(larger.slice(0, 10))
    buffers.clear()
    assert buffers.take(10).size < larger.size


def test_few_buffers_are_kept() -> None:
    buffers = Buffers()
    taken = [buffers.take(1_000) for _ in range(Buffers.KEPT + 1)]
    for buffer in taken:
        buffers.give_back(buffer.slice(0, 1))
    again = {buffers.take(1_000).address for _ in range(Buffers.KEPT)}
    assert again == {buffer.address for buffer in taken[1:]}


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
