"""A score of weighted criteria (2.4: helpfulness, coherence, adherence, redundancy), each judged on its own.

    criteria of all responses -> one batch of Yes or No questions -> weights of what was decided -> score in [0, 1]

    score = max(0, weight met - penalties met) / (weight that could be met), over decided criteria only

A criterion with a negative weight is a pitfall: meeting it costs. A criterion without a readable verdict is missing,
not failed. When too little weight was decided there is no score.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from etalon.types import Criterion, Problem, Sampler, Verdict, Verifier
from etalon.verifiers.instruct.verdict import NEEDS_JUDGE
from etalon.verifiers.judges.asking import Judge
from etalon.verifiers.text import final_part

MIN_DECIDED = 0.75  # (ours) share of the weight, pitfalls included, that must be decided


@dataclass(frozen=True, kw_only=True)
class Graded:
    """A response with the criteria it is judged by."""

    question: str
    response: str
    criteria: tuple[Criterion, ...]


@dataclass(frozen=True, kw_only=True)
class RubricVerdict:
    """The score, and the verdict on each criterion: 1.0 met, 0.0 not met, None missing."""

    verdict: Verdict
    criteria: tuple[Verdict, ...] = ()


def rubric_reward(
    sampler: Sampler,
    *,
    question: str,
    response: str,
    criteria: Sequence[Criterion],
    seed: int = 0,
    folder: str = "default",
) -> Verdict:
    """The score of one response; undecided when less than MIN_DECIDED of the weight was decided."""
    graded = Graded(question=question, response=response, criteria=tuple(criteria))
    return judge_rubrics(Judge(sampler, folder=folder, seed=seed), [graded])[0].verdict


def judge_rubrics(judge: Judge, graded: Sequence[Graded], *, min_decided: float = MIN_DECIDED) -> list[RubricVerdict]:
    """Every criterion of every response, in one batch; the judge sees the final part of a response only."""
    refused = [_refusal(one) for one in graded]
    texts = [
        {"question": one.question, "response": final_part(one.response).strip(), "criterion": criterion.text}
        for one, refusal in zip(graded, refused, strict=True)
        if refusal is None
        for criterion in one.criteria
    ]
    said = iter(judge.decide("judge_criterion", texts) if texts else ())
    found = []
    for one, refusal in zip(graded, refused, strict=True):
        if refusal is not None:
            found.append(RubricVerdict(verdict=refusal))
            continue
        met = tuple(next(said) for _ in one.criteria)
        found.append(RubricVerdict(verdict=score(one.criteria, met, min_decided=min_decided), criteria=met))
    return found


def _refusal(graded: Graded) -> Verdict | None:
    """The verdict where there is nothing to ask."""
    weights = [criterion.weight for criterion in graded.criteria]
    if not any(weights) or not math.isfinite(sum(map(abs, weights))):
        return Verdict(score=None, reason="bad_reference: a rubric needs criteria with finite weights, not all 0")
    if not all(criterion.text.strip() for criterion in graded.criteria):
        return Verdict(score=None, reason="bad_reference: a criterion is empty")
    if not final_part(graded.response).strip():
        return Verdict(score=0.0, reason="no_answer")
    return None


def score(criteria: Sequence[Criterion], met: Sequence[Verdict], *, min_decided: float = MIN_DECIDED) -> Verdict:
    """The weighted score over the decided criteria; a rubric of pitfalls alone starts from 1."""
    decided = [(c.weight, v.is_correct) for c, v in zip(criteria, met, strict=True) if not v.is_undecided]
    share = sum(abs(weight) for weight, _ in decided) / sum(abs(criterion.weight) for criterion in criteria)
    possible = sum(weight for weight, _ in decided if weight > 0)
    wants_any = any(criterion.weight > 0 for criterion in criteria)
    extracted = f"{sum(is_met for _, is_met in decided)} met of {len(decided)} decided, {len(criteria)} in all"
    if share < min_decided or (wants_any and not possible):
        reason = f"judge_undecided: {share:.0%} of the weight was decided, {min_decided:.0%} is needed"
        return Verdict(score=None, reason=reason, extracted=extracted)
    earned = sum(weight for weight, is_met in decided if is_met)
    if not wants_any:
        possible = sum(-weight for weight, _ in decided)
        earned += possible
    return Verdict(score=max(0.0, earned / possible), reason="judge", extracted=extracted)


def rubric_verifier(
    judge: Judge,
    criteria_of: Callable[[Problem], Sequence[Criterion]] = lambda problem: problem.rubric,
    *,
    gate: Verifier | None = None,
    min_decided: float = MIN_DECIDED,
) -> Verifier:
    """The rubric of each problem as a verifier to pass to `verify`.

    gate: explicit constraints (`verify_rules`). Its score multiplies the rubric's: a violated constraint is 0 without
    asking the judge, an undecided one leaves the whole undecided.
    """

    def verify_rubric(problem: Problem, response: str) -> Verdict:
        passed = gate(problem, response) if gate else None
        if passed is not None and not passed.score:
            return passed
        graded = Graded(question=problem.prompt, response=response, criteria=tuple(criteria_of(problem)))
        verdict = judge_rubrics(judge, [graded], min_decided=min_decided)[0].verdict
        if passed is None or passed.score is None or verdict.score is None:
            return verdict
        return Verdict(score=passed.score * verdict.score, reason=verdict.reason, extracted=verdict.extracted)

    return verify_rubric


class Reviewable(Protocol):
    """What `review_rubrics` needs to know of a response; `sampling.Judged` is one."""

    @property
    def problem(self) -> Problem: ...

    @property
    def response(self) -> str: ...

    @property
    def verdict(self) -> Verdict: ...


def review_rubrics(judge: Judge, judged: Sequence[Reviewable]) -> list[Verdict]:
    """The verdicts, with those that wait for a judge of their rubric decided by it, in one batch."""
    open_ = [i for i, one in enumerate(judged) if one.verdict.reason.startswith(NEEDS_JUDGE)]
    graded = [
        Graded(question=judged[i].problem.prompt, response=judged[i].response, criteria=judged[i].problem.rubric)
        for i in open_
    ]
    verdicts = [one.verdict for one in judged]
    for i, found in zip(open_, judge_rubrics(judge, graded) if graded else (), strict=True):
        verdicts[i] = found.verdict
    return verdicts
