"""Judges a response against its rules: all of them, or the share that holds.

    response -> final_part -> each rule, strict or loose -> RuleResult -> Verdict

Loose tries eight variants of the response: without asterisks, without its first or last line, and combinations.
A rule that cannot be checked as written is a bad reference, which counts neither as followed nor as violated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

from etalon.types import Problem, Rule, Verdict, Verifier
from etalon.verifiers.instruct.rules.registry import RULES, BadRuleError, deciders, read_arguments
from etalon.verifiers.text import final_part

__all__ = [
    "NEEDS_JUDGE", "BadRuleError", "Mode", "Reward", "RuleResult", "check_rules", "follows", "rule_verifier",
    "verify_instruct", "verify_rules",
]  # fmt: skip

PARAGRAPHS, SPACED = "length_constraints:number_paragraphs", "* * *"
Mode = Literal["strict", "loose"]
Reward = Literal["all", "fraction"]


@dataclass(frozen=True, kw_only=True)
class RuleResult:
    """Whether a response follows one rule; `followed` is None where the rule is a bad reference, and `why` says why."""

    rule: str
    followed: bool | None
    why: str = ""


def verify_rules(problem: Problem, response: str, *, mode: Mode = "strict", reward: Reward = "all") -> Verdict:
    """1.0 when every rule holds, else 0.0 ("all") or the share that holds ("fraction").

    A bad reference makes the verdict undecided. `extracted` counts the rules that hold, and says what decides where the
    package of the public checker could: "1/2, sentences by regex".
    """
    if not problem.rules:
        return Verdict(score=None, reason="bad_reference: the problem has no rules")
    results = check_rules(problem, response, mode=mode)
    verdict = verdict_of(results, reward=reward)
    if verdict.is_undecided:
        return verdict
    followed = sum(result.followed is True for result in results)
    by = deciders((rule.id for rule in problem.rules), final_part(response))
    return replace(verdict, extracted=", ".join([f"{followed}/{len(results)}", *by]))


def verdict_of(results: Sequence[RuleResult], *, reward: Reward = "all") -> Verdict:
    """What the results of a response's rules come to; a bad reference among them leaves it undecided."""
    if bad := [f"{result.rule}: {result.why}" for result in results if result.followed is None]:
        return Verdict(score=None, reason=f"bad_reference: {'; '.join(bad)}")
    failed = [result.rule for result in results if result.followed is False]
    if not failed:
        return Verdict(score=1.0, reason="followed")
    share = 1 - len(failed) / len(results) if reward == "fraction" else 0.0
    return Verdict(score=share, reason=f"violated: {', '.join(failed)}")


NEEDS_JUDGE = "needs_judge"  # the reason of a verdict that a rubric leaves open


def verify_instruct(problem: Problem, response: str) -> Verdict:
    """The rules, all of them; where they hold and the problem has a rubric as well, undecided until a judge has spoken.

    `judges.review_rubrics` decides what this leaves open. A violated rule is 0 without asking.
    """
    if not problem.rubric:
        return verify_rules(problem, response)
    gate = verify_rules(problem, response) if problem.rules else Verdict(score=1.0, reason="no_rules")
    if not gate.is_correct:
        return gate
    if not final_part(response).strip():
        return Verdict(score=0.0, reason="no_answer")
    return Verdict(score=None, reason=f"{NEEDS_JUDGE}: the problem has a rubric, and no judge is named")


def rule_verifier(*, mode: Mode = "strict", reward: Reward = "all") -> Verifier:
    """`verify_rules` with its options set, to pass to `verify` and `verify_all`."""

    def judge(problem: Problem, response: str) -> Verdict:
        return verify_rules(problem, response, mode=mode, reward=reward)

    return judge


def check_rules(problem: Problem, response: str, *, mode: Mode = "strict") -> tuple[RuleResult, ...]:
    """One result per rule of the problem, in order, on what follows the reasoning. Raises nothing of its own."""
    final = final_part(response)
    return tuple(_result(final, rule, mode, problem.prompt) for rule in problem.rules)


def _result(text: str, rule: Rule, mode: Mode, prompt: str) -> RuleResult:
    try:
        return RuleResult(rule=rule.id, followed=follows(text, rule, mode=mode, prompt=prompt))
    except BadRuleError as error:
        return RuleResult(rule=rule.id, followed=None, why=str(error))


def follows(text: str, rule: Rule, *, mode: Mode = "strict", prompt: str = "") -> bool:
    """Whether `text` follows one rule. An empty text follows nothing.

    Raises BadRuleError when the rule cannot be checked as written.
    """
    check = RULES.get(rule.id)
    if check is None:
        raise BadRuleError("unknown instruction")
    kwargs = {} if rule.kwargs is None else rule.kwargs
    if rule.id == "combination:repeat_prompt" and isinstance(kwargs, dict) and kwargs.get("prompt_to_repeat") is None:
        kwargs = {**kwargs, "prompt_to_repeat": prompt}
    if rule.id == PARAGRAPHS and SPACED in prompt:  # open-instruct's prompts ask for another divider than IFEval's
        text = text.replace(SPACED, "***")
    arguments = read_arguments(check, kwargs)
    return any(check(variant, **arguments) for variant in _variants(text, mode) if variant.strip())


def _variants(text: str, mode: Mode) -> Sequence[str]:
    if mode == "strict":
        return [text]
    lines = text.split("\n")
    cut = [text, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    plain = (variant.replace("*", "") if is_plain else variant for is_plain, variant in product((False, True), cut))
    return list(dict.fromkeys(plain))
