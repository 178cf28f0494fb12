r"""Answers that the symbolic engine is not asked about: whatever it would make of them, they are different.

`\frac12 \Rightarrow \frac23` holds two formulas, of which it would take one; `10^{10^{10}}` costs its deadline; R and
r, \Delta and \delta are one to it. What the reference writes as well is not refused.
"""

from __future__ import annotations

import math
import re

MAX_UNMATCHED = 8  # (ours) brackets that open and never close, or the other way round
LONG_EXPONENT = 5  # (ours) digits of an exponent that the engine is not asked about
MAX_FRACTIONS = 8  # (ours) numeric fractions side by side, with no sign between them

_NO_FORMULA = re.compile(  # what stands between statements: of two formulas the engine would take one
    r"\\(?:Rightarrow|Leftarrow|Leftrightarrow|rightarrow|leftarrow|implies|iff|therefore|because|tag|cancel|neg|lnot|not|&)"
    r"(?![a-zA-Z])|[?&≟]|\$\$|:=|(?:^|[-+*/=(,;])\d[\d.]*_|!!!|!\)!\)!|\\to(?![a-zA-Z])"
)
_TO_CARRY_OUT = re.compile(r"\\(?:sum|prod|int|lim)(?![a-zA-Z])")
_TOWER = re.compile(r"\^\{?(\d{1,9})\^\{?(\d{1,9})")
_LARGE_BINOMIAL = re.compile(r"\\binom(?:\{[^{}]*)?(?:\d{5}|10\^)|\\binom\{[^{}]*\}\{[^{}]*(?:\d{5}|10\^)")
_FRACTIONS = re.compile(rf"(?:\\frac(?:\{{\d{{1,9}}\}}){{2}}){{{MAX_FRACTIONS + 1}}}")
_NAMES = re.compile(r"\\[a-zA-Z]+|[a-zA-Z]")


def is_refused(expected: str, given: str) -> bool:
    """True for an answer that is no formula, is still to be carried out, or is of other letters or another size."""
    if any(sign.search(given) and not sign.search(expected) for sign in (_NO_FORMULA, _TO_CARRY_OUT)):
        return True
    return _differ_in_case(expected, given) or (is_giant(given) and not is_giant(expected)) or is_nonsense(given)


def _differ_in_case(expected: str, given: str) -> bool:
    letters = [set(_NAMES.findall(text)) - {"i", "I", "e", "E"} for text in (expected, given)]
    return letters[0] != letters[1] and len({frozenset(map(str.casefold, one)) for one in letters}) == 1


def is_giant(text: str) -> bool:
    """True for powers whose exponents have more than five digits (10^{10^{10}}), and binomials of such numbers."""
    if _LARGE_BINOMIAL.search(text):
        return True
    return any(int(found[2]) * math.log10(max(1, int(found[1]))) >= LONG_EXPONENT for found in _TOWER.finditer(text))


def is_nonsense(text: str) -> bool:
    r"""True for `\{\{\{...` and `½½½½½½½½½`: brackets that do not pair up by far, fractions one behind the other.

    That is no formula, whatever the engine would make of it after its deadline.
    """
    ends = sum(map(text.count, "([{")), sum(map(text.count, ")]}"))  # together: [0,1) is an interval
    return abs(ends[0] - ends[1]) > MAX_UNMATCHED or _FRACTIONS.search(text) is not None
