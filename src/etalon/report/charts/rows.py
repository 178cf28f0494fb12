"""Charts of named rows: what shares make each up (share_rows), how numbers are distributed in each (ridges)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from etalon.report.charts.draw import WIDTH, box, drawing, label, rule, scale, short, tick_label, ticks, written
from etalon.report.charts.svg import ROW
from etalon.report.html import Html, percent

LEFT, RIGHT = 112.0, 344.0
ROOM = 30.0  # a segment of this width has room for its percentage
RIDGE, NUM_BARS = 44.0, 32
WIDE = 20.0  # numbers whose largest is more than this many times the smallest are drawn on a logarithmic axis


@dataclass(frozen=True, kw_only=True)
class Ridge:
    """The numbers of one row, and the range of them that was kept, where there is one."""

    label: str
    values: Sequence[float]
    band: tuple[float, float] | None = None
    note: str = ""


def share_rows(
    title: str, rows: Sequence[tuple[str, Sequence[float]]], kinds: Sequence[tuple[str, str]], name: str
) -> Html:
    """Each row, (label, amounts of every kind), as a bar of shares; kinds are (class, words), in the order drawn."""
    bottom = ROW * len(rows) + 6
    x = scale(0.0, 1.0, LEFT, RIGHT)
    parts = [label(tick_label(tick, is_share=True), x(tick), bottom + 14, "tick", "middle") for tick in ticks(0.0, 1.0)]
    parts.append(label(name, 0.0, bottom + 14, "name"))
    for index, (words, amounts) in enumerate(rows):
        y, done, total = ROW * index + 4, 0.0, sum(amounts)
        parts.append(label(short(words), 0.0, y + 12, "rowname"))
        for (style, kind), amount in zip(kinds, amounts, strict=True):
            part = amount / total if total else 0.0
            if part:
                start, width = x(done), x(done + part) - x(done)
                parts.append(box(start, y, max(width - 1, 0.5), ROW - 5, style, f"{words}: {kind} {percent(part)}"))
                parts += [label(f"{part:.0%}", start + width / 2, y + 11, "inside", "middle")] if width > ROOM else []
            done += part
    return drawing(title, bottom + 20, *parts, read="y")


def ridges(title: str, rows: Sequence[Ridge], name: str, unit: str) -> Html:
    """A histogram per row over one axis, logarithmic where the numbers call for it; each row is as high as its top.

    name: of the axis; unit: what is counted.
    """
    values = [value for row in rows for value in row.values]
    is_log = min(values) > 0 and max(values) > WIDE * min(values)
    low, high = (math.log10(end) for end in (min(values), max(values))) if is_log else (min(values), max(values))
    marks = _decades(low, high) if is_log else ticks(low, high)
    low, high = min(low, marks[0]) if not is_log else low, max(high, marks[-1]) if not is_log else high
    place = scale(low, high, LEFT, RIGHT)
    bottom = RIDGE * len(rows) + 6
    shown = [mark for mark in marks if low <= mark <= high]
    parts = [rule(place(mark), 2.0, place(mark), bottom, "grid") for mark in shown]
    parts += [
        label(f"{10**mark:g}" if is_log else tick_label(mark), place(mark), bottom + 14, "tick", "middle")
        for mark in shown
    ]
    parts.append(label(f"{name}, logarithmic" if is_log else name, WIDTH, bottom + 30, "name", "end"))
    for index, row in enumerate(rows):
        parts += _ridge(row, RIDGE * (index + 1), (low, high), unit, is_log=is_log)
    return drawing(title, bottom + 36, *parts, read="x")


def _decades(low: float, high: float) -> list[float]:
    """Powers of ten inside low..high, both logarithms; the ends where there are fewer than two."""
    found = [float(mark) for mark in range(math.ceil(low), math.floor(high) + 1)]
    return found if len(found) > 1 else [low, high]


def _ridge(row: Ridge, base: float, ends: tuple[float, float], unit: str, *, is_log: bool) -> list[Html]:
    low, high = ends
    place = scale(low, high, LEFT, RIGHT)
    width = (high - low) / NUM_BARS or 1.0
    counts = [0] * NUM_BARS
    for value in row.values:
        at = math.log10(value) if is_log else value
        counts[min(max(int((at - low) / width), 0), NUM_BARS - 1)] += 1
    tall = scale(0.0, max([*counts, 1]), 0.0, RIDGE - 10)
    parts = [
        label(short(row.label), 0.0, base - 16, "rowname"),
        *([label(short(row.note, 20), 0.0, base - 3, "name")] if row.note else []),
        rule(LEFT, base, RIGHT, base, "axis"),
    ]
    if row.band:
        start, end = (math.log10(max(edge, 10**low)) if is_log else edge for edge in row.band)
        left, right = (place(min(max(edge, low), high)) for edge in (start, end))
        parts.append(box(left, base - RIDGE + 6, max(right - left, 0.5), RIDGE - 6, "band edged"))
    for bar, number in enumerate(counts):
        if number:
            edges = [low + (bar + side) * width for side in (0, 1)]
            said = [written(10**edge if is_log else edge) for edge in edges]
            words = f"{row.label}, {said[0]} to {said[1]}: {number} of {len(row.values)} {unit}"
            left = place(edges[0])
            parts.append(box(left + 0.5, base - tall(number), place(edges[1]) - left - 1, tall(number), "bar", words))
    return parts
