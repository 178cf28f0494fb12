"""Bare arithmetic as an answer: evaluated here, exactly and within bounds, without a symbolic engine.

An unevaluated expression (`3+4*5` boxed as the answer to "compute 3+4*5") copies the question: it is not an answer.
A bare power (`2^{10}`) is.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

MAX_BITS = 20_000  # (ours) of a numerator or denominator
MAX_CHARS = 1_000  # (ours) of arithmetic
MAX_DEPTH = 120  # (ours) of nested brackets

_PLAIN = re.compile(r"[0-9.,+\-*/^(){}=%\s]*")
_ARITHMETIC = re.compile(r"[0-9.,+\-*/^(){}=%!\s]*")
_OPERATION = re.compile(r"\\(?:sum|prod|int|lim)(?![a-zA-Z])")
_CHOICES = re.compile(r"C\((\d{1,9}),(\d{1,9})\)")
_SUM = re.compile(r"[0-9)}.] *[+-]")
_WORDS_ONLY = re.compile(r"[^\d\\]*")
_COMMAND = re.compile(r"\\(?:frac|binom)(?![a-zA-Z])")
_TOKEN = re.compile(r"\d+\.?\d*|\.\d+|[-+*/^(){}!]|\\frac|\\binom")
_SHRINKING = re.compile(r"[-/\\]|(?<![\d.])[01](?![\d.])")  # what may bring a large number back
MAX_FACTORIAL = 2_000  # (ours) 2000! has 19,053 bits
_CLOSING = {"(": ")", "{": "}"}


class TooLargeError(ArithmeticError):
    """A value beyond MAX_BITS: larger (or finer) than any reference."""


class _MalformedError(ValueError):
    pass


def is_arithmetic(text: str) -> bool:
    """True when the text holds digits, brackets, + - * / ^ ! =, \\frac and \\binom only."""
    return _ARITHMETIC.fullmatch(_COMMAND.sub("", text)) is not None


def is_unevaluated(text: str) -> bool:
    """True for sums, limits and integrals, and arithmetic without fractions or factorials that is not carried out."""
    if _OPERATION.search(text):
        return True
    return _PLAIN.fullmatch(text) is not None and (
        _SUM.search(text) is not None or ("^" not in text and "," not in text)
    )


def as_binomial(text: str) -> str:
    r"""`C(5,2)` as `\binom{5}{2}`, where a number is asked for: elsewhere it is the point C."""
    return f"\\binom{{{found[1]}}}{{{found[2]}}}" if (found := _CHOICES.fullmatch(text)) else text


def cannot_be_number(text: str) -> bool:
    """True for text without a digit or a LaTeX command: it never spells a rational."""
    return _WORDS_ONLY.fullmatch(text) is not None


def evaluate(text: str) -> Fraction | None:
    """The exact value of bare arithmetic; None when it is anything else, or takes larger numbers on the way.

    Raises TooLargeError when the value itself is surely larger than any reference.
    """
    tokens = _TOKEN.findall(text)
    if len(text) > MAX_CHARS or "".join(tokens) != text or text.count("(") + text.count("{") > MAX_DEPTH:
        return None
    try:
        value = _sum(tokens)
    except TooLargeError:
        if _SHRINKING.search(text):
            return None
        raise
    except (_MalformedError, ZeroDivisionError):
        return None
    return None if tokens else value


def _sum(tokens: list[str]) -> Fraction:
    """Consume `a + b - c` from the front of the list."""
    value = _product(tokens)
    while tokens and tokens[0] in "+-":
        sign = 1 if tokens.pop(0) == "+" else -1
        value = _bounded(value + sign * _product(tokens))
    return value


def _product(tokens: list[str]) -> Fraction:
    value = _power(tokens)
    while tokens and tokens[0] not in "+-)}":
        if tokens[0] == "/":
            tokens.pop(0)
            value = _bounded(value / _power(tokens))
        else:  # a missing sign multiplies: 2(3)
            if tokens[0] == "*":
                tokens.pop(0)
            value = _bounded(value * _power(tokens))
    return value


def _power(tokens: list[str]) -> Fraction:
    sign = 1
    while tokens and tokens[0] in "+-":
        sign *= 1 if tokens.pop(0) == "+" else -1
    base = _atom(tokens)
    if not tokens or tokens[0] != "^":
        return sign * base
    tokens.pop(0)
    exponent = _power(tokens)
    if exponent.denominator != 1:
        raise _MalformedError  # a root: left to the symbolic engine
    if abs(base) not in (0, 1):
        bits = max(abs(base.numerator).bit_length(), base.denominator.bit_length())
        if abs(exponent) * max(1, bits - 1) > MAX_BITS:
            raise TooLargeError
    return sign * _bounded(Fraction(base ** int(exponent)))


def _atom(tokens: list[str]) -> Fraction:
    value = _unmarked(tokens)
    if tokens and tokens[0] == "!":
        tokens.pop(0)
        value = _factorial(value)
        if tokens and tokens[0] == "!":
            raise _MalformedError  # a double factorial: left to the symbolic engine
    return value


def _unmarked(tokens: list[str]) -> Fraction:
    """A number, a group, a fraction or a binomial coefficient, before any factorial sign."""
    if not tokens:
        raise _MalformedError
    first = tokens.pop(0)
    if first in _CLOSING:
        value = _sum(tokens)
        if not tokens or tokens.pop(0) != _CLOSING[first]:
            raise _MalformedError
        return value
    if first in ("\\frac", "\\binom"):
        top, bottom = _argument(tokens), _argument(tokens)
        return _bounded(top / bottom) if first == "\\frac" else _binomial(top, bottom)
    if not first[-1].isdigit() and not first[0].isdigit():
        raise _MalformedError
    return Fraction(first.rstrip("."))


def _argument(tokens: list[str]) -> Fraction:
    """One LaTeX argument: a brace group, or the first digit of a number."""
    if tokens and tokens[0].isdigit() and len(tokens[0]) > 1:
        digit, tokens[0] = tokens[0][0], tokens[0][1:]
        return Fraction(digit)
    return _unmarked(tokens)


def _factorial(value: Fraction) -> Fraction:
    if value.denominator != 1 or value < 0:
        raise _MalformedError
    if value > MAX_FACTORIAL:
        raise TooLargeError
    return _bounded(Fraction(math.factorial(int(value))))


def _binomial(top: Fraction, bottom: Fraction) -> Fraction:
    if top.denominator != 1 or bottom.denominator != 1 or not 0 <= bottom <= top:
        raise _MalformedError
    if min(bottom, top - bottom) > 2 * MAX_FACTORIAL:  # then it is at least 2^4000
        raise TooLargeError
    return _bounded(Fraction(math.comb(int(top), int(bottom))))


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise TooLargeError
    return value
