"""Results of a contest: how many of its attempts are right, x of problems times rollouts (3.1: x/16 on LeetCode)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from etalon.types import Problem


@dataclass(frozen=True, kw_only=True)
class Contest:
    """right of `attempts` decided rollouts of `problems` problems; undecided ones are in neither.

    date: the first of its problems' dates, "" where none is known.
    """

    name: str
    problems: int
    right: int
    attempts: int
    undecided: int
    date: str = ""


def by_contest(problems: Sequence[Problem], scores: Mapping[str, Sequence[float | None]]) -> list[Contest]:
    """The contests of a set (`Problem.source`), by date and then by name. scores: of each problem's rollouts."""
    found: dict[str, list[Problem]] = {}
    for problem in problems:
        found.setdefault(problem.source, []).append(problem)
    contests = [_counted(name, members, scores) for name, members in found.items()]
    return sorted(contests, key=lambda contest: (contest.date, contest.name))


def _counted(name: str, problems: Sequence[Problem], scores: Mapping[str, Sequence[float | None]]) -> Contest:
    given = [score for problem in problems for score in scores.get(problem.id, ())]
    decided = [score for score in given if score is not None]
    return Contest(
        name=name,
        problems=len(problems),
        right=sum(score >= 1.0 for score in decided),
        attempts=len(decided),
        undecided=len(given) - len(decided),
        date=min((problem.date for problem in problems if problem.date), default=""),
    )
