"""Words that are none, and too few of them: gibberish, pieces of a tokenizer, a paraphrase that turns in a circle.

A loop that is reworded from turn to turn has few n-grams twice, but it has the same forty words for pages: honest work
that goes on with so few of them has numbers or letters between them, as a table or a simulation has.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Sequence

from etalon.data.traces.loops import Loop, Sentence
from etalon.data.traces.response import Fault, Response, around, without_code

STRETCH = 400  # (ours) words in a row
FEW = range(12, 40)  # (ours) different words among them: fewer are the cells of a table, the turns of a maze
COMMON = 0.25  # (ours) share of the most frequent one: it is more in a table of true and false
SYMBOLS = 0.1  # (ours) numbers and letters to a word in a stretch that computes
NEAR, STRANGE = 12, 6  # (ours) words in a row, and how many different ones of them nobody can say
PIECES = 2  # (ours) of a tokenizer

_WORD = re.compile(r"(?<![^\s\"'(])[a-z]{4,}(?=[\s.,;:!?\"')]|$)")
_UNSAID = re.compile(r"[bcdfghjklmnpqrstvwxz]{4}")
_SAID = re.compile(r"ghth?s?|ngths?|[lnrx]f?ths?|mph")  # weights, lengths, months, twelfths
_VOWEL = re.compile(r"[aeiouy]")
_CIPHERS = re.compile(
    r"cipher|cypher|crypt|decod|encod|caesar|anagram|scrambl|letter|string|word|\b[a-z]*[bcdfghjklmnpqrstvwxz]{6}"
)
_PIECE = re.compile(r"[ĠĊ▁](?=[A-Za-zĠĊ▁])|[\xc2-\xf4][\u0100-\u0143]")


def circling(found: Sequence[Sentence]) -> Loop | None:
    """A stretch of many words that says them all with few: a loop in other words each turn."""
    words = [(word, sentence.start) for sentence in found if not sentence.is_code for word in sentence.words]
    places = [place for place, (word, _) in enumerate(words) if len(word) > 1 and word.isalpha()]
    seen: Counter[str] = Counter()
    for last, place in enumerate(places):
        seen[words[place][0]] += 1
        if last < STRETCH - 1:
            continue
        word, start = words[places[last - STRETCH + 1]]
        symbols = place - places[last - STRETCH + 1] + 1 - STRETCH
        if len(seen) in FEW and symbols < SYMBOLS * STRETCH and max(seen.values()) < COMMON * STRETCH:
            return Loop(kind="loop in other words", start=start)
        seen[word] -= 1
        if not seen[word]:
            del seen[word]
    return None


def gibberish(response: Response) -> Fault | None:
    """Many words in a row that nobody can say; pieces that a tokenizer left, as in "Ġthe"."""
    pieces = [] if response.text.isascii() else list(_PIECE.finditer(without_code(response.text)))
    if len(pieces) >= PIECES and not response.is_asked(pieces[0][0]):
        return Fault(kind="garbage", detail=around(response.text, pieces[0].start()))
    near: deque[str] = deque(maxlen=NEAR)
    for found in _WORD.finditer(without_code(response.text)):
        near.append(found[0] if _is_strange(found[0]) else "")
        if near[-1] and len({*near} - {""}) >= STRANGE:
            is_asked = _CIPHERS.search(response.prompt.casefold())
            return None if is_asked else Fault(kind="garbage", detail=around(response.text, max(0, found.start() - 80)))
    return None


def _is_strange(word: str) -> bool:
    return _UNSAID.search(_SAID.sub("e", word)) is not None or _VOWEL.search(word) is None
