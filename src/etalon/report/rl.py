"""RL phases: accuracy and length along the steps, p(q) under MGPO's weight, and Long2Short's trade."""

from __future__ import annotations

import math

from etalon.report import svg
from etalon.report.files import Folder, Run
from etalon.report.html import Html, count, figure, folded, join, percent, section, tag
from etalon.report.stages import scored
from etalon.report.training import curves, series, smooth
from etalon.stats import accuracy_histogram


def entropy_weight(accuracy: float, gamma: float) -> float:
    """w(q) = exp(-gamma D_ME(p || 1/2)) of MGPO (2.2), written out here so that a report needs no training code."""
    terms = [p * math.log(2 * p) for p in (accuracy, 1 - accuracy) if p > 0]
    return math.exp(-gamma * math.fsum(terms))


def rl_section(run: Run) -> Html:
    folders = [f for f in run.folders if f.pool or any(step.accuracy is not None for step in f.steps)]
    lead = (
        "Train accuracy is Pass@1 of the rollouts that are learnt from, length their mean in tokens. The histogram is "
        "p(q), the accuracy of each group: MGPO weighs a group most where the model is of two minds (2.2)."
    )
    parts = [_phase(run, folder) for folder in folders]
    return section("rl", "Reinforcement learning", lead, *parts) if folders else join([])


def _phase(run: Run, folder: Folder) -> Html:
    steps = folder.steps
    lengths = [
        ("all", "c0", series(steps, lambda s: s.mean_tokens)),
        ("correct", "c1", series(steps, lambda s: s.correct_tokens)),
    ]
    charts = [
        curves("Train accuracy", [("", "c0", series(steps, lambda s: s.accuracy))], "Pass@1 of rollouts", 1.0),
        curves("Length", lengths, "tokens"),
        _accuracy_chart(run, folder),
        _frontier(run, folder) if folder.name == "rl-long2short" else join([]),
    ]
    stability = [
        curves("Gradient norm", [("", "c2", series(steps, lambda s: s.grad_norm))], "norm"),
        curves("Mean weight w(q)", [("", "c2", series(steps, lambda s: s.mean_weight))], "weight", 1.0),
        curves("Truncated rollouts", [("", "c3", series(steps, lambda s: s.truncated))], "share"),
    ]
    unfinished = "" if folder.is_done else " (not finished)"
    title = tag("h3", f"{folder.name}{unfinished}")
    charted = tag("div", *charts, class_="charts")
    more = [folded("Stability", tag("div", *stability, class_="charts"))] if any(stability) else []
    return join([title, _phase_facts(folder), charted, *more])


def _phase_facts(folder: Folder) -> Html:
    pool, cut = folder.pool, [step.truncated for step in folder.steps if step.truncated is not None]
    undecided = sum(step.undecided or 0 for step in folder.steps)
    facts = [f"{len(folder.steps)} steps"]
    if pool:
        facts.append(f"{count(pool.kept)} of {count(pool.prompts)} prompts kept")
        facts.append(f"dropped: {count(pool.all_wrong)} all wrong, {count(pool.all_right)} all right")
        facts.append(f"{count(pool.undecided)} undecided prompts")
    facts.append(f"truncated {percent(sum(cut) / len(cut) if cut else None)}")
    facts.append(f"{count(undecided)} undecided rollouts")
    return tag("p", *(tag("span", fact) for fact in facts), class_="facts")


def _accuracy_chart(run: Run, folder: Folder) -> Html:
    trained = [p for step in folder.steps for p in step.accuracies if p is not None and 0 <= p <= 1]
    pool = [p for p in (folder.pool.accuracies if folder.pool else ()) if p is not None and 0 <= p <= 1]
    if not trained and not pool:
        return join([])
    num_bars = run.num_bars
    shares = [[n / max(len(found), 1) for n in accuracy_histogram(found, num_bars)] for found in (trained, pool)]
    edges = [(i - 0.5) / (num_bars - 1) for i in range(num_bars + 1)]
    legend = [("bar", f"{count(len(trained))} groups in training")]
    legend += [("line c2", f"{count(len(pool))} prompts before the filter")] if pool else []
    curve: list[svg.Point] = []
    if run.gamma is not None:
        curve = [(p / 100, entropy_weight(p / 100, run.gamma)) for p in range(101)]
        legend.append(("line c1", f"MGPO weight, γ = {run.gamma:g}"))
    title = "Accuracy of groups p(q)"
    outline = shares[1] if pool else ()
    chart = svg.histogram(title, edges, shares[0], ("p(q)", "share of groups"), outline=outline, curve=curve)
    return figure(title, chart, legend=legend)


def _frontier(run: Run, folder: Folder) -> Html:
    """Long2Short: accuracy against the length of correct answers, in training and on the held-out problems."""
    lengths = smooth(series(folder.steps, lambda s: s.correct_tokens))
    accuracies = dict(smooth(series(folder.steps, lambda s: s.accuracy)))
    path = [(length, accuracies[step]) for step, length in lengths if step in accuracies]
    lines = scored(run, "math")
    at = next((i for i, (stage, _) in enumerate(lines) if stage.name == folder.name), 0)
    points = [(s.correct_tokens, s.pass1) for _, s in lines[max(at - 1, 0) : at + 1]] if at else []
    marks = [
        svg.Mark(point=(x, y), label=words, style="c1")
        for (x, y), words in zip(points, ("before", "after"), strict=False)
        if x is not None and y is not None
    ]
    if not path and not marks:
        return join([])
    title = "Length against accuracy"
    shown = [svg.Line(label="", points=path, style="c0")] if path else []
    chart = svg.line_chart(title, shown, ("tokens of correct answers", "accuracy"), marks=marks)
    legend = [("line c0", "training, step by step"), ("ring c1", "held-out problems")]
    return figure(title, chart, "Up and to the left is better.", legend=legend)
