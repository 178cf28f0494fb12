"""Data gates, fine-tuning with its specialists, self-distillation."""

from __future__ import annotations

from collections.abc import Sequence

from etalon.report.charts import svg
from etalon.report.charts.curves import curves, series
from etalon.report.charts.rows import Ridge, ridges
from etalon.report.data import LEAD as STEPS_LEAD
from etalon.report.data import chain_name, chain_parts, example, tiles
from etalon.report.files import Bucket, Folder, Gate, Probe, Run, Skill, Stratum
from etalon.report.html import (
    MISSING,
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
from etalon.report.stages import before, change

# ---- data

EVERY_STEP = "Every step, gate, reason and example, lengths, calls of models and licences"


def data_section(run: Run) -> Html:
    """The funnel of the steps that left reports, the gates of the stages that left none, and the strata of traces."""
    told = {step.place.partition("/")[0] for chain in run.funnel.chains for step in chain.steps}
    folders = [folder for folder in run.folders if folder.strata or (folder.gates and folder.name not in told)]
    parts: list[Html] = []
    for chain in run.funnel.chains:
        chart, *tables = chain_parts(chain)
        parts += [tag("h3", chain_name(chain)), tiles(chain), chart, folded(EVERY_STEP, *tables)]
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


def is_rl(folder: Folder) -> bool:
    """Its steps learn from rollouts, which have an accuracy, and not from texts."""
    return folder.pool is not None or any(step.accuracy is not None for step in folder.steps)


def sft_section(run: Run) -> Html:
    losses = [f for f in run.folders if not is_rl(f) and any(step.loss is not None for step in f.steps)]
    probes = [(folder.name, folder.probe) for folder in run.folders if folder.probe]
    lead = (
        "Diversity-exploring distillation (2.1.2): every checkpoint is probed with Pass@K per skill, the best of each "
        "skill becomes its specialist, and the specialists are merged."
    )
    lead += " Loss does not choose." if all(probe.choose != "loss" for _, probe in probes) else ""
    lead += " Accuracies in percent."
    charts = [
        curves(f"{f.name}: loss", [("", "c0", series(f.steps, lambda s: s.loss))], "nats per token") for f in losses
    ]
    parts = [tag("div", *charts, *(_probe_chart(n, p) for n, p in probes), class_="charts")]
    parts += [folded(f"{name}: Pass@{count(p.k)} per skill and checkpoint", _probe_table(p)) for name, p in probes]
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
            ends = [(step, level) for step, _ in points]
            lines.append(svg.Line(label="fused", said=f"fused {words}", points=ends, style=f"{style} dashed"))
    if not lines:
        return join([])
    title = f"{name}: mean over {len(probe.skills)} skills"
    chart = svg.line_chart(title, lines, ("step", "accuracy"), y_range=(0.0, 1.0), is_share=True)
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


# of traces that the band did not choose: what to say of them, and what the band of their chart is
CHOSEN = {
    "random": ("taken at random, as many of each bucket as lie in the band", "the band, which did not choose"),
    "top": ("taken from the top of each bucket, as many as lie in the band", "kept range"),
}


def distill_section(run: Run) -> Html:
    folders = [folder for folder in run.folders if folder.selection.buckets]
    lead = (
        "Learning potential of a verified trace: its mean negative log-probability per token under the student (2.3). "
        "Inside each domain and length bucket the middle-to-high range is kept: what is too easy teaches nothing, and "
        "the extreme is noise."
    )
    parts: list[Html] = []
    for folder in folders:
        how, band = CHOSEN.get(folder.selection.choose, ("", "kept range"))
        charts = tag("div", *potential_charts(folder.selection.buckets, band=band), class_="charts")
        facts = [how] if how else []
        keys = folder.inputs.keys
        facts += [f"own claims of {count(keys.own_claims)} queries"] if keys.own_claims else []
        facts += [f"replayed traces {count(keys.replay)}"] if keys.replay else []
        facts += [f"{name.replace('_', ' ')} {count(number)}" for name, number in folder.counts.items()]
        parts += [tag("h3", folder.name)] if len(folders) > 1 else []
        parts += [_student(run, folder), tag("p", *(tag("span", fact) for fact in facts), class_="facts"), charts]
    return section("distill", "Self-distillation", lead, *parts) if folders else join([])


def _student(run: Run, folder: Folder) -> Html:
    """Pass@1 of where the student starts, of the teacher of each domain and of the student; what nobody taught too."""
    student = run.row(folder.name)
    if student is None or student.unchanged or not student.domains:
        return join([])
    rows = []
    for domain, score in student.domains.items():
        name = folder.selection.teachers.get(domain, "")
        teacher, start = run.row(name), before(run, student, domain)
        theirs = teacher.domains.get(domain) if teacher else None
        told = f"{share(theirs.pass1)} {name}" if theirs else name or "none"
        moved = change(score) if score.delta is not None else MISSING
        rows.append([domain, share(start.pass1) if start else MISSING, told, share(score.pass1), moved])
    return grid(("Pass@1, %", f"Before: {student.source}", "Its teacher", f"After: {folder.name}", "Change"), rows)


def potential_charts(buckets: Sequence[Bucket], *, band: str = "kept range") -> list[Html]:
    """One figure per domain; a bucket without candidates has no row, a domain without any no figure. band: in words."""
    found: dict[str, list[Bucket]] = {}
    for bucket in buckets:
        if bucket.scores:
            found.setdefault(bucket.domain, []).append(bucket)
    return [_domain(domain, own, band) for domain, own in found.items()]


def _domain(domain: str, buckets: Sequence[Bucket], band: str) -> Html:
    rows = [
        Ridge(
            label=f"{count(bucket.length_low)}–{count(bucket.length_high)} tokens",
            values=bucket.scores,
            band=(bucket.low, bucket.high) if bucket.low is not None and bucket.high is not None else None,
            note=f"{count(bucket.kept)} of {len(bucket.scores)} kept",
        )
        for bucket in buckets
    ]
    title = f"{domain}: learning potential by length"
    chart = ridges(title, rows, "nats per token", "traces")
    return figure(title, chart, legend=[("bar", "traces"), ("band", band)])
