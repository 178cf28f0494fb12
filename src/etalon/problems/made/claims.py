"""Both calls of CLR on stories of our own, as traces that teach a model their form: {prompt, response, domain}.

    a story -> its solution, then M claims it depends on           the first call   (domain math)
            -> M claims of a solution that may have slipped        the second call  (domain claims)
               -> each redone, then <verdicts> valid or refuted

A claim is refuted when it is not what the story asks for at that point, or when its arithmetic is wrong; what follows
from an earlier slip is valid, as in the nano world.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from etalon import prompts
from etalon.errors import ConfigError
from etalon.problems.formats import gsm8k
from etalon.problems.instructions import with_instruction
from etalon.problems.made import Row, different
from etalon.problems.made.stories import Story, story
from etalon.types import Domain

SOURCE = "made-claims"
SOUND = 0.15  # (ours) share of second calls without any slip
CLAIMS = 2  # of a step
SLIP = 0.6  # (ours) chance of a slip per step in the others
NEEDED = {
    "+": "{b} has to be added to {a}.",
    "-": "{b} has to be taken away from {a}.",
    "*": "{a} has to be multiplied by {b}.",
    "/": "{a} has to be divided by {b}.",
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """left operator right = result, as somebody claims it."""

    left: int
    operator: str
    right: int
    result: int

    @classmethod
    def of(cls, line: str) -> Step:
        """A line of a story's solution."""
        left, operator, right, _, result = line.split(" ")
        return cls(left=int(left), operator=operator, right=int(right), result=int(result))

    @property
    def line(self) -> str:
        return f"{self.left} {self.operator} {self.right} = {self.result}"

    @property
    def claims(self) -> tuple[str, str]:
        """What has to be done, and what it comes to."""
        return NEEDED[self.operator].format(a=self.left, b=self.right), f"{self.line}."


def traces(count: int, *, seed: int, m: int, steps: tuple[int, int], folder: str = "default") -> Iterator[Row]:
    """Rows with different prompts, half of each call.

    m: claims; steps: fewest and most of a story, of which only those that offer m claims are drawn. folder: of the
    prompt files. ConfigError where no story offers so many.
    """
    fewest, most = max(steps[0], math.ceil(m / CLAIMS)), steps[1]
    if fewest > most:
        raise ConfigError(f"-m {m}: a story of {most} steps offers {most * CLAIMS} claims; ask for fewer")

    def draw(rng: random.Random) -> Row:
        told = story(rng, rng.randint(fewest, steps[1]))
        return _first(told, m, folder) if rng.random() < 0.5 else _second(rng, told, m, folder)

    return different(draw, key="prompt", seed=seed, count=count)


def _first(told: Story, m: int, folder: str) -> Row:
    question = with_instruction(told.question, Domain.MATH, prompts=folder)
    solution = gsm8k.response("\n".join(told.lines), str(told.answer))
    prompt = prompts.filled(prompts.load("clr_generate", folder), question=question, m=str(m))
    block = "\n".join(_claims([Step.of(line) for line in told.lines], m))
    return _row(prompt, f"{solution}\n\n<claims>\n{block}\n</claims>", Domain.MATH)


def _second(rng: random.Random, told: Story, m: int, folder: str) -> Row:
    question = with_instruction(told.question, Domain.MATH, prompts=folder)
    seen = math.ceil(m / CLAIMS)  # steps: no slip stands where nobody sees it
    true = [Step.of(line) for line in told.lines[-seen:]]
    said = true if rng.random() < SOUND else slipped(rng, true)
    claims, asked = _claims(said, m), _claims(redone(true, said), m)
    numbered = "\n".join(f"{number}. {claim}" for number, claim in enumerate(claims, start=1))
    prompt = prompts.filled(
        prompts.load("clr_verify", folder), question=question, m=str(m), claims="\n".join(claims),
        numbered_claims=numbered,
    )  # fmt: skip
    verdicts = ["valid" if claim == right else "refuted" for claim, right in zip(claims, asked, strict=True)]
    thought = "\n".join(f"{number}. {right}" for number, right in enumerate(asked, start=1))
    block = "\n".join(f"{number}. {verdict}" for number, verdict in enumerate(verdicts, start=1))
    return _row(prompt, f"<think>{thought}</think>\n<verdicts>\n{block}\n</verdicts>", Domain.CLAIMS)


def _row(prompt: str, response: str, domain: Domain) -> Row:
    return {"prompt": prompt, "response": response, "domain": domain.value, "source": SOURCE}


def _claims(steps: Sequence[Step], m: int) -> list[str]:
    """The last m of what these steps claim: what comes to the answer is always among them."""
    return [claim for step in steps for claim in step.claims][-m:]


def slipped(rng: random.Random, steps: Sequence[Step]) -> list[Step]:
    """The steps of somebody who now and then takes a wrong operation, number or result, and carries on with it."""
    found: list[Step] = []
    value = steps[0].left
    for place, step in enumerate(steps):
        left, operator, right = value if place else step.left, step.operator, step.right
        kind = rng.choice(("operator", "number", "result")) if rng.random() < SLIP else ""
        if kind == "operator":
            operator = rng.choice([one for one in NEEDED if one != operator and is_possible(left, one, right)])
        if kind == "number":
            right = max(1, right + rng.choice((-10, -2, -1, 1, 2, 10)))
        if not is_possible(left, operator, right):  # what an earlier slip leaves to be done
            operator = "+"
        value = worked(left, operator, right)
        if kind == "result":
            value = max(0, value + rng.choice((-20, -10, -9, -2, -1, 1, 2, 9, 10, 20)))
        found.append(Step(left=left, operator=operator, right=right, result=value))
    return found


def redone(true: Sequence[Step], said: Sequence[Step]) -> list[Step]:
    """For each claimed step the one that the story asks for there, given the result that was claimed before it."""
    return [
        Step(left=claimed.left, operator=step.operator, right=step.right,
             result=worked(claimed.left, step.operator, step.right))
        for step, claimed in zip(true, said, strict=True)
    ]  # fmt: skip


def is_possible(left: int, operator: str, right: int) -> bool:
    """Whether a step comes to a whole number that is not below 0, as every step of a story does."""
    return left % right == 0 if operator == "/" else operator != "-" or left >= right


def worked(left: int, operator: str, right: int) -> int:
    """What a step comes to; of a division, which no chain of steps holds, only where it is whole."""
    return {"+": left + right, "-": left - right, "*": left * right, "/": left // right}[operator]
