"""The proxy as a process: one event loop, one listening socket, in-flight work cancelled on Ctrl-C."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from etalon.errors import ConfigError
from etalon.serve.app import create_app
from etalon.serve.settings import ServeSettings

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
        app, log_level="warning", access_log=False, server_header=False, ws="none", interface="asgi3",
        timeout_keep_alive=75, timeout_graceful_shutdown=GRACE_SECONDS,
    )  # fmt: skip
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        listener.close()


def _listen(host: str, port: int) -> socket.socket:
    name = host.strip("[]")
    try:
        family, *_, address = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"--host {host} --port {port}: {reason}; use another address or port") from None
