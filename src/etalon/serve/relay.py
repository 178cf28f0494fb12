"""Pass-through: a request goes to the upstream as it came, and its answer comes back checked, not changed.

Checked means that a client gets an answer or a well-formed error: an upstream that sends what is not JSON, cuts its
stream or is silent for ever becomes an error in OpenAI's shape.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from etalon.sampling.endpoint import Client, UpstreamError
from etalon.sampling.endpoint.answer import shown
from etalon.sampling.endpoint.client import events, read_body
from etalon.sampling.endpoint.retry import from_error_object
from etalon.serve.api_error import ApiError, from_upstream
from etalon.serve.call import Call


async def relay(call: Call, client: Client, path: str, content: bytes, *, streams: bool, heartbeat: float) -> None:
    """Answer `call` with what the least loaded upstream answers to `content` at `path`. ApiError when it cannot."""
    seconds = client.settings.deadline_seconds
    try:
        async with asyncio.timeout(seconds):
            if streams:
                async with call.heartbeat(heartbeat):
                    await _relay_events(call, client, path, content)
            else:
                await call.answer(200, await _whole(client, path, content))
    except TimeoutError:
        raise ApiError(504, f"the upstream gave no whole answer within {seconds:g} s", code="timeout") from None
    except UpstreamError as error:
        raise from_upstream(error) from None


async def _whole(client: Client, path: str, content: bytes) -> bytes:
    async with client.passing_stream(path, content) as response:
        answer = await read_body(response)
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError):
        raise UpstreamError(f"answered what is not JSON: {shown(answer)}", may_pass=True, calls=1) from None
    if not isinstance(value, dict):
        raise UpstreamError(f"answered what is not an object: {shown(answer)}", may_pass=True, calls=1)
    return answer


async def _relay_events(call: Call, client: Client, path: str, content: bytes) -> None:
    is_finished = False
    async with client.passing_stream(path, content) as response:
        if "json" in response.headers.get("content-type", ""):
            raise UpstreamError("does not stream", may_pass=False, calls=1)
        async for data in events(response):
            if data == b"[DONE]":
                is_finished = True
                break
            is_finished |= _finishes(data)
            await call.event(data)
    if not is_finished:
        raise UpstreamError("cut the stream", may_pass=True, calls=1)
    await call.end_events()


def _finishes(data: bytes) -> bool:
    """Whether an event says why the response ended. UpstreamError for what is not a chunk."""
    try:
        chunk: Any = json.loads(data)
    except (ValueError, RecursionError):
        raise UpstreamError(f"sent what is not JSON: {shown(data)}", may_pass=True, calls=1) from None
    if not isinstance(chunk, dict):
        raise UpstreamError(f"sent what is not a chunk: {shown(data)}", may_pass=True, calls=1)
    if chunk.get("error"):
        raise from_error_object(chunk["error"])
    choices = chunk.get("choices")
    if not isinstance(choices, list):
        return False
    return any(isinstance(choice, dict) and choice.get("finish_reason") for choice in choices)
