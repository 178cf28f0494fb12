"""Is a query usable (2.1.1)? Complete, reasonable, valid, and able to test something."""

from __future__ import annotations

from collections.abc import Sequence

from etalon.types import Sampler, Verdict
from etalon.verifiers.judges.asking import Judge


def query_quality_judge(sampler: Sampler, *, query: str, seed: int = 0, folder: str = "default") -> Verdict:
    """1.0 when the judge finds the query fit for training and testing, else 0.0; undecided when it does not say."""
    return judge_queries(Judge(sampler, folder=folder, seed=seed), [query])[0]


def judge_queries(judge: Judge, queries: Sequence[str]) -> list[Verdict]:
    """`query_quality_judge` for many, in one batch."""
    return judge.decide("judge_query_quality", [{"query": query} for query in queries])
