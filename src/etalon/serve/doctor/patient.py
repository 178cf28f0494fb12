"""Requests of the doctor to one server: whole ones, whose JSON is looked at, and streamed ones, which are timed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from etalon.sampling.endpoint import Answer, Client, Delta, UpstreamError
from etalon.sampling.endpoint.events import events, read_body
from etalon.sampling.endpoint.retry import RETRIED, delay
from etalon.sampling.endpoint.upstream import CHAT

RETRIES = 5  # (ours) of a request that the server put off


@dataclass(kw_only=True)
class WatchedReply:
    """A streamed response as it was seen. error: why there is none; times are of the monotonic clock."""

    answer: Answer
    first: float = 0.0
    last: float = 0.0
    error: str = ""
    has_opening: bool = False  # a think tag in the content itself
    has_closing: bool = False
    field: str = ""  # where reasoning came, as the server names it
    timed_out: bool = False


class Patient:
    """One model of one server. seconds: the longest time of one request, pauses that the server asked for included.

    retries: requests that were put off (429 and the like) and sent again, so far.
    """

    def __init__(self, client: Client, model: str, *, seconds: float) -> None:
        self.client = client
        self.model = model
        self.seconds = seconds
        self.retries = 0
        self._jitter = random.Random()

    async def ask(self, prompt: str, **fields: Any) -> tuple[Mapping[str, Any], str]:
        """(the JSON of a whole answer, ""), or ({}, what the server said instead)."""
        try:
            async with (
                asyncio.timeout(self.seconds),
                self._sent(self._body(prompt, **fields)) as response,
            ):
                value = json.loads(await read_body(response))
        except TimeoutError:
            return {}, f"no answer within {self.seconds:g} s"
        except (UpstreamError, ValueError, RecursionError) as error:
            return {}, str(error) or "no JSON"
        return (value, "") if isinstance(value, dict) else ({}, "no JSON object")

    async def watch(
        self, prompt: str, *, enough: int | None = None, stop_loops: bool = True, **fields: Any
    ) -> WatchedReply:
        """A streamed response, watched until it ends, has `enough` chunks, loops, or takes too long."""
        watched = WatchedReply(answer=Answer(stop_loops=stop_loops))
        fields = {"stream": True, "stream_options": {"include_usage": True}} | fields
        try:
            async with (
                asyncio.timeout(self.seconds),
                self._sent(self._body(prompt, **fields)) as response,
            ):
                async for data in events(response):
                    if data == b"[DONE]":
                        break
                    if (delta := watched.answer.add_event(data)) is not None:
                        _look(watched, delta, data)
                    is_enough = enough is not None and watched.answer.num_chunks >= enough
                    if is_enough or watched.answer.loop is not None:
                        break
        except TimeoutError:
            watched.timed_out = True
        except UpstreamError as error:
            watched.error = str(error)
        return watched

    @contextlib.asynccontextmanager
    async def _sent(self, content: bytes) -> AsyncIterator[httpx2.Response]:
        """The open response; a server that is busy is asked again when it says, as long as the time allows."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.seconds
        for attempt in range(RETRIES + 1):
            async with contextlib.AsyncExitStack() as stack:
                try:
                    response = await stack.enter_async_context(self.client.passing_stream(CHAT, content))
                except UpstreamError as error:
                    pause = delay(attempt, error.retry_after, self._jitter)
                    is_busy = error.status in RETRIED or error.retry_after is not None
                    if not is_busy or attempt == RETRIES or loop.time() + pause >= deadline:
                        raise
                else:
                    yield response
                    return
            self.retries += 1
            await asyncio.sleep(pause)

    def _body(self, prompt: str, **fields: Any) -> bytes:
        messages = [{"role": "user", "content": prompt}]
        return json.dumps({"model": self.model, "messages": messages} | fields).encode()


def _look(watched: WatchedReply, delta: Delta, data: bytes) -> None:
    watched.last = time.monotonic()
    watched.first = watched.first or watched.last
    if delta.reasoning and not watched.field:
        named = (name for name in ("reasoning_content", "reasoning") if f'"{name}"'.encode() in data)
        watched.field = next(named, "parts of the content")
    if delta.content and not (watched.has_opening and watched.has_closing):
        content = watched.answer.raw_content  # a tag may come in pieces
        watched.has_opening |= "<think>" in content
        watched.has_closing |= "</think>" in content
