"""What a server bears with: connections that never say what they want, bodies that never end.

connection -> headers within HEADER_SECONDS -> a body, within its own deadline and `Intake` -> the request
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 10.0  # (ours) until the headers of a request have come, from its first byte or the connection on


class PatientProtocol(H11Protocol):
    """uvicorn's, which would wait for ever for the rest of half-sent headers."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest()
        super().connection_lost(exc)

    def _watch(self) -> None:
        has_request = self.cycle is not None and not self.cycle.response_complete
        if has_request:
            self._rest()
        elif self._late is None:
            self._late = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _rest(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        self._late = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


@dataclass(eq=False)
class _Body:
    """A body that is arriving. at: when it last grew."""

    deadline: asyncio.Timeout
    at: float
    size: int = 0


class Intake:
    """Unfinished bodies hold at most `most` bytes together: for a new part the one that has stalled longest must go."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._bodies: list[_Body] = []

    @contextmanager
    def reading(self, deadline: asyncio.Timeout) -> Iterator[Callable[[int], None]]:
        """Yields what must be told how many bytes have come. deadline: of this body, which passes when it must go."""
        body = _Body(deadline, asyncio.get_running_loop().time())
        self._bodies.append(body)
        try:
            yield lambda size: self._grew(body, size)
        finally:
            if body in self._bodies:
                self._bodies.remove(body)

    def _grew(self, body: _Body, size: int) -> None:
        body.size, body.at = body.size + size, asyncio.get_running_loop().time()
        while sum(one.size for one in self._bodies) > self._most:
            others = [one for one in self._bodies if one is not body]
            if not others:
                break
            stalled = min(others, key=lambda one: one.at)
            self._bodies.remove(stalled)
            stalled.deadline.reschedule(body.at)
