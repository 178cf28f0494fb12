"""The sandbox as a service: `POST /run_code`, for trainers and verifiers that know SandboxFusion.

    request -> key, host -> its whole body -> a free place, or 503 -> a thread -> the pool -> reply

Programs run in the pool of this process. Without a key the service answers this machine only. A client that leaves
takes its program along: one that waits is dropped, one that runs is killed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from etalon.errors import ConfigError
from etalon.sandbox import GiveUp, LocalSandbox, Outcome, Status
from etalon.serve.api_error import ApiError
from etalon.serve.call import Call, ClientGoneError, Endpoint, admit
from etalon.serve.patience import Intake, PatientProtocol
from etalon.serve.run_code import BadRequestError, RunRequest, read_request, reply

LOG = logging.getLogger("etalon")
RETRY_AFTER_SECONDS = 1  # (ours)
SHUTDOWN_SECONDS = 2  # (ours) for requests that are being answered


@dataclass(frozen=True, kw_only=True)
class ServiceLimits:
    """workers: programs at a time. waiting: further requests that are kept; more are told to come back.

    request_mb, body_seconds: how large a request may be, and how long it may take to arrive.
    """

    workers: int
    waiting: int = 256  # (ours)
    request_mb: int = 64  # (ours)
    body_seconds: float = 60.0  # (ours)


class SandboxService:
    """The application around one sandbox. key: what a bearer token must be, "" for none."""

    def __init__(self, sandbox: LocalSandbox, limits: ServiceLimits, *, key: str = "") -> None:
        self._sandbox, self._limits, self._key = sandbox, limits, key
        self._num_inside = 0
        self._intake = Intake(limits.request_mb << 20)
        self._threads = ThreadPoolExecutor(limits.workers, thread_name_prefix="etalon-sandbox")
        self.app = Starlette(
            routes=[
                Route("/run_code", self._route(self.run_code), methods=["POST"]),
                Route("/v1/ping", self._route(self.ping, is_open=True), methods=["GET"]),
            ]
        )

    def _route(self, work: Callable[[Call], Awaitable[None]], *, is_open: bool = False) -> ASGIApp:
        """`work` with the gate before it, as in the proxy; a failure is told as `{"detail": ...}`."""

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            call = Call(scope, receive, send)
            try:
                if not (is_open and self._key):
                    admit(call.headers, self._key, name="the sandbox", key_name="the one it was started with")
                await work(call)
            except ClientGoneError:
                pass
            except ApiError as error:
                await _refuse(call, error)
            except Exception:
                LOG.exception("%s failed", call.path)
                await _refuse(call, ApiError(500, "the sandbox failed; its log says how"))

        return Endpoint(serve)

    async def ping(self, call: Call) -> None:
        await call.answer(200, b"pong", kind="text/plain; charset=utf-8")

    async def run_code(self, call: Call) -> None:
        """One program; 400, 401, 403, 408, 413, 415 are the sender's fault, 503 asks for patience."""
        if call.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise ApiError(415, "Content-Type must be application/json")  # no page of a browser may send that unasked
        self._admit()  # before its body is read, and again: others may have come meanwhile
        limits = self._limits
        content = await call.body(limit=limits.request_mb << 20, seconds=limits.body_seconds, intake=self._intake)
        self._admit()
        try:
            request = read_request(content)
        except BadRequestError as error:
            raise ApiError(400, str(error)) from None
        self._num_inside += 1
        try:
            await call.while_connected(self._run(call, request))
        finally:
            self._num_inside -= 1

    def _admit(self) -> None:
        if self._num_inside >= self._limits.workers + self._limits.waiting:
            raise ApiError(503, "too many requests", retry_after=RETRY_AFTER_SECONDS)

    async def _run(self, call: Call, request: RunRequest) -> None:
        give_up = GiveUp()
        work = partial(self._sandbox.run, request.code, request.tests, request.limits, give_up=give_up)
        try:
            outcomes = await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:  # a run that waits for a thread is cancelled with this task
            give_up.set()
        await call.answer_json(200, reply(request, outcomes or _NOTHING))


_NOTHING = (Outcome(status=Status.INFRASTRUCTURE, detail="the sandbox gave no outcome"),)


async def _refuse(call: Call, error: ApiError) -> None:
    if not call.status:
        headers = error.headers() | ({"www-authenticate": "Bearer"} if error.status == 401 else {})
        await call.answer_json(error.status, {"detail": str(error)}, headers=headers)


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
        http=PatientProtocol,
        access_log=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listener])
