"""Whether a response is stuck: its end is one block over and over, and has been for a long while.

A loop is at least MIN_CHARS long and holds its block MIN_REPEATS times, letter by letter. A model that counts or
writes a table never repeats a block exactly; rows of dashes are shorter.
"""

from __future__ import annotations

MIN_CHARS = 4000  # (ours)
MIN_REPEATS = 8  # (ours)
MAX_BLOCK = 1200  # (ours) characters of the longest block looked for
CHECK_CHARS = 1024  # (ours) new characters between two looks
PROBE = 48


def looping_block(text: str) -> str | None:
    """The block that the end of `text` repeats, None when it does not. Looks at the last MAX_BLOCK * MIN_REPEATS."""
    tail = text[-MAX_BLOCK * MIN_REPEATS :]
    if len(tail) < MIN_CHARS:
        return None
    probe = tail[-PROBE:]
    found = tail.rfind(probe, len(tail) - PROBE - MAX_BLOCK, len(tail) - 1)
    if found < 0:
        return None
    period = len(tail) - PROBE - found
    span = max(MIN_CHARS, MIN_REPEATS * period)
    if len(tail) < span or tail[-span + period :] != tail[-span:-period]:
        return None
    return tail[-period:]


class LoopWatch:
    """Looks at a growing text every CHECK_CHARS characters; only its end is kept."""

    def __init__(self) -> None:
        self._tail = ""
        self._fresh: list[str] = []
        self._size = 0

    def add(self, piece: str) -> str | None:
        """The looping block once there is one."""
        self._fresh.append(piece)
        self._size += len(piece)
        if self._size < CHECK_CHARS:
            return None
        self._tail = (self._tail + "".join(self._fresh))[-MAX_BLOCK * MIN_REPEATS :]
        self._fresh, self._size = [], 0
        return looping_block(self._tail)
