from __future__ import annotations

import io
import json
import math
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intentscore.cli.output import show, to_json


class Kind(StrEnum):
    NUMERIC = "numeric"


class Level(Enum):
    LOW = 1


@dataclass(frozen=True)
class Metrics:
    roc_auc: float
    n: int


@dataclass(frozen=True)
class Feature:
    name: str
    nulls: int
    minimum: float | None


@dataclass(frozen=True)
class Result:
    run_id: str
    holdout: Metrics
    features: tuple[Feature, ...]


@dataclass(frozen=True)
class Holder:
    value: Any


@dataclass(frozen=True)
class Drawn:
    name: str
    size: float = field(metadata={"bar": True})


RESULT = Result("241103_090210_5f3a", Metrics(0.931234567890123, 2998), (Feature("PAGE_VALUES", 0, None),))


def table(result: object) -> str:
    stream = io.StringIO()
    show(result, "table", stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (date(2024, 11, 1), "2024-11-01"),
        (datetime(2024, 11, 1, 2, 3, tzinfo=UTC), "2024-11-01T02:03:00+00:00"),
        (timedelta(minutes=1.5), 90.0),
        (math.nan, None),
        (math.inf, None),
        (0.1 + 0.2, 0.30000000000000004),
        (2**70, 2**70),
        (Decimal("3"), 3),
        (Decimal("0.25"), 0.25),
        (Decimal("NaN"), None),
        (np.float64("nan"), None),
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (pd.NaT, None),
        (pd.Timestamp("2024-11-01"), "2024-11-01T00:00:00"),
        (Kind.NUMERIC, "numeric"),
        (Level.LOW, 1),
        (Path("a/b"), "a/b"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (frozenset({"b", "a"}), ["a", "b"]),
        ((1, (2.5, None)), [1, [2.5, None]]),
        ({date(2024, 1, 1): math.nan}, {"2024-01-01": None}),
        (Metrics(0.5, 1), {"roc_auc": 0.5, "n": 1}),
        (
            'quote " back\\slash \n \x00 \x1b[31m é 🛒 \ud800',
            'quote " back\\slash \n \x00 \x1b[31m é 🛒 \ud800',
        ),
    ],
)
def test_json_of_awkward_values(value: object, expected: object) -> None:
    assert json.loads(to_json(Holder(value))) == {"value": expected}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.decimals() | st.dates(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | inner.map(Holder),
    max_leaves=20,
)


@given(values)
def test_any_result_is_strict_json_and_ascii(value: object) -> None:
    text = to_json(value)
    text.encode("ascii")
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


@given(values)
def test_any_result_can_be_shown_as_a_table(value: object) -> None:
    assert "\x1b" not in table(Holder(value))


def test_the_json_form_is_the_only_thing_written() -> None:
    stream = io.StringIO()
    show(RESULT, "json", stream)
    assert json.loads(stream.getvalue())["holdout"] == {"roc_auc": 0.931234567890123, "n": 2998}


def test_the_table_form_shows_values_groups_and_records() -> None:
    lines = [line.rstrip() for line in table(RESULT).splitlines()]
    assert lines[0] == "run id  241103_090210_5f3a"
    assert "holdout" in lines
    assert "  n        2,998" in lines
    assert lines[-1].split() == ["PAGE_VALUES", "0", "-"]


def test_records_may_be_mappings() -> None:
    assert "0.7500" in table(Holder(({"UID": "u", "SCORE": 0.75},)))


def test_markup_and_control_characters_are_shown_not_obeyed() -> None:
    text = table(Holder("[bold]x[/bold] \x1b[31m \r"))
    assert "[bold]x[/bold] \\x1b[31m \\r" in text


def test_a_statement_keeps_its_lines() -> None:
    assert "MERGE INTO t\n  USING s" in table(Holder(("MERGE INTO t\n  USING s", "COMMIT")))


def test_no_colour_when_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    show(RESULT, "table", stream)
    assert "\x1b[3" not in stream.getvalue()


def test_wide_tables_are_not_cut_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS")
    name = "A_FEATURE_WITH_A_LONG_NAME_" * 4
    assert name in table(Holder((Feature(name, 0, 1.0),)))


def test_a_column_may_be_drawn_as_bars_as_well() -> None:
    found = (Drawn("a", 2.0), Drawn("b", 1.0), Drawn("c", 0.0))
    lines = table(Holder(found)).splitlines()[-3:]
    assert [line.count("█") for line in lines] == [24, 12, 0]
    assert json.loads(to_json(Holder(found)))["value"][1] == {"name": "b", "size": 1.0}


def test_bars_of_nothing_are_empty() -> None:
    assert "█" not in table(Holder((Drawn("a", 0.0),)))


def test_short_names_are_not_broken_in_a_crowded_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    crowded = {"version": "V_261123_135144", **{f"quite_a_long_heading_{number}": 1.0 for number in range(8)}}
    assert "V_261123_135144" in table(Holder((crowded,)))


@pytest.mark.parametrize("width", ["40", "80", "160"])
def test_every_column_is_shown_however_narrow_the_terminal(monkeypatch: pytest.MonkeyPatch, width: str) -> None:
    monkeypatch.setenv("COLUMNS", width)
    names = [f"measure{number}" for number in range(30)]
    found = table(Holder(({"version": "V_261123_135144", **{name: number / 7 for number, name in enumerate(names)}},)))
    assert [word for word in found.split() if word.startswith("measure")] == names
    assert [word for word in found.split() if "." in word] == [
        f"{number / 7:.4f}" for number in range(30) if number % 7
    ]
    headings = [line for line in found.splitlines() if "measure" in line]
    assert all(line.startswith("version") for line in headings)
    assert max(map(len, found.splitlines())) <= int(width)


def test_identifiers_stay_whole_where_texts_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    uid = "3bc7493d-54cf-5ad9-80ae-9229fa3df74e"
    found = table(Holder(({"uid": uid, "score": 0.25, "reason": "It is one reason of many. " * 9},)))
    assert uid in found
    assert max(map(len, found.splitlines())) <= 90
