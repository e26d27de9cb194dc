"""Charts of how well scores rank and how true they are: gain, lift, calibration, ROC, precision, deciles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from intentscore.report.charts import SHARE, Axis, Series, columns, curves
from intentscore.report.content import Chart, Table

Points = Sequence[Sequence[float]]
Curves = Mapping[str, Points]

UNIT = (0.0, 1.0)
ROWS_SHOWN = 10
DIAGONAL = ((0.0, 0.0), (1.0, 1.0))


def ranking_charts(prefix: str, found: Mapping[str, Curves]) -> tuple[Chart, ...]:
    """Gain, lift, calibration, ROC and precision-recall. `found`: by the name of a series, a `Curves` as a mapping;
    a curve that is undefined for every series is left out.
    """
    drawn = (_gain(prefix, found), _lift(prefix, found), _calibration(prefix, found), _roc(prefix, found),
             _precision(prefix, found))  # fmt: skip
    return tuple(chart for chart in drawn if chart is not None)


def decile_chart(name: str, rows: Sequence[Mapping[str, Any]]) -> Chart:
    """`rows`: `Decile` as mappings. Bars of mean score beside buyer rate, the best tenth first."""
    series = [
        Series("bought", [(str(row["decile"]), row["buyer_rate"]) for row in rows]),
        Series("mean score", [(str(row["decile"]), row["mean_score"]) for row in rows]),
    ]
    names = tuple(rows[0])
    return Chart(
        name,
        "Deciles",
        "Tenths of the sessions by score, the best first: the share that bought, beside what the scores promised.",
        columns(series, Axis("decile"), Axis("share of sessions", SHARE)),
        Table(f"{name}_table", "Deciles", names, tuple(tuple(row[n] for n in names) for row in rows)),
    )


def _gain(prefix: str, found: Mapping[str, Curves]) -> Chart | None:
    return _chart(
        f"{prefix}_gain", "Gain",
        "How many of all buyers are found when the sessions are taken from the best score down.",
        {name: one["gain"] for name, one in found.items()},
        Axis("share of sessions", SHARE, UNIT), Axis("share of buyers", SHARE, UNIT), "at random",
    )  # fmt: skip


def _lift(prefix: str, found: Mapping[str, Curves]) -> Chart | None:
    # the first few sessions say little: their lift jumps from 0 to the largest there can be
    lifted = {
        name: [(x, y / x) for x, y in one["gain"] if x >= 0.01]
        for name, one in found.items()
    }  # fmt: skip
    return _chart(
        f"{prefix}_lift", "Lift",
        "How many times more often the best-scored sessions buy than all of them do.",
        lifted, Axis("share of sessions", SHARE, UNIT), Axis("times the buyer rate of all"), None,
    )  # fmt: skip


def _calibration(prefix: str, found: Mapping[str, Curves]) -> Chart | None:
    return _chart(
        f"{prefix}_calibration", "Calibration",
        "Ten groups of equal size by score. On the diagonal, as many buy as the scores say.",
        {name: one["calibration"] for name, one in found.items()},
        Axis("mean score", SHARE, UNIT), Axis("share that bought", SHARE, UNIT), "as the scores say", dots=True,
    )  # fmt: skip


def _roc(prefix: str, found: Mapping[str, Curves]) -> Chart | None:
    return _chart(
        f"{prefix}_roc", "ROC curve", "Buyers found against other sessions taken along; the area below is ROC AUC.",
        {name: one["roc"] for name, one in found.items()},
        Axis("share of the others", SHARE, UNIT), Axis("share of buyers", SHARE, UNIT), "at random",
    )  # fmt: skip


def _precision(prefix: str, found: Mapping[str, Curves]) -> Chart | None:
    return _chart(
        f"{prefix}_pr", "Precision and recall",
        "The share of buyers among the sessions taken, as more of all buyers are found.",
        {name: one["pr"] for name, one in found.items()},
        Axis("share of buyers found (recall)", SHARE, UNIT), Axis("share that bought (precision)", SHARE, UNIT), None,
    )  # fmt: skip


def _chart(
    name: str, title: str, text: str, points: Mapping[str, Points], x: Axis, y: Axis, reference: str | None,
    *, dots: bool = False,
) -> Chart | None:  # fmt: skip
    series = [Series(label, [(a, b) for a, b in found]) for label, found in points.items() if found]
    if not series:
        return None
    compared = [Series(reference, DIAGONAL, reference=True)] if reference else []
    header = ("series", _key(x), _key(y))
    rows = tuple((one.name, a, b) for one in series for a, b in one.points)
    few = tuple((one.name, a, b) for one in series for a, b in _evenly(one.points))
    return Chart(
        name, title, text, curves([*series, *compared], x, y, dots=dots),
        Table(f"{name}_table", title, header, few), Table(name, title, header, rows),
    )  # fmt: skip


def _key(axis: Axis) -> str:
    return axis.title.replace(" ", "_")


def _evenly(points: Sequence[tuple[Any, float]]) -> list[tuple[Any, float]]:
    """About ten of the points, evenly over x, both ends among them."""
    if len(points) <= ROWS_SHOWN + 1:
        return list(points)
    first, last = points[0][0], points[-1][0]
    wanted = [first + (last - first) * i / ROWS_SHOWN for i in range(ROWS_SHOWN + 1)]
    nearest = (min(range(len(points)), key=lambda i: abs(points[i][0] - x)) for x in wanted)
    return [points[i] for i in dict.fromkeys(nearest)]
