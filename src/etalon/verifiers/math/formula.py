r"""Values of formulas without a symbolic engine: one grammar, read with exact fractions or with floats.

    sum      product (+|- product)*
    product  power ([*] power | / power)*                 a missing sign multiplies: 2(3), 2\pi r
    power    (+|-)* operand [^ power]
    operand  (number | letter | \pi | (sum) | {sum} | \frac ab | \binom ab | \sqrt[n]a) [!]

    evaluate      bare arithmetic, exactly and within bounds: 2^{10}, 5!, \binom{5}{2}
    approximate   simple formulas as floats, each variable standing for a fixed number: 3\sqrt{2}, x^2-2x+1

Two floats that are far apart are different, and the engine need not be asked; two that are close prove nothing. An
unevaluated expression (`3+4*5` boxed as the answer to "compute 3+4*5") copies the question: it is not an answer.
A bare power (`2^{10}`) is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Generic, Protocol, TypeVar

MAX_BITS = 20_000  # (ours) of a numerator or denominator
MAX_FACTORIAL = 2_000  # (ours) 2000! has 19,053 bits
FAR_APART = 1e-3  # (ours) in proportion; no rounding of ours reaches that far

_PLAIN = re.compile(r"[0-9.,+\-*/^(){}=%\s]*")
_ARITHMETIC = re.compile(r"[0-9.,+\-*/^(){}=%!\s]*")
_OPERATION = re.compile(r"\\(?:sum|prod|int|lim)(?![a-zA-Z])")
_CHOICES = re.compile(r"C\((\d{1,9}),(\d{1,9})\)")
_SUM = re.compile(r"[0-9)}.] *[+-]")
_WORDS_ONLY = re.compile(r"[^\d\\]*")
_COMMAND = re.compile(r"\\(?:frac|binom)(?![a-zA-Z])")
_SHRINKING = re.compile(r"[-/\\]|(?<![\d.])[01](?![\d.])")  # what may bring a large number back
_CLOSING = {"(": ")", "{": "}", "[": "]"}
_SIGNS = ("+", "-")
_ENDS = frozenset((*_SIGNS, *_CLOSING.values()))  # of a product


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
    tokens = _tokens(text, _EXACT)
    if tokens is None:
        return None
    try:
        return _Formula(tokens, _EXACT).value()
    except TooLargeError:
        if _SHRINKING.search(text):
            return None
        raise
    except (_MalformedError, ZeroDivisionError):
        return None


def are_far_apart(a: str, b: str) -> bool:
    """True when both texts have values and these surely differ."""
    first, second = approximate(a), approximate(b)
    if first is None or second is None:
        return False
    return abs(first - second) > FAR_APART * max(abs(first), abs(second))


def approximate(text: str, *, has_functions: bool = False) -> float | None:
    """The value of a formula, None when it is not simple enough (or not a finite real number).

    Formulas with other commands, subscripts or e, i have no value here. has_functions: logarithms and trigonometry of
    one operand, and e, have one.
    """
    values = _FUNCTIONS if has_functions else _FLOATS
    tokens = _tokens(text, values)
    if tokens is None:
        return None
    try:
        value = _Formula([piece for piece in tokens if piece != " "], values).value()
    except (ArithmeticError, ValueError):
        return None
    return value if math.isfinite(value) else None


Value = TypeVar("Value", Fraction, float)


class _Values(Protocol[Value]):
    """What a formula may hold, and what its numbers and operations come to; + - * / are Python's, then `bounded`."""

    tokens: re.Pattern[str]
    max_chars: int
    max_depth: int  # of nested brackets

    def number(self, text: str) -> Value: ...
    def bounded(self, value: Value) -> Value: ...
    def power(self, base: Value, exponent: Value) -> Value: ...
    def root(self, value: Value, degree: Value | None) -> Value: ...
    def factorial(self, value: Value, step: int = 1) -> Value: ...
    def binomial(self, top: Value, bottom: Value) -> Value: ...


class _Exact:
    """Bounded fractions; what has no exact value is left to the symbolic engine."""

    tokens = re.compile(r"\d+\.?\d*|\.\d+|[-+*/^(){}!]|\\frac|\\binom")
    max_chars = 1_000  # (ours)
    max_depth = 120  # (ours)

    def number(self, text: str) -> Fraction:
        if not text[-1].isdigit() and not text[0].isdigit():
            raise _MalformedError
        return Fraction(text.rstrip("."))

    def bounded(self, value: Fraction) -> Fraction:
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
            raise TooLargeError
        return value

    def power(self, base: Fraction, exponent: Fraction) -> Fraction:
        if exponent.denominator != 1:
            raise _MalformedError  # a root
        if abs(base) not in (0, 1):
            bits = max(abs(base.numerator).bit_length(), base.denominator.bit_length())
            if abs(exponent) * max(1, bits - 1) > MAX_BITS:
                raise TooLargeError
        return self.bounded(Fraction(base ** int(exponent)))

    def root(self, value: Fraction, degree: Fraction | None) -> Fraction:
        raise _MalformedError

    def factorial(self, value: Fraction, step: int = 1) -> Fraction:
        if value.denominator != 1 or value < 0:
            raise _MalformedError
        if value > MAX_FACTORIAL:
            raise TooLargeError
        return self.bounded(Fraction(math.prod(range(int(value), 0, -step))))

    def binomial(self, top: Fraction, bottom: Fraction) -> Fraction:
        if top.denominator != 1 or bottom.denominator != 1 or not 0 <= bottom <= top:
            raise _MalformedError
        if min(bottom, top - bottom) > 2 * MAX_FACTORIAL:  # then it is at least 2^4000
            raise TooLargeError
        return self.bounded(Fraction(math.comb(int(top), int(bottom))))


