"""What an import has seen: exact copies, problems and ids, in some 16 bytes each, whatever the size of the rows.

    record -> key of its problem, key of problem and traces, key of its id -> Seen.add -> copy? new problem? id taken?

A key is 64 bits of a hash: among ten million rows two that differ have one key with a chance of 1 in 400,000.
"""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import dataclass, replace

from etalon.data.records import Record
from etalon.problems.given.traces import GivenTrace
from etalon.problems.rows import content_id, problem_to_row
from etalon.store import to_json

FIRST_SIZE = 1 << 12
FULLEST = 0.6  # (ours) share of the slots in use before there are twice as many


class Keys:
    """A set of 64-bit numbers other than 0: an open table of machine words, a tenth of what a set of ints takes."""

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * FIRST_SIZE))
        self._mask = FIRST_SIZE - 1
        self._used = 0

    def __len__(self) -> int:
        return self._used

    def __contains__(self, key: int) -> bool:
        return bool(self._slots[self._place(key)])

    def add(self, key: int) -> bool:
        """Whether the key is new."""
        place = self._place(key)
        if self._slots[place]:
            return False
        self._slots[place] = key
        self._used += 1
        if self._used > FULLEST * len(self._slots):
            self._grow()
        return True

    def _place(self, key: int) -> int:
        slots, mask = self._slots, self._mask
        place = key & mask
        while slots[place] and slots[place] != key:
            place = (place + 1) & mask
        return place

    def _grow(self) -> None:
        old = self._slots
        self._slots = array("Q", bytes(16 * len(old)))
        self._mask = len(self._slots) - 1
        for key in old:
            if key:
                self._slots[self._place(key)] = key


@dataclass(frozen=True, kw_only=True)
class News:
    """What is new in a record. is_copy: it came before, problem and traces. is_taken: its id names another problem."""

    is_copy: bool
    is_problem: bool
    is_taken: bool


class Seen:
    """The records so far, as keys."""

    def __init__(self) -> None:
        self._keys = Keys()

    def add(self, record: Record) -> News:
        """One record more; a copy leaves no mark."""
        row = problem_to_row(record.problem)
        id_ = row.pop("id")
        content = to_json(row)
        problem = hashlib.blake2b(content, digest_size=16).digest()
        alone, any_ = _key(b"alone", problem), _key(b"problem", problem)  # most rows without traces leave one key only
        is_problem = alone not in self._keys and any_ not in self._keys
        traces = [part for trace in record.traces for part in _parts(trace)]
        if not self._keys.add(_key(b"row", problem, *traces) if traces else alone):
            return News(is_copy=True, is_problem=False, is_taken=False)
        if traces:
            self._keys.add(any_)
        is_taken = id_ != content_id(record.problem) and self._is_taken(id_, problem)
        return News(is_copy=False, is_problem=is_problem, is_taken=is_taken)

    def _is_taken(self, id_: str, problem: bytes) -> bool:
        """Whether an id that a file states belongs to another problem; it belongs to the first it came with."""
        name = _bytes(id_)
        owner = _key(b"owner", name, problem)
        if self._keys.add(_key(b"id", name)):
            self._keys.add(owner)
        return owner not in self._keys


def _parts(trace: GivenTrace) -> tuple[bytes, bytes]:
    """What makes two traces one: all that is said of them, and the text (which is not escaped for this: it is long)."""
    return repr(replace(trace, response="")).encode("ascii", "backslashreplace"), _bytes(trace.response)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _key(*parts: bytes) -> int:
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return int.from_bytes(digest.digest(), "little") or 1
