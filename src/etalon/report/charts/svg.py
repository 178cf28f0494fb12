"""Small charts as inline SVG: numbers in, one <svg> out. Colours are CSS classes, so dark mode and print are free.

    line_chart   lines over steps, labelled at their ends      histogram   bars with an outline, a curve and a kept band
    row_chart    one named row per thing: points on a line     forest, bar   a difference, or a share, in a table cell
    over_k       lines over 1, 2, 4, 8, ...                    stacked     a histogram of several kinds

Every chart is 360 units wide: columns of a page on a desk, the whole width of a telephone.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from etalon.report.html import Html, join, minus, tag

WIDTH, LEFT, TOP, BOTTOM = 360.0, 40.0, 26.0, 36.0
Point = tuple[float, float]
Scale = Callable[[float], float]


@dataclass(frozen=True, kw_only=True)
class Line:
    label: str  # written at its end; empty for a line in the background
    points: Sequence[Point]
    style: str = "c0"  # classes: c0..c3, faint, dashed


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A ring with words beside it."""

    point: Point
    label: str
    style: str = "c0"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A named line of a row chart: points (value, style) on a line from the smallest to the largest of `span`."""

    label: str
    points: Sequence[tuple[float, str]]
    span: Sequence[float] = ()
    note: str = ""
    style: str = ""


def scale(low: float, high: float, start: float, end: float) -> Scale:
    width = (high - low) or 1.0
    return lambda value: start + (value - low) / width * (end - start)


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers that enclose low..high."""
    rough = max(high - low, 1e-9 * max(abs(high), 1.0)) / about
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * m for m in (1, 2, 2.5, 5, 10) if unit * m >= rough * 0.999)
    first, last = math.floor(low / step + 1e-6), math.ceil(high / step - 1e-6)
    return [round(i * step, 12) for i in range(first, max(last, first + 1) + 1)]


def tick_label(value: float) -> str:
    return minus(f"{value / 1000:g}k" if abs(value) >= 10000 else f"{value:g}")


def label(words: str, x: float, y: float, style: str = "", anchor: str = "start") -> Html:
    return tag("text", words, x=x, y=y, class_=style, text_anchor=None if anchor == "start" else anchor)


def rule(x1: float, y1: float, x2: float, y2: float, style: str) -> Html:
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=style)


