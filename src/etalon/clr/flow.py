"""One conversation's way through CLR: trajectories in, verdicts in, until the answer is decided; then its record.

    read_trajectory -> Flow.add -> next_round or wanted / record_verdicts, until settled -> record

A trajectory without an answer is dropped and counted. A usable one without a claim gets the prior and is not
verified; missing claims and unreadable verdicts count as valid (CLR paper, arXiv 2608.11994), and are counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal

from etalon.clr.decision import Standing, next_to_verify, safe_leader, standings
from etalon.clr.reliability import Exponent, cluster_scores, reliability, winner
from etalon.clr.spend import Ledger
from etalon.clr.trajectory import Trajectory
from etalon.types import Conversation, Rollout, Stop
from etalon.verifiers import canonical
from etalon.verifiers import cluster as cluster_answers
from etalon.verifiers.math.read.normalise import is_prose

Early = Literal["exact", "off"]
Cluster = Callable[[Sequence[str | None]], Sequence[int | None]]  # a cluster number per answer, None for None

UNVERIFIED = Fraction(1, 2)  # (ours) what an unverified trajectory is taken for when a flow ends undecided
STRAGGLERS = 8  # (ours) verification starts once at most K / 8 trajectories are still being generated ...
WORTH = Fraction(3, 2)  # (ours) ... or when it costs at most 1.5 calls per generation that it may save

_RATIONAL = re.compile(r"-?\d+(/\d+)?%?")


@dataclass(kw_only=True)
class Flow:
    """The state of one flow. The fields after `system` grow with each call.

    question, system: what a verifier is shown beside the claims.

    repairs: a usable trajectory without claims waits for `repair`; otherwise it has the prior at once.
    verdicts: of the shown claims per verified trajectory; None is unreadable, and an empty list a call that failed.
    reliabilities: of the verified trajectories, and the prior of those without claims or with a failed call.
    repaired: whether the repair of a trajectory gave claims.
    """

    question: str
    k: int
    m: int
    early: Early
    prior: Fraction
    exponent: Exponent = "m"
    cluster: Cluster = cluster_answers
    repairs: bool = False
    system: Conversation = ()
    trajectories: dict[int, Trajectory] = field(default_factory=dict)
    clusters: tuple[tuple[int, ...], ...] = ()
    verdicts: dict[int, list[bool | None]] = field(default_factory=dict)
    reliabilities: dict[int, Fraction] = field(default_factory=dict)
    repaired: dict[int, bool] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)

    @property
    def ended(self) -> list[Trajectory]:
        """All trajectories there are, by index."""
        return [self.trajectories[index] for index in sorted(self.trajectories)]

    @property
    def usable(self) -> list[Trajectory]:
        return [trajectory for trajectory in self.ended if trajectory.answer is not None]

    @property
    def pending(self) -> list[int]:
        """Indices of the trajectories that have not ended."""
        return [index for index in range(self.k) if index not in self.trajectories]

    def add(self, trajectories: Iterable[Trajectory]) -> None:
        """Take in trajectories that ended, in any order: the clusters do not depend on it."""
        for trajectory in trajectories:
            assert trajectory.index not in self.trajectories
            assert trajectory.index < self.k
            self.trajectories[trajectory.index] = trajectory
            if trajectory.answer is not None and not trajectory.claims and not self.repairs:
                self.reliabilities[trajectory.index] = self.prior
        ended = self.ended
        members: dict[int, list[int]] = {}
        for trajectory, number in zip(ended, self.cluster([t.answer for t in ended]), strict=True):
            if number is not None:
                members.setdefault(number, []).append(trajectory.index)
        self.clusters = tuple(tuple(indices) for indices in members.values())

    def table(self, started: Set[int] = frozenset()) -> tuple[Standing, ...]:
        """The standing of each cluster; `started` are trajectories whose verification is under way."""
        exact = [any(_is_exact(self.trajectories[index].answer) for index in cluster) for cluster in self.clusters]
        return standings(self.clusters, self.reliabilities, started=started, exact=exact)

    def next_round(self) -> tuple[int, ...]:
        """Indices of the trajectories to verify next; empty when the answer is decided (or there is none)."""
        assert not self.pending
        if not self.clusters:
            return ()
        table = self.table()
        if self.early == "off":
            return tuple(sorted(index for standing in table for index in standing.unverified))
        return () if safe_leader(table) is not None else next_to_verify(table)

    def wanted(self, started: Set[int], *, unsent: int) -> tuple[int, ...]:
        """Trajectories to verify now, while others are still being generated.

        With early decision off each one that has ended; otherwise those that could settle the answer. In simulation
        (K = 32) the rule of STRAGGLERS and WORTH takes 59 to 68% of the 2K calls and two thirds to four fifths of the
        time of a full CLR; waiting for the last trajectory takes 53 to 64% and up to 1.3 times the time, verifying
        each trajectory that ends 86 to 93% and half the time.

        Args:
            started: trajectories whose verification or repair is under way.
            unsent: how many generations have not been sent.
        """
        if not self.clusters:
            return ()
        table, pending = self.table(started), self.pending
        if self.early == "off":
            open_ones = sorted(index for standing in table for index in standing.unverified)
            return tuple(index for index in open_ones if index not in started)
        if safe_leader(table, pending) is not None:
            return ()
        plan = next_to_verify(table, pending)
        if len(pending) > self.k // STRAGGLERS and len(plan) > WORTH * unsent:
            return ()
        # what is under way counts towards the plan, also where the plan has moved on to others
        return tuple(index for index in plan if index not in started)[: max(0, len(plan) - len(started))]

    def settled(self, k_min: int = 1) -> bool:
        """Whether the answer is final: nothing is open, or nothing that is open can change it.

        With fewer than `k_min` usable trajectories it waits for all of them, so that too few of them is noticed.
        """
        if not self.clusters:
            return not self.pending
        table = self.table()
        if self.early == "off":
            return not self.pending and not any(standing.unverified for standing in table)
        return safe_leader(table, self.pending) is not None and (not self.pending or len(self.usable) >= k_min)

    @property
    def leader(self) -> int | None:
        """Position of the cluster that answers: the winner once settled, before that the most promising one."""
        if not self.clusters:
            return None
        scores = cluster_scores(self.clusters, self.reliabilities)
        open_ones = [sum(index not in self.reliabilities for index in cluster) for cluster in self.clusters]
        return winner(self.clusters, [s + UNVERIFIED * n for s, n in zip(scores, open_ones, strict=True)])

    def needs_repair(self, index: int) -> bool:
        """Whether a trajectory must be asked for its claims before it can be verified."""
        return not self.trajectories[index].claims

    def record_repair(self, index: int, call: Rollout, claims: Sequence[str]) -> None:
        """Take in the one repair of a trajectory without claims; without claims still, it has the prior."""
        assert self.needs_repair(index)
        assert index not in self.repaired
        self.ledger.add("repair", call)
        self.repaired[index] = bool(claims)
        if claims:
            self.trajectories[index] = replace(self.trajectories[index], claims=tuple(claims[: self.m]))
        else:
            self.reliabilities[index] = self.prior

    def record_verdicts(self, index: int, call: Rollout, verdicts: Sequence[bool | None]) -> None:
        """Take in the verification of one trajectory; `verdicts` has one entry per claim that was shown."""
        assert index not in self.reliabilities
        self.ledger.add("verify", call)
        if call.stop is Stop.ERROR:  # nobody looked at the claims: as unknown as no claim
            self.verdicts[index] = []
            self.reliabilities[index] = self.prior
            return
        assert len(verdicts) == len(self.trajectories[index].claims)
        self.verdicts[index] = list(verdicts)
        padding = [True] * (self.m - len(verdicts))
        self.reliabilities[index] = reliability([verdict is not False for verdict in verdicts] + padding, self.exponent)


def _is_exact(answer: str | None) -> bool:
    """Numbers are compared by value and words by their letters, so two such answers differ for good."""
    key = "" if answer is None else canonical(answer)
    return bool(_RATIONAL.fullmatch(key)) or is_prose(key)
