"""Which traces self-distillation learns from (2.3): the middle-to-high range of learning potential.

    S_LP = -(1/|y|) sum_t log p_student(y_t | q, y_<t)      mean negative log-probability of a correct trace

S_LP depends on domain and length, so traces are ranked only against others of their bucket, never globally:

    traces -> (too short: set aside) -> bucket = domain x length quantile -> keep low <= rank <= high

Below `low` the student already knows the trace; above `high` are outliers (noise, broken text). To compare with, as
many of each bucket may be taken at random, or those of the highest learning potential, outliers included (ours).
"""

from __future__ import annotations

import bisect
import math
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from etalon.errors import ConfigError
from etalon.types import Domain, Trace

MIN_BUCKET = 5  # (ours) traces per bucket below which a domain gets fewer buckets: a rank needs company
MIN_RANKED = 3  # (ours) with fewer traces both tails would be the whole bucket: all are kept
Choose = Literal["band", "random", "top"]


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """Traces of one domain and similar length: their scores, the range that was kept, and how many were.

    Of traces that were taken at random, the range is the band that says how many.
    """

    domain: str
    length_low: int
    length_high: int
    scores: tuple[float, ...]
    low: float
    high: float
    kept: int


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The traces to learn from, in the order given, and what was decided about the others.

    too_low, too_high: outside the band. not_chosen: what is left out in place of these where not the band chooses.
    """

    kept: tuple[Trace, ...]
    buckets: tuple[Bucket, ...]
    too_short: int
    unscored: int
    too_low: int = 0
    too_high: int = 0
    not_chosen: int = 0
    choose: Choose = "band"

    def record(self) -> dict[str, Any]:
        """The selection as JSON values, for the report."""
        reasons = ("too_low", "too_high") if self.choose == "band" else ("not_chosen",)
        counts = {name: getattr(self, name) for name in ("too_short", "unscored", *reasons)}
        buckets = [{**asdict(bucket), "scores": list(bucket.scores)} for bucket in self.buckets]
        candidates = len(self.kept) + sum(counts.values())
        return {
            "choose": self.choose, "candidates": candidates, "kept": len(self.kept), **counts, "buckets": buckets
        }  # fmt: skip


def learning_potential(logprobs: Sequence[float]) -> float:
    """S_LP (2.3): the mean negative log-probability of a response's tokens under the student."""
    return -math.fsum(logprobs) / len(logprobs)


def select(
    traces: Sequence[Trace], *, min_tokens: int, num_buckets: int, low: float, high: float, choose: Choose = "band",
    seed: int = 0,
) -> Selection:  # fmt: skip
    """Keep the traces whose learning potential lies between two quantiles of their own bucket.

    Args:
        min_tokens: shorter traces are set aside: their mean over a few tokens says little.
        num_buckets: length quantiles per domain; fewer where a domain has under 5 traces for each.
        low, high: quantiles in [0, 1]; traces outside them are left out.
        choose: "random" and "top" keep as many of each bucket as lie in the band: drawn with `seed`, or those with the
            highest learning potential, the earlier ones of equals.
    """
    if not low < high:
        raise ConfigError(f"distill.low: {low} is not below distill.high ({high}); nothing would be kept")
    long_enough = [trace for trace in traces if trace.num_tokens >= min_tokens]
    scored = [trace for trace in long_enough if is_scored(trace)]
    by_domain: dict[Domain, list[Trace]] = defaultdict(list)
    for trace in scored:
        by_domain[trace.domain].append(trace)

    buckets: list[Bucket] = []
    passed: set[int] = set()
    too_low = 0
    for domain, candidates in sorted(by_domain.items()):
        for number, members in enumerate(length_buckets(candidates, num_buckets)):
            low_score, high_score = score_range([score_of(trace) for trace in members], low, high)
            inside = [trace for trace in members if low_score <= score_of(trace) <= high_score]
            if choose == "random":
                inside = random.Random(f"{seed}-{domain}-{number}").sample(members, len(inside))
            elif choose == "top" and inside:
                inside = sorted(members, key=score_of, reverse=True)[: len(inside)]
                low_score, high_score = score_of(inside[-1]), score_of(inside[0])
            passed.update(id(trace) for trace in inside)
            too_low += sum(score_of(trace) < low_score for trace in members)
            buckets.append(_bucket(domain, members, low_score, high_score, len(inside)))
    kept = tuple(trace for trace in scored if id(trace) in passed)
    left_out = len(scored) - len(kept)
    is_band = choose == "band"
    return Selection(
        kept=kept,
        buckets=tuple(buckets),
        too_short=len(traces) - len(long_enough),
        unscored=len(long_enough) - len(scored),
        too_low=too_low if is_band else 0,
        too_high=left_out - too_low if is_band else 0,
        not_chosen=0 if is_band else left_out,
        choose=choose,
    )


def is_scored(trace: Trace) -> bool:
    """Whether a finite learning potential was measured."""
    return trace.learning_potential is not None and math.isfinite(trace.learning_potential)


def score_of(trace: Trace) -> float:
    assert trace.learning_potential is not None
    return trace.learning_potential


def length_buckets(traces: Sequence[Trace], num_buckets: int) -> list[list[Trace]]:
    """The traces of one domain, by length quantile; traces of equal length are never parted."""
    count = max(1, min(num_buckets, len(traces) // MIN_BUCKET))
    lengths = sorted(trace.num_tokens for trace in traces)
    firsts = sorted({lengths[index * len(lengths) // count] for index in range(1, count)})
    members: list[list[Trace]] = [[] for _ in range(len(firsts) + 1)]
    for trace in traces:
        members[bisect.bisect_right(firsts, trace.num_tokens)].append(trace)
    return [bucket for bucket in members if bucket]


def score_range(scores: Sequence[float], low: float, high: float) -> tuple[float, float]:
    """The scores at two quantiles; everything when there are too few scores to rank."""
    if len(scores) < MIN_RANKED:
        return min(scores), max(scores)
    ordered = sorted(scores)
    return quantile(ordered, low), quantile(ordered, high)


def quantile(ordered: Sequence[float], q: float) -> float:
    """The q-quantile of sorted values, interpolated between neighbours."""
    position = q * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    share = position - below
    return ordered[below] + share * (ordered[above] - ordered[below])  # exact when the neighbours are equal


def _bucket(domain: Domain, members: Sequence[Trace], low: float, high: float, kept: int) -> Bucket:
    lengths = [trace.num_tokens for trace in members]
    return Bucket(
        domain=domain.value,
        length_low=min(lengths),
        length_high=max(lengths),
        scores=tuple(sorted(score_of(trace) for trace in members)),
        low=low,
        high=high,
        kept=kept,
    )
