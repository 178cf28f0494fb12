"""Loops: blocks in a row, templates whose numbers change from turn to turn, lines that come again.

    text -> sentences -> words, numbers masked unless the sentence computes with them -> 8-grams
    an 8-gram is stale when it occurred SEEN times before; a loop is a stretch in which most are stale

A runaway was 92% unique in blocks of 120 characters and 96% recycled in phrases, since a counter ran through them; what
told it from honest work was the novelty of 8-grams with the numbers masked. An honest enumeration is a template with
numbers, too: "n = 7: 7^2 + 7 + 41 = 97". It differs in that its numbers say something: of the numbers in one sentence
at least two change, each in its own way, and there is an operation between them, or one changes without a pattern.
Such numbers are not masked.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from etalon.data.ngrams import CJK, Ngram, ngrams
from etalon.data.traces.response import without_code

N = 8  # words in an n-gram
SEEN = 3  # (ours) a solution is stated in the thought, checked, and stated again; that is no loop
MIN_EXCESS = 150  # (ours) stale n-grams in a stretch, fresh ones taken off
MIN_WORDS = 4  # (ours) different words, no numbers or letters, in an n-gram that counts: T F T F is a table
MIN_TURNS = 4  # (ours) sentences of one template whose numbers are looked at
MASK = "#"
MARKS = " \t\r.,;:!?*_#>-"
SENTENCE_END = re.compile(r"\n+|(?<=[.!?])(?<!\d!)\s+")

ROW_N = 6  # (ours) words in an n-gram that finds blocks: one that a block has twice hides it
IN_A_ROW = ((1, 24), (3, 33))  # (ours) words of one block: how many words in a row are a loop; of longer blocks:
TURNS, ROW_WORDS = 4, 30  # (ours)
CODE_TURNS = 25  # (ours) of a line of code that follows itself
COUNTING_TURNS, COUNTING_WORDS = 25, 60  # (ours) of a block with a counter
MAX_LOOP = 256  # (ours) words in a row, of numbers and code, too

_SENTENCE = re.compile(r"[^.!?;\n。！？；]+(?:(?:[.!?;](?!\s)|(?<=\d)!)[^.!?;\n。！？；]+)*")
_WORD = re.compile(rf"[{CJK}]|(?<!\\)(?<![^\W\d_])[^\W\d_{CJK}]+|\d+(?:\.\d+)?")
_SAYS = re.compile(rf"(?![\"{{}}\[\]|]).*?(?:[^\W\d_]{{2}}|[{CJK}])")
_OPERATION = re.compile(
    r"[=+*/^<>≡×÷·→|]|(?<=\d)!|\\(?:times|cdot|equiv|frac|le|ge|mod|bmod|pmod|approx|binom)|(?<=\d) ?[-−] ?\d"
    r"|\b(?:mod|times|plus|minus|divided|equals?|gives?|squared|sum|product|remainder|is|are|has|have|leaves|ends|yields"
    r"|makes)\b"
)

Key = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """start: its place in the text. words: in lower case, numbers as they are. key: the same with numbers masked.

    has_operation: between two numbers, or so it seems. is_code: it stands in a closed fence or a drawing.
    """

    start: int
    words: Key
    key: Key
    has_operation: bool
    is_code: bool


@dataclass(frozen=True, kw_only=True)
class Loop:
    """kind: as it is counted. start: of the passage in the text."""

    kind: str
    start: int


def sentences(text: str) -> list[Sentence]:
    """The sentences and lines of a text that have words."""
    found = []
    prose = without_code(text)
    for one in _SENTENCE.finditer(text.lower()):
        words = tuple(_WORD.findall(one[0]))
        if words:
            key = tuple([MASK if word[0].isdecimal() else word for word in words])
            found.append(
                Sentence(
                    start=one.start(),
                    words=words,
                    key=key,
                    has_operation=key.count(MASK) > 1 and _OPERATION.search(one[0]) is not None,
                    is_code=not prose[one.start() : one.end()].strip(),
                )
            )
    return found


def computing(found: Sequence[Sentence]) -> set[Key]:
    """The templates whose numbers say something: two of them change in their own ways, operated on or erratic."""
    turns: defaultdict[Key, list[Sentence]] = defaultdict(list)
    for sentence in found:
        if sentence.key.count(MASK) > 1:
            turns[sentence.key].append(sentence)
    return {key for key, members in turns.items() if _computes(members)}


def _computes(members: Sequence[Sentence]) -> bool:
    if len(members) < MIN_TURNS:
        return True
    shapes = changes([sentence.words for sentence in members])
    return len(shapes) > 1 and (members[0].has_operation or any(map(_is_erratic, shapes)))


def changes(turns: Sequence[Key]) -> set[tuple[float, ...]]:
    """How the numbers of a template change from its first turn on; those that keep their distance count once."""
    places = [place for place, word in enumerate(turns[0]) if word[0].isdecimal()]
    columns = [[float(words[place]) for words in turns] for place in places]
    shapes = {tuple([value - column[0] for value in column]) for column in columns}
    return {shape for shape in shapes if any(shape)}


def _is_erratic(shape: Sequence[float]) -> bool:
    """Whether a number does not grow by the same amount each turn."""
    return len({round(later - value, 6) for value, later in pairwise(shape)}) > 1


def template_loop(found: Sequence[Sentence], *, max_share: float = 0.5, min_excess: int = MIN_EXCESS) -> Loop | None:
    """The stretch of a text in which more than max_share of the n-grams are stale, if it is long enough."""
    words, starts = _masked([sentence for sentence in found if not sentence.is_code])
    if (start := _counting(words)) is not None:
        return Loop(kind="template loop", start=starts[start])
    fresh_costs = max_share / (1 - max_share) if max_share < 1 else float("inf")
    end, excess = _stalest(words, fresh_costs)
    return Loop(kind="template loop", start=starts[max(0, end - N)]) if excess >= min_excess else None


def _masked(found: Sequence[Sentence]) -> tuple[list[str], list[int]]:
    """The words of sentences and where each sentence begins, numbers masked unless they compute."""
    is_honest = computing(found)
    words: list[str] = []
    starts: list[int] = []
    for sentence in found:
        words += sentence.words if sentence.key in is_honest else sentence.key
        starts += [sentence.start] * len(sentence.words)
    return words, starts


def _counting(words: Sequence[str]) -> int | None:
    """Where a block of words with a counter begins that follows itself again and again; None without one."""
    at = 0
    for distance, stretch in groupby(distances(words, ROW_N)):
        length = sum(1 for _ in stretch)
        start, at = at - distance, at + length
        total = length + ROW_N - 1 + distance
        if distance and total >= max(COUNTING_WORDS, COUNTING_TURNS * distance):
            block = [word for word in words[start : start + distance] if word != MASK]
            if len(block) < distance and any(map(_is_word, block)) and _is_prose(block):
                return start
    return None


def _stalest(words: Sequence[str], fresh_costs: float) -> tuple[int, float]:
    """(where it ends, its excess) of the stretch with the most stale n-grams, each fresh one taken off as its cost."""
    seen: Counter[Ngram] = Counter()
    excess = most = 0.0
    end = 0
    for position, ngram in enumerate(ngrams(words, N)):
        times = seen[ngram] = seen[ngram] + 1
        if times > SEEN and len({word for word in ngram if _is_word(word)}) >= MIN_WORDS:
            excess += 1
            if excess > most:
                most, end = excess, position
        else:
            excess = max(0.0, excess - fresh_costs)
    return end, most


def distances(sequence: Sequence[str], n: int) -> Iterator[int]:
    """For every n-gram, how many words before it the same one last began; 0 when it is new."""
    last_seen: dict[Ngram, int] = {}
    for position, ngram in enumerate(ngrams(sequence, n)):
        yield position - last_seen.get(ngram, position)
        last_seen[ngram] = position


def row_loop(found: Sequence[Sentence]) -> Loop | None:
    """A block of words that follows itself again and again: a short or a late loop; of numbers or code, a long one."""
    words = [word for sentence in found for word in sentence.words]
    owners = [sentence for sentence in found for _ in sentence.words]
    at = 0
    for distance, stretch in groupby(distances(words, ROW_N)):
        length = sum(1 for _ in stretch)
        start, at = at - distance, at + length
        total = length + ROW_N - 1 + distance
        if not distance or total < TURNS * distance:
            continue
        least = CODE_TURNS * distance if owners[start].is_code else _row_words(distance)
        if total > MAX_LOOP or (total >= least and _is_prose(words[start : start + distance])):
            return Loop(kind="loop", start=owners[start].start)
    return None


def _row_words(distance: int) -> int:
    return next((words for longest, words in IN_A_ROW if distance <= longest), ROW_WORDS)


def _is_word(word: str) -> bool:
    return (len(word) > 1 and word.isalpha()) or word > "\u3040"


def _is_prose(block: Sequence[str]) -> bool:
    """Whether at least half of it is words: (1/2)(1/2)(1/2) and H T H T are no loops."""
    return 2 * sum(map(_is_word, block)) >= len(block)


def repeated_lines(text: str) -> float:
    """The share of characters in a line or sentence that occurred twice before (case and marks at its ends aside).

    The rows of a grid and the lines of JSON come again in honest texts.
    """
    seen: Counter[str] = Counter()
    total = repeated = 0
    for line in SENTENCE_END.split(text.casefold()):
        key = line.strip(MARKS)
        total += len(key)
        if seen[key] > 1 and _SAYS.match(key):
            repeated += len(key)
        seen[key] += 1
    return repeated / total if total else 0.0
