"""One event loop's connection to the URLs of an endpoint: requests streamed, retried, bounded, cancellable."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import ssl
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from etalon import __version__
from etalon.sampling.endpoint.answer import Answer, Delta
from etalon.sampling.endpoint.balance import Balancer
from etalon.sampling.endpoint.events import DONE, REDACT, events, read_body, redactor
from etalon.sampling.endpoint.lanes import Lanes
from etalon.sampling.endpoint.request import Dialect
from etalon.sampling.endpoint.retry import UpstreamError, delay, from_status
from etalon.sampling.endpoint.upstream import CHAT, EndpointSettings, is_loopback

OnDelta = Callable[[Delta], None]
ERROR_BYTES = 2**16  # (ours) of an error body that are read
IDLE_SECONDS = 4.0  # (ours) an idle connection is kept; uvicorn drops its own after 5
FINISH_SECONDS = 10.0  # (ours) for what a server still says after its reason to end: usage, [DONE]
LINGER_SECONDS = 0.1  # (ours) for the end of a body after its [DONE]
QUICK_SECONDS = 10.0  # (ours) for questions that need no model, such as /models
# A peer that vanished without a word is noticed within about a minute: there is no read time-out on a stream.
KEEP_ALIVE = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)] + [
    (socket.IPPROTO_TCP, getattr(socket, name), value)
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
    if hasattr(socket, name)
]


@dataclass(frozen=True, kw_only=True)
class Completed:
    """A finished request. calls: attempts in which the model began to answer; url: who answered."""

    answer: Answer
    calls: int
    retries: int
    url: str
    left_out: tuple[str, ...] = ()


class Client:
    """Requests to all URLs of one endpoint from the running event loop. `aclose` ends its connections."""

    def __init__(self, settings: EndpointSettings) -> None:
        self.settings = settings
        self.balancer = Balancer(settings.urls, slots=settings.concurrency)
        self.counts: Counter[str] = Counter()  # requests, retries, failures: for /metrics
        self._dialects = {url: Dialect(url) for url in settings.urls}
        self._jitter = random.Random()
        self.http = httpx2.AsyncClient(
            transport=_transport(settings),
            timeout=httpx2.Timeout(None, connect=settings.connect_seconds),
            headers={"user-agent": f"etalon/{__version__}", "accept-encoding": "identity"},
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self.http.aclose()

    async def complete(self, request: Mapping[str, Any], on_delta: OnDelta | None = None) -> Completed:
        """One response, after as many attempts as it takes. UpstreamError when it cannot be had in time."""
        url = await self.balancer.acquire()
        try:
            async with asyncio.timeout(self.settings.deadline_seconds):
                return await self._attempts(request, on_delta, url)
        except TimeoutError:
            self.counts["failures"] += 1
            message = f"no whole response within {self.settings.deadline_seconds:g} s"
            raise UpstreamError(message, may_pass=False) from None
        except UpstreamError:
            self.counts["failures"] += 1
            raise

    async def _attempts(self, request: Mapping[str, Any], on_delta: OnDelta | None, url: str) -> Completed:
        """Holds a slot while it sends, none while it waits; `url` is the first one, already taken."""
        calls = 0
        for attempt in range(self.settings.retries + 1):
            if attempt:
                url = await self.balancer.acquire()
            try:
                answer = await self._once(url, request, attempt, on_delta)
                left_out = tuple(sorted(self._dialects[url].left_out & request.keys()))
                return Completed(answer=answer, calls=calls + 1, retries=attempt, url=url, left_out=left_out)
            except UpstreamError as error:
                calls += error.calls
                if not error.may_pass or attempt == self.settings.retries:
                    tries = f" ({attempt + 1} attempts)" if attempt else ""
                    hint = f"; the key is read from {self.settings.key_variable}" if error.status == 401 else ""
                    raise UpstreamError(
                        f"{url} {error}{tries}{hint}", may_pass=False, calls=calls, status=error.status,
                        retry_after=error.retry_after,
                    ) from None  # fmt: skip
                pause = delay(attempt, error.retry_after, self._jitter)
            finally:
                self.balancer.release(url)
            self.counts["retries"] += 1
            await asyncio.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    async def _once(self, url: str, request: Mapping[str, Any], attempt: int, on_delta: OnDelta | None) -> Answer:
        """One attempt; a refused field is left out and the rest sent again, without counting as another attempt."""
        sent: dict[str, Any] | None = self._dialects[url].speak(request)
        while sent is not None:
            self.counts["requests"] += 1
            answer = Answer(attempt=attempt, stop_loops=self.settings.stop_loops)
            try:
                async with self.stream("POST", url, CHAT, content=json.dumps(sent).encode()) as response:
                    await _read(response, answer, on_delta)
                    return answer
            except UpstreamError as error:
                if error.status not in (400, 422):
                    raise
                refusal = error
                sent = self._dialects[url].learn(str(error), sent)
        raise refusal

    @contextlib.asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        path: str,
        *,
        content: bytes | None = None,
        timeout_seconds: float | None = None,
    ) -> AsyncIterator[httpx2.Response]:
        """An open response with a status of success; UpstreamError for any other and for any broken connection."""
        headers = self.settings.headers() | {"content-type": "application/json"}
        timeout = httpx2.Timeout(timeout_seconds, connect=self.settings.connect_seconds)
        redact, calls = self.settings.redactor(), 0
        try:
            async with self.http.stream(
                method, url + path, content=content, headers=headers, timeout=timeout
            ) as response:
                response.extensions[REDACT] = redact
                if not response.is_success:
                    raise from_status(response.status_code, response.headers, await _start_of(response))
                calls = 1
                yield response
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            self.balancer.rest(url)
            raise UpstreamError(f"cannot be reached: {redact.text(_reason(error))}", may_pass=True) from None
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, OSError) as error:
            message = f"broke the connection: {redact.text(_reason(error))}"
            raise UpstreamError(message, may_pass=True, calls=calls) from None

    @contextlib.asynccontextmanager
    async def passing_stream(self, path: str, content: bytes) -> AsyncIterator[httpx2.Response]:
        """An open response to a request of somebody else, from the least loaded URL that can be reached; no slots."""
        # a server may close an idle connection just as it is used: then, too, nothing was answered yet
        for attempts_left in reversed(range(max(2, len(self.settings.urls)))):
            async with contextlib.AsyncExitStack() as stack:
                url = stack.enter_context(self.balancer.passing())
                try:
                    response = await stack.enter_async_context(self.stream("POST", url, path, content=content))
                except UpstreamError as error:
                    if attempts_left and error.status is None:
                        continue
                    raise
                yield response
                return

    async def get_json(self, path: str, *, url: str | None = None) -> Any:
        """The JSON that a GET answers within QUICK_SECONDS, of `url` or of any URL that can be reached."""
        urls = [url] if url else sorted(self.settings.urls, key=self.balancer.is_resting)
        for last, base in enumerate(urls, start=1 - len(urls)):
            try:
                async with (
                    asyncio.timeout(QUICK_SECONDS),
                    self.stream("GET", base, path, timeout_seconds=QUICK_SECONDS) as response,
                ):
                    content = await read_body(response)
                return json.loads(content)
            except (UpstreamError, TimeoutError, ValueError, RecursionError) as error:
                if last < 0:
                    continue
                if isinstance(error, UpstreamError):
                    message, status = str(error), error.status
                else:
                    message = "did not answer in time" if isinstance(error, TimeoutError) else "answered no JSON"
                    status = None
                raise UpstreamError(f"{base}{path} {message}", may_pass=False, status=status) from None
        raise AssertionError("the last URL returns or raises")


def _transport(settings: EndpointSettings) -> Lanes | None:
    """Lanes straight to the servers; None, which is httpx2's own, when a proxy of the environment may be between."""
    if urllib.request.getproxies() and not all(map(is_loopback, settings.urls)):
        return None
    # reading the system's certificates takes 0.1 s, and plain HTTP needs none: this context trusts nobody
    needs_tls = any(url.startswith("https:") for url in settings.urls)
    tls = httpx2.create_ssl_context() if needs_tls else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    limits = httpx2.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=IDLE_SECONDS)
    return Lanes(lambda: httpx2.AsyncHTTPTransport(verify=tls, limits=limits, socket_options=KEEP_ALIVE))


