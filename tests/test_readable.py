from __future__ import annotations

import math
from datetime import date
from typing import Any

import pytest

from intentscore.readable import readable


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (True, "yes"), (12345, "12,345"), (0.91548, "0.9155"), (0.0, "0"),
     (-0.00081103, "-0.0008110"), (0.00001234, "1.234e-05"),
     (173.0, "173"), (1.0, "1"), (12e9, "1.200e+10"), (math.nan, "-"), (date(2024, 11, 1), "2024-11-01"),
     ("SCORES", "SCORES"), (("a", 1200), "a, 1,200"), ((), "-")],
)  # fmt: skip
def test_a_value_is_shown_in_few_digits(value: Any, text: str) -> None:
    assert readable(value) == text
