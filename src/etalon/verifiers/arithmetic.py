"""Which answers are bare arithmetic: decided here, exactly, without a symbolic engine.

An unevaluated expression (`3+4*5` boxed as the answer to "compute 3+4*5") copies the question: it is not an answer.
"""

from __future__ import annotations

import re

from etalon.verifiers.numbers import Number, parse_number

_ARITHMETIC = re.compile(r"[0-9.,+\-*/^(){}=%\s]*")
_SUM = re.compile(r"[0-9)}.] *[+-]")
_WORDS_ONLY = re.compile(r"[^\d\\]*")


def is_arithmetic(text: str) -> bool:
    """True when the text holds digits, brackets and the operators + - * / ^ = only."""
    return _ARITHMETIC.fullmatch(text) is not None


def is_unevaluated(text: str) -> bool:
    """True for arithmetic that still has a sum or a product to carry out; a bare power (`2^{10}*3`) is a value."""
    return is_arithmetic(text) and (_SUM.search(text) is not None or ("^" not in text and "," not in text))


def right_hand_side(text: str) -> Number | None:
    """The number after the last `=` of an arithmetic line such as `3+4=7`, or None."""
    return parse_number(text.rpartition("=")[2]) if "=" in text else None


def cannot_be_number(text: str) -> bool:
    """True for text without a digit or a LaTeX command: it never spells a rational."""
    return _WORDS_ONLY.fullmatch(text) is not None
