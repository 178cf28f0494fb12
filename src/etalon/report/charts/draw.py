"""What every chart is drawn with: scales, ticks, axes, text. Colours are CSS classes, so dark mode and print are free.

Every chart is 360 units wide: columns of a page on a desk, the whole width of a telephone. What a mark says when it is
pointed at is its <title>, what the points of a line say is in data-said and data-values: charts.js reads both.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

from etalon.report.html import Html, join, minus, tag

WIDTH, LEFT, TOP, BOTTOM = 360.0, 44.0, 26.0, 36.0
MOST_LETTERS = 18  # of a name in a chart; whoever points at it reads the whole of it
LETTER = 6.2  # width of one, about
Point = tuple[float, float]
Scale = Callable[[float], float]


def scale(low: float, high: float, start: float, end: float) -> Scale:
    width = (high - low) or 1.0
    return lambda value: start + (value - low) / width * (end - start)


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers that enclose low..high; a single number stands between the next ones."""
    if low == high != 0:
        low, high = low - abs(low) / 10, high + abs(high) / 10
    rough = max(high - low, 1e-9 * max(abs(high), 1.0)) / about
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * m for m in (1, 2, 2.5, 5, 10) if unit * m >= rough * 0.999)
    first, last = math.floor(low / step + 1e-6), math.ceil(high / step - 1e-6)
    return [round(i * step, 12) for i in range(first, max(last, first + 1) + 1)]


def tick_label(value: float, *, is_share: bool = False) -> str:
    """A share of 1 is written in percent."""
    if is_share:
        return minus(f"{100 * value:g}%")
    return minus(f"{value / 1000:g}k" if abs(value) >= 10000 else f"{value:g}")


def written(value: float, *, is_share: bool = False) -> str:
    """A value as whoever points at it reads it: a share in percent with one decimal, others with four digits."""
    return minus(f"{100 * value:.1f}%" if is_share else f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}")


def short(name: str, most: int = MOST_LETTERS) -> str:
    """A name that fits beside a chart: both ends of one that is too long, for names of a kind begin alike."""
    end = (most - 1) // 2
    return name if len(name) <= most else f"{name[: most - 1 - end]}…{name[-end:]}"


def label(words: str, x: float, y: float, style: str = "", anchor: str = "start") -> Html:
    return tag("text", words, x=x, y=y, class_=style, text_anchor=None if anchor == "start" else anchor)


def rule(x1: float, y1: float, x2: float, y2: float, style: str) -> Html:
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=style)


def path(points: Sequence[Point], style: str, *, said: str = "", values: Sequence[str] = ()) -> Html:
    """A line; with `said` its name, and `values` one "x y" per point, for whoever points at it."""
    told = ",".join(values) if said else ""
    return tag("path", d=_through(points), class_=f"line {style}", data_said=said if told else "", data_values=told)


def area(low: Sequence[Point], high: Sequence[Point], style: str) -> Html:
    """What lies between two lines over the same x."""
    return tag("path", d=_through([*high, *reversed(low)]) + "Z", class_=f"area {style}")


def _through(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points)


def box(x: float, y: float, width: float, height: float, style: str, said: str = "") -> Html:
    """A rectangle that says something when it is pointed at."""
    return tag("rect", *_saying(said), x=x, y=y, width=width, height=height, class_=style)


def circle(x: float, y: float, radius: float, style: str, said: str = "") -> Html:
    return tag("circle", *_saying(said), cx=x, cy=y, r=radius, class_=style)


def _saying(words: str) -> list[Html]:
    return [tag("title", words)] if words else []


def drawing(
    title: str, height: float, *parts: Html, width: float = WIDTH, style: str = "chart", name: str = "", read: str = ""
) -> Html:
    """name: of the x axis, said before a value of it. read: the axis that pointing goes along, "x" or "y"."""
    about = {"viewBox": f"0 0 {width:g} {height:g}", "role": "img", "aria_label": title, "class_": style}
    return tag("svg", tag("title", title), *parts, **about, data_name=name, data_read=read)


def axes(
    x: Scale,
    y: Scale,
    x_ticks: Sequence[float],
    y_ticks: Sequence[float],
    names: tuple[str, str],
    right: float,
    *,
    shares: tuple[bool, bool] = (False, False),
) -> Html:
    """Grid lines and tick labels up to `right`, the y name on top and the x name at the lower right.

    shares: whether x and y are shares of 1.
    """
    bottom = y(y_ticks[0])
    x_words, x_name = _scaled(x_ticks, names[0], is_share=shares[0])
    y_words, y_name = _scaled(y_ticks, names[1], is_share=shares[1])
    return join(
        [
            *(rule(LEFT, y(tick), right, y(tick), "axis" if tick == y_ticks[0] else "grid") for tick in y_ticks),
            *(label(words, LEFT - 6, y(at) + 3.5, "tick", "end") for at, words in zip(y_ticks, y_words, strict=True)),
            *(label(words, x(at), bottom + 14, "tick", "middle") for at, words in zip(x_ticks, x_words, strict=True)),
            *(rule(x(tick), bottom, x(tick), bottom + 3, "axis") for tick in x_ticks),
            label(y_name, 2.0, 11.0, "name"),
            label(x_name, right, bottom + 29, "name", "end"),
        ]
    )


def _scaled(found: Sequence[float], name: str, *, is_share: bool) -> tuple[list[str], str]:
    """Labels of ticks and the name of their axis, which has the power of ten where they are very small or large."""
    largest = max(map(abs, found), default=0.0)
    exponent = math.floor(math.log10(largest)) if largest else 0
    if -3 <= exponent < 6:
        return [tick_label(tick, is_share=is_share) for tick in found], name
    power = f"10^{exponent}".replace("-", "\u2212")
    return [tick_label(tick / 10.0**exponent) for tick in found], f"{name} × {power}"


def spread(heights: Sequence[float], gap: float = 12.0) -> list[float]:
    """The heights moved apart so that labels at them do not overlap; their order stays."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    placed = list(heights)
    for above, below in itertools.pairwise(order):
        placed[below] = max(placed[below], placed[above] + gap)
    overshoot = [(placed[i] - heights[i]) for i in order]
    shift = max(overshoot, default=0.0) / 2
    return [height - shift for height in placed]


def spread_within(heights: Sequence[float], top: float, bottom: float) -> list[float]:
    """`spread` kept between top and bottom, where there is room for all."""
    placed = spread(heights)
    over = max(max(placed, default=bottom) - bottom, 0.0)
    under = max(top - min((height - over for height in placed), default=top), 0.0)
    return [height - over + under for height in placed]
