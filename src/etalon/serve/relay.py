"""Pass-through: a request goes to the upstream as it came, and its answer comes back checked, not changed.

Checked means that a client gets an answer or a well-formed error: an upstream that sends what is not JSON, cuts its
stream or is silent for ever becomes an error in OpenAI's shape.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from etalon.problems.endings import reason_of
from etalon.sampling.endpoint import Client, UpstreamError
from etalon.sampling.endpoint.client import FINISH_SECONDS
from etalon.sampling.endpoint.events import BOM, DONE, events, parsed, read_body, shown
from etalon.sampling.endpoint.retry import error_in, from_error_object
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
    value = parsed(answer)
    if value is None:
        raise UpstreamError(f"answered what is not JSON: {shown(answer)}", may_pass=True, calls=1)
    if not isinstance(value, dict):
        raise UpstreamError(f"answered what is not an object: {shown(answer)}", may_pass=True, calls=1)
    if error := error_in(value):
        raise from_error_object(error)
    return answer.removeprefix(BOM)


async def _relay_events(call: Call, client: Client, path: str, content: bytes) -> None:
    begun: set[Any] = set()
    ended: set[Any] = set()
    is_done = False
    async with client.passing_stream(path, content) as response:
        with contextlib.suppress(TimeoutError):  # every choice has ended, and the connection stays open all the same
            async with asyncio.timeout(None) as patience:
                async for data in events(response):
                    if data == DONE:
                        is_done = True
                        break
                    chunk = _chunk(data)
                    for choice in _choices(chunk):
                        begun.add(choice.get("index"))
                        ended.update([choice.get("index")] if reason_of(choice) else [])
                    await call.event(_streamed(chunk, data))
                    if ended and begun == ended:
                        patience.reschedule(asyncio.get_running_loop().time() + FINISH_SECONDS)
    if not is_done and not (ended and begun == ended):
        raise UpstreamError("cut the stream", may_pass=True, calls=1)
    await call.end_events()


def _chunk(data: bytes) -> dict[str, Any]:
    """The chunk of an event. UpstreamError for what is none, and for an error."""
    chunk = parsed(data)
    if chunk is None:
        raise UpstreamError(f"sent what is not JSON: {shown(data)}", may_pass=True, calls=1)
    if not isinstance(chunk, dict):
        raise UpstreamError(f"sent what is not a chunk: {shown(data)}", may_pass=True, calls=1)
    if error := error_in(chunk):
        raise from_error_object(error)
    return chunk


def _choices(chunk: dict[str, Any]) -> list[dict[str, Any]]:
    choices = chunk.get("choices")
    return [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []


def _streamed(chunk: dict[str, Any], data: bytes) -> bytes:
    """An event as it came; the whole answer of a server that does not stream becomes one chunk."""
    if chunk.get("object") != "chat.completion":
        return data
    choices = [choice | {"delta": choice.get("message")} for choice in _choices(chunk)]
    for choice in choices:
        choice.pop("message", None)
    return json.dumps(chunk | {"object": "chat.completion.chunk", "choices": choices}).encode()
