"""Seeds of one recipe as one: means over seeds with their 95% intervals, and differences paired by seed and problem.

over_seeds(group): Pass@1 of every stage, and its change against the stage it starts from
differences_by_seed(a, b): b - a of every seed that both have, each over the same problems, then over seeds

An interval over seeds says how a rerun with another seed (other weights, other problems dealt) would come out; that
over problems, which one run has, does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from etalon.report.files import Run, Score, StageRow
from etalon.report.read import Number
from etalon.report.several.entries import Group
from etalon.report.several.paired import compare, means_of
from etalon.report.stages import before
from etalon.stats import Interval, bounded_interval

Place = tuple[str, str]  # a stage and a domain


@dataclass(frozen=True, kw_only=True)
class OverSeeds:
    """One stage on one domain. seeds: how many have it; change: None where no seed knows one."""

    seeds: int
    score: Interval
    change: Interval | None


@dataclass(frozen=True, kw_only=True)
class BySeed:
    """seeds: that both groups have; is_same: each of them is the very same evaluation in both."""

    seeds: int
    difference: Interval
    is_same: bool


def over_seeds(group: Group) -> dict[Place, OverSeeds]:
    """Pass@1 of each stage and domain that any seed was evaluated on, in the order of the recipe."""
    scores: dict[Place, list[float]] = {}
    changes: dict[Place, list[float]] = {}
    for member in group.members:
        for stage in _stages(member.recipe):
            for domain, means in means_of(member.path, stage).items():
                if means:
                    scores.setdefault((stage, domain), []).append(sum(means.values()) / len(means))
        for row in member.run.summary.stages:
            for domain, score in row.domains.items():
                if (change := _change(member.run, row, domain, score)) is not None:
                    changes.setdefault((row.name, domain), []).append(change)
    order = [stage for member in group.members for stage in _stages(member.recipe)]
    return {
        place: OverSeeds(
            seeds=len(found),
            score=shares_over(found),
            change=differences_over(changes[place]) if place in changes else None,
        )
        for place, found in sorted(scores.items(), key=lambda one: order.index(one[0][0]))
    }


def _change(run: Run, row: StageRow, domain: str, score: Score) -> Number:
    """Against the stage it starts from; of weights that are those of another stage, too, for a mean over seeds."""
    earlier = before(run, row, domain)
    if not row.unchanged or score.pass1 is None or earlier is None or earlier.pass1 is None:
        return score.delta
    return score.pass1 - earlier.pass1


def differences_by_seed(a: Group, b: Group) -> dict[Place, BySeed]:
    """b - a in Pass@1 by stage and domain, over the seeds that both groups have."""
    ours = {member.seed: member for member in a.members}
    found: dict[Place, list[tuple[float, bool]]] = {}
    for member in b.members:
        if member.seed not in ours:
            continue
        for line in compare(ours[member.seed].path, member.path).lines:
            if line.difference is not None:
                found.setdefault((line.name, line.domain), []).append((line.difference, line.is_same))
    return {
        place: BySeed(
            seeds=len(pairs),
            difference=differences_over(difference for difference, _ in pairs),
            is_same=all(is_same for _, is_same in pairs),
        )
        for place, pairs in found.items()
    }


def shares_over(values: Sequence[float]) -> Interval:
    """The mean of shares with its 95% t interval, cut to [0, 1]; without an end for one value."""
    return bounded_interval(values, 0.0, 1.0)


def differences_over(values: Iterable[float]) -> Interval:
    """The same of differences of shares, cut to [-1, 1]."""
    return bounded_interval(list(values), -1.0, 1.0)


def _stages(recipe: Mapping[str, object]) -> list[str]:
    rows = recipe["stages"]
    assert isinstance(rows, list)
    return [str(row["name"]) for row in rows]
