"""A finished record against the right answer: CLR, the majority and a single sample, from the same trajectories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etalon.types import Domain, Problem
from etalon.verifiers import verify


def judge(record: Mapping[str, Any], reference: str) -> dict[str, Any]:
    """The record with `reference`, `correct` of each cluster and of the answer, `cons_k` and `pass1`.

    cons_k: whether the majority of the same trajectories (Cons@K) is right. pass1: share of right ones among the
    trajectories that ended, failed calls and undecided comparisons left out; a truncated or unparsed one is not right.
    None is undecided, all of it when the reference is unreadable. With early decision fewer than K may have ended.
    """
    problem = Problem(id="question", domain=Domain.MATH, prompt=str(record["question"]), answer=reference)
    outcome: dict[str | None, bool | None] = {None: False}
    of_trajectory: dict[int, bool | None] = {}
    for cluster in record["clusters"]:
        verdict = verify(problem, f"\\boxed{{{cluster['answer']}}}")
        outcome[cluster["answer"]] = None if verdict.is_undecided else verdict.is_correct
        of_trajectory |= dict.fromkeys(cluster["trajectories"], outcome[cluster["answer"]])
    ended = [of_trajectory.get(t["index"], False) for t in record["trajectories"] if t["dropped"] != "failed"]
    is_known = any(outcome[cluster["answer"]] is not None for cluster in record["clusters"]) or not record["clusters"]
    decided = [is_right for is_right in ended if is_right is not None and is_known]
    return {
        **record,
        "reference": reference,
        "correct": outcome[record["answer"]],
        "cons_k": outcome[record["majority"]],
        "pass1": sum(decided) / len(decided) if decided else None,
        "clusters": [{**cluster, "correct": outcome[cluster["answer"]]} for cluster in record["clusters"]],
    }
