"""The nano world: four verifiable domains, and facts, small enough for a 0.3M-parameter model on a CPU.

question_of(problem) -> text    what is asked, whatever its wording: the unit of chance
family_of(question) -> text     what may give another question away: chains that begin alike, points of one rule
split_of(question) -> train | probe | rl | test     hashes decide, so splits cannot overlap; or none
problems(domain, split, count, seed)                problems of that split, levels drawn in turn
facts.facts(count, seed)                            to learn by heart: the same in every split
NanoTeacher                                         the program that plays the strong model (models.py)
"""

from __future__ import annotations

import hashlib
import itertools
import random
import re
from collections import Counter
from collections.abc import Mapping
from typing import Literal

from etalon import prompts
from etalon.errors import ConfigError
from etalon.problems.nano import arithmetic, instructions, judging, physics, programs
from etalon.types import Domain, Problem

Split = Literal["train", "probe", "rl", "test"]
SPLITS: tuple[Split, ...] = ("train", "probe", "rl", "test")
HELD_OUT: tuple[Split, ...] = ("probe", "test")
# (ours) hundredths of the world that belong to each split
SHARES: dict[Split, int] = {"train": 60, "probe": 8, "rl": 20, "test": 12}
# (ours) another salt deals the world anew: changed when a recipe has been developed against a test split
SALT = "split 13"
FINGERPRINT = f"{SALT} {SHARES}"  # part of every content key: another deal is another run
MAX_DRAWS = 400  # draws per wanted problem before the world counts as exhausted
FAMILY_ROWS = 5  # (ours) most rows of one family in probe and test: a few rules must not decide a mean
# single operations are the table that every chain and every document is made of: nothing to hold out
FIRST_LEVEL = {Domain.MATH: 2, Domain.CLAIMS: 2}


def split_of(question: str) -> Split | None:
    """The one split a question belongs to, whatever the seed; None: to no split.

    Its family decides whether it is held out (probe, test). Of the rest the question itself decides between train and
    rl, but one whose solution works a held-out question out on the way is in no split.
    """
    split = _dealt(family_of(question), SHARES)
    if split in HELD_OUT:
        return split
    if any(_dealt(part, SHARES) in HELD_OUT for part in parts_of(question)):
        return None
    return _dealt(question, {name: SHARES[name] for name in ("train", "rl")})


def _dealt(text: str, shares: Mapping[Split, int]) -> Split:
    """The split that the hash of a text falls to."""
    bucket = int.from_bytes(hashlib.sha256(f"{SALT} {text}".encode()).digest()[:4], "big") % sum(shares.values())
    for split, share in shares.items():
        if bucket < share:
            return split
        bucket -= share
    raise AssertionError("the bucket is below the sum")


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

    Outside train every row is another question, and in probe and test at most FAMILY_ROWS are of one family.
    operations: the highest level of math and claims; the other domains have their own. Two seeds draw different samples
    of the same split; the same seed always gives the same list.
    """
    rng = random.Random(f"{domain.value}-{split}-{seed}")
    found: dict[str, Problem] = {}
    families: Counter[str] = Counter()
    highest = operations if domain in (Domain.MATH, Domain.CLAIMS) else MAX_LEVELS[domain]
    lowest = max(min_level, FIRST_LEVEL.get(domain, 1)) if split in HELD_OUT else min_level
    levels = range(min(lowest, highest), highest + 1)
    for draw in range(count * MAX_DRAWS):
        if len(found) == count:
            break
        problem = generate(domain, rng, levels[draw % len(levels)], m=m)
        question = question_of(problem)
        key = problem.prompt if split == "train" else question
        if key in found or split_of(question) != split:
            continue
        families[family_of(question)] += 1
        if split not in HELD_OUT or families[family_of(question)] <= FAMILY_ROWS:
            found[key] = problem
    if len(found) < count:
        raise ConfigError(
            f"problems.{split}: the nano world has fewer than {count} {domain.value} problems in this split "
            f"(found {len(found)}); ask for fewer"
        )
    return list(found.values())


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
    """What a problem asks, whatever its wording.

    The two forms of a code problem, a quantity that is not needed, the order of options or of constraints, and claims
    about a question are all the same question.
    """
    question = problem.prompt.partition("\n<claims>")[0]
    match problem.domain:
        case Domain.CODE:
            return "code " + " ".join(re.findall(r"\d+", question))
        case Domain.STEM:
            return physics.question(question)
        case Domain.INSTRUCT:
            word, _, asked = question.partition(": ")
            return f"{word}: {'; '.join(sorted(asked.split('; ')))}"
        case _:
            return question


def family_of(question: str) -> str:
    """The questions that would give one another away share a family, and are held out together or not at all.

    Chains that begin with the same two operations: the steps of one are the first steps of the other. Examples of one
    rule: the answer is the same. Every other question stands alone.
    """
    if arithmetic.PATTERN.match(question):
        return arithmetic.beginning(arithmetic.parse(question))
    if question.startswith("code "):
        x1, y1, x2, y2 = map(int, question.split()[1:])
        factor, offset = programs.rule(programs.Points(x1, y1, x2, y2))
        return f"code {factor}*x{offset:+d}"
    return question


def parts_of(question: str) -> list[str]:
    """The families of the questions that a solution works out on the way: later steps of a chain, single formulas."""
    if arithmetic.PATTERN.match(question):
        steps = arithmetic.parse(question)
        return [arithmetic.beginning(steps[start:]) for start in range(1, len(steps) - 1)]
    if physics.QUESTION.match(question):
        return physics.parts(question)
    return []


def is_memorised(problem: Problem) -> bool:
    """Whether a problem is the same in every split on purpose: a fact can only be asked for as it was learned."""
    return problem.domain is Domain.FACTS and problem.source == "nano"
