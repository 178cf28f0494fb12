"""The models of the nano world: programs behind the same protocol that a strong model would use.

NanoTeacher   reads the prompt, picks a solution style at random, errs now and then, and now and then degenerates into
              a loop: the data gates have something real to catch; asked to expand a seed, it writes a new exercise
NanoJudge     reads a criterion of an open-ended prompt and answers Yes or No; it is asked as any judge is, through
              `judges.Judge`, so the path of a rubric is the same as with a model
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from etalon.problems.nano import arithmetic, facts, instructions, judging, physics, programs, queries
from etalon.types import Conversation, Rollout, SamplingParams, Stop

ERROR_RATE = 0.05  # (ours)
LOOP_RATE = 0.01  # (ours)
CLAIMS_MARK = "\n<claims>"


class NanoTeacher:
    """Answers every prompt of the nano world, and says so when it is asked anything else."""

    name = "nano-teacher"

    def __init__(self, *, m: int = 5) -> None:
        self.m = m

    def sample(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        """n responses per conversation, each in a random style; one character counts as one token."""
        for index, conversation in enumerate(conversations):
            prompt = conversation[-1].content
            rng = random.Random(f"{seed}-{prompt}")
            yield index, tuple(self._rollout(i, prompt, rng, params) for i in range(n))

    def _rollout(self, index: int, prompt: str, rng: random.Random, params: SamplingParams) -> Rollout:
        try:
            text = self.respond(prompt, rng)
        except UnknownPromptError as error:
            return Rollout(index=index, text="", stop=Stop.ERROR, num_tokens=0, error=str(error))
        stop = Stop.EOS if len(text) == params.most_tokens(len(text)) else Stop.LENGTH
        text = text[: params.max_tokens]
        return Rollout(index=index, text=text, stop=stop, num_tokens=len(text))

    def respond(self, prompt: str, rng: random.Random) -> str:
        """One response to one prompt."""
        error = rng.random() < ERROR_RATE
        if rng.random() < LOOP_RATE:
            line = rng.choice(("so", "wait", "again"))
            return "<think>" + "\n".join([line] * 40) + "</think>"
        if judging.is_prompt(prompt):
            return judging.respond(prompt, rng, error=error)
        if queries.is_prompt(prompt):
            return queries.respond(prompt, rng)
        question, mark, _ = prompt.partition(CLAIMS_MARK)
        if mark and arithmetic.PATTERN.match(question):
            return self._with_claims(question, rng, error=error)
        for is_prompt, styles, respond in WORLDS:
            if is_prompt(prompt):
                return respond(prompt, rng.choice(styles), rng, error=error)
        raise UnknownPromptError(f"the nano teacher cannot read this prompt: {prompt[:60]!r}")

    def _with_claims(self, question: str, rng: random.Random, *, error: bool) -> str:
        """The steps as claims, then the answer: at this size the claims are the derivation."""
        steps = arithmetic.parse(question)
        if error:
            steps = arithmetic.misstep(steps, rng)
        claims = "\n".join(arithmetic.claims(question, steps, self.m))
        return f"<claims>\n{claims}\n</claims>\n\\boxed{{{steps[-1].result}}}"


def reference(prompt: str) -> str:
    """The solution of a prompt in the most careful style, without an error, the same at every call.

    Raises UnknownPromptError for what is not of the nano world.
    """
    rng = random.Random(f"reference-{prompt}")
    if judging.is_prompt(prompt):
        return judging.respond(prompt, rng, error=False)
    for is_prompt, styles, respond in WORLDS:
        if is_prompt(prompt):
            return respond(prompt, styles[-1], rng, error=False)
    raise UnknownPromptError(f"the nano teacher cannot read this prompt: {prompt[:60]!r}")


class Respond(Protocol):
    def __call__(self, prompt: str, style: str, rng: random.Random, *, error: bool) -> str: ...


# (ours) a style named more than once is taken more often: the longest thrice in arithmetic, twice in programs
WORLDS: tuple[tuple[Callable[[str], object], Sequence[str], Respond], ...] = (
    (arithmetic.PATTERN.match, (*arithmetic.STYLES, *[arithmetic.STYLES[-1]] * 2), arithmetic.respond),
    (programs.is_prompt, (*programs.STYLES, programs.STYLES[-1]), programs.respond),
    (physics.PATTERN.match, physics.STYLES, physics.respond),
    (instructions.PATTERN.match, instructions.STYLES, instructions.respond),
    (facts.PATTERN.match, facts.STYLES, facts.respond),
)


class UnknownPromptError(Exception):
    """A prompt that is not of the nano world."""


_PART = re.compile(r"<(?P<name>response|criterion)-(?P<mark>\w+)>\n(?P<text>.*?)\n</(?P=name)-(?P=mark)>", re.DOTALL)

# What the program understands: a sentence with a number or a word in it -> whether a response meets it
CRITERIA: Mapping[str, Callable[[str, str], bool]] = {
    r"says the word (\w+)": lambda response, word: word in response.lower().split(),
    r"has at least (\d+) words": lambda response, count: len(response.split()) >= int(count),
    r"has at most (\d+) words": lambda response, count: len(response.split()) <= int(count),
    r"says a word (\w+)": lambda response, how: _repeats(response) == (how == "twice"),
}


def _repeats(response: str) -> bool:
    words = response.lower().split()
    return len(set(words)) < len(words)


class NanoJudge:
    """A `Sampler` whose replies are verdicts on criteria; what it does not understand gets no verdict."""

    name = "nano-judge"

    def sample(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        """One reply, n times: a program has no temperature."""
        for index, conversation in enumerate(conversations):
            text = reply(conversation[-1].content)
            yield index, tuple(
                Rollout(index=i, text=text, stop=Stop.EOS, num_tokens=len(text.split()))
                for i in range(n)
            )  # fmt: skip


def reply(prompt: str) -> str:
    """A reason and a last line of Yes or No, or an apology."""
    parts = {found["name"]: found["text"] for found in _PART.finditer(prompt)}
    for pattern, holds in CRITERIA.items():
        found = re.search(pattern, parts.get("criterion", ""))
        if found is not None:
            return "It does.\nYes" if holds(parts.get("response", ""), found[1]) else "It does not.\nNo"
    return "This criterion is beyond me."
