"""The result on the terminal and as Markdown: a row per size, what it costs, and the conclusion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from etalon.studies.compression.verdict import amount

WIDTH = 100  # of a pipe
CAPTION = (
    "Body: parameters without embeddings. Reasoning, and each domain: accuracy on held-out problems, greedy, in "
    "percent, with its 95% interval over seeds and problems. Facts: share written exactly, in percent. Kbit: the most "
    "bits that a size stored, in thousands, and per parameter."
)


def print_result(result: Mapping[str, Any], console: Console | None = None) -> None:
    """Table and conclusion on stdout; a pipe gets 100 columns."""
    console = console or Console()
    if not console.is_terminal:
        console.width = WIDTH
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, caption=CAPTION, caption_justify="left", min_width=60)
    for place, name in enumerate(head(result)):
        table.add_column(name, justify="left" if place == 0 else "right", overflow="fold")
    for row in rows(result):
        table.add_row(*map(Text, row))
    console.print(table)
    for line in remarks(result):
        console.print(Text(line), soft_wrap=True)


def markdown(result: Mapping[str, Any]) -> str:
    """The same for a document."""
    names = head(result)
    lines = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows(result)]
    return "\n".join([*lines, "", CAPTION, "", *(f"- {line}" for line in remarks(result))])


def head(result: Mapping[str, Any]) -> list[str]:
    """The names of the columns."""
    domains = [series["name"] for series in result["reasoning"] if " " not in series["name"]]
    recalls = [f"{one['facts']:,} facts" for one in result["facts"]]
    return ["Parameters", "body", "reasoning", *domains, *recalls, "kbit", "bits/p"]


def rows(result: Mapping[str, Any]) -> list[list[str]]:
    """A row per size, from the smallest."""
    by_name = {series["name"]: series["points"] for series in result["reasoning"]}
    domains = [name for name in by_name if " " not in name]
    found = []
    for place, size in enumerate(result["sizes"]):
        stored = result["stored"]["points"][place]
        found.append([
            f"{size['all']:,}", f"{size['body']:,}", _percent(by_name["all domains"][place]),
            *(f"{100 * by_name[name][place]['mean']:.1f}" for name in domains),
            *(f"{100 * one['points'][place]['recall']:.1f}" for one in result["facts"]),
            f"{stored['bits'] / 1000:.1f}",
            f"{stored['per_all']:.2f}",
        ])  # fmt: skip
    return found


def _percent(point: Mapping[str, float]) -> str:
    return f"{100 * point['mean']:.1f} [{100 * point['low']:.1f}, {100 * point['high']:.1f}]"


def remarks(result: Mapping[str, Any]) -> Iterator[str]:
    """Where each domain and number of facts is reached, what a larger machine would add, and the conclusion."""
    for series in result["reasoning"]:
        if not series["name"][-1].isdigit():  # levels are on the page
            yield f"{series['name']}: {plateau(series['curve']['all'])}"
    for one in result["needed"]:
        yield f"{one['facts']:,} facts: 90% recalled with {size_of(one['all'])} parameters"
    growth = result["stored"]["growth"]["all"]["overall"]
    if growth:
        yield f"bits stored grow as parameters^{growth['value']:.2f} [{growth['low']:.2f}, {growth['high']:.2f}]"
    yield from (larger(one) for one in result["larger"])
    yield f"Conclusion: {result['verdict']['sentence']}"
    yield f"Counted without embeddings: {result['verdict']['without_embeddings']['state']}"


def plateau(curve: Mapping[str, Any]) -> str:
    """The size at 90% of a plateau, in words."""
    if curve["state"] == "not learned":
        return "not learned by any size"
    words = f"90% of its plateau of {curve['top']:.2f} with {size_of(curve['near_plateau'])} parameters"
    return words if curve["state"] == "reached" else f"{words}: {curve['state']}"


def size_of(estimate: Mapping[str, float | None]) -> str:
    """A size with its interval; null is beyond the sizes that were tried."""
    value, low, high = (amount(float("inf") if one is None else one) for one in estimate.values())
    return f"{value} [{low}, {high}]"


def larger(one: Mapping[str, Any]) -> str:
    """What a model of another order of magnitude would cost."""
    hours = one["reasoning_hours"] + one["facts_hours"]
    return (
        f"{one['factor']} times larger: {amount(one['all'])} parameters and {one['facts']:,} facts, at least "
        f"{_small(hours)} hours of an {one['gpu'].upper()} (${_small(one['dollars'])}) a seed"
    )


def _small(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}"
