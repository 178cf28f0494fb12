"""OJBench's files: the responses that its judge is given, and what it writes of them.

    {id, prompt, dataset, language, difficulty, content}
    {..., verdict | detailed_results {final_verdict, results}, is_passed, is_skip?, 1/8verdict, ...}

A row is one response; the same id and language again is another sample of the same problem. Tests are in neither: its
own judge alone reads them, so programs cannot be scored again, and its verdicts are the scores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from etalon.errors import InputError
from etalon.evaluate.logs.asked import Source
from etalon.evaluate.logs.log import About, Entry, as_object
from etalon.evaluate.store import JUDGED, SKIPPED, Sample
from etalon.rows.bad import shown
from etalon.rows.files import Row
from etalon.rows.mapping import columns_found
from etalon.types import Stop

NAME = "ojbench"
LANGUAGES = ("python", "cpp")
ASKED = ("id", "prompt", "dataset", "language", "difficulty")  # columns of the benchmark itself
UNDECIDED = ("IE", SKIPPED)  # the judge's own failure; one of the problems that its configuration leaves out


def recognises(row: Mapping[str, Any]) -> bool:
    return {"id", "dataset", "language", "content"} <= row.keys()


class OjbenchReader:
    """Reads the responses of one file; see `Reader`."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._counts: Counter[str] = Counter()
        self._num_judged = 0

    def read(self, row: Row) -> Entry:
        columns = row.columns or {}
        language, content = columns.get("language"), columns.get("content")
        if not recognises(columns):
            raise InputError(f"id, dataset, language, content: missing; {columns_found(columns)}")
        if language not in LANGUAGES or not isinstance(content, str):
            raise InputError(
                f"language, content: found {shown(language)}, {shown(content)}; expected python or cpp, text"
            )
        problem = self._source.asked({name: columns[name] for name in ASKED if name in columns}).problem
        index = self._counts[problem.id]
        self._counts[problem.id] += 1
        theirs, detail = _verdict(columns)
        self._num_judged += theirs is not None
        sample = Sample(id=problem.id, index=index, text=content, stop=Stop.EOS, theirs=theirs, detail=detail)
        return Entry(problem=problem, samples=(sample,))

    def about(self) -> About:
        notes = ["its own judge alone has the tests: programs cannot be scored again, its verdicts are the scores"]
        if not self._num_judged:
            notes.append("no row has a verdict of its judge")
        return About(
            name="ojbench", settings={"n": max(self._counts.values(), default=0)}, notes=tuple(notes), knows_cuts=False
        )


def _verdict(columns: Mapping[str, Any]) -> tuple[float | None, dict[str, Any] | None]:
    """Their judge's score, None where it has none, and its word for it."""
    word = columns.get("verdict") or as_object(columns.get("detailed_results")).get("final_verdict")
    detail = {JUDGED: word} if isinstance(word, str) else None
    if columns.get("is_skip") or word in UNDECIDED or not isinstance(columns.get("is_passed"), bool):
        return None, detail
    return float(columns["is_passed"]), detail
