"""The charts of a funnel: records through the steps with what each lost, and pairs of bars before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from etalon.data.funnel.chains import Chain
from etalon.data.funnel.reading import StepReport, lost
from etalon.report.charts.draw import WIDTH, box, drawing, label
from etalon.report.data.tables import Bar, outside
from etalon.report.html import Html, count, percent, tag

FLOW_WIDTH, LEFT, RIGHT = 1000.0, 230.0, 720.0  # of the drawing; the bars lie between LEFT and RIGHT
BAR, GAP, BRANCH, APART = 12.0, 26.0, 17.0, 16.0
LEAST = 1.2  # of a branch that would be too thin to see
MOST_LETTERS = 24


@dataclass(frozen=True, kw_only=True)
class Branch:
    """Records that a step does not pass on."""

    name: str
    records: int


def branches(step: StepReport) -> tuple[Branch, ...]:
    """What a step lost, by gate where its gates count records: where what they stopped comes to what is missing."""
    missing = step.before.total.records - step.after.total.records
    if missing <= 0:
        return ()
    stopped = [Branch(name=gate.gate, records=lost(gate)) for gate in step.gates if lost(gate)]
    if sum(branch.records for branch in stopped) == missing:
        return tuple(stopped)
    return (Branch(name=step.step, records=missing),)


def flow(chain: Chain, title: str) -> Html:
    """Every step from the records it took down to those it gave; what it lost leaves to the right."""
    most = max((n for s in chain.steps for n in (s.before.total.records, s.after.total.records)), default=0) or 1
    parts: list[Html] = []
    top, previous = 6.0, ""
    for step in chain.steps:
        before, after = step.before.total.records, step.after.total.records
        if chain.sources[step.place] != (previous,):
            top += APART if parts else 0.0
            parts += _level(top, _taken(step, chain), before, before / most, style="")
            top += BAR
        lines = branches(step)
        height = max(GAP, BRANCH * len(lines) + 8)
        parts += _step(top, height, before / most, after / most, lines, most)
        top += height
        parts += _level(top, step.step, after, after / most, before=before)
        top += BAR
        previous = step.place
    return drawing(title, top + 6.0, *parts, width=FLOW_WIDTH, style="chart flow")


def _x(share: float) -> float:
    return LEFT + share * (RIGHT - LEFT)


def _taken(step: StepReport, chain: Chain) -> str:
    """What a step that follows none in the drawing took."""
    return ", ".join([*chain.sources[step.place], *outside(step, chain)])


def _level(top: float, name: str, records: int, share: float, *, before: int = 0, style: str = "clear") -> list[Html]:
    """A bar with its name and number at the left."""
    shown = name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1]}…"
    gained = f" (+{count(records - before)})" if 0 < before < records else ""
    return [
        box(LEFT, top, max(share * (RIGHT - LEFT), LEAST), BAR, "bar", f"{name}: {count(records)}{gained} records"),
        label(shown, 0.0, top + 10, style),
        label(f"{count(records)}{gained}", LEFT - 10, top + 10, "name", "end"),
    ]


def _step(top: float, height: float, before: float, after: float, lines: Sequence[Branch], most: int) -> list[Html]:
    """What is kept between two bars, and a branch for each that is lost, the first one outermost."""
    low, high = top, top + height
    kept = min(before, after)
    middle = (low + high) / 2
    shape = f"M{LEFT:.1f},{low:.1f}L{_x(kept):.1f},{low:.1f}"
    shape += (
        f"C{_x(kept):.1f},{middle:.1f} {_x(after):.1f},{middle:.1f} {_x(after):.1f},{high:.1f}L{LEFT:.1f},{high:.1f}Z"
    )
    parts = [tag("path", d=shape, class_="kept")]
    edge = before
    for place, branch in enumerate(lines):
        share = branch.records / most
        end = low + 9.0 + BRANCH * place
        told = f"{branch.name}: {count(branch.records)} ({percent(share / before if before else None)})"
        parts.append(_branch(_x(edge - share), _x(edge), low, end, f"lost to {told}"))
        parts.append(label(told, RIGHT + 42, end + 4, "lost-name"))
        edge -= share
    return parts


def _branch(start: float, stop: float, top: float, end: float, said: str) -> Html:
    """A band that leaves a bar downwards and runs out to the right at the height `end`."""
    stop = max(stop, start + LEAST)
    thick = min(stop - start, BRANCH - 5) / 2
    out, low, high = RIGHT + 36, f"{end + thick:.1f}", f"{end - thick:.1f}"
    shape = f"M{start:.1f},{top:.1f}C{start:.1f},{low} {start:.1f},{low} {out:.1f},{low}"
    shape += f"L{out:.1f},{high}C{stop:.1f},{high} {stop:.1f},{high} {stop:.1f},{top:.1f}Z"
    return tag("path", tag("title", said), d=shape, class_="lost")


def pairs(title: str, bars: Sequence[Bar]) -> Html:
    """Named lines with two bars each, before and after, and both numbers at the right."""
    left, right, pitch = 112.0, 268.0, 24.0
    most = max(max(bar.before, bar.after) for bar in bars) or 1
    parts: list[Html] = []
    for place, bar in enumerate(bars):
        top = pitch * place + 4
        for number, shift, style in ((bar.before, 0.0, "before"), (bar.after, 9.0, "bar")):
            width = (right - left) * number / most
            said = f"{bar.name}, {'before' if style == 'before' else 'after'}: {count(number)}"
            parts.append(box(left, top + shift, max(width, LEAST) if number else 0.0, 8.0, style, said))
        parts.append(label(bar.name, left - 8, top + 12, "tick", "end"))
        parts.append(label(f"{count(bar.before)} → {count(bar.after)}", WIDTH, top + 12, "tick", "end"))
    return drawing(title, pitch * len(bars) + 8, *parts)
