r"""Exact rationals out of answers, without a symbolic engine: the path that almost every comparison takes.

"1,234"  "-0.50"  "3/4"  "\frac{3}{4}"  "1\frac12"  "2 1/2"  "25%"  "1.5e3"  "3*10^{5}"  "0.1\overline{6}"

A number in a stated base (`101_2`) is no rational here: the same value in another base is another answer.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from fractions import Fraction

MAX_DIGITS = 400  # (ours) longer literals are compared as text only: no quadratic conversions of hostile input

_INTEGER = r"\d+"
_DECIMAL = r"(?:\d+\.?\d*|\.\d+)"
_PLAIN = re.compile(rf"([+-]?)({_DECIMAL})(?:[eE]([+-]?\d{{1,3}}))?$")
_RATIO = re.compile(rf"([+-]?)({_DECIMAL})/([+-]?{_DECIMAL})$")
_LATEX_RATIO = re.compile(rf"([+-]?)\\frac(?:\{{([+-]?{_DECIMAL})\}}|(\d))(?:\{{([+-]?{_DECIMAL})\}}|(\d))$")
_MIXED = re.compile(rf"([+-]?)({_INTEGER})(?:\\frac(?:\{{(\d+)\}}|(\d))(?:\{{(\d+)\}}|(\d))|_(\d+)/(\d+))$")
_SCIENTIFIC = re.compile(rf"([+-]?)({_DECIMAL})\*10\^(?:\{{([+-]?\d{{1,3}})\}}|(\d))$")
_REPEATING = re.compile(r"([+-]?)(\d{0,40})\.(\d{0,40})(?:\\overline\{?(\d{1,40})\}?|\\dot\{?(\d)\}?)$")
_BASED = re.compile(r"\(?([0-9][0-9A-Za-z]*)\)?_[{(]{0,2}(?:base)?(\d{1,2}|[a-z]+)[)}]{0,2}$")
_HEXADECIMAL = re.compile(r"0[xX]([0-9A-Fa-f]+)")
_BASE_NAMES = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
_COMMA = re.compile(r"[+-]?(?:0,\d{1,20}|[1-9]\d{0,20},(?:\d{1,2}|\d{4,20}))")
_PARENTHESES = re.compile(r"\(([^()]*)\)$|\{([^{}]*)\}$")


@dataclass(frozen=True, kw_only=True)
class Number:
    """A rational as written. decimals: digits after the decimal point (0 for integers and fractions)."""

    value: Fraction
    is_percent: bool = False
    decimals: int = 0

    def as_float(self) -> float | None:
        """The value, a percent as what stands before its sign; None beyond the range of floats."""
        try:
            return float(self.value)
        except OverflowError:
            return None


@functools.lru_cache(maxsize=20_000)
def parse_number(text: str) -> Number | None:
    """The rational that a normalised answer spells out, or None when it is anything else."""
    if not text or len(text) > MAX_DIGITS or not any(c.isdigit() for c in text):
        return None
    if text.endswith("%"):
        number = parse_number(text.removesuffix("%").removesuffix("\\"))
        return None if number is None else Number(value=number.value, is_percent=True, decimals=number.decimals)
    if inner := _PARENTHESES.match(text):
        return parse_number(inner.group(1) or inner.group(2) or "")
    if plain := _PLAIN.match(text):
        return _plain(*plain.groups())
    value = _ratio(text) or _mixed(text) or _scientific(text) or _repeating(text)
    return None if value is None else Number(value=value[0])


def decimal_comma(text: str) -> Number | None:
    """`1,5` and `0,111` as decimals; None for what may be a thousands separator or a list."""
    return parse_number(text.replace(",", ".")) if _COMMA.fullmatch(text) else None


def _plain(sign: str, digits: str, exponent: str | None) -> Number:
    value = Fraction(digits.rstrip(".") or "0") * Fraction(10) ** int(exponent or 0)
    decimals = len(digits.partition(".")[2])
    return Number(value=-value if sign == "-" else value, decimals=decimals)


def _ratio(text: str) -> tuple[Fraction] | None:
    if slash := _RATIO.match(text):
        sign, top, bottom = slash.groups()
    elif latex := _LATEX_RATIO.match(text):
        sign, top, bottom = latex[1], latex[2] or latex[3], latex[4] or latex[5]
    else:
        return None
    return _signed(sign, Fraction(0), top, bottom)


def _mixed(text: str) -> tuple[Fraction] | None:
    if not (mixed := _MIXED.match(text)):
        return None
    top = mixed[3] or mixed[4] or mixed[7]
    bottom = mixed[5] or mixed[6] or mixed[8]
    return _signed(mixed[1], Fraction(mixed[2]), top, bottom)


def _scientific(text: str) -> tuple[Fraction] | None:
    if not (power := _SCIENTIFIC.match(text)):
        return None
    value = Fraction(power[2].rstrip(".")) * Fraction(10) ** int(power[3] or power[4])
    return (-value if power[1] == "-" else value,)


def _repeating(text: str) -> tuple[Fraction] | None:
    if not (found := _REPEATING.match(text)):
        return None
    sign, whole, fixed, cycle = found[1], found[2], found[3], found[4] or found[5]
    period = Fraction(int(cycle), 10 ** len(cycle) - 1)
    value = Fraction(int(whole or "0")) + (int(fixed or "0") + period) / 10 ** len(fixed)
    return (-value if sign == "-" else value,)


def based(text: str) -> tuple[str, int] | None:
    """(digits, base) of a number that states its base (`101_2`, `1A_{16}`, `101_{two}`, `0x1A`), leading zeros off."""
    if (hexadecimal := _HEXADECIMAL.fullmatch(text)) is not None:
        return hexadecimal[1].upper().lstrip("0"), 16
    if (found := _BASED.match(text)) is None:
        return None
    base = _BASE_NAMES.get(found[2]) or (int(found[2]) if found[2].isdigit() else None)
    return None if base is None else (found[1].upper().lstrip("0"), base)


def _signed(sign: str, whole: Fraction, top: str, bottom: str) -> tuple[Fraction] | None:
    divisor = Fraction(bottom.rstrip("."))
    if divisor == 0:
        return None
    value = whole + Fraction(top.rstrip(".")) / divisor
    return (-value if sign == "-" else value,)
