"""When CLR's answer can no longer change, and which trajectories to verify until then. (ours)

A reliability lies in [0, 1], so a cluster's final score lies in
    [lower, upper] = [sum of its verified reliabilities, lower + number of its unverified trajectories]
and a trajectory that is not generated yet ("pending") may add up to 1 to any cluster, open a new one, or join two
clusters whose answers no rule can tell apart for good (`Standing.is_exact`).
Clusters share no trajectory, so every rival can end at its upper bound while the leader ends at its lower one: the
test below is necessary and sufficient once everything is generated. The answer is that of verifying everything, for
every outcome.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor

from etalon.clr.reliability import Clusters, cluster_scores


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What is known about one cluster.

    earliest: index of its first trajectory, which decides ties.
    lower: the sum of its verified reliabilities.
    unverified: indices of its other trajectories, in order; those whose verification is under way come first.
    is_exact: no answer still to come can join it with another exact cluster (two numbers, for example); of others a
    comparison may have failed, and a later answer that equals both makes one cluster of them.
    """

    earliest: int
    lower: Fraction
    unverified: tuple[int, ...]
    is_exact: bool = True

    @property
    def upper(self) -> Fraction:
        return self.lower + len(self.unverified)


def standings(
    clusters: Clusters,
    reliabilities: Mapping[int, Fraction],
    *,
    started: Container[int] = (),
    exact: Sequence[bool] | None = None,
) -> tuple[Standing, ...]:
    """The standing of each cluster, in the given order; `reliabilities` holds the verified trajectories only.

    started: trajectories whose verification is under way. exact: `is_exact` of each cluster; None is all of them.
    """
    scores = cluster_scores(clusters, reliabilities)
    return tuple(
        Standing(
            earliest=min(cluster),
            lower=lower,
            unverified=tuple(
                sorted((index for index in cluster if index not in reliabilities), key=lambda i: (i not in started, i))
            ),
            is_exact=is_exact,
        )
        for cluster, lower, is_exact in zip(clusters, scores, exact or [True] * len(clusters), strict=True)
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
    leader, plan = min(plans, key=lambda entry: (entry[1].size, -table[entry[0]].upper, table[entry[0]].earliest))
    chosen = list(table[leader].unverified[: plan.num_own])
    asked = [(rival, count) for rival, count in plan.rivals if count]
    for rival, count in sorted(asked, key=lambda entry: (-entry[0].upper, entry[0].earliest)):
        chosen += rival.unverified[:count]
    return tuple(chosen)


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """Verifications that could make one cluster safe: how many of its own, and how many of each rival."""

    num_own: int
    rivals: tuple[tuple[Standing, int], ...]

    @property
    def size(self) -> int:
        return self.num_own + sum(count for _, count in self.rivals)


def _plan(leader: int, table: Sequence[Standing], pending: Sequence[int]) -> _Plan | None:
    """The fewest verifications that can make `leader` safe.

    Each can close at most 1 of a rival's shortfall. One of the leader's own counts against all rivals at once, so
    among equally short plans the one with the most of those is taken.
    """
    own = table[leader]
    rivals = [(rival, _shortfall(own, rival, pending)) for rival in _rivals(leader, table, pending)]
    best: _Plan | None = None
    for num_own in range(len(own.unverified), -1, -1):
        counts = tuple((rival, max(0, shortfall - num_own)) for rival, shortfall in rivals)
        if any(count > len(rival.unverified) for rival, count in counts):
            break  # fewer of the leader's own would ask even more of the rivals
        plan = _Plan(num_own=num_own, rivals=counts)
        if best is None or plan.size < best.size:
            best = plan
    return best


def _shortfall(leader: Standing, rival: Standing, pending: Sequence[int]) -> int:
    """By how many whole reliabilities `leader` can still lose to `rival`; 0 when it cannot."""
    gap = rival.upper + len(pending) - leader.lower
    rival_earliest = min([rival.earliest, *pending])
    # a tie is enough for the cluster that came first; the other one must be strictly ahead
    return max(0, ceil(gap) if leader.earliest < rival_earliest else floor(gap) + 1)


def _rivals(leader: int, table: Sequence[Standing], pending: Sequence[int]) -> list[Standing]:
    """The other clusters; while trajectories are pending also the one they could open, and what they could join."""
    others = [standing for position, standing in enumerate(table) if position != leader]
    if not pending:
        return others
    newcomer = Standing(earliest=min(pending), lower=Fraction(0), unverified=())
    if sum(not standing.is_exact for standing in others) == 0 or len(others) < 2:
        return [*others, newcomer]
    joined = replace(
        newcomer,
        earliest=min(standing.earliest for standing in others),
        lower=sum((standing.lower for standing in others), Fraction(0)),
        unverified=tuple(index for standing in others for index in standing.unverified),
    )
    return [joined]
