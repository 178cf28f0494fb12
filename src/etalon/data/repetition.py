"""Gate a, first half (2.1.1 step 4): text that repeats itself. Three measures, each linear in the length of the text.

    repeated_ngrams   share of n-grams that occurred before
    longest_loop      words in the longest stretch of one block three or more times in a row
    repeated_lines    share of characters in lines or sentences that occurred before

A loop is found by distance: inside one, every n-gram last occurred exactly one block earlier. So every loop that is
found is one, but a stretch of fewer than n words more than its block is not seen, and a block that contains some
n-gram twice hides a part of its loop; the other two measures see it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from etalon.data.ngrams import Ngram, ngrams, tokens, words

MIN_REPEATS = 3  # (ours) the same block twice is a restated answer, three times in a row is a loop
MARKS = " \t\r.,;:!?*_#>-"
SENTENCE_END = re.compile(r"\n+|(?<=[.!?])\s+")


@dataclass(frozen=True, kw_only=True)
class Repetition:
    """How much a text repeats itself; shares are in [0, 1]."""

    num_words: int
    repeated_ngrams: float
    longest_loop: int
    repeated_lines: float


def measure(text: str, *, n: int = 10) -> Repetition:
    """How much a text repeats itself, with n-grams of n words."""
    sequence = words(tokens(text))
    gaps = list(distances(sequence, n))
    return Repetition(
        num_words=len(sequence),
        repeated_ngrams=sum(gap > 0 for gap in gaps) / len(gaps) if gaps else 0.0,
        longest_loop=longest_loop(gaps, n),
        repeated_lines=repeated_lines(text),
    )


def degeneration(repetition: Repetition, *, max_share: float = 0.5, max_loop: int = 256) -> str | None:
    """Why a text counts as degenerate, None when it does not. max_loop (ours) is in words."""
    if repetition.longest_loop > max_loop:
        return f"loop of more than {max_loop} words"
    if repetition.repeated_ngrams > max_share:
        return "repeated n-grams"
    if repetition.repeated_lines > max_share:
        return "repeated lines"
    return None


def distances(sequence: Sequence[str], n: int) -> Iterator[int]:
    """For every n-gram, how many words before it the same one last began; 0 when it is new."""
    last_seen: dict[Ngram, int] = {}
    for position, ngram in enumerate(ngrams(sequence, n)):
        yield position - last_seen.get(ngram, position)
        last_seen[ngram] = position


def longest_loop(gaps: Sequence[int], n: int) -> int:
    """Words in the longest stretch made of one block, repeated at least `MIN_REPEATS` times; 0 without one."""
    longest = 0
    for distance, stretch in groupby(gaps):
        if distance:
            copied = sum(1 for _ in stretch) + n - 1  # words that equal the word `distance` before them
            if copied >= (MIN_REPEATS - 1) * distance:
                longest = max(longest, copied + distance)
    return longest


def repeated_lines(text: str) -> float:
    """The share of characters in a line or sentence that occurred before (case and the marks at its ends aside)."""
    seen: set[str] = set()
    total = repeated = 0
    for line in SENTENCE_END.split(text.casefold()):
        key = line.strip(MARKS)
        total += len(key)
        if key in seen:
            repeated += len(key)
        seen.add(key)
    return repeated / total if total else 0.0
