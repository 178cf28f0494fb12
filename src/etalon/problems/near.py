"""Near copies among texts: the same words around other numbers, or nearly the same words (ours).

    text -> tokens, without the instruction that many texts share; where words are left every number is the same
         -> shingles: SHINGLE words in a row; near copies share NEAR of them, and copies of copies are copies

Up to MOST_COMPARED texts every pair that may be near is compared. Of more texts MinHash (rensa) says which to compare;
from when on two are near is the same. The order of the texts does not matter.
"""

from __future__ import annotations

import math
import random
import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from etalon.errors import InputError

SHINGLE = 3  # (ours) words in a row
NEAR = 0.7  # (ours) shared share of the shingles of two texts from which one is a near copy of the other
FEWEST_WORDS = 8  # (ours) a shorter text is a near copy of nothing but its own words and numbers
# (ours) words that begin or end more than this share of the texts of a domain, and no fewer of them, are an instruction
COMMON, FEWEST_TEXTS = 0.3, 5
SAMPLE = 5000  # (ours) texts that instructions are looked for in
MOST_REMEMBERED = 200  # (ours) texts with one shingle, or band, that each is compared with: the rest are one template
MOST_COMPARED = 50_000  # (ours) texts without MinHash: 10 s, 0.5 GB
# (ours) of two texts at NEAR 99.0% share a band, of two that share 0.3 of their shingles 6%
BANDS, BAND = 25, 5
BATCH = 2000
FULL = 2**64 - 1
Tokens = tuple[str, ...]
Trie = dict[str, Any]  # token -> what may follow
CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"  # written without spaces: every character counts as a word
TOKEN = re.compile(rf"[{CJK}]|[^\W\d_{CJK}]+|\d+(?:[.,]\d+)*|[^\w\s]")


class Leaders:
    """Numbers 0 to count - 1 in groups, each led by one of its members (union-find)."""

    def __init__(self, count: int) -> None:
        self._leader = array("I", range(count))

    def of(self, index: int) -> int:
        """The leader of a number's group."""
        leader = self._leader
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    def join(self, one: int, other: int) -> None:
        """Make one group of two."""
        self._leader[self.of(one)] = self.of(other)


def near(texts: Sequence[str], *, most_compared: int = MOST_COMPARED) -> list[str]:
    """A number for each text, as a string; near copies, and copies of those, have the same.

    Raises InputError where there are more than `most_compared` different texts and rensa is not installed.
    """
    distinct = sorted(set(texts))
    leaders = Leaders(len(distinct))
    join = _join_sharing if len(distinct) <= most_compared else _join_hashed
    join(distinct, leaders)
    place = {text: number for number, text in enumerate(distinct)}
    return [str(leaders.of(place[text])) for text in texts]


@dataclass(frozen=True, kw_only=True)
class Shingled:
    """Hashed shingles: of the n-th text, whose index is indices[n], hashes[starts[n] : starts[n + 1]]."""

    indices: array[int]
    starts: array[int]
    hashes: array[int]

    def of(self, number: int) -> frozenset[int]:
        """The shingles of a text."""
        return frozenset(self.hashes[self.starts[number] : self.starts[number + 1]])

    def are_near(self, one: int, other: int) -> bool:
        """Whether two texts share enough of their shingles."""
        a, b = self.of(one), self.of(other)
        return len(a & b) >= NEAR * len(a | b)


def _shingled(texts: Sequence[str], leaders: Leaders, hashed: Callable[[list[list[str]]], list[list[int]]]) -> Shingled:
    """The shingles of each text that has enough words, once for all texts that differ in numbers alone: these join."""
    found = Shingled(indices=array("I"), starts=array("Q", [0]), hashes=array("Q"))
    worded = _worded(texts, leaders)
    while batch := list(islice(worded, BATCH)):
        shingles = [
            list({" ".join(tokens[at : at + SHINGLE]) for at in range(len(tokens) - SHINGLE + 1)})
            for _, tokens in batch
        ]
        for (index, _), own in zip(batch, hashed(shingles), strict=True):
            found.indices.append(index)
            found.hashes.extend(own)
            found.starts.append(len(found.hashes))
    return found


def _worded(texts: Sequence[str], leaders: Leaders) -> Iterator[tuple[int, Tokens]]:
    first: dict[int, int] = {}
    for index, tokens in enumerate(_own_words(texts)):
        earlier = first.setdefault(hash(tokens), index)
        if earlier != index:
            leaders.join(index, earlier)
        elif _num_words(tokens) >= FEWEST_WORDS:
            yield index, tokens


