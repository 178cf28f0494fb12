"""The first look at a row: most hold nothing of any item, and that is to cost a few look-ups (ours).

    text    ASCII: one bytes.translate, one split; anything else: `text.words` (`text.letters`)
    -> sketch: the words in lower case, without numbers and what a copy may have otherwise (`text.LOOSE`)
    -> every second run of ANCHOR and of RUN words, and every word, looked up among those of the items: mostly none is
    -> what is left is held against the items it may be: `_Held.may_be_in`

Numbers in words, LaTeX in another hand and markup leave a sketch as it is. A run tells where few items have it and its
words hardly come together by chance; a row with two such runs is looked at closely whatever else it has. Of an item
with few of them, many of its words, or some digits of its numbers, have to be there too. Of a short item all words.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain, filterfalse

from etalon.data.contamination.match import RUN, runs
from etalon.data.contamination.text import LOOSE, NUMERALS, letters, words

Run = tuple[str, ...]

ANCHOR = 6  # (ours) words of a run that makes an item a candidate
FEWEST_ANCHORS = 2  # (ours) of an item that a row must hold before it is looked at closely
MOST_RARE = 8  # (ours) items that have a run that tells
MARGIN = 8.0  # (ours) bits of a run that tells beyond those that tell all runs of the items apart
LETTER = 1.0  # (ours) bits of one letter at most: those of a formula are few, and come again
FEWEST_TELLING = 2  # (ours) runs that tell among those of an item that are looked up: with fewer, others are too
FEWEST_NAMELESS = 2  # (ours) runs of an item without a name: with fewer, it is looked for by runs of RUN words too
MOST_KEYS = 4  # (ours) runs by which one item is looked for that has few that tell
SOME, MOST = 0.4, 0.9  # (ours) of the words of such an item: with some of its digits, and without
DIGITS = 5  # (ours) of the numbers of an item that hardly stand together by chance
_NO_DIGITS = bytes(set(range(256)) - set(b"0123456789"))


def sketch(text: str) -> list[str]:
    """The words of a text that no copy has otherwise, in order."""
    return list(filterfalse(LOOSE.__contains__, letters(text)))


def digits(text: str) -> str:
    """The digits of all numbers of a text in one string."""
    if text.isascii():
        return text.encode("ascii").translate(None, _NO_DIGITS).decode("ascii")
    return "".join(filter(str.isdigit, "".join(words(text))))


@dataclass(frozen=True, kw_only=True, eq=False)
class Sketch:
    """An item as the screen looks for it. words: its sketch; names: words by which it is not looked for alone.

    digits: of all its numbers. is_whole: it is short, so that a row has all of it.
    """

    words: tuple[str, ...]
    digits: str
    names: frozenset[str]
    is_whole: bool

    @classmethod
    def of(cls, text: str, *, names: Collection[str], is_whole: bool) -> Sketch:
        """From the text of an item."""
        return cls(words=tuple(sketch(text)), digits=digits(text), names=frozenset(names), is_whole=is_whole)


class _Held:
    """What a row needs of an item, so that it is looked at closely: what costs little to ask."""

    __slots__ = ("_distinct", "_fewest", "_line", "_many", "_some_digits", "_tells", "num_anchors", "whole_digits")

    def __init__(self, item: Sketch, told: _Told) -> None:
        self.num_anchors = len(set(runs(item.words, ANCHOR)))
        self._line = f" {' '.join(item.words)} " if item.is_whole else ""
        self._distinct = frozenset(item.words) - item.names
        self._fewest, self._many = SOME * len(self._distinct), MOST * len(self._distinct)
        self._tells = sum(map(told.word, self._distinct)) >= told.enough
        self.whole_digits = item.digits if item.is_whole and len(item.words) <= RUN else ""
        starts = range(max(1, len(item.digits) - DIGITS + 1))
        self._some_digits = tuple({item.digits[at : at + DIGITS] for at in starts})

    def may_be_in(self, row: _Row) -> bool:
        """Whether a row may hold it: all words of a short one in order, or many of those of another.

        Where these are not most of them, or say little, some of its numbers have to be there too.
        """
        if self._line:
            return self._line in row.line() and self.whole_digits in row.digits()
        if not self._tells and not self._shares_digits(row):
            return False
        held = len(self._distinct & row.words())
        return held >= self._fewest and (not self._tells or held >= self._many or self._shares_digits(row))

    def _shares_digits(self, row: _Row) -> bool:
        numbers = row.digits()
        for part in self._some_digits:  # noqa: SIM110  a generator costs more than the search
            if part in numbers:
                return True
        return False


class _Row:
    """A row as it is held against items one by one; what not every item asks for is made when one does."""

    __slots__ = ("_digits", "_line", "_spelled", "_text", "_words", "found")

    def __init__(self, text: str, spelled: Sequence[str], found: Sequence[str]) -> None:
        self.found = found
        self._text, self._spelled = text, spelled
        self._digits = self._line = ""
        self._words: frozenset[str] = frozenset()

    def line(self) -> str:
        """The words of its sketch between spaces."""
        self._line = self._line or f" {' '.join(self.found)} "
        return self._line

    def words(self) -> frozenset[str]:
        """The words of its sketch."""
        self._words = self._words or frozenset(self.found)
        return self._words

    def digits(self) -> str:
        """Those of its numbers as they are written and, where some are in words, of all again."""
        if not self._digits:
            self._digits = digits(self._text) + " "
            if len(self._spelled) > len(self.found) and not NUMERALS.isdisjoint(self._spelled):
                self._digits += "".join(filter(str.isdigit, "".join(words(self._text))))
        return self._digits


class Screen:
    """What the items look like in sketches."""

    def __init__(self, items: Sequence[Sketch]) -> None:
        self._told = _Told(items)
        self._telling: set[Run] = set()
        self._others: dict[Run, list[_Held]] = defaultdict(list)
        self._keys: dict[Run, list[_Held]] = defaultdict(list)
        self._tiny: dict[str, list[_Held]] = defaultdict(list)
        for item in items:
            self._add(item, _Held(item, self._told))
        self._anchors = frozenset({*self._telling, *self._others})
        self._key_runs, self._tiny_words = frozenset(self._keys), frozenset(self._tiny)

    def _add(self, item: Sketch, held: _Held) -> None:
        if len(item.words) <= RUN:
            self._tiny[max(item.words, key=self._told.word, default="")].append(held)
            return
        every = set(runs(item.words, ANCHOR))
        if item.is_whole or len(item.words) <= ANCHOR or sum(map(item.names.isdisjoint, every)) < FEWEST_NAMELESS:
            for key in self._keys_of(item):
                self._keys[key].append(held)
        if not item.is_whole:
            telling = set(filter(self._told.is_telling, every))
            self._telling |= telling
            if _fewest(item, telling) < FEWEST_TELLING:
                for run in self._others_of(item) - telling:
                    self._others[run].append(held)

    def _others_of(self, item: Sketch) -> set[Run]:
        """The runs that tell most, of those at even places and of those at odd ones: a row has either looked up."""
        every = list(runs(item.words, ANCHOR))
        chosen: set[Run] = set()
        for places in (every[::2], every[1::2]):
            best = sorted(set(places), key=self._told.bits, reverse=True)
            rare = list(filter(self._told.is_rare, best))
            chosen.update(rare[:MOST_KEYS] if len(rare) >= FEWEST_TELLING else [*rare, *best])
        return chosen

    def _keys_of(self, item: Sketch) -> set[Run]:
        """Neighbouring runs in pairs, for every second run of a row is looked up."""
        pairs = list(runs(list(runs(item.words, RUN)), 2))
        if not item.is_whole:
            pairs = [pair for pair in pairs if item.names.isdisjoint(chain(*pair))]
        pairs.sort(key=lambda pair: min(map(self._told.bits, pair)), reverse=True)
        return set(chain.from_iterable(pairs[: 1 if item.is_whole else MOST_KEYS]))

    def passes(self, text: str) -> bool:
        """Whether a row with this text may hold an item."""
        spelled = letters(text)
        found = list(filterfalse(LOOSE.__contains__, spelled))
        even, odd = found[::2], found[1::2]
        third = even[1:]
        anchors = self._anchors.intersection(zip(even, odd, third, odd[1:], third[1:], odd[2:], strict=False))
        keys = self._key_runs.intersection(zip(even, odd, third, strict=False))
        tiny = self._tiny_words.intersection(found)
        if not (anchors or keys or tiny or "" in self._tiny):
            return False
        row = _Row(text, spelled, found)
        if anchors and self._holds_anchors(row, anchors):
            return True
        for key in keys:
            for item in self._keys[key]:
                if item.may_be_in(row):
                    return True
        numbers = row.digits()
        for word in (*tiny, ""):
            for item in self._tiny.get(word, ()):
                if item.whole_digits in numbers and item.may_be_in(row):
                    return True
        return False

    def _holds_anchors(self, row: _Row, held: frozenset[Run]) -> bool:
        """Whether a row may hold one of the items of these anchors, of which it has two."""
        if not self._telling.isdisjoint(held):
            held = frozenset(runs(row.found, ANCHOR))
            if len(self._telling & held) >= FEWEST_ANCHORS:
                return True
        near = set(chain.from_iterable([self._others[run] for run in held if run in self._others]))
        counts: Counter[_Held] | None = None
        for item in near:
            if item.may_be_in(row):
                counts = counts or self._counts(row)
                if counts[item] >= min(FEWEST_ANCHORS, item.num_anchors):
                    return True
        return False

    def _counts(self, row: _Row) -> Counter[_Held]:
        """How many anchors of each item stand in a row, those of which nobody knows the item counted for all."""
        every = set(runs(row.found, ANCHOR))
        counts = Counter(chain.from_iterable([self._others[run] for run in every if run in self._others]))
        telling = len(self._telling & every)
        return Counter({item: count + telling for item, count in counts.items()})


def _fewest(item: Sketch, chosen: set[Run]) -> int:
    """How many of these runs a row looks up that holds the item, where every second is looked up."""
    is_chosen = [run in chosen for run in runs(item.words, ANCHOR)]
    return min(sum(is_chosen[::2]), sum(is_chosen[1::2]))


class _Told:
    """How much words and runs of them tell, in bits: by how many items have them."""

    def __init__(self, items: Sequence[Sketch]) -> None:
        counts = Counter(word for item in items for word in set(item.words))
        self._bits = {
            word: min(math.log2((len(items) + 1) / count), LETTER if len(word) == 1 else math.inf)
            for word, count in counts.items()
        }
        self._runs = Counter(run for item in items for run in set(runs(item.words, ANCHOR)))
        self.enough = math.log2(1 + sum(len(item.words) for item in items)) + MARGIN
        self.word = self._bits.__getitem__

    def bits(self, run: Run) -> float:
        """What its words tell."""
        return sum(map(self.word, run))

    def is_telling(self, run: Run) -> bool:
        """Whether few items have it, and its words hardly come together by chance."""
        return self.is_rare(run) and self.bits(run) >= self.enough

    def is_rare(self, run: Run) -> bool:
        """Whether few items have it."""
        return self._runs[run] <= MOST_RARE
