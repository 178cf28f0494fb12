"""Is a program's output the expected one? Pure functions of (expected, output).

    tokens    (default) line by line, blanks do not count; a number written with a point compares by value, 1e-6
    lines     line by line, trailing blanks and empty lines at the end do not count
    exact     the same text, but for one newline at the end
    float:T   as tokens, and every number compares by value, T absolute or relative; whole numbers are whole

A tolerance that the statement names stands for the usual one where the tests name no way to compare. Returned values
compare by type: True is not 1, a tuple is a list, and a float is close only where the reference is a float.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

TOLERANCE = 1e-6  # (ours) absolute, or relative to the larger value
PRINTED = 5  # decimals of references that LeetCode prints; a float that rounds to one, or is a last digit off, is right
MOST_DIGITS = 4000  # (ours) of integers that are read as numbers: longer ones take quadratic time
NOTHING, DIGITS = 1e-12, 1e-3  # (ours) between this and the tolerance a value is not nothing: three digits count

MOST_PRECISE, LEAST_PRECISE = 1e-12, 0.01  # (ours) of tolerances that a statement may name

_WHOLE = re.compile(r"[+-]?\d+")
_FLOAT = re.compile(r"float:?(\d*\.?\d+(?:[eE]-?\d{1,3})?)")
_STATED = re.compile(  # "error does not exceed 10^{-6}", "within 1e-5 of", "a tolerance of 0.001"
    r"(?:\berrors?\b|\bwithin\b|\btolerance\b|\bdiffers? by\b|\bprecision of\b)[^\n]{0,120}?"
    r"(?:(?<![\d.])10 ?(?:\^|\*\*) ?\{?\(? ?[-−–] ?(?P<exponent>\d{1,2})\b|(?<![\d.])10[-−](?P<raised>\d{1,2})(?![\d-])"
    r"|\b1e-(?P<e>\d{1,2})\b|(?P<decimal>(?<![\d.])0\.0{0,11}1\b))(?! ?(?:ms|s|sec|seconds?|minutes?|places)\b)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?")


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").rstrip().split("\n")


@dataclass(frozen=True, kw_only=True)
class Closeness:
    """When two numbers are one. tolerance: absolute, or relative to the larger value.

    all_numbers: also where the expected one has no point; two whole numbers are never close. is_stated: by the tests or
    by the problem's statement, which means it for tiny values, too.
    """

    tolerance: float = TOLERANCE
    all_numbers: bool = False
    is_stated: bool = False

    def holds(self, expected: float, output: float) -> bool:
        if not self.is_stated and NOTHING < abs(expected) < self.tolerance:
            return math.isclose(expected, output, rel_tol=DIGITS)
        return math.isclose(expected, output, rel_tol=self.tolerance, abs_tol=self.tolerance)


USUAL = Closeness()


def read_compare(name: str) -> str | Closeness | None:
    """A way to compare by its name: "lines", "exact", or how close numbers in tokens are; None for any other name."""
    if name in ("lines", "exact"):
        return name
    if name == "tokens":
        return USUAL
    found = _FLOAT.fullmatch(name)
    tolerance = float(found[1]) if found else 0.0
    return Closeness(tolerance=tolerance, all_numbers=True, is_stated=True) if 0 < tolerance < 1 else None


def stated_closeness(statement: str) -> Closeness | None:
    """The tolerance that the statement of a problem names ("error of at most 10^{-4}"), or None."""
    for found in _STATED.finditer(statement):
        exponent = found["exponent"] or found["raised"] or found["e"]
        tolerance = 10.0 ** -int(exponent) if exponent else float(found["decimal"])
        if MOST_PRECISE <= tolerance <= LEAST_PRECISE:
            return Closeness(tolerance=tolerance, all_numbers=True, is_stated=True)
    return None


def compare_output(expected: str, output: str, compare: str | Closeness) -> bool:
    """Whether what a program printed is what was expected."""
    if compare == "lines":
        return [line.rstrip() for line in _lines(expected)] == [line.rstrip() for line in _lines(output)]
    if expected.removesuffix("\n") == output.removesuffix("\n"):
        return True
    if not isinstance(compare, Closeness):
        return False
    left, right = _lines(expected.strip()), _lines(output.strip())
    if len(left) != len(right):
        return False
    return all(_same_line(a.split(), b.split(), compare) for a, b in zip(left, right, strict=True))


def _same_line(expected: list[str], output: list[str], closeness: Closeness) -> bool:
    return len(expected) == len(output) and all(
        a == b or _same_number(a, b, closeness) for a, b in zip(expected, output, strict=True)
    )


def _same_number(expected: str, output: str, closeness: Closeness) -> bool:
    are_whole = _WHOLE.fullmatch(expected) and _WHOLE.fullmatch(output)
    if not ("." in expected or (closeness.all_numbers and not are_whole)):
        return False
    if not _NUMBER.fullmatch(expected) or not _NUMBER.fullmatch(output):
        return False
    return closeness.holds(float(expected), float(output))


class Integer(str):
    """An integer that is too long to be read as one: its digits."""

    __slots__ = ()


class Written(float):
    """A number with a point, and how many decimals it was written with."""

    decimals: int


def _read_integer(text: str) -> Any:
    return int(text) if len(text) <= MOST_DIGITS else Integer(text)


def _read_float(text: str) -> Written:
    value = Written(text)
    value.decimals = 0 if "e" in text.lower() else len(text.partition(".")[2])
    return value


def read_json(text: str) -> Any:
    """A JSON value; its long integers are Integer, its floats Written. Raises ValueError, RecursionError."""
    return json.loads(text, parse_int=_read_integer, parse_float=_read_float)


def compare_value(expected: Any, output: str, closeness: Closeness = USUAL) -> bool:
    """True when `output` is JSON for the expected value, type by type."""
    try:
        return _same_value(expected, json.loads(output, parse_int=_read_integer), closeness)
    except (ValueError, OverflowError, RecursionError):  # no JSON, or a number beyond the range of floats
        return False


def _same_value(expected: Any, value: Any, closeness: Closeness) -> bool:
    is_loose = isinstance(expected, float) or (closeness.all_numbers and type(expected) is int and type(value) is float)
    if is_loose and type(value) in (int, float):
        if getattr(expected, "decimals", 0) == PRINTED and abs(expected - value) <= 10.0**-PRINTED:
            return True
        return closeness.holds(expected, value) or (math.isnan(expected) and math.isnan(value))
    if type(expected) is not type(value):
        return False
    if isinstance(expected, list):
        return len(expected) == len(value) and all(
            _same_value(left, right, closeness) for left, right in zip(expected, value, strict=True)
        )
    if isinstance(expected, dict):
        return expected.keys() == value.keys() and all(
            _same_value(left, value[key], closeness) for key, left in expected.items()
        )
    return bool(expected == value)
