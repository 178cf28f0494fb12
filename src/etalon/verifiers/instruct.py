"""Judges a response against its rules: all of them, or the share that holds.

    response -> final_part -> each rule, strict or loose -> Verdict

Loose tries eight variants of the response: without asterisks, without its first or last line, and combinations.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Literal

from etalon.types import Problem, Rule, Verdict, Verifier
from etalon.verifiers.rules import RULES, CannotDecideError
from etalon.verifiers.text import final_part

Mode = Literal["strict", "loose"]
Reward = Literal["all", "fraction"]


class BadRuleError(ValueError):
    """A rule that cannot be checked as written: unknown id, wrong arguments."""


def verify_rules(problem: Problem, response: str, *, mode: Mode = "strict", reward: Reward = "all") -> Verdict:
    """1.0 when every rule holds, else 0.0 ("all") or the share that holds ("fraction").

    A rule that cannot be decided makes the verdict undecided, unless another one already failed and reward is "all".
    """
    if not problem.rules:
        return Verdict(score=None, reason="bad_reference: the problem has no rules")
    final = final_part(response)
    try:
        followed = [follows(final, rule, mode=mode, prompt=problem.prompt) for rule in problem.rules]
    except BadRuleError as error:
        return Verdict(score=None, reason=f"bad_reference: {error}")
    failed = [rule.id for rule, holds in zip(problem.rules, followed, strict=True) if holds is False]
    unknown = [rule.id for rule, holds in zip(problem.rules, followed, strict=True) if holds is None]
    extracted = f"{sum(holds is True for holds in followed)}/{len(followed)}"
    if unknown and not (failed and reward == "all"):
        return Verdict(score=None, reason=f"undecided: {', '.join(unknown)}", extracted=extracted)
    if not failed:
        return Verdict(score=1.0, reason="followed", extracted=extracted)
    share = 1 - len(failed) / len(followed) if reward == "fraction" else 0.0
    return Verdict(score=share, reason=f"violated: {', '.join(failed)}", extracted=extracted)


def rule_verifier(*, mode: Mode = "strict", reward: Reward = "all") -> Verifier:
    """`verify_rules` with its options set, to pass to `verify` and `verify_all`."""

    def judge(problem: Problem, response: str) -> Verdict:
        return verify_rules(problem, response, mode=mode, reward=reward)

    return judge


def follows(text: str, rule: Rule, *, mode: Mode = "strict", prompt: str = "") -> bool | None:
    """Whether `text` follows one rule; None when that cannot be decided here. An empty text follows nothing."""
    check = RULES.get(rule.id)
    if check is None:
        raise BadRuleError(f"unknown instruction {rule.id!r}")
    arguments = {name: value for name, value in (rule.kwargs or {}).items() if value is not None}
    if rule.id == "combination:repeat_prompt":
        arguments.setdefault("prompt_to_repeat", prompt)
    try:
        return any(variant.strip() and check(variant, **arguments) for variant in _variants(text, mode))
    except CannotDecideError:
        return None
    except (TypeError, AttributeError) as error:
        raise BadRuleError(f"{rule.id}: {error}") from error


def _variants(text: str, mode: Mode) -> Sequence[str]:
    if mode == "strict":
        return [text]
    lines = text.split("\n")
    cut = [text, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    return [variant.replace("*", "") if is_plain else variant for is_plain, variant in product((False, True), cut)]
