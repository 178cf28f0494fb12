"""Data gates, fine-tuning with its specialists, self-distillation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from etalon.report import svg
from etalon.report.data import LEAD as STEPS_LEAD
from etalon.report.data import chain_name, chain_parts, example, tiles
from etalon.report.files import Bucket, Folder, Gate, Probe, Run, Skill, Step, Stratum
from etalon.report.html import (
    Html,
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
    """The funnel of the steps that left reports, the gates of the stages that left none, and the strata of traces."""
    told = {step.place.partition("/")[0] for chain in run.funnel.chains for step in chain.steps}
    folders = [folder for folder in run.folders if folder.strata or (folder.gates and folder.name not in told)]
    parts: list[Html] = []
    for chain in run.funnel.chains:
        parts += [tag("h3", chain_name(chain)), tiles(chain), *chain_parts(chain)]
    for folder in folders:
        parts += [tag("h3", folder.name)] if len(folders) > 1 else []
        parts += _gate_parts(folder) if folder.name not in told else []
        if folder.strata:
            title = f"{folder.name}: traces by length in tokens and error rate of the query"
            parts.append(folded(title, _strata_table(folder.strata)))
    lead = STEPS_LEAD if run.funnel.chains else "Three gates, each with what it dropped and why (2.1.1)."
    lead += " A gate that drops nothing has not been tested."
    return section("data", "Data", lead, *parts) if parts else join([])


def _gate_parts(folder: Folder) -> list[Html]:
    head = ("Gate", "Kept", "Dropped", "Undecided", "Share dropped", "")
    return [
        *([grid(head, [_gate_cells(gate) for gate in folder.gates])] if folder.gates else []),
        *(
            folded(f"{gate.gate}: examples of what was dropped", *(example(e.reason, e.text) for e in gate.examples))
            for gate in folder.gates
            if gate.examples
        ),
    ]


def _gate_cells(gate: Gate) -> list[str]:
    reasons = sorted(gate.reasons.items(), key=lambda reason: -(reason[1] or 0))
    words = ", ".join(f"{reason} {count(number)}" for reason, number in reasons) or "no reasons given"
    total = (gate.kept or 0) + (gate.dropped or 0)
    dropped = (gate.dropped or 0) / total if total else None
    name = join([gate.gate, " ", tag("small", words, class_="soft")])
    numbers = [count(gate.kept), count(gate.dropped), count(gate.undecided)]
    return [name, *numbers, percent(dropped), svg.bar(dropped or 0.0)]


def _strata_table(strata: Sequence[Stratum]) -> Html:
    """A row per domain and range of lengths, a column per range of error rates, in the order they come."""
    found: dict[str, dict[str, Number]] = {}
    for cell in strata:
        row = f"{cell.domain}, {_range(cell.tokens_low, cell.tokens_high)}"
        rate = "not measured" if cell.error_low is None else _range(cell.error_low, cell.error_high, decimals=2)
        found.setdefault(row, {})[rate] = cell.traces
    rates = list(dict.fromkeys(rate for cells in found.values() for rate in cells))
    rows = [[row, *(count(cells.get(rate, 0)) for rate in rates)] for row, cells in found.items()]
    return grid(("Domain, tokens", *rates), rows)


def _range(low: Number, high: Number, *, decimals: int = 0) -> str:
    return f"{count(low, decimals)} and more" if high is None else f"{count(low, decimals)} to {count(high, decimals)}"


# ---- supervised fine-tuning


# kinds whose loss says something: that of an RL step is 0 whatever is learned, for the policy is its own reference
LEARNS_TEXTS = ("base", "sft", "distill")


def sft_section(run: Run) -> Html:
    losses = [f for f in run.folders if f.kind in LEARNS_TEXTS and any(step.loss is not None for step in f.steps)]
    probes = [(folder.name, folder.probe) for folder in run.folders if folder.probe]
    lead = (
        "Diversity-exploring distillation (2.1.2): every checkpoint is probed with Pass@K per skill, the best of each "
        "skill becomes its specialist, and the specialists are merged."
    )
    lead += " Loss does not choose." if all(probe.choose != "loss" for _, probe in probes) else ""
    charts = [
        curves(f"{f.name}: loss", [("", "c0", series(f.steps, lambda s: s.loss))], "nats per token") for f in losses
    ]
    parts = [tag("div", *charts, *(_probe_chart(n, p) for n, p in probes), class_="charts")]
    parts += [join([tag("h3", f"{name}: Pass@{count(p.k)} per skill"), _probe_table(p)]) for name, p in probes]
    return section("sft", "Fine-tuning", lead, *parts) if losses or probes else join([])


def _probe_chart(name: str, probe: Probe) -> Html:
    """Means over skills, so that "the fused model is no worse than the best checkpoint" is one look."""
    means = [(checkpoint.step, *probe.means(checkpoint.scores)) for checkpoint in probe.checkpoints]
    fused_pass1, fused_passk = probe.means(probe.fused)
    lines: list[svg.Line] = []
    for words, style, values, level in (
        ("Pass@1", "c0", [(step, pass1) for step, pass1, _ in means], fused_pass1),
        (f"Pass@{count(probe.k)}", "c1", [(step, passk) for step, _, passk in means], fused_passk),
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
    return figure(title, chart, f"Fused {share(fused_passk)}, best single checkpoint {share(probe.best_single)}.")


def _probe_table(probe: Probe) -> Html:
    """Skills down, checkpoints across; the chosen specialist of each skill is boxed."""
    weights = [f"weight {w:.2f}" if (w := probe.weights.get(c.name)) else "not used" for c in probe.checkpoints]
    head = ["Skill"]
    head += [join([c.name, Html("<br>"), weight]) for c, weight in zip(probe.checkpoints, weights, strict=True)]
    rows = []
    for skill in probe.skills:
        chosen = probe.chosen.get(skill)
        cells = [_heat(c.scores.get(skill), is_chosen=c.name == chosen) for c in probe.checkpoints]
        rows.append([skill, *cells, _heat(probe.fused.get(skill))])
    by = {"pass1": " by Pass@1", "loss": " by the loss on reference solutions"}.get(probe.choose, "")
    taken = {"best": f"Boxed: the checkpoint that is best over all skills{by}, which was taken.",
             "last": "Boxed: the last checkpoint, which was taken."}  # fmt: skip
    words = taken.get(probe.take, f"Boxed: the specialist chosen for the skill{by}.")
    note = tag("p", words, class_="note")
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
    folders = [folder for folder in run.folders if folder.selection.buckets]
    lead = (
        "Learning potential of a verified trace: its mean negative log-probability per token under the student (2.3). "
        "Inside each domain and length bucket the middle-to-high range is kept: what is too easy teaches nothing, and "
        "the extreme is noise."
    )
    parts: list[Html] = []
    for folder in folders:
        choose = folder.selection.choose
        charts = tag("div", *(_bucket_chart(bucket, choose) for bucket in folder.selection.buckets), class_="charts")
        facts = [f"{domain} taught by {teacher}" for domain, teacher in folder.selection.teachers.items()]
        facts += [f"{name.replace('_', ' ')} {count(number)}" for name, number in folder.counts.items()]
        parts += [tag("h3", folder.name)] if len(folders) > 1 else []
        parts += [tag("p", *(tag("span", fact) for fact in facts), class_="facts"), charts]
    return section("distill", "Self-distillation", lead, *parts) if folders else join([])


def _bucket_chart(bucket: Bucket, choose: str) -> Html:
    scores = bucket.scores
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
    how, range_ = {
        "random": (" at random, as many as in the band", "the band, which did not choose"),
        "top": (" from the top, as many as in the band", "kept range"),
    }.get(choose, ("", "kept range"))
    return figure(title, chart, f"{count(bucket.kept)} of {len(scores)} kept{how}", legend=[("band", range_)])
