"""`.eval_results/*.yaml` of a model's repository on the Hugging Face hub (hub-docs, eval_results.yaml).

An entry needs the benchmark's data set and task as the hub knows them; a benchmark without them is left out with a
comment. A string is written as JSON writes it, which YAML reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from etalon.report.exports.cells import percentage, scored
from etalon.report.exports.shape import BenchmarkRow, ResultsFile, shaped
from etalon.report.read import mapping, text

KNOWN = {  # benchmark: (data set, task), as the hub's own documents name them
    "aime26": ("MathArena/aime_2026", "MathArena/aime_2026"),
    "gpqa-diamond": ("Idavidrein/gpqa", "gpqa_diamond"),
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
    if row.avg is None or not dataset or not task:
        why = "nothing was scored" if row.avg is None else "the hub's data set and task are not known"
        yield f"# {_quoted(row.name)}: left out, {why}"
        return
    yield "- dataset:"
    yield f"    id: {_quoted(dataset)}"
    yield f"    task_id: {_quoted(task)}"
    if revision := text(named.get("revision")):
        yield f"    revision: {_quoted(revision)}"
    yield f"  value: {100 * row.avg:.2f}"
    if results.started:
        yield f"  date: {_quoted(results.started)}"
    yield f"  notes: {_quoted(_notes(results, row))}"


def _notes(results: ResultsFile, row: BenchmarkRow) -> str:
    told = [
        f"avg@{row.n:g}" if row.n is not None else "avg",
        f"95% interval {scored(row.avg, row.low, row.high).partition(' ')[2] or 'not known'}",
        *(f"{name} {words}" for name, words in row.drawn.items()),
        f"truncated {percentage(row.truncated)}%",
        f"Etalon {results.etalon}",
    ]
    return ", ".join(told)


def _quoted(words: str) -> str:
    """A string in double quotes; what YAML would not read or would fold is escaped by its number."""
    return UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(words, ensure_ascii=False))
