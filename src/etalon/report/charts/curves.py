"""Curves over steps: of one stage, raw behind smoothed; of several runs over one another; of seeds as a band."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from etalon.report.charts.draw import Point
from etalon.report.charts.svg import Band, Line, line_chart
from etalon.report.files import Step
from etalon.report.html import Html, figure, join
from etalon.report.read import Number
from etalon.stats import Interval, mean_interval

MOST_POINTS = 400  # of a curve: more than its width shows
# of lines in one chart: colour and dash together, so that neither is needed to tell them apart
STYLES = ("c0", "c1 dashed", "c2 dotted", "c3 dashdot", "c0 dotted", "c1 dashdot", "c2 dashed", "c3")


def series(steps: Iterable[Step], value: Callable[[Step], Number]) -> list[Point]:
    return [(step.step, found) for step in steps if step.step is not None and (found := value(step)) is not None]


def smooth(points: Sequence[Point]) -> list[Point]:
    """A centred moving average over about an eighth of the points."""
    reach = len(points) // 16
    windows = [points[max(0, i - reach) : i + reach + 1] for i in range(len(points))]
    return [(x, sum(y for _, y in window) / len(window)) for (x, _), window in zip(points, windows, strict=True)]


def thinned(points: Sequence[Point]) -> list[Point]:
    """At most MOST_POINTS, each the mean of as many neighbours; no more than that are as they were."""
    size = math.ceil(len(points) / MOST_POINTS)
    blocks = [points[start : start + size] for start in range(0, len(points), size or 1)]
    return [(sum(x for x, _ in block) / len(block), sum(y for _, y in block) / len(block)) for block in blocks]


def curves(
    title: str,
    named: Sequence[tuple[str, str, list[Point]]],
    y_name: str,
    top: Number = None,
    *,
    is_share: bool = False,
) -> Html:
    """One chart of (label, colour, points): each raw in the background and smoothed in front.

    is_share: the values are shares of 1, written in percent.
    """
    known = [(words, colour, thinned(points)) for words, colour, points in named if points]
    if not known:
        return join([])
    lines = [
        Line(label="", said=words or y_name, points=points, style=f"{colour} faint") for words, colour, points in known
    ]
    lines += [
        Line(label=words, said=f"{words} smoothed".strip(), points=smooth(points), style=colour)
        for words, colour, points in known
    ]
    values = [y for _, _, points in known for _, y in points]
    y_range = (min(0.0, *values), top or max(values))
    most = max(len(points) for _, _, points in named)
    note = f"A point is the mean of {math.ceil(most / MOST_POINTS)} steps." if most > MOST_POINTS else ""
    chart = line_chart(title, lines, ("step", y_name), y_range=y_range, is_share=is_share)
    return figure(title, chart, note)


def overlaid(
    title: str,
    runs: Sequence[tuple[str, Sequence[Point]]],
    names: tuple[str, str],
    *,
    top: Number = None,
    is_share: bool = False,
    is_smooth: bool = True,
) -> Html:
    """The same curve of several runs, (name, points) each, told apart by colour, dash and a label at the end.

    names: of the x and the y axis. is_smooth: smoothed, as `curves` shows it in front. Nothing for runs without points.
    """
    known = [(words, thinned(points), place) for place, (words, points) in enumerate(runs) if points]
    lines = [
        Line(label=words, points=smooth(points) if is_smooth else points, style=STYLES[place % len(STYLES)])
        for words, points, place in known  # a run that has no such curve keeps its style for the others
    ]
    if not lines:
        return join([])
    values = [y for line in lines for _, y in line.points]
    y_range = (min(0.0, *values), top or max(values))
    return figure(title, line_chart(title, lines, names, y_range=y_range, is_share=is_share))


def banded(
    seeds: Sequence[Sequence[Point]], *, style: str = "c0", said: str = "", is_share: bool = False
) -> tuple[list[Point], Band]:
    """The mean over seeds at every x that all of them have, and its 95% Student t interval over seeds as a band.

    The band is empty for one seed: a single number has no spread. Where all agree it has no width, for no more was seen
    there. is_share: the values are shares of 1, and the band ends at 0 and 1.
    """
    found = [dict(points) for points in seeds if points]
    shared = sorted(set.intersection(*map(set, found))) if found else []
    told = [(x, _over_seeds([points[x] for points in found])) for x in shared]
    line = [(x, interval.mean) for x, interval in told]
    inside = [(x, one.low, one.high) for x, one in told if math.isfinite(one.low) and math.isfinite(one.high)]
    cut = [(x, max(0.0, low), min(1.0, high)) for x, low, high in inside] if is_share else inside
    return line, Band(points=cut, style=style, said=said)


def _over_seeds(values: Sequence[float]) -> Interval:
    mean = sum(values) / len(values)
    return mean_interval(values, lowest=mean, highest=mean)


def seeded(
    title: str,
    groups: Sequence[tuple[str, Sequence[Sequence[Point]]]],
    names: tuple[str, str],
    *,
    top: Number = None,
    is_share: bool = False,
) -> Html:
    """Several settings, (name, a curve per seed) each: the mean over seeds as a line in its 95% interval over seeds.

    Each seed is smoothed before the mean is taken. Nothing where no setting has a point.
    """
    lines, bands, count = [], [], 0
    for place, (words, seeds) in enumerate(groups):
        style = STYLES[place % len(STYLES)]
        smoothed, colour = [smooth(points) for points in seeds], style.split()[0]
        line, band = banded(smoothed, style=colour, said=f"{words} 95% interval", is_share=is_share)
        if line:
            count = max(count, sum(map(bool, seeds)))
            lines.append(Line(label=words, points=thinned(line), style=style))
            bands.append(_thinned_band(band))
    if not lines:
        return join([])
    ends = [high for band in bands for *_, high in band.points] + [y for line in lines for _, y in line.points]
    y_range = (min([0.0, *(low for band in bands for _, low, _ in band.points)]), top or max(ends))
    chart = line_chart(title, lines, names, y_range=y_range, bands=bands, is_share=is_share)
    return figure(title, chart, f"Mean of up to {count} seeds and its 95% interval over seeds." if count > 1 else "")


def _thinned_band(band: Band) -> Band:
    lows, highs = (thinned([(x, ends[side]) for x, *ends in band.points]) for side in (0, 1))
    points = [(x, low, high) for (x, low), (_, high) in zip(lows, highs, strict=True)]
    return Band(points=points, style=band.style, said=band.said)
