"""The page of an evaluation: scores beside published numbers, solve rates, lengths, truncation, samples to read.

write_page(folder): results.json and the verdicts -> sections -> folder/report.html, one file

Verdicts are read one benchmark at a time; texts are read once, and only what is shown is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from etalon.errors import InputError
from etalon.evaluate.store import MARKER, RESULTS, names
from etalon.report.evaluation.browsing import READ_BYTES, samples_of, samples_section
from etalon.report.evaluation.headline import anchor, headline
from etalon.report.evaluation.lengths import length_charts
from etalon.report.evaluation.problems import heat_map, problem_table
from etalon.report.evaluation.reading import NUM_BYTES, NUM_SAMPLES, chosen, print_sample, read_shown, samples_html
from etalon.report.evaluation.scorecard import Scorecard, scorecard_of
from etalon.report.exports.cells import percentage, whole
from etalon.report.exports.remarks import disagreements, remarks
from etalon.report.exports.shape import BenchmarkRow, ResultsFile, shaped
from etalon.report.html import CHARTS, Html, clip, document, duration, folded, grid, join, tag
from etalon.report.read import Reader, mapping
from etalon.report.transcripts import SCRIPTS
from etalon.store import write_atomic
from etalon.types import Problem

__all__ = ["print_sample", "write_page"]

PARTIAL = (
    "This evaluation is not finished: results.json is not there, or lacks a benchmark. What is shown is what the "
    "samples say so far, without intervals; the same command finishes it."
)


def write_page(folder: Path, *, problems: Mapping[str, Mapping[str, Problem]] | None = None) -> Path:
    """Write report.html into the directory of an evaluation, finished or not, and return its path.

    problems: benchmark -> id -> problem; with them the samples stand under what was asked.
    Raises InputError when the folder is no evaluation.
    """
    if not (folder / MARKER).is_file():
        raise InputError(f"{folder}: is no evaluation: it has no {MARKER}")
    path = folder / "report.html"
    write_atomic(path, page(folder, problems or {}))
    return path


def page(folder: Path, problems: Mapping[str, Mapping[str, Problem]]) -> str:
    """The whole document."""
    reader = Reader(folder)
    results = shaped(mapping(reader.json(RESULTS)))
    rows = {row.name: row for row in results.benchmarks}
    present = list(dict.fromkeys([*rows, *names(folder)]))
    most = NUM_SAMPLES // max(len(present), 1)
    benchmarks, sections, browsed = [], [], []
    for name in present:
        card = scorecard_of(folder, name, rows.get(name))
        sections.append(_benchmark(folder, results, card, most, problems.get(name, {})))
        read_bytes = READ_BYTES // max(len(present), 1)
        browsed.append(samples_of(folder, card, problems.get(name, {}), num_bytes=read_bytes))
        benchmarks.append(_without_samples(card))
    links = [tag("a", one.row.called, href=f"#{anchor(one.row)}") for one in benchmarks]
    samples = samples_section(browsed)
    links += [tag("a", "Browse the samples", href="#samples")] if samples else []
    head = tag("header", *_title(folder, results, benchmarks, reader.missing), tag("nav", *links))
    body = tag("body", head, headline(benchmarks), *sections, samples)
    return document(_name(folder, results), body, scripts=(*CHARTS, *(SCRIPTS if samples else ())))


def _without_samples(card: Scorecard) -> Scorecard:
    return Scorecard(row=card.row, problems=(), is_partial=card.is_partial, is_scored=card.is_scored)


def _name(folder: Path, results: ResultsFile) -> str:
    return f"{results.model or folder.resolve().name}: Etalon evaluation"


def _title(folder: Path, results: ResultsFile, benchmarks: list[Scorecard], missing: list[str]) -> list[Html]:
    protocol = [f"{name} {words}" for name, words in results.protocol().items() if name != "model"]
    protocol += [f"endpoint {', '.join(results.endpoint)}"] if results.endpoint else []
    is_partial = not benchmarks or any(one.is_partial for one in benchmarks)
    return [
        tag("h1", results.model or folder.resolve().name),
        tag("p", *(tag("span", fact) for fact in protocol), class_="facts"),
        *([tag("p", PARTIAL, class_="note")] if is_partial else []),
        *([tag("p", f"Not in this page: {'; '.join(missing)}.", class_="note")] if missing else []),
    ]


def _benchmark(folder: Path, results: ResultsFile, card: Scorecard, most: int, problems: Mapping[str, Problem]) -> Html:
    row = card.row
    facts = [f"{whole(row.samples)} samples"]
    facts += [f"{name} {words}" for name, words in results.own(row).items()]
    facts += [f"answers: {row.answers}"] if row.answers else []
    facts += [f"prompt {row.prompt_hash}"] if row.prompt_hash else []
    facts += [f"a re-run would move by ±{percentage(row.sampling_noise)}"] if row.sampling_noise is not None else []
    facts += [f"{whole(row.tokens_per_right)} tokens per right answer"] if row.tokens_per_right is not None else []
    facts += [f"{whole(row.tokens_per_second)} tokens/s"] if row.tokens_per_second is not None else []
    facts += [duration(row.seconds)] if row.seconds is not None else []
    notes = [tag("li", words) for words in remarks(results, row)]
    charts = length_charts(card)
    wanted = chosen(card, most) if card.is_scored else []
    shown = read_shown(folder, row.name, wanted, num_bytes=NUM_BYTES // max(NUM_SAMPLES, 1))
    return tag(
        "section",
        tag("h2", row.called),
        tag("p", *(tag("span", fact) for fact in facts), class_="facts"),
        *([tag("p", "Not scored yet.", class_="note")] if not card.is_scored else []),
        *([tag("ul", *notes, class_="remarks")] if notes else []),
        _judged(row),
        heat_map(card),
        problem_table(card),
        *([tag("div", *charts, class_="charts")] if charts else []),
        samples_html(folder, row.name, shown, problems),
        id_=anchor(row),
    )


def _judged(row: BenchmarkRow) -> Html:
    """The first answers on which a judge and the rules differ; folded."""
    lines = [[clip(cell, 200) for cell in line] for line in disagreements(row.judge)]
    head = ("Problem / sample", "Reference", "Answer", "Rules", "Judge")
    table = grid(head, lines, styles={1: "words", 2: "words"})
    title = f"Answers on which judge and rules differ: {len(lines)} of {whole(row.judge.disagreements)}"
    return folded(title, table) if lines else join([])
