"""What every stage bought: the headline, the path, one small chart per domain, and the full tables."""

from __future__ import annotations

from collections.abc import Sequence

from etalon.config.stages import MODELLESS
from etalon.report.charts import svg
from etalon.report.files import Folder, Run, Score, StageRow
from etalon.report.html import (
    Html,
    between,
    count,
    duration,
    figure,
    folded,
    grid,
    join,
    percent,
    section,
    share,
    signed,
    tag,
)
from etalon.report.read import Number

RL = "rl"  # the kind whose phases train on problems, those of every domain where none is named
PATH_STYLES = {1: "left", 2: "left", 4: "words", 5: "words"}
HEAD = (
    "Stage", "Pass@1", "95% interval", "Pass@K", "Change", "", "95% interval", "Tokens", "Correct", "Truncated",
    "Undecided",
)  # fmt: skip
LEAD = (
    "Pass@1 (dot) and Pass@{k} (ring) on held-out problems after each stage. The line between them is the spectrum: "
    "fine-tuning widens it, reinforcement learning pulls the dot towards the ring. The number at the right is the "
    "change of Pass@1 against the stage it starts from, paired by problem; it is bold where its 95% interval excludes "
    "0. Stages that train on a domain are bold there."
)


def domains(run: Run) -> list[str]:
    """In the order of first appearance."""
    return list(dict.fromkeys(name for stage in run.summary.stages for name in stage.domains))


def scored(run: Run, domain: str) -> list[tuple[StageRow, Score]]:
    return [(stage, stage.domains[domain]) for stage in run.summary.stages if domain in stage.domains]


def targets(run: Run, stage: StageRow) -> Sequence[str]:
    """The domains that a stage is meant to get better at; none where it is about no one in particular."""
    return stage.trained_on or (domains(run) if stage.kind == RL else ())


def before(run: Run, stage: StageRow, domain: str) -> Score | None:
    """What a change is measured against: the stage it starts from, or the nearest before that with a score."""
    seen = {stage.name}
    source = run.row(stage.source)
    while source is not None and source.name not in seen:
        if domain in source.domains:
            return source.domains[domain]
        seen.add(source.name)
        source = run.row(source.source)
    return None


def k_of(run: Run) -> str:
    found = {score.k for stage in run.summary.stages for score in stage.domains.values() if score.k is not None}
    return f"{found.pop():g}" if len(found) == 1 else "K"


def headline(run: Run) -> Html:
    """Pass@1 of the first and the last weights on each domain."""
    tiles = []
    for domain in domains(run):
        known = [(one, score) for one, score in scored(run, domain) if score.pass1 is not None and not one.unchanged]
        if not known:
            continue
        (first, earlier), (last, after) = known[0], known[-1]
        steps = tag("span", f"{first.name} {share(earlier.pass1)}", " → ", f"{last.name} {share(after.pass1)}")
        tiles.append(tag("div", tag("b", domain), tag("strong", share(after.pass1)), steps, class_="tile"))
    return tag("div", *tiles, class_="tiles") if tiles else Html("")


def stage_section(run: Run) -> Html:
    path = _path(run)
    if not run.summary.stages:
        waiting = "No stage has been evaluated yet: summary.json is not there, or lists none."
        return section("stages", "Stages", waiting, path)
    charts = [_domain_chart(run, domain) for domain in domains(run)]
    tables = [folded(f"{domain}: every number", _domain_table(run, domain)) for domain in domains(run)]
    lead = LEAD.format(k=k_of(run))
    return section("stages", "Stages", lead, tag("div", *charts, class_="charts"), *tables, path)


# ---- the path of the recipe


