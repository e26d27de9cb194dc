"""Charts as SVG, drawn by Vega-Altair and vl-convert while the page is made.

A picture instead of a script: it needs no network and no permission to run, prints sharply, and takes its colours
from the page's style sheet (CSS variables), so that it follows the reader's light or dark setting. All are drawn for
the width of a telephone and scale up from there; series differ in dash as well as in colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import vl_convert

WIDTH, HEIGHT = 340, 260
FONT = "Arial, Liberation Sans, Helvetica, sans-serif"  # three of the same widths, those Vega measures with
COLOURS = ("var(--one)", "var(--two)", "var(--three)", "var(--four)")
DASHES, REFERENCE_DASH = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3]), [1, 3]
HEAT = ("var(--low)", "var(--lower)", "var(--middle)", "var(--higher)", "var(--high)")
ALARM = ("var(--calm)", "var(--watch)", "var(--over)", "var(--alarm)")
SHARE, NUMBER = "%", ",~r"


@dataclass(frozen=True)
class Axis:
    """`format` is d3's; `domain` as far as the data go when left out."""

    title: str
    format: str = NUMBER
    domain: tuple[float, float] | None = None


@dataclass(frozen=True)
class Series:
    """`points` are (x, y) in drawing order; a `reference` is what the others are held against, in grey."""

    name: str
    points: Sequence[tuple[float | str, float]]
    reference: bool = False


def curves(series: Sequence[Series], x: Axis, y: Axis, *, dots: bool = False) -> str:
    """Lines over a measured x; with `dots`, a mark on every point of what is measured."""
    scaled = {"x": _x("x:Q", x), "y": _y("y:Q", y), "order": alt.Order("order:Q")}
    line = (
        alt.Chart(_points(series))
        .mark_line(strokeWidth=2)
        .encode(**scaled, color=_colour(series), strokeDash=_dash(series))
    )
    if not dots:
        return _svg(line)
    marked = alt.Chart(_points([one for one in series if not one.reference])).mark_point(
        filled=True, size=40, opacity=1
    )
    return _svg(alt.layer(line, marked.encode(**scaled, color=_colour(series, legend=False))))


def by_day(series: Sequence[Series], y: Axis) -> str:
    """Lines over days (ISO dates)."""
    scaled = {"x": _days(), "y": _y("y:Q", y)}
    line = alt.Chart(_points(series)).mark_line(strokeWidth=2)
    dots = alt.Chart(_points([one for one in series if not one.reference])).mark_point(filled=True, size=24, opacity=1)
    return _svg(
        alt.layer(
            line.encode(**scaled, color=_colour(series), strokeDash=_dash(series)),
            dots.encode(**scaled, color=_colour(series, legend=False)),
        )
    )


def heat(cells: Sequence[tuple[str, str, str]], levels: Sequence[str]) -> str:
    """(day as ISO date, name, level) as tiles, names and levels in the order given; the last levels are alarming."""
    names = list(dict.fromkeys(name for _, name, _ in cells))
    rows = [{"day": day, "name": name, "level": level} for day, name, level in cells]
    colour = alt.Color("level:N", scale=alt.Scale(domain=list(levels), range=list(ALARM)), legend=_legend(1))
    days = alt.X(
        "day:O",
        title=None,
        axis=alt.Axis(labelExpr="slice(datum.label, 5)", labelAngle=-40, labelOverlap="greedy", ticks=False),
    )
    tiles = alt.Chart(alt.InlineData(rows)).mark_rect(stroke="var(--card)", strokeWidth=0.5)
    return _svg(tiles.encode(days, _names(names), colour), height=13 * len(names) + 90)


def columns(series: Sequence[Series], x: Axis, y: Axis) -> str:
    """Upright bars side by side over named places on x, in the order given."""
    chart = alt.Chart(_points(series)).mark_bar()
    places = alt.X("x:N", title=x.title, sort=None, axis=alt.Axis(labelAngle=0, labelOverlap=True))
    beside = {"xOffset": alt.XOffset("series:N", sort=[s.name for s in series])} if len(series) > 1 else {}
    return _svg(chart.encode(places, _y("y:Q", y), _colour(series), **beside))


def bars(values: Sequence[tuple[str, float]], x: Axis) -> str:
    """Lying bars, one per name, in the order given."""
    chart = alt.Chart(alt.InlineData([{"name": name, "x": value} for name, value in values]))
    return _svg(chart.mark_bar(color=COLOURS[0]).encode(_x("x:Q", x), _names()), height=18 * len(values) + 40)


