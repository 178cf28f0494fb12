r"""One spelling per answer: LaTeX dressing off, thousands separators off, signs and fractions in one form.

`normalise` never changes the value; `drop_unit` and percent leniency do, and are for grading against a reference only.
"""

from __future__ import annotations

import re

_WRAPPERS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("**", "**"), ("`", "`"))
_REPLACEMENTS = (
    ("\u2212", "-"), ("\u2013", "-"), ("\u00d7", "*"), ("\u00b7", "*"), ("\u00f7", "/"), ("\u03c0", "\\pi"),
    ("\u221e", "\\infty"), ("\u00a0", " "), ("\u202f", " "), ("\uff0c", ","),
    ("\\dfrac", "\\frac"), ("\\tfrac", "\\frac"), ("\\cfrac", "\\frac"),
    ("\\left", ""), ("\\right", ""), ("\\bigl", ""), ("\\bigr", ""), ("\\Bigl", ""), ("\\Bigr", ""),
    ("\\displaystyle", ""), ("\\limits", ""), ("\\!", ""), ("\\%", "%"), ("\\$", ""),
    ("^{\\circ}", ""), ("^\\circ", ""), ("\u00b0", ""), ("\\degree", ""),
    ("{,}", ","), ("\\,", " "), ("\\;", " "), ("\\:", " "), ("\\ ", " "), ("\\quad", " "), ("\\qquad", " "), ("~", " "),
)  # fmt: skip
_LEFT_COMMANDS = re.compile(r"\\(?:left|right)(?=arrow|harpoon)")
_TEXT = re.compile(r"\\(?:text|mathrm|textbf|mathbf|textit|texttt|mbox|textrm|operatorname\*?)\s*\{([^{}]*)\}")
_TIMES = re.compile(r"\s*\\(?:cdot|times|ast)(?![a-zA-Z])\s*")
_GROUPED = re.compile(r"[+-]?\$?\s*(?:\d{1,3}(?:, ?\d{3})+|\d{1,3}(?: \d{3})+)(?:\.\d+)?%?")
_MIXED = re.compile(r"(\d+) +(\d+)/(\d+)")
_ASSIGNMENT = re.compile(r"[a-zA-Z](?:_\{?\w+\}?)?=(?!.*=)(?=.)")
_UNIT = re.compile(r"(?<=[\d})%]) ?(?:\\?[a-zA-Z]{1,12}(?:\^\{?[23]\}?)?[ /.]?)+$")


def normalise(answer: str) -> str:
    """The answer in one spelling, without spaces inside mathematics; words keep single spaces."""
    text = _unwrap(answer.strip().rstrip(".").strip())
    if _LEFT_COMMANDS.search(text):
        text = text.replace("\\left", "\\Left").replace("\\right", "\\Right")
    for written, meant in _REPLACEMENTS:
        if written in text:
            text = text.replace(written, meant)
    text = text.replace("\\Left", "\\left").replace("\\Right", "\\right")
    text = _TEXT.sub(r" \1 ", text)
    text = _unwrap(_TIMES.sub("*", text).strip())
    if _GROUPED.fullmatch(text):
        text = text.replace(",", "").replace(" ", "")
    text = _MIXED.sub(r"\1_\2/\3", text.removeprefix("$"))
    text = " ".join(text.split())
    if not is_prose(text):
        text = text.replace(" ", "")
    return text.strip()


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
    """`x=5` without its `x=`: the value of a single assignment."""
    return _ASSIGNMENT.sub("", text, count=1) if _ASSIGNMENT.match(text) else text


def drop_unit(text: str) -> str:
    """A number without the words that follow it (`12 cm`, `90degrees`); other text is returned unchanged."""
    shorter = _UNIT.sub("", text)
    return shorter if shorter and shorter[-1] not in "\\^_" else text
