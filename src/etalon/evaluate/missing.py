"""What a score leaves out, and why: responses that failed, problems about which nothing is decided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from etalon.types import Group, Stop


def missing(groups: Sequence[Group], *, kept: Path | None = None) -> Iterator[str]:
    """A line for responses that failed, with the first error, and one for problems that drop out of every mean.

    kept: the file of these rollouts, which the same command would read again.
    """
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    errors = [rollout.error for rollout in rollouts if rollout.stop is Stop.ERROR]
    if errors:
        again = f"; remove {kept} to ask for them again" if kept else ""
        yield f"{len(errors)} of {len(rollouts)} responses failed; first error: {errors[0] or 'not told'}{again}"
    undecided = [group for group in groups if group.accuracy is None]
    if undecided:
        reason = "" if errors else f"; first reason: {undecided[0].verdicts[0].reason}"
        yield f"{len(undecided)} of {len(groups)} problems undecided, left out of the score{reason}"
