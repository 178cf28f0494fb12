"""Bare arithmetic as an answer: evaluated here, exactly and within bounds, without a symbolic engine.

An unevaluated expression (`3+4*5` boxed as the answer to "compute 3+4*5") copies the question: it is not an answer.
A bare power (`2^{10}`) is.
"""

from __future__ import annotations

import re
from fractions import Fraction

from etalon.verifiers.numbers import MAX_DIGITS, Number, parse_number

MAX_BITS = 20_000  # (ours) of a numerator or denominator
MAX_DEPTH = 40  # (ours) of nested brackets

_ARITHMETIC = re.compile(r"[0-9.,+\-*/^(){}=%\s]*")
_SUM = re.compile(r"[0-9)}.] *[+-]")
_WORDS_ONLY = re.compile(r"[^\d\\]*")
_TOKEN = re.compile(r"\d+\.?\d*|\.\d+|[-+*/^(){}]")
_CLOSING = {"(": ")", "{": "}"}


class TooLargeError(ArithmeticError):
    """A value beyond MAX_BITS: larger (or finer) than any reference."""


class _MalformedError(ValueError):
    pass


def is_arithmetic(text: str) -> bool:
    """True when the text holds digits, brackets and the operators + - * / ^ = only."""
    return _ARITHMETIC.fullmatch(text) is not None


def is_unevaluated(text: str) -> bool:
    """True for arithmetic that still has a sum or a plain product to carry out."""
    return is_arithmetic(text) and (_SUM.search(text) is not None or ("^" not in text and "," not in text))


def right_hand_side(text: str) -> Number | None:
    """The number after the last `=` of an arithmetic line such as `3+4=7`, or None."""
    return parse_number(text.rpartition("=")[2]) if "=" in text else None


def cannot_be_number(text: str) -> bool:
    """True for text without a digit or a LaTeX command: it never spells a rational."""
    return _WORDS_ONLY.fullmatch(text) is not None


def evaluate(text: str) -> Fraction | None:
    """The exact value of bare arithmetic; None when it is anything else. Raises TooLargeError."""
    tokens = _TOKEN.findall(text)
    if len(text) > MAX_DIGITS or "".join(tokens) != text or text.count("(") + text.count("{") > MAX_DEPTH:
        return None
    try:
        value = _sum(tokens)
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
    if not tokens:
        raise _MalformedError
    token = tokens.pop(0)
    if token in _CLOSING:
        value = _sum(tokens)
        if not tokens or tokens.pop(0) != _CLOSING[token]:
            raise _MalformedError
        return value
    if not token[-1].isdigit() and not token[0].isdigit():
        raise _MalformedError
    return Fraction(token.rstrip("."))


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise TooLargeError
    return value
