"""What is true of the upstreams now: who answers, and which models they serve.

Asked when somebody wants to know, never in the background; all who ask at the same time share one round.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from etalon.sampling.endpoint import Client, UpstreamError
from etalon.sampling.endpoint.sampler import model_names

# (ours)
PROBE_SECONDS = 2.0  # an upstream that takes longer to list its models does not answer
FRESH_SECONDS = 0.2  # a round is not repeated within, whoever asks
MAX_NAMES = 4  # that are shown
NAMES_SECONDS = 5.0  # how old the list may be by which a model is refused
Status = Literal["ok", "degraded", "down"]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One upstream at one time. error: why it does not answer, "" when it does. names: None is any model; of one that
    does not answer those it had.
    """

    error: str = ""
    names: frozenset[str] | None = None


class Upstreams:
    """The upstreams of one client, in the order of its URLs."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.seen: tuple[Seen, ...] = ()
        self._asked = -NAMES_SECONDS  # when the last round began, of the monotonic clock
        self._round: asyncio.Task[None] | None = None

    async def look(self, *, within: float = FRESH_SECONDS) -> tuple[Seen, ...]:
        """What every upstream says, asked at most `within` seconds ago."""
        if self._round is None or (self._round.done() and time.monotonic() - self._asked > within):
            self._asked = time.monotonic()
            self._round = asyncio.create_task(self._ask_all())
        await asyncio.shield(self._round)
        return self.seen

    async def missing(self, model: str) -> tuple[str, ...]:
        """The models that are served when `model` is none of them; empty when it may be one."""
        if _may_serve(self.seen, model) and any(one.names for one in self.seen):
            return ()
        found = await self.look(within=NAMES_SECONDS)
        if _may_serve(found, model):
            return ()
        return tuple(sorted({name for one in found for name in one.names or ()}))

    async def aclose(self) -> None:
        if self._round is not None:
            self._round.cancel()
            await asyncio.gather(self._round, return_exceptions=True)

    async def _ask_all(self) -> None:
        before = self.seen or [Seen() for _ in self.client.settings.urls]
        rounds = (self._ask(url, last) for url, last in zip(self.client.settings.urls, before, strict=True))
        self.seen = tuple(await asyncio.gather(*rounds))

    async def _ask(self, url: str, last: Seen) -> Seen:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                names = model_names(await self.client.get_json("/models", url=url))
        except TimeoutError:
            if self.client.balancer.load[url] and not last.error:  # a server of one thread, at work for us
                return last
            return Seen(error=f"did not answer within {PROBE_SECONDS:g} s", names=last.names)
        except UpstreamError as error:
            if error.status not in (404, 405):  # those have no list
                return Seen(error=f"HTTP {error.status}" if error.status else "does not answer", names=last.names)
            names = []
        self.client.balancer.wake(url)
        return Seen(names=frozenset(names) or None)


def status_of(seen: tuple[Seen, ...]) -> Status:
    """In one word: whether all, some or none of the upstreams answer."""
    failing = sum(bool(one.error) for one in seen)
    return "ok" if not failing else "down" if failing == len(seen) else "degraded"


def some(names: Sequence[str]) -> str:
    """The first names of many."""
    more = ", ..." if len(names) > MAX_NAMES else ""
    return f"{', '.join(names[:MAX_NAMES])}{more}"


def _may_serve(seen: tuple[Seen, ...], model: str) -> bool:
    """Whether somebody lists the model (Ollama's without its tag too), did before it fell silent, or cannot tell."""
    lists = [one.names for one in seen if not one.error or one.names]
    return not lists or any(names is None or names & {model, f"{model}:latest"} for names in lists)
