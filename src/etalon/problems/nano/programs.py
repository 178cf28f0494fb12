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


def generate(rng: random.Random, level: int) -> Problem:
    """Level 1 is x+b, level 2 a*x, level 3 a*x+b; the two examples are one or two apart."""
    factor = 1 if level == 1 else rng.randint(2, 9)
    offset = 0 if level == 2 else rng.randint(1, 16)
    first = rng.randint(0, 6)
    second = first + rng.choice((1, 2))
    skill = rng.choice(("function", "program"))
    points = [(x, factor * x + offset) for x in (first, second)]
    if skill == "function":
        prompt = " ".join(f"f({x})={y}" for x, y in points)
    else:
        prompt = " ".join(f"{x}->{y}" for x, y in points)
    hidden = [first, second, *rng.sample(range(13, 60), HIDDEN_TESTS - 1), 0]
    outputs = [factor * x + offset for x in hidden]
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
    slope = f"{y2}-{y1}={y2 - y1}\n{x2}-{x1}={x2 - x1}\n{y2 - y1}/{x2 - x1}={factor}"
    if style == "terse":
        return f"{y2 - y1}/{x2 - x1}={factor}"
    lines = f"{slope}\n{factor}*{x1}={factor * x1}\n{y1}-{factor * x1}={offset}"
    if style == "checked":
        lines += f"\nagain\n{factor}*{x2}={factor * x2}\n{factor * x2}+{offset}={factor * x2 + offset}"
    return lines


def respond(prompt: str, style: str, rng: random.Random, *, error: bool) -> str:
    """Reasoning and code in one style; with `error`, the offset or the factor is off."""
    match = FUNCTION.match(prompt)
    is_function = match is not None
    match = match or PROGRAM.match(prompt)
    assert match is not None
    x1, y1, x2, y2 = points = Points(*map(int, match.groups()))
    factor = (y2 - y1) // (x2 - x1)
    offset = y1 - factor * x1
    if error:
        offset += rng.choice((-1, 1, 2))
    variable = "x" if is_function else "int(input())"
    rule = variable if factor == 1 else f"{factor}*{variable}"
    if offset:
        rule += f"{offset:+d}"
    body = f"def f(x):\n return {rule}" if is_function else f"print({rule})"
    return f"<think>{think(points, factor, offset, style)}</think>```python\n{body}\n```"
