"""Every number a table prints, as pure functions of counts and per-problem means. Standard library only.

    Groups -> problem_means -> mean_interval      Pass@1 with its 95% interval
                            -> paired_difference  what a stage bought, problem by problem
           -> score_groups -> DomainScore         one row of the stage table

A problem is the unit of chance: its rollouts are correlated, so intervals are taken over per-problem means, never over
rollouts. Problems that are near copies share a cluster (`problems.clusters`), and then the cluster is the unit.
Undecided rollouts are skipped and counted, never wrong.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from etalon.types import Group, Stop

CONFIDENCE = 0.95
NOTHING = 1e-12  # what rounding leaves of a spread of 0


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean with its two-sided 95% interval; one problem alone has the interval (-inf, inf)."""

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


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


def mean_interval(
    per_problem_means: Sequence[float],
    *,
    clusters: Sequence[Hashable] | None = None,
    lowest: float = 0.0,
    highest: float = 1.0,
) -> Interval:
    """The mean over problems with its 95% Student t interval; not cut to [lowest, highest].

    With clusters the variance is that of their sums of residuals (Liang and Zeger 1986, with the factor G/(G-1) of G
    clusters and G-1 degrees of freedom); where every problem stands alone that is the ordinary standard error.

    Where all clusters agree their spread is 0, and t would claim certainty (0 of 50 right: 0..0). Then no more than
    `unseen_share` of further clusters is taken to differ from these, and by as much as the bounds allow.

    Args:
        clusters: of each problem, what it has in common with its near copies; None: every problem stands alone.
        lowest, highest: what a problem can have at all: 0 and 1 for shares.
    """
    if not per_problem_means:
        raise ValueError("mean_interval: no problems")
    num_problems = len(per_problem_means)
    mean = math.fsum(per_problem_means) / num_problems
    residuals: dict[Hashable, list[float]] = {}
    for cluster, value in zip(clusters or range(num_problems), per_problem_means, strict=True):
        residuals.setdefault(cluster, []).append(value - mean)
    num_clusters = len(residuals)
    if num_clusters == 1:
        return Interval(mean=mean, low=-math.inf, high=math.inf)
    squares = math.fsum(math.fsum(members) ** 2 for members in residuals.values())
    standard_error = math.sqrt(squares * num_clusters / (num_clusters - 1)) / num_problems
    if standard_error < NOTHING:
        share = unseen_share(num_clusters)
        low, high = mean - share * max(0.0, mean - lowest), mean + share * max(0.0, highest - mean)
        return Interval(mean=mean, low=low, high=high)
    half_width = t_quantile(num_clusters - 1) * standard_error
    return Interval(mean=mean, low=mean - half_width, high=mean + half_width)


def unseen_share(num_problems: int) -> float:
    """The upper end of the 95% interval of a share that 0 of `num_problems` show: 0.31 for 10, 0.071 for 50.

    Exact (Clopper and Pearson 1934): a larger share would show in none of them less than 2.5% of the time.
    """
    return 1.0 - math.pow((1.0 - CONFIDENCE) / 2, 1 / num_problems)


def paired_difference(
    before: Mapping[str, float], after: Mapping[str, float], *, clusters: Mapping[str, str] | None = None
) -> Interval:
    """after - before over the problems that both have, with the 95% interval of the paired difference.

    Args:
        before, after: shares, by problem; where all differ by the same, see `mean_interval`.
        clusters: problem -> its cluster; one that is not named stands alone.
    """
    common = sorted(before.keys() & after.keys())
    if not common:
        raise ValueError("paired_difference: no problem is in both")
    return mean_interval(
        [after[problem_id] - before[problem_id] for problem_id in common],
        clusters=cluster_ids(common, clusters or {}),
        lowest=-1.0,
    )


def cluster_ids(problem_ids: Iterable[str], clusters: Mapping[str, str]) -> list[Hashable]:
    """The cluster of each problem; one that is not named stands alone."""
    return [("cluster", clusters[one]) if one in clusters else ("problem", one) for one in problem_ids]


@lru_cache
def t_quantile(degrees: int) -> float:
    """t such that P(|T| <= t) = 95% for Student's t with that many degrees of freedom (1 or more)."""
    low, high = 0.0, 13.0  # the largest is 12.706, at one degree
    while True:
        middle = (low + high) / 2
        if middle in (low, high):
            return middle
        low, high = (middle, high) if _t_central(middle, degrees) < CONFIDENCE else (low, middle)


