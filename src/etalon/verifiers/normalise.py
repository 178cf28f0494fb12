r"""One spelling per answer: LaTeX dressing off, thousands separators off, signs and fractions in one form.

`normalise` never changes the value; `drop_unit` and percent leniency do, and are for grading against a reference only.
"""

from __future__ import annotations

import re

from etalon.verifiers.numbers import parse_number

_WRAPPERS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("**", "**"), ("`", "`"))
_SPELLINGS = {
    "\u2212": "-", "\u2013": "-", "\u00d7": "*", "\u00b7": "*", "\u00f7": "/", "\u03c0": "\\pi", "\u221e": "\\infty",
    "\u00a0": " ", "\u202f": " ", "\uff0c": ",", "**": "^",
    "\\cdot": "*", "\\times": "*", "\\ast": "*", "\\dfrac": "\\frac", "\\tfrac": "\\frac", "\\cfrac": "\\frac",
    "\\left": "", "\\right": "", "\\bigl": "", "\\bigr": "", "\\Bigl": "", "\\Bigr": "", "\\limits": "",
    "\\displaystyle": "", "\\!": "", "\\%": "%", "\\$": "", "^{\\circ}": "", "^\\circ": "", "\u00b0": "",
    "\\degree": "", "{,}": ",", "\\,": " ", "\\;": " ", "\\:": " ", "\\ ": " ", "\\quad": " ", "\\qquad": " ", "~": " ",
}  # fmt: skip
_SPELLING = re.compile(
    r"\\\\|,\\!\s*|"  # a row separator stays whole; "32,\! 349" is one number
    + "|".join(re.escape(written) + ("(?![a-zA-Z])" if written[-1].isalpha() else "") for written in _SPELLINGS)
)
_AND = re.compile(r",?\s*\\text\s*\{[\s,]*(?:and|or)\s*\}\s*|(?<=[\d)}]),?\s+(?:and|or)\s+")
_TEXT = re.compile(r"\\(?:text|mathrm|textbf|mathbf|textit|texttt|mbox|textrm|operatorname\*?)\s*\{([^{}]*)\}")
_GROUPED = re.compile(r"[+-]?\$?\s*(?:\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+)(?:\.\d+)?%?")
_MIXED = re.compile(r"(\d+) +(\d+)/(\d+)")
_VARIABLE = re.compile(r"[a-zA-Z](?:_\{?\w+\}?)?")
_SPACES = re.compile(r"(?<!\d,) | (?!\d{3}(?!\d))")  # all but the one in "32, 349": a list, not a number
_COMMAND = re.compile(r"(\\[a-zA-Z]+) (?=[a-zA-Z])")  # in "\pi r" the space ends the command
_UNIT = re.compile(r"(?<=[\d})%]) ?(?:\\?[a-zA-Z]{1,12}(?:\^\{?[23]\}?)?[ /.]?)+$")


def normalise(answer: str) -> str:
    """The answer in one spelling, without spaces inside mathematics; words keep single spaces."""
    text = _unwrap(answer.strip().rstrip(".").strip())
    text = _SPELLING.sub(lambda found: _SPELLINGS.get(found[0], found[0].replace("\\!", "").rstrip()), text)
    text = _AND.sub(",", text)
    text = _TEXT.sub(r" \1 ", text)
    text = _unwrap(text.strip())
    if _GROUPED.fullmatch(text):
        text = text.replace(",", "").replace(" ", "")
    text = _MIXED.sub(r"\1_\2/\3", text.removeprefix("$"))
    text = " ".join(text.split())
    if not is_prose(text):
        text = _SPACES.sub("", _COMMAND.sub("\\1\0", text)).replace("\0", " ")
    return text.strip().rstrip("\\")


def _unwrap(text: str) -> str:
    """Without the delimiters that enclose the whole text ($...$, \\(...\\), **...**)."""
    changed = True
    while changed:
        changed = False
        for opening, closing in _WRAPPERS:
            inside = text[len(opening) : len(text) - len(closing)]
            if text.startswith(opening) and text.endswith(closing) and inside and opening not in inside:
                text, changed = inside.strip(), True
    return text


def is_prose(text: str) -> bool:
    """True for words rather than mathematics: at least one word of four letters, no digits, no LaTeX, no operators."""
    if any(c.isdigit() or c in "\\^_=+*/<>{}()[]" for c in text):
        return False
    return any(len(word) >= 4 for word in re.findall(r"[^\W\d_]+", text))


def drop_assignment(text: str) -> str:
    """`x=5` or `5=x` without the variable when a number is assigned; other equations are returned unchanged."""
    left, equals, right = text.partition("=")
    if not equals:
        return text
    for name, value in ((left, right), (right, left)):
        if _VARIABLE.fullmatch(name) and parse_number(value):
            return value
    return text


def drop_unit(text: str) -> str:
    """A number without the words that follow it (`12 cm`, `90degrees`); other text is returned unchanged."""
    shorter = _UNIT.sub("", text)
    return shorter if shorter and shorter[-1] not in "\\^_" else text
