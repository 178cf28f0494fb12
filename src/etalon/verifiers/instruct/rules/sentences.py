"""Sentences: by punkt when NLTK and its data are already here, else by a regular expression. `splitter()` says which.

The public scores use punkt. The fallback follows its conventions: a full stop ends a sentence unless an abbreviation or
an initial owns it, ! and ? always do, a line break never does, closing quotes and brackets stay with the sentence that
they close, and a list number (`2.`) is a sentence of its own.
"""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import Any, Literal

from etalon.verifiers.instruct.rules.optional import nltk_with
from etalon.verifiers.instruct.rules.wordlists import ABBREVIATIONS, OPENERS

PUNKT = "tokenizers/punkt_tab/english/"
MAX_CHARS = 50_000  # (ours) what is longer is no response to a person, and must not cost seconds
MAX_PUNKT_MARKS = 4_000  # (ours) likewise: punkt takes 20 microseconds for each . ! or ?

_QUOTES = "‘’“”«»"
_END = re.compile(rf"""[.!?](?=[?!)";}}\]*:@'({{\[{_QUOTES}]|\s+\S)""")
_CLOSING = re.compile(rf"""["')\]}}{_QUOTES}]+(?=\s|--|$)""")
_BLANK = re.compile(r"\s")
_LAST_WORD = re.compile(r"[^\s(\"\[{*,_-]*$")
_NEXT = re.compile(r"\s*([^\s]{0,24})")


def splitter(text: str) -> Literal["punkt", "regex"]:
    """Which splitter this machine has for the text."""
    return "regex" if _punkt(_readable(text)) is None else "punkt"


def split_sentences(text: str) -> list[str]:
    """The sentences, stripped, none of them empty; of a text beyond MAX_CHARS those of its beginning and its end."""
    text = _readable(text)
    nltk = _punkt(text)
    return split_by_regex(text) if nltk is None else list(nltk.sent_tokenize(text))


def _readable(text: str) -> str:
    half = MAX_CHARS // 2
    return text if len(text) <= MAX_CHARS else f"{text[:half]}\n{text[-half:]}"


def _punkt(text: str) -> Any | None:
    """nltk, when it is to split the text."""
    num_marks = sum(text.count(mark) for mark in ".!?")
    return nltk_with(PUNKT) if num_marks <= MAX_PUNKT_MARKS else None


def split_by_regex(text: str) -> list[str]:
    """The fallback, in time linear in the text."""
    sentences, start = [], 0
    ends = [mark.end() for mark in _END.finditer(text)]
    for end, later in zip_longest(ends, ends[1:]):
        if later is not None and not _BLANK.search(text, end, later):
            continue  # of ?! or ..." or ."? the last decides
        if text[end - 1] == "." and not _ends_sentence(text, start, end):
            continue
        closing = _CLOSING.match(text, end)
        end = closing.end() if closing else end
        sentences.append(text[start:end].strip())
        start = end
    sentences.append(text[start:].strip())
    return [sentence for sentence in sentences if sentence]


def _ends_sentence(text: str, start: int, end: int) -> bool:
    """Whether the full stop before `end` ends the sentence that began at `start`."""
    found, after = _LAST_WORD.search(text[max(start, end - 24) : end - 1]), _NEXT.match(text, end)
    word, following = found.group().lower().lstrip("'") if found else "", after.group(1) if after else ""
    if word.isdigit():
        return not following[:1].islower()
    is_initial = len(word) == 1 and word.isalpha()
    if not (is_initial or word in ABBREVIATIONS or word.endswith(".")):
        return True
    opener = re.match(r"[A-Z]\w*", following)
    if opener or following[:1].islower():
        return opener is not None and opener.group().lower() in OPENERS
    return is_initial and word not in ABBREVIATIONS