def _t_central(t: float, degrees: int) -> float:
    """P(|T| <= t), exact for whole degrees of freedom (Abramowitz & Stegun 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(degrees))
    cos2 = math.cos(angle) ** 2
    is_odd = degrees % 2 == 1
    term = math.cos(angle) if is_odd else 1.0
    series = 0.0
    for factor in range(2 if is_odd else 1, degrees, 2):
        series += term
        term *= cos2 * factor / (factor + 1)
    return 2 / math.pi * (angle + math.sin(angle) * series) if is_odd else math.sin(angle) * series


def cons_accuracy(clusters: Sequence[int | None], correct: Sequence[bool], k: int) -> float:
    """1.0 if the majority vote of the first k rollouts is correct, else 0.0; ties go to the earliest rollout.

    Args:
        clusters: index of each rollout's answer cluster; None gave no answer and casts no vote.
        correct: of each rollout; the earliest member of the winning cluster is the answer.
    """
    _check_votes(clusters, correct, k)
    voters = [(cluster, is_correct) for cluster, is_correct in zip(clusters[:k], correct, strict=False)]
    votes = Counter(cluster for cluster, _ in voters if cluster is not None)
    if not votes:
        return 0.0
    # Counter keeps the order of first sight and max the first of equals: ties go to the earliest
    winner = max(votes, key=votes.__getitem__)
    return float(next(is_correct for cluster, is_correct in voters if cluster == winner))


def cons_at_k(clusters: Sequence[int | None], correct: Sequence[bool], k: int) -> float:
    """Expected accuracy of the majority vote of k of the rollouts, drawn without replacement, in random order.

    What majority voting at a k below the n of an evaluation comes to. Exact: in a random order each of the tied
    clusters comes first equally often, and so does each member of a cluster; so a cluster that wins with `votes`
    contributes its share of correct members, divided by the ties.
    """
    _check_votes(clusters, correct, k)
    sizes = Counter(cluster for cluster in clusters if cluster is not None)
    num_correct = Counter(c for c, is_correct in zip(clusters, correct, strict=True) if c is not None and is_correct)
    silent = len(clusters) - sizes.total()
    expected = 0.0
    for winner, right in num_correct.items():
        rivals = [size for cluster, size in sizes.items() if cluster != winner]
        for votes in range(1, min(k, sizes[winner]) + 1):
            draws = math.comb(sizes[winner], votes) * _rival_draws(rivals, silent, votes, k - votes)
            expected += right / sizes[winner] * draws
    return expected / math.comb(len(clusters), k)


def _rival_draws(rivals: Sequence[int], silent: int, votes: int, num_drawn: int) -> float:
    """Ways to draw `num_drawn` rollouts so that no rival has more than `votes`, each divided by 1 + its ties."""
    # ways[drawn][ties], one rival after the other
    ways = [[1] if drawn == 0 else [0] for drawn in range(num_drawn + 1)]
    for size in rivals:
        grown = [[0] * (len(ways[0]) + 1) for _ in ways]
        for drawn, by_ties in enumerate(ways):
            for taken in range(min(votes, size, num_drawn - drawn) + 1):
                for ties, count in enumerate(by_ties):
                    grown[drawn + taken][ties + (taken == votes)] += count * math.comb(size, taken)
        ways = grown
    return math.fsum(
        count * math.comb(silent, num_drawn - drawn) / (1 + ties)
        for drawn, by_ties in enumerate(ways)
        for ties, count in enumerate(by_ties)
        if count
    )


def _check_votes(clusters: Sequence[int | None], correct: Sequence[bool], k: int) -> None:
    if len(clusters) != len(correct):
        raise ValueError(f"{len(clusters)} clusters for {len(correct)} verdicts")
    if not 1 <= k <= len(clusters):
        raise ValueError(f"k must be between 1 and the number of rollouts {len(clusters)}, not {k}")


def accuracy_histogram(accuracies: Sequence[float], num_bars: int = 11) -> list[int]:
    """Counts for bars centred at 0, 1/(num_bars-1), ..., 1; the two ends hold exactly 0 and exactly 1."""
    counts = [0] * num_bars
    for accuracy in accuracies:
        place = accuracy * (num_bars - 1)
        # halves go towards the centre, so that p and 1 - p fall into mirrored bars
        bar = math.floor(place + 0.5) if accuracy < 0.5 else math.ceil(place - 0.5)
        counts[bar if accuracy in (0, 1) else min(max(bar, 1), num_bars - 2)] += 1
    return counts


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


def finite(bound: float) -> float | None:
    """JSON has no infinity."""
    return bound if math.isfinite(bound) else None
