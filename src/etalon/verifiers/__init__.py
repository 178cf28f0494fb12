"""Decides responses: `verify` for one, `verify_all` for many, `VERIFIERS` to see who judges what.

response + stop -> verifier of the domain -> Verdict(score 1.0, 0.0, partial, or None = undecided; reason)
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from etalon.errors import InputError
from etalon.problems.options import as_asked
from etalon.types import Answers, Domain, Problem, Rollout, Stop, Verdict, Verifier
from etalon.verifiers.choice import verify_choice
from etalon.verifiers.claims import parse_verdicts, verify_claims
from etalon.verifiers.code.verdict import verify_code
from etalon.verifiers.conventions import ANSWERED, restated
from etalon.verifiers.instruct.verdict import NEEDS_JUDGE, verify_instruct
from etalon.verifiers.math.answer import are_equal, canonical, cluster, verify_answer, verify_fact

__all__ = ["VERIFIERS", "are_equal", "canonical", "cluster", "parse_verdicts", "reading_by", "verify", "verify_all"]

VERIFIERS: dict[Domain, Verifier] = {
    Domain.MATH: verify_answer,
    Domain.FACTS: verify_fact,
    Domain.STEM: verify_choice,
    Domain.CODE: verify_code,
    Domain.INSTRUCT: verify_instruct,
    Domain.CLAIMS: verify_claims,
}


def verify(
    problem: Problem,
    response: str,
    *,
    stop: Stop = Stop.EOS,
    verifier: Verifier | None = None,
    order: Sequence[str] | None = None,
) -> Verdict:
    """The verdict on one response; a verifier that raises is undecided.

    A response that the token limit cut (`Stop.LENGTH`) is wrong in every domain and under every verifier, whatever it
    had said before: its score is 0 and its reason "truncated". It is undecided only where a whole one would be.
    verifier: replaces the default one of the problem's domain.
    order: how the response's sample was shown the options (`Rollout.order`); a letter means what it meant there.
    """
    if stop is Stop.ERROR:
        return Verdict(score=None, reason="sampling_error")
    try:
        problem = as_asked(problem, order)
    except InputError as error:
        return Verdict(score=None, reason=f"bad_reference: {error}")
    started = time.perf_counter()
    try:
        verdict = (verifier or VERIFIERS[problem.domain])(problem, response)
    except Exception as error:  # our crash must never count as a wrong answer
        verdict = Verdict(score=None, reason=f"crashed: {type(error).__name__}: {error}"[:200])
    if stop is Stop.LENGTH and (not verdict.is_undecided or verdict.reason.startswith(NEEDS_JUDGE)):
        verdict = replace(verdict, score=0.0, reason="truncated")
    return replace(verdict, seconds=time.perf_counter() - started)


def reading_by(answers: Answers) -> Verifier | None:
    """The domains' own verifiers for responses that state answers by a convention; None, the default, for `boxed`.

    Programs, instructions and claims have no answer to state: their verdicts are the same under every convention.
    """
    if answers is Answers.BOXED:
        return None

    def judge(problem: Problem, response: str) -> Verdict:
        stated = restated(response, answers) if problem.domain in ANSWERED else response
        return VERIFIERS[problem.domain](problem, stated)

    return judge


def verify_all(
    items: Sequence[tuple[Problem, Rollout]], workers: int = 1, *, verifier: Verifier | None = None
) -> list[Verdict]:
    """One verdict per (problem, rollout), in order, from `workers` threads; the result does not depend on them."""

    def judge(item: tuple[Problem, Rollout]) -> Verdict:
        problem, rollout = item
        return verify(problem, rollout.text, stop=rollout.stop, verifier=verifier, order=rollout.order)

    if workers <= 1 or len(items) <= 1:
        return [judge(item) for item in items]
    with ThreadPoolExecutor(min(workers, len(items)), thread_name_prefix="verify") as threads:
        return list(threads.map(judge, items))
