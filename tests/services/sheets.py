"""Small files of sessions for uploads."""

from __future__ import annotations

import csv
from pathlib import Path

GOOD_ROW = {
    "UID": "a",
    "SESSION_DATE": "2024-11-01",
    "ADMINISTRATIVE": "1",
    "ADMINISTRATIVE_DURATION": "10.5",
    "INFORMATIONAL": "0",
    "INFORMATIONAL_DURATION": "0",
    "PRODUCT_RELATED": "7",
    "PRODUCT_RELATED_DURATION": "300.25",
    "BOUNCE_RATES": "0.01",
    "EXIT_RATES": "0.03",
    "PAGE_VALUES": "12.5",
    "SPECIAL_DAY": "0",
    "MONTH": "Nov",
    "OPERATING_SYSTEMS": "2",
    "BROWSER": "2",
    "REGION": "1",
    "TRAFFIC_TYPE": "3",
    "VISITOR_TYPE": "Returning_Visitor",
    "WEEKEND": "false",
    "REVENUE": "true",
}


def session_file(path: Path, *changes: dict[str, str]) -> Path:
    """A CSV with one session per dict: the good row with these values changed, and a UID of its own."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(
            file, list(dict.fromkeys([*GOOD_ROW, *(name for change in changes for name in change)]))
        )
        writer.writeheader()
        for number, change in enumerate(changes, start=1):
            writer.writerow({**GOOD_ROW, "UID": f"s{number}", **change})
    return path
