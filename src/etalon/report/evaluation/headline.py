"""The table on top: every score with its error bar, the published numbers beside it, and what stands in its way."""

from __future__ import annotations

from collections.abc import Sequence

from etalon.evaluate.results import MAX_MISSING
from etalon.report.charts import draw
from etalon.report.evaluation.scorecard import Scorecard
from etalon.report.exports.cells import bounds, clr_note, percentage, problems_of, whole
from etalon.report.exports.published import COLUMNS, beside, published_score
from etalon.report.exports.shape import BenchmarkRow
from etalon.report.html import MISSING, Html, grid, join, percent, section, tag

HEAD = ("Benchmark", "Score", "95% interval", "", "Problems × n", "Truncated", "No answer", "Undecided", "Failed",
        "Tokens")  # fmt: skip
LEAD = (
    "Score is the percentage of right answers: the mean over the n samples of each problem, then over problems. The "
    "bar is its 95% interval, clustered by problem, on an axis from {low} to {high}; a ring is a published number."
)
MANY = 0.05  # (ours) share of truncated samples from which it is marked; of the other kinds MAX_MISSING
STYLES = {"inside": "unclear", "above": "yes", "below": "no"}  # of a verdict
WIDTH = 130.0


def headline(benchmarks: Sequence[Scorecard]) -> Html:
    """One row per benchmark."""
    rows = [one.row for one in benchmarks]
    low, high = _limits(rows)
    lead = LEAD.format(low=f"{100 * low:.0f}", high=f"{100 * high:.0f}")
    lines = [_cells(one, (low, high)) for one in benchmarks]
    if not rows:
        return section("scores", "Scores", "No benchmark has been sampled yet.")
    return section("scores", "Scores", f"{lead} {clr_note(rows)}".rstrip(), grid(HEAD, lines), _published(rows))


def _limits(rows: Sequence[BenchmarkRow]) -> tuple[float, float]:
    """One axis for all bars: round numbers around everything that is drawn, inside 0..1."""
    drawn = [value for row in rows for value in (row.avg, row.low, row.high, *(one.score for one in row.published))]
    known = [value for value in drawn if value is not None]
    if not known:
        return 0.0, 1.0
    marks = draw.ticks(min(known), max(known))
    return max(marks[0], 0.0), max(min(marks[-1], 1.0), marks[0] + 1e-6)


def _cells(one: Scorecard, limits: tuple[float, float]) -> list[str]:
    row = one.row
    sampled = row.samples or 0
    return [
        tag("a", row.called, href=f"#{anchor(row)}"),
        join([tag("b", percentage(row.avg), class_="score"), " CLR" if row.is_clr else ""]),
        bounds(row.low, row.high) or MISSING,
        _bar(row, limits),
        f"{problems_of(row)} × {whole(row.n)}",
        _marked(percent(row.truncated), is_many=(row.truncated or 0) > MANY),
        _marked(percent(row.no_answer), is_many=(row.no_answer or 0) > MANY),
        _marked(whole(row.undecided), is_many=(row.undecided or 0) > MAX_MISSING * sampled),
        _marked(whole(row.failed), is_many=(row.failed or 0) > MAX_MISSING * sampled),
        whole(row.mean_tokens),
    ]


def anchor(row: BenchmarkRow) -> str:
    return f"benchmark-{row.name}"


def _marked(words: str, *, is_many: bool) -> Html:
    return tag("span", words, class_="many" if is_many else "")


def _bar(row: BenchmarkRow, limits: tuple[float, float]) -> Html:
    if row.avg is None:
        return join([])
    x = draw.scale(*limits, 5.0, WIDTH - 5.0)
    marks = [draw.rule(5.0, 13.0, WIDTH - 5.0, 13.0, "grid")]
    if row.low is not None and row.high is not None:
        marks += [draw.rule(x(row.low), 8.0, x(row.high), 8.0, "span clear")]
        marks += [draw.rule(x(end), 4.0, x(end), 12.0, "span clear") for end in (row.low, row.high)]
    rings = [
        tag("circle", tag("title", f"{one.model} {published_score(one)}"), cx=x(one.score), cy=8.0, r=4.0,
            class_="ring c1")
        for one in row.published
        if one.score is not None
    ]  # fmt: skip
    dot = tag("circle", cx=x(row.avg), cy=8.0, r=3.5, class_="dot c0")
    return draw.drawing(f"score {percentage(row.avg)}", 16.0, *marks, *rings, dot, width=WIDTH, style="inline interval")


def _published(rows: Sequence[BenchmarkRow]) -> Html:
    """Every published score beside ours, with what differs in how the two were sampled; why there is no verdict."""
    scores = [one for row in rows for one in row.published]
    if not scores:
        return join([])
    lines = []
    for one, cells in zip(scores, beside(rows), strict=True):
        cell = dict(zip(COLUMNS, cells, strict=True))
        cell["Model"] = tag("span", cell["Model"], title=one.source)
        cell["Verdict"] = tag("b", cell["Verdict"], class_=f"verdict {STYLES.get(one.verdict, 'unclear')}")
        lines.append(list(cell.values()))
    styles = {1: "left", **dict.fromkeys(range(len(COLUMNS) - 2, len(COLUMNS)), "left published")}
    told = "; ".join(f"{row.name}: {row.verdict_refused}" for row in rows if row.verdict_refused)
    sources = "; ".join(dict.fromkeys(one.source for one in scores if one.source))
    foot = ((told, f"No verdict: {told}."), (sources, f"Sources: {sources}."))
    notes = [tag("p", words, class_="note") for is_told, words in foot if is_told]
    return join([tag("h3", "Beside published scores"), grid(list(COLUMNS), lines, styles=styles), *notes])
