from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from intentscore.services.logical_day import day_of
from intentscore.services.schedule_config import DailyGraph

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")


def firings(cron: str, zone: str, first: date, count: int) -> list[datetime]:
    from croniter import croniter

    start = datetime(first.year, first.month, first.day, tzinfo=ZoneInfo(zone)) - timedelta(seconds=1)
    times = croniter(cron, start)
    return [times.get_next(datetime) for _ in range(count)]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("cron", ["0 6 * * *", "30 23 * * *", "5 0 * * *"])
def test_every_day_of_a_leap_year_is_scored_once_and_in_order(zone: str, cron: str) -> None:
    planned = firings(cron, zone, date(2024, 1, 2), 366)
    days = [day_of(time.astimezone(UTC), zone, lag_days=1) for time in planned]
    assert days == [date(2024, 1, 1) + timedelta(days=i) for i in range(366)]
    assert date(2024, 2, 29) in days


@pytest.mark.parametrize(
    ("zone", "planned", "day"),
    [
        ("Europe/Berlin", "2024-03-31T04:00:00+00:00", date(2024, 3, 30)),  # the day the clocks go forward
        ("Europe/Berlin", "2024-10-27T05:00:00+00:00", date(2024, 10, 26)),  # and back
        ("America/New_York", "2024-03-11T03:30:00+00:00", date(2024, 3, 9)),  # still the 10th there
        ("Australia/Lord_Howe", "2024-12-31T19:30:00+00:00", date(2024, 12, 31)),  # the 1st there already
        ("UTC", "2024-03-01T00:00:00+00:00", date(2024, 2, 29)),
    ],
)
def test_the_day_is_the_one_of_the_graphs_time_zone(zone: str, planned: str, day: date) -> None:
    assert day_of(datetime.fromisoformat(planned), zone, lag_days=1) == day


@pytest.mark.parametrize("cron", ["0 6 * *", "* * * * * *", "61 6 * * *", "daily"])
def test_a_wrong_cron_is_refused(cron: str) -> None:
    with pytest.raises(ValueError, match="five fields of cron"):
        DailyGraph(cron=cron)


def test_a_wrong_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="not a time zone"):
        DailyGraph(time_zone="Europe/Nowhere")
