"""Does an answer mean the same as the reference? Asked after the rules, never instead of them (3.1).

    response -> rules (`verify_answer`, `verify_choice`) -> right: done
                                                         -> not right, reference is more than a number: the judge

math-verify is exact about numbers and blind to most else; a model is the other way round. So a number is the rules'
alone, and the judge can only find equal what the rules could not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from etalon.types import Domain, Problem, Sampler, Verdict, Verifier
from etalon.verifiers.choice import verify_choice
from etalon.verifiers.judges.asking import Judge
from etalon.verifiers.math.answer import verify_answer
from etalon.verifiers.math.read import quantities
from etalon.verifiers.math.read.normalise import normalise
from etalon.verifiers.math.read.numbers import parse_number

ANSWERED = (Domain.MATH, Domain.FACTS, Domain.STEM)
# Reasons that no judge can mend: no text to judge, or a fault of ours
FINAL = ("no_answer", "truncated", "sampling_error", "crashed")


def equivalence_judge(
    sampler: Sampler, *, question: str, reference: str, answer: str, seed: int = 0, folder: str = "default"
) -> Verdict:
    """1.0 when the judge says that `answer` means the same as `reference`, 0.0 when it denies it."""
    texts = {"question": question, "reference": reference, "answer": answer}
    return Judge(sampler, folder=folder, seed=seed).decide("judge_equivalence", [texts])[0]


def is_complex(reference: str) -> bool:
    """Whether a reference is more than a number with or without a known unit: what the rules decide alone."""
    quantity = quantities.split(reference)
    return parse_number(normalise(quantity.number if quantity else reference)) is None


def is_open(problem: Problem, verdict: Verdict) -> bool:
    """Whether the judge has a say: an answer that the rules did not find right, and a reference that is complex."""
    if problem.domain not in ANSWERED or problem.options or not (problem.answer or "").strip():
        return False
    if verdict.is_correct or verdict.extracted is None or verdict.reason.startswith(FINAL):
        return False
    return is_complex(problem.answer or "")


def second_opinions(judge: Judge, decided: Sequence[tuple[Problem, Verdict]]) -> list[Verdict]:
    """The verdicts of the rules, with those that are open decided by the judge, in one batch.

    Where the judge gives no readable verdict the answer is undecided: two graders disagreed, and one did not speak.
    """
    asked = [index for index, (problem, verdict) in enumerate(decided) if is_open(problem, verdict)]
    texts = [_texts(*decided[index]) for index in asked]
    verdicts = [verdict for _, verdict in decided]
    for index, said in zip(asked, judge.decide("judge_equivalence", texts) if texts else (), strict=True):
        verdicts[index] = replace(verdicts[index], score=said.score, reason=said.reason)
    return verdicts


def _texts(problem: Problem, verdict: Verdict) -> dict[str, str]:
    return {"question": problem.prompt, "reference": problem.answer or "", "answer": verdict.extracted or ""}


def joint_verifier(judge: Judge) -> Verifier:
    """Rules, then the judge, as one verifier to pass to `verify`; for many responses `second_opinions` is quicker."""

    def verify_jointly(problem: Problem, response: str) -> Verdict:
        rules = verify_choice if problem.domain is Domain.STEM else verify_answer
        return second_opinions(judge, [(problem, rules(problem, response))])[0]

    return verify_jointly
