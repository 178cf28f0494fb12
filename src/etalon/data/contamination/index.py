"""The index of benchmark items, and what it finds in a row.

items -> runs of words and how rare each is -> patterns with weights, anchors (rare runs of ANCHOR words)
row   -> no anchor in it: nothing, the common case -> items with several anchors -> `match.covered` -> Hit
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice

from etalon.data.contamination.items import Item
from etalon.data.contamination.match import RUN, Match, Pattern, Words, covered, is_inside, runs
from etalon.data.contamination.screen import ANCHOR, FEWEST_ANCHORS, Run, Screen, Sketch
from etalon.data.contamination.text import BREAK, NUMBER, masked, tokens, words

THRESHOLD = 0.7  # (ours) share of an item from which a row holds it
SHORT = 12  # (ours) words; an item of fewer has to be there whole
MOST_ITEMS, FEWEST_RARE = 8, 4  # (ours) a run in more of them is no anchor, unless an item has fewer others
ANCHOR_SHARE = 0.1  # (ours) of the anchors of an item that a row must hold before it is looked at closely
WIDE = 0.2  # (ours) of a benchmark's items share a run: an instruction
WIDEST = 0.01  # (ours) of the rows hold a run: no anchor
LEAST_SHARE = 0.3  # (ours) that a table of thresholds asks for
LITTLE = 0.3  # (ours) of what a word weighs is left to a name, which a rewriter changes first
LEAST = 0.1  # (ours) to one of a diagram, which is mostly how to draw
FEWEST_NEAR = 6  # (ours) words, not single letters, of a short item that may be near
SAMPLE = 20_000  # (ours) rows that say what is common
LEAST_WEIGHT = 3.0  # (ours) an item of nothing but common words has to be there whole, or
FEWEST_NUMBERS = 2  # (ours) with so many numbers in part, but with all of these
RELATED = 0.9  # (ours) share of an item from which a row is taken for a copy of it, when it is asked what is common
MOST_CANDIDATES = 20  # (ours) items of one row looked at closely
DRAWN = "asy"
_DIAGRAM = re.compile(r"\[asy\].*?\[/asy\]", re.I | re.S)
_INSIDE = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{2,}")


@dataclass(frozen=True, kw_only=True)
class Hit:
    """An item found in a row. share: of the item, in [0, 1]; span: the words of the row that cover it.

    is_near: the same words around other numbers, so another item.
    """

    benchmark: str
    row: str
    share: float
    span: str
    is_near: bool


@dataclass(frozen=True, kw_only=True)
class Rule:
    """All that an index is made of: small, hashable, and the same in every process. Build it with `rule`.

    common: runs of the items that unrelated rows hold, and in how many of `rows` they do.
    """

    items: tuple[Item, ...]
    threshold: float = THRESHOLD
    short: int = SHORT
    common: tuple[tuple[Run, int], ...] = ()
    rows: int = 0

    def start(self) -> Index:
        """The index, built now."""
        return Index(self)


def rule(
    items: Iterable[Item], *, threshold: float = THRESHOLD, short: int = SHORT, common: Iterable[str] = ()
) -> Rule:
    """The rule that finds items.

    Args:
        threshold: covered share of an item, in (0, 1], from which a row holds it.
        short: words; an item of fewer has to be there whole.
        common: texts of the rows that are searched, of which the first SAMPLE are read: what many of them share
            without sharing an item is boilerplate.
    """
    bare = Rule(items=tuple(items), threshold=threshold, short=short)
    index, held, rows = None, Counter[Run](), 0
    for text in islice(common, SAMPLE):
        index = index or bare.start()
        held.update(index.shared(text))
        rows += 1
    shared = tuple(sorted((run, count) for run, count in held.items() if count > 1))
    return Rule(items=bare.items, threshold=threshold, short=short, common=shared, rows=rows)


def index(
    items: Iterable[Item], *, threshold: float = THRESHOLD, short: int = SHORT, common: Iterable[str] = ()
) -> Index:
    """The index of items, in one step; for arguments see `rule`."""
    return rule(items, threshold=threshold, short=short, common=common).start()


class Index:
    """Finds items in rows. `Rule.start` builds it."""

    def __init__(self, made_of: Rule) -> None:
        self.rule = made_of
        self._rarity = _Rarity(made_of)
        self.patterns = [pattern for number in range(len(made_of.items)) for pattern in self._patterns(number)]
        self._anchors: dict[Run, tuple[int, ...]] = {}
        self._num_anchors = [0] * len(self.patterns)
        self._keys: dict[Run, tuple[int, ...]] = {}
        self._tiny: dict[Run, tuple[int, ...]] = {}
        self._place()

    # --- what is found ---------------------------------------------------------------------------------------------

    def find(self, texts: Sequence[str], *, threshold: float | None = None) -> Hit | None:
        """The item that the texts of a row hold: the one covered most, one with its own numbers before a near one.

        Args:
            texts: in the order of the row, so that a question and its options are found together.
            threshold: in place of the index's own.
        """
        text = texts[0] if len(texts) == 1 else f" {BREAK} ".join(texts)
        if not self._screen.passes(text):
            return None
        return self._best(text, words(text), threshold or self.rule.threshold)

    def shares(self, texts: Sequence[str]) -> float:
        """The greatest share of an item, its numbers the same, that the texts of a row hold; 0.0 below LEAST_SHARE."""
        hit = self.find(texts, threshold=LEAST_SHARE)
        return 0.0 if hit is None or hit.is_near else hit.share

    def _best(self, text: str, found: Sequence[str], threshold: float) -> Hit | None:
        numbers = (*self._candidates(found), *self._shorts(found))
        if not numbers:
            return None
        row_words, line = frozenset((*found, NUMBER)), f" {' '.join(found)} "
        near = [self.patterns[number] for number in numbers]
        if DRAWN in row_words:
            near = [one for one in near if not one.is_undrawn]
        candidates = [one for one in near if one.could_be(row_words, line, threshold)]
        if not candidates:
            return None
        exact = tuple(tokens(text))
        row = Words.of(exact)
        matches = [(pattern, _match(pattern, exact, row)) for pattern in candidates]
        best = max(
            ((pattern, match) for pattern, match in matches if match is not None and match.share >= threshold),
            key=lambda pair: (not pair[1].has_other_numbers, pair[1].share, pair[1].weight, -pair[0].number),
            default=None,
        )
        return None if best is None else self._hit(best[0], best[1], row)

    def _hit(self, pattern: Pattern, match: Match, row: Words) -> Hit:
        item = self.rule.items[pattern.number]
        return Hit(
            benchmark=item.benchmark,
            row=item.row,
            share=round(match.share, 4),
            span=" ".join(row.exact[match.start : match.stop]),
            is_near=match.has_other_numbers,
        )

    def _candidates(self, found: Sequence[str]) -> list[int]:
        """The patterns of which enough anchors stand in a row, the best first."""
        held = list(filter(None, map(self._anchors.get, runs(found, ANCHOR))))
        if not held or (len(held) == 1 and all(self._num_anchors[number] > 1 for number in held[0])):
            return []
        counts = Counter(chain.from_iterable(held))
        enough = [
            (count / every, number)
            for number, count in counts.items()
            if (every := self._num_anchors[number]) <= count
            or (count >= FEWEST_ANCHORS and count >= ANCHOR_SHARE * every)
        ]
        return [number for _, number in sorted(enough, reverse=True)[:MOST_CANDIDATES]]

    def _shorts(self, found: Sequence[str]) -> list[int]:
        if len(found) < RUN:
            return list(self._tiny.get(tuple(found), ()))
        return [*chain.from_iterable(filter(None, map(self._keys.get, runs(found, RUN))))]

    def shared(self, text: str) -> set[Run]:
        """The runs of items that a text holds, without those of the items that it may be a copy of."""
        found = words(text)
        held = self._rarity.known & set(runs(masked(found), RUN))
        wide = self._anchors.keys() & set(runs(found, ANCHOR))
        if not held and not wide:
            return set()
        exact = tuple(tokens(text))
        row = Words.of(exact)
        for number in {*self._candidates(found), *self._shorts(found)}:
            match = _match(self.patterns[number], exact, row)
            if match is not None and match.share >= RELATED:
                own = self.patterns[number].words
                held -= set(runs(own.masked, RUN))
                wide -= set(runs(own.exact, ANCHOR))
        return held | wide

    # --- how it is built -------------------------------------------------------------------------------------------

    def _patterns(self, number: int) -> list[Pattern]:
        """An item with its options and its diagram and, where it is long enough to be known by itself, without."""
        item = self.rule.items[number]
        spelled = tuple(tokens(item.text))
        whole = Words.of(spelled)
        if not whole.exact:
            return []
        options = tuple(found for text in item.options if (found := Words.of(tokens(text)).exact))
        weights = self._rarity.weights(item.text, whole)
        is_common, is_counted = sum(weights) < LEAST_WEIGHT, whole.masked.count(NUMBER) >= FEWEST_NUMBERS
        short = len(whole.exact) < self.rule.short or (is_common and not is_counted)
        bare = Pattern(number, spelled, whole, weights, is_whole=short, needs_numbers=is_common and not short)
        if not options:
            return [bare, *self._undrawn(number, item.text)]
        option_weight = max(1.0, sum(weights) / len(weights)) * sum(map(len, options)) * 0.5
        full = Pattern(number, spelled, whole, weights, options=options, option_weight=option_weight)
        return [full] if short else [full, bare]

    def _undrawn(self, number: int, text: str) -> list[Pattern]:
        """An item as those have it who leave its diagram out; nothing where it has none, or says little without it."""
        if not _DIAGRAM.search(text):
            return []
        shown = _DIAGRAM.sub(" ", text)
        spelled = tuple(tokens(shown))
        whole = Words.of(spelled)
        weights = self._rarity.weights(shown, whole)
        if len(whole.exact) < self.rule.short or sum(weights) < LEAST_WEIGHT:
            return []
        return [Pattern(number, spelled, whole, weights, is_undrawn=True)]

    def _text(self, pattern: Pattern) -> str:
        text = self.rule.items[pattern.number].text
        return _DIAGRAM.sub(" ", text) if pattern.is_undrawn else text

    def _place(self) -> None:
        """Fill the look-ups: anchors of long patterns, keys of short ones."""
        anchors, keys, tiny = defaultdict(list), defaultdict(list), defaultdict(list)
        for number, pattern in enumerate(self.patterns):
            own, names = pattern.words.exact, self._rarity.names(self._text(pattern))
            is_long = len(own) >= self.rule.short
            if len(own) < RUN:
                tiny[own].append(number)
            if is_long:
                rare = self._rarity.anchors(own)
                for run in rare:
                    anchors[run].append(number)
                self._num_anchors[number] = len(rare)
            if not is_long or sum(names.isdisjoint(run) for run in runs(own, ANCHOR)) < FEWEST_RARE:
                for key in self._rarity.keys(own, () if not is_long else names):
                    keys[key].append(number)
        self._anchors = {run: tuple(numbers) for run, numbers in anchors.items()}
        self._keys = {run: tuple(numbers) for run, numbers in keys.items()}
        self._tiny = {run: tuple(numbers) for run, numbers in tiny.items()}

    @cached_property
    def _screen(self) -> Screen:
        """Made for the first row that is searched: a `rule` counts what is common without one."""
        sketches: dict[tuple[str, bool], Sketch] = {}
        for pattern in self.patterns:
            text = self._text(pattern)
            is_whole = pattern.is_whole and len(pattern.words.exact) < self.rule.short
            sketches[text, is_whole] = Sketch.of(text, names=self._rarity.names(text), is_whole=is_whole)
        return Screen(list(sketches.values()))


class _Rarity:
    """How many items and unrelated rows hold a run of words, and what a word of an item weighs by that."""

    def __init__(self, made_of: Rule) -> None:
        self._held = dict(made_of.common)
        self._rows = made_of.rows
        self._runs: Counter[Run] = Counter()
        self._shapes: Counter[Run] = Counter()
        self._lower: set[str] = set()
        self._wide: set[Run] = set()
        by_benchmark: dict[str, list[Item]] = defaultdict(list)
        for item in made_of.items:
            by_benchmark[item.benchmark].append(item)
            self._lower.update(one for one in item.text.split() if one.islower())
        for items in by_benchmark.values():
            counts: Counter[Run] = Counter()
            for item in items:
                own = Words.of(tokens(item.text))
                counts.update({*runs(own.masked, RUN), *runs(own.exact, ANCHOR)})
                self._shapes.update(set(runs(own.masked, ANCHOR)))
            few = max(3, WIDE * len(items))
            self._wide.update(run for run, count in counts.items() if count >= few)
            self._runs.update(counts)
        self.known = self._runs.keys()

    def count(self, run: Run) -> int:
        """How many items and unrelated rows hold it."""
        return self._runs[run] + self._held.get(run, 0)

    def keys(self, own: Sequence[str], names: Collection[str]) -> list[Run]:
        """The runs by which an item is looked for that may share no anchor: those without numbers first, rare ones.

        names: words that none of them may have; where there are some, several runs are taken.
        """
        found = [run for run in runs(own, RUN) if not names or frozenset(names).isdisjoint(run)]
        found.sort(key=lambda run: (masked(run) != run, self.count(masked(run))))
        return found[: FEWEST_RARE if names else 1]

    def weights(self, text: str, own: Words) -> tuple[float, ...]:
        """What each word weighs: by the mean rarity of the runs it is in; names little."""
        rarity = [
            0.02 if run in self._wide else 1 / (1 + math.log2(max(1, self.count(run)))) for run in runs(own.masked, RUN)
        ]
        size = len(own.masked)
        if not rarity:
            return (1.0,) * size
        names = self.names(text)
        means = [_mean(rarity[max(0, at - RUN + 1) : at + 1]) for at in range(size)]
        drawn = _drawn(own.masked)
        return tuple(
            mean * (LEAST if is_drawn else LITTLE if word in names else 1.0)
            for mean, word, is_drawn in zip(means, own.masked, drawn, strict=True)
        )

    def names(self, text: str) -> set[str]:
        """The words with a capital inside a sentence, and those that no item has without one."""
        capital = {one for one in text.split() if one[:1].isupper() and len(one) > 2}
        inside = {word for one in _INSIDE.findall(text) for word in words(one)} - set(text.split())
        return inside | {
            word for one in capital for word in words(one) if word not in self._lower and not word[0].isdigit()
        }

    def anchors(self, own: Sequence[str]) -> list[Run]:
        """The runs of ANCHOR words that are rare whatever their numbers are; where hardly one is, the rarest ones."""
        shapes = dict(zip(runs(own, ANCHOR), runs(masked(own), ANCHOR), strict=True))
        every = sorted(shapes, key=lambda run: (self.count(run), run))
        rare = [run for run in every if self.is_rare(run, shapes[run])]
        return rare if len(rare) >= FEWEST_RARE else [*rare, *every[: FEWEST_RARE + len(every) // 4]]

    def is_rare(self, run: Run, shape: Run) -> bool:
        """Whether few items and few rows have a run of ANCHOR words, with whatever numbers; shape: it, masked."""
        return self._shapes[shape] <= MOST_ITEMS and self._held.get(run, 0) <= WIDEST * self._rows


def _drawn(found: Sequence[str]) -> Iterator[bool]:
    """Whether each word stands between the two marks of a diagram."""
    is_drawn = False
    for word in found:
        is_drawn ^= word == DRAWN
        yield is_drawn


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _match(pattern: Pattern, exact: Sequence[str], row: Words) -> Match | None:
    """A pattern in a row, in part or whole; a whole one has its operators and numbers too, or is near."""
    if not pattern.is_whole:
        return covered(pattern, row)
    is_same = is_inside(pattern.tokens, exact, ends_itself=True) >= 0
    own, there = (pattern.words.exact, row.exact) if is_same else (pattern.words.masked, row.masked)
    start = is_inside(own, there) if is_same or sum(len(word) > 1 for word in own) >= FEWEST_NEAR else -1
    if start < 0:
        return None
    return Match(share=1.0, weight=pattern.weight, start=start, stop=start + len(own), has_other_numbers=not is_same)
