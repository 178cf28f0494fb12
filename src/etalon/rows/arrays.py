"""The elements of a JSON array one after the other: memory holds one element, whatever the size of the file.

    [{"a": 1},        ->  (1, b'{"a": 1}')     (line where it starts, its bytes)
     {"b": [2, 3]}]   ->  (2, b'{"b": [2, 3]}')

Only strings, brackets and commas are looked at, so that one element that is no JSON does not lose those behind it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

BLOCK = 1 << 18
STARTS = re.compile(rb"\s*\[\s*(?:[\[{\]]|$)")  # of the first bytes: not [1, 2], a line of JSONL that is no object
_MARK = re.compile(rb'["\[\]{},]')
# possessive: a string that goes on behind the buffer is given up at once, not tried again from every place in it
_REST_OF_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_WITHIN = re.compile(  # what changes no depth: anything but brackets, whole strings, brackets around nothing deeper
    rb'(?:[^"\[\]{}]++|\[[^"\[\]{}]*+\]|\{[^"\[\]{}]*+\}|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+', re.DOTALL
)


def elements(stream: io.BufferedReader) -> Iterator[tuple[int, bytes]]:
    """(line, bytes) of each element; EOFError for an array that never closes, ValueError for text behind its end."""
    scanner = _Scanner(stream)
    while (element := scanner.next()) is not None:
        yield element
    rest = scanner.rest()
    if rest:
        raise ValueError(f"line {scanner.line}: found {rest[:40]!r} behind the end of the JSON array")


class _Scanner:
    """Reads a stream of one array; `next` gives its elements, then None."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self._buffer, self._at = b"", 0
        self.line = 1
        while not (start := self._buffer.lstrip()):
            self._more()
        self._skip(len(self._buffer) - len(start) + 1)

    def _more(self) -> None:
        """Read on: as much again as there is, so that a large element is copied a few times only."""
        block = self._stream.read1(max(BLOCK, len(self._buffer)))
        if not block:
            raise EOFError("the JSON array never closes")
        self._buffer += block

    def _skip(self, count: int) -> None:
        """Take `count` bytes off the buffer."""
        self.line += self._buffer.count(b"\n", 0, count)
        self._buffer, self._at = self._buffer[count:], 0

    def next(self) -> tuple[int, bytes] | None:
        """The next element, None at the end of the array."""
        depth = position = 0
        while True:
            if depth and (within := _WITHIN.match(self._buffer, self._at + position)):
                position = within.end() - self._at
            mark = _MARK.search(self._buffer, self._at + position)
            if mark is None:
                position = len(self._buffer) - self._at
                self._more()
                continue
            position = mark.end() - self._at
            kind = mark.group()
            if kind == b'"':
                while (string := _REST_OF_STRING.match(self._buffer, mark.end())) is None:
                    self._more()
                position = string.end() - self._at
            elif kind in b"[{":
                depth += 1
            elif kind in b"]}" and depth:
                depth -= 1
            elif not depth:  # a comma, or the end of the array
                return self._taken(mark.start(), ends=kind != b",")

    def _taken(self, stop: int, *, ends: bool) -> tuple[int, bytes] | None:
        element = self._buffer[self._at : stop]
        blank = len(element) - len(element.lstrip())
        line = self.line + element.count(b"\n", 0, blank)
        self.line += element.count(b"\n")
        self._at = stop if ends else stop + 1
        if ends and not element.strip():
            return None
        if self._at > BLOCK:
            self._buffer, self._at = self._buffer[self._at :], 0
        return line, element.strip()

    def rest(self) -> bytes:
        """What stands behind the array's end; blanks are nothing."""
        behind = self._buffer[self._at + 1 :] + self._stream.read(BLOCK)
        self.line += behind.count(b"\n", 0, len(behind) - len(behind.lstrip()))
        return behind.strip()
