"""Gate a, second half (2.1.1 step 4): queries that overlap with evaluation sets, by exact word n-grams.

    evaluation prompts -> boilerplate cut out -> index of n-grams (n words) and of whole short prompts
    query              -> boilerplate cut out -> the first shared n-gram, or the whole text if it is shorter

Boilerplate is the instruction that every prompt of a domain ends in: 12 words that would match everything. What many
evaluation prompts share is boilerplate, too, whoever wrote it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from etalon.data.ngrams import Ngram, cut, ngrams, tokens, words

COMMON, FEWEST_PROMPTS = 0.2, 10  # (ours) n-grams in this share of evaluation prompts, and in so many, are boilerplate


@dataclass(frozen=True, kw_only=True)
class OverlapIndex:
    """What evaluation prompts contain. Build it with `index`."""

    n: int
    boilerplate: tuple[Ngram, ...]
    seen: frozenset[Ngram]
    whole: frozenset[str]

    def overlap(self, query: str) -> str | None:
        """The words a query shares with an evaluation prompt, None when it shares no n-gram.

        Prompts of fewer than n words, or of boilerplate alone, are compared whole: normalised, with operators, exact.
        """
        grams, whole = _contents(query, self.boilerplate, self.n)
        for gram in grams:
            if gram in self.seen:
                return " ".join(gram)
        return whole if whole in self.whole else None


def index(prompts: Iterable[str], *, n: int = 10, boilerplate: Iterable[str] = ()) -> OverlapIndex:
    """The index of evaluation prompts. `boilerplate`: texts that are part of many prompts and mean nothing."""
    phrases = tuple(tuple(tokens(text)) for text in boilerplate)
    contents = [_contents(prompt, phrases, n) for prompt in prompts]
    counts = Counter(gram for grams, _ in contents for gram in set(grams))
    most = max(FEWEST_PROMPTS, COMMON * len(contents))
    seen = {gram for gram, count in counts.items() if count < most}
    shorts = {whole for grams, whole in contents if seen.isdisjoint(grams)}
    return OverlapIndex(n=n, boilerplate=phrases, seen=frozenset(seen), whole=frozenset(shorts - {""}))


def _contents(text: str, boilerplate: tuple[Ngram, ...], n: int) -> tuple[list[Ngram], str]:
    """The n-grams of a text, none when it has fewer than n words, and the whole normalised text."""
    segments = cut(tokens(text), boilerplate)
    grams = [gram for segment in segments for gram in ngrams(words(segment), n)]
    return grams, " ".join(token for segment in segments for token in segment)
