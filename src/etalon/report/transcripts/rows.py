"""What a run asked and what its stages answered: stages/problems/*.jsonl and stages/STAGE/rollouts.jsonl, in bounds.

    questions(directory)          problem id -> Question, without its tests
    read_answers(places, ...)     rows of rollouts as `sampling.group_to_row` wrote them -> Answers

A large run is read in part: of evaluations the same problems of every stage, of phases every so manieth row; `left_out`
of what is returned says so. Rollouts stay the JSON objects that they are, for there are a hundred thousand of them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic_core import from_json

from etalon.report.html import count
from etalon.report.read import Part, Words, number, objects, text
from etalon.sampling.endpoint.answer import CLOSE, OPEN
from etalon.types import Stop

Kind = Literal["right", "wrong", "cut", "no answer", "undecided", "failed"]
KINDS: tuple[Kind, ...] = ("right", "wrong", "cut", "no answer", "undecided", "failed")
ROLLOUTS = "rollouts.jsonl"
READ_BYTES = 40_000_000  # (ours) parsed of the evaluations of a run
PHASE_BYTES = 4_000_000  # (ours) and of its training steps: what costs most time here
SCAN_BYTES = 1_000_000_000  # (ours) looked through for the rows that are parsed
LINE_BYTES = 32_000_000  # (ours) of a row; a longer one is left out
ID_WITHIN = 4096  # bytes of a row in which its problem_id stands
_UNENDED: Mapping[object, Kind] = {Stop.ERROR.value: "failed", Stop.LENGTH.value: "cut"}
_ID = re.compile(rb'"problem_id":\s*("(?:[^"\\]|\\.)*")')


class Question(Part):
    """What was asked. answer: the reference, "" where tests or rules decide."""

    id: Words
    domain: Words
    prompt: Words
    answer: Words


@dataclass(frozen=True, kw_only=True)
class Place:
    """A file of rollouts. is_phase: they were trained on, step by step; otherwise they are of an evaluation."""

    stage: str
    path: Path
    is_phase: bool = False


@dataclass(frozen=True, kw_only=True)
class Answers:
    """All rollouts of one problem by one stage, at one step of a phase."""

    stage: str
    step: int | None = None
    problem_id: str
    rollouts: Sequence[Mapping[str, Any]] = field(repr=False)

    @cached_property
    def scores(self) -> list[float]:
        """Of the decided rollouts."""
        found = (number(rollout.get("score")) for rollout in self.rollouts)
        return [score for score in found if score is not None]

    @cached_property
    def num_right(self) -> int:
        return sum(score >= 1 for score in self.scores)

    @property
    def rate(self) -> float | None:
        """The share of the decided rollouts that are right, p(q); None when none is decided."""
        return self.num_right / len(self.scores) if self.scores else None


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was read. part: of the evaluations, 1 is all of them. left_out: in words, what was not read."""

    answers: Sequence[Answers] = field(repr=False)
    part: float = 1.0
    left_out: tuple[str, ...] = ()


def kind_of(rollout: Mapping[str, Any]) -> Kind:
    """One word for the outcome: a response that was cut is neither right nor wrong, whatever it says before."""
    stop = rollout.get("stop")
    if isinstance(stop, str) and stop in _UNENDED:
        return _UNENDED[stop]
    score = rollout.get("score")
    if score == 1:
        return "right"
    if (found := number(score)) is None:
        return "undecided"
    if found > 1:
        return "right"
    reason = rollout.get("reason")
    return "no answer" if isinstance(reason, str) and reason.startswith("no_answer") else "wrong"


def parts_of(response: str) -> tuple[str | None, str | None]:
    """(thought, the rest): no thought without tags, no rest where the response ended inside its thought."""
    before, closed, rest = response.rpartition(CLOSE)
    if closed:
        return before.removeprefix(OPEN), rest
    return (response.removeprefix(OPEN), None) if response.startswith(OPEN) else (None, response)


