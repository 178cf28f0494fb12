"""What an RL phase does to its groups: the shares of every level of p(q) over the steps, under MGPO's weight (2.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from etalon.report.charts.curves import series
from etalon.report.charts.draw import BOTTOM, TOP, WIDTH, label, scale, spread_within, written
from etalon.report.charts.svg import stacked
from etalon.report.files import Folder, Step
from etalon.report.html import Html, figure, join, tag
from etalon.rl.mgpo import entropy_weight

MOST_COLUMNS = 24
RIGHT, HEIGHT = WIDTH - 104, 230.0
# levels of p(q): the two ends that carry no signal stand alone; the accuracy at which a level's weight is read
LEVELS = (("0", 0.0), ("to ¼", 0.125), ("to ½", 0.375), ("to ¾", 0.625), ("below 1", 0.875), ("1", 1.0))


def level_of(accuracy: float) -> int:
    """The place in LEVELS: 0 for exactly 0, then (0, 1/4], (1/4, 1/2], (1/2, 3/4], (3/4, 1), and exactly 1."""
    return 0 if accuracy == 0 else len(LEVELS) - 1 if accuracy == 1 else min(max(math.ceil(accuracy * 4), 1), 4)


def levels_chart(folder: Folder) -> Html:
    """Shares of groups at every level of p(q) over the steps; nothing without at least two steps with groups.

    The line over them is the mean weight w(q) of a step's groups; beside each level stands the weight that the gamma of
    the phase gives it.
    """
    steps = [step for step in folder.steps if step.step is not None and step.accuracies]
    if len(steps) < 2:
        return join([])
    size = math.ceil(len(steps) / MOST_COLUMNS)
    columns = [steps[start : start + size] for start in range(0, len(steps), size)]
    shares = [_shares(column) for column in columns]
    first = [float(column[0].step or 0) for column in columns]
    edges = [*first, float(steps[-1].step or 0) + 1]
    layers = [(f"level p{level}", [column[level] for column in shares]) for level in range(len(LEVELS))]
    gamma = folder.inputs.keys.gamma
    is_weighed = gamma is not None and 0 <= gamma < 100
    weights = [entropy_weight(p, gamma) for _, p in LEVELS] if gamma is not None and is_weighed else []
    title = "Groups by accuracy p(q)"
    chart = stacked(
        title,
        edges,
        layers,
        ("step", "share of groups"),
        said=[f"p(q) {name}" + (f" (w {weights[at]:.2f})" if weights else "") for at, (name, _) in enumerate(LEVELS)],
        places=[_called(column) for column in columns],
        curve=_mean_weight(columns) if is_weighed else (),
        right=RIGHT,
        is_share=True,
        beside=_beside(shares[-1], weights),
        height=HEIGHT,
    )
    note = f"w(q) at γ = {gamma:g} beside each level. " if weights else ""
    note += f"A column is {size} steps." if size > 1 else ""
    has_line = any(series(steps, lambda step: step.mean_weight)) and is_weighed
    return figure(title, chart, note, legend=[("line c1", "mean weight w(q), 0 to 1")] if has_line else [])


def _called(column: Sequence[Step]) -> str:
    first, last = column[0].step, column[-1].step
    return f"step {written(first or 0)}" if first == last else f"steps {written(first or 0)} to {written(last or 0)}"


def _shares(column: Sequence[Step]) -> list[float]:
    counts = [0] * len(LEVELS)
    for step in column:
        for accuracy in step.accuracies:
            counts[level_of(accuracy)] += 1
    return [number / sum(counts) for number in counts]


def _mean_weight(columns: Sequence[Sequence[Step]]) -> list[tuple[float, float]]:
    """At the middle of every column; shares and weights both lie in 0..1."""
    found = []
    for column in columns:
        points = series(column, lambda step: step.mean_weight)
        if points:
            middle = (points[0][0] + points[-1][0] + 1) / 2
            found.append((middle, min(max(sum(weight for _, weight in points) / len(points), 0.0), 1.0)))
    return found if len(found) > 1 else []


def _beside(last: Sequence[float], weights: Sequence[float]) -> list[Html]:
    """The name of every level, and its weight, where it ends."""
    y = scale(0.0, 1.0, HEIGHT - BOTTOM, TOP)
    middles, below = [], 0.0
    for share in last:
        middles.append(y(below + share / 2))
        below += share
    # levels without groups end at one height: from the top down, as `spread` leaves what is equal in its order
    heights = spread_within(middles[::-1], TOP + 2, HEIGHT - BOTTOM)[::-1]
    rows = [label("p(q)", RIGHT + 20, 11.0, "name"), *([label("w(q)", WIDTH, 11.0, "name", "end")] if weights else [])]
    for at, ((name, _), height) in enumerate(zip(LEVELS, heights, strict=True)):
        swatch = tag("rect", x=RIGHT + 8, y=height - 4, width=8.0, height=8.0, class_=f"level p{at}")
        rows += [swatch, label(name, RIGHT + 20, height + 4, "tick")]
        rows += [label(f"{weights[at]:.2f}", WIDTH, height + 4, "tick", "end")] if weights else []
    return rows
