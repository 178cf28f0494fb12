"""Fresh math: the value of a chain of operations, from the nano world's own to chains far longer, of large numbers.

level = operations: 2, 4 (0..99, as in training) | 8 (to 10^3), 16 (to 10^5), 32 (to 10^9), 64 (to 10^12)
"""

from __future__ import annotations

import random

from etalon.problems import nano
from etalon.problems.nano import arithmetic
from etalon.problems.nano.arithmetic import OPERATIONS, Step
from etalon.types import Domain, Problem

LARGEST = {8: 10**3, 16: 10**5, 32: 10**9, 64: 10**12}  # (ours) no intermediate result is larger
LEVELS = (2, 4, *LARGEST)
MULTIPLIERS = {8: 9, 16: 99, 32: 999, 64: 9999}  # (ours) the largest factor of a step
CONVENTION = (
    "Work out the value of the expression. All numbers are whole numbers, * is multiplication, and multiplication "
    "comes before addition and subtraction, except where brackets say otherwise."
)


def generate(rng: random.Random, level: int) -> Problem:
    """The value of a chain of `level` operations that is not in the nano world's train split."""
    while True:
        steps = long_chain(rng, level) if level in LARGEST else arithmetic.parse(arithmetic.generate(rng, level).prompt)
        question = f"{arithmetic.expression(steps)}=?"
        if nano.split_of(question) != "train":
            break
    return Problem(
        id="",
        domain=Domain.MATH,
        prompt=f"{CONVENTION}\n\n{question}\n\n",
        answer=str(steps[-1].result),
        skill="math/chains",
        level=level,
    )


def long_chain(rng: random.Random, level: int) -> list[Step]:
    """A chain of one of the levels of LARGEST: a step that leaves 2..LARGEST is drawn again, not the chain."""
    largest, value, steps = LARGEST[level], rng.randint(2, LARGEST[level] // 10), list[Step]()
    while len(steps) < level:
        operator = rng.choice("+-*")
        most = {"+": largest // 10, "-": value, "*": min(MULTIPLIERS[level], largest // value)}[operator]
        right = rng.randint(2, max(2, most))
        result = OPERATIONS[operator](value, right)
        if 2 <= result <= largest:
            steps.append(Step(left=value, operator=operator, right=right, result=result))
            value = result
    return steps
