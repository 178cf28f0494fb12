"""One HTTP exchange of the proxy or the sandbox: body in, JSON or events out, work that ends when the client leaves.

`admit` says who may call: whoever has the key; without one, this machine, and no foreign web page.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.types import Receive, Scope, Send

from etalon.serve.api_error import ApiError
from etalon.serve.caps import PROXY_KEY_VARIABLE, is_local
from etalon.serve.patience import Intake

EVENT_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",  # nginx would hold events back
}


class ClientGoneError(Exception):
    """The client closed its connection before it had its answer."""


class Call:
    """A request and its answer. `status` is what was answered, 0 before."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.path: str = scope["path"]
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self.status = 0
        self._receive = receive
        self._send = send
        self._is_stream = False
        self._last_write = time.monotonic()
        self._writing = asyncio.Lock()  # the heartbeat writes too

    async def body(self, *, limit: int, seconds: float, intake: Intake) -> bytes:
        """The whole body. ApiError when it is larger than `limit` bytes or takes longer than `seconds`.

        intake: of the server; a body that stalls while others come may have to make room for them.
        """
        too_large = ApiError(413, f"the request is larger than {limit} bytes", code="request_too_large")
        if "transfer-encoding" in self.headers and "content-length" in self.headers:
            raise ApiError(400, "content-length beside transfer-encoding: it is not clear where the body ends")
        stated = self.headers.get("content-length", "")
        if stated.isdecimal() and int(stated) > limit:
            raise too_large
        content = bytearray()
        try:
            async with asyncio.timeout(seconds) as deadline:
                with intake.reading(deadline) as grew:
                    while True:
                        message = await self._receive()
                        if message["type"] == "http.disconnect":
                            raise ClientGoneError
                        part = message.get("body", b"")
                        content += part
                        grew(len(part))
                        if len(content) > limit:
                            raise too_large
                        if not message.get("more_body"):
                            return bytes(content)
        except TimeoutError:
            raise ApiError(408, f"the request did not arrive within {seconds:g} s", code="request_timeout") from None

    async def while_connected(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work`, and cancel it as soon as the client is gone (then ClientGoneError). Call after `body`."""
        working = asyncio.ensure_future(work)
        leaving = asyncio.ensure_future(self._gone())
        try:
            await asyncio.wait([working, leaving], return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise ClientGoneError
            working.result()
        finally:
            for task in (working, leaving):
                task.cancel()
            await asyncio.gather(working, leaving, return_exceptions=True)

    async def _gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def answer(
        self, status: int, content: bytes, *, kind: str = "application/json", headers: Mapping[str, str] | None = None
    ) -> None:
        """The whole answer at once."""
        await self._start(status, {"content-type": kind, "content-length": str(len(content)), **(headers or {})})
        await self._send({"type": "http.response.body", "body": content})

    async def answer_json(self, status: int, value: Any, *, headers: Mapping[str, str] | None = None) -> None:
        await self.answer(status, json.dumps(value).encode(), headers=headers)

    async def event(self, data: bytes) -> None:
        """One event; the first one starts the stream."""
        await self._write(b"data: " + data.replace(b"\n", b"\ndata: ") + b"\n\n")

    async def event_json(self, value: Any) -> None:
        await self.event(json.dumps(value).encode())

    async def end_events(self) -> None:
        """`[DONE]` and the end of the stream."""
        await self._write(b"data: [DONE]\n\n", is_last=True)

    async def fail(self, error: ApiError) -> None:
        """Tell the client, as an answer or, when a stream has begun, as its last event."""
        if not self.status:
            await self.answer_json(error.status, error.to_json(), headers=error.headers())
        elif self._is_stream:
            await self.event_json(error.to_json())
            await self.end_events()

    @contextlib.asynccontextmanager
    async def heartbeat(self, seconds: float) -> AsyncIterator[None]:
        """Within the block no silence is longer than `seconds`: a comment is sent, which starts the stream."""

        async def beat() -> None:
            while True:
                await asyncio.sleep(max(0.01, self._last_write + seconds - time.monotonic()))
                if time.monotonic() - self._last_write >= seconds:
                    await self._write(b": ping\n\n")

        self._last_write = time.monotonic()
        beating = asyncio.create_task(beat())
        try:
            yield
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    async def _write(self, block: bytes, *, is_last: bool = False) -> None:
        async with self._writing:
            self._last_write = time.monotonic()
            if not self.status:
                self._is_stream = True
                await self._start(200, EVENT_HEADERS)
            await self._send({"type": "http.response.body", "body": block, "more_body": not is_last})

    async def _start(self, status: int, headers: Mapping[str, str]) -> None:
        self.status = status
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})


class Endpoint:
    """A callable that starlette takes for an ASGI application, not for a function of a request."""

    def __init__(self, serve: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._serve = serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._serve(scope, receive, send)


def admit(headers: Mapping[str, str], key: str, *, name: str = "the proxy", key_name: str = PROXY_KEY_VARIABLE) -> None:
    """ApiError unless the request may be served. With an empty `key` the service is bound to this machine.

    name, key_name: of the service and of its key, for the messages.
    A page of another site can make a browser on this machine send requests here, under its own name (DNS rebinding)
    or across origins: neither `Host` nor `Origin` may then be foreign.
    """
    if key:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), key.encode()):
            raise ApiError(401, f"{name} needs its key, {key_name}, as a bearer token", code="invalid_api_key")
        return
    if not is_local(_host_of(f"//{headers.get('host', '')}")):
        raise ApiError(403, f"{name} has no key and answers requests to localhost only", code="foreign_host")
    origin = headers.get("origin")
    if origin is not None and not is_local(_host_of(origin)):
        raise ApiError(403, f"{name} has no key and answers no web pages of other sites", code="foreign_origin")


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
