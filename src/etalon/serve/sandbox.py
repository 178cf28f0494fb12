"""The sandbox as a service: `POST /run_code`, for trainers and verifiers that know SandboxFusion.

    request -> key, size -> a free place, or 503 -> a thread -> the pool -> reply

Programs run in the pool of this process. Without a key the service answers this machine only.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import socket
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.to_thread
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from etalon.errors import ConfigError
from etalon.sandbox import Outcome, Sandbox, Status
from etalon.serve.run_code import BadRequestError, read_request, reply

RETRY_AFTER_SECONDS = 1  # (ours)
SHUTDOWN_SECONDS = 2  # (ours) for requests that are being answered


@dataclass(frozen=True, kw_only=True)
class ServiceLimits:
    """workers: programs at a time. waiting: further requests that are kept; more are told to come back."""

    workers: int
    waiting: int = 256  # (ours)
    request_mb: int = 64  # (ours)


class SandboxService:
    """The application around one sandbox. key: what a bearer token must be, "" for none."""

    def __init__(self, sandbox: Sandbox, limits: ServiceLimits, *, key: str = "") -> None:
        self._sandbox, self._limits, self._key = sandbox, limits, key
        self._num_inside = 0
        self._places: anyio.CapacityLimiter | None = None
        self.app = Starlette(
            routes=[
                Route("/run_code", self.run_code, methods=["POST"]),
                Route("/v1/ping", self.ping, methods=["GET"]),
            ]
        )

    async def ping(self, request: Request) -> Response:
        return PlainTextResponse("pong")

    async def run_code(self, request: Request) -> Response:
        """One program; 400, 401, 413, 415 are the sender's fault, 503 asks for patience."""
        if self._key and not hmac.compare_digest(_token(request).encode(), self._key.encode()):
            return _refusal(401, "a bearer token is needed", {"WWW-Authenticate": "Bearer"})
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return _refusal(415, "Content-Type must be application/json")  # no page of a browser may send that unasked
        if self._num_inside >= self._limits.workers + self._limits.waiting:
            return _refusal(503, "too many requests", {"Retry-After": str(RETRY_AFTER_SECONDS)})
        self._num_inside += 1
        try:
            return await self._run(request)
        except ClientDisconnect:
            return _refusal(400, "the request ended early")
        finally:
            self._num_inside -= 1

    async def _run(self, request: Request) -> Response:
        content = await self._body(request)
        if content is None:
            return _refusal(413, f"a request may have {self._limits.request_mb} MB")
        try:
            run = read_request(content)
        except BadRequestError as error:
            return _refusal(400, str(error))
        if self._places is None:
            self._places = anyio.CapacityLimiter(self._limits.workers)
        outcomes = await anyio.to_thread.run_sync(
            self._sandbox.run, run.code, run.tests, run.limits, limiter=self._places, abandon_on_cancel=True
        )
        return _json(200, reply(run, outcomes or _NOTHING))

    async def _body(self, request: Request) -> bytes | None:
        """The body, None as soon as it is too large."""
        most = self._limits.request_mb << 20
        if int(request.headers.get("content-length") or 0) > most:
            return None
        chunks, size = [], 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > most:
                return None
            chunks.append(chunk)
        return b"".join(chunks)


_NOTHING = (Outcome(status=Status.INFRASTRUCTURE, detail="the sandbox gave no outcome"),)


def _token(request: Request) -> str:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _json(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(body), status, headers, media_type="application/json")


def _refusal(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return _json(status, {"detail": message}, headers)


def is_loopback(host: str) -> bool:
    """True when only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def bind(host: str, port: int, *, key: str, key_env: str = "ETALON_SANDBOX_KEY") -> socket.socket:
    """A listening socket; ConfigError when the address is taken, or open to others without a key.

    key_env: the environment variable of the key.
    """
    if not key and not is_loopback(host):
        raise ConfigError(f"--host {host}: others could run programs here; set {key_env} to the key they must send")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise ConfigError(f"--host {host} --port {port}: {error.strerror or error}") from None
    return listener


def serve(service: SandboxService, listener: socket.socket) -> None:
    """Answer until the process is told to end."""
    config = uvicorn.Config(
        service.app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listener])
