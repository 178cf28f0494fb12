"""The cells of two runs or evaluations side by side, the same on a terminal, in a file and on a page.

table, moved, protocol, differing: SideBySide -> rows of words, with one decimal of a percent
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from etalon.report.exports.cells import bounds, percentage, scored
from etalon.report.exports.shape import MAXIMUM
from etalon.report.html import MISSING
from etalon.report.several.paired import Paired, SideBySide

MOST_MOVED = 5  # (ours) problems of a benchmark that a table names; json has more
MOST_LETTERS = 40  # of a problem's name
SAME, ALIKE = "same in both", " Nothing else differs."
CAPTION = "Pass@1 in percent over the problems that both have; the difference is B - A, * where it excludes 0."
CLR_CAPTION = " CLR: over whole flows, of which each gives one answer."
CAP = "max_tokens"
DIFFERENCE = "Difference [95%]"


def caption(found: SideBySide) -> str:
    """What the scores are, and that nothing else differs where that is so."""
    is_clr = any(_is_clr(line, side) for line in found.lines for side in (0, 1))
    return f"{CAPTION}{CLR_CAPTION if is_clr else ''}{'' if found.differs else ALIKE}"


def table(found: SideBySide, between: str = " ") -> tuple[list[str], list[list[str]]]:
    """Head and rows; a stage's name and seconds stand in its first row only, one that both share has no other.

    between: what stands between a score and its interval.
    """
    head = ["Stage" if found.of_runs else "Benchmark", "Domain", "A", "B", DIFFERENCE, "Problems"]
    rows = []
    above = ""
    for one in found.lines:
        if one.is_same:  # one row for all domains
            taken = [seconds(one.seconds_a), seconds(one.seconds_b)]
            rows += [[one.name, "", "", "", SAME, "", *taken]] if one.name != above else []
            above = one.name
            continue
        scores = [score(one, 0, of_runs=found.of_runs), score(one, 1, of_runs=found.of_runs)]
        scores = [shown.replace(" [", f"{between}[") for shown in (*scores, difference(one))]
        cells = [one.name, one.domain, *scores, str(one.problems)]
        if found.of_runs:
            cells = ["" if one.name == above else one.name, *cells[1:]]
            cells += ["", ""] if one.name == above else [seconds(one.seconds_a), seconds(one.seconds_b)]
        else:
            del cells[1]
            cells.append(f"+{one.better} -{one.worse}" if one.problems else "")
        rows.append(cells)
        above = one.name
    if found.of_runs:
        return [*head, "Seconds A", "B"], rows
    return [head[0], *head[2:], "Moved"], rows


def protocol(found: SideBySide) -> list[list[str]]:
    """How each side was asked, and what was cut of it."""
    shown: dict[str, Callable[[Any], str]] = {
        "truncated": lambda value: "not told" if value is None else f"{percentage(value)}%", "score": str,
    }  # fmt: skip
    return [
        [f"{line.name}: {name}", *(shown.get(name, value_of(name))(value) for value in pair)]
        for line in found.lines
        for name, pair in line.protocol.items()
    ]


def moved(found: SideBySide) -> list[list[str]]:
    """The problems that moved most, under the name of their benchmark; only evaluations tell."""
    return [
        [
            "" if place else line.name,
            shortened(one.id),
            percentage(one.a),
            percentage(one.b),
            f"{100 * (one.b - one.a):+.1f}",
        ]
        for line in (() if found.of_runs else found.lines)
        for place, one in enumerate(line.moved[:MOST_MOVED])
    ]


def differing(found: SideBySide) -> list[list[str]]:
    return [[knob, *map(value_of(knob), pair)] for knob, pair in found.differs.items()]


def shortened(name: str) -> str:
    """A name that is cut in its middle, where it is longer than MOST_LETTERS."""
    half = (MOST_LETTERS - 1) // 2
    return name if len(name) <= MOST_LETTERS else f"{name[:half]}…{name[-half:]}"


def score(one: Paired, side: int, *, of_runs: bool) -> str:
    """Pass@1 of a stage; of a benchmark with its interval, that of CLR says so."""
    mean, low, high = ((one.a, one.a_low, one.a_high), (one.b, one.b_low, one.b_high))[side]
    return percentage(mean) if of_runs else f"{scored(mean, low, high)}{' CLR' if _is_clr(one, side) else ''}"


def _is_clr(one: Paired, side: int) -> bool:
    return "score" in one.protocol and one.protocol["score"][side].startswith("CLR")


def seconds(value: float | None) -> str:
    return MISSING if value is None else f"{value:,.1f}"


def difference(one: Paired) -> str:
    """`+3.1 [+0.2, +6.0] *`; the star says that the interval excludes 0."""
    if one.difference is None:
        return MISSING
    interval = bounds(one.low, one.high, "+")
    return f"{100 * one.difference:+.1f}{f' {interval}' if interval else ''}{' *' if one.is_clear else ''}"


def value_of(knob: str) -> Callable[[Any], str]:
    """How a knob's value is shown; a cap that is not set is the model's own."""
    is_cap = knob.rpartition(".")[2] == CAP
    return lambda value: MAXIMUM if value is None and is_cap else _told(value)


def _told(value: Any) -> str:
    """A value as a recipe writes it; a stage by its kind and what it says."""
    if value is None:
        return MISSING
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {_told(inner)}" for key, inner in value.items())
    return json.dumps(value, ensure_ascii=False)
