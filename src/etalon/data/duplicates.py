r"""Which rows are copies of one another (exactly), and which problems are near copies, in one pass that keeps no rows.

    rows -> Keyed -> copies: the same words, numbers and operators    -> the first is kept; disagreement drops all
                  -> clusters: near copies of problems (problems.near) -> kept, but never parted by a split

A row that brings a trace of its own is no copy: `build` gathers the traces of a problem. Rows that give one problem
answers that differ, as a verifier compares answers, are worth nothing: nobody knows which is right.
"""

from __future__ import annotations

import hashlib
import html
import itertools
import re
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from etalon.data.gates import KEEP, Decision, drop
from etalon.data.ngrams import normalise
from etalon.data.records import Record, record_of
from etalon.problems import nano
from etalon.problems.clusters import question_alone
from etalon.problems.golds import alternatives
from etalon.problems.near import near
from etalon.problems.options import as_asked, can_shuffle
from etalon.types import Domain, Problem
from etalon.verifiers.math.answer import is_same

COPY, DISAGREE = "copy of another row", "copies that disagree on the answer"
MOST_ANSWERS = 16  # (ours) different spellings of the answers to one problem that are compared
# what `normalise` leaves out and two problems may differ in: f'(2), [0, 1), A ∪ B
_SIGNS = re.compile(r"(?<=[A-Za-z])['’′]+(?=\s*[(=^])|[\[\]]|[∀-∑∓-√∛-⋄⋆-⋿≪-⊙→-⇿°]")
_THOUSANDS = re.compile(r"(?<=\d)(?:\\[,;!]|\{,\})(?=\d{3}(?!\d))")  # 1\,000 1{,}000
_COMMAND = re.compile(r"\\([a-zA-Z]+)|\\[^a-zA-Z\\{}%]")
_LAYOUT = ("left", "right", "big", "Big", "bigl", "bigr", "Bigl", "Bigr", "displaystyle", "textstyle", "quad", "qquad")
_ALIASES = {
    "dfrac": r"\frac", "tfrac": r"\frac", "times": "*", "cdot": "*", "div": "/", "leq": "≤", "le": "≤", "leqslant": "≤",
    "geq": "≥", "ge": "≥", "geqslant": "≥", "neq": "≠", "ne": "≠", "pm": "±", "cup": "∪", "cap": "∩", "in": "∈",
    "infty": "∞", "to": "→", "rightarrow": "→",
}  # fmt: skip
_KNOWN_SIGNS = str.maketrans("", "", "−⋅≤≥≠√±")


@dataclass(frozen=True, kw_only=True, slots=True)
class Keyed:
    """What of a row is compared.

    text: the question, options in the order of their contents. answer: None where it has none. kind: near copies are
    of one kind, the domain. traces: a number for each response. family: near copies share it, where that is known
    without their words; "" elsewhere.
    """

    text: str
    answer: str | None = None
    kind: str = Domain.MATH.value
    traces: tuple[int, ...] = ()
    family: str = ""


def keyed(row: Record | Mapping[str, Any]) -> Keyed:
    """What of a record, or of a row that `record_of` reads, is compared."""
    record = row if isinstance(row, Record) else record_of(row)
    problem = record.problem
    text, answer = _question(problem), problem.answer
    if problem.options and answer is not None:
        answer = problem.options.get(answer.strip().upper(), answer)
    return Keyed(
        text=text,
        answer=answer,
        kind=problem.domain.value,
        traces=tuple(hash(trace.response) for trace in record.traces),
        family=nano.family_of(nano.question_of(problem)) if problem.source == "nano" else "",
    )


def exact_key(text: str) -> str:
    """Equal for texts that are copies: words, numbers, operators and signs, however they are set and spaced."""
    plain = html.unescape(text) if "&" in text else text
    if "\\" in plain or "{" in plain:
        plain = _COMMAND.sub(_written_out, _THOUSANDS.sub("", plain))
    signs = "".join(_SIGNS.findall(plain)).translate(_KNOWN_SIGNS)
    return f"{normalise(plain)}\n{signs}" if signs else normalise(plain)


