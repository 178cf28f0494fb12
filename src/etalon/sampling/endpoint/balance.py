"""Which URL takes the next request: the least loaded one with a free slot; one that failed to connect rests a while."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

REST_SECONDS = 5.0  # (ours) how long a URL that cannot be reached is asked last


class Balancer:
    """Slots of several URLs, for one event loop. Callers are served in the order in which they came."""

    def __init__(self, urls: Sequence[str], *, slots: int) -> None:
        self.slots = slots
        self.load = dict.fromkeys(urls, 0)  # requests under way, also those without a slot
        self._taken = dict.fromkeys(urls, 0)
        self._rested = dict.fromkeys(urls, 0.0)  # when its rest ends
        self._waiting: deque[asyncio.Future[str]] = deque()

    async def acquire(self) -> str:
        """A URL with a free slot, as soon as there is one; `release` gives it back."""
        free = [url for url, taken in self._taken.items() if taken < self.slots]
        if free and not self._waiting:
            return self._take(self._best(free))
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():  # it was handed a slot while it was being cancelled
                self.release(future.result())
            raise

    def release(self, url: str) -> None:
        """Give a slot back; it goes straight to whoever waits longest."""
        self._taken[url] -= 1
        self.load[url] -= 1
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                free = [name for name, taken in self._taken.items() if taken < self.slots]
                future.set_result(self._take(self._best(free)))
                return

    @contextmanager
    def passing(self) -> Iterator[str]:
        """The least loaded URL at once, whatever its slots: for what no queue of others may hold up."""
        url = self._best(list(self.load))
        self.load[url] += 1
        try:
            yield url
        finally:
            self.load[url] -= 1

    def rest(self, url: str) -> None:
        """This URL cannot be reached: ask the others first for a while."""
        self._rested[url] = time.monotonic() + REST_SECONDS

    def wake(self, url: str) -> None:
        """This URL answers again."""
        self._rested[url] = 0.0

    def is_resting(self, url: str) -> bool:
        return self._rested[url] > time.monotonic()

    def _take(self, url: str) -> str:
        self._taken[url] += 1
        self.load[url] += 1
        return url

    def _best(self, urls: Sequence[str]) -> str:
        now = time.monotonic()
        return min(urls, key=lambda url: (max(0.0, self._rested[url] - now), self.load[url]))
