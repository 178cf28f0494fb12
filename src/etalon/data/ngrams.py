"""Text as the gates compare it: tokens without case and punctuation, and the word n-grams in them.

    text -> tokens (words, numbers, operators) -> cut(boilerplate) -> segments -> words -> n-grams

The 1.5B report removes punctuation and matches 10-grams of words. Operators are kept as tokens of their own (ours),
so that texts compared whole keep 3+4 and 3-4 apart; n-grams are made of words and numbers only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

Ngram = tuple[str, ...]

OPERATORS = (("−", "-"), ("–", "-"), ("×", "*"), ("⋅", "*"), ("·", "*"), ("÷", "/"))
APOSTROPHES = (("'", ""), ("’", ""))  # let's, farmers'
THOUSANDS = re.compile(r",(?<=\d,)(?=\d{3}(?!\d))")  # 1,000
CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"  # written without spaces: every character counts as a word
TOKEN = re.compile(
    rf"[^\W\d_{CJK}]+\d*"  # x2, step1
    r"|\d+(?:\.\d+)?"
    rf"|[{CJK}]"
    r"|(?<=[\d)])!"  # a factorial, not an exclamation
    r"|(?<![^\W\d_]{2})-|-(?![^\W\d_]{2})"  # a minus, not the hyphen of well-known
    r"|[+*/^=<>%()|≤≥≠±√]"
)


def tokens(text: str) -> list[str]:
    """Words, numbers and operators of a text, in lower case; all other punctuation is dropped."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    for written, meant in OPERATORS + APOSTROPHES:
        plain = plain.replace(written, meant)
    return TOKEN.findall(THOUSANDS.sub("", plain))


def normalise(text: str) -> str:
    """The text without case, punctuation and differences of white space: equal for two copies of one query."""
    return " ".join(tokens(text))


def words(found: Iterable[str]) -> list[str]:
    """The words and numbers among tokens."""
    return [token for token in found if token[0].isalnum()]


def ngrams(sequence: Sequence[str], n: int) -> Iterator[Ngram]:
    """All runs of n neighbours, in order; none when the sequence is shorter."""
    return zip(*(sequence[start:] for start in range(n)), strict=False)


def cut(sequence: Sequence[str], phrases: Sequence[Ngram]) -> list[list[str]]:
    """What is left of a sequence, in pieces, when every occurrence of the phrases is cut out."""
    by_first: dict[str, list[Ngram]] = {}
    for phrase in sorted(filter(None, phrases), key=len, reverse=True):
        by_first.setdefault(phrase[0], []).append(phrase)
    segments: list[list[str]] = [[]]
    position = 0
    while position < len(sequence):
        candidates = by_first.get(sequence[position], ())
        match = next((p for p in candidates if tuple(sequence[position : position + len(p)]) == p), None)
        if match is None:
            segments[-1].append(sequence[position])
            position += 1
        else:
            segments.append([])
            position += len(match)
    return [segment for segment in segments if segment]
