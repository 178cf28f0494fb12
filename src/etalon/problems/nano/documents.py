"""Plain documents for the base stage: the arithmetic, formulas, code and words of the world, without any questions.

None of them works out a question that is held out, but for single operations: they are the table of `fact`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from etalon.problems.nano import arithmetic, instructions, physics, programs
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
        return text(rng, is_open)
    if kind < 0.96:
        return formula(rng, is_open)
    return program(rng, is_open)


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
        right = rng.randint(1, programs.OFFSETS[1])
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


def drawn(
    generate: Callable[[random.Random, int], Problem],
    rng: random.Random,
    levels: tuple[int, int],
    is_open: Callable[[Problem], bool],
) -> Problem:
    """A problem that may appear solved."""
    while True:
        problem = generate(rng, rng.randint(*levels))
        if is_open(problem):
            return problem


def chain(rng: random.Random, is_open: Callable[[Problem], bool]) -> str:
    """An expression and its steps, as they would stand in a book."""
    steps = arithmetic.parse(drawn(arithmetic.generate, rng, (2, arithmetic.MAX_LEVEL), is_open).prompt)
    return arithmetic.expression(steps) + "\n" + "\n".join(map(str, steps))


def text(rng: random.Random, is_open: Callable[[Problem], bool]) -> str:
    """A word as some constraints want it."""
    word, _, rest = drawn(instructions.generate, rng, (1, instructions.MAX_LEVEL), is_open).prompt.partition(": ")
    asked = rest.split("; ")
    return f"{', '.join(asked)}\n{instructions.write(word, asked)}"


def formula(rng: random.Random, is_open: Callable[[Problem], bool]) -> str:
    """A formula with its numbers, or a chain of two."""
    problem = drawn(physics.generate, rng, (1, physics.MAX_LEVEL), is_open)
    values, symbol = physics.read(problem.prompt)
    quantities = " ".join(f"{name}={value}" for name, value in values.items())
    return f"{quantities}\n{physics.think(physics.solve(symbol, values), 'full')}"


def program(rng: random.Random, is_open: Callable[[Problem], bool]) -> str:
    """A rule as code, without examples of it."""
    problem = drawn(programs.generate, rng, (1, programs.MAX_LEVEL), is_open)
    is_function = problem.skill == "code/function"
    points = programs.Points(*map(int, re.findall(r"\d+", problem.prompt)))
    return f"```python\n{programs.written(programs.rule(points), is_function=is_function)}\n```"
