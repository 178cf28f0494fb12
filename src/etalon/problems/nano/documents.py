"""Plain documents for the base stage: the arithmetic, formulas, code and words of the world, without any questions."""

from __future__ import annotations

import random
from collections.abc import Callable

from etalon.problems.nano import arithmetic, instructions, physics
from etalon.types import Problem

LINES = 8


def document(rng: random.Random, is_open: Callable[[Problem], bool] = lambda problem: True) -> str:
    """About 80 characters of one kind of text.

    is_open: whether a problem may appear solved in a document; those of held-out splits may not.
    """
    kind = rng.random()
    if kind < 0.15:
        return copy(rng)
    if kind < 0.35:
        return "\n".join(fact(rng) for _ in range(LINES))
    if kind < 0.8:
        return chain(rng, is_open)
    if kind < 0.9:
        word, asked = rng.choice(instructions.WORDS), instructions.constraints(rng, rng.randint(1, 3))
        return f"{', '.join(asked)}\n{instructions.write(word, asked)}"
    if kind < 0.96:
        return formula(rng, is_open)
    factor, offset = rng.randint(2, 9), rng.randint(1, 9)
    body = f"def f(x):\n return {factor}*x+{offset}" if rng.random() < 0.5 else f"print({factor}*int(input())+{offset})"
    return f"```python\n{body}\n```"


def copy(rng: random.Random) -> str:
    """A few lines, true or not, and the same lines again: text repeats itself, and that teaches to look back."""
    lines = [
        f"{rng.randint(1, 99)}{rng.choice('+-*')}{rng.randint(1, 9)}={rng.randint(1, 99)}"
        for _ in range(rng.randint(1, 4))
    ]
    return "\n".join([*lines, "again", *lines])


def fact(rng: random.Random) -> str:
    """One operation, drawn as the reasoning uses them."""
    operator = rng.choice("++--**/")
    if operator == "+":
        right = rng.randint(1, 12)
        left = rng.randint(0, arithmetic.LARGEST - right)
        return f"{left}+{right}={left + right}"
    if operator == "-":
        left = rng.randint(1, arithmetic.LARGEST)
        right = left - rng.randint(0, min(left, 18)) if rng.random() < 0.4 else rng.randint(0, min(left, 12))
        return f"{left}-{right}={left - right}"
    right = rng.randint(1, 9)
    left = rng.randint(1, arithmetic.LARGEST // right)
    if operator == "*":
        return f"{left}*{right}={left * right}"
    return f"{left * right}/{right}={left}"


def chain(rng: random.Random, is_open: Callable[[Problem], bool]) -> str:
    """An expression and its steps, as they would stand in a book."""
    problem = arithmetic.generate(rng, rng.randint(2, arithmetic.MAX_LEVEL))
    while not is_open(problem):
        problem = arithmetic.generate(rng, rng.randint(2, arithmetic.MAX_LEVEL))
    steps = arithmetic.parse(problem.prompt)
    return arithmetic.expression(steps) + "\n" + "\n".join(map(str, steps))


def formula(rng: random.Random, is_open: Callable[[Problem], bool]) -> str:
    """A formula with its numbers, or a chain of two."""
    problem = physics.generate(rng, rng.randint(1, physics.MAX_LEVEL))
    while not is_open(problem):
        problem = physics.generate(rng, rng.randint(1, physics.MAX_LEVEL))
    quantities, _, rest = problem.prompt.partition("? ")[0].rpartition(" ")
    values = {part[0]: int(part[2:]) for part in quantities.split()}
    return f"{quantities}\n{physics.think(physics.solve(rest, values), 'full')}"
