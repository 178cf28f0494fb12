"""Fresh code: find the rule behind examples and write it, judged on hidden inputs.

    level 1, 2, 3: a polynomial (of slope 1, of degree 1, of degree 2) | 4, 5, 6, 7: the remainder of one of degree 1-4

The examples leave one rule only. Without a divisor: degree + 1 points fix a polynomial. With one: every polynomial of
degree d with whole coefficients has (d+1)-th differences of 0 modulo its divisor m, so m divides all of those of the
examples and is larger than every remainder; where their greatest common divisor is m, and no proper divisor of m is
large enough, m is known, and the first d + 1 values say the rest (Newton's forward formula has whole coefficients).
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from etalon.types import Domain, Problem

LEVELS = (1, 2, 3, 4, 5, 6, 7)
DEGREES = {1: 1, 2: 1, 3: 2, 4: 1, 5: 2, 6: 3, 7: 4}
DIVISORS = {4: (30, 99), 5: (100, 999), 6: (100, 999), 7: (1000, 9999)}  # (ours) smallest and largest
COEFFICIENTS = (13, 99)  # (ours) without a divisor: above those of the nano world, whose questions these never are
OFFSETS = (100, 999)  # (ours) of slope 1
MORE_EXAMPLES = 4  # (ours) above the fewest that a divisor can be read from
HIDDEN_TESTS, LARGEST_INPUT = 8, 10_000


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A polynomial, lowest coefficient first, or its remainder on division by `divisor`."""

    coefficients: tuple[int, ...]
    divisor: int | None = None

    @property
    def degree(self) -> int:
        return len(self.coefficients) - 1

    def __call__(self, x: int) -> int:
        value = 0
        for coefficient in reversed(self.coefficients):
            value = value * x + coefficient
        return value if self.divisor is None else value % self.divisor


def generate(rng: random.Random, level: int) -> Problem:
    """A rule of a level, shown by examples; asked for as a function f(x) or as a program."""
    while True:
        rule = draw(rng, level)
        inputs = list(range(1, rule.degree + 2) if rule.divisor is None else range(2 * rule.degree + MORE_EXAMPLES))
        if rule.divisor is None or is_unique(rule, [rule(x) for x in inputs]):
            break
    is_function = rng.random() < 0.5
    hidden = [*inputs, *rng.sample(range(len(inputs) + 1, LARGEST_INPUT), HIDDEN_TESTS)]
    return Problem(
        id="",
        domain=Domain.CODE,
        prompt=worded(rule, inputs, is_function=is_function),
        tests={
            "inputs": [json.dumps(x) for x in hidden],
            "outputs": [json.dumps(rule(x)) for x in hidden],
            "fn_name": "f" if is_function else None,
        },
        skill=f"code/{'function' if is_function else 'program'}",
        level=level,
    )


def draw(rng: random.Random, level: int) -> Rule:
    """A rule of the level; its highest coefficient is not 0."""
    degree = DEGREES[level]
    divisor = rng.randint(*DIVISORS[level]) if level in DIVISORS else None
    most = COEFFICIENTS if divisor is None else (1, divisor - 1)
    coefficients = [rng.randint(*most) for _ in range(degree + 1)]
    if level == 1:
        coefficients = [rng.randint(*OFFSETS), 1]
    return Rule(coefficients=tuple(coefficients), divisor=divisor)


def is_unique(rule: Rule, values: Sequence[int]) -> bool:
    """Whether the values at 0, 1, 2, ... leave no other divisor (see the head of the module)."""
    differences = list(values)
    for _ in range(rule.degree + 1):
        differences = [b - a for a, b in pairwise(differences)]
    return math.gcd(*differences) == rule.divisor and 2 * max(values) >= rule.divisor


def worded(rule: Rule, inputs: Sequence[int], *, is_function: bool) -> str:
    """The question, which says what kind of rule it is and what the examples mean."""
    kind = f"a polynomial in x of degree {rule.degree} with whole-number coefficients"
    if rule.divisor is not None:
        kind = f"the remainder, from 0 to m-1, of {kind} on division by a whole number m; m is not given"
    examples = " ".join(f"f({x})={rule(x)}" if is_function else f"{x}->{rule(x)}" for x in inputs)
    if is_function:
        return f"The function f(x) is {kind}. Find it from these values and write it in Python as f(x).\n\n{examples}"
    return (
        f"A program reads a whole number x from standard input and prints one number, which is {kind}. Find the rule "
        f"from these examples, where x->y says that it prints y for x, and write the program in Python.\n\n{examples}"
    )
