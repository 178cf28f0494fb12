"""What changes from stage to stage, domain by domain: length against accuracy, and the styles of the answers."""

from __future__ import annotations

from etalon.report.charts.draw import Point
from etalon.report.charts.styles import style_charts
from etalon.report.charts.svg import Line, Mark, line_chart
from etalon.report.files import Run, Score, StageRow
from etalon.report.html import Html, count, figure, join, percent, section, tag
from etalon.report.stages import before, domains, scored, targets

LEAD = (
    "Lengths and styles of the answers to the held-out problems, from checkpoint to checkpoint. Up and to the left is "
    "better: more right answers, and shorter ones. Named are the last checkpoint (large dot) and those that train on "
    "the domain; the first is a ring. Point at a mark for its values, or Tab to a chart and use the arrow keys."
)


def across_section(run: Run) -> Html:
    """What changes from stage to stage; nothing where nothing can be drawn."""
    lengths = [chart for domain in domains(run) if (chart := length_chart(run, domain))]
    charts = [*style_charts(run), *lengths]
    return section("across", "Lengths and styles", LEAD, tag("div", *charts, class_="charts")) if charts else join([])


def length_chart(run: Run, domain: str) -> Html:
    """The path of the checkpoints through the plane of length and Pass@1; nothing for fewer than two points."""
    found = [
        (stage, score, point)
        for stage, score in scored(run, domain)
        if not stage.same and (point := _point(score)) is not None
    ]
    if len(found) < 2:
        return join([])
    lines = []
    for stage, _, point in found[1:]:
        source = before(run, stage, domain)
        start = _point(source) if source is not None else None
        lines += [Line(label="", points=[start, point], style="c0 thin")] if start else []
    marks = [
        _mark(domain, stage, score, point, shape="ring" if at == 0 else "dot" if at == len(found) - 1 else "dot small",
              is_named=at == len(found) - 1 or domain in targets(run, stage))
        for at, (stage, score, point) in enumerate(found)
    ]  # fmt: skip
    title = f"{domain}: length against accuracy"
    chart = line_chart(title, lines, ("tokens of correct answers", "Pass@1"), marks=marks, is_share=True)
    return figure(title, chart)


def _point(score: Score) -> Point | None:
    return None if score.correct_tokens is None or score.pass1 is None else (score.correct_tokens, score.pass1)


def _mark(domain: str, stage: StageRow, score: Score, point: Point, *, shape: str, is_named: bool) -> Mark:
    said = f"{domain}, {stage.name}: Pass@1 {percent(score.pass1)}, {count(score.correct_tokens, 1)} tokens"
    return Mark(point=point, label=stage.name if is_named else "", style="c0", said=said, shape=shape)
