"""Fresh problems: questions made a moment ago, which no model can have met in its training data.

    domain + seed -> the domain's generator, its levels in turn -> never a question met before -> Problem

A benchmark's questions may have leaked; reported beside it, a row of fresh ones of the same domain says how much of a
score needs them. The two rows differ in difficulty too: what tells is a model that does well on the benchmark and falls
far behind, on the fresh ones, models that it beats there (ours).

chains.py        math: a chain of operations, as in the nano world and far above it
remainders.py    code: the rule behind examples
quantities.py    stem: a quantity from others, by the nano world's formulas
constraints.py   instruct: a text under rules
gym.py           the data sets of reasoning-gym, where it is installed
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from etalon.errors import InputError
from etalon.evaluate.fresh import chains, constraints, quantities, remainders
from etalon.evaluate.fresh.gym import reasoning_gym_problems
from etalon.problems.instructions import with_instruction
from etalon.types import Domain, Problem

__all__ = ["LADDERS", "Ladder", "domains_of", "fresh_problems", "reasoning_gym_problems"]

SOURCE = "fresh"
MAX_DRAWS = 400  # (ours) draws per wanted problem before a generator counts as exhausted


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """A domain's generator: (rng, level) -> a problem without id whose prompt is the question alone.

    levels: from easy to far above the nano world's training; what a level counts is the generator's own.
    """

    generate: Callable[[random.Random, int], Problem]
    levels: tuple[int, ...]


LADDERS = {
    Domain.MATH: Ladder(generate=chains.generate, levels=chains.LEVELS),
    Domain.CODE: Ladder(generate=remainders.generate, levels=remainders.LEVELS),
    Domain.STEM: Ladder(generate=quantities.generate, levels=quantities.LEVELS),
    Domain.INSTRUCT: Ladder(generate=constraints.generate, levels=constraints.LEVELS),
}


def fresh_problems(domain: Domain, count: int, *, seed: int) -> list[Problem]:
    """`count` different new problems of a domain, levels in turn, asked as a benchmark's file of the domain asks.

    The same seed gives the same list, of which a smaller count is the beginning; no question belongs to the train split
    of the nano world. Raises InputError for a domain without a generator, and when there are not so many.
    """
    if domain not in LADDERS:
        raise InputError(
            f"--fresh: found domain {domain.value}; fresh problems are made for {', '.join(d.value for d in LADDERS)}"
        )
    ladder = LADDERS[domain]
    rng = random.Random(f"fresh {domain.value} {seed}")
    found: dict[str, Problem] = {}
    draws = 0
    while len(found) < count:
        if draws == count * MAX_DRAWS:
            raise InputError(f"--fresh {count}: found {len(found)} different {domain.value} problems; ask for fewer")
        draws += 1
        problem = ladder.generate(rng, ladder.levels[len(found) % len(ladder.levels)])
        number = len(found) + 1
        found.setdefault(problem.prompt, _asked(problem, f"{SOURCE}-{domain.value}-{seed}-{number}"))
    return list(found.values())


def _asked(problem: Problem, name: str) -> Problem:
    """The problem with its name, its source and the default sentence that says how to answer."""
    prompt = with_instruction(problem.prompt, problem.domain, has_options=bool(problem.options))
    return replace(problem, id=name, prompt=prompt, source=SOURCE)


def domains_of(problems: Iterable[Problem]) -> list[Domain]:
    """The domains of a benchmark's problems for which fresh ones can be made, in the order in which they first come."""
    return [domain for domain in dict.fromkeys(problem.domain for problem in problems) if domain in LADDERS]
