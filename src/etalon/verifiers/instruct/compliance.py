"""The four accuracies of IFEval and IFBench: prompt and instruction level, strict and loose.

    problem, response -> compliance (one result per rule, strict and loose) -> accuracies over many of them

A prompt is followed when all its rules are. Bad references are undecided: left out of the means, and counted. No
command reports them yet: rewards need one number per response, which is `verdict.verify_rules`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from etalon.types import Problem
from etalon.verifiers.instruct.verdict import RuleResult, check_rules


@dataclass(frozen=True, kw_only=True)
class Compliance:
    """How one response follows the rules of its problem, in their order."""

    strict: tuple[RuleResult, ...]
    loose: tuple[RuleResult, ...]


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """The share that is followed of what is decided (None when nothing is), and what the share leaves out."""

    share: float | None
    decided: int
    undecided: int


@dataclass(frozen=True, kw_only=True)
class Accuracies:
    """IFBench reports prompt_loose, IFEval all four."""

    prompt_strict: Accuracy
    prompt_loose: Accuracy
    instruction_strict: Accuracy
    instruction_loose: Accuracy


def compliance(problem: Problem, response: str) -> Compliance:
    """Every rule of the problem, strict and loose."""
    return Compliance(
        strict=check_rules(problem, response, mode="strict"), loose=check_rules(problem, response, mode="loose")
    )


def follows_all(results: Sequence[RuleResult]) -> bool | None:
    """False when one rule is violated, None when one is undecided, else True."""
    followed = [result.followed for result in results]
    if False in followed:
        return False
    return None if None in followed else True


def accuracies(compliances: Iterable[Compliance]) -> Accuracies:
    """The four accuracies over one response per prompt (or any number of them)."""
    judged = list(compliances)
    return Accuracies(
        prompt_strict=_accuracy(follows_all(found.strict) for found in judged),
        prompt_loose=_accuracy(follows_all(found.loose) for found in judged),
        instruction_strict=_accuracy(result.followed for found in judged for result in found.strict),
        instruction_loose=_accuracy(result.followed for found in judged for result in found.loose),
    )


def _accuracy(outcomes: Iterable[bool | None]) -> Accuracy:
    found = list(outcomes)
    decided = [outcome for outcome in found if outcome is not None]
    share = sum(decided) / len(decided) if decided else None
    return Accuracy(share=share, decided=len(decided), undecided=len(found) - len(decided))
