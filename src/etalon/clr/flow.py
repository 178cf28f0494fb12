"""One conversation's way through CLR: K trajectories in, rounds of verification, one final answer with its record.

    read_trajectory -> Flow(trajectories) -> next_round / record_verdicts, until none is left -> finish

A trajectory without an answer is dropped and counted. A usable one without a claim gets the prior and is not
verified; missing claims and unreadable verdicts count as valid (CLR paper, arXiv 2608.11994), and are counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from etalon.clr.claims import parse_claims, without_claims
from etalon.clr.decision import next_to_verify, safe_leader, standings
from etalon.clr.reliability import reliability
from etalon.types import Rollout, Stop
from etalon.verifiers.text import extract_answer

Early = Literal["exact", "off"]
Dropped = Literal["failed", "truncated", "unparsed"]


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """One stage-1 response as CLR keeps it: no reasoning.

    answer: None when it was dropped; `dropped` then says why: the call failed, it hit the token limit before an
    answer, or it ended without one.
    claims: at most M.
    """

    index: int
    stop: Stop
    num_tokens: int
    calls: int
    answer: str | None
    dropped: Dropped | None
    claims: tuple[str, ...]
    error: str = ""


def read_trajectory(rollout: Rollout, index: int, m: int) -> Trajectory:
    """The answer and the claims of one response."""
    failed = rollout.stop is Stop.ERROR
    answer = None if failed else extract_answer(without_claims(rollout.text))
    dropped: Dropped | None = None
    if answer is None:
        dropped = "failed" if failed else "truncated" if rollout.stop is Stop.LENGTH else "unparsed"
    return Trajectory(
        index=index,
        stop=rollout.stop,
        num_tokens=rollout.num_tokens,
        calls=rollout.calls,
        answer=answer,
        dropped=dropped,
        claims=() if dropped else parse_claims(rollout.text, m),
        error=rollout.error,
    )


@dataclass(kw_only=True)
class Flow:
    """The state of one flow. The last four fields grow with each verification call.

    verdicts: of the shown claims per verified trajectory; None is unreadable, and an empty list a call that failed.
    reliabilities: of the verified trajectories, and the prior of those without claims or with a failed call.
    """

    question: str
    m: int
    early: Early
    prior: Fraction
    trajectories: tuple[Trajectory, ...]
    clusters: tuple[tuple[int, ...], ...]
    verdicts: dict[int, list[bool | None]] = field(default_factory=dict)
    reliabilities: dict[int, Fraction] = field(default_factory=dict)
    verify_calls: int = 0
    verify_tokens: int = 0

    def __post_init__(self) -> None:
        for trajectory in self.usable:
            if not trajectory.claims:
                self.reliabilities[trajectory.index] = self.prior

    @property
    def usable(self) -> list[Trajectory]:
        return [trajectory for trajectory in self.trajectories if trajectory.answer is not None]

    def next_round(self) -> tuple[int, ...]:
        """Indices of the trajectories to verify next; empty when the answer is decided (or there is none)."""
        if not self.clusters:
            return ()
        table = standings(self.clusters, self.reliabilities)
        if self.early == "off":
            return tuple(sorted(index for standing in table for index in standing.unverified))
        return () if safe_leader(table) is not None else next_to_verify(table)

    def record_verdicts(self, index: int, call: Rollout, verdicts: Sequence[bool | None]) -> None:
        """Take in the verification of one trajectory; `verdicts` has one entry per claim that was shown."""
        assert index not in self.reliabilities
        self.verify_calls += call.calls
        self.verify_tokens += call.num_tokens
        if call.stop is Stop.ERROR:  # nobody looked at the claims: as unknown as no claim
            self.verdicts[index] = []
            self.reliabilities[index] = self.prior
            return
        assert len(verdicts) == len(self.trajectories[index].claims)
        self.verdicts[index] = list(verdicts)
        padding = [True] * (self.m - len(verdicts))
        self.reliabilities[index] = reliability([verdict is not False for verdict in verdicts] + padding)