def _written_out(command: re.Match[str]) -> str:
    """A command of LaTeX as the sign it stands for; nothing where it is one of layout."""
    name = command[1]
    return " " if name is None or name in _LAYOUT else f"{_ALIASES.get(name, command[0])} "


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """What is to become of each row, by its number, from 0."""

    nodes: Sequence[int]  # row -> its problem
    kept: Sequence[int]  # problem -> the row that is kept for it
    brings: bytearray  # row -> whether it has a trace that no row before it has
    texts: Sequence[str]
    answers: Mapping[int, tuple[str, ...]]  # of the problems whose copies disagree
    clusters: Sequence[str]

    def __len__(self) -> int:
        return len(self.nodes)

    def of(self, row: int) -> Decision:
        """The decision of a gate on the row; its text names the row that it copies, or the answers that differ."""
        node = self.nodes[row]
        if node in self.answers:
            return drop(DISAGREE, f"{' | '.join(self.answers[node])} | {self.texts[node]}")
        first = self.copy_of(row)
        return KEEP if first is None else drop(COPY, f"of row {first + 1} | {self.texts[node]}")

    def copy_of(self, row: int) -> int | None:
        """The row of which this one is a copy that brings nothing new; None for one that is kept for its own sake."""
        first = self.kept[self.nodes[row]]
        return None if first == row or self.brings[row] else first

    def cluster(self, row: int) -> str:
        """A name that all rows of the problem and of its near copies share, whatever their order."""
        return self.clusters[self.nodes[row]]


def duplicates(rows: Iterable[Keyed]) -> Decisions:
    """Look at all rows once; the texts of different problems are kept, and some bytes of each row.

    The kept row of a problem is the first that has an answer, or the first. InputError: see `near`.
    """
    seen = _Seen()
    for row in rows:
        seen.add(row)
    return Decisions(
        nodes=seen.nodes,
        kept=seen.kept,
        brings=seen.brings,
        texts=seen.texts,
        answers=dict(seen.disagreeing()),
        clusters=seen.clusters(),
    )


@dataclass
class _Seen:
    nodes: array[int] = field(default_factory=lambda: array("I"))
    kept: array[int] = field(default_factory=lambda: array("Q"))
    brings: bytearray = field(default_factory=bytearray)
    texts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.answers: dict[int, list[str]] = {}
        self.kinds: list[str] = []
        self.families: list[str] = []
        self._by_text: dict[int, int] = {}  # texts are rarely written in two ways: normalise each once
        self._by_key: dict[bytes, int] = {}
        self._traces: set[int] = set()

    def add(self, row: Keyed) -> None:
        number, node = len(self.nodes), self._node(row)
        self.nodes.append(node)
        if row.answer and (answer := row.answer.strip()):
            if node not in self.answers:
                self.kept[node] = number
            found = self.answers.setdefault(node, [])
            if answer not in found and len(found) < MOST_ANSWERS:
                found.append(answer)
        traces = {hash((node, one)) for one in row.traces}
        self.brings.append(not traces <= self._traces)
        self._traces |= traces

    def _node(self, row: Keyed) -> int:
        text = hash(row.text)
        node = self._by_text.get(text)
        if node is None:
            key = hashlib.blake2b(exact_key(row.text).encode("utf-8", "surrogatepass"), digest_size=8).digest()
            node = self._by_text[text] = self._by_key.setdefault(key, len(self.kept))
        if node == len(self.kept):
            self.kept.append(len(self.nodes))
            self.texts.append(row.text)
            self.kinds.append(row.kind)
            self.families.append(row.family)
        else:
            self.texts[node] = min(self.texts[node], row.text)
            self.kinds[node] = min(self.kinds[node], row.kind)
        return node

    def disagreeing(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        """The problems whose answers differ, with the answers."""
        for node, answers in self.answers.items():
            first, *others = sorted(answers)
            if any(_differ(first, other) for other in others):
                yield node, (first, *others)

    def clusters(self) -> list[str]:
        """The name of each problem's cluster."""
        members: dict[str, list[int]] = defaultdict(list)
        for kind in sorted(set(self.kinds)):
            nodes = [node for node, own in enumerate(self.kinds) if own == kind and not self.families[node]]
            for node, cluster in zip(nodes, near([self.texts[node] for node in nodes]), strict=True):
                members[f"{kind} {cluster}"].append(node)
        for node, family in enumerate(self.families):
            if family:
                members[f"family {family}"].append(node)
        names = [""] * len(self.texts)
        for nodes in members.values():
            least = min(self.texts[node] for node in nodes)
            name = hashlib.sha256(least.encode("utf-8", "surrogatepass")).hexdigest()[:12]
            for node in nodes:
                names[node] = name
        return names


def _question(problem: Problem) -> str:
    """The question without our instruction, its options in the order of their contents."""
    options = problem.options
    if not options:
        return question_alone(problem.prompt)
    order = sorted(options, key=lambda letter: (normalise(options[letter]), options[letter]))
    if can_shuffle(problem):
        return question_alone(as_asked(problem, order).prompt)
    if all(content in problem.prompt for content in options.values()):
        return question_alone(problem.prompt)
    return "\n".join([question_alone(problem.prompt), *(options[letter] for letter in order)])


def _differ(one: str, other: str) -> bool:
    """Whether two answers surely are not the same."""
    pairs = itertools.product(alternatives(one), alternatives(other))  # of several answers any counts
    return one.casefold() != other.casefold() and all(is_same(a, b) is False for a, b in pairs)
