"""The rules `count:*` and `ratio:*` of IFBench: what is counted, and shares of words, of sentences, of a text."""

from __future__ import annotations

import re

from etalon.verifiers.instruct.rules.arguments import Ordinal, Percentage
from etalon.verifiers.instruct.rules.sentences import split_sentences
from etalon.verifiers.instruct.rules.tokens import EDGES, num_words, tokens, without_punctuation, words
from etalon.verifiers.instruct.rules.wordlists import CONJUNCTIONS, PERSON_NAMES, PRONOUNS, STOP_WORDS

KEYWORD_COUNTS = (1, 2, 3, 5, 7)
_NAME = re.compile(rf"\b(?:{'|'.join(sorted(PERSON_NAMES))})\b")
_JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
OVERLAP_TOLERANCE = 2  # percentage points, in the instruction
_CHUNK = 50_000


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


def stop_words(response: str, *, percentage: Percentage) -> bool:
    """Stop words are at most so many percent of all words."""
    found = words(response)
    return bool(found) and 100 * (sum(word.lower() in STOP_WORDS for word in found) / len(found)) <= percentage


def sentence_type(response: str) -> bool:
    """Twice as many sentences end in a full stop as in a question mark."""
    return _ending(response, ".") == 2 * _ending(response, "?")


def sentence_balance(response: str) -> bool:
    """As many sentences end in a full stop as in a question mark and in an exclamation mark."""
    return _ending(response, ".") == _ending(response, "?") == _ending(response, "!")


def _ending(response: str, mark: str) -> int:
    return sum(sentence.endswith(mark) for sentence in split_sentences(response))


def overlap(response: str, *, reference_text: str, percentage: Percentage) -> bool:
    """So many percent, give or take 2, of the different character trigrams occur in the reference text."""
    found: set[tuple[str, str, str]] = set()
    reference = _trigrams(reference_text)
    for start in range(0, len(response), _CHUNK):
        found |= _trigrams(response[start : start + _CHUNK + 2])
        if len(found) * (percentage - OVERLAP_TOLERANCE) > 100 * len(reference) + 1:
            return False  # even if all of the reference is in it, the share is too small
    if not found:
        return False
    share = 100 * (len(found & reference) / len(found))
    return percentage - OVERLAP_TOLERANCE <= share <= percentage + OVERLAP_TOLERANCE


def _trigrams(text: str) -> set[tuple[str, str, str]]:
    return set(zip(text, text[1:], text[2:], strict=False))


def sentence_words(response: str) -> bool:
    """Three sentences of the same number of characters."""
    # the instruction also asks for all different words; the reference does not check it
    sentences = split_sentences(response)
    return len(sentences) == 3 and len({len(sentence) for sentence in sentences}) == 1
