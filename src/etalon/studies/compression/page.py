"""report.html of the study: the answer, accuracy and bits over model size with their fits, and what lies behind."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etalon.report.charts import draw, svg
from etalon.report.html import CHARTS, Html, count, document, duration, figure, folded, grid, section, tag
from etalon.store import write_atomic
from etalon.studies.compression import table
from etalon.studies.compression.curves import Saturating
from etalon.studies.compression.verdict import amount

PAGE = "report.html"
HEIGHT = 250.0
FIT_POINTS = 40  # of a drawn curve
Series = Mapping[str, Any]
COLOURS = ("c0", "c1", "c2", "c3")


@dataclass(frozen=True, kw_only=True)
class Dots:
    """Values over sizes. points: (parameters, value, low, high); curve: a fit, or what joins them; label: at end."""

    label: str
    points: Sequence[tuple[float, float, float, float]]
    curve: Sequence[tuple[float, float]] = ()
    style: str = "c0"


def write_page(directory: Path, result: Series) -> Path:
    """Write DIR/report.html and return its path."""
    path = directory / PAGE
    write_atomic(path, page(result))
    return path


def page(result: Series) -> str:
    """The whole document."""
    head = [
        tag("h1", "Does reasoning fit into few parameters, while facts need ever more?"),
        tag("p", *(tag("span", fact) for fact in _facts(result)), class_="facts"),
        tag("p", tag("b", "What it comes to: "), result["verdict"]["sentence"]),
        tag("p", f"Counted without embeddings: {result['verdict']['without_embeddings']['sentence']}", class_="note"),
    ]
    body = tag("body", tag("header", *head), _reasoning(result), _knowledge(result), _numbers(result), _larger(result))
    return document("Compression and coverage: a study", body, scripts=CHARTS)


def _facts(result: Series) -> list[str]:
    sizes, study = result["sizes"], result["study"]
    return [
        f"{len(sizes)} sizes, {amount(sizes[0]['all'])} to {amount(sizes[-1]['all'])} parameters",
        f"{len(study['seeds'])} seeds",
        f"{result['cells']} models",
        f"{duration(result['seconds'])} of training",
    ]


# ---- the parts


def _reasoning(result: Series) -> Html:
    named = {one["name"]: one for one in result["reasoning"]}
    domains = [name for name in named if " " not in name]
    charts = [_accuracy(result, "Reasoning, all domains", [named["all domains"]]),
              _accuracy(result, "By domain", [named[name] for name in domains])]  # fmt: skip
    levels = [
        _accuracy(result, f"{domain} by level", [one for name, one in named.items() if name.startswith(f"{domain} ")])
        for domain in domains
    ]
    rows = [[one["name"], count(one["problems"]), table.plateau(one["curve"]["all"]),
             table.plateau(one["curve"]["body"])] for one in result["reasoning"]]  # fmt: skip
    curves = [_losses(result, "Loss of reasoning (nats per token)", "reasoning", 0)]
    return section(
        "reasoning", "Reasoning", "Held-out problems of the nano world, answered greedily, after the same tokens of "
        "documents and verified traces for every size. Lines are fits; bars are 95% intervals over seeds and problems.",
        tag("div", *charts, class_="charts"),
        folded("By level", tag("div", *levels, class_="charts")),
        folded("Where each is at 90% of its plateau", grid(["", "problems", "parameters", "without embeddings"], rows)),
        folded("Loss curves", tag("div", *curves, class_="charts")),
    )  # fmt: skip


def _knowledge(result: Series) -> Html:
    recall = []
    for place, one in enumerate(result["facts"]):
        points = [(size["all"], point["recall"], min(point["recalls"]), max(point["recalls"]))
                  for size, point in _with_sizes(result, one["points"])]  # fmt: skip
        joined = [(size, value) for size, value, *_ in points]
        recall.append(Dots(label=f"{one['facts']:,}", points=points, curve=joined, style=COLOURS[place % len(COLOURS)]))
    bits = _bits(result)
    each = result["facts"][0]["bits_each"]
    names = ("parameters", "")
    charts = [
        figure("Facts recalled exactly", chart("Facts recalled", recall, (names[0], "share"), top=1.0),
               "By number of facts; bars from the lowest seed to the highest"),
        figure("Bits stored", chart("Bits stored", bits, (names[0], "bits"), logs=True),
               "The most over all numbers of facts, and the fitted power; dashed: one bit per parameter"),
    ]  # fmt: skip
    rows = [[f"{one['facts']:,}", table.size_of(one["all"]), table.size_of(one["body"])] for one in result["needed"]]
    losses = [_losses(result, f"Loss of {one['facts']:,} facts", "facts", one["facts"]) for one in result["facts"]]
    return section(
        "facts", "Facts", f"Names with values that follow from nothing, {each:.1f} bits each, trained on and asked for "
        "as they are. Bits stored are what does not surprise the model; a fact is recalled when it is written exactly.",
        tag("div", *charts, class_="charts"),
        grid(["facts", "parameters that recall 90%", "without embeddings"], rows),
        folded("Exposures", _exposures(result)),
        folded("Loss curves", tag("div", *losses, class_="charts")),
    )  # fmt: skip


def _bits(result: Series) -> list[Dots]:
    """Bits stored with the power that was fitted, and the line of one bit per parameter."""
    points = [(size["all"], one["bits"], one["low"], one["high"])
              for size, one in _with_sizes(result, result["stored"]["points"])]  # fmt: skip
    growth, sizes = result["stored"]["growth"]["all"], [point[0] for point in points]
    fitted = []
    if growth["constant"] is not None:
        ends = (sizes[0], growth["to"])
        fitted = [(size, growth["constant"] * size ** growth["overall"]["value"]) for size in ends]
    even = [(size, float(size)) for size in (sizes[0], sizes[-1])]
    return [Dots(label="", points=points, curve=fitted), Dots(label="", points=(), curve=even, style="c1 dashed")]


def _exposures(result: Series) -> Html:
    rows = [
        [
            amount(size["all"]),
            *(", ".join(f"{n:.0f}" for n in one["points"][place]["exposures"]) for one in result["facts"]),
        ]
        for place, size in enumerate(result["sizes"])
    ]
    return grid(["parameters", *(f"{one['facts']:,} facts" for one in result["facts"])], rows)


def _numbers(result: Series) -> Html:
    return section("numbers", "Every size", table.CAPTION, grid(table.head(result), table.rows(result)))


def _larger(result: Series) -> Html:
    lines = [tag("li", table.larger(one)) for one in result["larger"]]
    return section(
        "larger", "What a larger machine would add", "More sizes above the largest, and as many more facts, so that no "
        "size knows them all. A floor: computing at the share of a GPU's peak that large models reach, or what "
        "a GPU needs to launch each step.", tag("ul", *lines),
    )  # fmt: skip


def _with_sizes(result: Series, points: Sequence[Any]) -> list[tuple[Any, Any]]:
    return list(zip(result["sizes"], points, strict=True))


def _accuracy(result: Series, title: str, chosen: Sequence[Series]) -> Html:
    low, high = (math.log(result["sizes"][end]["all"]) for end in (0, -1))
    sizes = [math.exp(low + (high - low) * place / FIT_POINTS) for place in range(FIT_POINTS + 1)]
    lines = []
    for place, one in enumerate(chosen):
        fit = one["curve"]["all"]
        curve = Saturating(top=fit["top"], half=fit["half"], steep=fit["steep"])
        points = [(size["all"], point["mean"], point["low"], point["high"])
                  for size, point in _with_sizes(result, one["points"])]  # fmt: skip
        label = one["name"].rpartition(" ")[2] if len(chosen) > 1 else ""
        fitted = [(size, curve.at(size)) for size in sizes]
        lines.append(Dots(label=label, points=points, curve=fitted, style=COLOURS[place % len(COLOURS)]))
    return figure(title, chart(title, lines, ("parameters", "accuracy"), top=1.0))


def _losses(result: Series, title: str, part: str, facts: int) -> Html:
    """The loss of the first seed of every size; the smallest is the faintest colour."""
    own = [one for one in result["losses"] if (one["part"], one["facts"]) == (part, facts)]
    seed = min(one["seed"] for one in own)
    lines = [
        svg.Line(
            label=f"{one['width']}", points=[(step, loss) for step, loss in one["points"]], style=COLOURS[place % 4]
        )
        for place, one in enumerate(sorted((one for one in own if one["seed"] == seed), key=lambda one: one["width"]))
    ]
    return figure(title, svg.line_chart(title, lines, ("step", "nats")), f"By width, seed {seed}")


# ---- the chart


def chart(title: str, lines: Sequence[Dots], names: tuple[str, str], *, top: float = 0.0, logs: bool = False) -> Html:
    """Dots with bars, and fits, over sizes on a logarithmic axis; values on one too where `logs`.

    top: of the values' axis where it is not a logarithm.
    """
    sizes = [size for line in lines for size, *_ in line.points]
    right = draw.WIDTH - 14 - 6.2 * max(len(line.label) for line in lines)
    x = draw.scale(math.log(min(sizes)) - 0.1, math.log(max(sizes)) + 0.1, draw.LEFT, right)
    drawn = [value for line in lines for _, value, *_ in (*line.points, *line.curve) if value > 0]
    low, high = (10.0 ** end(math.log10(pick(drawn or [1.0]))) for end, pick in ((math.floor, min), (math.ceil, max)))
    bottom = HEIGHT - draw.BOTTOM
    scaled = draw.scale(math.log10(low), math.log10(max(high, 10 * low)), bottom, draw.TOP) if logs else draw.scale(
        0.0, top, bottom, draw.TOP
    )  # fmt: skip

    def y(value: float) -> float:
        return scaled(math.log10(max(value, low)) if logs else value)

    y_ticks = (
        [10.0**n for n in range(round(math.log10(low)), round(math.log10(max(high, 10 * low))) + 1)]
        if logs
        else (draw.ticks(0.0, top))
    )
    parts = _frame(x, y, decades(min(sizes), max(sizes)), y_ticks, names, right, bottom)
    ends = draw.spread([y((line.points or line.curve)[-1][1]) for line in lines])
    for line, end in zip(lines, ends, strict=True):
        if line.curve:
            parts.append(draw.path([(x(math.log(size)), y(value)) for size, value in line.curve], f"{line.style} thin"))
        for size, value, least, most in line.points:
            at = x(math.log(size))
            parts += [draw.rule(at, y(least), at, y(most), "span"), _dot(at, y(value), line.style, size, value)]
        parts.append(draw.label(line.label, right + 8, end + 4, line.style))
    return draw.drawing(title, HEIGHT, *parts)


def _dot(x: float, y: float, style: str, size: float, value: float) -> Html:
    words = tag("title", f"{amount(size)} parameters: {f'{value:.3f}' if value <= 1 else f'{value:,.0f}'}")
    return tag("circle", words, cx=x, cy=y, r=3.6, class_=f"dot {style}")


def _frame(
    x: draw.Scale, y: draw.Scale, x_ticks: Sequence[float], y_ticks: Sequence[float], names: tuple[str, str],
    right: float, bottom: float,
) -> list[Html]:  # fmt: skip
    parts = [draw.rule(draw.LEFT, y(tick), right, y(tick), "grid") for tick in y_ticks]
    named = [(amount(t) if t >= 1000 else f"{t:g}", t) for t in y_ticks]
    parts += [draw.label(words, draw.LEFT - 6, y(t) + 3.5, "tick", "end") for words, t in named]
    parts += [draw.label(amount(t), x(math.log(t)), bottom + 14, "tick", "middle") for t in x_ticks]
    parts += [draw.rule(x(math.log(t)), bottom, x(math.log(t)), bottom + 3, "axis") for t in x_ticks]
    return [*parts, draw.rule(draw.LEFT, bottom, right, bottom, "axis"), draw.label(names[1], 2.0, 11.0, "name"),
            draw.label(names[0], right, bottom + 29, "name", "end")]  # fmt: skip


def decades(low: float, high: float) -> list[float]:
    """Round numbers 1, 3, 10, 30, ... between two sizes."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    found = [unit * 10.0**power for power in range(first, last + 1) for unit in (1, 3)]
    return [one for one in found if low * 0.95 <= one <= high * 1.05]
