"""Samplers for tests of judges: small programs behind the protocol a model would use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from etalon.types import Conversation, Rollout, SamplingParams, Stop


@dataclass
class Program:
    """Answers each prompt with what `reply` returns for it: a text, or None for a failed call."""

    reply: Callable[[str], str | None]
    name: str = "program"
    stop: Stop = Stop.EOS
    batches: list[list[str]] = field(default_factory=list)
    params: list[SamplingParams] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)

    def sample(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        prompts = [conversation[-1].content for conversation in conversations]
        self.batches.append(prompts)
        self.params.append(params)
        self.seeds.append(seed)
        for index, prompt in reversed(list(enumerate(prompts))):  # any order will do
            yield index, tuple(self._rollout(i, self.reply(prompt)) for i in range(n))

    def _rollout(self, index: int, text: str | None) -> Rollout:
        if text is None:
            return Rollout(problem_id="", index=index, text="", stop=Stop.ERROR, num_tokens=0, error="down")
        return Rollout(problem_id="", index=index, text=text, stop=self.stop, num_tokens=len(text))

    @property
    def prompts(self) -> list[str]:
        return [prompt for batch in self.batches for prompt in batch]


def in_turn(*replies: str | None) -> Callable[[str], str | None]:
    """The given replies one after the other, whatever the prompt."""
    waiting = iter(replies)
    return lambda _: next(waiting)
