"""What every stage bought: one table of stages and domains, every number behind it, and a chart per domain.

In percent; a change of Pass@1 is in points against the stage that a stage starts from, paired by problem.
"""

from __future__ import annotations

from collections.abc import Sequence

from etalon.config.stages import MODELLESS
from etalon.report.charts import svg
from etalon.report.files import Folder, Run, Score, StageRow
from etalon.report.html import (
    MISSING,
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
from etalon.types import Domain

MOST_ROWS = 24  # (ours) of a table that does not scroll
RL = "rl"  # the kind whose phases train on problems, those of every domain where none is named
PATH_STYLES = {1: "left", 2: "left", 4: "words"}
HEAD = (
    "Stage", "Pass@1", "95% interval", "Pass@K", "Change", "", "95% interval", "Tokens", "Correct", "Truncated",
    "No answer", "Undecided",
)  # fmt: skip
LEAD = (
    "Pass@1 on held-out problems in percent, and below it the change against the stage that a stage starts from, in "
    "points, paired by problem, with its 95% interval. ▲ and ▼: the interval excludes 0, as one in twenty does by "
    "chance. Boxed: a domain that the stage trains on. Every number is rounded by itself."
)
EXPLAINED = {  # domains whose name does not say what is asked
    Domain.INSTRUCT: "to keep to rules on an answer's form",
    Domain.CLAIMS: "to say of each claim of a solution whether it holds, as claim-level reliability (CLR) asks",
    Domain.FACTS: "to recall arbitrary facts word for word",
}
SPECTRUM = (
    "Pass@1 (dot) and Pass@{k} (ring) after each stage. The line between them is the spectrum: fine-tuning widens it, "
    "reinforcement learning pulls the dot towards the ring. Stages that train on a domain are bold there, changes "
    "whose 95% interval excludes 0 too."
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


def change(score: Score) -> Html:
    """`▲ +18.2 [+14.5, +21.9]`, with a mark where the interval excludes 0."""
    mark = "" if not score.is_clear else "▲ " if (score.delta or 0) > 0 else "▼ "
    style = "up clear" if mark == "▲ " else "down clear" if mark else ""
    bounds = between(score.delta_low, score.delta_high, "+")
    return tag("span", mark, tag("b", signed(score.delta)), f" {bounds}", class_=f"change {style}".strip())


# ---- one table


def stage_section(run: Run) -> Html:
    if not run.summary.stages:
        waiting = "No stage has been evaluated yet: summary.json is not there, or lists none."
        return section("stages", "Stages", waiting, _stage_table(run), _path(run))
    tables = [join([tag("h3", domain), _domain_table(run, domain)]) for domain in domains(run)]
    numbers = folded(f"Every number: Pass@{k_of(run)}, intervals, tokens, truncated, no answer, undecided", *tables)
    parts = [_stage_table(run), *_set_table(run), *([numbers] if tables else []), _path(run)]
    return section("stages", "Stages", LEAD, *parts)


def asked(run: Run) -> list[Html]:
    """What the model is asked in the domains whose names do not say it."""
    told = "; ".join(f"{name}: {words}" for name, words in EXPLAINED.items() if name in domains(run))
    return [tag("p", f"Asked of the model in {told}.", class_="note")] if told else []


def _stage_table(run: Run) -> Html:
    """Stages down, in the order of the recipe, domains across; a stage without numbers says why in their place."""
    names, rows, above = list(dict.fromkeys([*run.listed, *(row.name for row in run.summary.stages)])), [], ""
    folders = {folder.name: folder for folder in run.folders}
    if not names:
        return join([])
    for name in names:
        row, folder = run.row(name), folders.get(name)
        source = row.source if row else folder.inputs.source if folder else ""
        is_model = not (folder and folder.kind in MODELLESS)
        told = tag("small", f"from {source}") if source not in ("", above) else join([])
        seconds = folder.seconds if folder and folder.seconds is not None else row.seconds if row else None
        cells = [tag("th", tag("span", name), told, scope="row"), *_middle(run, row, folder)]
        rows.append(tag("tr", *cells, tag("td", duration(seconds) if seconds is not None else "")))
        above = name if is_model else above
    head = [tag("th", cell, scope="col") for cell in ("Stage", *(domains(run) or [""]), "Time")]
    table = tag("table", tag("thead", tag("tr", *head)), tag("tbody", *rows), class_="stages")
    return tag("div", table, class_="scroll" if len(rows) <= MOST_ROWS else "scroll tall", tabindex="0")


def _set_table(run: Run) -> list[Html]:
    """The same numbers by data set, where a domain's problems come from several."""
    rows = [row for row in run.summary.stages if row.sets and not row.same]
    names = list(dict.fromkeys(name for row in rows for name in row.sets))
    if not names:
        return []
    head = tag("tr", *(tag("th", cell, scope="col") for cell in ("Stage", *names)))
    lines = [tag("tr", tag("th", row.name, scope="row"), *_set_cells(row, names)) for row in rows]
    table = tag("table", tag("thead", head), tag("tbody", *lines), class_="stages")
    return [folded(f"By data set: {', '.join(names)}", tag("div", table, class_="scroll", tabindex="0"))]


def _set_cells(row: StageRow, names: Sequence[str]) -> list[Html]:
    scores = [row.sets.get(name) for name in names]
    has_change = not row.skipped
    return [
        tag(
            "td",
            tag("strong", share(score.pass1)),
            *([change(score)] if has_change and score.delta is not None else []),
        )
        if score
        else tag("td", MISSING)
        for score in scores
    ]


def _middle(run: Run, row: StageRow | None, folder: Folder | None) -> list[Html]:
    """The cells of a stage between its name and its time: a number per domain, or one of words over all."""
    known = domains(run)
    if row is None or row.same or not any(name in row.domains for name in known):
        return [tag("td", _instead(run, row, folder), class_="words", colspan=str(max(len(known), 1)))]
    cells = []
    for domain in known:
        score, style = row.domains.get(domain), "own" if domain in targets(run, row) else ""
        told = [] if score is None or row.skipped or score.delta is None else [change(score)]
        why = [tag("small", row.unchanged)] if row.skipped else []
        cells.append(tag("td", tag("strong", share(score.pass1) if score else MISSING), *told, *why, class_=style))
    return cells


def _instead(run: Run, row: StageRow | None, folder: Folder | None) -> str:
    """Why a stage has no numbers of its own."""
    if row is not None and row.unchanged:
        return row.unchanged
    if folder is None:
        return "not evaluated" if row else "not started"
    state = _state(run, folder)
    if state != "done":
        return state
    return folder.inputs.purpose or "leaves no model" if folder.kind in MODELLESS else "not evaluated"


# ---- the path of the recipe


def _path(run: Run) -> Html:
    """One line per stage of the recipe, in its order: what it is, where it starts, how it ended."""
    folders = {folder.name: folder for folder in run.folders}
    rows = []
    for name in run.listed:
        folder = folders.get(name)
        if folder is None:
            rows.append([name, "not started"])
            continue
        inputs = folder.inputs
        about = " ".join(filter(None, (inputs.purpose, inputs.said_in)))
        rows.append([name, inputs.kind, inputs.source, _state(run, folder), about])
    head = ("Stage", "Kind", "From", "State", "What it does")
    title = f"The path: {len(run.listed)} stages, what each does and how it ended"
    return folded(title, grid(head, rows, styles=PATH_STYLES)) if rows else join([])


def _state(run: Run, folder: Folder) -> str:
    row = run.row(folder.name)
    if not folder.is_done:
        return "not finished"
    if row is not None and row.unchanged:
        return row.unchanged
    return f"skipped: {folder.skipped}" if folder.skipped else "done"


# ---- one domain


def spectrum_section(run: Run) -> Html:
    """Pass@1 and Pass@K of every stage, a chart per domain."""
    charts = [_domain_chart(run, domain) for domain in domains(run)]
    lead = SPECTRUM.format(k=k_of(run))
    return section("spectrum", "Spectrum", lead, tag("div", *charts, class_="charts")) if charts else join([])


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
    bounds = between(score.pass1_low, score.pass1_high)
    shares = [] if stage.same else [share(score.pass1), bounds, share(score.passk)]
    if stage.unchanged:
        return [stage.name, *shares, stage.unchanged]
    return [
        stage.name,
        *shares,
        tag("span", signed(score.delta), class_="change"),
        _forest(score.delta, score.delta_low, score.delta_high, reach),
        between(score.delta_low, score.delta_high, "+"),
        count(score.mean_tokens, 1),
        count(score.correct_tokens, 1),
        percent(score.truncated),
        percent(score.no_answer),
        count(score.undecided),
    ]


def _forest(mean: Number, low: Number, high: Number, reach: float) -> Html:
    return join([]) if mean is None or low is None or high is None else svg.forest(mean, low, high, reach)
