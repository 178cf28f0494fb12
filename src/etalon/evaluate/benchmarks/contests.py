"""Results of a contest: how many of its attempts are right, x of problems times rollouts (3.1: x/16 on LeetCode)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from etalon.types import Group


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


def by_contest(groups: Sequence[Group]) -> list[Contest]:
    """The contests of a set (`Problem.source`), by date and then by name."""
    found: dict[str, list[Group]] = {}
    for group in groups:
        found.setdefault(group.problem.source, []).append(group)
    contests = [_counted(name, members) for name, members in found.items()]
    return sorted(contests, key=lambda contest: (contest.date, contest.name))


def _counted(name: str, groups: Sequence[Group]) -> Contest:
    verdicts = [verdict for group in groups for verdict in group.verdicts]
    undecided = sum(verdict.is_undecided for verdict in verdicts)
    return Contest(
        name=name,
        problems=len(groups),
        right=sum(verdict.is_correct for verdict in verdicts),
        attempts=len(verdicts) - undecided,
        undecided=undecided,
        date=min((group.problem.date for group in groups if group.problem.date), default=""),
    )
