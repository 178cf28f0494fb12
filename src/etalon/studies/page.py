"""report.html of a study: the question, what it comes to, one table per measured stage, and the seeds one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from etalon.report.charts import svg
from etalon.report.html import (
    CHARTS,
    MISSING,
    Html,
    between,
    count,
    document,
    duration,
    figure,
    folded,
    grid,
    join,
    minus,
    section,
    signed,
    tag,
)
from etalon.store import write_atomic
from etalon.studies import table
from etalon.studies.result import Result, Row, ends, is_gain, said

PAGE = "report.html"
POINTS = 100.0  # shares are shown in percent, differences in points

LEAD = (
    "Means over {seeds} seeds in percent, with 95% intervals over seeds; below these, of the first arm, what the stage "
    "changed, and of every other one its difference to the first. A difference is paired by seed and problem, with two "
    "intervals: over seeds (would another seed and deal of problems say the same?) and over problems (would other "
    "problems, for these very runs?). It is bold where both exclude 0. In the charts the line is the interval over "
    "seeds, and each ring is one seed."
)
ONE_SEED = (
    "One seed, in percent; below, of the first arm, what the stage changed, and of every other one its difference to "
    "the first, paired by problem, with its 95% interval over problems (would other problems, for these very runs, say "
    "the same?). Another seed may say something else."
)
OTHERS = {
    "passk": "Pass@K", "mean_tokens": "Tokens", "correct_tokens": "Tokens of right answers", "truncated": "Truncated",
    "no_answer": "No answer",
}  # fmt: skip
COUNTS = ("mean_tokens", "correct_tokens")


def write_page(result: Result, directory: Path) -> Path:
    """Write DIR/report.html and return its path."""
    path = directory / PAGE
    write_atomic(path, page(result))
    return path


def page(result: Result) -> str:
    """The whole document."""
    body = tag("body", tag("header", *_head(result)), *_stages(result), _costs(result), _made_by(result))
    return document(f"{result.name}: a study", body, scripts=CHARTS)


def _head(result: Result) -> list[Html]:
    facts = [
        f"{len(result.arms)} arms" if len(result.arms) > 1 else "one arm",
        f"seeds {', '.join(map(str, result.seeds))}" if result.seeds else "no seed is done yet",
        f"recipe {result.recipe}",
        f"{duration(result.seconds)} of computing",
    ]
    lost = [*(f"failed: {one.name} (exit code {one.code}): {one.words}" for one in result.failures)]
    lost += result.gaps
    return [
        tag("h1", result.question or result.name),
        tag("p", *(tag("span", fact) for fact in facts), class_="facts"),
        tag("p", tag("b", "What it comes to: "), result.sentence),
        *(tag("p", one, class_="note") for one in lost),
    ]


# ---- one measured stage


def _stages(result: Result) -> list[Html]:
    """A section per measured stage; of one arm, whose stages are what is compared, a single one."""
    if len(result.arms) == 1:
        own = [(row.stage, row) for row in result.rows]
        tables = [
            _grid("Stage", [(name, row) for name, row in own if row in found]) for found in table.by_sort(result.rows)
        ]
        return [section("stages", "Stage by stage", _lead(result), *tables)] if tables else []
    return [_stage(result, stage) for stage in dict.fromkeys(row.stage for row in result.rows)]


def _lead(result: Result) -> str:
    return LEAD.format(seeds=len(result.seeds)) if len(result.seeds) > 1 else ONE_SEED


def _stage(result: Result, stage: str) -> Html:
    rows = [row for row in result.rows if row.stage == stage]
    named = [[(row.arm, row) for row in own] for own in table.by_sort(rows)]
    parts = [_grid("Arm", own, result.domains) for own in named]
    others = [[(arm, row) for arm, row in own if row.domain not in result.domains] for own in named]
    if result.domains and any(others):
        parts.append(folded("The same in everything else", *(_grid("Arm", own) for own in others if own)))
    charts = [_differences(rows, domain) for domain in dict.fromkeys(row.domain for row in rows if row.difference)]
    if charts:
        parts += [tag("div", *charts, class_="charts"), folded("Both intervals of every difference", _intervals(rows))]
    parts += [folded("Tokens, Pass@K, what was cut", *_numbers(rows))]
    return section(f"stage-{stage}", f"After {stage}", _lead(result), *parts)


def _grid(head: str, rows: Sequence[tuple[str, Row]], asked: Sequence[str] = ()) -> Html:
    """A table of names by domains, with what is clear in bold; of several domains a column each, which says all."""
    there = list(dict.fromkeys(row.domain for _, row in rows))
    domains = [name for name in there if name in asked] or there
    if len(domains) < 2:
        first, *lines = table.pivot(head, rows, asked)
        return grid(first, [[line[0], *map(_bold, line[1:])] for line in lines])
    found = {(name, row.domain): row for name, row in rows}
    shown = []
    for name in dict.fromkeys(name for name, _ in rows):
        cells = [tag("td", *_score(found.get((name, domain)))) for domain in domains]
        shown.append(tag("tr", tag("th", name, scope="row"), *cells))
    names = tag("tr", *(tag("th", cell, scope="col") for cell in (head, *map(said, domains))))
    whole = tag("table", tag("thead", names), tag("tbody", *shown), class_="stages")
    return tag("div", whole, class_="scroll", tabindex="0")


def _score(row: Row | None) -> list[Html]:
    """Pass@1 with its interval; below, the difference to the first arm, or of that what the stage changed."""
    if row is None:
        return [tag("small", MISSING)]
    score, found, delta = row.numbers.get("pass1"), row.difference, row.numbers.get("delta")
    shown = [tag("strong", table.mean(score))] if score else []
    shown += [tag("small", between(score.low, score.high))] if score and score.low is not None else []
    if found is not None:
        style = "" if not found.is_clear else " up clear" if found.mean > 0 else " down clear"
        told = f" {between(*ends(found), '+')}"
        shown.append(tag("span", tag("b", signed(found.mean)), told, class_=f"change{style}"))
    elif delta is not None:
        shown.append(tag("small", minus(table.spread_of(delta, scale=POINTS))))
    return shown


def _bold(cell: str) -> str:
    shown = minus(cell.removesuffix(table.CLEAR))
    return tag("b", shown) if cell.endswith(table.CLEAR) else shown


def _differences(rows: Sequence[Row], domain: str) -> Html:
    """The differences of all arms in one domain: a line each, both intervals and every seed."""
    chosen = [row for row in rows if row.domain == domain and row.difference is not None]
    title = said(domain) if is_gain(domain) else f"{domain}: difference to {chosen[0].against}"
    lines = [_line(row) for row in chosen]
    reach = max((abs(value) for line in lines for value in (*line.span, *(v for v, _ in line.points))), default=1.0)
    chart = svg.row_chart(title, lines, (-reach, reach), "points", is_share=False)
    return figure(title, chart)


def _line(row: Row) -> svg.Row:
    found = row.difference
    assert found is not None
    ends = [POINTS * end for end in (found.low, found.high) if end is not None]
    ends = ends or [POINTS * end for end in (found.problems_low, found.problems_high) if end is not None]
    points = [(POINTS * value, "ring c1") for value in found.values] if len(found.values) > 1 else []
    points.append((POINTS * found.mean, "dot c0"))
    return svg.Row(
        label=row.arm, points=points, span=ends, note=signed(found.mean),
        style="clear" if found.is_clear else "",
    )  # fmt: skip


def _intervals(rows: Sequence[Row]) -> Html:
    compared = [(row, row.difference) for row in rows if row.difference is not None]
    lines = [
        [said(row.domain), row.arm, signed(found.mean), between(found.low, found.high, "+"),
         between(found.problems_low, found.problems_high, "+"), count(found.problems),
         ", ".join(map(signed, found.values))]
        for row, found in compared
    ]  # fmt: skip
    head = ("Domain", "Arm", "Difference", "95% over seeds", "95% over problems", "Pairs", "Seed by seed")
    return grid(head, lines, styles={1: "left"})


def _numbers(rows: Sequence[Row]) -> Iterator[Html]:
    """Every other number of a domain, a table each."""
    for domain in dict.fromkeys(row.domain for row in rows if len(row.numbers) > 1):
        chosen = [row for row in rows if row.domain == domain]
        names = [name for name in OTHERS if any(name in row.numbers for row in chosen)]
        lines = [[row.arm, *(_number(row, name) for name in names)] for row in chosen]
        yield tag("h4", domain)
        yield grid(["Arm", *(OTHERS[name] for name in names)], lines)


def _number(row: Row, name: str) -> str:
    spread, change = row.numbers.get(name), row.changes.get(name)
    if spread is None:
        return MISSING
    scale = 1.0 if name in COUNTS else POINTS
    return (
        f"{scale * spread.mean:.1f}{f' ({minus(table.spread_of(change, scale=scale))})' if change is not None else ''}"
    )


# ---- what it took, and what made it


def _costs(result: Result) -> Html:
    known = [cost for cost in result.costs if cost.seconds is not None]
    if not known:
        return join([])
    rows = [
        [cost.arm, duration(cost.seconds.mean if cost.seconds else None),
         count(cost.sampled_tokens.mean if cost.sampled_tokens else None)]
        for cost in known
    ]  # fmt: skip
    lead = "Of the measured stages alone, means over seeds; tokens are those that the steps of RL sampled."
    return section("costs", "What an arm costs", lead, grid(["Arm", "Time", "Sampled tokens"], rows))


def _made_by(result: Result) -> Html:
    arms = grid(["Arm", "Sets"], [[name, "; ".join(sets) or "nothing"] for name, sets in result.arms.items()],
                styles={1: "words"})  # fmt: skip
    lead = "The runs lie in runs/seed-S/ARM beside this page, each a run of its own, with its own report."
    return section("made", "What made it", lead, tag("pre", result.command), arms)
