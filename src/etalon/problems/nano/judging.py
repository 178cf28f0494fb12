"""Judging claims in the nano world: the second call of CLR as a problem of its own, so that it can be taught.

The prompt is CLR's verification prompt (question and claims, nothing else). A claim is refuted when it is not the
step that the question asks for at that point, or when its arithmetic is wrong. A claim that follows correctly from
an earlier wrong one is valid: only the first slip is refuted.
"""

from __future__ import annotations

import random

from etalon.problems.nano import arithmetic
from etalon.problems.nano.arithmetic import OPERATIONS, Step
from etalon.prompts import filled
from etalon.types import Domain, Problem

MAX_LEVEL = arithmetic.MAX_LEVEL
SOUND = 0.15  # (ours) share without any slip
SLIP = 0.35  # (ours) chance of a slip per step: rare ones would teach to copy the claim instead of redoing it


def generate(rng: random.Random, level: int, *, verify_prompt: str, m: int) -> Problem:
    """Claims of a solution that slipped, or with probability SOUND did not."""
    question = arithmetic.generate(rng, level).prompt
    steps = arithmetic.parse(question)
    if rng.random() >= SOUND:
        steps = slip(steps, rng)
    claims = arithmetic.claims(question, steps, m)
    verdicts = [verdict for _, verdict in judge(question, claims)]
    prompt = filled(verify_prompt, question=question, claims="\n".join(claims))
    return Problem(
        id=f"claims-{prompt}",
        domain=Domain.CLAIMS,
        prompt=prompt,
        answer=" ".join("1" if v else "0" for v in verdicts),
        skill="claims/steps",
        level=level,
        source="nano",
    )


def slip(steps: list[Step], rng: random.Random) -> list[Step]:
    """Slips as a small model makes them: a wrong result, a wrong operand or a wrong operation, each carried on."""
    value, wrong = steps[0].left, []
    for step in steps:
        operator, right = step.operator, step.right
        kind = rng.random() if rng.random() < SLIP else 1.0
        if kind < 0.15:
            right = max(1, right + rng.choice((-1, 1)))
        elif kind < 0.25:
            operator = rng.choice([o for o in OPERATIONS if o != operator])
        result = OPERATIONS[operator](value, right)
        if 0.25 <= kind < 1.0:
            result += rng.choice((-20, -10, -9, -2, -1, -1, 1, 1, 2, 9, 10, 20))
        result = abs(result)
        wrong.append(Step(left=value, operator=operator, right=right, result=result))
        value = result
    return wrong


def judge(question: str, claims: list[str]) -> list[tuple[str, bool]]:
    """For each claim the step it should be, given the result claimed before it, and whether it is that step.

    A claim beyond the last step of the question is refuted: nothing asks for it.
    """
    steps = arithmetic.parse(question)
    judged = []
    value = steps[0].left
    for index, claim in enumerate(claims):
        if index >= len(steps):
            judged.append((f"{claim.partition('=')[0]}=", False))
            continue
        step = steps[index]
        result = OPERATIONS[step.operator](value, step.right)
        expected = f"{value}{step.operator}{step.right}={result}"
        judged.append((expected, claim == expected))
        digits = claim.rpartition("=")[2]
        value = int(digits) if digits.isdecimal() and len(digits) < 4 else result
    return judged


def is_prompt(prompt: str) -> bool:
    return prompt.endswith("<verify>")


def respond(prompt: str, rng: random.Random, *, error: bool) -> str:
    """Redo the step of each claim, put the claimed result beside it, compare: v (valid) or x (refuted)."""
    question, _, rest = prompt.partition("\n<claims>\n")
    claims = rest.partition("\n</claims>")[0].split("\n")
    lines = []
    for claim, (expected, is_valid) in zip(claims, judge(question, claims), strict=True):
        said = is_valid != (error and rng.random() < 0.5)
        lines.append(f"{expected}:{claim.rpartition('=')[2]} {'v' if said else 'x'}")
    return "<verdicts>\n" + "\n".join(lines) + "\n</verdicts>"
