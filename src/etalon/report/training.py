"""Data gates, fine-tuning with its specialists, self-distillation."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

from etalon.report import svg
from etalon.report.files import Bucket, Gate, Probe, Run, Skill, Step
from etalon.report.html import (
    Html,
    clip,
    count,
    figure,
    folded,
    grid,
    join,
    percent,
    section,
    share,
    tag,
)
from etalon.report.read import Number


def series(steps: Iterable[Step], value: Callable[[Step], Number]) -> list[svg.Point]:
    return [(step.step, found) for step in steps if step.step is not None and (found := value(step)) is not None]


def smooth(points: Sequence[svg.Point]) -> list[svg.Point]:
    """A centred moving average over about an eighth of the points."""
    reach = len(points) // 16
    windows = [points[max(0, i - reach) : i + reach + 1] for i in range(len(points))]
    return [(x, sum(y for _, y in window) / len(window)) for (x, _), window in zip(points, windows, strict=True)]


def curves(title: str, named: Sequence[tuple[str, str, list[svg.Point]]], y_name: str, top: Number = None) -> Html:
    """One chart of (label, colour, points): each raw in the background and smoothed in front."""
    known = [(words, colour, points) for words, colour, points in named if points]
    if not known:
        return join([])
    lines = [svg.Line(label="", points=points, style=f"{colour} faint") for _, colour, points in known]
    lines += [svg.Line(label=words, points=smooth(points), style=colour) for words, colour, points in known]
    y_range = (0.0, top or max(y for _, _, points in known for _, y in points))
    return figure(title, svg.line_chart(title, lines, ("step", y_name), y_range=y_range))


# ---- data


def data_section(run: Run) -> Html:
    folders = [folder for folder in run.folders if folder.gates or folder.strata]
    lead = "Three gates, each with what it dropped and why (2.1.1). A gate that drops nothing has not been tested."
    parts: list[Html] = []
    for folder in folders:
        parts.append(
            grid(("Gate", "Kept", "Dropped", "Share dropped", ""), [_gate_cells(gate) for gate in folder.gates])
        )
        parts += [
            folded(f"{gate.gate}: examples of what was dropped", *(_example(e.reason, e.text) for e in gate.examples))
            for gate in folder.gates
            if gate.examples
        ]
        for domain, strata in folder.strata.items():
            edges = [count(edge) for edge in strata.length_edges]
            head = ("Tokens", *(f"difficulty {i + 1}" for i in range(max(map(len, strata.counts), default=0))))
            names = [f"{a} to {b}" for a, b in itertools.pairwise(edges)]
            names += [f"bucket {i + 1}" for i in range(len(names), len(strata.counts))]
            rows = [[name, *map(count, line)] for name, line in zip(names, strata.counts, strict=False)]
            parts.append(folded(f"{domain}: traces by length and difficulty", grid(head, rows)))
    return section("data", "Data", lead, *parts) if folders else join([])


def _gate_cells(gate: Gate) -> list[str]:
    reasons = sorted(gate.reasons.items(), key=lambda reason: -(reason[1] or 0))
    words = ", ".join(f"{reason} {count(number)}" for reason, number in reasons) or "no reasons given"
    total = (gate.kept or 0) + (gate.dropped or 0)
    dropped = (gate.dropped or 0) / total if total else None
    name = join([gate.gate, " ", tag("small", words, class_="soft")])
    return [name, count(gate.kept), count(gate.dropped), percent(dropped), svg.bar(dropped or 0.0)]


def _example(reason: str, words: str) -> Html:
    return join([tag("p", reason, class_="note"), tag("pre", clip(words, 600))])


# ---- supervised fine-tuning


def sft_section(run: Run) -> Html:
    losses = [f for f in run.folders if f.name != "distill" and any(step.loss is not None for step in f.steps)]
    probes = [(folder.name, folder.probe) for folder in run.folders if folder.probe]
    lead = (
        "Diversity-exploring distillation (2.1.2): every checkpoint is probed with Pass@K per skill, the best of each "
        "skill becomes its specialist, and the specialists are merged. Loss does not choose."
    )
    charts = [
        curves(f"{f.name}: loss", [("", "c0", series(f.steps, lambda s: s.loss))], "nats per token") for f in losses
    ]
    parts = [tag("div", *charts, *(_probe_chart(n, p) for n, p in probes), class_="charts")]
    parts += [join([tag("h3", f"{name}: Pass@{count(p.k)} per skill"), _probe_table(p)]) for name, p in probes]
    return section("sft", "Fine-tuning", lead, *parts) if losses or probes else join([])


def _probe_chart(name: str, probe: Probe) -> Html:
    """Means over skills, so that "the fused model is no worse than the best checkpoint" is one look."""
    means = [(checkpoint.step, probe.means(checkpoint.scores)) for checkpoint in probe.checkpoints]
    fused = probe.means(probe.fused)
    lines: list[svg.Line] = []
    for words, style, values, level in (
        ("Pass@1", "c0", [(step, skill.pass1) for step, skill in means], fused.pass1),
        (f"Pass@{count(probe.k)}", "c1", [(step, skill.passk) for step, skill in means], fused.passk),
    ):
        points = [(step, value) for step, value in values if step is not None and value is not None]
        lines += [svg.Line(label=words, points=points, style=style)] if points else []
        if points and level is not None:
            ends = [(points[0][0], level), (points[-1][0], level)]
            lines.append(svg.Line(label="fused", points=ends, style=f"{style} dashed"))
    if not lines:
        return join([])
    title = f"{name}: mean over {len(probe.skills)} skills"
    chart = svg.line_chart(title, lines, ("step", "accuracy"), y_range=(0.0, 1.0))
    return figure(title, chart, f"Fused {share(fused.passk)}, best single checkpoint {share(probe.best_single)}.")


def _probe_table(probe: Probe) -> Html:
    """Skills down, checkpoints across; the chosen specialist of each skill is boxed."""
    weights = [f"weight {w:.2f}" if (w := probe.weights.get(c.name)) else "not used" for c in probe.checkpoints]
    head = ["Skill"]
    head += [join([c.name, tag("br"), weight]) for c, weight in zip(probe.checkpoints, weights, strict=True)]
    rows = []
    for skill in probe.skills:
        chosen = probe.chosen.get(skill)
        cells = [_heat(c.scores.get(skill), is_chosen=c.name == chosen) for c in probe.checkpoints]
        rows.append([skill, *cells, _heat(probe.fused.get(skill))])
    note = tag("p", "Boxed: the specialist chosen for the skill.", class_="note")
    return join([grid([*head, "fused"], rows), note])


def _heat(skill: Skill | None, *, is_chosen: bool = False) -> Html:
    if skill is None or skill.passk is None:
        return tag("span", share(None))
    inner = tag("span", share(skill.passk), class_="pick" if is_chosen else "")
    return tag(
        "span", inner, class_=f"h h{min(max(round(skill.passk * 8), 0), 8)}", title=f"Pass@1 {share(skill.pass1)}"
    )


# ---- self-distillation


def distill_section(run: Run) -> Html:
    folders = [folder for folder in run.folders if folder.buckets or folder.name == "distill"]
    lead = (
        "Learning potential of a verified trace: its mean negative log-probability per token under the student (2.3). "
        "Inside each domain and length bucket the middle-to-high range is kept: what is too easy teaches nothing, and "
        "the extreme is noise."
    )
    parts: list[Html] = []
    for folder in folders:
        losses = curves("Loss", [("", "c0", series(folder.steps, lambda s: s.loss))], "nats per token")
        charts = tag("div", *map(_bucket_chart, folder.buckets), losses, class_="charts")
        facts = [f"{name.replace('_', ' ')} {count(number)}" for name, number in folder.counts.items()]
        parts += [tag("p", *(tag("span", fact) for fact in facts), class_="facts"), charts]
    return section("distill", "Self-distillation", lead, *parts) if folders else join([])


def _bucket_chart(bucket: Bucket) -> Html:
    scores = [score for score in bucket.scores if score is not None]
    title = f"{bucket.domain}, {count(bucket.length_low)} to {count(bucket.length_high)} tokens"
    if not scores:
        return figure(title, tag("p", "No candidates.", class_="note"))
    low, high = min(scores), max(scores)
    width = (high - low or 1.0) / 24
    counts = [0] * 24
    for score in scores:
        counts[min(int((score - low) / width), 23)] += 1
    edges = [low + i * width for i in range(25)]
    band = (bucket.low, bucket.high) if bucket.low is not None and bucket.high is not None else None
    chart = svg.histogram(title, edges, counts, ("nats per token", "traces"), band=band, height=170.0)
    return figure(title, chart, f"{count(bucket.kept)} of {len(scores)} kept", legend=[("band", "kept range")])
