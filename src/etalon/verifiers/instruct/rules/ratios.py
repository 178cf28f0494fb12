"""The rules `ratio:*` of IFBench: shares of words, of kinds of sentences, of a reference text."""

from __future__ import annotations

from etalon.verifiers.instruct.rules.arguments import Percentage
from etalon.verifiers.instruct.rules.sentences import split_sentences
from etalon.verifiers.instruct.rules.tokens import words
from etalon.verifiers.instruct.rules.wordlists import STOP_WORDS

OVERLAP_TOLERANCE = 2  # percentage points, in the instruction
_CHUNK = 50_000


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
