"""Real OpenAI-compatible servers on loopback that behave as they are told: slow, refusing, cut off, garbage.

with Upstream(lambda asked: Reply(content="42")) as upstream: ... upstream.url ... upstream.requests
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self

import uvicorn


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One chat request: its body, and how many came before it."""

    number: int
    body: dict[str, Any]
    headers: dict[str, str]
    client: tuple[str, int]  # of the connection

    @property
    def text(self) -> str:
        return str(self.body["messages"][-1]["content"])


@dataclass(frozen=True, kw_only=True)
class Reply:
    """How a request is answered. `content` and `reasoning` go out word by word; seconds in `before` and `between`.

    raw: blocks of bytes sent instead, as they are. cut_after: chunks after which the connection is dropped.
    """

    content: str = ""
    reasoning: str = ""
    reasoning_field: str = "reasoning_content"
    finish: str | None = "stop"
    has_usage: bool = True
    closes: bool = True  # sends [DONE]
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    raw: tuple[bytes, ...] | None = None
    before: float = 0.0
    between: float = 0.0
    cut_after: int | None = None


class CutError(Exception):
    """Makes uvicorn drop the connection in the middle of a response."""


class Upstream:
    """A scripted server; `script` says how each chat request is answered."""

    def __init__(self, script: Callable[[Asked], Reply], *, models: tuple[str, ...] = ("toy",)) -> None:
        self.script = script
        self.models = models
        self.pages: dict[str, Any] = {}  # further GET paths and their JSON
        self.requests: list[Asked] = []
        self.disconnects: list[float] = []  # when a client went away before its answer was complete
        self.active = 0
        self.peak = 0
        self.url = ""

    def __enter__(self) -> Self:
        self._running = serving(self._app)
        self.url = f"{self._running.__enter__()}/v1"
        return self

    def __exit__(self, *error: object) -> None:
        self._running.__exit__(None, None, None)

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] == "GET":
            await self._get(scope["path"], send)
            return
        content = b""
        while True:
            message = await receive()
            content += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        asked = Asked(number=len(self.requests), body=json.loads(content), headers=headers, client=scope["client"])
        self.requests.append(asked)
        self.active += 1
        self.peak = max(self.peak, self.active)
        answering = asyncio.ensure_future(self._answer(self.script(asked), asked, send))
        gone = asyncio.ensure_future(receive())
        try:
            await asyncio.wait([answering, gone], return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                self.disconnects.append(time.monotonic())
            else:
                answering.result()
        finally:
            self.active -= 1
            answering.cancel()
            gone.cancel()
            await asyncio.gather(answering, gone, return_exceptions=True)

    async def _get(self, path: str, send: Any) -> None:
        listed = {"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]}
        pages = {"/v1/models": listed} | self.pages
        body = json.dumps(pages.get(path, {"error": {"message": "no such page"}})).encode()
        await _respond(send, 200 if path in pages else 404, {"content-type": "application/json"}, [body])

    async def _answer(self, reply: Reply, asked: Asked, send: Any) -> None:
        await asyncio.sleep(reply.before)
        if reply.status != 200 or reply.body is not None:
            headers = {"content-type": "application/json"} | reply.headers
            await _respond(send, reply.status, headers, [reply.body or b'{"error": {"message": "scripted"}}'])
            return
        if not asked.body.get("stream"):
            await _respond(send, 200, {"content-type": "application/json"}, [json.dumps(whole(reply)).encode()])
            return
        await _start(send, 200, {"content-type": "text/event-stream"} | reply.headers)
        for number, block in enumerate(reply.raw if reply.raw is not None else blocks(reply)):
            if reply.cut_after == number:
                raise CutError
            await send({"type": "http.response.body", "body": block, "more_body": True})
            await asyncio.sleep(reply.between)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def words(text: str) -> list[str]:
    """The text in pieces that give it back when joined."""
    return re.findall(r"\S+\s*|\s+", text)


def blocks(reply: Reply) -> Iterator[bytes]:
    """The events of a streamed reply."""
    yield event({"role": "assistant", "content": ""})
    for piece in words(reply.reasoning):
        yield event({reply.reasoning_field: piece})
    for piece in words(reply.content):
        yield event({"content": piece})
    if reply.finish:
        yield event({}, finish=reply.finish)
    if reply.has_usage:
        yield b"data: " + json.dumps({"id": "x", "choices": [], "usage": usage(reply)}).encode() + b"\n\n"
    if reply.closes:
        yield b"data: [DONE]\n\n"


def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"id": "x", "object": "chat.completion.chunk", "model": "toy", "choices": [choice]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def usage(reply: Reply) -> dict[str, int]:
    completion = len(words(reply.content)) + len(words(reply.reasoning))
    return {"prompt_tokens": 7, "completion_tokens": completion, "total_tokens": 7 + completion}


def whole(reply: Reply) -> dict[str, Any]:
    """A reply that is not streamed."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.content}
    if reply.reasoning:
        message[reply.reasoning_field] = reply.reasoning
    choice = {"index": 0, "message": message, "finish_reason": reply.finish}
    return {"id": "x", "object": "chat.completion", "model": "toy", "choices": [choice], "usage": usage(reply)}


async def _start(send: Any, status: int, headers: dict[str, str]) -> None:
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})


async def _respond(send: Any, status: int, headers: dict[str, str], body: list[bytes]) -> None:
    await _start(send, status, headers)
    for block in body:
        await send({"type": "http.response.body", "body": block, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


@contextmanager
def serving(app: Any, *, http: Any = "auto") -> Iterator[str]:
    """Run an ASGI application in a thread; yields its base URL. http: the protocol of its connections."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # or Nagle delays by 40 ms
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="critical", http=http, timeout_graceful_shutdown=1, ws="none", interface="asgi3")
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < deadline, "the server did not start in time"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True  # its thread ends by itself a moment later


@contextmanager
def dropping_first(body: bytes) -> Iterator[str]:
    """A server that closes the first connection after the request, and answers the next ones with `body`."""

    def serve() -> None:
        with suppress(OSError):  # the listener is closed at the end
            for number in range(9):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    if number:
                        head = (
                            f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
                        )
                        connection.sendall(head.encode() + body)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@contextmanager
def dead_port() -> Iterator[str]:
    """A URL that nobody answers: the connection is refused."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    yield f"http://127.0.0.1:{port}/v1"
