"""How much of an item a row covers: words on common diagonals, weighted by rarity, in one window of the row (ours).

    item words i, row words p -> runs of RUN equal words -> diagonals p - i -> the window that holds most of them
    -> words covered (equal, and two of the four around) -> share of the item's weight; numbers compared

Other names, or one other word, leave the diagonal as it is, so that only these words are lost.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress, count
from operator import eq
from typing import TypeVar

from etalon.data.contamination.text import NAMED, NUMBER, OPERATORS, masked

Word = TypeVar("Word")
RUN = 3  # (ours) words in a row that begin a match
CERTAIN = 0.9  # (ours) an item covered less, that has
FEWEST_NUMBERS = 2  # (ours) numbers, shows one of them, or is not there
FEWEST_VOTES = 2  # (ours) runs on a diagonal: one alone is chance
MOST_DIAGONALS = 60  # (ours) looked at, those with most runs first
FEWEST_RUNS = 0.15  # (ours) of the runs of an item: with fewer, no share worth a word is covered
_FORMULA_GOES_ON = "+-/"
_IN_FORMULAS = frozenset(
    NAMED + "sin cos tan cot sec csc log exp lim max min gcd lcm mod frac binom".split()  # noqa: SIM905
)
SLACK = 20  # (ours) words of a window beyond 1.5 times those of the item
_ANY_NUMBER = r"[\d.]+(?: (?:and )?[\d.]+)*+"
_AT_THE_ENDS = re.compile(rf"^(?: (?:{NUMBER}|and)(?= ))* | (?:(?:{NUMBER}|and) )*$")
_NUMBERS = re.compile(rf"(?<= ){NUMBER}(?:(?: and)? {NUMBER})*(?= )")


@dataclass(frozen=True, kw_only=True)
class Words:
    """A text in two spellings of the same length: with its numbers, and with NUMBER for each of them."""

    exact: tuple[str, ...]
    masked: tuple[str, ...]

    @classmethod
    def of(cls, tokens: Sequence[str]) -> Words:
        """The words and numbers among tokens."""
        exact = tuple(token for token in tokens if token not in OPERATORS)
        return cls(exact=exact, masked=masked(exact))


@dataclass(frozen=True)
class Pattern:
    """An item as it is looked for. tokens: operators included. weights: of its words, in [0, 1].

    options: the words of each, covered wherever they stand whole.
    """

    number: int  # of the item
    tokens: tuple[str, ...]
    words: Words
    weights: tuple[float, ...]
    options: tuple[tuple[str, ...], ...] = ()
    option_weight: float = 0.0
    is_whole: bool = False  # too short to be covered in part
    is_undrawn: bool = False  # without its diagram, so that another one in a row is no copy
    needs_numbers: bool = False  # its words are those of many items: its numbers, all of them, tell it from these

    @cached_property
    def runs(self) -> Mapping[tuple[str, ...], list[int]]:
        """Where each run of RUN words stands."""
        found: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for place, run in enumerate(runs(self.words.masked, RUN)):
            found[run].append(place)
        return found

    @cached_property
    def numbers(self) -> int:
        """A mask with a byte per word: where its numbers stand."""
        return int.from_bytes(bytes(word == NUMBER for word in self.words.masked), "little")

    @cached_property
    def shape(self) -> re.Pattern[str]:
        """Its words in a line, with any numbers for its own, of one word or several."""
        line = _AT_THE_ENDS.sub("", f" {' '.join(self.words.masked)} ")
        return re.compile(_NUMBERS.sub(lambda _: _ANY_NUMBER, f" {line} "))

    def could_be(self, row: frozenset[str], line: str, threshold: float) -> bool:
        """Whether a row with these words could cover enough of it: a bound that costs little.

        row: its words, and NUMBER; line: the same in order, between spaces. Options are taken to be there.
        """
        if self.is_whole:
            return not self.shape.pattern.strip() or self.shape.search(line) is not None
        held = sum(compress(self.weights, map(row.__contains__, self.words.masked)))
        return held + self.option_weight >= threshold * self.weight

    @cached_property
    def weight(self) -> float:
        """Of all of it."""
        return sum(self.weights) + self.option_weight


@dataclass(frozen=True, kw_only=True)
class Match:
    """What of a pattern a row covers. share: in [0, 1]; weight: the same, not divided; start, stop: row words."""

    share: float
    weight: float
    start: int
    stop: int
    has_other_numbers: bool


def runs(sequence: Sequence[Word], n: int) -> zip[tuple[Word, ...]]:
    """All runs of n neighbours, in order."""
    return zip(*(sequence[start:] for start in range(n)), strict=False)


def covered(pattern: Pattern, row: Words) -> Match | None:
    """The best window of a row for a pattern; None where they share no run of words."""
    own = pattern.words.exact
    if not pattern.options and (start := is_inside(own, row.exact)) >= 0:
        weight = pattern.weight
        return Match(share=1.0, weight=weight, start=start, stop=start + len(own), has_other_numbers=False)
    get = pattern.runs.get
    seeds = [(place, at) for place, run in enumerate(runs(row.masked, RUN)) if (at := get(run)) is not None]
    if not seeds:
        return None
    start, stop = _window(pattern, seeds)
    inside = [(place, at) for place, at in seeds if start <= place < stop]
    if len({at[0] for _, at in inside}) < FEWEST_RUNS * len(pattern.runs):
        return None
    votes = Counter([place - own for place, at in inside for own in at]).most_common(MOST_DIAGONALS)
    found = _Cover(pattern, row)
    for diagonal, number in votes:
        if number >= FEWEST_VOTES:
            found.add(diagonal, start, stop, is_strong=2 * number >= votes[0][1])
    return found.match(start, stop)


def _window(pattern: Pattern, seeds: Sequence[tuple[int, Sequence[int]]]) -> tuple[int, int]:
    """The stretch of the row, 1.5 times the item and SLACK long, with the most different runs of the item."""
    total = len(pattern.words.masked) + sum(map(len, pattern.options))
    length = total + total // 2 + SLACK
    places = [place for place, _ in seeds]
    if places[-1] - places[0] < length:
        return max(0, places[0] - SLACK), places[-1] + length
    inside: Counter[int] = Counter()
    best, start, first = 0, 0, 0
    for place, at in seeds:
        inside[at[0]] += 1
        while places[first] <= place - length:
            own = seeds[first][1][0]
            inside[own] -= 1
            if not inside[own]:
                del inside[own]
            first += 1
        if len(inside) > best:
            best, start = len(inside), places[first]
    return max(0, start - RUN), start + length


class _Cover:
    """Marks the words of a pattern that a row covers, diagonal by diagonal. A mask has a byte per word, 1 or 0."""

    def __init__(self, pattern: Pattern, row: Words) -> None:
        self.pattern, self.row = pattern, row
        self.covered = 0
        self.same: set[int] = set()
        self.used: set[int] = set()  # row words that are the item's numbers
        self.other: dict[int, str] = {}
        self.places: list[int] = []

    def add(self, diagonal: int, start: int, stop: int, *, is_strong: bool) -> None:
        """Mark what is equal where row word = item word + diagonal, inside [start, stop).

        is_strong: the diagonal holds much of the item, so that its numbers are the item's, if they are equal.
        """
        own, row = self.pattern.words, self.row
        first, last = max(0, start - diagonal), min(len(own.masked), min(stop, len(row.masked)) - diagonal)
        equal = bytes(map(eq, own.masked[first:last], row.masked[first + diagonal : last + diagonal]))
        found = _with_neighbours(int.from_bytes(equal, "little")) << 8 * first
        for at in _places(found & self.pattern.numbers & (-1 if is_strong else ~self.covered)):
            if own.exact[at] == row.exact[at + diagonal]:
                self.same.add(at)
                self.used.add(at + diagonal)
            elif at + diagonal not in self.used:
                self.other.setdefault(at, row.exact[at + diagonal])
        if new := found & ~self.covered:
            self.covered |= new
            self.places += [(new & -new).bit_length() // 8 + diagonal, new.bit_length() // 8 + diagonal]

    def match(self, start: int, stop: int) -> Match | None:
        pattern, has_other_numbers = self.pattern, self._has_other_numbers()
        if not self.places:
            return None
        if pattern.needs_numbers and not has_other_numbers and len(self.same) < pattern.words.masked.count(NUMBER):
            return None
        weight = sum(map(pattern.weights.__getitem__, _places(self.covered)))
        if weight < CERTAIN * pattern.weight and not has_other_numbers and self._shows_no_number():
            return None
        if pattern.options:
            weight += pattern.option_weight * self._options(max(0, start - SLACK), stop)
        return Match(
            share=weight / pattern.weight if pattern.weight else 0.0,
            weight=weight,
            start=min(self.places),
            stop=max(self.places) + 1,
            has_other_numbers=has_other_numbers,
        )

    def _shows_no_number(self) -> bool:
        return not self.same and self.pattern.words.masked.count(NUMBER) >= FEWEST_NUMBERS

    def _options(self, start: int, stop: int) -> float:
        """The share of the options that stand whole in the window."""
        text = f" {' '.join(self.row.exact[start:stop])} "
        return sum(f" {' '.join(one)} " in text for one in self.pattern.options) / len(self.pattern.options)

    def _has_other_numbers(self) -> bool:
        """Numbers stand where the item has other ones, and they are not the item's in another order."""
        others = {at: found for at, found in self.other.items() if at not in self.same}
        if not others:
            return False
        own, inside = self.pattern.words.exact, self.row.exact[min(self.places) : max(self.places) + 1]
        return Counter(own[at] for at in others) != Counter(others.values()) and _numbers(own) != _numbers(inside)


