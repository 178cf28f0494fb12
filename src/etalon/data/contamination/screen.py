"""The first look at a row: most hold nothing of any item, and that is to cost a few look-ups (ours).

    prose in ASCII   one str.translate, one split: `plain_words`      anything else   `text.words`
    -> every second run of ANCHOR words in the anchors, or a word and a run of a short item -> None, or its words

What a copy may change is undone by the second look alone. So that plain words meet an item's nevertheless, it stands
here in several forms: as it is, with small numbers in digits, and with its numbers in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from etalon.data.contamination.match import RUN, runs
from etalon.data.contamination.text import SPELLED, spelled, words

Run = tuple[str, ...]

ANCHOR = 6  # (ours) words of a run that makes an item a candidate
_NOT_PLAIN = "\\<&*^_=+`~#{\0"  # what mathematics, markup and BREAK are made of
_GONE = b"',."
_SPACES = b'"!()-/:;?@[]|}$%>'
_PLAIN = bytes.maketrans(
    bytes(range(ord("A"), ord("Z") + 1)) + _SPACES, bytes(range(ord("a"), ord("z") + 1)) + b" " * len(_SPACES)
)
_DIGITS = {word: str(value) for word, value in SPELLED.items()}
_LONGEST_NUMBER = 6  # digits of one that is written in words


def is_plain(text: str) -> bool:
    """Whether a text is prose, of which `plain_words` gives the words."""
    if not text.isascii():
        return False
    for sign in _NOT_PLAIN:  # noqa: SIM110  a generator costs more than the search
        if sign in text:
            return False
    return True


def plain_words(text: str) -> list[str]:
    """The words of plain prose in lower case; points and commas are gone, inside numbers too."""
    return text.encode("ascii", "replace").translate(_PLAIN, _GONE).decode("ascii").split()


class Screen:
    """What short items and the anchors of long ones look like, in the words of either kind of text."""

    def __init__(self, *, anchors: Iterable[Run], keys: Mapping[Run, str]) -> None:
        """anchors: runs of ANCHOR words; keys: of short items, with the word of each that is rarest."""
        self.anchors, self.keys, self.key_words = frozenset(anchors), frozenset(keys), frozenset(keys.values())

    def passes(self, found: Sequence[str]) -> bool:
        """Whether a row of these words may hold an item."""
        even, odd = found[::2], found[1::2]
        return (
            not self.anchors.isdisjoint(zip(even, odd, even[1:], odd[1:], even[2:], odd[2:], strict=False))
            or not (self.key_words.isdisjoint(found) or self.keys.isdisjoint(runs(found, RUN)))
            or len(found) < RUN
        )


class Screens:
    """The two of an index."""

    def __init__(self, plain: Screen, other: Screen) -> None:
        self._plain, self._other = plain, other

    def words_of(self, text: str) -> list[str] | None:
        """The words of a text that may hold an item, None for one that does not."""
        if is_plain(text):
            return words(text) if self._plain.passes(plain_words(text)) else None
        found = words(text)
        return found if self._other.passes(found) else None


def plain_forms(text: str) -> list[list[str]]:
    """The words of an item as plain texts may have them, forms that are equal once; none where it never is plain."""
    own = plain_words(text)
    in_digits = [_DIGITS.get(word, word) for word in own]
    in_words = [word for one in own for word in _spelled(one)]
    joined = [word for one in own for word in _joined(_spelled(one))]
    forms = own, in_digits, in_words, joined
    return [form for at, form in enumerate(forms) if form not in forms[:at]]


def _spelled(word: str) -> list[str]:
    return spelled(int(word)) if word.isdecimal() and len(word) <= _LONGEST_NUMBER else [word]


def _joined(number: Sequence[str]) -> Iterator[str]:
    """The words of a number with "and" after hundreds, as in "two hundred and five"."""
    for word, after in zip(number, [*number[1:], "thousand"], strict=True):
        yield word
        if word == "hundred" and after != "thousand":
            yield "and"
