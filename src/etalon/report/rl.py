"""RL phases: accuracy and length along the steps, p(q) under MGPO's weight, and Long2Short's trade."""

from __future__ import annotations

from etalon.report.charts import draw, svg
from etalon.report.charts.curves import curves, series, smooth
from etalon.report.charts.phases import levels_chart
from etalon.report.files import Folder, Run, Score
from etalon.report.html import Html, count, figure, folded, join, percent, section, tag
from etalon.report.stages import before, domains
from etalon.report.training import is_rl
from etalon.rl.mgpo import entropy_weight
from etalon.stats import accuracy_histogram


def rl_section(run: Run) -> Html:
    folders = [folder for folder in run.folders if is_rl(folder)]
    lead = (
        "Train accuracy is Pass@1 of the rollouts that are learnt from, length their mean in tokens. The histogram is "
        "p(q), the accuracy of each group: MGPO weighs a group most where the model is of two minds (2.2). The loss of "
        "a step on its own rollouts is 0 up to rounding, whatever is learned; it is with the other signs of stability."
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
        curves(
            "Train accuracy",
            [("", "c0", series(steps, lambda s: s.accuracy))],
            "Pass@1 of rollouts",
            1.0,
            is_share=True,
        ),
        curves("Length", lengths, "tokens"),
        levels_chart(folder),
        accuracy_chart(folder),
        curves("Entropy of rollouts", [("", "c2", series(steps, lambda s: s.entropy))], "nats per token"),
        _truncation(folder),
        _frontier(run, folder) if folder.inputs.keys.strength else join([]),
    ]
    stability = [
        curves("Loss", [("", "c2", series(steps, lambda s: s.loss))], "loss"),
        curves("Gradient norm", [("", "c2", series(steps, lambda s: s.grad_norm))], "norm"),
        curves("Mean weight w(q)", [("", "c2", series(steps, lambda s: s.mean_weight))], "weight", 1.0),
    ]
    unfinished = "" if folder.is_done else " (not finished)"
    title = tag("h3", f"{folder.name}{unfinished}")
    charted = tag("div", *charts, class_="charts")
    more = [folded("Stability", tag("div", *stability, class_="charts"))] if any(stability) else []
    return join([title, _phase_facts(folder), charted, *more])


def _truncation(folder: Folder) -> Html:
    points = series(folder.steps, lambda step: step.truncated)
    top = max([0.1, *(cut for _, cut in points)])  # one cut rollout in a thousand is not to look like a cliff
    return curves("Truncated rollouts", [("", "c3", points)], "share of rollouts", top, is_share=True)


def _phase_facts(folder: Folder) -> Html:
    pool, keys = folder.pool, folder.inputs.keys
    cut = [step.truncated for step in folder.steps if step.truncated is not None]
    facts = [f"{folder.inputs.purpose} {folder.inputs.said_in}"] if folder.inputs.purpose else []
    facts += [f"from {folder.inputs.source}"] if folder.inputs.source else []
    facts += [f"γ = {keys.gamma:g}"] if keys.gamma is not None else []
    facts += [f"λ = {keys.strength:g}"] if keys.strength else []
    facts.append(f"{len(folder.steps)} steps")
    if pool:
        facts.append(f"{count(pool.kept)} of {count(pool.prompts)} prompts kept")
        if keys.prefilter_attempts == 0:
            facts.append("no prefilter")
        else:
            facts.append(f"dropped: {count(pool.all_wrong)} all wrong, {count(pool.all_right)} all right")
            facts.append(f"{count(pool.undecided)} undecided prompts")
    facts.append(f"truncated {percent(sum(cut) / len(cut) if cut else None)}")
    facts.append(f"{count(sum(step.undecided or 0 for step in folder.steps))} undecided rollouts in its steps")
    return tag("p", *(tag("span", fact) for fact in facts), class_="facts")


