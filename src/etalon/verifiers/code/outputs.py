"""Is a program's output the expected one? Pure functions of (expected, output).

    tokens    (default) line by line, blanks do not count; a number written with a point compares by value, 1e-6
    lines     line by line, trailing blanks and empty lines at the end do not count
    exact     the same text, but for one newline at the end
    float1e-6 as tokens, and every number compares by value, 1e-6

Returned values compare by type: True is not 1, a tuple is a list, and a float is close (1e-6) only where the
reference is a float.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

TOLERANCE = 1e-6  # (ours) absolute, or relative to the larger value
PRINTED = 5  # decimals of references that LeetCode prints; a float that rounds to one, or is a last digit off, is right
MOST_DIGITS = 4000  # (ours) of integers that are read as numbers: longer ones take quadratic time
NOTHING, DIGITS = 1e-12, 1e-3  # (ours) between this and the tolerance a value is not nothing: three digits count

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?")


def _same_exact(expected: str, output: str) -> bool:
    return expected.removesuffix("\n") == output.removesuffix("\n")


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").rstrip().split("\n")


def _same_lines(expected: str, output: str) -> bool:
    return [line.rstrip() for line in _lines(expected)] == [line.rstrip() for line in _lines(output)]


def _same_tokens(expected: str, output: str, *, all_numbers: bool = False) -> bool:
    if expected == output:
        return True
    left, right = _lines(expected.strip()), _lines(output.strip())
    if len(left) != len(right):
        return False
    return all(_same_line(a.split(), b.split(), all_numbers) for a, b in zip(left, right, strict=True))


def _same_line(expected: list[str], output: list[str], all_numbers: bool) -> bool:
    return len(expected) == len(output) and all(
        a == b or ((all_numbers or "." in a) and _is_close_text(a, b)) for a, b in zip(expected, output, strict=True)
    )


def _is_close_text(expected: str, output: str) -> bool:
    if not _NUMBER.fullmatch(expected) or not _NUMBER.fullmatch(output):
        return False
    return _is_close(float(expected), float(output))


def _is_close(expected: float, output: float) -> bool:
    if NOTHING < abs(expected) < TOLERANCE:
        return math.isclose(expected, output, rel_tol=DIGITS)
    return math.isclose(expected, output, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _same_floats(expected: str, output: str) -> bool:
    return _same_tokens(expected, output, all_numbers=True)


COMPARE: dict[str, Callable[[str, str], bool]] = {
    "tokens": _same_tokens,
    "lines": _same_lines,
    "exact": _same_exact,
    "float1e-6": _same_floats,
}


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


def compare_value(expected: Any, output: str, *, all_numbers: bool = False) -> bool:
    """True when `output` is JSON for the expected value, type by type; all_numbers: integers may be close, too."""
    try:
        return _same_value(expected, json.loads(output, parse_int=_read_integer), all_numbers)
    except (ValueError, OverflowError, RecursionError):  # no JSON, or a number beyond the range of floats
        return False


def _same_value(expected: Any, value: Any, all_numbers: bool) -> bool:
    is_loose = isinstance(expected, float) or (all_numbers and type(expected) is int)
    if is_loose and type(value) in (int, float):
        if getattr(expected, "decimals", 0) == PRINTED and abs(expected - value) <= 10.0**-PRINTED:
            return True
        return _is_close(expected, value) or (math.isnan(expected) and math.isnan(value))
    if type(expected) is not type(value):
        return False
    if isinstance(expected, list):
        return len(expected) == len(value) and all(
            _same_value(left, right, all_numbers) for left, right in zip(expected, value, strict=True)
        )
    if isinstance(expected, dict):
        return expected.keys() == value.keys() and all(
            _same_value(left, value[key], all_numbers) for key, left in expected.items()
        )
    return bool(expected == value)