class _Floats:
    """Floating-point numbers, roots, \\pi and variables."""

    tokens = re.compile(r"\d+\.?\d*|\.\d+|[-+*/^(){}\[\]]|\\(?:frac|sqrt|pi)(?![a-zA-Z])|[a-df-hj-zA-Z]| ")
    max_chars = 400  # (ours)
    max_depth = 40  # (ours)

    def number(self, text: str) -> float:
        if text == "\\pi":
            return math.pi
        if text.isalpha():
            return 0.3 + math.modf(ord(text) * math.sqrt(2))[0]
        return float(text)  # a ValueError for any sign

    def bounded(self, value: float) -> float:
        return value

    def power(self, base: float, exponent: float) -> float:
        return math.pow(base, exponent)

    def root(self, value: float, degree: float | None) -> float:
        return math.pow(value, 1 / (2.0 if degree is None else degree))

    def factorial(self, value: float, step: int = 1) -> float:
        raise _MalformedError

    def binomial(self, top: float, bottom: float) -> float:
        raise _MalformedError


class _Functions(_Floats):
    """The same, without variables."""

    tokens = re.compile(
        r"\d+\.?\d*|\.\d+|[-+*/^(){}\[\]]|\\(?:frac|sqrt|pi|ln|sin|cos|tan|arcsin|arccos|arctan)(?![a-zA-Z])|e| "
    )

    def number(self, text: str) -> float:
        return math.e if text == "e" else super().number(text)


FUNCTIONS: dict[str, Callable[[float], float]] = {
    "\\ln": math.log, "\\sin": math.sin, "\\cos": math.cos, "\\tan": math.tan, "\\arcsin": math.asin,
    "\\arccos": math.acos, "\\arctan": math.atan,
}  # fmt: skip
_EXACT, _FLOATS, _FUNCTIONS = _Exact(), _Floats(), _Functions()


def _tokens(text: str, values: _Values[Value]) -> list[str] | None:
    """The text in tokens; None when it holds anything else, or too much."""
    tokens = values.tokens.findall(text)
    is_whole = len(text) <= values.max_chars and "".join(tokens) == text
    return tokens if is_whole and sum(map(text.count, "([{")) <= values.max_depth else None


class _Formula(Generic[Value]):
    """Reads tokens from the front, a method for each line of the grammar; malformed ones raise a ValueError."""

    def __init__(self, tokens: list[str], values: _Values[Value]) -> None:
        self._tokens = tokens
        self._values: _Values[Value] = values

    def value(self) -> Value:
        """The value of all tokens."""
        value = self._sum()
        if self._tokens:
            raise _MalformedError
        return value

    def _next(self) -> str:
        return self._tokens[0] if self._tokens else ""

    def _sum(self) -> Value:
        value = self._product()
        while self._next() in _SIGNS:
            is_plus = self._tokens.pop(0) == "+"
            term = self._product()
            value = self._values.bounded(value + term if is_plus else value - term)
        return value

    def _product(self) -> Value:
        value = self._power()
        while self._tokens and self._tokens[0] not in _ENDS:
            sign = self._tokens.pop(0) if self._tokens[0] in "*/" else "*"
            factor = self._power()
            value = self._values.bounded(value / factor if sign == "/" else value * factor)
        return value

    def _power(self) -> Value:
        is_negative = False
        while self._next() in _SIGNS:
            is_negative ^= self._tokens.pop(0) == "-"
        value = self._operand()
        if self._next() == "^":
            self._tokens.pop(0)
            value = self._values.power(value, self._power())
        return -value if is_negative else value

    def _operand(self) -> Value:
        value = self._unmarked()
        if self._next() == "!":
            self._tokens.pop(0)
            if self._next() == "!":
                self._tokens.pop(0)
                value = self._values.factorial(value, step=2)
            else:
                value = self._values.factorial(value)
            if self._next() == "!":
                raise _MalformedError
        return value

    def _unmarked(self) -> Value:
        """An operand before any factorial sign."""
        if not self._tokens:
            raise _MalformedError
        first = self._tokens.pop(0)
        if first in _CLOSING:
            value = self._sum()
            if not self._tokens or self._tokens.pop(0) != _CLOSING[first]:
                raise _MalformedError
            return value
        if first in ("\\frac", "\\binom"):
            top, bottom = self._argument(), self._argument()
            return self._values.bounded(top / bottom) if first == "\\frac" else self._values.binomial(top, bottom)
        if first in FUNCTIONS and isinstance(self._values, _Functions):
            return self._values.bounded(FUNCTIONS[first](float(self._power())))
        if first == "\\sqrt":
            degree = self._unmarked() if self._next() == "[" else None
            return self._values.root(self._argument(), degree)
        return self._values.number(first)

    def _argument(self) -> Value:
        """One LaTeX argument: a brace group, a command, or the first digit of a number."""
        first = self._next()
        if first.isdigit() and len(first) > 1:
            self._tokens[0] = first[1:]
            return self._values.number(first[0])
        return self._unmarked()
