"""Single samples, in any number and order: what an evaluation asks that has some of them already.

    [Ask(conversation, index), ...] -> sample_singly(sampler, ...) -> (place of the ask, its Rollout), as they come

A sampler that can be asked for the sample `index` of a conversation alone says so (`SingleSampler`): it gives the
rollout that `sample(n > index)` would. Any other is asked for each run of indices that is missing, some conversations
at a time.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol, runtime_checkable

from etalon.problems.options import as_asked, draw_order
from etalon.store import seed_from, stable_hash
from etalon.types import Conversation, Problem, Rollout, Sampler, SamplingParams, ask

TOGETHER = 16  # (ours) conversations that a sampler without single samples is asked for at once


@dataclass(frozen=True, kw_only=True)
class Ask:
    """Sample `index` of a conversation. problem_id, order: of the problem, as this sample is shown it."""

    problem_id: str
    index: int
    conversation: Conversation
    order: tuple[str, ...] | None = None


def prompt_hash(conversation: Conversation) -> str:
    """Of the whole conversation, the system's message included."""
    return stable_hash([[message.role, message.content] for message in conversation])


@runtime_checkable
class SingleSampler(Protocol):
    """A sampler that gives single samples; one that fails is a rollout with `Stop.ERROR`."""

    def sample_single(
        self, asked: Sequence[tuple[Conversation, int]], *, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, Rollout]]:
        """Yield (place among `asked`, the rollout) as each is complete, in any order."""
        ...


def to_ask_singly(
    problems: Sequence[Problem], indices: Sequence[tuple[int, int]], *, seed: int, system: str = ""
) -> list[Ask]:
    """The asks for samples (position of the problem, index), in their order; equal conversations are one object."""
    made: dict[tuple[int, tuple[str, ...] | None], Conversation] = {}
    found = []
    for position, index in indices:
        problem = problems[position]
        order = draw_order(problem, seed=seed, index=index)
        if (position, order) not in made:
            made[position, order] = ask(as_asked(problem, order).prompt, system=system)
        conversation = made[position, order]
        found.append(Ask(problem_id=problem.id, index=index, conversation=conversation, order=order))
    return found


def sample_singly(
    sampler: Sampler, asked: Sequence[Ask], *, params: SamplingParams, seed: int
) -> Generator[tuple[int, Rollout], None, None]:
    """Yield (place among `asked`, its rollout), as they come. Leaving the iterator cancels what is under way."""
    if isinstance(sampler, SingleSampler):
        pairs = [(one.conversation, one.index) for one in asked]
        found = sampler.sample_single(pairs, params=params, seed=seed)
    else:
        found = _in_groups(sampler, asked, params, seed)
    for place, rollout in found:
        one = asked[place]
        yield place, replace(rollout, problem_id=one.problem_id, index=one.index, order=one.order)


def gathered(came: Iterator[tuple[int, Rollout]], n: int) -> Generator[tuple[int, tuple[Rollout, ...]], None, None]:
    """Single samples as a Sampler yields them: (conversation, its n rollouts), sample i of it asked at n * it + i."""
    waiting: dict[int, dict[int, Rollout]] = {}
    for place, rollout in came:
        conversation, index = divmod(place, n)
        own = waiting.setdefault(conversation, {})
        own[index] = rollout
        if len(own) == n:
            del waiting[conversation]
            yield conversation, tuple(own[i] for i in range(n))


def _in_groups(
    sampler: Sampler, asked: Sequence[Ask], params: SamplingParams, seed: int
) -> Iterator[tuple[int, Rollout]]:
    """Conversations that miss the same run of samples are asked for together.

    A run's seed is of its first index: sample i is number i - f of the seed of some f, and no other sample ever is.
    """
    alike: dict[tuple[int, int], list[list[int]]] = {}
    for run in _runs(asked):
        alike.setdefault((asked[run[0]].index, len(run)), []).append(run)
    for (first, count), members in alike.items():
        own_seed = seed_from([seed, "from", first]) if first else seed
        waiting = iter(members)
        while batch := list(islice(waiting, TOGETHER)):
            conversations = [asked[run[0]].conversation for run in batch]
            for position, rollouts in sampler.sample(conversations, n=count, params=params, seed=own_seed):
                yield from zip(batch[position], rollouts, strict=True)


def _runs(asked: Sequence[Ask]) -> Iterator[list[int]]:
    """The places of samples of one conversation whose indices follow one another, run by run."""
    by_conversation: dict[tuple[str, tuple[str, ...] | None], list[int]] = {}
    for place, one in enumerate(asked):
        by_conversation.setdefault((one.problem_id, one.order), []).append(place)
    for places in by_conversation.values():
        run: list[int] = []
        for place in sorted(places, key=lambda place: asked[place].index):
            if run and asked[place].index != asked[run[-1]].index + 1:
                yield run
                run = []
            run.append(place)
        yield run
