"""New exercises of the nano world: what its teacher writes when it is asked to expand a seed (2.1.1 step 1).

It writes what it would be trained on only, never a question of a held-out family. Now and then it copies the seed, or
leaves something out that nobody can do without: the gates behind expansion have something real to catch.
"""

from __future__ import annotations

import random
import re

from etalon.problems.nano import arithmetic, generate, is_train, physics
from etalon.types import Domain

COPY_RATE = 0.05  # (ours)
FLAW_RATE = 0.05  # (ours)
SEED = re.compile(r"<seed>\n(?P<question>.*?)\n</seed>", re.DOTALL)
TWO_CONCEPTS = "combines the concept"  # of the prompt that asks for more than the seed does


def is_prompt(prompt: str) -> bool:
    """Whether a prompt asks for a new exercise out of one of this world."""
    return _seed(prompt) is not None


def respond(prompt: str, rng: random.Random) -> str:
    """A response with one new exercise between <query> tags."""
    seed = _seed(prompt)
    assert seed is not None
    question, domain, level = seed
    level = min(level + (TWO_CONCEPTS in prompt), _HIGHEST[domain])
    fate = rng.random()
    if fate < COPY_RATE:
        query = question
    else:
        query = _drawn(domain, level, rng)
        if fate < COPY_RATE + FLAW_RATE:
            query = query.replace("=", "", 1)
    return f"<think>{domain} {level}</think><query>{query}</query>"


_HIGHEST = {Domain.MATH: arithmetic.MAX_LEVEL, Domain.STEM: physics.MAX_LEVEL}


def _drawn(domain: Domain, level: int, rng: random.Random) -> str:
    while not is_train(problem := generate(domain, rng, level, m=0)):
        pass
    return problem.prompt


def _seed(prompt: str) -> tuple[str, Domain, int] | None:
    """The exercise in a prompt, its domain, and its level; None where there is none of this world."""
    found = SEED.search(prompt)
    question = found["question"].strip() if found else ""
    if arithmetic.PATTERN.match(question):
        return question, Domain.MATH, len(arithmetic.parse(question))
    if physics.PATTERN.match(question):
        values, symbol = physics.read(question)
        return question, Domain.STEM, len(physics.solve(symbol, values))
    return None
