"""A finished flow as one Rollout: the final answer, the true cost, a JSON record of how it was decided.

`judge` sets a record against the right answer: CLR, the majority and a single sample, from the same trajectories.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from etalon.clr.flow import Flow
from etalon.clr.reliability import majority
from etalon.clr.spend import STAGES
from etalon.clr.trajectory import Trajectory
from etalon.types import Domain, Problem, Rollout, Stop
from etalon.verifiers import verify
from etalon.verifiers.text import extract_answer

CALLS_PER_TRAJECTORY = 2  # CLR: one to generate, one to verify
START_CHARS, END_CHARS = 300, 500  # (ours) of a dropped text that a record keeps: its answer should have come last


def final_rollout(flow: Flow, index: int) -> Rollout:
    """The answer of a decided flow in a box.

    Without a usable trajectory there is none, and `error` says why: `Stop.ERROR` where a call failed, so that asking
    again may help; a flow whose calls all came back without an answer is a response without one.
    num_tokens and calls are those of both stages together, also of trajectories that were dropped.
    """
    record = detail(flow)
    answer = record["answer"]
    has_failed = record["counts"]["failed"] > 0 or not flow.ended
    return Rollout(
        index=index,
        text="" if answer is None else stated(answer),
        stop=Stop.ERROR if answer is None and has_failed else Stop.EOS,
        num_tokens=flow.ledger.completion_tokens,
        calls=flow.ledger.calls,
        error=why_unusable(flow) if answer is None else "",
        detail=record,
    )


def stated(answer: str) -> str:
    """The answer so that a verifier extracts it unchanged: in a box, unless its own braces are not balanced."""
    boxed = f"\\boxed{{{answer}}}"
    return boxed if extract_answer(boxed) == answer else f"Answer: {answer}"


def detail(flow: Flow) -> dict[str, Any]:
    """The record, JSON values only.

    majority is the answer with the most votes among the same trajectories (Cons@K), first that of the earliest usable
    one (Pass@1, when nothing is known of the right answer). A cluster's final score lies between score and score_max;
    they differ where the early decision left trajectories unverified. trajectories are those that ended, k counts
    all. calls and tokens of the responses are by stage; calls_full is what verifying everything costs (2K); `counts`
    is explained at `_counts`.
    """
    chosen = flow.leader
    voted = majority(flow.clusters) if flow.clusters else None
    booked = {stage: flow.ledger.stages[stage] for stage in STAGES}
    shown = [stage for stage in STAGES if stage in ("generate", "verify") or booked[stage].calls]
    return {
        "answer": None if chosen is None else answer_of(flow, chosen),
        "majority": None if voted is None else answer_of(flow, voted),
        "first": flow.usable[0].answer if flow.usable else None,
        "k": flow.k,
        "m": flow.m,
        "early": flow.early,
        "prior": float(flow.prior),
        "exponent": flow.exponent,
        "clusters": _clusters(flow),
        "trajectories": [_trajectory(flow, trajectory) for trajectory in flow.ended],
        "counts": _counts(flow),
        "calls": {stage: booked[stage].calls for stage in shown},
        "tokens": {stage: booked[stage].tokens for stage in shown},
        "calls_full": CALLS_PER_TRAJECTORY * flow.k,
    }


def answer_of(flow: Flow, position: int) -> str | None:
    """What a cluster answers, in the words of its earliest trajectory."""
    return flow.trajectories[min(flow.clusters[position])].answer


def _clusters(flow: Flow) -> list[dict[str, Any]]:
    table = flow.table()
    return [
        {
            "answer": answer_of(flow, position),
            "votes": len(cluster),
            "score": float(standing.lower),
            "score_max": float(standing.upper),
            "unverified": len(standing.unverified),
            "trajectories": list(cluster),
        }
        for position, (cluster, standing) in enumerate(zip(flow.clusters, table, strict=True))
    ]


def _trajectory(flow: Flow, trajectory: Trajectory) -> dict[str, Any]:
    """One trajectory; `valid` of a claim is None when its verdict is unreadable or was not asked for.

    text: of a dropped one, shortened; without its reasoning.
    """
    reliability = flow.reliabilities.get(trajectory.index)
    verdicts = flow.verdicts.get(trajectory.index) or [None] * len(trajectory.claims)
    return {
        "index": trajectory.index,
        "answer": trajectory.answer,
        "stop": trajectory.stop.value,
        "tokens": trajectory.num_tokens,
        "dropped": trajectory.dropped,
        "error": trajectory.error,
        **({"text": ends_of(trajectory.text)} if trajectory.dropped and trajectory.text else {}),
        "claims": [
            {"text": claim, "valid": verdict} for claim, verdict in zip(trajectory.claims, verdicts, strict=True)
        ],
        "verified": bool(flow.verdicts.get(trajectory.index)),
        "reliability": None if reliability is None else float(reliability),
    }


def ends_of(text: str) -> str:
    """The start and the end of a text that is long."""
    left_out = len(text) - START_CHARS - END_CHARS
    return f"{text[:START_CHARS]} … ({left_out:,} characters) … {text[-END_CHARS:]}" if left_out > 0 else text


def _counts(flow: Flow) -> dict[str, int]:
    """How often something was missing.

    failed, truncated, unparsed: trajectories that were dropped. pending: those that the early decision, a budget or
    an interruption left out. no_claims: usable trajectories without a claim. missing_claims: padded claims of the
    other usable ones. repaired: trajectories whose claims a second call gave. unreadable_verdicts: single verdicts
    taken as valid. failed_verifications: calls that failed, whose trajectory got the prior.
    """
    dropped = Counter(trajectory.dropped for trajectory in flow.ended)
    with_claims = [trajectory for trajectory in flow.usable if trajectory.claims]
    return {
        "usable": len(flow.usable),
        "failed": dropped["failed"],
        "truncated": dropped["truncated"],
        "unparsed": dropped["unparsed"],
        "pending": len(flow.pending),
        "no_claims": len(flow.usable) - len(with_claims),
        "missing_claims": sum(flow.m - len(trajectory.claims) for trajectory in with_claims),
        "repaired": sum(flow.repaired.values()),
        "unreadable_verdicts": sum(verdicts.count(None) for verdicts in flow.verdicts.values()),
        "verified": sum(bool(verdicts) for verdicts in flow.verdicts.values()),
        "failed_verifications": sum(not verdicts for verdicts in flow.verdicts.values()),
    }


def why_unusable(flow: Flow, k_min: int = 1) -> str:
    """Why there is no answer: how many trajectories were dropped, for what, and the first error among them."""
    counts, ended = _counts(flow), len(flow.trajectories)
    few = "none" if not counts["usable"] else f"only {counts['usable']}"
    needed = f" (at least {k_min} are needed)" if k_min > 1 else ""
    reason = (
        f"{few} of {ended} trajectories is usable{needed}: {counts['failed']} failed, "
        f"{counts['truncated']} truncated, {counts['unparsed']} without an answer"
    )
    first_error = next((trajectory.error for trajectory in flow.ended if trajectory.error), "")
    return f"{reason}; first error: {first_error}" if first_error else reason


def judge(record: Mapping[str, Any], reference: str) -> dict[str, Any]:
    """The record with `reference`, `correct` of each cluster and of the answer, `cons_k` and `pass1`.

    cons_k: whether the majority of the same trajectories (Cons@K) is right. pass1: share of right ones among the
    trajectories that ended, failed calls and undecided comparisons left out; a cut or unparsed one is not right.
    None is undecided, all of it when the reference is unreadable. With early decision fewer than K may have ended.
    """
    problem = Problem(id="question", domain=Domain.MATH, prompt=str(record["question"]), answer=reference)
    outcome: dict[str | None, bool | None] = {None: False}
    of_trajectory: dict[int, bool | None] = {}
    for cluster in record["clusters"]:
        verdict = verify(problem, f"\\boxed{{{cluster['answer']}}}")
        outcome[cluster["answer"]] = None if verdict.is_undecided else verdict.is_correct
        of_trajectory |= dict.fromkeys(cluster["trajectories"], outcome[cluster["answer"]])
    ended = [
        t["stop"] != Stop.LENGTH and of_trajectory.get(t["index"], False)
        for t in record["trajectories"]
        if t["dropped"] != "failed"
    ]
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
