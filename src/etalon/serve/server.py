"""The proxy as a process: one event loop, one listening socket, in-flight work cancelled on Ctrl-C."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from etalon.errors import ConfigError
from etalon.serve.app import create_app
from etalon.serve.caps import ServeSettings

BACKLOG = 2048
GRACE_SECONDS = 2  # (ours) for answers under way when the proxy is stopped


def serve(settings: ServeSettings, *, announce: Callable[[str], None]) -> None:
    """Serve until interrupted. announce: called with the proxy's base URL once it listens.

    ConfigError when the address cannot be bound.
    """
    app = create_app(settings)
    listener = _listen(settings.host, settings.port)
    host, port = listener.getsockname()[:2]
    announce(f"http://{f'[{host}]' if ':' in host else host}:{port}/v1")
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, proxy_headers=False, ws="none",
        interface="asgi3", timeout_keep_alive=75, timeout_graceful_shutdown=GRACE_SECONDS,
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
