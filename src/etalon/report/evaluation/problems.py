"""The solve rate of every problem: a heat map with the hardest last, and the same as a table."""

from __future__ import annotations

from collections.abc import Sequence

from etalon.report.charts import draw
from etalon.report.evaluation.scorecard import KINDS, Scorecard, Solved
from etalon.report.html import MISSING, Html, clip, count, figure, folded, grid, join, percent, tag

WIDTH = 1120.0
LAYOUTS = ((60, 15, 38.0), (250, 25, 26.0), (1000, 50, 20.0))  # at most so many problems: in a row, height of a cell
MOST_LETTERS = 9  # of a problem's name in a cell, its end
NUM_LISTED = 500
NOTE = (
    "A cell is a problem, the stronger its colour the more of its samples are right; the number is its solve rate in "
    "percent, ? where no sample is decided. The hardest are last. Point at a cell for its name and lengths."
)


def heat_map(card: Scorecard) -> Html:
    """Every problem as a cell, however many there are."""
    problems = card.problems
    if not problems:
        return join([])
    per_row, height = next(((row, tall) for most, row, tall in LAYOUTS if len(problems) <= most), (100, 11.0))
    width = WIDTH / per_row
    cells = [
        _cell(problem, (place % per_row) * width, (place // per_row) * height, (width - 2, height - 2))
        for place, problem in enumerate(problems)
    ]
    rows = -(-len(problems) // per_row)
    title = f"Solve rate of {len(problems)} problems"
    chart = draw.drawing(title, rows * height, *cells, width=WIDTH, style="chart heat")
    drawn = tag("div", chart, class_="scroll", tabindex="0")
    return tag("div", figure(title, drawn, NOTE), class_="wide")


def _cell(problem: Solved, x: float, y: float, size: tuple[float, float]) -> Html:
    rate, (width, height) = problem.rate, size
    style = "open" if rate is None else "rate"
    box = tag("rect", x=x, y=y, width=width, height=height, class_=style, fill_opacity=_shade(rate))
    words = "?" if rate is None else f"{100 * rate:.0f}"
    on = "cell on" if rate is not None and rate > 0.55 else "cell"
    middle, parts = x + width / 2, [tag("title", _about(problem)), box]
    if height > 30:
        name = problem.id if len(problem.id) <= MOST_LETTERS else f"…{problem.id[1 - MOST_LETTERS :]}"
        parts += [
            draw.label(name, middle, y + 14, f"{on} name-of", "middle"),
            draw.label(words, middle, y + 29, on, "middle"),
        ]
    elif height > 15:
        parts.append(
            draw.label(words, middle, y + height / 2 + 4, f"{on} {'small' if width > 30 else 'tiny'}", "middle")
        )
    return tag("g", *parts)


def _shade(rate: float | None) -> str | None:
    """Never quite nothing, so that a problem that nobody solves still is a cell."""
    return None if rate is None else f"{0.06 + 0.94 * rate:.2f}"


def _about(problem: Solved) -> str:
    kinds = ", ".join(f"{problem.kinds[kind]} {kind}" for kind in KINDS if problem.kinds.get(kind))
    lengths = problem.tokens
    told = f"; {count(lengths[0])} to {count(lengths[-1])} tokens, median {count(_median(lengths))}" if lengths else ""
    return f"{clip(problem.id, 100)}: {percent(problem.rate)}; {kinds}{told}"


def _median(ordered: Sequence[int]) -> float:
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def problem_table(card: Scorecard) -> Html:
    """The hardest problems first, those without a decided sample on top; folded."""
    hardest = list(reversed(card.problems))[:NUM_LISTED]
    if not hardest:
        return join([])
    head = ("Problem", "Solve rate", *(kind.capitalize() for kind in KINDS), "Tokens, median", "shortest", "longest")
    rows = []
    for problem in hardest:
        lengths = problem.tokens
        ends = [count(_median(lengths)), count(lengths[0]), count(lengths[-1])] if lengths else [MISSING] * 3
        numbers = [count(problem.kinds.get(kind, 0)) for kind in KINDS]
        rows.append([clip(problem.id, 80), percent(problem.rate), *numbers, *ends])
    all_of = len(card.problems)
    title = f"Every problem: {all_of}" if all_of <= NUM_LISTED else f"The hardest {NUM_LISTED} of {all_of} problems"
    return folded(title, grid(head, rows))