def _numbers(found: Iterable[str]) -> Counter[str]:
    return Counter(word for word in found if word[0].isdigit())


def _with_neighbours(equal: int) -> int:
    """The places of a mask that are set as two or more of the four are that stand up to two away."""
    before, second_before, after, second_after = equal << 8, equal << 16, equal >> 8, equal >> 16
    both = (before & second_before) | (after & second_after)
    return equal & (both | ((before | second_before) & (after | second_after)))


def _places(mask: int) -> Iterable[int]:
    """Where a mask is set."""
    return compress(count(), mask.to_bytes((mask.bit_length() + 7) // 8, "little"))


def is_inside(pattern: Sequence[str], row: Sequence[str], *, ends_itself: bool = False) -> int:
    """Where a sequence stands whole in another, -1 where it does not.

    ends_itself: it is not part of a longer formula, as 7-7+7 is of 2*7-7+7, and "compute 3+4" of "compute 3+4+5".
    """
    size, first, own = len(pattern), pattern[0], tuple(pattern)
    goes_on = _FORMULA_GOES_ON if any(word.isalpha() for word in own) else OPERATORS
    at = -1
    for _ in range(row.count(first)):
        at = row.index(first, at + 1)
        if tuple(row[at : at + size]) != own:
            continue
        if not ends_itself or not any(
            one in goes_on or (goes_on is OPERATORS and one[0].isdecimal()) for one in _beside(row, at, at + size)
        ):
            return at
    return -1


def _beside(row: Sequence[str], start: int, stop: int) -> Iterator[str]:
    """The words on either side of a stretch, without a dash: the sign of a list, "- find", or one that ends it."""
    before, after, then = row[max(0, start - 1) : start], row[stop : stop + 1], row[stop + 1 : stop + 2]
    if not _is_prose(row[start : start + 1]):
        yield from before
    if then and not _is_prose(then):
        yield from after


def _is_prose(word: Sequence[str]) -> bool:
    """Whether a sign in front of it is none of a formula."""
    return bool(word) and len(word[0]) > 2 and word[0].isalpha() and word[0] not in _IN_FORMULAS
