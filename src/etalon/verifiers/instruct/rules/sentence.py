"""The rules `sentence:*` of IFBench: what is in a sentence, and how sentences grow."""

from __future__ import annotations

import re
from itertools import pairwise

from etalon.verifiers.instruct.rules.arguments import Ordinal
from etalon.verifiers.instruct.rules.sentences import split_sentences
from etalon.verifiers.instruct.rules.tokens import EDGES, bare_words


def keyword(response: str, *, word: str, N: Ordinal) -> bool:
    """The N-th sentence has the word, in any case."""
    sentence = split_sentences(response)[N - 1 : N]
    return any(re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE) for text in sentence)


def increment(response: str, *, small_n: int) -> bool:
    """Each sentence has exactly so many words more than the one before."""
    lengths = [len(bare_words(sentence)) for sentence in split_sentences(response)]
    return all(b == a + small_n for a, b in pairwise(lengths))


def alliteration_increment(response: str) -> bool:
    """Each sentence has more words in alliteration than the one before."""
    counts = [_alliterating(sentence) for sentence in split_sentences(response)]
    return all(b > a for a, b in pairwise(counts))


def _alliterating(sentence: str) -> int:
    """How many words share the first character with a neighbour."""
    bare = (word.lstrip(EDGES) for word in sentence.lower().split())
    same = [a[0] == b[0] for a, b in pairwise([word for word in bare if word])]
    # a run of k equal pairs is k + 1 words
    return sum(same) + sum(now and not before for before, now in pairwise([False, *same]))
