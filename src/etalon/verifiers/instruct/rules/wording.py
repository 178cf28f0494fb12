"""The rules `words:*` and `sentence:*` of IFBench: letters, syllables and places of words, how sentences grow."""

from __future__ import annotations

import re
import string
from collections import Counter
from itertools import pairwise

from etalon.verifiers.instruct.rules.arguments import Ordinal
from etalon.verifiers.instruct.rules.optional import is_verb_first, syllable_counter
from etalon.verifiers.instruct.rules.sentences import split_sentences
from etalon.verifiers.instruct.rules.tokens import EDGES, bare_words, sentence_tokens, tokens

PRIMES = frozenset(n for n in range(2, 100) if all(n % divisor for divisor in range(2, n)))
_CLUSTER = re.compile("[bcdfghjklmnpqrstvwxyz]{2}")
_ALPHABET = string.ascii_lowercase


def alphabet(response: str) -> bool:
    """Each word starts with the next letter of the alphabet, A after Z."""
    letters = [word[0] for word in bare_words(response.lower())]
    if not letters or letters[0] not in _ALPHABET:
        return False
    first = _ALPHABET.index(letters[0])
    return all(letter == _ALPHABET[(first + k) % 26] for k, letter in enumerate(letters))


def vowel(response: str) -> bool:
    """One paragraph with at most three of the five vowels."""
    text = response.strip()
    return "\n" not in text and len(set(text.lower()) & set("aeiou")) <= 3


def consonants(response: str) -> bool:
    """Every word has two consonants in a row."""
    return all(_CLUSTER.search(word) for word in response.lower().split())


def palindrome(response: str) -> bool:
    """At least ten palindromes of five characters or more, repeated ones counted."""
    return sum(len(word) >= 5 and word == word[::-1] for word in bare_words(response.lower())) >= 10


def prime_lengths(response: str) -> bool:
    """The length of every word is a prime number below 100."""
    return all(len(word) in PRIMES for word in bare_words(response))


def start_verb(response: str) -> bool:
    """The first word is a verb, as NLTK's perceptron tagger sees it."""
    return is_verb_first(tokens(response.lstrip()[:2000])[:8])  # the tagger looks two words ahead


def repeats(response: str, *, small_n: int) -> bool:
    """No word occurs more than so many times."""
    return all(count <= small_n for count in Counter(bare_words(response.lower())).values())


def odd_even_syllables(response: str) -> bool:
    """Words with odd and even numbers of syllables alternate, as syllapy counts them."""
    count = syllable_counter()
    return all(count(a) % 2 != count(b) % 2 for a, b in pairwise(bare_words(response.lower())))


def last_first(response: str) -> bool:
    """The last word of each sentence is the first of the next one."""
    for before, after in pairwise(split_sentences(response)):
        last, first = before.rstrip(EDGES).split()[-1:], after.lstrip(EDGES).split()[:1]
        if not last or not first or last[0].lower() != first[0].lower():
            return False
    return True


def paragraph_last_first(response: str) -> bool:
    """Each line ends with the word that it starts with."""
    lines = (line.strip().lower().strip(EDGES).split() for line in response.split("\n"))
    return all(words[0] == words[-1] for words in lines if words)


def no_consecutive(response: str) -> bool:
    """No two words in a row start with the same letter."""
    return all(a[0] != b[0] for a, b in pairwise(bare_words(response.lower())))


def keywords_specific_position(response: str, *, keyword: str, n: Ordinal, m: Ordinal) -> bool:
    """The m-th word of the n-th sentence is the keyword."""
    sentence = split_sentences(response)[n - 1 : n]
    found = [token for text in sentence for token in sentence_tokens(text) if any(c.isalnum() for c in token)]
    return [token.lower() for token in found[m - 1 : m]] == [keyword.strip().lower()]


def words_position(response: str, *, keyword: str) -> bool:
    """The second word and the second to last, a final punctuation mark aside, are the keyword."""
    found = [token.lower() for token in tokens(response)]
    second_to_last = 3 if found and found[-1] in string.punctuation else 2
    if len(found) < second_to_last:
        return False
    return found[1] == found[-second_to_last] == keyword.strip().lower()


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
