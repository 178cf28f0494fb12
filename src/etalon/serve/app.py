"""The routes of the proxy: chat (CLR or passed through), models, health, metrics."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from etalon.clr.claims import load_templates
from etalon.sampling.endpoint import Client, UpstreamError
from etalon.sampling.endpoint.sampler import model_names
from etalon.serve.api_error import ApiError, from_upstream
from etalon.serve.call import Call, ClientGoneError, Endpoint, admit
from etalon.serve.caps import PROXY_KEY_VARIABLE, ServeSettings, check_key
from etalon.serve.clr_chat import answer_clr
from etalon.serve.metrics import Metrics
from etalon.serve.patience import Intake
from etalon.serve.question import PREFIX, asks_for_clr, model_name, read_question, without_no_limit
from etalon.serve.relay import relay
from etalon.serve.upstreams import Upstreams, some, status_of

LOG = logging.getLogger("etalon")
Work = Callable[[Call], Awaitable[None]]
BUSY_SECONDS = 5.0  # (ours) what a client is told to wait when a cap is reached
RELAYED = ("/completions", "/embeddings")  # besides chat


def create_app(settings: ServeSettings) -> Starlette:
    """The ASGI application. ConfigError when it would be open to other machines without a key, or for bad prompts."""
    key = os.environ.get(PROXY_KEY_VARIABLE, "").strip()
    check_key(settings.host, key)
    load_templates(settings.prompts)  # what is wrong with them is said now, not to the first client
    proxy = Proxy(settings, key=key)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        proxy.client = Client(settings.upstream)
        proxy.upstreams = Upstreams(proxy.client)
        looking = asyncio.create_task(proxy.upstreams.look())
        try:
            yield
        finally:
            looking.cancel()
            await proxy.upstreams.aclose()
            await proxy.client.aclose()

    routes = [
        Route("/health", proxy.route("health", proxy.health, is_open=True), methods=["GET"]),
        Route("/ready", proxy.route("ready", proxy.ready, is_open=True), methods=["GET"]),
        Route("/metrics", proxy.route("metrics", proxy.show_metrics), methods=["GET"]),
        Route("/v1/models", proxy.route("models", proxy.models), methods=["GET"]),
        Route("/v1/chat/completions", proxy.route("chat", proxy.chat), methods=["POST"]),
        *(Route(f"/v1{path}", proxy.route("relay", proxy.other), methods=["POST"]) for path in RELAYED),
    ]
    return Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={404: _not_found, 405: _not_found},
    )


class Proxy:
    """What the routes share: the connection to the upstream, the caps, the counters."""

    client: Client
    upstreams: Upstreams

    def __init__(self, settings: ServeSettings, *, key: str) -> None:
        self.settings = settings
        self._intake = Intake(settings.max_body_bytes)
        self.metrics = Metrics()
        self.requests = 0  # under way
        self.flows = 0  # CLR answers under way
        self._key = key

    def route(self, name: str, work: Work, *, is_open: bool = False) -> ASGIApp:
        """`work` with the gate before it; every failure becomes an answer, every answer is counted.

        is_open: whoever has no key may call too; foreign pages are refused all the same where there is none.
        """

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            call = Call(scope, receive, send)
            started = time.monotonic()
            self.requests += 1
            try:
                if not (is_open and self._key):
                    admit(call.headers, self._key)
                if not is_open and self.requests > self.settings.max_requests:
                    raise ApiError(429, "too many requests under way", code="busy", retry_after=BUSY_SECONDS)
                await work(call)
            except ClientGoneError:
                call.status = 499
            except ApiError as error:
                await call.fail(error)
            except Exception:
                LOG.exception("%s failed", name)
                await call.fail(ApiError(500, "the proxy failed; its log says how", code="internal_error"))
            finally:
                self.requests -= 1
                self.metrics.count("etalon_requests_total", route=name, status=str(call.status))
                self.metrics.time(name, time.monotonic() - started)

        return Endpoint(serve)

    async def health(self, call: Call) -> None:
        """Always 200 while the proxy runs; what is true of the upstreams now."""
        await call.answer_json(200, await self._state())

    async def ready(self, call: Call) -> None:
        """200 while an upstream answers, else 503."""
        state = await self._state()
        await call.answer_json(503 if state["status"] == "down" else 200, state)

    async def _state(self) -> dict[str, Any]:
        """The upstreams in their order, without their addresses."""
        seen = await self.upstreams.look()
        loads = self.client.balancer.load.values()
        upstreams = [
            {"requests": load, "unreachable": bool(one.error), **({"error": one.error} if one.error else {})}
            for load, one in zip(loads, seen, strict=True)
        ]
        return {"status": status_of(seen), "upstreams": upstreams}

    async def show_metrics(self, call: Call) -> None:
        gauges = {"etalon_requests_running": self.requests - 1, "etalon_clr_running": self.flows}
        page = self.metrics.text(gauges, self.client.counts)
        await call.answer(200, page.encode(), kind="text/plain; version=0.0.4; charset=utf-8")

    async def models(self, call: Call) -> None:
        """The upstream's models, and each of them once more as clr-NAME."""
        try:
            listed = await self.client.get_json("/models")
        except UpstreamError as error:
            raise from_upstream(error) from None
        rows = [row for row in _rows(listed) if row.get("id") in model_names(listed)]
        own = [{**row, "id": f"{PREFIX}{row['id']}", "owned_by": "etalon"} for row in rows]
        await call.answer_json(200, {"object": "list", "data": rows + own})

    async def chat(self, call: Call) -> None:
        content, request = await self._read(call)
        if not asks_for_clr(request):
            await call.while_connected(self._relay(call, content, request, "/chat/completions"))
            return
        question = read_question(request, self.settings)
        await self._refuse_unknown(question.model)
        if self.flows >= self.settings.max_flows:
            message = f"{self.flows} CLR answers are under way, as many as this proxy allows"
            raise ApiError(429, message, code="busy", retry_after=BUSY_SECONDS)
        self.flows += 1
        try:
            await call.while_connected(
                answer_clr(call, question, self.client, self.metrics, heartbeat=self.settings.heartbeat_seconds)
            )
        finally:
            self.flows -= 1

    async def other(self, call: Call) -> None:
        content, request = await self._read(call)
        await call.while_connected(self._relay(call, content, request, call.path.removeprefix("/v1")))

    async def _relay(self, call: Call, content: bytes, request: dict[str, Any], path: str) -> None:
        name = model_name(request, self.settings)
        await self._refuse_unknown(name)
        sent = {k: v for k, v in request.items() if k != "clr"} | {"model": name}
        if path == "/chat/completions":  # elsewhere a missing cap means 16 tokens
            sent = without_no_limit(sent)
        if sent != request:
            content = json.dumps(sent).encode()
        await relay(
            call, self.client, path, content,
            streams=bool(request.get("stream")), heartbeat=self.settings.heartbeat_seconds,
        )  # fmt: skip

    async def _refuse_unknown(self, name: str) -> None:
        """ApiError for a model that no upstream lists; the proxy's own is not looked up."""
        if name != self.settings.upstream.model and (known := await self.upstreams.missing(name)):
            message = f"model: {name!r} does not exist; served are {some(known)}, and each as {PREFIX}NAME"
            raise ApiError(404, message, code="model_not_found", param="model")

    async def _read(self, call: Call) -> tuple[bytes, dict[str, Any]]:
        most, seconds = self.settings.max_body_bytes, self.settings.body_seconds
        content = await call.body(limit=most, seconds=seconds, intake=self._intake)
        try:
            request = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise ApiError(400, f"the body is not JSON: {error}", code="invalid_json") from None
        if not isinstance(request, dict):
            raise ApiError(400, "the body is not a JSON object", code="invalid_json")
        return content, request


def _rows(listed: Any) -> list[dict[str, Any]]:
    rows = listed.get("data") if isinstance(listed, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


async def _not_found(request: Any, error: Exception) -> Any:
    from starlette.responses import JSONResponse

    status = getattr(error, "status_code", 404)
    message = f"{request.method} {request.url.path}: there is no such route; see /v1/models and /v1/chat/completions"
    return JSONResponse(ApiError(status, message, code="not_found").to_json(), status_code=status)