def intervals(values: Sequence[tuple[str, float, float, float]], x: Axis) -> str:
    """(name, low, value, high) as dots with whiskers, around a rule at nought."""
    rows = [{"name": name, "low": low, "x": value, "high": high} for name, low, value, high in values]
    chart = alt.Chart(alt.InlineData(rows))
    nought = alt.Chart(alt.InlineData([{"x": 0}])).mark_rule(color="var(--grey)", strokeDash=[4, 4]).encode(x="x:Q")
    whiskers = chart.mark_rule(color=COLOURS[0], strokeWidth=2).encode(_x("low:Q", x), _names(), x2="high:Q")
    dots = chart.mark_point(color=COLOURS[0], filled=True, opacity=1, size=70).encode(_x("x:Q", x), _names())
    return _svg(alt.layer(nought, whiskers, dots), height=44 * len(values) + 50)


def beeswarm(points: Sequence[tuple[str, float, float, int]], x: Axis, levels: Sequence[str]) -> str:
    """(name, x, offset in -1 to 1 across the name's band, index of the level that colours the dot)."""
    names = list(dict.fromkeys(name for name, *_ in points))
    rows = [{"name": n, "x": value, "offset": off, "level": levels[at]} for n, value, off, at in points]
    colour = alt.Color(
        "level:N", sort=list(levels), scale=alt.Scale(domain=list(levels), range=list(HEAT)), legend=_legend()
    )
    chart = alt.Chart(alt.InlineData(rows)).mark_circle(size=9, opacity=0.75)
    offset = alt.YOffset("offset:Q", scale=alt.Scale(domain=[-1.1, 1.1]))
    swarm = chart.encode(_x("x:Q", x), _names(names), offset, colour)
    return _svg(swarm, height=24 * len(names) + 70)


def _points(series: Sequence[Series]) -> alt.InlineData:
    return alt.InlineData(
        [
            {"series": one.name, "x": x, "y": y, "order": order}
            for one in series
            for order, (x, y) in enumerate(one.points)
        ]
    )


def _x(field: str, axis: Axis) -> alt.X:
    return alt.X(field, title=axis.title, axis=alt.Axis(format=axis.format, tickCount=5), scale=_scale(axis))


def _days() -> alt.X:
    return alt.X("x:T", title=None, axis=alt.Axis(format="%d %b", labelAngle=-40, tickCount=8, grid=False))


def _y(field: str, axis: Axis) -> alt.Y:
    return alt.Y(field, title=axis.title, axis=alt.Axis(format=axis.format, tickCount=5), scale=_scale(axis))


def _names(order: Sequence[str] | None = None) -> alt.Y:
    return alt.Y("name:N", title=None, sort=order, axis=alt.Axis(labelLimit=190, grid=False, ticks=False))


def _scale(axis: Axis) -> alt.Scale:
    return alt.Scale(domain=list(axis.domain), nice=False) if axis.domain else alt.Scale(zero=True, nice=True)


def _colour(series: Sequence[Series], *, legend: bool = True) -> alt.Color:
    colours = ["var(--grey)" if one.reference else colour for one, colour in zip(series, COLOURS, strict=False)]
    scale = alt.Scale(domain=[one.name for one in series], range=colours)
    return alt.Color("series:N", scale=scale, legend=_legend() if legend and len(series) > 1 else None)


def _dash(series: Sequence[Series]) -> alt.StrokeDash:
    dashes = [REFERENCE_DASH if one.reference else dash for one, dash in zip(series, DASHES, strict=False)]
    scale = alt.Scale(domain=[one.name for one in series], range=dashes)
    return alt.StrokeDash("series:N", scale=scale, legend=_legend() if len(series) > 1 else None)


def _legend(columns: int = 2) -> alt.Legend:
    return alt.Legend(title=None, orient="top", columns=columns, columnPadding=24, labelLimit=160, symbolSize=160)


def _svg(chart: alt.Chart | alt.LayerChart | alt.FacetChart, height: int = HEIGHT) -> str:
    sized = chart.properties(
        width=WIDTH, height=height, autosize=alt.AutoSizeParams(type="fit", contains="padding"), padding=4
    )
    text = {"labelColor": "var(--ink)", "titleColor": "var(--ink)", "labelFontSize": 11, "titleFontSize": 12}
    styled = (
        # the page names the picture as a whole and has its figures in a table
        sized.configure(background="transparent", font=FONT, aria=False)
        .configure_axis(
            gridColor="var(--grid)",
            domainColor="var(--line)",
            tickColor="var(--line)",
            titleFontWeight="normal",
            **text,
        )
        .configure_legend(**text)
        .configure_view(stroke=None)
    )
    return str(vl_convert.vegalite_to_svg(styled.to_dict(), allowed_base_urls=[]))
