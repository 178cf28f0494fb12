"""Which problem a row of a log is about: the one that its columns describe, or the benchmark's own.

Tools number problems by themselves and show options in orders of their own, so a problem of the benchmark is found by
its question, an id only helps, and the letters of a sample are those of the order that the row shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from etalon.errors import InputError
from etalon.problems.formats import Reading, read_row
from etalon.problems.formats.columns import QUESTIONS, structured
from etalon.problems.formats.references import doubt, options
from etalon.problems.instructions import without_instruction
from etalon.problems.rows import content_id
from etalon.problems.texts import prompt_of
from etalon.rows.bad import shown
from etalon.rows.mapping import AS_NAMED, ColumnMap
from etalon.types import Domain, Problem

SHORTEST = 20  # (ours) characters of a question by which alone a problem is found


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A problem as a row of a log asks it. letters: what the row calls each option -> the problem's own letter."""

    problem: Problem
    letters: Mapping[str, str] = field(default_factory=dict)

    def order(self, seen: Sequence[str] | None = None) -> tuple[str, ...] | None:
        """The problem's letters in the order that a sample saw, None for the problem's own (`Rollout.order`).

        seen: the row's letters in that order, None for the row's own.
        """
        if not self.letters:
            return None
        order = tuple(self.letters[letter] for letter in seen or self.letters)
        return None if order == tuple(self.problem.options or ()) else order


@dataclass(frozen=True, kw_only=True)
class Source:
    """The log that is read. known: the problems of its benchmark, None where the log must carry them."""

    path: Path
    known: Known | None = None
    columns: ColumnMap = AS_NAMED

    def asked(self, row: Mapping[str, Any], *, domain: Domain | None = None) -> Asked:
        """The problem of a row's columns; InputError where they describe none, or none of the benchmark's."""
        found = structured(self.columns.apply(dict(row)))
        found = {**_questions(found), **found}
        if self.known is not None:
            _, problem = read_row(found, Reading(domain=domain, needs_reference=False))
            own = self.known.find(problem.id, problem.prompt, question=_question(found, problem))
            is_same = _plain(own.prompt) == _plain(problem.prompt)
            return Asked(problem=own, letters=_letters(found, own, is_same=is_same))
        try:
            _, problem = read_row(found, Reading(domain=domain))
        except InputError as error:
            raise InputError(f"{error}; it may be in the benchmark's problems, which can be named, too") from None
        if why := doubt(problem):
            raise InputError(why)
        problem = problem if problem.id else replace(problem, id=content_id(problem))
        return Asked(problem=problem, letters=_letters(found, problem, is_same=True))


def _questions(row: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of a question under the names that readers know: Problem, Question."""
    return {name.lower(): value for name, value in row.items() if name.lower() in QUESTIONS}


def _question(row: Mapping[str, Any], problem: Problem) -> str:
    has_options = problem.options is not None
    return prompt_of(row) or without_instruction(problem.prompt, problem.domain, has_options=has_options)


def _letters(row: Mapping[str, Any], problem: Problem, *, is_same: bool) -> dict[str, str]:
    """The row's letters and the problem's, by the contents of the options; {} for a problem without options.

    is_same: the row asks with the problem's own prompt, which shows its options.
    """
    if problem.options is None:
        return {}
    listed = options(row, relabel=True)
    if listed is None:
        if is_same:
            return {letter: letter for letter in problem.options}
        raise InputError("options: missing, so that its letters may mean other options than the benchmark's")
    own = {_plain(content): letter for letter, content in problem.options.items()}
    found = {letter: own.get(_plain(content), "") for letter, content in listed.shown.items()}
    if sorted(found.values()) != sorted(problem.options):
        told = f"found {shown(list(listed.shown.values()))}, the problem has {shown(list(problem.options.values()))}"
        raise InputError(f"options: {told}")
    return found


class Known:
    """The problems of a benchmark, found by what was asked; an id under which it asks something else names none."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self._by_id = {problem.id: problem for problem in problems}
        self._plain = {problem.id: _plain(problem.prompt) for problem in problems}
        self._by_prompt = {self._plain[problem.id]: problem for problem in problems}

    def find(self, name: str, prompt: str = "", *, question: str = "") -> Problem:
        """The problem with this prompt, else with this question and id, else the only one with this question.

        Without a prompt the id decides. InputError where there is none.
        """
        if (prompt := _plain(prompt)) and (found := self._by_prompt.get(prompt)):
            return found
        question, found = _plain(question), self._by_id.get(name)
        if found is not None and (not prompt or (question and question in self._plain[name])):
            return found
        same = [one for one in self._by_id if question in self._plain[one]] if len(question) >= SHORTEST else []
        if len(same) == 1:
            return self._by_id[same[0]]
        if same:
            raise InputError(f"{len(same)} problems of the benchmark ask {shown(question)}, and none by this id")
        if found is not None:
            own = shown(self._plain[name])
            raise InputError(f"problem {shown(name)} asks {shown(question)}, the benchmark's {own}")
        raise InputError(f"problem {shown(name or question)} is not among the {len(self._by_id)} of the benchmark")


def _plain(text: str) -> str:
    return " ".join(text.split())
