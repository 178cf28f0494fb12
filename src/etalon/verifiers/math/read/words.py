"""Answers in words: when a text is prose, and when two prose answers say the same."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W\d_]+")
_MATHEMATICS = frozenset("\\^_=+*/<>{}()[]|≤≥≠≈±∓∪∈°%$∨")
_ARTICLE = re.compile(r"\b(?:the|an|a)\b (?=\w{3})")
_SAME = {  # what is said here: the other ways to say it
    "no solution": "none|no solutions|no solution exists|no solutions exist|there is no solution|"
    "there are no solutions|empty set",
    "does not exist": "dne|doesn't exist|it does not exist",
    "infinitely many solutions": "infinitely many|infinite solutions|there are infinitely many solutions",
}
_SAID = {way: said for said, ways in _SAME.items() for way in ways.split("|")}


def is_prose(text: str) -> bool:
    """True for words rather than mathematics: no digits, no operators, no LaTeX, and a word that is no product.

    Four letters make a word, and three capitals (a triangle), and several words of which one has three letters.
    """
    if any(c.isdigit() or c in _MATHEMATICS for c in text) or text.casefold().lstrip("- ") == "infinity":
        return False
    words = [word for word in _WORD.findall(text) if word.casefold() not in ("and", "or")]
    longest = max((len(word) for word in words), default=0)
    if longest >= 4 or text.casefold() in ("yes", "no", "odd", "dne"):
        return True
    return longest == 3 and (len(words) > 1 or text.isupper())


def plain_words(text: str) -> str:
    """The text in lower case, without articles and punctuation; equal for answers that say the same."""
    text = " ".join(_ARTICLE.sub("", text.casefold()).replace("-", " ").replace(",", " , ").split()).strip(" .!?\"'")
    return _SAID.get(text, text)
