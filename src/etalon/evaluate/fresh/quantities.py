"""Fresh STEM: one quantity from others, by the nano world's formulas, forwards and backwards.

level = formulas needed: 1, 2 (the nano world's own questions, in words) | 3, 4, 5, 7 (divisions too, large numbers)
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from etalon.problems import nano
from etalon.problems.nano import physics
from etalon.problems.nano.physics import FORMULAS
from etalon.types import Domain, Problem

LEVELS = (1, 2, 3, 4, 5, 7)
NANO_LEVELS = (1, 2)
VALUES = {3: (2, 30), 4: (11, 99), 5: (11, 99), 7: (101, 999)}  # (ours) of the quantities that no formula gives
LETTERS = "ABCDEFGHIJ"  # (ours) ten options above the nano world's levels
WORDS = {
    "m": ("mass", "kg"), "a": ("acceleration", "m/s^2"), "v": ("speed", "m/s"), "t": ("time", "s"),
    "r": ("radius", "m"), "R": ("resistance", "ohm"), "I": ("current", "A"), "n": ("number of equal parts", ""),
    "F": ("force", "N"), "p": ("momentum", "kg m/s"), "d": ("distance", "m"), "W": ("work", "J"),
    "J": ("impulse", "N s"), "T": ("torque", "N m"), "L": ("angular momentum", "kg m^2/s"), "U": ("voltage", "V"),
    "P": ("power", "W"), "Q": ("charge", "C"), "E": ("electrical energy", "J"), "K": ("power of all n parts", "W"),
    "M": ("charge through all n parts", "C"), "Z": ("voltage of all n parts", "V"),
}  # fmt: skip
CONVENTION = (
    "All quantities are in SI units. These relations hold, and nothing else is known: "
    + ", ".join(f"{symbol} = {left}*{right}" for symbol, (left, right) in FORMULAS.items())
    + "."
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A quantity that is asked for, what is given, and the value."""

    symbol: str
    given: dict[str, int]
    value: int


def generate(rng: random.Random, level: int) -> Problem:
    """A question of a level with its options, which is not in the nano world's train split."""
    asked, contents = _of_nano(rng, level) if level in NANO_LEVELS else _backwards(rng, level)
    options = dict(zip(LETTERS, map(str, contents), strict=False))
    lines = "\n".join(f"{letter}. {content}" for letter, content in options.items())
    return Problem(
        id="",
        domain=Domain.STEM,
        prompt=f"{CONVENTION}\n\n{worded(asked)}\n\n{lines}",
        answer=LETTERS[contents.index(asked.value)],
        options=options,
        shuffle=True,
        skill="stem/quantities",
        level=level,
    )


def worded(asked: Asked) -> str:
    """The question in words, with names and units."""
    given = ", ".join(f"{WORDS[s][0]} {s} = {value} {WORDS[s][1]}".rstrip() for s, value in asked.given.items())
    name, unit = WORDS[asked.symbol]
    return f"Given: {given}. What is the {name} {asked.symbol}{f' in {unit}' if unit else ''}?"


def _of_nano(rng: random.Random, level: int) -> tuple[Asked, list[int]]:
    while nano.is_train(problem := physics.generate(rng, level)):
        pass
    assert problem.options is not None
    given, symbol = physics.read(problem.prompt)
    value = physics.solve(symbol, given)[-1].result
    return Asked(symbol=symbol, given=given, value=value), [int(content) for content in problem.options.values()]


def _backwards(rng: random.Random, level: int) -> tuple[Asked, list[int]]:
    values = consistent(rng, *VALUES[level])
    symbol, leaves = derivation(rng, level)
    asked = Asked(symbol=symbol, given={leaf: values[leaf] for leaf in leaves}, value=values[symbol])
    contents = choices(rng, asked.value)
    rng.shuffle(contents)
    return asked, contents


def consistent(rng: random.Random, smallest: int, largest: int) -> dict[str, int]:
    """A value of every quantity under which all formulas hold: the others are products of those that none gives."""
    values = {symbol: rng.randint(smallest, largest) for symbol in sorted(set(WORDS) - set(FORMULAS))}
    while len(values) < len(WORDS):
        for symbol, (left, right) in FORMULAS.items():
            if left in values and right in values:
                values[symbol] = values[left] * values[right]
    return values


def derivation(rng: random.Random, level: int) -> tuple[str, list[str]]:
    """A quantity, and `level` + 1 others that give it by `level` formulas, each solved for one of its three."""
    triples = [frozenset((symbol, *factors)) for symbol, factors in FORMULAS.items()]
    while True:
        symbol = rng.choice(sorted(WORDS))
        leaves, met, used = [symbol], {symbol}, set[frozenset[str]]()
        while len(used) < level:
            ways = [(leaf, t) for leaf in leaves for t in triples if t not in used and t & met == {leaf}]
            if not ways:
                break
            leaf, triple = rng.choice(ways)
            others = sorted(triple - {leaf})
            leaves = [s for s in leaves if s != leaf] + others
            met |= triple
            used.add(triple)
        if len(used) == level and not _is_shorter(symbol, leaves, triples):
            return symbol, rng.sample(leaves, len(leaves))


def _is_shorter(symbol: str, leaves: list[str], triples: list[frozenset[str]]) -> bool:
    """Whether one of the quantities can be left out: then fewer formulas would do."""
    return any(symbol in reached({*leaves} - {leaf}, triples) for leaf in leaves)


def reached(known: set[str], triples: list[frozenset[str]]) -> set[str]:
    """Every quantity that follows from those known: of three, two give the third."""
    found = set(known)
    while new := {s for t in triples if len(t - found) == 1 for s in t - found}:
        found |= new
    return found


def choices(rng: random.Random, value: int) -> list[int]:
    """The value among nine others, in ascending order, of which none tells by itself that it is the one.

    From 100 on they are a grid over two digits in which the value has any place; below, ten numbers in a row.
    """
    if value < 100:
        first = value - rng.randrange(min(len(LETTERS), value))
        return [first + step for step in range(len(LETTERS))]
    wide, narrow = (10**place for place in rng.sample(range(len(str(value)) - 1), 2))
    first = value - rng.randrange(5) * wide - rng.randrange(2) * narrow
    return sorted(first + i * wide + j * narrow for i in range(5) for j in range(2))
