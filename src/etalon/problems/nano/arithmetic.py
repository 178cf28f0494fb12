"""Math of the nano world: integer expressions of 1-5 operations, `(7+5)*3-2=?`, answered in a box.

Four solution styles, from short and unreliable to long and reliable (for a model that is good at single operations):
direct (no steps), terse (two operations per line), full (one per line), verbose (names each operation before doing it,
as reliable as full and half as long again: what Long2Short has to remove).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from etalon.types import Domain, Problem

LARGEST = 99  # every intermediate result lies in 0..LARGEST
MAX_LEVEL = 5
PATTERN = re.compile(r"^[()\d+*-]+=\?$")
OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
}
STYLES = ("direct", "terse", "full", "verbose")


@dataclass(frozen=True, kw_only=True)
class Step:
    """One operation applied to the running value."""

    left: int
    operator: str
    right: int
    result: int

    def __str__(self) -> str:
        return f"{self.left}{self.operator}{self.right}={self.result}"


def generate(rng: random.Random, level: int) -> Problem:
    """A chain of `level` operations; the second skill contains products."""
    skill = rng.choice(("sums", "products"))
    operators = "+-" if skill == "sums" else "+-*"
    while True:
        value = rng.randint(1, 20 if skill == "sums" else 12)
        steps: list[Step] = []
        while len(steps) < level:
            operator = rng.choice(operators)
            right = rng.randint(2, 9 if operator == "*" else 12)
            result = OPERATIONS[operator](value, right)
            if not 0 <= result <= LARGEST or (operator == "*" and value < 2):
                break
            steps.append(Step(left=value, operator=operator, right=right, result=result))
            value = result
        has_product = any(s.operator == "*" for s in steps)
        if len(steps) == level and has_product == (skill == "products"):
            break
    prompt = expression(steps) + "=?"
    return Problem(
        id=f"math-{prompt}",
        domain=Domain.MATH,
        prompt=prompt,
        answer=str(value),
        skill=f"math/{skill}",
        level=level,
        source="nano",
    )


def expression(steps: list[Step]) -> str:
    """The chain as ordinary notation; brackets only where precedence needs them."""
    text, is_sum = str(steps[0].left), False
    for step in steps:
        if step.operator == "*" and is_sum:
            text = f"({text})"
        text, is_sum = f"{text}{step.operator}{step.right}", step.operator in "+-"
    return text


def parse(prompt: str) -> list[Step]:
    """The steps of an expression in evaluation order (left to right, products bind tighter by construction)."""
    tokens = re.findall(r"\d+|[+*-]", prompt.removesuffix("=?"))
    value, steps = int(tokens[0]), []
    for operator, right in zip(tokens[1::2], tokens[2::2], strict=True):
        result = OPERATIONS[operator](value, int(right))
        steps.append(Step(left=value, operator=operator, right=int(right), result=result))
        value = result
    return steps


def beginning(steps: list[Step]) -> str:
    """The first two operations, with the operands of the first in order where they may change places."""
    first = steps[0]
    if first.operator in "+*" and first.left > first.right:
        first = replace(first, left=first.right, right=first.left)
    return expression([first, *steps[1:2]])


def misstep(steps: list[Step], rng: random.Random) -> list[Step]:
    """The same chain with one slip, carried through to the end: what a wrong solution looks like."""
    at = rng.randrange(len(steps))
    value, wrong = steps[0].left, []
    for index, step in enumerate(steps):
        operator, right = step.operator, step.right
        result = OPERATIONS[operator](value, right)
        if index == at:
            result += rng.choice((-10, -2, -1, 1, 2, 10))
        result = max(0, result)
        wrong.append(Step(left=value, operator=operator, right=right, result=result))
        value = result
    return wrong


def think(steps: list[Step], style: str) -> str:
    """The reasoning of one style."""
    if style == "direct":
        return ""
    lines = [str(step) for step in steps]
    if style == "terse":
        pairs = [steps[i : i + 2] for i in range(0, len(steps), 2)]
        return "\n".join(f"{expression(pair)}={pair[-1].result}" for pair in pairs)
    if style == "verbose":
        lines = [f"{line.partition('=')[0]}\n{line}" for line in lines]
    return "\n".join(lines)


def respond(prompt: str, style: str, rng: random.Random, *, error: bool) -> str:
    """A response in one style; with `error`, one that slips once."""
    steps = parse(prompt)
    if error:
        steps = misstep(steps, rng)
    return f"<think>{think(steps, style)}</think>\\boxed{{{steps[-1].result}}}"


OPERATION = r"\d+[+*-]\d+"
OF_STYLE = {  # what every line of a thought, or every pair of lines, looks like
    "full": re.compile(rf"(?:{OPERATION}=\d+\n)+"),
    "verbose": re.compile(rf"(?:({OPERATION})\n\1=\d+\n)+"),
    "terse": re.compile(rf"(?:\(?{OPERATION}\)?(?:[+*-]\d+)?=\d+\n)+"),
}


def style_of(response: str) -> str | None:
    """The style a response is written in, right or wrong; None where it is in none of them.

    A chain of one operation looks the same in "terse" and "full", and counts as "full".
    """
    thought, closing, _ = response.removeprefix("<think>").partition("</think>")
    if not closing:
        return None
    if not thought:
        return "direct"
    return next((style for style, pattern in OF_STYLE.items() if pattern.fullmatch(thought + "\n")), None)


def claims(prompt: str, steps: list[Step], m: int) -> list[str]:
    """The first m steps as claims (a short chain has fewer)."""
    return [str(step) for step in steps][:m]
