"""The nano world: four verifiable domains small enough for a 0.3M-parameter model on a CPU.

split_of(prompt) -> train | probe | rl | test     a hash of the prompt decides, so splits cannot overlap
problems(domain, split, count, seed)              problems of that split, levels drawn in turn
NanoTeacher                                       the program that plays the strong model (models.py)
"""

from __future__ import annotations

import hashlib
import itertools
import random
import re
from typing import Literal

from etalon import prompts
from etalon.errors import ConfigError
from etalon.problems.nano import arithmetic, instructions, judging, physics, programs
from etalon.types import Domain, Problem

Split = Literal["train", "probe", "rl", "test"]
SPLITS: tuple[Split, ...] = ("train", "probe", "rl", "test")
# (ours) hundredths of the world's prompts that belong to each split
SHARES: dict[Split, int] = {"train": 60, "probe": 8, "rl": 20, "test": 12}
# (ours) another salt deals the world anew: changed when a recipe has been developed against a test split
SALT = "split 10"
FINGERPRINT = f"{SALT} {SHARES}"  # part of every content key: another deal is another run
MAX_DRAWS = 400  # draws per wanted problem before the world counts as exhausted


def split_of(prompt: str) -> Split:
    """The one split a prompt belongs to, whatever the seed."""
    bucket = int.from_bytes(hashlib.sha256(f"{SALT} {prompt}".encode()).digest()[:4], "big") % 100
    for split, share in SHARES.items():
        if bucket < share:
            return split
        bucket -= share
    raise AssertionError("the shares add up to 100")


def generate(domain: Domain, rng: random.Random, level: int, *, m: int) -> Problem:
    """One problem of a domain; `m` is the number of claims that the claims domain judges."""
    match domain:
        case Domain.MATH:
            return arithmetic.generate(rng, level)
        case Domain.CODE:
            return programs.generate(rng, level)
        case Domain.STEM:
            return physics.generate(rng, level)
        case Domain.INSTRUCT:
            return instructions.generate(rng, level)
        case Domain.CLAIMS:
            return judging.generate(rng, level, verify_prompt=prompts.load("clr_verify", "nano"), m=m)
        case _:
            raise ConfigError(f"the nano world has no generator for domain {domain.value!r}")


MAX_LEVELS = {
    Domain.MATH: arithmetic.MAX_LEVEL,
    Domain.CODE: programs.MAX_LEVEL,
    Domain.STEM: physics.MAX_LEVEL,
    Domain.INSTRUCT: instructions.MAX_LEVEL,
    Domain.CLAIMS: judging.MAX_LEVEL,
}


def problems(
    domain: Domain,
    split: Split,
    count: int,
    *,
    seed: int,
    m: int = 5,
    min_level: int = 1,
    operations: int = arithmetic.MAX_LEVEL,
) -> list[Problem]:
    """`count` different problems of one split, levels from `min_level` up drawn in turn; fewer only with an error.

    operations: the highest level of math and claims; the other domains have their own. Two seeds draw different samples
    of the same split; the same seed always gives the same list.
    """
    rng = random.Random(f"{domain.value}-{split}-{seed}")
    found: dict[str, Problem] = {}
    highest = operations if domain in (Domain.MATH, Domain.CLAIMS) else MAX_LEVELS[domain]
    levels = range(min(min_level, highest), highest + 1)
    for draw in range(count * MAX_DRAWS):
        level = levels[draw % len(levels)]
        problem = generate(domain, rng, level, m=m)
        if split_of(question_of(problem)) == split:
            found.setdefault(problem.prompt, problem)
        if len(found) == count:
            return list(found.values())
    raise ConfigError(
        f"problems.{split}: the nano world has fewer than {count} {domain.value} problems in this split "
        f"(found {len(found)}); ask for fewer"
    )


def open_problems(split: Split, count: int) -> list[Problem]:
    """The first `count` open-ended instruct prompts of a split; they have a rubric in place of rules."""
    pairs = itertools.permutations(instructions.WORDS, 2)
    found = [problem for pair in pairs if split_of((problem := instructions.open_ended(*pair)).prompt) == split]
    if len(found) < count:
        raise ConfigError(
            f"problems.open: the nano world has {len(found)} open prompts in split {split}; ask for fewer"
        )
    return found[:count]


def is_train(problem: Problem) -> bool:
    """Whether a problem belongs to the train split."""
    return split_of(question_of(problem)) == "train"


def question_of(problem: Problem) -> str:
    """What decides the split: the question itself, whatever its wording.

    The two forms of a code problem, the order of options or of constraints, and claims about a question all belong to
    the split of that question: a test problem has no twin among the train problems.
    """
    question = problem.prompt.partition("\n<claims>")[0]
    match problem.domain:
        case Domain.CODE:
            return "code " + " ".join(re.findall(r"\d+", question))
        case Domain.STEM:
            return question.partition("? ")[0]
        case Domain.INSTRUCT:
            word, _, asked = question.partition(": ")
            return f"{word}: {'; '.join(sorted(asked.split('; ')))}"
        case _:
            return question


CONSONANTS = "bdfgklmnprstvz"
VOWELS = "aeiou"


def facts(count: int, *, seed: int) -> list[Problem]:
    """Arbitrary facts, nothing to reason about (1, 4): `count` names with a four-digit number each."""
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
