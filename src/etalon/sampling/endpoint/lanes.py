"""A transport with one connection per lane, and the lane used last used first.

A pool of httpx2 looks at every connection it has, some with a system call, for every request that begins or ends:
with hundreds of them that is most of a request's cost. A lane is a pool of one, so a request's cost does not grow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx2

MAX_IDLE = 256  # (ours) connections kept open per server
Server = tuple[str, str, int | None]  # scheme, host, port


class Lanes(httpx2.AsyncBaseTransport):
    """Hands each request to an idle lane of its server, or to a new one. make: a transport for one connection."""

    def __init__(self, make: Callable[[], httpx2.AsyncHTTPTransport]) -> None:
        self._make = make
        self._idle: defaultdict[Server, list[httpx2.AsyncHTTPTransport]] = defaultdict(list)
        self._is_closed = False

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        server = (request.url.scheme, request.url.host, request.url.port)
        lane = self._idle[server].pop() if self._idle[server] else self._make()
        try:
            response = await lane.handle_async_request(request)
        except BaseException:  # the lane has closed its connection, and can open another
            self._idle[server].append(lane)
            raise
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        stream = _LaneStream(response.stream, lambda: self._give_back(server, lane))
        return httpx2.Response(
            response.status_code, headers=response.headers, stream=stream, extensions=response.extensions
        )

    async def _give_back(self, server: Server, lane: httpx2.AsyncHTTPTransport) -> None:
        if self._is_closed or len(self._idle[server]) >= MAX_IDLE:
            await lane.aclose()
        else:
            self._idle[server].append(lane)

    async def aclose(self) -> None:
        """Close the idle lanes now, the others when their responses end."""
        self._is_closed = True
        lanes = [lane for idle in self._idle.values() for lane in idle]
        self._idle.clear()
        for lane in lanes:
            await lane.aclose()


class _LaneStream(httpx2.AsyncByteStream):
    """The body of a response; its end gives the lane back, once."""

    def __init__(self, inner: httpx2.AsyncByteStream, release: Callable[[], Awaitable[None]]) -> None:
        self._inner = inner
        self._release: Callable[[], Awaitable[None]] | None = release

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for block in self._inner:
            yield block

    async def aclose(self) -> None:
        release, self._release = self._release, None
        try:
            await self._inner.aclose()
        finally:
            if release is not None:
                await release()
