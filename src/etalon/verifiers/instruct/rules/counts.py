"""The rules `count:*` of IFBench: words, names, numbers and marks that are counted."""

from __future__ import annotations

import re

from etalon.verifiers.instruct.rules.arguments import Ordinal
from etalon.verifiers.instruct.rules.tokens import EDGES, num_words, tokens, without_punctuation
from etalon.verifiers.instruct.rules.wordlists import CONJUNCTIONS, PERSON_NAMES, PRONOUNS

KEYWORD_COUNTS = (1, 2, 3, 5, 7)
_NAME = re.compile(rf"\b(?:{'|'.join(sorted(PERSON_NAMES))})\b")
_JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")


def word_count_range(response: str, *, min_words: int, max_words: int) -> bool:
    """Between so many and so many words."""
    return min_words <= num_words(response) <= max_words


def unique_word_count(response: str, *, N: int) -> bool:
    """At least N different words, case aside."""
    # as in the reference, a lone punctuation mark is one more "word": the empty one
    return len({word.strip(EDGES) for word in response.lower().split()}) >= N


def conjunctions(response: str, *, small_n: int) -> bool:
    """At least so many different coordinating conjunctions."""
    # as in the reference, "And", "and" and "and," are three
    return len({word for word in response.split() if word.strip(EDGES).lower() in CONJUNCTIONS}) >= small_n


def person_names(response: str, *, N: int) -> bool:
    """At least N different names of the instruction's list of 50."""
    return len(set(_NAME.findall(response))) >= N


def numbers(response: str, *, N: int) -> bool:
    """Exactly N numbers; punctuation inside one does not divide it."""
    return len(re.findall(r"\d+", without_punctuation(response))) == N


def punctuation(response: str) -> bool:
    """Each of . , ! ? ; : at least once beside an interrobang (?!, !? or ‽)."""
    if not any(mark in response for mark in ("?!", "!?", "‽")):
        return False
    rest = response.replace("?!", "", 1) if "?!" in response else response.replace("!?", "", 1)
    return all(mark in rest for mark in ".,!?;:")


def words_japanese(response: str, *, N: Ordinal) -> bool:
    """Every N-th word has a Japanese character, unless it is a number or punctuation."""
    every = (word.strip(EDGES) for word in response.split()[N - 1 :: N])
    return all(not word or word.isdigit() or _JAPANESE.search(word) for word in every)


def pronouns(response: str, *, N: int) -> bool:
    """At least N pronouns, each occurrence counted."""
    return sum(token in PRONOUNS for token in tokens(response.replace("/", " ").lower())) >= N


def keywords_multiple(
    response: str, *, keyword1: str, keyword2: str, keyword3: str, keyword4: str, keyword5: str
) -> bool:
    """The five keywords exactly 1, 2, 3, 5 and 7 times, in any case, also inside words."""
    text, keywords = response.lower(), (keyword1, keyword2, keyword3, keyword4, keyword5)
    found = (text.count(keyword.strip().lower()) for keyword in keywords)
    return all(count == wanted for count, wanted in zip(found, KEYWORD_COUNTS, strict=True))
