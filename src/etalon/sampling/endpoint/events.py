"""The body of a response as events, whatever its content type says: server-sent events, JSON, or a line of it each.

Read as the specification reads them (any line end, a byte order mark, comments, events without data left out), and
some that break it: no blank line between events, an error told by the name of its event only.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2

from etalon.redact import Redactor
from etalon.sampling.endpoint.retry import UpstreamError

DONE = b"[DONE]"
BOM = b"\xef\xbb\xbf"
BODY_BYTES = 2**26  # (ours) of a body that is no stream
MAX_LINES = 1000  # (ours) of an event that is looked at for its end before its blank line
MAX_EVENT_BYTES = 8 * 2**20  # (ours) a larger event is no delta
REDACT = "etalon_redact"  # the extension of a response that takes our key out of what it says


async def events(response: httpx2.Response) -> AsyncIterator[bytes]:
    """The data of each event of a response; one of JSON is its only event, then [DONE]. UpstreamError for neither."""
    decoder, redact = EventDecoder(), redactor(response)
    blocks, head, num_events = response.aiter_bytes(), b"", 0
    async for block in blocks:
        head += block
        if head.lstrip(BOM + b" \t\r\n"):
            break
    if head.lstrip(BOM + b" \t\r\n")[:1] in (b"{", b"["):
        for data in _json_events(await _rest(blocks, head)):
            yield redact(data)
        return
    try:
        for data in decoder.feed(head):
            num_events += 1
            yield redact(data)
        async for block in blocks:
            for data in decoder.feed(block):
                num_events += 1
                yield redact(data)
        for data in decoder.close():
            num_events += 1
            yield redact(data)
    except EventError as error:
        raise UpstreamError(f"sent {error}", may_pass=True, calls=1) from None
    if not num_events and head.strip():
        raise UpstreamError(f"sent no event: {shown(redact(head))}", may_pass=True, calls=1)


def _json_events(content: bytes) -> list[bytes]:
    """A body that is JSON, or whose lines are; what is neither stays as it is, for the reader to complain about."""
    if parsed(content) is not None:
        return [content, DONE]
    return [line for line in content.splitlines() if line.strip()]


async def read_body(response: httpx2.Response) -> bytes:
    """A whole body; UpstreamError when it is larger than BODY_BYTES."""
    return redactor(response)(await _rest(response.aiter_bytes(), b""))


async def _rest(blocks: AsyncIterator[bytes], head: bytes) -> bytes:
    found, size = [head], len(head)
    async for block in blocks:
        found.append(block)
        size += len(block)
        if size > BODY_BYTES:
            raise UpstreamError(f"answered more than {BODY_BYTES >> 20} MiB", may_pass=False, calls=1)
    return b"".join(found)


def redactor(response: httpx2.Response) -> Redactor:
    """What takes our key out of the words of this response."""
    redact: Redactor = response.extensions[REDACT]
    return redact


def parsed(data: bytes) -> Any:
    """The JSON in some bytes, those that are no text replaced; None when there is none (or it is null)."""
    try:
        return json.loads(data.removeprefix(BOM).decode(errors="replace"))
    except (ValueError, RecursionError):
        return None


def shown(data: bytes, limit: int = 80) -> str:
    """The start of some bytes for a message."""
    text = data[: limit + 1].decode(errors="replace")
    return repr(text if len(text) <= limit else f"{text[:limit]}...")


class EventError(ValueError):
    """Bytes that are no event stream."""


class EventDecoder:
    """Feed it blocks; it returns the `data` of every event that is complete (several data lines joined by newlines)."""

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[bytes] = []
        self._size = 0
        self._name = b""
        self._ended_in_cr = False

    def feed(self, block: bytes) -> list[bytes]:
        """The data of the events that `block` completes, in order. EventError for an event without end."""
        if not block:
            return []
        if self._ended_in_cr:
            block = block.removeprefix(b"\n")
        self._ended_in_cr = block.endswith(b"\r") if block else False
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = (self._rest + block).split(b"\n")
        self._rest = lines.pop()
        found: list[bytes] = []
        for line in lines:
            self._take(line, found)
        if self._size + len(self._rest) > MAX_EVENT_BYTES:
            raise EventError(f"an event of more than {MAX_EVENT_BYTES >> 20} MiB")
        return found

    def close(self) -> list[bytes]:
        """The data of an event whose blank line never came."""
        self._ended_in_cr = False
        return self.feed(b"\n\n")

    def _take(self, line: bytes, found: list[bytes]) -> None:
        if line.startswith(b"data:"):
            if self._may_be_whole() and _is_whole(b"\n".join(self._lines)):  # a server that leaves the blank line out
                self._end(found)
            self._lines.append(line[5:].strip())
            self._size += len(line)
        elif not line:
            self._end(found)
        elif line.startswith(b"event:"):
            self._name = line[6:].strip()
        elif line.startswith(BOM):
            self._take(line.removeprefix(BOM), found)

    def _may_be_whole(self) -> bool:
        return 0 < len(self._lines) < MAX_LINES and self._lines[-1].endswith((b"}", DONE))

    def _end(self, found: list[bytes]) -> None:
        data = b"\n".join(self._lines)
        if data.strip():
            found.append(_as_error(data) if self._name == b"error" else data)
        self._lines, self._size, self._name = [], 0, b""


def _is_whole(data: bytes) -> bool:
    return data == DONE or isinstance(parsed(data), dict)


def _as_error(data: bytes) -> bytes:
    """The data of an event that is named an error, in the form of one."""
    value = parsed(data)
    if isinstance(value, dict) and value.get("error"):
        return data
    return json.dumps({"error": value or data.decode(errors="replace")}).encode()
