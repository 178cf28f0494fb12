"""Groups -> Pass@1 of each problem -> one row of the stage table. Standard library only.

Undecided rollouts are skipped and counted, never wrong.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from etalon.types import Group, Stop


@dataclass(frozen=True, kw_only=True)
class DomainScore:
    """How one checkpoint does on one domain. None means that there was nothing to average.

    passk is over the problems with at least k decided rollouts; truncated and the token means leave out calls that
    failed (`Stop.ERROR`).
    """

    problems: int  # with at least one decided rollout: those that pass1 averages
    undecided_problems: int  # with none: left out of every mean
    k: int
    pass1: float | None
    passk: float | None
    mean_tokens: float | None
    correct_tokens: float | None
    truncated: float  # share of the rollouts that hit the token limit
    no_answer: float  # share of the decided rollouts that ended by themselves without one
    undecided: int  # rollouts


def pass_at_k(num_samples: int, num_correct: int, k: int) -> float:
    """The unbiased estimate of P(at least one of k samples is correct): 1 - C(n-c, k) / C(n, k).

    Args:
        num_samples: how many were drawn, at least k; fewer cannot estimate it and are an error.
    """
    if not 0 <= num_correct <= num_samples:
        raise ValueError(f"pass_at_k: {num_correct} correct of {num_samples} samples")
    if not 1 <= k <= num_samples:
        raise ValueError(f"pass_at_k: k must be between 1 and the number of samples {num_samples}, not {k}")
    return 1.0 - math.comb(num_samples - num_correct, k) / math.comb(num_samples, k)


def problem_means(groups: Sequence[Group]) -> dict[str, float]:
    """Pass@1 of each problem: the share of its decided rollouts that are fully correct; undecided problems left out."""
    means = {group.problem.id: group.accuracy for group in groups}
    assert len(means) == len(groups), "two groups of one problem"
    return {problem_id: mean for problem_id, mean in means.items() if mean is not None}


def score_groups(groups: Sequence[Group], k: int) -> DomainScore:
    """The stage table's row for one domain, without its change."""
    means = problem_means(groups)
    answered = [rollout for group in groups for rollout in group.rollouts if rollout.stop is not Stop.ERROR]
    right = [r for g in groups for r, v in zip(g.rollouts, g.verdicts, strict=True) if v.is_correct]
    counts = [(len(g.scores), sum(v.is_correct for v in g.verdicts)) for g in groups]
    return DomainScore(
        problems=len(means),
        undecided_problems=len(groups) - len(means),
        k=k,
        pass1=_mean(list(means.values())),
        passk=_mean([pass_at_k(decided, correct, k) for decided, correct in counts if decided >= k]),
        mean_tokens=_mean([rollout.num_tokens for rollout in answered]),
        correct_tokens=_mean([rollout.num_tokens for rollout in right]),
        truncated=_mean([rollout.stop is Stop.LENGTH for rollout in answered]) or 0.0,
        no_answer=_mean([v.gave_none for g in groups for v in g.verdicts if not v.is_undecided]) or 0.0,
        undecided=sum(verdict.is_undecided for group in groups for verdict in group.verdicts),
    )


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def accuracy_histogram(accuracies: Sequence[float], num_bars: int = 11) -> list[int]:
    """Counts for bars centred at 0, 1/(num_bars-1), ..., 1; the two ends hold exactly 0 and exactly 1."""
    counts = [0] * num_bars
    for accuracy in accuracies:
        place = accuracy * (num_bars - 1)
        # halves go towards the centre, so that p and 1 - p fall into mirrored bars
        bar = math.floor(place + 0.5) if accuracy < 0.5 else math.ceil(place - 0.5)
        counts[bar if accuracy in (0, 1) else min(max(bar, 1), num_bars - 2)] += 1
    return counts
