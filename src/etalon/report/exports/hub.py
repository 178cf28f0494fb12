"""`.eval_results/*.yaml` of a model's repository on the Hugging Face hub (hub-docs, eval_results.yaml).

An entry needs the benchmark's data set and task as the hub knows them, and a score of the whole set by the model
alone; what has not both is left out, with a comment that says why. A string is written as JSON writes it, which YAML
reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from etalon.evaluate.results import refusal
from etalon.report.exports.cells import bounds, truncated_of, whole
from etalon.report.exports.shape import BenchmarkRow, ResultsFile, shaped
from etalon.report.read import mapping, text

KNOWN = {  # benchmark: (data set, task), as the hub's own documents name them
    "aime26": ("MathArena/aime_2026", "MathArena/aime_2026"),
    "gpqa-diamond": ("Idavidrein/gpqa", "gpqa_diamond"),
    "gsm8k": ("openai/gsm8k", "gsm8k"),
}
UNSAFE = re.compile(r"[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def as_hub(results: Mapping[str, Any]) -> str:
    """One entry per benchmark that the hub has; values are percentages."""
    found = shaped(results)
    lines = [line for row in found.benchmarks for line in _entry(found, row)]
    is_empty = all(line.startswith("#") for line in lines)
    return "\n".join([*lines, *(["[]"] if is_empty else [])]) + "\n"


def _entry(results: ResultsFile, row: BenchmarkRow) -> Iterator[str]:
    named = mapping(row.hub)
    known = KNOWN.get(row.name, ("", ""))
    dataset, task = text(named.get("id")) or known[0], text(named.get("task_id")) or known[1]
    if why := _left_out(row) or ("" if dataset and task else "the hub's data set and task are not known"):
        yield f"# {_quoted(row.name)}: left out, {_quoted(why)[1:-1]}"
        return
    yield "- dataset:"
    yield f"    id: {_quoted(dataset)}"
    yield f"    task_id: {_quoted(task)}"
    if revision := text(named.get("revision")):
        yield f"    revision: {_quoted(revision)}"
    yield f"  value: {100 * (row.avg or 0.0):.2f}"
    if results.started:
        yield f"  date: {_quoted(results.started)}"
    yield f"  notes: {_quoted(_notes(results, row))}"


def _left_out(row: BenchmarkRow) -> str:
    """Why a score is none of the whole set by the model alone; "" where it is."""
    counts = {name: int(getattr(row, name) or 0) for name in ("samples", "missing", "failed", "undecided", "left_out")}
    if refused := row.verdict_refused or refusal(counts | {"avg": row.avg}):
        return refused
    if row.is_clr:
        return "the score is of CLR, not of the model alone"
    if row.of and row.of != row.problems:
        return f"only {whole(row.problems)} of {whole(row.of)} problems were asked"
    if row.missing:
        return f"{whole(row.missing)} samples are not there yet"
    if row.expected:
        return f"the file has {whole(row.problems)} problems, the published set {whole(row.expected)}"
    return ""


def _notes(results: ResultsFile, row: BenchmarkRow) -> str:
    told = [
        row.averaged,
        f"95% interval {bounds(row.low, row.high) or 'not known'}",
        *(f"{name} {words}" for name, words in row.drawn.items()),
        truncated_of(row),
        f"Etalon {results.etalon}",
    ]
    return ", ".join(told)


def _quoted(words: str) -> str:
    """A string in double quotes; what YAML would not read or would fold is escaped by its number."""
    return UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(words, ensure_ascii=False))
