"""Rollouts by the vLLM that a `GRPOTrainer` keeps in step with its weights, colocated or as a server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from etalon.model.loader import LanguageModel
from etalon.sampling import sample
from etalon.types import Conversation, Problem, Rollout, SamplingParams, Stop


class VllmSampler:
    """All groups of a process in one call: with a server, every process has to make as many calls as the others.

    The trainer's generation carries the sampling parameters and the seed of vLLM decides the draws: rollouts of a
    continued run are not those of an uninterrupted one.
    """

    name = "vllm"

    def __init__(self, language_model: LanguageModel, generation: Any) -> None:
        self.language_model = language_model
        self.generation = generation
        self.asked: list[tuple[Conversation, int]] = []
        self.answers: Iterator[Rollout] | None = None

    def collect(
        self, problems: Sequence[Problem], *, n: int, params: SamplingParams, seed: int
    ) -> list[tuple[Rollout, ...]]:
        """n rollouts per problem: once through to see what is asked, once to hand out what was answered."""
        sample(self, problems, n=n, params=params, seed=seed)
        self.answers = iter(self.generate())
        return sample(self, problems, n=n, params=params, seed=seed)

    def sample(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        """A `Sampler` that notes what it is asked, or answers from `answers`."""
        for index, conversation in enumerate(conversations):
            if self.answers is None:
                self.asked.append((conversation, n))
                yield index, tuple(_rollout(i) for i in range(n))
            else:
                yield index, tuple(next(self.answers) for _ in range(n))

    def generate(self) -> list[Rollout]:
        """One vLLM call for everything that was asked."""
        prompts = [self.language_model.render(c) for c, n in self.asked for _ in range(n)]
        numbers = [i for _, n in self.asked for i in range(n)]
        _, responses, logprobs, _ = self.generation.generate(prompts=prompts, images=None, num_generations=1)
        ends = self.language_model.end_tokens
        found = []
        for index, prompt, tokens, by_token in zip(numbers, prompts, responses, logprobs, strict=True):
            has_ended = bool(tokens) and tokens[-1] in ends
            found.append(
                Rollout(
                    problem_id="",
                    index=index,
                    text=self.language_model.decode(tokens[:-1] if has_ended else tokens),
                    stop=Stop.EOS if has_ended else Stop.LENGTH,
                    num_tokens=len(tokens),
                    tokens=tuple(tokens),
                    logprobs=tuple(one[0] for one in by_token),
                    prompt_tokens=tuple(prompt),
                )
            )
        return found


def _rollout(index: int) -> Rollout:
    return Rollout(problem_id="", index=index, text="", stop=Stop.ERROR, num_tokens=0, error="not sampled yet")
