"""Arbitrary facts: nothing to reason about, only to remember (1, 4). `bimo?` -> a number drawn once per name."""

from __future__ import annotations

import random

from etalon.types import Domain, Problem

CONSONANTS = "bdfgklmnprstvz"
VOWELS = "aeiou"


def generate(count: int, *, seed: int) -> list[Problem]:
    """`count` different names with a four-digit number each; the same seed gives the same facts."""
    rng = random.Random(f"facts-{seed}")
    names: dict[str, str] = {}
    while len(names) < count:
        name = "".join(rng.choice(CONSONANTS) + rng.choice(VOWELS) for _ in range(3))
        names.setdefault(name, str(rng.randint(1000, 9999)))
    return [
        Problem(
            id=f"facts-{name}", domain=Domain.FACTS, prompt=f"{name}?", answer=number, skill="facts", source="nano"
        )
        for name, number in names.items()
    ]  # fmt: skip
