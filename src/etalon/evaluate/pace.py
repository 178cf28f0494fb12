"""How fast an evaluation goes and how far it is, also while no sample has ended: `Pace`."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from etalon.evaluate.store import Scored
from etalon.types import Stop

if TYPE_CHECKING:
    from etalon.show.progress import StageView

LOOK_SECONDS = 2.0  # (ours) between two looks at samples under way
HALF = 0.5  # (ours) how far samples are taken to be that are under way, where none has ended yet


class Pace:
    """Tells a view how many samples are done, their score so far, and tokens per second.

    before: verdicts that are there already. tokens: called by the sampler, from any thread, with the number of tokens
    that it has just got.
    """

    def __init__(self, view: StageView, total: int, *, done: int, together: int, before: Sequence[Scored] = ()) -> None:
        self._view, self._total, self._together = view, total, together
        self._lock = threading.Lock()
        self._done, self._right, self._decided, self._cut = 0, 0, 0, 0
        for one in before:
            self._count(one)
        self._done = done
        self._ended, self._ended_tokens, self._fresh = 0, 0, 0
        self._started = self._told = time.monotonic()
        view.update(done, total)

    def tokens(self, count: int) -> None:
        """So many tokens more, of samples that are under way."""
        with self._lock:
            self._fresh += count
            if (now := time.monotonic()) - self._told >= LOOK_SECONDS:
                self._tell(now)

    def ended(self, tokens: int) -> None:
        """A sample is there."""
        with self._lock:
            self._ended += 1
            self._ended_tokens += tokens

    def scored(self, one: Scored) -> None:
        """A sample has its verdict."""
        with self._lock:
            self._count(one)
            if (now := time.monotonic()) - self._told >= LOOK_SECONDS or self._done == self._total:
                self._tell(now)

    def _count(self, one: Scored) -> None:
        self._done += 1
        self._decided += one.score is not None
        self._right += one.is_right
        self._cut += one.stop is Stop.LENGTH

    def _tell(self, now: float) -> None:
        self._told = now
        numbers: dict[str, float] = {}
        if self._decided:
            numbers |= {"right": self._right / self._decided, "truncated": self._cut / self._decided}
        tokens = max(self._fresh, self._ended_tokens)
        if tokens and now > self._started:
            numbers["tokens/s"] = round(tokens / (now - self._started))
        self._view.update(min(self._total, self._done + int(self._under_way())), self._total, **numbers)

    def _under_way(self) -> float:
        """What the samples under way come to, in whole ones."""
        most = min(self._together, self._total - self._done)
        if not self._fresh:
            return 0.0
        if not self._ended:
            return HALF * most
        left = max(0, self._fresh - self._ended_tokens)
        return min(float(most), left / max(1.0, self._ended_tokens / self._ended))
