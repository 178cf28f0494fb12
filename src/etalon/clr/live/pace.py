"""How long a live flow will still take, from how long its calls took so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

OVERDUE = 0.25  # (ours) of the mean: what a call that has outlived it is given
VERIFY_SHARE = 0.5  # (ours) of a generation: what a verification is taken for before one has ended


@dataclass
class Pace:
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