def _path(run: Run) -> Html:
    """One line per stage of the recipe, in its order: what it is, where it starts, how it ended."""
    folders = {folder.name: folder for folder in run.folders}
    rows = []
    above = ""
    for name in run.listed:
        folder = folders.get(name)
        if folder is None:
            rows.append([name, "not started"])
            continue
        inputs = folder.inputs
        source = inputs.source if inputs.source == above else tag("b", inputs.source)
        above = above if folder.kind in MODELLESS else name
        about = " ".join(filter(None, (inputs.purpose, inputs.said_in)))
        rows.append([name, inputs.kind, source, duration(folder.seconds), _state(run, folder), about])
    head = ("Stage", "Kind", "From", "Time", "State", "What it does")
    title = f"The path: {len(run.listed)} stages"
    note = tag("p", "From is bold where it is not the model above.", class_="note")
    return join([tag("h3", title), grid(head, rows, styles=PATH_STYLES), note]) if rows else join([])


def _state(run: Run, folder: Folder) -> str:
    row = run.row(folder.name)
    if not folder.is_done:
        return "not finished"
    if row is not None and row.unchanged:
        return row.unchanged
    return f"skipped: {folder.skipped}" if folder.skipped else "done"


# ---- one domain


def _domain_chart(run: Run, domain: str) -> Html:
    rows, branches = [], []
    above = ""
    for stage, score in scored(run, domain):
        points = [] if stage.same else [(score.pass1, "dot c0"), (score.passk, "ring c1")]
        known = [(value, style) for value, style in points if value is not None]
        changed = signed(score.delta) if score.delta is not None else ""
        styles = ["own"] * (domain in targets(run, stage)) + ["clear"] * score.is_clear
        rows.append(
            svg.Row(
                label=stage.name,
                points=known,
                span=[value for value, _ in known],
                note=_short(stage) or changed,
                style="" if stage.unchanged else " ".join(styles),
                said=[
                    f"{stage.name}: {'Pass@1' if 'dot' in style else f'Pass@{k_of(run)}'} {percent(value)}"
                    for value, style in known
                ],
            )
        )
        branches += [f"{stage.name} starts from {stage.source}"] if stage.source not in ("", above) else []
        above = stage.name
    chart = svg.row_chart(f"{domain}: Pass@1 and Pass@{k_of(run)} per stage", rows, (0.0, 1.0), "accuracy")
    problems = {score.problems for _, score in scored(run, domain) if score.problems is not None}
    facts = [*([f"{min(problems):g} problems"] if problems else []), *branches]
    return figure(domain, chart, "; ".join(facts), legend=[("dot c0", "Pass@1"), ("ring c1", f"Pass@{k_of(run)}")])


def _short(stage: StageRow) -> str:
    """`as STAGE` or `skipped`; "" where there may be a change."""
    return f"as {stage.same}" if stage.same else "skipped" if stage.skipped else ""


def _domain_table(run: Run, domain: str) -> Html:
    lines = scored(run, domain)
    bounds = [abs(b) for _, score in lines for b in (score.delta, score.delta_low, score.delta_high) if b is not None]
    reach = max([*bounds, 0.05])
    head = [name.replace("@K", f"@{k_of(run)}") for name in HEAD]
    rows = [_stage_cells(stage, score, reach) for stage, score in lines]
    styles = [
        " ".join(["own"] * (domain in targets(run, stage)) + ["clear"] * (score.is_clear and not stage.unchanged))
        for stage, score in lines
    ]
    return grid(head, rows, classes=styles)


def _stage_cells(stage: StageRow, score: Score, reach: float) -> list[str]:
    bounds = between(score.pass1_low, score.pass1_high, ".3f")
    shares = [] if stage.same else [share(score.pass1), bounds, share(score.passk)]
    if stage.unchanged:
        return [stage.name, *shares, stage.unchanged]
    return [
        stage.name,
        *shares,
        tag("span", signed(score.delta), class_="change"),
        _forest(score.delta, score.delta_low, score.delta_high, reach),
        between(score.delta_low, score.delta_high),
        count(score.mean_tokens, 1),
        count(score.correct_tokens, 1),
        percent(score.truncated),
        count(score.undecided),
    ]


def _forest(mean: Number, low: Number, high: Number, reach: float) -> Html:
    return join([]) if mean is None or low is None or high is None else svg.forest(mean, low, high, reach)