def path(points: Sequence[Point], style: str) -> Html:
    return tag("path", d="M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points), class_=f"line {style}")


def drawing(title: str, height: float, *parts: Html, width: float = WIDTH, style: str = "chart") -> Html:
    box = f"0 0 {width:g} {height:g}"
    return tag("svg", tag("title", title), *parts, viewBox=box, role="img", aria_label=title, class_=style)


def axes(
    x: Scale, y: Scale, x_ticks: Sequence[float], y_ticks: Sequence[float], names: tuple[str, str], right: float
) -> Html:
    """Grid lines and tick labels up to `right`, the y name on top and the x name at the lower right."""
    bottom = y(y_ticks[0])
    return join(
        [
            *(rule(LEFT, y(tick), right, y(tick), "axis" if tick == y_ticks[0] else "grid") for tick in y_ticks),
            *(label(tick_label(tick), LEFT - 6, y(tick) + 3.5, "tick", "end") for tick in y_ticks),
            *(label(tick_label(tick), x(tick), bottom + 14, "tick", "middle") for tick in x_ticks),
            *(rule(x(tick), bottom, x(tick), bottom + 3, "axis") for tick in x_ticks),
            label(names[1], 2.0, 11.0, "name"),
            label(names[0], right, bottom + 29, "name", "end"),
        ]
    )


def spread(heights: Sequence[float], gap: float = 12.0) -> list[float]:
    """The heights moved apart so that labels at them do not overlap; their order stays."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    placed = list(heights)
    for above, below in itertools.pairwise(order):
        placed[below] = max(placed[below], placed[above] + gap)
    overshoot = [(placed[i] - heights[i]) for i in order]
    shift = max(overshoot, default=0.0) / 2
    return [height - shift for height in placed]


def line_chart(
    title: str,
    lines: Sequence[Line],
    names: tuple[str, str],
    *,
    y_range: tuple[float, float] | None = None,
    marks: Sequence[Mark] = (),
    height: float = 210.0,
) -> Html:
    """Lines with their names at their ends; `names` are those of the x and the y axis."""
    points = [point for line in lines for point in line.points] + [mark.point for mark in marks]
    low, high = y_range or (min(y for _, y in points), max(y for _, y in points))
    x_ticks, y_ticks = ticks(min(x for x, _ in points), max(x for x, _ in points)), ticks(low, high)
    named = [line for line in lines if line.label]
    right = WIDTH - 12 - 6.2 * max((len(line.label) for line in named), default=0)
    x = scale(x_ticks[0], x_ticks[-1], LEFT, right)
    y = scale(y_ticks[0], y_ticks[-1], height - BOTTOM, TOP)
    ends = spread([y(line.points[-1][1]) for line in named])
    last = max((x(line.points[-1][0]) for line in named), default=0.0)
    return drawing(
        title,
        height,
        axes(x, y, x_ticks, y_ticks, names, right),
        *(path([(x(a), y(b)) for a, b in line.points], line.style) for line in lines),
        *(label(line.label, last + 7, end + 4, line.style) for line, end in zip(named, ends, strict=True)),
        *(_mark(mark, x(mark.point[0]), y(mark.point[1]), right) for mark in marks),
    )


def _mark(mark: Mark, x: float, y: float, right: float) -> Html:
    is_late = x > right - 60
    words = label(mark.label, x - 8 if is_late else x + 8, y - 7, mark.style, "end" if is_late else "start")
    return join([tag("circle", cx=x, cy=y, r=4.5, class_=f"ring {mark.style}"), words])


def histogram(
    title: str,
    edges: Sequence[float],
    counts: Sequence[float],
    names: tuple[str, str],
    *,
    outline: Sequence[float] = (),
    curve: Sequence[Point] = (),
    band: tuple[float, float] | None = None,
    height: float = 210.0,
) -> Html:
    """Bars; `outline` is a second histogram, `curve` has its own axis 0..1 on the right, `band` is what was kept."""
    y_ticks = ticks(0.0, max([*counts, *outline, 1e-9]), about=3)
    right = WIDTH - (34 if curve else 10)
    x = scale(edges[0], edges[-1], LEFT, right)
    y, weight = (scale(0.0, top, height - BOTTOM, TOP) for top in (y_ticks[-1], 1.0))
    x_ticks = [tick for tick in ticks(edges[0], edges[-1]) if 0 <= (x(tick) - LEFT) / (right - LEFT) <= 1.001]
    bars = [
        tag("rect", x=x(a) + 0.5, y=y(n), width=max(x(b) - x(a) - 1, 0.5), height=y(0) - y(n), class_="bar")
        for a, b, n in zip(edges, edges[1:], counts, strict=False)
    ]
    parts = [axes(x, y, x_ticks, y_ticks, names, right)]
    if band:
        low, high = (min(max(x(edge), LEFT), right) for edge in band)
        parts.append(tag("rect", x=low, y=TOP, width=high - low, height=y(0) - TOP, class_="band"))
    parts += bars
    if outline:
        steps = [(x(edge), y(n)) for a, b, n in zip(edges, edges[1:], outline, strict=False) for edge in (a, b)]
        parts.append(path(steps, "c2 thin"))
    if curve:
        parts.append(path([(x(a), weight(b)) for a, b in curve], "c1"))
        parts += [label(f"{tick:g}", right + 6, weight(tick) + 3.5, "tick c1") for tick in (0, 0.5, 1)]
    return drawing(title, height, *parts)


def stacked(
    title: str,
    edges: Sequence[float],
    layers: Sequence[tuple[str, Sequence[float]]],
    names: tuple[str, str],
    *,
    height: float = 210.0,
) -> Html:
    """A histogram of several kinds on top of each other; a layer is (class, counts), the first is at the bottom."""
    tops = [sum(heights) for heights in zip(*(counts for _, counts in layers), strict=True)]
    y_ticks = ticks(0.0, max([*tops, 1.0]), about=3)
    right = WIDTH - 10
    x, y = scale(edges[0], edges[-1], LEFT, right), scale(0.0, y_ticks[-1], height - BOTTOM, TOP)
    x_ticks = [tick for tick in ticks(edges[0], edges[-1]) if LEFT - 0.1 <= x(tick) <= right + 0.1]
    parts = [axes(x, y, x_ticks, y_ticks, names, right)]
    below = [0.0] * len(tops)
    for style, counts in layers:
        for place, amount in enumerate(counts):
            a, b, base = x(edges[place]), x(edges[place + 1]), below[place]
            if amount:
                size = {"width": max(b - a - 1, 0.5), "height": y(base) - y(base + amount)}
                parts.append(tag("rect", x=a + 0.5, y=y(base + amount), **size, class_=style))
            below[place] += amount
    return drawing(title, height, *parts)


def over_k(title: str, lines: Sequence[Line], names: tuple[str, str], *, height: float = 210.0) -> Html:
    """Lines in 0..1 over k, whose axis doubles at every step."""
    ks = sorted({k for line in lines for k, _ in line.points})
    right = WIDTH - 12 - 6.2 * max(len(line.label) for line in lines)
    x, y = scale(math.log2(ks[0]), math.log2(ks[-1]), LEFT, right), scale(0.0, 1.0, height - BOTTOM, TOP)
    parts = [axes(x, y, (), ticks(0.0, 1.0), names, right)]
    for k in ks:
        parts += [label(f"{k:g}", x(math.log2(k)), y(0) + 14, "tick", "middle"),
                  rule(x(math.log2(k)), y(0), x(math.log2(k)), y(0) + 3, "axis")]  # fmt: skip
    ends = spread([y(line.points[-1][1]) for line in lines])
    for line, end in zip(lines, ends, strict=True):
        points = [(x(math.log2(k)), y(value)) for k, value in line.points]
        dots = [tag("circle", cx=a, cy=b, r=3.0, class_=f"dot {line.style}") for a, b in points]
        parts += [path(points, line.style), *dots, label(line.label, points[-1][0] + 7, end + 4, line.style)]
    return drawing(title, height, *parts)


def row_chart(title: str, rows: Sequence[Row], limits: tuple[float, float], name: str) -> Html:
    """Named rows on one horizontal axis, with a note at the right of each."""
    left, right, pitch = 112.0, 300.0, 19.0
    bottom = pitch * len(rows) + 6
    x_ticks = [tick for tick in ticks(*limits) if limits[0] <= tick <= limits[1]]
    x = scale(*limits, left, right)
    parts = [rule(x(tick), 2.0, x(tick), bottom, "grid") for tick in x_ticks]
    parts += [label(tick_label(tick), x(tick), bottom + 14, "tick", "middle") for tick in x_ticks]
    parts.append(label(name, 0.0, bottom + 14, "name"))
    for index, row in enumerate(rows):
        y = pitch * (index + 0.5) + 4
        parts += [label(row.label, 0.0, y + 4, f"rowname {row.style}"), label(row.note, WIDTH, y + 4, row.style, "end")]
        if row.span:
            ends = [min(max(end, limits[0]), limits[1]) for end in (min(row.span), max(row.span))]
            parts.append(rule(x(ends[0]), y, x(ends[1]), y, "span"))
        parts += [tag("circle", cx=x(value), cy=y, r=4.0, class_=style) for value, style in row.points]
    return drawing(title, bottom + 20, *parts)


def forest(mean: float, low: float, high: float, reach: float) -> Html:
    """A difference with its interval around 0, for a table cell; `reach` is the largest value of the column."""
    x = scale(-reach, reach, 3.0, 97.0)
    style = "clear" if low > 0 or high < 0 else "unclear"
    low, high = max(low, -reach), min(high, reach)
    marks = [rule(50.0, 0.0, 50.0, 14.0, "axis"), rule(x(low), 7.0, x(high), 7.0, f"span {style}")]
    dot = tag("circle", cx=x(mean), cy=7.0, r=3.0, class_=f"dot {style}")
    return drawing(f"difference {mean:+.3f}", 14.0, *marks, dot, width=100.0, style="inline")


def bar(part: float) -> Html:
    """A share of 1 as a bar, for a table cell."""
    full, filled = (tag("rect", x=0, y=3, height=8, width=width, class_=style) for width, style in
                    ((100.0, "band"), (100.0 * min(max(part, 0.0), 1.0), "bar")))  # fmt: skip
    return drawing(f"{part:.0%}", 14.0, full, filled, width=100.0, style="inline")
