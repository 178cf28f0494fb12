"""What the rules count, and how counts are compared. No tokenizer model: regular expressions only.

Sentences and capital words are counted with NLTK in the reference; these approximations agree on plain prose.
"""

from __future__ import annotations

import re

_WORD = re.compile(r"\w+")
_ABBREVIATION = re.compile(
    r"\b(?:mr|mrs|ms|dr|prof|st|sr|jr|vs|etc|e\.g|i\.e|inc|ltd|co|corp|no|fig|gen|col|rep|sen|gov|capt|u\.s|a\.m|p\.m)\.$",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?]+[\"')\]*_\u201d\u2019]*(?=\s|$)")
_INITIAL = re.compile(r"(?:^|\s)[A-Z]\.$")
_CAPITAL_TOKEN = re.compile(r"[^\s\"“”()\[\]{}<>,;:!?*`…]+")
_CONTRACTION = re.compile(r"(?<=\w)(?=N'T\b)|(?<=\w)(?='(?:S|M|D|LL|RE|VE)\b)")


class CannotDecideError(Exception):
    """A rule that cannot be checked here (an optional package is missing, a value is malformed)."""


def holds(count: int, relation: str, bound: int) -> bool:
    """`less than` and `at least` are the data set's relations; `at most` is a common addition."""
    if relation == "less than":
        return count < bound
    if relation == "at least":
        return count >= bound
    if relation == "at most":
        return count <= bound
    raise CannotDecideError(f"unknown relation {relation!r}")


def num_words(text: str) -> int:
    return len(_WORD.findall(text))


def num_sentences(text: str) -> int:
    """Sentence ends followed by a blank or the end, abbreviations and initials aside; a last open sentence counts."""
    count, start = 0, 0
    for mark in _SENTENCE_END.finditer(text):
        head = text[max(start, mark.start() - 12) : mark.start() + 1]
        is_last = not text[mark.end() :].strip()
        if not is_last and (_ABBREVIATION.search(head) or _INITIAL.search(head)):
            continue
        if _WORD.search(text, start, mark.end()) or not count:
            count += 1
            start = mark.end()
    return count + bool(_WORD.search(text, start))


def capital_words(text: str) -> int:
    """Tokens without a lower-case letter and with a capital one; contractions are two tokens, as in NLTK."""
    tokens = (part for token in _CAPITAL_TOKEN.findall(text) for part in _CONTRACTION.split(token))
    return sum(token.isupper() for token in tokens)
