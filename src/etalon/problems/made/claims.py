"""Both calls of CLR on stories of our own, as traces that teach a model their form: {prompt, response, domain}.

    a story -> its solution, then M claims it depends on           the first call   (domain math)
            -> M claims of a solution that may have slipped        the second call  (domain claims)
               -> each redone, then <verdicts> valid or refuted

A step offers two claims, what has to be done and what it comes to; shown are the last M, what comes to the answer among
them, although the prompt of CLR would rather not see it: in a small model arithmetic is what goes wrong. A claim is
refuted when it is not what the story asks for at that point, or when its arithmetic is wrong; a step that goes on
correctly from the wrong result of a claim before it is valid, as in the nano world.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from etalon import prompts
from etalon.errors import ConfigError
from etalon.problems.formats import gsm8k
from etalon.problems.instructions import with_instruction
from etalon.problems.made import Row, different
from etalon.problems.made.stories import LARGEST, Story, story
from etalon.problems.nano import arithmetic
from etalon.types import Domain

SOURCE = "made-claims"
PER_STEP = 2  # claims
SOUND = 0.15  # (ours) share of second calls in which no slip is tried
SLIP = 0.6  # (ours) chance of a slip per step in the others
SLIP_TRIES = 200  # (ours) draws of slips after which the steps stay as they are
NEEDED = {
    "+": "{b} has to be added to {a}.",
    "-": "{b} has to be taken away from {a}.",
    "*": "{a} has to be multiplied by {b}.",
    "/": "{a} has to be divided by {b}.",
}


class Step(arithmetic.Step):
    """left operator right = result, as somebody claims it; divisions, too."""

    @classmethod
    def of(cls, line: str) -> Step:
        """A line of a story's solution."""
        left, operator, right, _, result = line.split(" ")
        return cls(left=int(left), operator=operator, right=int(right), result=int(result))

    @property
    def is_possible(self) -> bool:
        """Whether it comes to a whole number from 0 to LARGEST, as every step of a story does."""
        if self.right < 1 or (self.operator == "/" and self.left % self.right):
            return False
        return 0 <= self.worked <= LARGEST

    @property
    def worked(self) -> int:
        """What it comes to; a division only where that is whole."""
        if self.operator == "/":
            return self.left // max(1, self.right)
        return arithmetic.OPERATIONS[self.operator](self.left, self.right)

    @property
    def claims(self) -> tuple[str, str]:
        """What has to be done, and what it comes to."""
        line = f"{self.left} {self.operator} {self.right} = {self.result}."
        return NEEDED[self.operator].format(a=self.left, b=self.right), line


def traces(count: int, *, seed: int, m: int, steps: tuple[int, int], folder: str = "default") -> Iterator[Row]:
    """Rows with different prompts, half of each call.

    m: claims; steps: fewest and most of a story, of which only those that offer m claims are drawn. folder: of the
    prompt files, which are of the form of the default ones. ConfigError where no story offers so many.
    """
    fewest, most = max(steps[0], math.ceil(m / PER_STEP)), steps[1]
    if fewest > most:
        raise ConfigError(f"-m {m}: a story of {most} steps offers {most * PER_STEP} claims; ask for fewer")

    def draw(rng: random.Random) -> Row:
        drawn = story(rng, rng.randint(fewest, most))
        return _first(drawn, m, folder) if rng.random() < 0.5 else _second(rng, drawn, m, folder)

    return different(draw, key="prompt", seed=seed, count=count)


def _first(drawn: Story, m: int, folder: str) -> Row:
    solution = gsm8k.response("\n".join(drawn.lines), str(drawn.answer))
    claims = shown([Step.of(line) for line in drawn.lines], m)
    block = "\n".join(claims)
    return _row(
        _asked("clr_generate", drawn, m, (), folder), f"{solution}\n\n<claims>\n{block}\n</claims>", Domain.MATH
    )


def _second(rng: random.Random, drawn: Story, m: int, folder: str) -> Row:
    true = [Step.of(line) for line in drawn.lines]
    said = true if rng.random() < SOUND else slipped(rng, true)
    claims, right = shown(said, m), shown(redone(true, said, m), m)
    verdicts = ["valid" if claim == one else "refuted" for claim, one in zip(claims, right, strict=True)]
    response = f"<think>{prompts.numbered(right)}</think>\n<verdicts>\n{prompts.numbered(verdicts)}\n</verdicts>"
    return _row(_asked("clr_verify", drawn, m, claims, folder), response, Domain.CLAIMS)


def _asked(name: str, drawn: Story, m: int, claims: Sequence[str], folder: str) -> str:
    question = with_instruction(drawn.question, Domain.MATH, prompts=folder)
    listed = {"claims": "\n".join(claims), "numbered_claims": prompts.numbered(claims)}
    return prompts.filled(prompts.load(name, folder), question=question, m=str(m), **listed)


def _row(prompt: str, response: str, domain: Domain) -> Row:
    return {"prompt": prompt, "response": response, "domain": domain.value, "source": SOURCE}


def shown(steps: Sequence[Step], m: int) -> list[str]:
    """The last m of what these steps claim."""
    return [claim for step in steps for claim in step.claims][-m:]


def slipped(rng: random.Random, steps: Sequence[Step]) -> list[Step]:
    """The steps of somebody who now and then takes a wrong operation, number or result, and carries on with it.

    As they are where no slip is found that leaves every step possible.
    """
    for _ in range(SLIP_TRIES):
        found: list[Step] = []
        for step in steps:
            here = replace(step, left=found[-1].result if found else step.left)
            here = replace(here, result=here.worked)
            found.append(_slip(rng, here) if rng.random() < SLIP else here)
        following = [replace(step, left=one.result) for step, one in zip(steps[1:], found, strict=False)]
        if all(one.is_possible and 0 <= one.result <= LARGEST for one in (*found, *following)):
            return found
    return list(steps)


def _slip(rng: random.Random, step: Step) -> Step:
    kind = rng.choice(("operator", "number", "result"))
    if kind == "result":
        return replace(step, result=step.result + rng.choice((-20, -10, -9, -2, -1, 1, 2, 9, 10, 20)))
    if kind == "operator":
        step = replace(step, operator=rng.choice([one for one in NEEDED if one != step.operator]))
    else:
        step = replace(step, right=step.right + rng.choice((-10, -2, -1, 1, 2, 10)))
    return replace(step, result=step.worked)


def redone(true: Sequence[Step], said: Sequence[Step], m: int) -> list[Step]:
    """For each claimed step the one that the story asks for there, given the result of the claim before it.

    What is before the first of m claims nobody sees: there the step begins with the right number.
    """
    seen = len(true) - math.ceil(m / PER_STEP)
    lefts = [*(step.left for step in true[: seen + 1]), *(claimed.left for claimed in said[seen + 1 :])]
    found = [replace(step, left=left) for step, left in zip(true, lefts, strict=True)]
    return [replace(step, result=step.worked) for step in found]
