"""The proxy as a process: one event loop, one listening socket, in-flight work cancelled on Ctrl-C.

`look` is for before it serves: what clients may ask for, and what will go wrong.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from etalon.errors import ConfigError
from etalon.sampling.endpoint import Client, EndpointSettings, UpstreamError, bridge
from etalon.sampling.endpoint.sampler import model_names
from etalon.serve.app import create_app
from etalon.serve.caps import ServeSettings
from etalon.serve.patience import PatientProtocol
from etalon.serve.question import PREFIX
from etalon.serve.upstreams import some

BACKLOG = 2048
GRACE_SECONDS = 2  # (ours) for answers under way when the proxy is stopped
LOOK_SECONDS = 3.0  # (ours) for all upstreams together: a silent one must not keep the proxy from serving


@dataclass(frozen=True, kw_only=True)
class Look:
    """names: the models to ask for, in words. warnings: a line for each thing that is wrong now."""

    names: str
    warnings: tuple[str, ...]


def look(settings: EndpointSettings) -> Look:
    """Ask every upstream for its models, once. Nothing here is an error: an upstream may come up later."""
    found = bridge.run(_ask_all(settings))
    warnings = [answer for answer in found if isinstance(answer, str)]
    listed = {url: names for url, names in zip(settings.urls, found, strict=True) if isinstance(names, list)}
    known = list(dict.fromkeys(name for names in listed.values() for name in names))
    if settings.model:
        warnings += [
            f"{url} serves no model {settings.model!r}; it lists {some(names)}"
            for url, names in listed.items()
            if names and settings.model not in names
        ]
    elif len(known) > 1:
        warnings.append(f"several models are served ({some(known)}); --model NAME sets the one of requests without")
    asked_for = [settings.model] if settings.model else known
    return Look(names=some([f"{PREFIX}{name}" for name in asked_for or ["NAME"]]), warnings=tuple(warnings))


async def _ask_all(settings: EndpointSettings) -> list[list[str] | str]:
    client = Client(settings)
    try:
        return list(await asyncio.gather(*(_ask(client, url) for url in settings.urls)))
    finally:
        await client.aclose()


async def _ask(client: Client, url: str) -> list[str] | str:
    """The models of one upstream, or what is wrong with it."""
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            return model_names(await client.get_json("/models", url=url))
    except TimeoutError:
        return f"{url} does not answer yet"
    except UpstreamError as error:
        if error.status in (404, 405):  # a server without a list
            return []
        if error.status in (401, 403):
            return f"{error}; the key is read from {client.settings.key_variable}"
        return f"{error}; requests fail until it answers"


class AccessLog:
    """An application that shows a line for each request at its end: `12:30:05 127.0.0.1 POST /v1/models 200 0.1 s`."""

    def __init__(self, app: ASGIApp, show: Callable[[str], None]) -> None:
        self._app = app
        self._show = show

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, started = 499, time.monotonic()  # of a client that left before it had an answer

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            client, path = (scope.get("client") or ("-",))[0], quote(scope["path"])  # no line breaks, no query
            took = f"{time.monotonic() - started:.1f} s"
            self._show(f"{time.strftime('%H:%M:%S')} {client} {scope['method']} {path} {status} {took}")


def serve(settings: ServeSettings, *, announce: Callable[[str], None], show: Callable[[str], None]) -> None:
    """Serve until interrupted. announce: called with the proxy's base URL once it listens; show: with access lines.

    ConfigError when the address cannot be bound.
    """
    app = AccessLog(create_app(settings), show)
    listener = _listen(settings.host, settings.port)
    host, port = listener.getsockname()[:2]
    announce(f"http://{f'[{host}]' if ':' in host else host}:{port}/v1")
    config = uvicorn.Config(
        app, log_level="warning", http=PatientProtocol, access_log=False, server_header=False, proxy_headers=False,
        ws="none", interface="asgi3", timeout_keep_alive=75, timeout_graceful_shutdown=GRACE_SECONDS,
    )  # fmt: skip
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        listener.close()


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket that says it is TCP: asyncio turns off Nagle's delay (40 ms) only then."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _unusable(host, port, error) from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _unusable(host, port, error) from None
    return listener


def _unusable(host: str, port: int, error: OSError) -> ConfigError:
    reason = (error.strerror or str(error)).lower()
    return ConfigError(f"--host {host} --port {port}: {reason}; use another address or port")
