"""Tables of several runs: what differs, stages in pairs, stages over seeds, CLR side by side.

The numbers of a pair are those of `etalon compare`, in its words; a <data> element has each difference in full.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from etalon.report.charts import svg
from etalon.report.exports.cells import bounds, scored
from etalon.report.html import MISSING, Html, count, folded, grid, join, minus, section, tag
from etalon.report.several import cells
from etalon.report.several.entries import Entry, Group
from etalon.report.several.paired import Paired, SideBySide
from etalon.report.several.seeds import (
    BySeed,
    OverSeeds,
    Place,
    differences_by_seed,
    differences_over,
    over_seeds,
    shares_over,
)
from etalon.show.table import CLR_METHODS
from etalon.stats import Interval, finite

GAIN = "clr_minus_cons_2k"
SHARES = {
    **CLR_METHODS, GAIN: "CLR@K − Cons@2K", "rejected_wrong": "Refuted of wrong answers",
    "rejected_right": "Refuted of right ones",
}  # fmt: skip
COUNTS = {"problems": "Problems", "calls": "Calls", "tokens": "Tokens", "tokens_cons_2k": "Tokens of Cons@2K"}


def knob_section(found: Sequence[SideBySide], names: Sequence[str], *, hidden: Sequence[str] = ()) -> Html:
    """What differs between the first and any other, a column for each; `found` pairs the first with each other.

    hidden: knobs that are told elsewhere.
    """
    knobs = [knob for knob in dict.fromkeys(knob for one in found for knob in one.differs) if knob not in hidden]
    if not knobs:
        return section("differs", "What differs", "Nothing in the recipes differs." if not hidden else "Seeds alone.")
    rows = []
    for knob in knobs:
        shown = cells.value_of(knob)
        first = next(one.differs[knob][0] for one in found if knob in one.differs)
        rows.append([knob, shown(first), *(shown(one.differs.get(knob, (first, first))[1]) for one in found)])
    lead = "Every knob whose value is not the same in all of them; a stage that only some have, as they describe it."
    styles = dict.fromkeys(range(1, len(names) + 1), "words")
    return section("differs", "What differs", lead, grid(["Knob", *names], rows, styles=styles))


# ---- pairs


def pair_table(found: SideBySide) -> Html:
    """Two runs or evaluations, in the words of `etalon compare`."""
    head, rows = cells.table(found)
    shown = [line for place, line in enumerate(found.lines) if not _is_told(found.lines, place)]
    reach = _reach(found.lines)
    column = head.index(cells.DIFFERENCE)
    head.insert(column + 1, "")
    classes = []
    for row, line in zip(rows, shown, strict=True):
        row[column] = minus(row[column])
        row[-1] = minus(row[-1])  # +4 −2 of the problems that moved
        row[column] = _exact(line, row[column])
        row.insert(column + 1, _forest(line, reach))
        classes.append("clear" if line.is_clear and not line.is_same else "")
    return grid(head, rows, classes=classes, styles={1: "left"} if found.of_runs else {})


def others_table(first: str, others: Sequence[tuple[str, SideBySide]]) -> Html:
    """Each of several against the first: a column of scores and one of differences for each."""
    by_place = [{(line.name, line.domain): line for line in found.lines} for _, found in others]
    places = list(dict.fromkeys(place for lines in by_place for place in lines))
    of_runs = all(found.of_runs for _, found in others)
    head = ["Stage", "Domain", first] if of_runs else ["Benchmark", first]
    head += [column for name, _ in others for column in (name, f"{name} − {first} [95%]")]
    rows = []
    above = ""
    for name, domain in places:
        known = [lines[name, domain] for lines in by_place if (name, domain) in lines]
        mine = next((line for line in known if line.a is not None), known[0])
        row = ["" if name == above else name, *([domain] if of_runs else []), cells.score(mine, 0, of_runs=of_runs)]
        for lines in by_place:
            line = lines.get((name, domain))
            row += [MISSING, MISSING] if line is None else _against(line, mine, of_runs=of_runs)
        rows.append(row)
        above = name
    return grid(head, rows, styles={1: "left"} if of_runs else {})


def _against(line: Paired, mine: Paired, *, of_runs: bool) -> list[str]:
    """Score and difference; where the first has another score on the problems of this pair, how many these are."""
    if line.refused:
        return [MISSING, tag("small", f"not compared: {line.refused}", class_="soft")]
    own = "" if line.a == mine.a or line.a is None else f" over {line.problems}"
    words = cells.SAME if line.is_same else minus(cells.difference(line))
    return [minus(cells.score(line, 1, of_runs=of_runs)), join([_exact(line, words), own])]


def _is_told(lines: Sequence[Paired], place: int) -> bool:
    """The row above says of all domains that this stage is the same."""
    return place > 0 and lines[place].is_same and lines[place].name == lines[place - 1].name


def _exact(line: Paired, words: str) -> Html:
    if line.difference is None:
        return tag("span", words)
    return tag("data", tag("span", words, class_="change"), value=repr(line.difference))


def _forest(line: Paired, reach: float) -> Html:
    if line.is_same or line.difference is None or line.low is None or line.high is None:
        return join([])
    return svg.forest(line.difference, line.low, line.high, reach)


def _reach(lines: Sequence[Paired]) -> float:
    known = [abs(end) for line in lines for end in (line.difference, line.low, line.high) if end is not None]
    return max([*known, 0.05])


# ---- seeds


def seeds_section(groups: Sequence[Group]) -> Html:
    """Means over the seeds of every group, and what the groups differ by, seed by seed."""
    found = [over_seeds(group) for group in groups]
    if not any(found):
        return section("seeds", "Over seeds", "No stage of them has been evaluated yet.")
    lead = (
        "Pass@1 in percent, the mean over seeds with its 95% Student t interval over seeds; the change is against the "
        "stage it starts from, taken in every seed."
    )
    parts = [tag("h3", group.told) for group in groups[:1]] if len(groups) == 1 else []
    parts.append(_seeds_table(groups, found))
    for group in groups[1:]:
        by_seed = differences_by_seed(groups[0], group)
        title = tag("h3", f"{group.letter} − {groups[0].letter}, paired by seed and problem")
        parts += [title, _by_seed_table(by_seed)] if by_seed else [title, tag("p", "No seed in common.", class_="note")]
    return section("seeds", "Over seeds", lead, *parts)


def _seeds_table(groups: Sequence[Group], found: Sequence[Mapping[Place, OverSeeds]]) -> Html:
    places = list(dict.fromkeys(place for own in found for place in own))
    head = ["Stage", "Domain"]
    for group in groups:
        head += [f"{group.letter} [95%]", "Change [95%]", "Seeds"]
    rows = []
    above = ""
    for name, domain in places:
        row: list[str] = ["" if name == above else name, domain]
        for own in found:
            row += _seed_cells(own.get((name, domain)))
        rows.append(row)
        above = name
    return grid(head, rows, styles={1: "left"})


def _seed_cells(one: OverSeeds | None) -> list[str]:
    if one is None:
        return [MISSING] * 3
    change = MISSING if one.change is None else _signed(one.change)
    return [_value(one.score, scored(one.score.mean, *_ends(one.score))), change, str(one.seeds)]


def _by_seed_table(found: Mapping[Place, BySeed]) -> Html:
    rows = []
    above = ""
    for (name, domain), one in found.items():
        if not one.is_same:
            rows.append(["" if name == above else name, domain, _signed(one.difference), str(one.seeds)])
        elif name != above:  # one row for all domains
            rows.append([name, "", cells.SAME, str(one.seeds)])
        above = name
    return grid(["Stage", "Domain", cells.DIFFERENCE, "Seeds"], rows, styles={1: "left"})


def _signed(found: Interval) -> Html:
    interval = bounds(*_ends(found), "+")
    star = " *" if found.excludes_zero else ""
    return _value(found, minus(f"{100 * found.mean:+.1f}{f' {interval}' if interval else ''}{star}"))


def _value(found: Interval, words: str) -> Html:
    return tag("data", minus(words), value=repr(found.mean))


def _ends(found: Interval) -> tuple[float | None, float | None]:
    return finite(found.low), finite(found.high)


# ---- CLR


def clr_section(groups: Sequence[Group]) -> Html:
    """What each CLR stage measured, a column for each run or recipe; of several seeds the mean with its interval."""
    named = list(dict.fromkeys(one.name for group in groups for member in group.members for one in member.run.clr))
    parts = []
    for name in named:
        known = [[_measured(member, name) for member in group.members] for group in groups]
        rows = [[words, *(_share(own, key) for own in known)] for key, words in SHARES.items()]
        rows += [[words, *(_count(own, key) for own in known)] for key, words in COUNTS.items()]
        shown = [row for row in rows if any(cell != MISSING for cell in row[1:])]
        head = ["", *(group.letter for group in groups)]
        parts.append(folded(name, grid(head, shown)) if len(named) > 2 else join([tag("h3", name), grid(head, shown)]))
    lead = "Claim-level reliability beside the majority vote, in percent right; of several seeds the mean [95%]."
    return section("clr", "CLR", lead, *parts) if any(parts) else join([])


def _measured(member: Entry, name: str) -> Mapping[str, Any]:
    return next((one.numbers for one in member.run.clr if one.name == name), {})


def _share(own: Sequence[Mapping[str, Any]], key: str) -> str:
    found = [numbers[key] for numbers in own if key in numbers]
    if not found:
        return MISSING
    over = differences_over if key == GAIN else shares_over
    [low, high] = _ends(over(found)) if len(own) > 1 else (own[0].get(f"{key}_low"), own[0].get(f"{key}_high"))
    interval = Interval(
        mean=_mean(found), low=-math.inf if low is None else low, high=math.inf if high is None else high
    )
    return _signed(interval) if key == GAIN else _value(interval, scored(interval.mean, low, high))


def _count(own: Sequence[Mapping[str, Any]], key: str) -> str:
    found = [numbers[key] for numbers in own if key in numbers]
    return count(_mean(found)) if found else MISSING


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
