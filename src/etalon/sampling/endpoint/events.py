"""Server-sent events out of the bytes of a stream, whole events only, whatever the blocks they came in."""

from __future__ import annotations

MAX_EVENT_BYTES = 8 * 2**20  # (ours) a larger event is no delta


class EventError(ValueError):
    """Bytes that are no event stream."""


class EventDecoder:
    """Feed it blocks; it returns the `data` of every event that is complete (several data lines joined by newlines)."""

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[bytes] = []
        self._size = 0

    def feed(self, block: bytes) -> list[bytes]:
        """The data of the events that `block` completes, in order. EventError for an event without end."""
        lines = (self._rest + block).split(b"\n")
        self._rest = lines.pop()
        events: list[bytes] = []
        for line in lines:
            if line in (b"", b"\r"):
                if self._lines:
                    events.append(b"\n".join(self._lines))
                    self._lines, self._size = [], 0
            elif line.startswith(b"data:"):
                self._lines.append(line[5:].strip())
                self._size += len(line)
        if self._size + len(self._rest) > MAX_EVENT_BYTES:
            raise EventError(f"an event of more than {MAX_EVENT_BYTES >> 20} MiB")
        return events

    def close(self) -> list[bytes]:
        """The data of an event whose blank line never came."""
        return self.feed(b"\n\n")
