"""When a task is due: intervals, and cron expressions with a time zone.

A cron expression is matched against the clock on the wall. Where that clock is put back, an hour's runs come
twice; where it is put forward, the runs of the missing hour do not come at all.
Source: https://docs.snowflake.com/en/user-guide/tasks-intro#task-scheduling-and-daylight-saving-time
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from croniter import croniter

from intentscore.local.errors import SnowflakeError, invalid

_UNITS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600}
_INTERVAL = re.compile(r"\s*(\d+)\s*(SECOND|MINUTE|HOUR|S|M|H)S?\s*", re.IGNORECASE)
_CRON = re.compile(r"\s*USING\s+CRON\s+(\S+\s+\S+\s+\S+\s+\S+\s+\S+)\s+(\S+)\s*", re.IGNORECASE)
_LAST_DAY = re.compile(r"\b([0-7])L\b")  # 5L, the last Friday, is L5 to the library
LONGEST_FOLD = timedelta(hours=3)
SHORTEST_S, LONGEST_S = 10, 11_520 * 60


def _instants(wall: datetime, zone: ZoneInfo) -> list[datetime]:
    """When a clock in this zone shows a time: once, twice, or never."""
    moments = [wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    return sorted({moment for moment in moments if moment.astimezone(zone).replace(tzinfo=None) == wall})


@dataclass(frozen=True)
class Cron:
    """Five fields and the name of a time zone."""

    expression: str
    timezone: str

    def next(self, after: datetime, since: datetime) -> datetime | None:
        zone = ZoneInfo(self.timezone)
        local = after.astimezone(zone).replace(tzinfo=None)
        times = croniter(_LAST_DAY.sub(r"L\1", self.expression), local - LONGEST_FOLD)
        found: list[datetime] = []
        while True:
            wall: datetime = times.get_next(datetime)
            instants = [moment for moment in _instants(wall, zone) if moment > after]
            found += instants
            if wall > local and instants:  # what is on the wall later comes later, too
                return min(found)

    def __str__(self) -> str:
        return f"USING CRON {self.expression} {self.timezone}"


@dataclass(frozen=True)
class Interval:
    """Every so many seconds, counted from the moment the task was resumed."""

    seconds: int

    def next(self, after: datetime, since: datetime) -> datetime | None:
        passed = max((after - since) // timedelta(seconds=self.seconds), 0)
        return since + timedelta(seconds=self.seconds) * (passed + 1)

    def __str__(self) -> str:
        if self.seconds % 60:
            return f"{self.seconds} SECONDS"
        return f"{self.seconds // 60} MINUTE{'S' if self.seconds != 60 else ''}"


Schedule = Cron | Interval


def parse(text: str) -> Schedule:
    """`USING CRON 0 9 * * * Europe/Berlin`, `5 MINUTES`, `30 SECONDS` or `1 HOUR`."""
    if found := _CRON.fullmatch(text):
        return cron(found[1], found[2])
    if found := _INTERVAL.fullmatch(text):
        unit = found[2].upper()
        return interval(int(found[1]) * next(s for name, s in _UNITS.items() if name.startswith(unit)))
    raise invalid(f"invalid schedule '{text}'")


def cron(expression: str, timezone: str) -> Cron:
    expression = " ".join(expression.upper().split())
    try:
        if len(expression.split()) != 5:
            raise ValueError("five fields are wanted")
        croniter(_LAST_DAY.sub(r"L\1", expression), datetime(2024, 1, 1)).get_next()
        ZoneInfo(timezone)
    except (ValueError, KeyError) as error:
        raise SnowflakeError(
            f"Invalid cron schedule '{expression} {timezone}': {error}", 91089, "22023"
        ) from None  # fmt: skip
    return Cron(expression, timezone)


def interval(seconds: int) -> Interval:
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise invalid(f"a schedule must be between {SHORTEST_S} seconds and {LONGEST_S // 60} minutes, not {seconds} s")
    return Interval(seconds)


_LAG = re.compile(r"\s*(\d+)\s*(s|sec|second|m|min|minute|h|hr|hour|d|day)s?\s*", re.IGNORECASE)
_LAG_UNITS = {"S": "second", "M": "minute", "H": "hour", "D": "day"}


def lag_s(text: str) -> int | None:
    """Seconds of a dynamic table's TARGET_LAG, for example `1 minute`; None for DOWNSTREAM."""
    lag = _lag(text)
    return None if lag is None else lag[0] * {**_UNITS, "DAY": 86_400}[lag[1].upper()]


def shown_lag(text: str) -> str:
    """A TARGET_LAG as SHOW prints it: `2h` is `2 hours`."""
    lag = _lag(text)
    return "DOWNSTREAM" if lag is None else f"{lag[0]} {lag[1]}{'' if lag[0] == 1 else 's'}"


def _lag(text: str) -> tuple[int, str] | None:
    if text.strip().upper() == "DOWNSTREAM":
        return None
    found = _LAG.fullmatch(text)
    if found is None:
        raise invalid(f"invalid target lag '{text}'")
    return int(found[1]), _LAG_UNITS[found[2][0].upper()]
