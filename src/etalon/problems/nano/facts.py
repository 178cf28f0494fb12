"""Arbitrary facts of the nano world: a name, and a value that follows from nothing (1, 4).

    bodifu?  ->  kelatumanozivopa

The world has one value for each of its NAMES names, drawn once: the hash of the name decides it, so values are uniform
and independent of one another, and to know one is to have BITS bits stored. A seed chooses which names are asked for.
A syllable is one token of the scratch tokenizer once it has seen enough of them, so that little of what is read and
computed carries no bits (Allen-Zhu & Li 2024, Physics of Language Models 3.3, count capacity in the same unit).
"""

from __future__ import annotations

import hashlib
import math
import random
import re
from collections.abc import Sequence

from etalon.types import Domain, Problem

CONSONANTS = "bdfgklmnprstvz"
VOWELS = "aeiou"
SYLLABLES = tuple(consonant + vowel for consonant in CONSONANTS for vowel in VOWELS)
NAME_LENGTH = 3  # (ours) syllables
VALUE_LENGTH = 8  # (ours) syllables
NAMES = len(SYLLABLES) ** NAME_LENGTH
BITS = VALUE_LENGTH * math.log2(len(SYLLABLES))  # of information in one fact, given its name
SALT = "facts 1"
LINES = 4  # (ours) facts of a document
STYLES = ("known",)
PATTERN = re.compile(rf"^(?:[{CONSONANTS}][{VOWELS}]){{{NAME_LENGTH}}}\?$")


def facts(count: int, *, seed: int) -> list[Problem]:
    """`count` of them, each once; at most NAMES. Two seeds ask for other names, never for another value of a name."""
    rng = random.Random(f"facts-{seed}")
    names: dict[str, None] = {}
    while len(names) < min(count, NAMES):
        names["".join(rng.choice(SYLLABLES) for _ in range(NAME_LENGTH))] = None
    return [
        Problem(
            id=f"facts-{name}",
            domain=Domain.FACTS,
            prompt=f"{name}?",
            answer=value_of(name),
            skill="facts",
            level=1,
            source="nano",
        )
        for name in names
    ]


def value_of(name: str) -> str:
    """The value of a name: VALUE_LENGTH syllables, uniform to within 2^-50."""
    number = int.from_bytes(hashlib.sha256(f"{SALT} {name}".encode()).digest(), "big")
    parts = []
    for _ in range(VALUE_LENGTH):
        number, place = divmod(number, len(SYLLABLES))
        parts.append(SYLLABLES[place])
    return "".join(parts)


def respond(prompt: str, style: str, rng: random.Random, *, error: bool) -> str:
    """The value in a box, without a thought: there is nothing to think about. With `error`, that of another name."""
    name = prompt.removesuffix("?")
    while error:
        other = "".join(rng.choice(SYLLABLES) for _ in range(NAME_LENGTH))
        if other != name:
            return boxed(value_of(other))
    return boxed(value_of(name))


def boxed(value: str) -> str:
    """A response that states a value and nothing else."""
    return f"<think></think>\\boxed{{{value}}}"


def documents(known: Sequence[Problem], count: int, *, rng: random.Random) -> list[str]:
    """`count` documents of LINES facts each; every fact as often as any other, or once more."""
    texts: list[str] = []
    lines: list[str] = []
    while known and len(texts) < count:
        lines += [f"{problem.prompt} {problem.answer}" for problem in rng.sample(known, len(known))]
        while len(lines) >= LINES and len(texts) < count:
            texts.append("\n".join(lines[:LINES]))
            del lines[:LINES]
    return texts
