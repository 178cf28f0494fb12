"""What a live flow tells whoever watches it: how far it is, who leads, what it cost, how long it will still take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

EventKind = Literal["trajectory", "repair", "verdicts", "tick", "finish"]
OVERDUE = 0.25  # (ours) of the mean: what a call that has outlived it is given
VERIFY_SHARE = 0.5  # (ours) of a generation: what a verification is taken for before one has ended


@dataclass(frozen=True, kw_only=True)
class Rank:
    """One cluster: its final score lies between `score` and `score_max`."""

    answer: str
    votes: int
    score: float
    score_max: float


@dataclass(frozen=True, kw_only=True)
class ClrProgress:
    """A snapshot. `ended` of `k` trajectories have ended, `dropped` of them without an answer.

    verified: trajectories; calls_open: calls under way. tokens: of prompts and completions, those of calls under way
    as they stream. eta_seconds: at the rate so far, None before anything has ended.
    """

    k: int
    ended: int
    dropped: int
    verified: int
    calls_open: int
    calls: int
    tokens: int
    seconds: float
    eta_seconds: float | None
    leader: Rank | None
    rival: Rank | None


@dataclass(frozen=True, kw_only=True)
class ClrEvent:
    """Something happened to trajectory `index`; a "tick" says only that time has passed, "finish" is the last one."""

    kind: EventKind
    index: int | None
    progress: ClrProgress


OnEvent = Callable[[ClrEvent], None]


def line(progress: ClrProgress) -> str:
    """`17/32 trajectories, leader 42: 9.8, rival 41: 1.2, 11 verified, 214k tokens`: for a log or a stream."""
    parts = [f"{progress.ended}/{progress.k} trajectories"]
    if progress.dropped:
        parts.append(f"{progress.dropped} dropped")
    if progress.leader:
        parts.append(f"leader {ranked(progress.leader)}")
    if progress.rival:
        parts.append(f"rival {ranked(progress.rival)}")
    parts += [f"{progress.verified} verified", f"{short(progress.tokens)} tokens"]
    return ", ".join(parts)


def ranked(rank: Rank) -> str:
    """`42: 9.8`, or `42: 9.8..15.8` while some of it is unverified."""
    top = f"..{rank.score_max:.1f}" if rank.score_max > rank.score else ""
    answer = rank.answer if len(rank.answer) <= 40 else f"{rank.answer[:39]}…"
    return f"{answer}: {rank.score:.1f}{top}"


def short(count: int) -> str:
    """`214k`, `3.1M`; below ten thousand as it is."""
    if count < 10_000:
        return str(count)
    return f"{count / 1e3:.0f}k" if count < 1_000_000 else f"{count / 1e6:.1f}M"


@dataclass
class TimeLeft:
    """Mean seconds per call and stage; `limit` calls are under way at the same time."""

    limit: int
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def add(self, stage: str, seconds: float) -> None:
        """Take in a call that ended."""
        self.seconds.setdefault(stage, []).append(seconds)

    def seconds_left(self, open_calls: Sequence[tuple[str, float]], *, unsent: int, unverified: int) -> float | None:
        """Seconds until everything that is known to be needed has ended; None before any generation has.

        Args:
            open_calls: (stage, age in seconds) of each call under way.
            unsent, unverified: generations and verifications still to come.
        """
        generate = self._mean("generate")
        if generate is None:
            return None
        verify = self._mean("verify") or VERIFY_SHARE * generate
        means = {"generate": generate, "verify": verify, "repair": self._mean("repair") or verify}
        rest = [max(means[stage] - age, OVERDUE * means[stage]) for stage, age in open_calls]
        verifying = sum(stage != "generate" for stage, _ in open_calls)
        ahead = generate * unsent + verify * max(0, unverified - verifying)
        return max([(sum(rest) + ahead) / self.limit, *rest])

    def _mean(self, stage: str) -> float | None:
        found = self.seconds.get(stage)
        return sum(found) / len(found) if found else None
