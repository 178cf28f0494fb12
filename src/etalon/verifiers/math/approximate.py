r"""Floating-point values of simple formulas: two that are far apart are different, and the engine need not be asked.

    "3\sqrt{2}" "\frac{\pi}{4}" "x^2-2x+1"  ->  a float, each variable standing for a fixed number

Two values that are close prove nothing. Formulas with other commands, subscripts or e, i have no value here.
"""

from __future__ import annotations

import math
import re

MAX_CHARS = 400  # (ours)
FAR_APART = 1e-3  # (ours) in proportion; no rounding of ours reaches that far

_TOKEN = re.compile(r"\d+\.?\d*|\.\d+|[-+*/^(){}\[\]]|\\(?:frac|sqrt|pi)(?![a-zA-Z])|[a-df-hj-zA-Z]| ")
_CLOSING = {"(": ")", "{": "}", "[": "]"}
_MAX_DEPTH = 40


class _UnknownError(ValueError):
    pass


def are_far_apart(a: str, b: str) -> bool:
    """True when both texts have values and these surely differ."""
    first, second = approximate(a), approximate(b)
    if first is None or second is None:
        return False
    return abs(first - second) > FAR_APART * max(abs(first), abs(second))


def approximate(text: str) -> float | None:
    """The value of a formula, None when it is not simple enough (or not a finite real number)."""
    tokens = _TOKEN.findall(text)
    if len(text) > MAX_CHARS or "".join(tokens) != text or sum(map(text.count, "([{")) > _MAX_DEPTH:
        return None
    tokens = [token for token in tokens if token.strip()]
    try:
        value = _sum(tokens)
    except (ArithmeticError, ValueError):
        return None
    return value if not tokens and math.isfinite(value) else None


def _sum(tokens: list[str]) -> float:
    value = _product(tokens)
    while tokens and tokens[0] in "+-":
        sign = 1 if tokens.pop(0) == "+" else -1
        value += sign * _product(tokens)
    return value


def _product(tokens: list[str]) -> float:
    value = _power(tokens)
    while tokens and tokens[0] not in ("+", "-", *_CLOSING.values()):
        if tokens[0] == "/":
            tokens.pop(0)
            value /= _power(tokens)
        else:
            if tokens[0] == "*":
                tokens.pop(0)
            value *= _power(tokens)
    return value


def _power(tokens: list[str]) -> float:
    if tokens and tokens[0] in "+-":
        sign = 1 if tokens.pop(0) == "+" else -1
        return sign * _power(tokens)
    base = _atom(tokens)
    if tokens and tokens[0] == "^":
        tokens.pop(0)
        exponent = _power(tokens)
        return math.pow(base, exponent)
    return base


def _atom(tokens: list[str]) -> float:
    if not tokens:
        raise _UnknownError
    first = tokens.pop(0)
    if first in _CLOSING:
        value = _sum(tokens)
        if not tokens or tokens.pop(0) != _CLOSING[first]:
            raise _UnknownError
        return value
    if first == "\\frac":
        top = _argument(tokens)
        return top / _argument(tokens)
    if first == "\\sqrt":
        degree = _atom(tokens) if tokens and tokens[0] == "[" else 2.0
        return math.pow(_argument(tokens), 1 / degree)
    if first == "\\pi":
        return math.pi
    if first.isalpha():
        return 0.3 + math.modf(ord(first) * math.sqrt(2))[0]
    if first[-1].isdigit() or first[0].isdigit():
        return float(first)
    raise _UnknownError


def _argument(tokens: list[str]) -> float:
    """One LaTeX argument: a brace group, a command, or the first character of what follows."""
    if tokens and len(tokens[0]) > 1 and tokens[0].isdigit():
        digit, tokens[0] = tokens[0][0], tokens[0][1:]
        return float(digit)
    return _atom(tokens)
