"""STEM of the nano world: quantities, a formula to know, four options: `m=3 a=7 F? A21 B10 C28 D24`.

Level 1 applies one formula, level 2 chains two, level 3 chains two with a quantity that is not needed: the question is
one of level 2. Styles: direct (a letter at once), terse (all numbers in one product), full (formula and numbers, one
step per line), checked (full, then the products again). All but the direct one box the value of the option, not its
letter.
"""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass

from etalon.types import Domain, Problem

MAX_LEVEL = 3
PATTERN = re.compile(r"^((?:[a-zA-Z]=\d+ )+)([a-zA-Z])\? A(\d+) B(\d+) C(\d+) D(\d+)$")
QUESTION = re.compile(r"^((?:[a-zA-Z]=\d+ )+)([a-zA-Z])\?$")  # as `question` writes it
STYLES = ("direct", "terse", "full", "checked")
# each quantity is the product of two others; a chain replaces the first factor by its own formula
FORMULAS = {
    "F": ("m", "a"), "p": ("m", "v"), "d": ("v", "t"), "W": ("F", "d"), "J": ("F", "t"), "T": ("F", "r"),
    "L": ("p", "r"),
    "U": ("R", "I"), "P": ("U", "I"), "Q": ("I", "t"), "E": ("P", "t"), "K": ("P", "n"), "M": ("Q", "n"),
    "Z": ("U", "n"),
}  # fmt: skip
SKILLS = dict.fromkeys("FpdWJTL", "motion")  # the others: electricity, K, M and Z of n cells or lamps together
SYMBOLS = sorted({s for pair in FORMULAS.values() for s in pair})
LARGEST = 99  # no result is larger
FIRST, OTHERS = 30, 9  # the largest value of the first factor, and of the others


@dataclass(frozen=True, kw_only=True)
class Product:
    """One use of a formula with its numbers."""

    symbol: str
    left: int
    right: int
    factors: tuple[str, str]

    @property
    def result(self) -> int:
        return self.left * self.right


def generate(rng: random.Random, level: int) -> Problem:
    """Draw a formula (and a second for its first factor), quantities, distractors."""
    while True:
        symbol = rng.choice(sorted(FORMULAS))
        left, right = FORMULAS[symbol]
        if level == 1 or (left in FORMULAS and right not in FORMULAS[left]):
            break
    needed = [left, right] if level == 1 else [*FORMULAS[left], right]
    while True:
        values = {s: rng.randint(2, OTHERS if place else FIRST) for place, s in enumerate(needed)}
        if math.prod(values.values()) <= LARGEST:
            break
    shown = list(needed)
    if level == 3:
        spare = rng.choice([s for s in SYMBOLS if s not in needed and s not in (symbol, left)])
        values[spare] = rng.randint(2, 9)
        shown.insert(rng.choice((0, len(shown))), spare)
    result = solve(symbol, values)[-1].result
    wrong = {result + d for d in (-9, -4, -2, -1, 1, 2, 3, 10)} | {sum(values[s] for s in needed)}
    wrong = {w for w in wrong if w > 0 and w != result}
    contents = [result, *rng.sample(sorted(wrong), 3)]
    rng.shuffle(contents)
    options = {letter: str(c) for letter, c in zip("ABCD", contents, strict=True)}
    quantities = " ".join(f"{s}={values[s]}" for s in shown)
    prompt = f"{quantities} {symbol}? " + " ".join(f"{k}{v}" for k, v in options.items())
    return Problem(
        id=f"stem-{prompt}",
        domain=Domain.STEM,
        prompt=prompt,
        answer=next(k for k, v in options.items() if v == str(result)),
        options=options,
        skill=f"stem/{SKILLS.get(symbol, 'electricity')}",
        level=level,
        source="nano",
    )


def read(prompt: str) -> tuple[dict[str, int], str]:
    """The quantities of a prompt or a question, and the symbol that is asked for."""
    quantities, _, symbol = prompt.partition("?")[0].rpartition(" ")
    return {part[0]: int(part[2:]) for part in quantities.split()}, symbol


def question(prompt: str) -> str:
    """The quantity asked for and those that it needs: what `prompt` asks, without options and what is not needed."""
    values, symbol = read(prompt)
    left, right = FORMULAS[symbol]
    needed = [left, right] if left in values else [*FORMULAS[left], right]
    return " ".join(f"{s}={values[s]}" for s in needed) + f" {symbol}?"


def parts(asked: str) -> list[str]:
    """The single formulas that the solution of a chain uses, each as a question of its own."""
    values, symbol = read(asked)
    chain = solve(symbol, values)
    return [f"{p.factors[0]}={p.left} {p.factors[1]}={p.right} {p.symbol}?" for p in chain] if len(chain) > 1 else []


def solve(symbol: str, values: dict[str, int]) -> list[Product]:
    """The chain of products that gives `symbol`, innermost first."""
    left, right = FORMULAS[symbol]
    chain = [] if left in values else solve(left, values)
    left_value = values[left] if left in values else chain[-1].result
    return [*chain, Product(symbol=symbol, left=left_value, right=values[right], factors=(left, right))]


def think(chain: list[Product], style: str) -> str:
    """The reasoning of one style."""
    if style == "direct":
        return ""
    sums = [f"{p.left}*{p.right}={p.result}" for p in chain]
    if style == "terse":
        return "*".join([str(chain[0].left), *(str(p.right) for p in chain)]) + f"={chain[-1].result}"
    lines = [f"{p.symbol}={p.factors[0]}{p.factors[1]}={s}" for p, s in zip(chain, sums, strict=True)]
    if style == "checked":
        lines += ["again", *sums]
    return "\n".join(lines)


def respond(prompt: str, style: str, rng: random.Random, *, error: bool) -> str:
    """Reasoning and the letter in a box; with `error`, a wrong letter."""
    match = PATTERN.match(prompt)
    assert match is not None
    values, symbol = read(prompt)
    chain = solve(symbol, values)
    result = chain[-1].result
    letters = dict(zip("ABCD", map(int, match.groups()[2:]), strict=True))
    wrong = [letter for letter, value in letters.items() if value != result]
    letter = rng.choice(wrong) if error else next(k for k, v in letters.items() if v == result)
    answer = letter if style == "direct" else letters[letter]
    return f"<think>{think(chain, style)}</think>\\boxed{{{answer}}}"
