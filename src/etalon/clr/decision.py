"""When CLR's answer can no longer change, and which trajectories to verify until then. (ours)

A reliability lies in [0, 1], so a cluster's final score lies in
    [lower, upper] = [sum of its verified reliabilities, lower + number of its unverified trajectories]
and a trajectory that is not generated yet ("pending") may add up to 1 to any cluster, or open a new one.
Clusters share no trajectory, so every rival can end at its upper bound while the leader ends at its lower one: the
test below is necessary and sufficient. The answer is that of verifying everything, for every outcome.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from etalon.clr.reliability import Clusters, cluster_scores


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What is known about one cluster.

    earliest: index of its first trajectory, which decides ties.
    lower: the sum of its verified reliabilities.
    unverified: indices of its other trajectories, in order.
    """

    earliest: int
    lower: Fraction
    unverified: tuple[int, ...]

    @property
    def upper(self) -> Fraction:
        return self.lower + len(self.unverified)


def standings(clusters: Clusters, reliabilities: Mapping[int, Fraction]) -> tuple[Standing, ...]:
    """The standing of each cluster, in the given order; `reliabilities` holds the verified trajectories only."""
    return tuple(
        Standing(
            earliest=min(cluster),
            lower=lower,
            unverified=tuple(sorted(index for index in cluster if index not in reliabilities)),
        )
        for cluster, lower in zip(clusters, cluster_scores(clusters, reliabilities), strict=True)
    )


def leader_is_safe(leader: int, table: Sequence[Standing], pending: Sequence[int] = ()) -> bool:
    """Whether cluster `leader` wins whatever the verdicts still to come; `pending` are indices not yet generated."""
    return all(_shortfall(table[leader], rival, pending) == 0 for rival in _rivals(leader, table, pending))


def safe_leader(table: Sequence[Standing], pending: Sequence[int] = ()) -> int | None:
    """Position of the cluster that has already won, or None while the answer is open."""
    # a safe cluster has a lower bound above all upper bounds, so above all lower bounds: only this one can be safe
    leader = max(range(len(table)), key=lambda position: (table[position].lower, -table[position].earliest))
    return leader if leader_is_safe(leader, table, pending) else None


def next_to_verify(table: Sequence[Standing], pending: Sequence[int] = ()) -> tuple[int, ...]:
    """The trajectories to verify in the next round, most useful first; none once the answer is safe.

    As many as the fewest that could settle the answer if every verdict helped: no schedule can need fewer, so a round
    may be sent in parallel. With `pending` it is also empty when verifying alone cannot settle the answer.
    """
    plans = [(leader, plan) for leader in range(len(table)) if (plan := _plan(leader, table, pending)) is not None]
    if not plans:
        return ()
    leader, (num_own, rival_counts) = min(
        plans,
        key=lambda entry: (entry[1][0] + sum(entry[1][1]), -table[entry[0]].upper, table[entry[0]].earliest),
    )
    chosen = list(table[leader].unverified[:num_own])
    rivals = [(standing, count) for standing, count in zip(table, rival_counts, strict=True) if count]
    for standing, count in sorted(rivals, key=lambda entry: (-entry[0].upper, entry[0].earliest)):
        chosen += standing.unverified[:count]
    return tuple(chosen)


def _plan(leader: int, table: Sequence[Standing], pending: Sequence[int]) -> tuple[int, list[int]] | None:
    """The fewest verifications that can make `leader` safe: (how many of its own, how many of each cluster).

    Each can close at most 1 of a rival's shortfall. One of the leader's own counts against all rivals at once, so
    among equally short plans the one with the most of those is taken.
    """
    newcomer = _shortfall(table[leader], _newcomer(pending), pending) if pending else 0
    shortfalls = [
        0 if position == leader else _shortfall(table[leader], rival, pending) for position, rival in enumerate(table)
    ]
    best: tuple[int, list[int]] | None = None
    for num_own in range(len(table[leader].unverified), newcomer - 1, -1):
        counts = [max(0, shortfall - num_own) for shortfall in shortfalls]
        if any(count > len(rival.unverified) for count, rival in zip(counts, table, strict=True)):
            break  # fewer of the leader's own would ask even more of the rivals
        if best is None or num_own + sum(counts) < best[0] + sum(best[1]):
            best = (num_own, counts)
    return best


def _shortfall(leader: Standing, rival: Standing, pending: Sequence[int]) -> int:
    """By how many whole reliabilities `leader` can still lose to `rival`; 0 when it cannot."""
    gap = rival.upper + len(pending) - leader.lower
    rival_earliest = min([rival.earliest, *pending])
    # a tie is enough for the cluster that came first; the other one must be strictly ahead
    return max(0, ceil(gap) if leader.earliest < rival_earliest else floor(gap) + 1)


def _rivals(leader: int, table: Sequence[Standing], pending: Sequence[int]) -> list[Standing]:
    others = [standing for position, standing in enumerate(table) if position != leader]
    return [*others, _newcomer(pending)] if pending else others


def _newcomer(pending: Sequence[int]) -> Standing:
    """The cluster that the pending trajectories could open together."""
    return Standing(earliest=min(pending), lower=Fraction(0), unverified=())