def accuracy_chart(folder: Folder) -> Html:
    """The histogram of p(q) in training and before the filter, under the weight w(q) of the phase's own gamma."""
    trained = [p for step in folder.steps for p in step.accuracies if 0 <= p <= 1]
    pool = [p for p in (folder.pool.accuracies if folder.pool else ()) if 0 <= p <= 1]
    if not trained and not pool:
        return join([])
    num_bars, gamma = _num_bars(folder), folder.inputs.keys.gamma
    shares = [[n / max(len(found), 1) for n in accuracy_histogram(found, num_bars)] for found in (trained, pool)]
    edges = [(i - 0.5) / (num_bars - 1) for i in range(num_bars + 1)]
    legend = [("bar", f"{count(len(trained))} groups in training")]
    legend += [("line c2", f"{count(len(pool))} prompts before the filter")] if pool else []
    curve: list[draw.Point] = []
    if gamma is not None and 0 <= gamma < 100:  # a weight of e^-69 at the ends is 0 on any screen
        curve = [(p / 100, entropy_weight(p / 100, gamma)) for p in range(101)]
        legend.append(("line c1", f"MGPO weight, γ = {gamma:g}"))
    title = "Accuracy of groups p(q)"
    outline = shares[1] if pool else ()
    said = [_bar_words(place / (num_bars - 1), shares[0][place], outline[place] if outline else None, gamma)
            for place in range(num_bars)]  # fmt: skip
    names = ("p(q)", "share of groups")
    chart = svg.histogram(title, edges, shares[0], names, outline=outline, curve=curve, said=said, is_share=True)
    return figure(title, chart, legend=legend)


def _bar_words(accuracy: float, trained: float, pooled: float | None, gamma: float | None) -> str:
    """What a bar of the histogram says when it is pointed at."""
    words = [f"p(q) {accuracy:.3g}: {percent(trained)} in training"]
    words += [] if pooled is None else [f"{percent(pooled)} before the filter"]
    words += [f"weight {entropy_weight(accuracy, gamma):.3f}"] if gamma is not None and 0 <= gamma < 100 else []
    return ", ".join(words)


def _num_bars(folder: Folder) -> int:
    """The levels that the accuracy of a group can take: of the smaller group, those in steps or in the prefilter."""
    keys = folder.inputs.keys
    levels = [size for size in (keys.group_size, keys.prefilter_attempts) if size]
    return min(max(int(min(levels)), 4), 20) + 1 if levels else 9


def _frontier(run: Run, folder: Folder) -> Html:
    """Long2Short: accuracy against the length of correct answers, in training and on the held-out problems."""
    lengths = smooth(series(folder.steps, lambda s: s.correct_tokens))
    accuracies = dict(smooth(series(folder.steps, lambda s: s.accuracy)))
    path = [(length, accuracies[step]) for step, length in lengths if step in accuracies]
    marks = _marks(run, folder)
    if not path and not marks:
        return join([])
    title = f"Length against accuracy, λ = {folder.inputs.keys.strength:g}"
    shown = [svg.Line(label="", said="training", points=path, style="c0")] if path else []
    chart = svg.line_chart(title, shown, ("tokens of correct answers", "accuracy"), marks=marks, is_share=True)
    legend = [("line c0", "training, step by step")] if path else []
    legend += [("ring c1", "held-out problems")] if marks else []
    return figure(title, chart, "Up and to the left is better.", legend=legend)


def _marks(run: Run, folder: Folder) -> list[svg.Mark]:
    """Where the held-out problems of each of the phase's domains stood before it and stand after it."""
    row = run.row(folder.name)
    if row is None or row.unchanged:
        return []
    named = folder.inputs.domains or domains(run)
    found: list[tuple[str, Score | None]] = []
    for domain in named:
        about = f"{domain} " if len(named) > 1 else ""
        found += [(f"{about}before", before(run, row, domain)), (f"{about}after", row.domains.get(domain))]
    return [
        svg.Mark(
            point=(score.correct_tokens, score.pass1),
            label=words,
            style="c1",
            said=f"{words}: {percent(score.pass1)}, {count(score.correct_tokens, 1)} tokens",
        )
        for words, score in found
        if score is not None and score.correct_tokens is not None and score.pass1 is not None
    ]
