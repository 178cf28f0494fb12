r"""Judges a final answer against a reference; clusters answers for voting.

    response -> extract_answer -> compare (text -> rationals -> parts -> memo -> math-verify in a killable worker)

Grading forgives a percent sign or a unit that only one side writes. `are_equal`, `canonical` and `cluster` do not:
with leniency 25% = 25 and 25% = 0.25, and equality would not be transitive.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace

from etalon.problems.golds import alternatives
from etalon.types import Problem, Verdict, Verifier
from etalon.verifiers.math import Comparison, Reason
from etalon.verifiers.math.compare import are_same, compare
from etalon.verifiers.math.engine import symbolic
from etalon.verifiers.math.read.normalise import Reading, read
from etalon.verifiers.math.read.numbers import parse_number
from etalon.verifiers.math.read.relations import name_and_value
from etalon.verifiers.text import extract_answer, final_reference

__all__ = ["Comparison", "are_equal", "canonical", "cluster", "compare", "verify_answer", "verify_fact"]

CLUSTER_DEADLINES = 5  # (ours) of engine time for one call of `cluster`
_PLAIN_UNITS = ("deg", "$", "?")  # for voting, 90° is 90 and $5 is 5


def verify_answer(problem: Problem, response: str) -> Verdict:
    """Math: the extracted answer against `problem.answer`; no answer is wrong, a bad reference undecided.

    Of a reference that lists several answers any counts (`problems.golds.any_of`).
    """
    if (verdict := by_any(verify_answer, problem, response)) is not None:
        return verdict
    reference = None if problem.answer is None else final_reference(str(problem.answer))  # data sets hold integers too
    if reference is None:
        return Verdict(score=None, reason=Reason.BAD_REFERENCE)
    extracted = extract_answer(response)
    if extracted is None:
        return Verdict(score=0.0, reason=Reason.NO_ANSWER)
    comparison = compare(reference=reference, answer=extracted)
    score = None if comparison.is_equal is None else float(comparison.is_equal)
    return Verdict(score=score, reason=comparison.reason, extracted=extracted)


def verify_fact(problem: Problem, response: str) -> Verdict:
    """Facts: the extracted answer is `problem.answer` as it is written, but for spaces and the spelling of numbers.

    Not by `compare`: to a symbolic engine a word is the product of its letters, in any order.
    """
    if (verdict := by_any(verify_fact, problem, response)) is not None:
        return verdict
    reference = None if problem.answer is None else final_reference(str(problem.answer))
    if reference is None:
        return Verdict(score=None, reason=Reason.BAD_REFERENCE)
    extracted = extract_answer(response)
    if extracted is None:
        return Verdict(score=0.0, reason=Reason.NO_ANSWER)
    is_same_text = canonical(extracted) == canonical(reference)
    reason = Reason.EXACT if is_same_text else Reason.DIFFERENT
    return Verdict(score=float(is_same_text), reason=reason, extracted=extracted)


def by_any(verifier: Verifier, problem: Problem, response: str) -> Verdict | None:
    """The best verdict by any answer of a reference that lists several; None for one that does not.

    One that is right beats one that is undecided, which beats one that is wrong.
    """
    listed = alternatives(str(problem.answer or ""))
    if len(listed) < 2:
        return None
    verdicts = [verifier(replace(problem, answer=answer), response) for answer in listed]
    return max(verdicts, key=lambda verdict: 0.5 if verdict.score is None else verdict.score)


def are_equal(a: str | None, b: str | None) -> bool:
    """True when both answers surely mean the same, without leniency. None equals nothing, not even None.

    Of a reference that lists several answers one is enough.
    """
    if a is None or b is None:
        return False
    return any(is_same(one, other) is True for one in alternatives(a) for other in alternatives(b))


def is_same(a: str, b: str, budget: symbolic.EngineTime | None = None) -> bool | None:
    """`are_equal` in three states: None when nothing could decide. budget: engine time that several calls share."""
    return are_same(_vote(a), _vote(b), budget)


def canonical(answer: str) -> str:
    """A key that equal spellings share: the reduced fraction of a rational, else the normalised text; its unit."""
    reading = _vote(answer)
    return f"{reading.text} {reading.unit}" if reading.unit else reading.text


def cluster(answers: Sequence[str | None]) -> list[int | None]:
    """Cluster index per answer, numbered by first appearance; None for None.

    Answers are in one cluster when a chain of equal ones joins them, so the partition is transitive and does not
    depend on the order of the answers. Pairs still undecided after CLUSTER_DEADLINES of engine time stay apart.
    """
    budget = symbolic.EngineTime(CLUSTER_DEADLINES * symbolic.DEADLINE_SECONDS)
    readings = [None if answer is None else _vote(answer) for answer in answers]
    unique = sorted({reading for reading in readings if reading is not None}, key=lambda one: (one.text, one.unit))
    parent = {reading: reading for reading in unique}

    def root(reading: Reading) -> Reading:
        while parent[reading] != reading:
            reading = parent[reading]
        return reading

    for index, reading in enumerate(unique):
        for other in unique[index + 1 :]:
            if root(reading) != root(other) and are_same(reading, other, budget):
                parent[root(other)] = root(reading)
    numbers: dict[Reading, int] = {}
    return [None if one is None else numbers.setdefault(root(one), len(numbers)) for one in readings]


@functools.lru_cache(maxsize=20_000)
def _vote(answer: str) -> Reading:
    """The reading of an answer for voting: rationals reduced, names of assigned numbers and plain units off."""
    reading = read(answer)
    assigned = name_and_value(reading.text)
    text = assigned[1] if assigned and parse_number(assigned[1]) else reading.text
    if (number := parse_number(text)) is not None:
        text = f"{number.value}%" if number.is_percent else str(number.value)
    return Reading(text=text, unit="" if reading.unit in _PLAIN_UNITS else reading.unit, is_words=reading.is_words)
