"""Code of the nano world: find the linear rule behind two examples and write it, judged by running it on hidden tests.

`f(2)=7 f(5)=13` asks for a function f(x), `2->7 5->13` for a program from standard input to standard output.
Styles: direct (code at once), terse (slope only), full (slope and offset), checked (full, then both examples again).
"""

from __future__ import annotations

import json
import random
import re
from typing import NamedTuple

from etalon.types import Domain, Problem

MAX_LEVEL = 3
LARGEST = 99  # no example is larger
SLOPES, FACTORS, OFFSETS = (2, 9), (2, 12), (1, 18)  # a of a*x; a and b of a*x+b, a*x-b and x+b
FUNCTION = re.compile(r"^f\((\d+)\)=(\d+) f\((\d+)\)=(\d+)$")
PROGRAM = re.compile(r"^(\d+)->(\d+) (\d+)->(\d+)$")
STYLES = ("direct", "terse", "full", "checked")
HIDDEN_TESTS = 4


class Points(NamedTuple):
    """The two examples."""

    x1: int
    y1: int
    x2: int
    y2: int


class Rule(NamedTuple):
    """factor * x + offset."""

    factor: int
    offset: int

    def __call__(self, x: int) -> int:
        return self.factor * x + self.offset


def rule(points: Points) -> Rule:
    """The rule behind two examples."""
    factor = (points.y2 - points.y1) // (points.x2 - points.x1)
    return Rule(factor, points.y1 - factor * points.x1)


def draw_rule(rng: random.Random, level: int) -> Rule:
    """Level 1 is x+b, level 2 a*x, level 3 a*x+b or a*x-b."""
    offset = rng.randint(*OFFSETS)
    if level == 1:
        return Rule(1, offset)
    if level == 2:
        return Rule(rng.randint(*SLOPES), 0)
    return Rule(rng.randint(*FACTORS), rng.choice((offset, -offset)))


def generate(rng: random.Random, level: int) -> Problem:
    """A rule of a level and two examples, one or two apart."""
    while True:
        found = draw_rule(rng, level)
        first = rng.randint(0, 6)
        second = first + rng.choice((1, 2))
        # a difference above OFFSETS is in no table that the model could have learned
        if found(first) >= 0 and found(second) <= LARGEST and found(second) - found(first) <= OFFSETS[1]:
            break
    skill = rng.choice(("function", "program"))
    points = [(x, found(x)) for x in (first, second)]
    if skill == "function":
        prompt = " ".join(f"f({x})={y}" for x, y in points)
    else:
        prompt = " ".join(f"{x}->{y}" for x, y in points)
    hidden = [first, second, *rng.sample(range(13, 60), HIDDEN_TESTS - 1), 0]
    outputs = [found(x) for x in hidden]
    return Problem(
        id=f"code-{prompt}",
        domain=Domain.CODE,
        prompt=prompt,
        tests={
            "inputs": [json.dumps(x) for x in hidden],
            "outputs": [json.dumps(y) for y in outputs],
            "fn_name": "f" if skill == "function" else None,
        },
        skill=f"code/{skill}",
        level=level,
        source="nano",
    )


def is_prompt(prompt: str) -> bool:
    return bool(FUNCTION.match(prompt) or PROGRAM.match(prompt))


def think(points: Points, factor: int, offset: int, style: str) -> str:
    x1, y1, x2, y2 = points
    if style == "direct":
        return ""
    at1, at2, size = factor * x1, factor * x2, abs(offset)
    slope = f"{y2}-{y1}={y2 - y1}\n{x2}-{x1}={x2 - x1}\n{y2 - y1}/{x2 - x1}={factor}"
    if style == "terse":
        return f"{y2 - y1}/{x2 - x1}={factor}"
    gap = f"{y1}-{at1}={offset}" if offset >= 0 else f"{at1}-{y1}={size}"
    lines = f"{slope}\n{factor}*{x1}={at1}\n{gap}"
    if style == "checked":
        lines += f"\nagain\n{factor}*{x2}={at2}\n{at2}{'+' if offset >= 0 else '-'}{size}={at2 + offset}"
    return lines


def respond(prompt: str, style: str, rng: random.Random, *, error: bool) -> str:
    """Reasoning and code in one style; with `error`, the offset or the factor is off."""
    match = FUNCTION.match(prompt)
    is_function = match is not None
    match = match or PROGRAM.match(prompt)
    assert match is not None
    points = Points(*map(int, match.groups()))
    factor, offset = rule(points)
    if error:
        offset += rng.choice((-1, 1, 2))
    body = written(Rule(factor, offset), is_function=is_function)
    return f"<think>{think(points, factor, offset, style)}</think>```python\n{body}\n```"


def written(found: Rule, *, is_function: bool) -> str:
    """The rule as a function f(x), or as a program from standard input to standard output."""
    variable = "x" if is_function else "int(input())"
    text = variable if found.factor == 1 else f"{found.factor}*{variable}"
    if found.offset:
        text += f"{found.offset:+d}"
    return f"def f(x):\n return {text}" if is_function else f"print({text})"
