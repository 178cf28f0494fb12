"""Small charts: numbers in, one <svg> out.

line_chart   lines over steps, with bands, labelled at their ends   histogram   bars, an outline, a curve, a band
row_chart    one named row per thing: points on a line              forest, bar a difference, or a share, in a cell
over_k       lines over 1, 2, 4, 8, ...                             stacked     a histogram of several kinds
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from etalon.report.charts.draw import (
    BOTTOM,
    LEFT,
    LETTER,
    TOP,
    WIDTH,
    Point,
    Scale,
    area,
    axes,
    box,
    circle,
    drawing,
    label,
    path,
    rule,
    scale,
    short,
    spread_within,
    tick_label,
    ticks,
    written,
)
from etalon.report.html import Html, join, tag
from etalon.stats import excludes_zero

ROW = 19.0  # height of a row


@dataclass(frozen=True, kw_only=True)
class Line:
    label: str  # written at its end; empty for a line in the background
    points: Sequence[Point]
    style: str = "c0"  # classes: c0..c3, faint, dashed, dotted, dashdot
    said: str = ""  # its name when pointed at, where that is not the label; a line with neither says nothing


@dataclass(frozen=True, kw_only=True)
class Band:
    """The area between a lower and an upper line: points (x, low, high), the style that of its line."""

    points: Sequence[tuple[float, float, float]]
    style: str = "c0"
    said: str = ""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A ring, or a dot, with words beside it; `said` are its values."""

    point: Point
    label: str
    style: str = "c0"
    said: str = ""
    shape: str = "ring"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A named line of a row chart: points (value, style) on a line from the smallest to the largest of `span`.

    said: what each point says when pointed at; left out, the row and the value.
    """

    label: str
    points: Sequence[tuple[float, str]]
    span: Sequence[float] = ()
    note: str = ""
    style: str = ""
    said: Sequence[str] = ()


def line_chart(
    title: str,
    lines: Sequence[Line],
    names: tuple[str, str],
    *,
    y_range: tuple[float, float] | None = None,
    marks: Sequence[Mark] = (),
    bands: Sequence[Band] = (),
    is_share: bool = False,
    height: float = 210.0,
) -> Html:
    """Lines with their names at their ends; `names` are those of the x and the y axis.

    bands: areas behind the lines. is_share: y is a share of 1, written in percent.
    """
    points = [point for line in lines for point in line.points] + [mark.point for mark in marks]
    points += [(x, end) for band in bands for x, *ends in band.points for end in ends]
    low, high = y_range or (min(y for _, y in points), max(y for _, y in points))
    x_ticks, y_ticks = ticks(min(x for x, _ in points), max(x for x, _ in points)), ticks(low, high)
    named = [line for line in lines if line.label and line.points]
    height = max(height, 12.0 * len(named) + TOP + BOTTOM)
    right = WIDTH - 17 - LETTER * max((len(short(line.label)) for line in named), default=0)
    x = scale(x_ticks[0], x_ticks[-1], LEFT, right)
    y = scale(y_ticks[0], y_ticks[-1], height - BOTTOM, TOP)
    ends = spread_within([y(line.points[-1][1]) for line in named], TOP - 4, height - BOTTOM)
    last = max((x(line.points[-1][0]) for line in named), default=0.0)
    return drawing(
        title,
        height,
        axes(x, y, x_ticks, y_ticks, names, right, shares=(False, is_share)),
        *(_band(band, x, y, is_share=is_share) for band in bands if band.points),
        *(_line(line, x, y, names[1], is_share=is_share) for line in lines if line.points),
        *(label(short(line.label), last + 7, end + 4, line.style) for line, end in zip(named, ends, strict=True)),
        *_marks([(mark, x(mark.point[0]), y(mark.point[1])) for mark in marks], right),
        name=names[0],
        read="x",
    )


def _line(line: Line, x: Scale, y: Scale, name: str, *, is_share: bool) -> Html:
    said = line.said or line.label
    values = [f"{written(a)} {written(b, is_share=is_share)}" for a, b in line.points] if said else []
    return path([(x(a), y(b)) for a, b in line.points], line.style, said=said, values=values)


def _band(band: Band, x: Scale, y: Scale, *, is_share: bool) -> Html:
    low, high = ([(x(a), y(ends[side])) for a, *ends in band.points] for side in (0, 1))
    values = [
        f"{written(a)} {written(b, is_share=is_share)} to {written(c, is_share=is_share)}" for a, b, c in band.points
    ]
    edge = path(high, f"{band.style} edge", said=band.said, values=values)
    return join([area(low, high, band.style), edge, path(low, f"{band.style} edge")])


def _marks(placed: Sequence[tuple[Mark, float, float]], right: float) -> list[Html]:
    """Every mark with its words above it, or below; without where they would cover those of a later one."""
    parts = [circle(x, y, 4.5, f"{mark.shape} {mark.style}", mark.said or mark.label) for mark, x, y in placed]
    taken: list[tuple[float, float, float]] = []  # left, right and height of what is written
    for mark, x, y in reversed(placed):
        words, is_late = short(mark.label), x > right - 60
        width = LETTER * len(words)
        start = x - 8 - width if is_late else x + 8
        free = (
            height
            for height in (y - 7, y + 15)
            if all(start > end or start + width < begin or abs(height - at) >= 11 for begin, end, at in taken)
        )
        height = next(free, None)
        if words and height is not None:
            taken.append((start, start + width, height))
            parts.append(label(words, x - 8 if is_late else x + 8, height, mark.style, "end" if is_late else "start"))
    return parts


def histogram(
    title: str,
    edges: Sequence[float],
    counts: Sequence[float],
    names: tuple[str, str],
    *,
    outline: Sequence[float] = (),
    curve: Sequence[Point] = (),
    band: tuple[float, float] | None = None,
    said: Sequence[str] = (),
    is_share: bool = False,
    height: float = 210.0,
) -> Html:
    """Bars; `outline` is a second histogram, `curve` has its own axis 0..1 on the right, `band` is what was kept.

    said: what each bar says when pointed at; left out, its ends and its height. is_share: heights are shares of 1.
    """
    y_ticks = ticks(0.0, max([*counts, *outline, 1e-9]), about=3)
    right = WIDTH - (34 if curve else 17)
    x = scale(edges[0], edges[-1], LEFT, right)
    y, weight = (scale(0.0, top, height - BOTTOM, TOP) for top in (y_ticks[-1], 1.0))
    x_ticks = [tick for tick in ticks(edges[0], edges[-1]) if 0 <= (x(tick) - LEFT) / (right - LEFT) <= 1.001]
    told = said or [
        f"{written(a)} to {written(b)}: {written(n, is_share=is_share)} {names[1]}"
        for a, b, n in zip(edges, edges[1:], counts, strict=False)
    ]
    bars = [
        box(x(a) + 0.5, y(n), max(x(b) - x(a) - 1, 0.5), y(0) - y(n), "bar", words)
        for a, b, n, words in zip(edges, edges[1:], counts, told, strict=False)
    ]
    parts = [axes(x, y, x_ticks, y_ticks, names, right, shares=(False, is_share))]
    if band:
        low, high = (min(max(x(edge), LEFT), right) for edge in band)
        parts.append(box(low, TOP, high - low, y(0) - TOP, "band"))
    parts += bars
    if outline:
        steps = [(x(edge), y(n)) for a, b, n in zip(edges, edges[1:], outline, strict=False) for edge in (a, b)]
        parts.append(path(steps, "c2 thin"))
    if curve:
        parts.append(path([(x(a), weight(b)) for a, b in curve], "c1"))
        parts += [label(f"{tick:g}", right + 6, weight(tick) + 3.5, "tick c1") for tick in (0, 0.5, 1)]
    return drawing(title, height, *parts, read="x")


def stacked(
    title: str,
    edges: Sequence[float],
    layers: Sequence[tuple[str, Sequence[float]]],
    names: tuple[str, str],
    *,
    said: Sequence[str] = (),
    places: Sequence[str] = (),
    curve: Sequence[Point] = (),
    right: float = WIDTH - 17,
    is_share: bool = False,
    beside: Sequence[Html] = (),
    height: float = 210.0,
) -> Html:
    """A histogram of several kinds on top of each other; a layer is (class, counts), the first is at the bottom.

    said: the names of the layers; left out, the last of their classes. places: those of the columns; left out, their
    edges. curve: a line over the same axes. right: where
    the plot ends; beside: what is drawn to the right of it. is_share: heights are shares of 1.
    """
    tops = [sum(heights) for heights in zip(*(counts for _, counts in layers), strict=True)]
    y_ticks = ticks(0.0, 1.0 if is_share else max([*tops, 1.0]), about=3)
    x, y = scale(edges[0], edges[-1], LEFT, right), scale(0.0, y_ticks[-1], height - BOTTOM, TOP)
    x_ticks = [tick for tick in ticks(edges[0], edges[-1]) if LEFT - 0.1 <= x(tick) <= right + 0.1]
    parts = [axes(x, y, x_ticks, y_ticks, names, right, shares=(False, is_share))]
    columns = places or [f"{names[0]} {written(a)} to {written(b)}" for a, b in itertools.pairwise(edges)]
    below = [0.0] * len(tops)
    for (style, counts), name in zip(layers, said or [style.split()[-1] for style, _ in layers], strict=True):
        for place, amount in enumerate(counts):
            a, b, base = x(edges[place]), x(edges[place + 1]), below[place]
            if amount:
                words = f"{columns[place]}: {name} {written(amount, is_share=is_share)}"
                width, top = max(b - a - 1, 0.5), y(base + amount)
                parts.append(box(a + 0.5, top, width, y(base) - top, style, words))
            below[place] += amount
    if curve:
        parts.append(path([(x(a), y(b)) for a, b in curve], "c1 over"))
    return drawing(title, height, *parts, *beside, read="x")


def over_k(title: str, lines: Sequence[Line], names: tuple[str, str], *, height: float = 210.0) -> Html:
    """Lines in 0..1 over k, whose axis doubles at every step."""
    ks = sorted({k for line in lines for k, _ in line.points})
    right = WIDTH - 17 - LETTER * max(len(short(line.label)) for line in lines)
    x, y = scale(math.log2(ks[0]), math.log2(ks[-1]), LEFT, right), scale(0.0, 1.0, height - BOTTOM, TOP)
    parts = [axes(x, y, (), ticks(0.0, 1.0), names, right, shares=(False, True))]
    for k in ks:
        parts += [label(f"{k:g}", x(math.log2(k)), y(0) + 14, "tick", "middle"),
                  rule(x(math.log2(k)), y(0), x(math.log2(k)), y(0) + 3, "axis")]  # fmt: skip
    ends = spread_within([y(line.points[-1][1]) for line in lines], TOP - 4, height - BOTTOM)
    for line, end in zip(lines, ends, strict=True):
        points = [(x(math.log2(k)), y(value)) for k, value in line.points]
        values = [f"{written(k)} {written(value, is_share=True)}" for k, value in line.points]
        dots = [circle(a, b, 3.0, f"dot {line.style}") for a, b in points]
        drawn = path(points, line.style, said=line.said or line.label, values=values)
        parts += [drawn, *dots, label(short(line.label), points[-1][0] + 7, end + 4, line.style)]
    return drawing(title, height, *parts, name=names[0], read="x")


def row_chart(
    title: str, rows: Sequence[Row], limits: tuple[float, float], name: str, *, is_share: bool = True
) -> Html:
    """Named rows on one horizontal axis, with a note at the right of each. is_share: its values are shares of 1."""
    left, right = 112.0, 300.0
    bottom = ROW * len(rows) + 6
    x_ticks = [tick for tick in ticks(*limits) if limits[0] <= tick <= limits[1]]
    x = scale(*limits, left, right)
    parts = [rule(x(tick), 2.0, x(tick), bottom, "grid") for tick in x_ticks]
    parts += [label(tick_label(tick, is_share=is_share), x(tick), bottom + 14, "tick", "middle") for tick in x_ticks]
    parts.append(label(name, 0.0, bottom + 14, "name"))
    for index, row in enumerate(rows):
        y = ROW * (index + 0.5) + 4
        note = label(short(row.note, 11), WIDTH, y + 4, row.style, "end")
        parts += [label(short(row.label), 0.0, y + 4, f"rowname {row.style}"), note]
        if row.span:
            ends = [min(max(end, limits[0]), limits[1]) for end in (min(row.span), max(row.span))]
            parts.append(rule(x(ends[0]), y, x(ends[1]), y, "span"))
        told = row.said or [f"{row.label}: {written(value, is_share=is_share)}" for value, _ in row.points]
        parts += [
            circle(x(value), y, 4.0, style, words) for (value, style), words in zip(row.points, told, strict=True)
        ]
    return drawing(title, bottom + 20, *parts, read="y")


def forest(mean: float, low: float, high: float, reach: float) -> Html:
    """A difference with its interval around 0, for a table cell; `reach` is the largest value of the column."""
    x = scale(-reach, reach, 3.0, 97.0)
    style = "clear" if excludes_zero(low, high) else "unclear"
    low, high = max(low, -reach), min(high, reach)
    marks = [rule(50.0, 0.0, 50.0, 14.0, "axis"), rule(x(low), 7.0, x(high), 7.0, f"span {style}")]
    dot = tag("circle", cx=x(mean), cy=7.0, r=3.0, class_=f"dot {style}")
    return drawing(f"difference {mean:+.3f}", 14.0, *marks, dot, width=100.0, style="inline")


def bar(part: float) -> Html:
    """A share of 1 as a bar, for a table cell."""
    full, filled = (tag("rect", x=0, y=3, height=8, width=width, class_=style) for width, style in
                    ((100.0, "band"), (100.0 * min(max(part, 0.0), 1.0), "bar")))  # fmt: skip
    return drawing(f"{part:.0%}", 14.0, full, filled, width=100.0, style="inline")