def _join_sharing(texts: Sequence[str], leaders: Leaders) -> None:
    """Compare all texts that may be near: two that share NEAR of their shingles share one of the rarest 1 - NEAR."""
    shingled = _shingled(texts, leaders, lambda sets: [[hash(one) & FULL for one in own] for own in sets])
    counts = Counter(shingled.hashes)
    holders: dict[int, list[int]] = defaultdict(list)
    for number in range(len(shingled.indices)):
        rarest = sorted(shingled.of(number), key=lambda one: (counts[one], one))
        rarest = rarest[: len(rarest) - math.ceil(NEAR * len(rarest)) + 1]
        for other in sorted({other for one in rarest for other in holders[one]}):
            _compare(shingled, leaders, number, other)
        for one in rarest:
            if len(holders[one]) < MOST_REMEMBERED:
                holders[one].append(number)


def _join_hashed(texts: Sequence[str], leaders: Leaders) -> None:
    """Compare the texts that share a band of their MinHash sketches."""
    try:
        from rensa import RMinHash
    except ImportError:
        raise InputError(
            "near copies among so many texts: need rensa, which is not installed: pip install 'etalon[data]'"
        ) from None
    shingled = _shingled(texts, leaders, RMinHash.hash_token_sets)
    sketches = array("I")
    for start in range(0, len(shingled.indices), BATCH):
        part = [list(shingled.of(n)) for n in range(start, min(start + BATCH, len(shingled.indices)))]
        for row in RMinHash.digest_matrix_from_token_hash_sets(part, BANDS * BAND, 0).to_rows():
            sketches.extend(row)
    for band in range(BANDS):
        alike: dict[bytes, list[int]] = defaultdict(list)
        for number in range(len(shingled.indices)):
            start = (number * BANDS + band) * BAND
            members = alike[sketches[start : start + BAND].tobytes()]
            for other in members:
                _compare(shingled, leaders, number, other)
            if len(members) < MOST_REMEMBERED:
                members.append(number)


def _compare(shingled: Shingled, leaders: Leaders, one: int, other: int) -> None:
    a, b = shingled.indices[one], shingled.indices[other]
    if leaders.of(a) != leaders.of(b) and shingled.are_near(one, other):
        leaders.join(a, b)


def _num_words(tokens: Tokens) -> int:
    return sum(token.isalpha() for token in tokens)


def _own_words(texts: Sequence[str]) -> Iterator[Tokens]:
    """The tokens of each text without the instructions to all; where words are left, every number is the same."""
    sample = texts if len(texts) <= SAMPLE else random.Random(0).sample(texts, SAMPLE)
    masked = [_masked(_tokens(text)) for text in sample]
    starts, ends = _common_starts(masked), _common_starts([tokens[::-1] for tokens in masked])
    del masked
    for text in texts:
        tokens = _tokens(text)
        same = _masked(tokens)
        before, after = _length_in(starts, same), _length_in(ends, same[::-1])
        is_one_template = before + after >= len(tokens)  # an instruction, and nothing that it is about
        begin, stop = (0, len(tokens)) if is_one_template else (before, len(tokens) - after)
        own = tokens[begin:stop]
        if _num_words(own) < FEWEST_WORDS:
            yield own
        else:
            yield tuple(token for token in same[begin:stop] if token[0].isalnum())


def _tokens(text: str) -> Tokens:
    return tuple(TOKEN.findall(text.casefold()))


def _masked(tokens: Tokens) -> Tokens:
    return tuple("0" if token[0].isdecimal() else token for token in tokens)


def _common_starts(texts: Sequence[Tokens]) -> Trie:
    """What more than a COMMON share of all texts begin with."""
    few = max(FEWEST_TEXTS, COMMON * len(texts))
    trie: Trie = {}
    groups: list[tuple[int, Sequence[Tokens], Trie]] = [(0, texts, trie)]
    while groups:
        depth, group, node = groups.pop()
        by_next: dict[str, list[Tokens]] = defaultdict(list)
        for tokens in group:
            if depth < len(tokens):
                by_next[tokens[depth]].append(tokens)
        for token, members in by_next.items():
            if len(members) >= few:
                node[token] = {}
                groups.append((depth + 1, members, node[token]))
    return trie


def _length_in(trie: Trie, tokens: Tokens) -> int:
    """How many tokens a text begins with that a trie holds."""
    for length, token in enumerate(tokens):
        if token not in trie:
            return length
        trie = trie[token]
    return len(tokens)