def questions(directory: Path, names: Sequence[str] = ("test", "rl")) -> dict[str, Question]:
    """The problems of a run by id, those of the first file first; none where there is no such file."""
    found: dict[str, Question] = {}
    paths = [directory / "stages" / "problems" / f"{name}.jsonl" for name in names]
    for path in filter(Path.is_file, paths):
        for line in _lines(path, READ_BYTES):
            parsed = _parsed(line)
            if parsed is not None:
                question = Question.model_validate(parsed)
                found.setdefault(question.id, question)
    return found


def read_answers(
    places: Sequence[Place],
    asked: Mapping[str, Question],
    *,
    read_bytes: int = READ_BYTES,
    phase_bytes: int = PHASE_BYTES,
) -> Found:
    """The rollouts of these files, evaluations before phases, at most about so many bytes of either parsed."""
    present = [(place, place.path.stat().st_size) for place in places if place.path.is_file()]
    scan = SCAN_BYTES // max(len(present), 1)
    answers: list[Answers] = []
    left: list[str] = []
    parts: list[float] = []
    for is_phase, most in ((False, read_bytes), (True, phase_bytes)):
        own = [(place, size) for place, size in present if place.is_phase is is_phase]
        total = sum(size for _, size in own)
        part = min(most / total, 1.0) if total else 1.0
        parts.append(part)
        wanted = _spread(asked.values(), part) if part < 1 and asked and not is_phase else None
        for place, _ in own:
            answers += _read(place, wanted, part if wanted is None else 1.0, scan, left)
        if part < 1:
            which = "of the groups of the training steps" if is_phase else "of the problems of the evaluations"
            left.append(f"{1 - part:.0%} {which}, evenly over all of them, for they are {total / 1e6:,.1f} MB")
        left += [
            f"what lies behind the first {scan / 1e6:,.0f} MB of {place.path.parent.name}"
            for place, size in own
            if size > scan
        ]
    return Found(answers=answers, part=parts[0], left_out=tuple(left))


def _spread(asked: Collection[Question], part: float) -> set[str]:
    """Ids of about this part of the problems of every domain, evenly over their order; at least one of each."""
    places: dict[str, int] = {}
    found = set()
    for question in asked:
        place = places.get(question.domain, 0)
        places[question.domain] = place + 1
        if math.ceil((place + 1) * part) > math.ceil(place * part):
            found.add(question.id)
    return found


def _read(place: Place, wanted: set[str] | None, part: float, scan: int, left: list[str]) -> Iterator[Answers]:
    """The wanted rows of one file, or about this part of them all."""
    num_bad = 0
    for row_number, line in enumerate(_lines(place.path, scan)):
        if math.ceil((row_number + 1) * part) == math.ceil(row_number * part):
            continue
        if wanted is not None and _id_of(line) not in wanted:
            continue
        parsed = _parsed(line)
        if parsed is None:
            num_bad += 1
            continue
        yield Answers(
            stage=place.stage,
            step=int(number(parsed.get("step")) or 0) if place.is_phase else None,
            problem_id=text(parsed.get("problem_id")),
            rollouts=objects(parsed.get("rollouts")),
        )
    if num_bad:
        left.append(f"{place.stage}: {count(num_bad)} unreadable rows")


def _id_of(line: bytes) -> str | None:
    found = _ID.search(line, 0, ID_WITHIN)
    try:
        return text(json.loads(found[1])) if found else None
    except ValueError:
        return None


def _lines(path: Path, scan: int) -> Iterator[bytes]:
    """Lines of a file that begin in its first `scan` bytes; of one that is far too long the beginning alone."""
    with path.open("rb") as file:
        while file.tell() < scan and (line := file.readline(LINE_BYTES)):
            rest = line
            while rest and not rest.endswith(b"\n"):
                rest = file.readline(LINE_BYTES)
            if line.strip():
                yield line


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The object of a row; the fast parser knows no lone surrogates, which models do write."""
    try:
        found = from_json(line, cache_strings="keys")
    except ValueError:
        try:
            found = json.loads(line.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return None
    return found if isinstance(found, dict) else None
