"""One benchmark of an evaluation as the page shows it: its row of results.json beside the verdicts of its samples.

kind_of      each sample is one of: right, wrong, truncated, undecided, failed
scorecard_of  reads the verdicts, no text; where results.json has no row yet, what can be counted so far
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from etalon.evaluate.metrics import right_of, shares, spent
from etalon.evaluate.store import Key, Scored, counted, read_samples
from etalon.report.exports.shape import BenchmarkRow
from etalon.types import Stop

KINDS = ("right", "wrong", "truncated", "undecided", "failed")
NOT_SCORED = "not scored yet"


def kind_of(scored: Scored) -> str:
    """Truncated is neither right nor wrong (whatever it says before the cut); a part of a score is wrong here."""
    if scored.has_failed:
        return "failed"
    if scored.stop is Stop.LENGTH:
        return "truncated"
    return "undecided" if scored.score is None else "right" if scored.is_right else "wrong"


@dataclass(frozen=True, kw_only=True)
class Solved:
    """A problem with its samples, in order."""

    id: str
    samples: Sequence[Scored]

    @cached_property
    def rate(self) -> float | None:
        """Share of the decided samples that are right; None when none is decided."""
        rights = right_of(self.samples)
        return sum(rights) / len(rights) if rights else None

    @cached_property
    def kinds(self) -> Mapping[str, int]:
        return Counter(map(kind_of, self.samples))

    @cached_property
    def tokens(self) -> Sequence[int]:
        return sorted(one.tokens for one in self.samples if one.tokens is not None)


@dataclass(frozen=True, kw_only=True)
class Scorecard:
    """problems: the easiest first, those without a decided sample last. is_partial: results.json has no row of it."""

    row: BenchmarkRow
    problems: Sequence[Solved] = field(repr=False)
    is_partial: bool
    is_scored: bool

    @property
    def samples(self) -> list[Scored]:
        return [one for problem in self.problems for one in problem.samples]


def scorecard_of(folder: Path, name: str, row: BenchmarkRow | None) -> Scorecard:
    """The verdicts of one benchmark; samples that have none yet are undecided."""
    scores = counted(folder, name)
    found = scores or _unscored(folder, name)
    samples: dict[str, list[Scored]] = {}
    for one in found.values():
        samples.setdefault(one.id, []).append(one)
    problems = [Solved(id=key, samples=sorted(own, key=lambda one: one.index)) for key, own in samples.items()]
    problems.sort(key=lambda one: (one.rate is None, -(one.rate or 0.0), sum(one.tokens), one.id))
    return Scorecard(
        row=row or BenchmarkRow.model_validate(_so_far(name, problems, is_scored=bool(scores))),
        problems=problems,
        is_partial=row is None,
        is_scored=bool(scores),
    )


def _unscored(folder: Path, name: str) -> dict[Key, Scored]:
    return {
        sample.key: Scored(
            id=sample.id, index=sample.index, score=None, reason=NOT_SCORED, stop=sample.stop, tokens=sample.tokens
        )
        for sample in read_samples(folder, name)
    }


def _so_far(name: str, problems: Sequence[Solved], *, is_scored: bool) -> dict[str, Any]:
    """A row of what needs no statistics: no interval, no pass@k; before the samples are scored, lengths alone."""
    samples = [one for problem in problems for one in problem.samples]
    rates = [problem.rate for problem in problems if problem.rate is not None]
    counts = shares(samples, undecided_problems=len(problems) - len(rates))
    return {
        "name": name,
        "problems": len(problems),
        "n": max((len(problem.samples) for problem in problems), default=0),
        "samples": len(samples),
        "avg": sum(rates) / len(rates) if rates else None,
        **(counts if is_scored else {key: counts[key] for key in ("truncated", "failed")}),
        **spent(samples, None),
    }
