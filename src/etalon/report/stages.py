"""What every stage bought: the headline, one small chart per domain, and the full table."""

from __future__ import annotations

from etalon.report import svg
from etalon.report.files import Run, Score, StageRow
from etalon.report.html import (
    Html,
    between,
    count,
    duration,
    figure,
    grid,
    join,
    percent,
    section,
    share,
    signed,
    tag,
)
from etalon.report.read import Number

OWN_DOMAIN = {
    "rl-math": "math",
    "rl-long2short": "math",
    "rl-code": "code",
    "rl-stem": "stem",
    "instruct": "instruct",
}
HEAD = (
    "Stage",
    "Pass@1",
    "Pass@K",
    "Change",
    "",
    "95% interval",
    "Tokens",
    "Correct",
    "Truncated",
    "Undecided",
    "Time",
)
LEAD = (
    "Pass@1 (dot) and Pass@{k} (ring) on held-out problems after each stage. The line between them is the spectrum: "
    "fine-tuning widens it, reinforcement learning pulls the dot towards the ring. The number at the right is the "
    "change of Pass@1 to the stage before, paired by problem; it is bold where its 95% interval excludes 0."
)


def domains(run: Run) -> list[str]:
    """In the order of first appearance."""
    return list(dict.fromkeys(name for stage in run.summary.stages for name in stage.domains))


def scored(run: Run, domain: str) -> list[tuple[StageRow, Score]]:
    return [(stage, stage.domains[domain]) for stage in run.summary.stages if domain in stage.domains]


def k_of(run: Run) -> str:
    found = {score.k for stage in run.summary.stages for score in stage.domains.values() if score.k is not None}
    return f"{found.pop():g}" if len(found) == 1 else "K"


def headline(run: Run) -> Html:
    """First and last Pass@1 of each domain, and what the run cost."""
    tiles = []
    for domain in domains(run):
        known = [(stage, score) for stage, score in scored(run, domain) if score.pass1 is not None]
        if not known:
            continue
        (first, before), (last, after) = known[0], known[-1]
        steps = tag("span", f"{first.name} {share(before.pass1)}", " → ", f"{last.name} {share(after.pass1)}")
        tiles.append(tag("div", tag("b", domain), tag("strong", share(after.pass1)), steps, class_="tile"))
    return tag("div", *tiles, class_="tiles") if tiles else Html("")


def stage_section(run: Run) -> Html:
    if not run.summary.stages:
        waiting = "No stage has been evaluated yet: summary.json is not there, or lists none."
        return section("stages", "Stages", waiting)
    charts = [_domain_chart(run, domain) for domain in domains(run)]
    tables = [tag("div", tag("h3", domain), _domain_table(run, domain)) for domain in domains(run)]
    skipped = [f"{stage.name}: {stage.skipped}" for stage in run.summary.stages if stage.skipped]
    notes = [tag("p", "Skipped: ", "; ".join(skipped), class_="note")] if skipped else []
    lead = LEAD.format(k=k_of(run))
    return section("stages", "Stages", lead, tag("div", *charts, class_="charts"), *notes, *tables)


def _domain_chart(run: Run, domain: str) -> Html:
    rows = []
    for stage, score in scored(run, domain):
        points = [(score.pass1, "dot c0"), (score.pass8, "ring c1")]
        known = [(value, style) for value, style in points if value is not None]
        style = "own" if OWN_DOMAIN.get(stage.name) == domain else ""
        note = signed(score.delta) if score.delta is not None else ""
        rows.append(
            svg.Row(
                label=stage.name,
                points=known,
                span=[value for value, _ in known],
                note=note,
                style=f"{style} {'clear' if score.is_clear else ''}".strip(),
            )
        )
    chart = svg.row_chart(f"{domain}: Pass@1 and Pass@{k_of(run)} per stage", rows, (0.0, 1.0), "accuracy")
    problems = {score.problems for _, score in scored(run, domain) if score.problems is not None}
    size = f"{min(problems):g} problems" if problems else ""
    return figure(domain, chart, size, legend=[("dot c0", "Pass@1"), ("ring c1", f"Pass@{k_of(run)}")])


def _domain_table(run: Run, domain: str) -> Html:
    lines = scored(run, domain)
    bounds = [abs(b) for _, score in lines for b in (score.delta, score.delta_low, score.delta_high) if b is not None]
    reach = max([*bounds, 0.05])
    head = [name.replace("@K", f"@{k_of(run)}") for name in HEAD]
    rows = [_stage_cells(stage, score, reach) for stage, score in lines]
    styles = [
        " ".join(["own"] * (OWN_DOMAIN.get(stage.name) == domain) + ["clear"] * score.is_clear)
        for stage, score in lines
    ]
    return grid(head, rows, classes=styles)


def _stage_cells(stage: StageRow, score: Score, reach: float) -> list[str]:
    return [
        stage.name,
        share(score.pass1),
        share(score.pass8),
        tag("span", signed(score.delta), class_="change"),
        _forest(score.delta, score.delta_low, score.delta_high, reach),
        between(score.delta_low, score.delta_high),
        count(score.mean_tokens, 1),
        count(score.correct_tokens, 1),
        percent(score.truncated),
        count(score.undecided),
        duration(stage.seconds),
    ]


def _forest(mean: Number, low: Number, high: Number, reach: float) -> Html:
    return join([]) if mean is None or low is None or high is None else svg.forest(mean, low, high, reach)
