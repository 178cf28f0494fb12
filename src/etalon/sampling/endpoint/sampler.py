"""`EndpointSampler`: a Sampler over an OpenAI-compatible endpoint, for synchronous stages and asynchronous callers."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from etalon.errors import InputError
from etalon.sampling.endpoint import bridge, request
from etalon.sampling.endpoint.client import Client, Completed, OnDelta
from etalon.sampling.endpoint.retry import UpstreamError
from etalon.sampling.endpoint.upstream import EndpointSettings
from etalon.store import append_jsonl, read_jsonl, seed_from, stable_hash
from etalon.types import Conversation, Rollout, SamplingParams, Stop

FACTS = ("root", "max_model_len", "owned_by")  # of a model, in the list of a server
MAX_FACT_CHARS = 100  # (ours)
TOKEN_CHARS = 4  # (ours) about so many make a token
Done = tuple[int, int, Rollout]  # number of the conversation, index of the rollout, the rollout


class EndpointSampler:
    """A `Sampler` whose rollouts come from a server, one streamed request each.

    journal: JSONL file of finished rollouts; the same calls after an interruption ask only for what is missing.
    client: an open connection to share; without one, each event loop gets its own, closed by `aclose`.
    `detail` of a rollout holds prompt_tokens when the server tells them, and what was out of the ordinary:
    estimated (tokens are chunks), loop (the repeated block it was cut for), retries, left_out (refused fields).
    """

    def __init__(
        self, settings: EndpointSettings, *, journal: Path | None = None, client: Client | None = None
    ) -> None:
        self.settings = settings
        self.name = settings.model
        self.watch: Callable[[int], None] | None = None  # told of about so many tokens, as they come
        # told of a single sample (its place among those asked) in the loop's thread, before anything more is asked
        self.on_sample: Callable[[int, Rollout], None] | None = None
        self._journal = Journal(journal) if journal else None
        self._shared = client
        self._clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Client] = weakref.WeakKeyDictionary()

    @property
    def together(self) -> int:
        """How many requests are under way at once."""
        return self.settings.concurrency * len(self.settings.urls)

    def seed_sent(self, seed: int, index: int) -> int | None:
        """The seed that the request for sample `index` of a conversation carries; None where `extra` takes it away."""
        return None if "seed" in self.settings.extra else seed_from([seed, index])

    def check(self) -> None:
        """InputError unless the endpoint answers and lists the model (a server without a list passes)."""
        bridge.run(self._check())

    async def _check(self) -> None:
        try:
            listed = await self.client.get_json("/models")
        except UpstreamError as error:
            if error.status in (404, 405):
                return
            hint = f"; the key is read from {self.settings.key_variable}" if error.status in (401, 403) else ""
            raise InputError(f"endpoint {error}{hint}") from None
        finally:
            await self.aclose()
        names = model_names(listed)
        if names and self.settings.model not in names:
            known = ", ".join(names[:8])
            raise InputError(f"{self.settings.urls[0]}: serves no model {self.settings.model!r}; it lists {known}")

    def sample(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        """Yield each conversation's n rollouts as they are complete. Leaving the iterator cancels what is under way."""
        return bridge.drain(
            lambda: self.stream_samples(conversations, n=n, params=params, seed=seed),
            self.aclose,
        )

    async def stream_samples(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> AsyncIterator[tuple[int, tuple[Rollout, ...]]]:
        """`sample` for asynchronous callers; the same rollouts, in the running loop."""
        done: asyncio.Queue[Done | Exception] = asyncio.Queue()

        async def one(position: int, index: int, conversation: Conversation) -> None:
            try:
                rollout = await self._one(conversation, params, index=index, seed=seed_from([seed, index]))
            except Exception as error:  # a full disk, or a bug of ours: raised where the rollouts are read
                done.put_nowait(error)
            else:
                done.put_nowait((position, index, rollout))

        groups: dict[int, dict[int, Rollout]] = {position: {} for position in range(len(conversations))}
        tasks = [
            asyncio.create_task(one(position, index, conversation))
            for position, conversation in enumerate(conversations)
            for index in range(n)
        ]
        try:
            for _ in tasks:
                finished = await done.get()
                if isinstance(finished, Exception):
                    raise finished
                position, index, rollout = finished
                groups[position][index] = rollout
                if len(groups[position]) == n:
                    group = groups.pop(position)
                    yield position, tuple(group[i] for i in range(n))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def sample_single(
        self, asked: Sequence[tuple[Conversation, int]], *, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, Rollout]]:
        """Yield each sample (conversation, index) as it is complete: the rollout that `sample` gives at that index.

        No more requests are under way, or waiting, than the URLs have slots.
        """
        return bridge.drain(lambda: self._stream_single(asked, params, seed), self.aclose)

    async def _stream_single(
        self, asked: Sequence[tuple[Conversation, int]], params: SamplingParams, seed: int
    ) -> AsyncIterator[tuple[int, Rollout]]:
        waiting = enumerate(asked)
        tasks: dict[asyncio.Task[Rollout], int] = {}
        try:
            while True:
                for place, (conversation, index) in islice(waiting, self.together - len(tasks)):
                    work = self._one(conversation, params, index=index, seed=seed_from([seed, index]))
                    tasks[asyncio.create_task(work)] = place
                if not tasks:
                    return
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    place, rollout = tasks.pop(task), task.result()
                    if self.on_sample is not None:
                        self.on_sample(place, rollout)
                    yield place, rollout
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def facts(self) -> dict[str, Any]:
        """What the first URL says of itself: the model's window, the server's version. Empty where it says nothing."""
        return bridge.run(self._facts())

    async def _facts(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        try:
            with suppress(UpstreamError):
                listed = await self.client.get_json("/models")
                rows = listed.get("data") if isinstance(listed, dict) else None
                own = next((r for r in rows or [] if isinstance(r, dict) and r.get("id") == self.settings.model), {})
                found |= {name: own[name] for name in FACTS if isinstance(own.get(name), str | int)}
            with suppress(UpstreamError):
                told = await self.client.get_json("/version", url=self.settings.urls[0].removesuffix("/v1"))
                if isinstance(told, dict) and isinstance(told.get("version"), str):
                    found["version"] = told["version"][:MAX_FACT_CHARS]
        finally:
            await self.aclose()
        return found

    async def complete(
        self,
        conversation: Conversation,
        params: SamplingParams,
        *,
        seed: int,
        on_delta: OnDelta | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Rollout:
        """One response, streamed from the server; cancelling the task ends the request.

        seed: sent as it is. on_delta: called with each `Delta`. extra: further body fields, such as response_format.
        A request that fails for good is a rollout with `Stop.ERROR`.
        """
        return await self._one(conversation, params, index=0, seed=seed, on_delta=on_delta, extra=extra)

    async def _one(
        self,
        conversation: Conversation,
        params: SamplingParams,
        *,
        index: int,
        seed: int,
        on_delta: OnDelta | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Rollout:
        fields = {**self.settings.extra, **(extra or {})}
        asked = request.body(conversation, params, model=self.settings.model, seed=seed, extra=fields)
        if self._journal and (kept := self._journal.find(asked, index)):
            return kept
        started = time.monotonic()
        try:
            outcome = await self.client.complete(asked, on_delta or self._counting())
        except UpstreamError as error:
            return Rollout(
                index=index, text="", stop=Stop.ERROR, num_tokens=0, calls=error.calls,
                error=str(error), seconds=time.monotonic() - started,
            )  # fmt: skip
        rollout = replace(_rollout(outcome, index), seconds=time.monotonic() - started)
        if self._journal:
            self._journal.keep(asked, rollout)
        return rollout

    def _counting(self) -> OnDelta | None:
        """Tells `watch` of each delta."""
        watch = self.watch
        if watch is None:
            return None
        return lambda delta: watch(max(1, (len(delta.reasoning) + len(delta.content)) // TOKEN_CHARS))

    @property
    def client(self) -> Client:
        """The connection of the running event loop, made when it is first needed."""
        if self._shared is not None:
            return self._shared
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self._clients[loop] = Client(self.settings)
        return client

    async def aclose(self) -> None:
        """Close the connections of the running event loop; the next request opens new ones."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()


def model_names(listed: Any) -> list[str]:
    """The ids in an answer of /models; empty when it has another shape."""
    rows = listed.get("data") if isinstance(listed, dict) else None
    found = [row.get("id") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return [name for name in found if isinstance(name, str)]


def _rollout(outcome: Completed, index: int) -> Rollout:
    answer = outcome.answer
    notes: dict[str, Any] = {
        "prompt_tokens": answer.prompt_tokens,
        "estimated": answer.is_estimated or None,
        "loop": answer.loop[:200] if answer.loop is not None else None,
        "retries": outcome.retries or None,
        "left_out": list(outcome.left_out) or None,
    }
    return Rollout(
        index=index,
        text=answer.text,
        stop=answer.stop,
        num_tokens=answer.num_tokens,
        calls=outcome.calls,
        detail={name: value for name, value in notes.items() if value is not None} or None,
    )


class Journal:
    """The rollouts of a file, and those added to it. InputError when the file is damaged."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows = {row["key"]: row for row in read_jsonl(path) if "key" in row}

    def find(self, request: Mapping[str, Any], index: int) -> Rollout | None:
        """The rollout that this request had before."""
        row = self._rows.get(stable_hash(dict(request)))
        if row is None:
            return None
        return Rollout(
            index=index, text=row["text"], stop=Stop(row["stop"]), num_tokens=row["tokens"],
            calls=row["calls"], detail=row.get("detail"),
        )  # fmt: skip

    def keep(self, request: Mapping[str, Any], rollout: Rollout) -> None:
        """Add a finished rollout."""
        row = {
            "key": stable_hash(dict(request)), "index": rollout.index, "text": rollout.text,
            "stop": rollout.stop.value, "tokens": rollout.num_tokens, "calls": rollout.calls,
            **({"detail": dict(rollout.detail)} if rollout.detail else {}),
        }  # fmt: skip
        append_jsonl(self.path, [row])
