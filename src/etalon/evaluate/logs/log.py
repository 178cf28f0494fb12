"""What a log of another tool comes to: problems, samples, the convention of its answers, and what could not be read.

Row of the log -> Reader.read -> Entry(problem, samples)          one reader for each tool
first pass   problems, settings, the convention, the rows that cannot be read
second pass  samples, one row at a time, as often as they are asked for
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from etalon.errors import InputError
from etalon.evaluate.store import Sample
from etalon.rows.bad import BadRows, shown
from etalon.rows.files import Row
from etalon.types import Answers, Problem, Stop
from etalon.verifiers.conventions import ANSWERED, states

MOST_NAMED = 20  # (ours) rows that a log names as unreadable; all are counted
LOOKED_AT, ENDS = 300, 4000  # (ours) responses that choose a convention where the log tells none, and their characters
PLAIN = (Answers.BOXED, Answers.HASH, Answers.LETTER_SENTENCE, Answers.SENTENCE)  # at equal counts the first

Settings = Mapping[str, Any]


class UnreadableLogError(InputError):
    """The whole log cannot be used, whatever its other rows say."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What one row of a log holds: a problem, and responses to it."""

    problem: Problem
    samples: tuple[Sample, ...]


@dataclass(frozen=True, kw_only=True)
class About:
    """What a log says of itself, beside its rows.

    told: the convention that the tool itself asked for, and how that is known; None where nothing says.
    notes: what a reader of its scores should know. knows_cuts: whether it says which responses the limit cut.
    """

    version: str = ""
    name: str = ""
    model: str = ""
    settings: Settings = field(default_factory=dict)
    told: tuple[Answers, str] | None = None
    notes: tuple[str, ...] = ()
    knows_cuts: bool = True


class Reader(Protocol):
    """Reads the rows of one log, in order; a new one for each pass."""

    def read(self, row: Row) -> Entry | None:
        """The entry of a row; None for one that repeats a response. InputError where it cannot be read."""
        ...

    def about(self) -> About:
        """What is known when all rows were read."""
        ...


@dataclass(frozen=True, kw_only=True)
class Log:
    """The log of another tool, as this project reads it.

    name: of its task, fit for the name of a file. version: of the tool, or of its format; "" where nothing says.
    answers: the convention by which to score it again; because: why this one.
    samples: read anew from the log each time they are asked for, one row at a time.
    num_rows, num_bad: rows of the log, and those that could not be read; bad names the first of these.
    """

    tool: str
    version: str
    name: str
    model: str
    settings: Settings
    answers: Answers
    because: str
    problems: list[Problem]
    samples: Iterable[Sample]
    num_rows: int
    num_bad: int
    bad: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    knows_cuts: bool = True


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The samples of a log; every iteration reads it from its beginning."""

    rows: Callable[[], Iterable[Row]]
    reader: Callable[[], Reader]
    problems: Mapping[str, Problem]

    def __iter__(self) -> Iterator[Sample]:
        reader = self.reader()
        for row in self.rows():
            if row.is_blank:
                continue
            try:
                entry = _read(reader, row)
            except (InputError, RecursionError):
                continue
            if entry and self.problems.get(entry.problem.id) == entry.problem:
                yield from entry.samples


def read_all(
    tool: str, path: Path, rows: Callable[[], Iterable[Row]], reader: Callable[[], Reader], answers: Answers | None
) -> Log:
    """The log that rows come to. InputError where none of them can be read, or the log as a whole."""
    one, found = reader(), _Found(path)
    for row in rows():
        if not row.is_blank:
            found.add(one, row)
    found.check()
    about = one.about()
    chosen, because = (answers, "asked for") if answers else about.told or found.convention()
    return Log(
        tool=tool, version=about.version, name=file_safe(about.name or path.stem), model=about.model,
        settings=about.settings, answers=chosen, because=because, problems=list(found.problems.values()),
        samples=Samples(rows=rows, reader=reader, problems=found.problems), bad=tuple(found.named),
        num_rows=found.bad.rows, num_bad=found.bad.bad, notes=about.notes, knows_cuts=about.knows_cuts,
    )  # fmt: skip


class _Found:
    """What the first pass over a log collects; of responses only counts stay."""

    def __init__(self, path: Path) -> None:
        self.problems: dict[str, Problem] = {}
        self.named: list[str] = []
        self.bad = BadRows(str(path), max_bad=1.0)
        self._stated: Counter[Answers] = Counter()
        self._num_looked_at = 0

    def add(self, reader: Reader, row: Row) -> None:
        try:
            entry = _read(reader, row)
            if entry is not None:
                self._keep(entry.problem)
        except UnreadableLogError:
            raise
        except (InputError, RecursionError) as error:
            why = str(error) or "nested too deep"
            self.bad.count(row.place, why)
            if len(self.named) < MOST_NAMED:
                self.named.append(f"{row.place}: {why}")
            return
        self.bad.count(row.place)
        if entry is not None:
            for sample in entry.samples:
                self._look(entry.problem, sample)

    def _keep(self, problem: Problem) -> None:
        if self.problems.setdefault(problem.id, problem) != problem:
            raise InputError(f"id {shown(problem.id)} already names another problem")

    def _look(self, problem: Problem, sample: Sample) -> None:
        if self._num_looked_at >= LOOKED_AT or problem.domain not in ANSWERED or sample.stop is not Stop.EOS:
            return
        self._num_looked_at += 1
        self._stated.update(one for one in Answers if states(problem, sample.text[-ENDS:], one))

    def check(self) -> None:
        if not self.bad.rows:
            raise InputError(f"{self.bad.name}: has no rows")
        self.bad.check()

    def convention(self) -> tuple[Answers, str]:
        """The convention by which most responses state an answer, and the counts behind the choice.

        The last line is one only where no other finds an answer: every response has a last line.
        """
        if not self._num_looked_at:
            return Answers.BOXED, "no response of it is decided by an answer that it states"
        best = max(PLAIN, key=lambda one: self._stated[one])
        if not self._stated[best] and self._stated[Answers.LAST_LINE]:
            best = Answers.LAST_LINE
        counts = ", ".join(f"{one} {self._stated[one]:,}" for one in Answers)
        return best, f"what {self._num_looked_at:,} whole responses state: {counts}"


def _read(reader: Reader, row: Row) -> Entry | None:
    if row.columns is None:
        raise InputError(row.why)
    return reader.read(row)


def file_safe(name: str) -> str:
    """A name in which only letters, digits, dots, dashes and underscores are left."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "log"


def as_object(value: Any) -> Mapping[str, Any]:
    """A value that should be an object; {} for what is none."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """A value that should be a list; [] for what is none."""
    return value if isinstance(value, list) else []


def as_count(value: Any) -> int | None:
    """A value that should be a whole number; None for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def as_share(value: Any) -> float | None:
    """A score between 0 and 1; None for what is none."""
    if isinstance(value, bool | int | float) and 0 <= value <= 1:  # not a number is not
        return float(value)
    return None
