r"""Exact rationals out of answers, without a symbolic engine: the path that almost every comparison takes.

"1,234"  "-0.50"  "3/4"  "\frac{3}{4}"  "1\frac12"  "2 1/2"  "25\%"  "1.5e3"  "3\times10^{5}"
"""

from __future__ import annotations

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
_PARENTHESES = re.compile(r"\(([^()]*)\)$|\{([^{}]*)\}$")


@dataclass(frozen=True, kw_only=True)
class Number:
    """A rational as written. decimals: digits after the decimal point (0 for integers and fractions)."""

    value: Fraction
    is_percent: bool = False
    decimals: int = 0


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
    value = _ratio(text) or _mixed(text) or _scientific(text)
    return None if value is None else Number(value=value[0])


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


def _signed(sign: str, whole: Fraction, top: str, bottom: str) -> tuple[Fraction] | None:
    divisor = Fraction(bottom.rstrip("."))
    if divisor == 0:
        return None
    value = whole + Fraction(top.rstrip(".")) / divisor
    return (-value if sign == "-" else value,)
