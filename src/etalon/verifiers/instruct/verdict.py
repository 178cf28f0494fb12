"""Judges a response against its rules: all of them, or the share that holds.

    response -> final_part -> each rule, strict or loose -> RuleResult -> Verdict

Loose tries eight variants of the response: without asterisks, without its first or last line, and combinations.
A rule that cannot be checked as written is a bad reference; one that needs what is not installed is undecided. Neither
counts as followed or as violated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

from etalon.types import Problem, Rule, Verdict, Verifier
from etalon.verifiers.instruct.rules.registry import (
    RULES,
    SPLITS_SENTENCES,
    BadRuleError,
    CannotDecideError,
    read_arguments,
)
from etalon.verifiers.instruct.rules.sentences import splitter
from etalon.verifiers.text import final_part

__all__ = [
    "NEEDS_JUDGE", "BadRuleError", "Mode", "Reward", "RuleResult", "check_rules", "follows", "rule_verifier",
    "verify_instruct", "verify_rules",
]  # fmt: skip

Mode = Literal["strict", "loose"]
Reward = Literal["all", "fraction"]


@dataclass(frozen=True, kw_only=True)
class RuleResult:
    """Whether a response follows one rule; `followed` is None when that is not decided, and `why` says why."""

    rule: str
    followed: bool | None
    why: str = ""
    is_bad_reference: bool = False


def verify_rules(problem: Problem, response: str, *, mode: Mode = "strict", reward: Reward = "all") -> Verdict:
    """1.0 when every rule holds, else 0.0 ("all") or the share that holds ("fraction").

    A rule that is undecided makes the verdict undecided, unless another one already failed and reward is "all". A bad
    reference makes it undecided always. `extracted` counts the rules that hold and names the sentence splitter if one
    of them asks for sentences.
    """
    if not problem.rules:
        return Verdict(score=None, reason="bad_reference: the problem has no rules")
    results = check_rules(problem, response, mode=mode)
    extracted = f"{sum(result.followed is True for result in results)}/{len(results)}"
    if any(rule.id in SPLITS_SENTENCES for rule in problem.rules):
        extracted += f", sentences by {splitter(final_part(response))}"
    if bad := [result for result in results if result.is_bad_reference]:
        return Verdict(score=None, reason=f"bad_reference: {_named(bad)}")
    failed = [result.rule for result in results if result.followed is False]
    open_ = [result for result in results if result.followed is None]
    if open_ and not (failed and reward == "all"):
        return Verdict(score=None, reason=f"undecided: {_named(open_)}", extracted=extracted)
    if not failed:
        return Verdict(score=1.0, reason="followed", extracted=extracted)
    share = 1 - len(failed) / len(results) if reward == "fraction" else 0.0
    return Verdict(score=share, reason=f"violated: {', '.join(failed)}", extracted=extracted)


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


def _named(results: Sequence[RuleResult]) -> str:
    return "; ".join(f"{result.rule}: {result.why}" for result in results)


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
        return RuleResult(rule=rule.id, followed=_follows(text, rule, mode, prompt))
    except BadRuleError as error:
        return RuleResult(rule=rule.id, followed=None, why=str(error), is_bad_reference=True)
    except CannotDecideError as error:
        return RuleResult(rule=rule.id, followed=None, why=str(error))


def follows(text: str, rule: Rule, *, mode: Mode = "strict", prompt: str = "") -> bool | None:
    """Whether `text` follows one rule; None when that cannot be decided here. An empty text follows nothing.

    Raises BadRuleError when the rule cannot be checked as written.
    """
    try:
        return _follows(text, rule, mode, prompt)
    except CannotDecideError:
        return None


def _follows(text: str, rule: Rule, mode: Mode, prompt: str) -> bool:
    check = RULES.get(rule.id)
    if check is None:
        raise BadRuleError("unknown instruction")
    kwargs = {} if rule.kwargs is None else rule.kwargs
    if rule.id == "combination:repeat_prompt" and isinstance(kwargs, dict) and kwargs.get("prompt_to_repeat") is None:
        kwargs = {**kwargs, "prompt_to_repeat": prompt}
    arguments = read_arguments(check, kwargs)
    return any(check(variant, **arguments) for variant in _variants(text, mode) if variant.strip())


def _variants(text: str, mode: Mode) -> Sequence[str]:
    if mode == "strict":
        return [text]
    lines = text.split("\n")
    cut = [text, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    plain = (variant.replace("*", "") if is_plain else variant for is_plain, variant in product((False, True), cut))
    return list(dict.fromkeys(plain))
