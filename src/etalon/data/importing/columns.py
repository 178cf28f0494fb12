"""Which column became what: found by looking for the record's texts in the row, whatever reader made the record.

    {"problem": "2+2?", "answer": "4", "generations": [...]}  ->  question <- problem, answer <- answer,
                                                                  traces <- generations

`would_do` finds a --map with which a row that no reader knows is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from etalon.data.records import OPEN, Record
from etalon.problems.cases import COLUMNS as OF_TESTS
from etalon.problems.formats import Reading
from etalon.problems.formats.columns import ANSWERS, gold, structured
from etalon.problems.instructions import without_instruction
from etalon.rows.files import Row
from etalon.rows.mapping import ColumnMap

PIECE = 60  # (ours) characters of a text that tell it from others
MOST_LEAVES = 2000  # (ours) values of a row that are looked at
FEW_WORDS = 12  # (ours) of what may be an answer
_INDEX = re.compile(r"\.\d+(?=\.|$)")
_DECIDED_BY = ("options", "tests", "rules", "rubric")
_COLUMNS_OF = {
    "options": ("options", "choices", "A"),
    "tests": ("tests", "reward_model", "verification_info", *sorted(OF_TESTS)),
    "rules": ("rules", "instruction_id_list", "constraint", "ground_truth"),
    "rubric": ("rubric",),
}


def mapping(columns: Mapping[str, Any], record: Record) -> dict[str, str]:
    """field -> the column, or the way to it inside JSON, that it was read from; "?" where the text stands nowhere."""
    row = structured(columns)
    leaves = list(islice(_leaves(row), MOST_LEAVES))
    problem = record.problem
    asked = without_instruction(problem.prompt, problem.domain, has_options=bool(problem.options))
    found = {"question": _holding(asked, leaves)}
    if problem.answer is not None:
        found["answer"] = _answer(problem.answer, leaves, dict(problem.options or {}))
    for field in _DECIDED_BY:
        if getattr(problem, field):
            found[field] = next((name for name in _COLUMNS_OF[field] if row.get(name) is not None), "?")
    if record.traces:
        found["traces"] = ", ".join(dict.fromkeys(_holding(trace.response, leaves) for trace in record.traces))
    for field, value in (("source", problem.source), ("license", record.license), ("date", problem.date)):
        if value and (name := next((path for path, leaf in leaves if str(leaf) == value), "")):
            found[field] = name
    return found


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{path}.{place}")
    elif value is not None:
        yield path, value


def _piece(text: str) -> str:
    """The middle of a text: what is put in front of it or behind it does not matter."""
    text = text.strip()
    start = max(0, (len(text) - PIECE) // 2)
    return text[start : start + PIECE]


def _holding(text: str, leaves: list[tuple[str, Any]]) -> str:
    """The shortest text that holds the middle of this one, of equal ones the least deep, else the longest one in it."""
    piece, texts = _piece(text), [(len(leaf), path, leaf) for path, leaf in leaves if isinstance(leaf, str)]
    if holding := [(size, path) for size, path, leaf in texts if piece and piece in leaf]:
        return _INDEX.sub("", min(holding, key=lambda one: (one[0], one[1].count("."), one[1]))[1])
    inside = [(size, path) for size, path, leaf in texts if leaf.strip() and leaf.strip() in text]
    return _INDEX.sub("", max(inside)[1]) if inside else "?"


def _answer(answer: str, leaves: list[tuple[str, Any]], options: dict[str, str]) -> str:
    """Where an answer stands by itself, under a name for answers if there is one; else where a text ends in it."""
    wanted = {answer, options.get(answer, answer).strip()}
    alone = [path for path, leaf in leaves if _as_answer(leaf) in wanted]
    named = [path for path in alone if path.rpartition(".")[2] in ANSWERS or path in ANSWERS]
    ends = [path for path, leaf in leaves if isinstance(leaf, str) and answer in leaf[-len(answer) - 200 :]]
    return next((_INDEX.sub("", path) for path in (*named, *alone, *ends[::-1])), "?")


def _as_answer(leaf: Any) -> str:
    is_number = isinstance(leaf, int | float) and not isinstance(leaf, bool)
    return gold("answer", leaf).removesuffix(".0") if is_number else str(leaf).strip()


def would_do(row: Row, reading: Reading = OPEN) -> str:
    """A `--map` with which a row that no reader knows is read, "" where none of its texts can be a question."""
    from etalon.data.importing.reading import Read, read

    leaves = list(islice(_leaves(row.columns or {}), MOST_LEAVES))
    texts = sorted((path for path, leaf in leaves if isinstance(leaf, str)), key=lambda path: -_words(leaves, path))
    short = [path for path, leaf in leaves if _is_short(leaf)]
    question = next((path for path in texts if _words(leaves, path) > 1), "")
    answer = next((path for path in reversed(short) if path != question), "")
    for pairs in (((("question", question), ("answer", answer)) if answer else ()), (("question", question),)):
        if question and pairs and isinstance(read(row, columns=ColumnMap(pairs=tuple(pairs)), reading=reading), Read):
            return " ".join(f"--map {field}={column}" for field, column in pairs)
    return ""


def _words(leaves: list[tuple[str, Any]], path: str) -> int:
    return next(len(str(leaf).split()) for name, leaf in leaves if name == path)


def _is_short(leaf: Any) -> bool:
    if isinstance(leaf, bool) or not isinstance(leaf, str | int | float):
        return False
    return 0 < len(str(leaf).split()) <= FEW_WORDS
