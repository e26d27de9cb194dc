from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

import numpy as np
import pytest

from intentscore.report.charts import (
    SHARE,
    Axis,
    Series,
    bars,
    beeswarm,
    by_day,
    columns,
    curves,
    heat,
    intervals,
)
from intentscore.services.report_sections.reasons import LEVELS, offsets

UNIT = Axis("share", SHARE, (0.0, 1.0))
LINE = Series("model", [(0.0, 0.0), (0.5, 0.8), (1.0, 1.0)])
RANDOM = Series("at random", [(0.0, 0.0), (1.0, 1.0)], reference=True)
DAYS = Series("score", [("2024-11-30", 0.1), ("2024-12-01", 0.3)])

CHARTS: dict[str, Callable[[], str]] = {
    "curves": lambda: curves([LINE, RANDOM], UNIT, UNIT),
    "dots": lambda: curves([LINE, RANDOM], UNIT, UNIT, dots=True),
    "by_day": lambda: by_day([DAYS, Series("limit", [("2024-11-30", 0.2)], reference=True)], Axis("PSI")),
    "columns": lambda: columns([Series("bought", [("1", 0.5), ("2", 0.1)])], Axis("decile"), UNIT),
    "bars": lambda: bars([("PAGE_VALUES", 0.5), ("MONTH_SIN", 0.1)], Axis("size")),
    "intervals": lambda: intervals([("roc auc", -0.1, 0.1, 0.2)], Axis("difference")),
    "beeswarm": lambda: beeswarm([("A", 0.1, 0.0, 0), ("A", 0.2, 0.5, 4), ("B", -1, 0, 2)], Axis("log-odds"), LEVELS),
    "heat": lambda: heat(
        [("2024-12-31", "A", "calm"), ("2025-01-01", "A", "over")], ["calm", "watch", "over", "alarm"]
    ),
}


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_a_picture_that_takes_its_colours_from_the_page(name: str) -> None:
    svg = CHARTS[name]()
    ElementTree.fromstring(svg)
    painted = set(re.findall(r'(?:fill|stroke)="([^"]+)"', svg))
    assert {colour for colour in painted if not colour.startswith("var(--")} <= {"none", "transparent"}
    assert any(colour.startswith("var(--") for colour in painted)
    assert not re.search(r"\bid=|<script|<image|href=", svg)


def test_a_line_goes_through_its_points_in_the_order_given() -> None:
    path = re.search(r'<path[^>]*d="(M[^"]*)" stroke="var\(--one\)"', curves([LINE], UNIT, UNIT))
    assert path
    points = np.array([[float(n) for n in pair.split(",")] for pair in re.split("[ML]", path[1])[1:]])
    share = (points - points[0]) / (points[-1] - points[0])
    assert share == pytest.approx(np.array(LINE.points), abs=0.002)


def test_bars_stand_in_the_order_given() -> None:
    svg = bars([("SECOND", 1.0), ("FIRST", 2.0)], Axis("size"))
    assert svg.index(">SECOND<") < svg.index(">FIRST<")


def test_a_heat_map_keeps_days_in_order_over_the_new_year() -> None:
    svg = CHARTS["heat"]()
    assert svg.index(">12-31<") < svg.index(">01-01<")


def test_swarming_dots_do_not_sit_on_each_other() -> None:
    x = np.repeat([0.0, 1.0, 2.0], [5, 1, 2])
    found = offsets(x, (0.0, 2.0))
    assert len(set(zip(x.tolist(), found.tolist(), strict=True))) == len(x)
    assert found[5] == 0
    assert np.abs(found).max() <= 1
    assert offsets(np.zeros(3), (0.0, 0.0)) is not None
