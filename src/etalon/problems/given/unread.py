"""Columns that hold long texts and that no reader looked at: what an import must name, as no gate will see it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from etalon.problems.cases import COLUMNS
from etalon.problems.formats import Reading, read_row
from etalon.problems.formats.columns import structured
from etalon.problems.formats.foreign.programs import task_in
from etalon.problems.given.traces import traces_of
from etalon.types import Problem

LONG = 200  # (ours) characters of a text that may be a response, or a solution
PROBE, PROBES = 24, 16  # (ours) characters of a piece by which a text is found again, and how many of them are tried
# columns whose texts are taken apart, so that they are not found again as they stand
REFERENCES = COLUMNS | {
    "outputs",
    "tests",
    "rules",
    "rubric",
    "reward_model",
    "verification_info",
    "ground_truth",
    "test_info",
}


def unread_columns(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the columns with texts of LONG characters or more that neither question, reference nor traces use.

    Raises InputError for a row that is no problem.
    """
    columns = structured(row)
    _, problem = read_row(columns, Reading(needs_reference=False))
    read = [*_told(problem), *(trace.response for trace in traces_of(columns))]
    return tuple(name for name, value in columns.items() if name not in REFERENCES and _is_unread(value, read))


def _told(problem: Problem) -> Iterator[str]:
    """All texts of a problem."""
    yield problem.prompt
    yield problem.answer or ""
    yield from (problem.options or {}).values()
    yield from problem.solutions
    yield from (rule.id + json.dumps(dict(rule.kwargs), default=str) for rule in problem.rules)
    yield from (criterion.text for criterion in problem.rubric)


def _is_unread(value: Any, read: Sequence[str]) -> bool:
    return any(len(text) >= LONG and not _is_in(text, read) for text in _texts(value))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping) and value.get("role", value.get("from")) != "system":  # of another model
        for name, inner in value.items():
            yield from _texts(inner) if name not in REFERENCES else ()
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _is_in(text: str, read: Sequence[str]) -> bool:
    """Whether a piece from inside a text stands in what was read: tags and instructions may be gone from its ends."""
    text = task_in(text).question
    starts = (len(text) * place // (PROBES + 1) for place in range(1, PROBES + 1))
    probes = [text[start : start + PROBE] for start in starts]
    return any(probe in one for probe in probes for one in read)
