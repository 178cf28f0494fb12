"""`complete` on top of a sampler that works in batches, such as a model in this process.

calls that wait at the same time -> one batch in a thread -> each call's rollout
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from etalon.types import Conversation, Rollout, SamplingParams


class SeededSampler(Protocol):
    """A batch sampler with a seed per conversation."""

    @property
    def name(self) -> str: ...

    def sample_each(
        self, conversations: Sequence[Conversation], *, params: SamplingParams, seeds: Sequence[int]
    ) -> Sequence[Rollout]:
        """One rollout per conversation, in order; each depends on its conversation and its seed only."""
        ...


@dataclass(frozen=True, kw_only=True)
class _Waiting:
    conversation: Conversation
    params: SamplingParams
    seed: int
    done: asyncio.Future[Rollout]


class Gathered:
    """A `CompletionSampler` over a `SeededSampler`. A call that is cancelled after its batch began runs to its end."""

    def __init__(self, inner: SeededSampler) -> None:
        self.inner = inner
        self.name = inner.name
        self._waiting: list[_Waiting] = []
        self._worker: asyncio.Task[None] | None = None

    async def complete(
        self,
        conversation: Conversation,
        params: SamplingParams,
        *,
        seed: int,
        on_delta: Callable[[Any], None] | None = None,
    ) -> Rollout:
        """One response. Nothing streams: `on_delta` is not called."""
        done: asyncio.Future[Rollout] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(conversation=conversation, params=params, seed=seed, done=done))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.ensure_future(self._work())
        return await done

    async def _work(self) -> None:
        """One batch after the other, each of all that wait and share their parameters."""
        while self._waiting:
            params = self._waiting[0].params
            batch = [call for call in self._waiting if call.params == params and not call.done.done()]
            self._waiting = [call for call in self._waiting if call.params != params]
            if not batch:
                continue
            try:
                rollouts = await self._in_thread(batch)
            except Exception as error:
                for call in batch:
                    if not call.done.done():
                        call.done.set_exception(error)
                continue
            for call, rollout in zip(batch, rollouts, strict=True):
                if not call.done.done():
                    call.done.set_result(rollout)

    def _in_thread(self, batch: Sequence[_Waiting]) -> asyncio.Future[Sequence[Rollout]]:
        """The rollouts of a batch. A daemon thread: a process that wants to end does not wait for it."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Sequence[Rollout]] = loop.create_future()

        def tell(outcome: Sequence[Rollout] | Exception) -> None:
            if future.done():
                return
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        def work() -> None:
            conversations = [call.conversation for call in batch]
            outcome: Sequence[Rollout] | Exception
            try:
                seeds = [call.seed for call in batch]
                outcome = self.inner.sample_each(conversations, params=batch[0].params, seeds=seeds)
            except Exception as error:
                outcome = error
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(tell, outcome)

        threading.Thread(target=work, name="etalon-batch", daemon=True).start()
        return future
