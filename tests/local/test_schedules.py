from __future__ import annotations

from datetime import UTC, datetime

import pytest

from intentscore.local import schedules
from intentscore.local.errors import SnowflakeError


def times(text: str, start: datetime, count: int) -> list[str]:
    found, moment = [], start
    for _ in range(count):
        following = schedules.parse(text).next(moment, start)
        assert following is not None
        moment = following
        found.append(moment.strftime("%m-%d %H:%M"))
    return found


def test_a_run_in_the_hour_that_comes_twice_happens_twice() -> None:
    start = datetime(2026, 10, 31, 12, tzinfo=UTC)
    assert times("USING CRON 0 1 * * * America/Los_Angeles", start, 3) == ["11-01 08:00", "11-01 09:00", "11-02 09:00"]


def test_a_run_in_the_hour_that_is_left_out_does_not_happen_that_day() -> None:
    start = datetime(2026, 3, 7, 1, tzinfo=UTC)
    assert times("USING CRON 0 2 * * * America/Los_Angeles", start, 3) == ["03-07 10:00", "03-09 09:00", "03-10 09:00"]


def test_frequent_runs_keep_their_pace_while_the_clock_is_put_back() -> None:
    start = datetime(2026, 10, 25, 0, 10, tzinfo=UTC)
    expected = ["10-25 00:30", "10-25 01:00", "10-25 01:30", "10-25 02:00"]
    assert times("USING CRON */30 * * * * Europe/Berlin", start, 4) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 9 * * MON-FRI", ["02-02 09:00", "02-03 09:00"]),
        ("0 0 L * *", ["02-28 00:00", "03-31 00:00"]),
        ("0 0 * * 5L", ["02-27 00:00", "03-27 00:00"]),
        ("0 0 1 4/3 *", ["04-01 00:00", "07-01 00:00"]),
    ],
)
def test_cron_fields(expression: str, expected: list[str]) -> None:
    assert times(f"USING CRON {expression} UTC", datetime(2026, 1, 31, 12, tzinfo=UTC), 2) == expected


def test_an_interval_counts_from_the_moment_of_resuming() -> None:
    schedule = schedules.parse("5 minutes")
    resumed = datetime(2026, 1, 1, 0, 2, tzinfo=UTC)
    assert schedule.next(datetime(2026, 1, 1, 1, 0, tzinfo=UTC), resumed) == datetime(2026, 1, 1, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["5 SECONDS", "12000 MINUTES", "USING CRON * * * * UTC", "USING CRON 61 * * * * UTC",
     "USING CRON 0 0 * * * Europe/Atlantis", "USING CRON 0 0 31 2 * UTC", "daily"],
)  # fmt: skip
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(SnowflakeError):
        schedules.parse(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("1 minute", 60), ("2 hours", 7200), ("1 day", 86_400), ("DOWNSTREAM", None)]
)
def test_target_lags(text: str, seconds: int | None) -> None:
    assert schedules.lag_s(text) == seconds
