"""Who decides the responses of a benchmark, in a few words: a score is nothing without its grader's name."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata

from etalon.types import Domain, Problem
from etalon.verifiers.code.verdict import judge_of
from etalon.verifiers.instruct.rules.registry import checker as rules_checker


def checker(problems: Sequence[Problem]) -> str:
    """The verifiers that the problems' domains need: "answers (math-verify 0.9.0)", "tests", the rules' checkers."""
    found = dict.fromkeys(_of(problem) for problem in problems)
    rules = [rule.id for problem in problems for rule in problem.rules]
    return "; ".join([*(one for one in found if one), *([rules_checker(rules)] if rules else [])])


def _of(problem: Problem) -> str:
    if problem.domain in (Domain.MATH, Domain.FACTS):
        return f"answers (math-verify {metadata.version('math-verify')})"
    if problem.domain is Domain.STEM:
        return "options" if problem.options else f"answers (math-verify {metadata.version('math-verify')})"
    if problem.domain is Domain.CODE:
        return f"{judge_of(problem)}'s own judge" if judge_of(problem) else "tests"
    if problem.domain is Domain.CLAIMS:
        return "claims"
    return "a judge of rubrics" if problem.rubric else ""
