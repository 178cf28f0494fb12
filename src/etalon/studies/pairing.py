"""What a study can say of two arms: means over seeds, differences paired by seed and problem. Pure functions.

Two questions about the same difference, kept apart:

    over_problems   would it be the same on other problems, with these very runs?       t over clusters of problems
    over_seeds      would it be the same with another seed (and deal of problems)?      t over the seeds' differences
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from etalon import stats

SHARE, DIFFERENCE = (0.0, 1.0), (-1.0, 1.0)  # where shares lie, and differences of shares


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A mean over seeds with its 95% interval (Student t; None for one seed), and the value of each seed in order."""

    mean: float
    low: float | None
    high: float | None
    values: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """An arm minus another. problems: how many pairs of one problem under one seed it is made of.

    low, high: 95% over seeds; problems_low, problems_high: 95% over problems. None where there is one of them alone.
    """

    mean: float
    low: float | None
    high: float | None
    problems_low: float | None
    problems_high: float | None
    values: tuple[float, ...]
    problems: int

    @property
    def is_clear(self) -> bool:
        """Both intervals exclude 0, and there is one over seeds."""
        intervals = ((self.low, self.high), (self.problems_low, self.problems_high))
        return all(stats.excludes_zero(*ends) for ends in intervals)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One seed's values by problem, before and after. clusters: of near copies among the problems."""

    before: Mapping[str, float]
    after: Mapping[str, float]
    clusters: Mapping[str, str]

    @property
    def differences(self) -> dict[str, float]:
        """After minus before, of the problems that both have."""
        return {name: self.after[name] - self.before[name] for name in sorted(self.before.keys() & self.after.keys())}


def over_seeds(values: Sequence[float], bounds: tuple[float, float] | None = None) -> Spread:
    """The mean of one value per seed with its t interval; ValueError without any.

    bounds: of shares and their differences. The interval is cut to them, and where all seeds agree it is no point: see
    `stats.mean_interval`.
    """
    if not values:
        raise ValueError("over_seeds: no seed has a value")
    mean = statistics.fmean(values)
    found = (
        stats.bounded_interval(values, *bounds) if bounds else stats.mean_interval(values, lowest=mean, highest=mean)
    )
    return Spread(mean=found.mean, low=stats.finite(found.low), high=stats.finite(found.high), values=tuple(values))


def difference(pairs: Sequence[Pair]) -> Difference | None:
    """What all seeds say of one difference; None where no seed has a problem in common.

    The mean is that of the seeds' means. A problem that several seeds have is one cluster over all of them.
    """
    by_seed = [pair.differences for pair in pairs]
    known = [(pair, found) for pair, found in zip(pairs, by_seed, strict=True) if found]
    if not known:
        return None
    spread = over_seeds([statistics.fmean(found.values()) for _, found in known], DIFFERENCE)
    values = [value for _, found in known for value in found.values()]
    names = [name for _, found in known for name in found]
    owner = owners([pair.clusters for pair, _ in known])
    clusters = [owner.get(name, name) for name in names]
    pooled = stats.mean_interval(values, clusters=clusters, lowest=-1.0, highest=1.0)
    shift = spread.mean - pooled.mean  # seeds with fewer problems in common count as much as the others
    low, high = (stats.finite(bound + shift) for bound in (pooled.low, pooled.high))
    return Difference(
        mean=spread.mean, low=spread.low, high=spread.high,
        problems_low=low if low is None else max(-1.0, low), problems_high=high if high is None else min(1.0, high),
        values=spread.values, problems=len(values),
    )  # fmt: skip


def owners(clusters: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The cluster of each problem over all seeds: what one seed holds for near copies is so for every seed.

    Names of clusters are a seed's own; one of the problems of a cluster names it here.
    """
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    for found in clusters:
        first: dict[str, str] = {}
        for name, cluster in found.items():
            parent[root(name)] = root(first.setdefault(cluster, name))
    return {name: root(name) for name in parent}
