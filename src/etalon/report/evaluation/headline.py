"""The table on top: every score with its error bar, the published numbers beside it, and what stands in its way."""

from __future__ import annotations

from collections.abc import Sequence

from etalon.report import svg
from etalon.report.evaluation.scorecard import Scorecard
from etalon.report.exports.cells import percentage, problems_of, standing, whole
from etalon.report.exports.shape import BenchmarkRow, PublishedRow
from etalon.report.html import MISSING, Html, grid, join, percent, section, tag

HEAD = ("Benchmark", "Score", "95% interval", "", "Problems × n", "Truncated", "No answer", "Undecided", "Failed",
        "Tokens", "Published")  # fmt: skip
LEAD = (
    "Score is the percentage of right answers: the mean over the n samples of each problem, then over problems. The "
    "bar is its 95% interval, clustered by problem, on an axis from {low} to {high}; a ring is a published number."
)
MANY = 0.05  # (ours) share of truncated samples, and 0.01 of the other kinds, from which it is marked
WIDTH = 130.0


def headline(benchmarks: Sequence[Scorecard]) -> Html:
    """One row per benchmark."""
    rows = [one.row for one in benchmarks]
    low, high = _limits(rows)
    lead = LEAD.format(low=f"{100 * low:.0f}", high=f"{100 * high:.0f}")
    lines = [_cells(one, (low, high)) for one in benchmarks]
    table = grid(HEAD, lines, styles={10: "left published"})
    return section("scores", "Scores", lead if rows else "No benchmark has been sampled yet.", table if rows else "")


def _limits(rows: Sequence[BenchmarkRow]) -> tuple[float, float]:
    """One axis for all bars: round numbers around everything that is drawn, inside 0..1."""
    drawn = [value for row in rows for value in (row.avg, row.low, row.high, *(one.score for one in row.published))]
    known = [value for value in drawn if value is not None]
    if not known:
        return 0.0, 1.0
    marks = svg.ticks(min(known), max(known))
    return max(marks[0], 0.0), max(min(marks[-1], 1.0), marks[0] + 1e-6)


def _cells(one: Scorecard, limits: tuple[float, float]) -> list[str]:
    row = one.row
    sampled = row.samples or 0
    interval = MISSING if row.low is None or row.high is None else f"[{100 * row.low:.1f}, {100 * row.high:.1f}]"
    return [
        tag("a", row.called, href=f"#{anchor(row)}"),
        tag("b", percentage(row.avg) if row.avg is not None else MISSING, class_="score"),
        interval,
        _bar(row, limits),
        f"{problems_of(row)} × {whole(row.n)}",
        _marked(percent(row.truncated), is_many=(row.truncated or 0) > MANY),
        _marked(percent(row.no_answer), is_many=(row.no_answer or 0) > MANY),
        _marked(whole(row.undecided), is_many=(row.undecided or 0) > 0.01 * sampled),
        _marked(whole(row.failed), is_many=(row.failed or 0) > 0.01 * sampled),
        whole(row.mean_tokens),
        _published(row),
    ]


def anchor(row: BenchmarkRow) -> str:
    return f"benchmark-{row.name}"


def _marked(words: str, *, is_many: bool) -> Html:
    return tag("span", words, class_="many" if is_many else "")


def _bar(row: BenchmarkRow, limits: tuple[float, float]) -> Html:
    if row.avg is None:
        return join([])
    x = svg.scale(*limits, 5.0, WIDTH - 5.0)
    marks = [svg.rule(5.0, 13.0, WIDTH - 5.0, 13.0, "grid")]
    if row.low is not None and row.high is not None:
        marks += [svg.rule(x(row.low), 8.0, x(row.high), 8.0, "span clear")]
        marks += [svg.rule(x(end), 4.0, x(end), 12.0, "span clear") for end in (row.low, row.high)]
    rings = [
        tag("circle", tag("title", f"{one.model} {percentage(one.score)}"), cx=x(one.score), cy=8.0, r=4.0,
            class_="ring c1")
        for one in row.published
        if one.score is not None
    ]  # fmt: skip
    dot = tag("circle", cx=x(row.avg), cy=8.0, r=3.5, class_="dot c0")
    return svg.drawing(f"score {percentage(row.avg)}", 16.0, *marks, *rings, dot, width=WIDTH, style="inline interval")


def _published(row: BenchmarkRow) -> Html:
    lines = [_published_line(row, one) for one in row.published]
    refused = [tag("div", f"no verdict: {row.verdict_refused}", class_="refused")] if row.verdict_refused else []
    return join([*lines, *refused])


def _published_line(row: BenchmarkRow, one: PublishedRow) -> Html:
    words = "" if row.verdict_refused else standing(row, one)
    style = "unclear" if one.verdict == "inside" or not one.verdict else "yes" if "above" in words else "no"
    drawn = f" (n = {one.n:g})" if one.n is not None else ""
    metric = f" {one.metric}" if one.metric not in ("", "avg") else ""
    told = f"{percentage(one.score)} {one.model}{metric}{drawn}"
    return tag("div", tag("span", told, title=one.source), " ", tag("b", words, class_=f"verdict {style}"))
