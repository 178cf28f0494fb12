"""How a response follows the rules of its problem, strictly and loosely: what the four accuracies are made of.

    problem, response -> compliance (one result per rule, strict and loose) -> `evaluate.metrics.accuracies`

A prompt is followed when all its rules are; a bad reference leaves open what no other rule has violated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from etalon.types import Problem
from etalon.verifiers.instruct.verdict import RuleResult, check_rules


@dataclass(frozen=True, kw_only=True)
class Compliance:
    """How one response follows the rules of its problem, in their order."""

    strict: tuple[RuleResult, ...]
    loose: tuple[RuleResult, ...]


def compliance(problem: Problem, response: str) -> Compliance:
    """Every rule of the problem, strict and loose."""
    return Compliance(
        strict=check_rules(problem, response, mode="strict"), loose=check_rules(problem, response, mode="loose")
    )


def follows_all(followed: Sequence[bool | None]) -> bool | None:
    """False when one rule is violated, None when one is undecided, else True."""
    return False if False in followed else None if None in followed else True
