"""The page of a run of reinforcement learning that another trainer made, from the rollouts it wrote.

write_rollouts(path): files of TRL or verl -> Log -> periods -> charts, a table, a browser -> one file
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from etalon.errors import InputError
from etalon.report.charts.curves import curves, series, smooth, thinned
from etalon.report.charts.draw import written
from etalon.report.charts.phases import levels_chart
from etalon.report.charts.svg import Line, line_chart
from etalon.report.elsewhere.reading import LAYOUTS, Written, files_at, read_written
from etalon.report.elsewhere.rollouts import Log, Measure, Period, Seen, measure_of, periods, read_log
from etalon.report.files import Folder, Inputs, Selection
from etalon.report.html import CHARTS, MISSING, Html, count, document, figure, grid, join, minus, percent, section, tag
from etalon.report.rl import accuracy_chart
from etalon.report.transcripts import SCRIPTS, browser
from etalon.report.transcripts.rows import Answers, Question
from etalon.store import write_atomic

MOST_ROWS = 12  # (ours) of the table of steps
MOST_STEPS = 12  # (ours) whose rollouts can be read
MOST_GROUPS = 24  # (ours) of one of them
MOST_COLUMNS = 6  # (ours) of rewards that have a chart of their own
RARE = 0.01  # (ours) share of rollouts below which the highest reward is no measure of what is right

__all__ = ["files_at", "write_rollouts"]


def write_rollouts(path: Path, file: Path | None = None, *, reward: str = "") -> Path:
    """Write the page of a directory or file of rollouts and return its path.

    file: left out, `report-NAME.html` in the working directory. reward: the column that says what is right.
    Raises InputError for what holds none.
    """
    files = files_at(path)
    if not files:
        raise InputError(f"{path}: has no rollouts: neither {LAYOUTS}")
    log = read_log(files)
    measure = measure_of(log, reward)
    name = path.resolve().name
    page = file or Path(f"report-{name.partition('.')[0]}.html")
    write_atomic(page, _page(name, log, measure))
    return page


def _page(name: str, log: Log, measure: Measure) -> str:
    steps = periods(log, measure)
    notes = [tag("p", "Left out: ", "; ".join(log.notes), ".", class_="note")] if log.notes else []
    head = tag(
        "header", tag("h1", name), tag("p", *(tag("span", fact) for fact in _facts(log, steps)), class_="facts"), *notes
    )
    body = tag("body", head, _training(log, measure, steps), _table(log, measure), _reading(log, measure))
    return document(f"{name}: rollouts of {log.kind}", body, scripts=(*CHARTS, *SCRIPTS))


def _facts(log: Log, steps: Sequence[Period]) -> Iterator[str]:
    yield f"written by {log.kind}"
    yield f"{count(len(log.seen))} rollouts"
    yield f"{count(len(steps))} steps: {steps[0].first} to {steps[-1].last}"
    yield f"{count(len({one.prompt for one in log.seen}))} different prompts"
    yield f"{count(sum(len(step.accuracies) for step in steps))} groups"
    undecided = sum(step.undecided for step in steps)
    yield f"{count(undecided)} rollouts without a reward"


def _training(log: Log, measure: Measure, steps: Sequence[Period]) -> Html:
    folder = _folder(steps)
    known = folder.steps
    own = log.columns[:MOST_COLUMNS] if len(log.columns) > 1 else ()
    is_sum = len(measure.columns) > 1
    charts = [
        curves("Accuracy", [("", "c0", series(known, lambda s: s.accuracy))], "share of rollouts", 1.0, is_share=True),
        *([] if own and not is_sum else [_lines("Mean reward", [(step.first, step.reward) for step in steps])]),
        curves("Length", [("", "c0", series(known, lambda s: s.mean_tokens))], f"{log.unit} of a response"),
        levels_chart(folder),
        accuracy_chart(folder),
        _signal(steps),
        curves(
            "Truncated", [("", "c3", series(known, lambda s: s.truncated))], "share of rollouts", 1.0, is_share=True
        ),
    ]
    charts += [_lines(f"Mean {name}", [(step.first, step.rewards[name]) for step in steps]) for name in own]
    return section("rl", "Reinforcement learning", _lead(log, measure, steps), tag("div", *charts, class_="charts"))


def _lead(log: Log, measure: Measure, steps: Sequence[Period]) -> str:
    """What is right, in which unit, and what these files do not tell."""
    named = " + ".join(measure.columns)
    only = "" if measure.values > 1 else " (every rollout has the same)"
    said = [f"Accuracy is the share of rollouts at the highest {named} in these files, {written(measure.top)}{only}."]
    if measure.values > 2:
        said.append(
            f"It takes {count(measure.values)} values, {percent(measure.at_top)} of the rollouts have the highest."
        )
    if len(measure.columns) > 1:
        said.append("The files do not have the weights of the reward functions: they are added as they are.")
    if measure.values > 2 and measure.at_top < RARE:
        said.append("So few say little; look at the mean reward, or name another column with --reward.")
    if log.unit == "characters":
        said.append("Lengths are characters: the files do not count tokens.")
    if all(step.cut is None for step in steps):
        said.append("They do not tell which responses were truncated.")
    has_groups = any(step.accuracies for step in steps)
    said.append(
        "p(q) is the accuracy of a group, the rollouts of one prompt at one step."
        if has_groups
        else "No prompt has two rollouts at one step: there are no groups."
    )
    return " ".join(said)


def _lines(title: str, points: Sequence[tuple[int, float | None]]) -> Html:
    """A reward over the steps, which may be below 0; nothing without a point."""
    known = thinned([(float(step), value) for step, value in points if value is not None])
    if not known:
        return join([])
    shown = [Line(label="", said=title, points=known, style="c2 faint")]
    shown.append(Line(label="", said=f"{title} smoothed", points=smooth(known), style="c2"))
    return figure(title, line_chart(title, shown, ("step", "reward")))


def _signal(steps: Sequence[Period]) -> Html:
    """Groups that teach nothing, over the steps."""
    lines = [
        Line(label=words, points=smooth(thinned(points)), style=style)
        for words, style, points in (
            ("all right", "c2", [(float(s.first), s.all_right) for s in steps if s.all_right is not None]),
            ("all wrong", "c1 dashed", [(float(s.first), s.all_wrong) for s in steps if s.all_wrong is not None]),
            ("all alike", "c3 dotted", [(float(s.first), s.alike) for s in steps if s.alike is not None]),
        )
        if points
    ]
    title = "Groups without a signal"
    note = "Alike: the same reward in the whole group, so that its advantages are 0 and it teaches nothing."
    if not lines:
        return join([])
    return figure(title, line_chart(title, lines, ("step", "groups"), y_range=(0.0, 1.0), is_share=True), note)


def _folder(steps: Sequence[Period]) -> Folder:
    """The steps as those of a phase of ours, for its charts; neither gamma nor the size of a group is known."""
    return Folder(
        name="",
        inputs=Inputs.model_validate({}),
        is_done=True,
        seconds=None,
        skipped="",
        steps=tuple(step.as_step() for step in steps),
        pool=None,
        probe=None,
        selection=Selection.model_validate({}),
        counts={},
        gates=(),
        strata=(),
    )


# ---- numbers


def _table(log: Log, measure: Measure) -> Html:
    found = periods(log, measure, num=MOST_ROWS)
    head = [
        "Steps",
        "Rollouts",
        "Accuracy",
        "Mean reward",
        f"Length ({log.unit})",
        "Truncated",
        "All right",
        "All wrong",
        "All alike",
    ]
    rows = [
        [
            f"{one.first}" if one.first == one.last else f"{one.first} to {one.last}",
            count(one.rollouts),
            percent(one.accuracy),
            MISSING if one.reward is None else minus(f"{one.reward:.3f}"),
            count(one.length, 1),
            percent(one.cut),
            percent(one.all_right),
            percent(one.all_wrong),
            percent(one.alike),
        ]
        for one in found
    ]
    return section(
        "steps", "Steps", "Means over the rollouts of some steps, and shares of their groups.", grid(head, rows)
    )


# ---- rollouts to read


def _reading(log: Log, measure: Measure) -> Html:
    """The browser over some groups of some steps, spread evenly over all."""
    chosen = _chosen(log)
    numbers = {
        prompt: f"prompt {place}" for place, prompt in enumerate(dict.fromkeys(one.prompt for one in log.seen), 1)
    }
    asked: dict[str, Question] = {}
    rollouts: dict[tuple[int, bytes], list[dict[str, Any]]] = {}
    ids: dict[tuple[int, bytes], str] = {}
    for one, told in _texts(log, chosen):
        key = (one.step, one.group)
        ids[key] = numbers[one.prompt]
        question = {"id": ids[key], "domain": log.kind, "prompt": told.prompt, "answer": told.reference}
        asked.setdefault(ids[key], Question.model_validate(question))
        rollouts.setdefault(key, []).append(_rollout(log, measure, one, told))
    answers = [
        Answers(stage="training", step=step, problem_id=ids[step, group], rollouts=own)
        for (step, group), own in rollouts.items()
    ]
    rest = len(log.seen) - len(chosen)
    left_out = [f"{count(rest)} rollouts of other steps and groups"] if rest else []
    shown = browser(asked, answers, left_out=left_out, unit=log.unit)
    return section("transcripts", "Rollouts to read", "Right is the highest reward, as above.", shown)


def _chosen(log: Log) -> dict[tuple[int, int], Seen]:
    """By place, the rollouts of the first groups of some steps."""
    steps = sorted({one.step for one in log.seen})
    num = min(len(steps), MOST_STEPS)
    kept = {steps[round(at * (len(steps) - 1) / max(num - 1, 1))] for at in range(num)}
    groups: dict[int, dict[bytes, None]] = {}
    chosen = {}
    for one in log.seen:
        if one.step in kept:
            own = groups.setdefault(one.step, {})
            if one.group in own or len(own) < MOST_GROUPS:
                own[one.group] = None
                chosen[one.place] = one
    return chosen


def _texts(log: Log, chosen: Mapping[tuple[int, int], Seen]) -> Iterator[tuple[Seen, Written]]:
    """The chosen rollouts with their texts, from the files that have any of them."""
    for at in sorted({file for file, _ in chosen}):
        for place, (_, _, told) in enumerate(read_written(log.files[at])):
            if (at, place) in chosen and isinstance(told, Written):
                yield chosen[at, place], told


def _rollout(log: Log, measure: Measure, one: Seen, told: Written) -> dict[str, Any]:
    right = measure.is_right(one)
    rewards = ", ".join(f"{name} {written(value)}" for name, value in one.rewards.items() if name in log.columns)
    advantage = "" if told.advantage is None else f"; advantage {told.advantage:+.2f}"
    return {
        "text": told.text,
        "score": None if right is None else float(right),
        "tokens": log.length(one),
        "stop": "length" if one.is_cut else "eos" if one.is_cut is False else None,
        "reason": f"{rewards or 'no reward'}{advantage}",
    }
