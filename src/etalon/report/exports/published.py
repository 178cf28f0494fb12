"""A published score beside ours: where it lies against our interval, and in which settings the two differ.

What is not told of a published score (its cap, its temperature) is not compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from etalon.report.exports.cells import percentage, score_of, truncated_of, whole
from etalon.report.exports.shape import CLR, MAXIMUM, BenchmarkRow, PublishedRow
from etalon.report.html import MISSING
from etalon.report.read import Number, mapping, number

STANDING = {"inside": "inside the interval", "above": "ours is above", "below": "ours is below"}  # by verdict
TOLD = {  # what the settings of a published score tell
    "temperature": re.compile(r"\btemperature (\d+(?:\.\d+)?)"),
    "cap": re.compile(r"(\d[\d,]*) tokens"),
    "K": re.compile(r"\bK = (\d+)"),
    "M": re.compile(r"\bM = (\d+)"),
}  # fmt: skip
Beside = Callable[[BenchmarkRow, PublishedRow], str]


def standing(one: PublishedRow) -> str:
    """Where our score stands beside a published one, in words; one without a verdict has none."""
    return STANDING.get(one.verdict, "no verdict")


def published_score(one: PublishedRow) -> str:
    """`91.4`, or `96.7 (CLR)`."""
    return f"{percentage(one.score)}{' (CLR)' if one.is_clr else ''}"


def settings(row: BenchmarkRow) -> str:
    """`avg@8, temperature 1, cap in tokens 4096, 6.2% truncated`."""
    drawn = (f"{name} {words}" for name, words in row.drawn.items() if name != "top_p")
    return ", ".join([row.averaged, *drawn, truncated_of(row)])


def differing(row: BenchmarkRow, one: PublishedRow) -> str:
    """`n 64, here 8; cap 40,960, here the model's maximum`; "" where all that is told is the same."""
    if row.is_clr != one.is_clr:
        return f"{CLR.upper()}, here the plain mean" if one.is_clr else f"the plain mean, here {CLR.upper()}"
    there = _told(one)
    return "; ".join(
        f"{name} {_shown(there[name])}, here {_shown(ours) if ours is not None else MAXIMUM}"
        for name, ours in _ours(row).items()
        if name in there and ours != there[name]
    )


def _told(one: PublishedRow) -> dict[str, float]:
    found = {name: match[1].replace(",", "") for name, how in TOLD.items() if (match := how.search(one.settings))}
    return ({} if one.n is None else {"n": one.n}) | {name: float(digits) for name, digits in found.items()}


def _ours(row: BenchmarkRow) -> dict[str, Number]:
    """Our settings as far as they are known; a cap that is None is the model's maximum."""
    flow = mapping(row.clr)
    known = {"n": row.n, "temperature": row.temperature, "K": number(flow.get("k")), "M": number(flow.get("m"))}
    cap = {} if row.temperature is None else {"cap": row.max_tokens}
    return {name: value for name, value in known.items() if value is not None} | cap


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


COLUMNS: dict[str, Beside] = {
    "Benchmark": lambda row, one: row.name,
    "Model": lambda row, one: one.model,
    "Published": lambda row, one: published_score(one),
    "n": lambda row, one: whole(one.n),
    "Verdict": lambda row, one: standing(one),
    "Ours": lambda row, one: score_of(row),
    "Our settings": lambda row, one: settings(row),
    "Settings differ": lambda row, one: differing(row, one) or MISSING,
}


def beside(rows: Sequence[BenchmarkRow]) -> list[list[str]]:
    """A line of `COLUMNS` for every published score."""
    return [[cell(row, one) for cell in COLUMNS.values()] for row in rows for one in row.published]
