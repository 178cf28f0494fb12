"""The verdict on a kept sample, with all that a metric needs to know of it: `score`.

    sample -> rules (IFEval, IFBench): strict and loose, each rule      -> Scored
           -> tests that another tool's judge has: what it said of it   -> Scored
           -> any other problem: `verifiers.verify`                     -> Scored

A response that was cut is wrong, whatever it had said. It states no answer either, unless its thought was closed
before: what stands in a thought is none, and a server that sends no tags leaves a cut thought without any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from etalon.evaluate.store import JUDGED, SKIPPED, Sample, Scored
from etalon.problems.options import several_letters
from etalon.sampling.endpoint.answer import CLOSE
from etalon.types import Answers, Domain, Problem, Stop, Verdict, Verifier
from etalon.verifiers import reading_by, verify
from etalon.verifiers.code.verdict import judge_of
from etalon.verifiers.conventions import ANSWERED, other_convention
from etalon.verifiers.instruct.compliance import compliance
from etalon.verifiers.instruct.verdict import verdict_of
from etalon.verifiers.text import final_part

LEFT_OUT = "judged_elsewhere: its own judge leaves the problem out"
MAX_KEPT_CHARS = 1000  # (ours) of an answer
Mode = Literal["strict", "loose"]
Outcome = tuple[bool | None, ...]


def score(problem: Problem, sample: Sample, *, answers: Answers = Answers.BOXED, mode: Mode = "loose") -> Scored:
    """The verdict on one sample. answers: how it states its answer. mode: the reading of rules that makes its score."""
    if sample.has_failed:
        return _scored(sample, Verdict(score=None, reason=f"sampling_error: {sample.error}"))
    if problem.rules and not problem.rubric:
        return _by_rules(problem, sample, mode)
    return _by_verifier(problem, sample, answers)


def _by_verifier(problem: Problem, sample: Sample, answers: Answers) -> Scored:
    verifier = _own_judge(sample) if judge_of(problem) else reading_by(answers)
    verdict = verify(problem, sample.text, stop=sample.stop, verifier=verifier, order=sample.order)
    is_answered = problem.domain in ANSWERED
    stated = verdict.extracted if is_answered else None
    is_cut = sample.stop is Stop.LENGTH
    has_none = verdict.gave_none or (is_cut and (CLOSE not in sample.text or (is_answered and stated is None)))
    answer = None if stated is None or has_none else _own_letters(problem, stated[:MAX_KEPT_CHARS], sample.order)
    other = other_convention(problem, sample.text, answers) if verdict.gave_none else None
    if judge_of(problem):
        sample = replace(sample, theirs=None)  # a score is no second opinion on itself
    return _scored(sample, verdict, answer=answer, no_answer=has_none, other="" if other is None else other.value)


def _own_judge(sample: Sample) -> Verifier | None:
    """What the judge that alone has the tests said of a sample; None where it was not asked."""
    word = (sample.detail or {}).get(JUDGED)
    if sample.theirs is not None:
        return lambda problem, response: Verdict(score=sample.theirs, reason="judged_elsewhere: its own judge")
    if word is not None:
        told = LEFT_OUT if word == SKIPPED else f"judged_elsewhere: its own judge gave no verdict ({word})"
        return lambda problem, response: Verdict(score=None, reason=told)
    return None


def _by_rules(problem: Problem, sample: Sample, mode: Mode) -> Scored:
    is_cut, is_empty = sample.stop is Stop.LENGTH, not final_part(sample.text).strip()
    if is_cut:
        none = (False,) * len(problem.rules)
        has_none = is_empty or CLOSE not in sample.text
        cut = Verdict(score=0.0, reason="truncated")
        return _scored(sample, cut, no_answer=has_none, strict=none, loose=none)
    found = compliance(problem, sample.text)
    strict, loose = (tuple(one.followed for one in results) for results in (found.strict, found.loose))
    verdict = verdict_of(found.strict if mode == "strict" else found.loose)
    if is_empty and not verdict.is_undecided:
        verdict = Verdict(score=0.0, reason="no_answer")
    return _scored(sample, verdict, no_answer=is_empty, strict=strict, loose=loose)


def _own_letters(problem: Problem, stated: str, order: Sequence[str] | None) -> str:
    """An option by the problem's own letter: samples that saw other orders vote for the same content."""
    if order is None or problem.domain is not Domain.STEM or not problem.options:
        return stated
    letters = list(problem.options)
    by_shown = dict(zip(letters, order, strict=True))
    if several := several_letters(stated, letters):
        return ", ".join(sorted(by_shown[one] for one in several))
    return by_shown.get(stated.strip("(). ").upper(), stated)


def _scored(
    sample: Sample,
    verdict: Verdict,
    *,
    answer: str | None = None,
    no_answer: bool = False,
    strict: Outcome | None = None,
    loose: Outcome | None = None,
    other: str = "",
) -> Scored:
    return Scored(
        id=sample.id, index=sample.index, score=verdict.score, reason=verdict.reason, stop=sample.stop,
        tokens=sample.tokens, prompt_tokens=sample.prompt_tokens, seconds=sample.seconds, at=sample.at,
        calls=sample.calls, answer=answer, no_answer=no_answer, strict=strict, loose=loose, other=other,
        theirs=sample.theirs,
    )  # fmt: skip
