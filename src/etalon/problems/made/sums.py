"""Plain sums, several a row, as rows of GSM8K: a small model has to know what 53 - 48 is before a story helps it.

    "Work these out in order: 53 - 48, 7 * 8, 19 + 6. What is the last one?"  ->  three lines, then "#### 25"

A row of ten has ten times the arithmetic of a story of one step, in about two and a half times its tokens.
Numbers are whole, from 0 to LARGEST of the stories, small ones more often.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from etalon.problems.made import Row, different
from etalon.problems.made.stories import FACTORS, WHOLE

SOURCE = "made-sums"
MAX_SUMS = 20
OPERATORS = "++----*/"  # each sign as often as it stands here: most, what a small model is slowest to learn


def sums(count: int, *, seed: int, lines: tuple[int, int]) -> Iterator[Row]:
    """Rows with different questions of `lines` (fewest, most) sums."""

    def draw(rng: random.Random) -> Row:
        asked = [one_sum(rng) for _ in range(rng.randint(*lines))]
        told = ", ".join(left for left, _ in asked)
        question = f"Work these out in order: {told}. What is the last one?" if len(asked) > 1 else f"What is {told}?"
        solution = "\n".join(f"{left} = {result}" for left, result in asked)
        return {"question": question, "answer": f"{solution}\n#### {asked[-1][1]}", "source": SOURCE}

    return different(draw, key="question", seed=seed, count=count)


def one_sum(rng: random.Random) -> tuple[str, int]:
    """A sum such as "53 - 48", and what it comes to."""
    operator = rng.choice(OPERATORS)
    if operator in "+-":
        whole = rng.randint(1, rng.choice(WHOLE))
        part = rng.randint(0, whole)
        rest = whole - part
        return (f"{whole} - {part}", rest) if operator == "-" else (f"{part} + {rest}", whole)
    one, other = rng.randint(*FACTORS), rng.randint(*FACTORS)
    return (f"{one} * {other}", one * other) if operator == "*" else (f"{one * other} / {one}", other)
