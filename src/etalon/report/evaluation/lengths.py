"""Length against correctness, what a smaller cap would cut, and the score over k."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from etalon.evaluate.store import Scored
from etalon.report.charts import svg
from etalon.report.evaluation.scorecard import Scorecard, kind_of
from etalon.report.exports.shape import BenchmarkRow
from etalon.report.html import Html, count, figure, join

NUM_BARS = 28
NUM_CAPS = 60
LAYERS = (("right", "right"), ("wrong", "wrong"), ("truncated", "cut"), ("undecided", "undecided"))
CURVES = (("pass", "c0", "pass@k"), ("maj", "c2", "maj@k"))


def length_charts(card: Scorecard) -> list[Html]:
    """The charts that there are numbers for."""
    known = [one for one in card.samples if one.tokens is not None and not one.has_failed]
    charts = [_by_length(known), _by_cap(known)] if any(one.tokens for one in known) else []
    return [chart for chart in (*charts, _by_k(card.row)) if chart]


def _by_length(samples: Sequence[Scored]) -> Html:
    width = max(_length(one) for one in samples) / NUM_BARS
    counts = {kind: [0.0] * NUM_BARS for kind, _ in LAYERS}
    for one in samples:
        counts[kind_of(one)][min(int(_length(one) / width), NUM_BARS - 1)] += 1
    edges = [place * width for place in range(NUM_BARS + 1)]
    present = [(kind, style) for kind, style in LAYERS if any(counts[kind])]
    layers = [(f"kind {style}", counts[kind]) for kind, style in present]
    title = "Length of right and wrong answers"
    chart = svg.stacked(title, edges, layers, ("tokens", "samples"))
    means = ((kind, [_length(one) for one in samples if kind_of(one) == kind]) for kind in ("right", "wrong"))
    told = ", ".join(f"{kind} {count(sum(found) / len(found))}" for kind, found in means if found)
    note = f"Mean tokens: {told}." if told else ""
    return figure(title, chart, note, legend=[(f"kind {style}", kind) for kind, style in present])


def _length(one: Scored) -> int:
    return one.tokens or 0


def _by_cap(samples: Sequence[Scored]) -> Html:
    """Which share of these very samples a cap would cut, and which would have been right by then."""
    longest = max(map(_length, samples))
    ended = sorted(_length(one) for one in samples if kind_of(one) != "truncated")
    right = sorted(_length(one) for one in samples if kind_of(one) == "right")
    caps = [longest * step / NUM_CAPS for step in range(NUM_CAPS + 1)]
    by_then = [(cap, bisect_right(right, cap) / len(samples)) for cap in caps]
    running = [(cap, 1 - bisect_right(ended, cap) / len(samples)) for cap in caps]
    lines = [svg.Line(label="right", points=by_then, style="c0"), svg.Line(label="cut", points=running, style="c3")]
    title = "What a smaller cap would do"
    chart = svg.line_chart(title, lines, ("cap in tokens", "share of samples"), y_range=(0.0, 1.0), is_share=True)
    return figure(title, chart, "Samples still running at a length, and those right by then.")


def _by_k(row: BenchmarkRow) -> Html:
    lines = [
        svg.Line(label=words, style=style, points=list(row.over_k(curve).items()))
        for curve, style, words in CURVES
        if row.over_k(curve)
    ]
    if len({k for line in lines for k, _ in line.points}) < 2:
        return join([])
    title = "Score over k"
    note = "pass@k: one of k is right. maj@k: the most frequent answer of k is."
    return figure(title, svg.over_k(title, lines, ("k", "share of problems")), note)
