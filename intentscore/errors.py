"""What can go wrong, one class per exit code.

    IntentscoreError          1   unexpected
    ├── UsageError            2   the command line is wrong
    ├── ConfigurationError    3   bad settings or credentials
    ├── WarehouseError        4   cannot reach or use the account
    ├── DataError             5   refused input data
    ├── NothingToDoError      6   no sessions for that date
    └── GateRefusedError      7   a promotion or quality gate said no

`str(error)` is one line and says what to do next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Problem:
    """One kind of fault in the input: `rows` rows have it; `row` is the first (from 1, without header)."""

    column: str
    reason: str
    rows: int
    row: int | None = None
    value: str | None = None


@dataclass(frozen=True)
class DataProblems:
    """All that is wrong with one input; `rejects` is the path of the file of rejected rows, if any."""

    source: str
    rows_read: int
    rows_rejected: int
    problems: tuple[Problem, ...]
    rejects: str | None = None


class IntentscoreError(Exception):
    exit_code: ClassVar[int] = 1


class UsageError(IntentscoreError):
    exit_code = 2


class ConfigurationError(IntentscoreError):
    exit_code = 3


class WarehouseError(IntentscoreError):
    exit_code = 4


class DataError(IntentscoreError):
    exit_code = 5

    def __init__(self, message: str, details: DataProblems | None = None) -> None:
        super().__init__(message)
        self.details = details


class NothingToDoError(IntentscoreError):
    exit_code = 6


class GateRefusedError(IntentscoreError):
    exit_code = 7