async def _read(response: httpx2.Response, answer: Answer, on_delta: OnDelta | None) -> None:
    """Read a stream to its end, or until it loops; a server that does not stream is read as one chunk."""
    was_closed = False
    stream = events(response)
    with contextlib.suppress(TimeoutError):  # it gave its reason to end, and holds the connection open all the same
        async with asyncio.timeout(None) as patience:
            async for data in stream:
                if data == DONE:
                    was_closed = True
                    break
                delta = answer.add_event(data)
                if answer.finish_reason:
                    patience.reschedule(asyncio.get_running_loop().time() + FINISH_SECONDS)
                if delta is None:
                    continue
                if on_delta is not None:
                    on_delta(delta)
                if answer.loop is not None:
                    return
    answer.finish(was_closed=was_closed)
    with contextlib.suppress(TimeoutError):  # a body read to its end leaves a connection that can be used again
        async with asyncio.timeout(LINGER_SECONDS):
            async for _ in stream:
                pass


async def _start_of(response: httpx2.Response) -> bytes:
    """The first bytes of an error body; what breaks on the way hides no status."""
    content = b""
    with contextlib.suppress(httpx2.HTTPError, httpx2.StreamError, TimeoutError):
        async with asyncio.timeout(QUICK_SECONDS):
            async for block in response.aiter_bytes():
                content += block
                if len(content) >= ERROR_BYTES:
                    break
    return redactor(response)(content)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
