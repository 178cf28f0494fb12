"""Curves of stages of one name over one another: a line for each run, of several seeds their mean with a band."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from etalon.report.charts.curves import overlaid, seeded, series
from etalon.report.charts.draw import Point
from etalon.report.files import Step
from etalon.report.html import Html, folded, join, section, tag
from etalon.report.read import Number
from etalon.report.several.entries import Group

MOST_OPEN = 4  # (ours) stages whose curves are not folded away


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What a stage logs at each step. top: the end of its axis, None: where its largest value is."""

    title: str
    unit: str
    value: Callable[[Step], Number]
    top: float | None = None
    is_share: bool = False


OF_RL = (
    Measure(title="Train accuracy", unit="Pass@1 of rollouts", value=lambda s: s.accuracy, top=1.0, is_share=True),
    Measure(title="Length", unit="tokens", value=lambda s: s.mean_tokens),
    Measure(title="Entropy", unit="nats", value=lambda s: s.entropy),
    Measure(title="Truncated rollouts", unit="share", value=lambda s: s.truncated, is_share=True),
)
OF_TEXTS = (Measure(title="Loss", unit="nats per token", value=lambda s: s.loss),)


def curve_section(groups: Sequence[Group]) -> Html:
    """The stages that more than one run logged steps of, in the order of the recipe."""
    parts = []
    names = _names(groups)
    same = [name for name in names if _is_same(name, groups)]
    for name in names:
        if name in same:
            continue
        charts = [chart for measure in (*OF_RL, *OF_TEXTS) if (chart := _chart(measure, name, groups))]
        if charts:
            parts.append((name, tag("div", *charts, class_="charts")))
    lead = (
        "Smoothed over about an eighth of the steps. Where a recipe has several seeds, the line is their mean and the "
        "band its 95% interval over seeds."
    )
    note = [tag("p", f"The very same steps in all of them: {', '.join(same)}.", class_="note")] if same else []
    shown = [join([tag("h3", name), charts]) for name, charts in parts[:MOST_OPEN]]
    shown += [folded(name, charts) for name, charts in parts[MOST_OPEN:]]
    return section("curves", "Curves", lead, *shown, *note) if shown or note else join([])


def _names(groups: Sequence[Group]) -> list[str]:
    """Reinforcement learning first: it is what runs differ by most often."""
    counts: dict[str, int] = {}
    learns: set[str] = set()
    for member in (member for group in groups for member in group.members):
        for folder in member.run.folders:
            if folder.steps:
                counts[folder.name] = counts.get(folder.name, 0) + 1
            if any(step.accuracy is not None for step in folder.steps):
                learns.add(folder.name)
    shared = [name for name, num in counts.items() if num > 1]
    return [name for name in shared if name in learns] + [name for name in shared if name not in learns]


def _is_same(name: str, groups: Sequence[Group]) -> bool:
    """A stage that one run took from another, or trained alike: its curves would lie on one another."""
    members = [member for group in groups for member in group.members]
    steps = [folder.steps for member in members for folder in member.run.folders if folder.name == name]
    return all(one == steps[0] for one in steps)


def _chart(measure: Measure, name: str, groups: Sequence[Group]) -> Html:
    found = [(group.letter, _points(measure, name, group)) for group in groups]
    if not any(seeds for _, seeds in found) or (measure in OF_TEXTS and _is_of_rl(name, groups)):
        return join([])
    axes = ("step", measure.unit)
    if all(len(seeds) < 2 for _, seeds in found):
        lines = [(letter, seeds[0] if seeds else []) for letter, seeds in found]
        return overlaid(measure.title, lines, axes, top=measure.top, is_share=measure.is_share)
    return seeded(measure.title, found, axes, top=measure.top, is_share=measure.is_share)


def _points(measure: Measure, name: str, group: Group) -> list[list[Point]]:
    folders = [folder for member in group.members for folder in member.run.folders if folder.name == name]
    return [points for folder in folders if (points := series(folder.steps, measure.value))]


def _is_of_rl(name: str, groups: Sequence[Group]) -> bool:
    """The loss of an RL step says nothing: the policy is its own reference."""
    return any(
        step.accuracy is not None
        for group in groups
        for member in group.members
        for folder in member.run.folders
        if folder.name == name
        for step in folder.steps[:1]
    )
