"""Does the server work on several requests at the same time: STREAMS that begin together against one alone.

    speed-up = tokens of all / time of all, over tokens of one / time of one

Streams that are seen side by side, or a speed-up of FASTER, show it. One slot is shown only when in every round there
is no speed-up and the answers come one after the other: a server that shares one processor among its requests, or
that sends an answer in one piece, has neither sign, and a quick answer has none that can be measured.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from etalon.serve.doctor.patient import Patient, WatchedReply

STREAMS = 8  # asked for at the same time
ROUNDS = 2
TOKENS = 64  # of each answer, at most
# (ours)
FASTER = 2.0  # speed-up from which on requests run side by side
SLOWER = 1.3  # speed-up up to which they may wait for each other
FIRST_SHARE = 0.4  # of the time of all; 1/8 is due when they wait for each other, 1 when they share
MARGIN = 0.01  # seconds taken off both ends of a stream: chunks that wait in our sockets are read late
SHORTEST_REQUEST = 0.05  # seconds one request must take: below, the connections weigh too much


@dataclass(frozen=True, kw_only=True)
class Timed:
    """A request with the times at which it began and ended, of the monotonic clock."""

    watched: WatchedReply
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.began

    @property
    def size(self) -> int:
        return max(1, self.watched.answer.num_tokens)


async def at_once(patient: Patient, prompt: str) -> tuple[int, str]:
    """(how many requests ran at the same time at least, ""), or (0, why it cannot be told). 1: they surely wait."""
    retries = patient.retries
    for _ in range(ROUNDS):
        alone = [await _timed(patient, prompt, seed=90 + i) for i in range(2)]
        together = await asyncio.gather(*(_timed(patient, prompt, seed=i) for i in range(STREAMS)))
        if errors := [t.watched.error for t in (*alone, *together) if t.watched.error]:
            return 0, f"cannot tell: {errors[0]}"
        if patient.retries > retries:
            return 0, "cannot tell: the server put requests off"
        count, why = compare(alone, together)
        if count != 1:
            return count, why
    return 1, ""


def compare(alone: Sequence[Timed], together: Sequence[Timed]) -> tuple[int, str]:
    """What one round shows, as `at_once` says it."""
    spans = [(t.watched.first + MARGIN, t.watched.last - MARGIN) for t in together]
    seen = most_at_once([(start, end) for start, end in spans if start < end])
    if seen > 1:
        return seen, ""
    best = min(alone, key=lambda t: t.seconds / t.size)
    began = min(t.began for t in together)
    whole = max(t.ended for t in together) - began
    if min(t.seconds for t in alone) < SHORTEST_REQUEST:
        return 0, f"cannot tell: an answer takes only {1000 * best.seconds:.0f} ms"
    speedup = sum(t.size for t in together) * best.seconds / best.size / whole
    if speedup >= FASTER:
        return min(STREAMS, int(speedup)), ""
    first = (min(t.ended for t in together) - began) / whole
    if speedup <= SLOWER and first <= FIRST_SHARE:
        return 1, ""
    return 0, f"cannot tell: {len(together)} requests took {whole:.1f} s, one alone {best.seconds:.1f} s"


def most_at_once(spans: Sequence[tuple[float, float]]) -> int:
    """The largest number of (start, end) spans that share a moment."""
    return max((sum(start <= moment <= end for start, end in spans) for moment, _ in spans), default=0)


async def _timed(patient: Patient, prompt: str, *, seed: int) -> Timed:
    began = time.monotonic()
    watched = await patient.watch(prompt, stop_loops=False, max_tokens=TOKENS, temperature=1.0, seed=seed)
    return Timed(watched=watched, began=began, ended=time.monotonic())
