"""What a rule is asked with: its keyword arguments, read by the annotations of the function that checks it.

    {"num_words": 5.0, "relation": "at least"}  ->  num_words=5, relation="at least"

The public data write whole numbers as floats and leave arguments out as null. Anything else that a rule did not ask
for, or that is not what its annotation says, is a bad reference: the checkers would draw a random value instead.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal

from etalon.verifiers.instruct.rules.wordlists import LANGUAGES

Relation = Literal["less than", "at least", "at most"]
Percentage = float  # 0 to 100
Ordinal = int  # from 1
Letter = str  # one character
Language = str  # an ISO 639-1 code that langdetect knows


class BadRuleError(ValueError):
    """A rule that cannot be checked as written: unknown id, missing, unknown or malformed arguments."""


def read_arguments(check: Callable[..., bool], kwargs: Any) -> dict[str, Any]:
    """The arguments of `check`; nulls are absent. Raises BadRuleError, which names the argument."""
    if not isinstance(kwargs, Mapping):
        raise BadRuleError("kwargs is not an object")
    given = {name: value for name, value in kwargs.items() if value is not None}
    wanted = parameters(check)
    if missing := [name for name in wanted if name not in given]:
        raise BadRuleError(f"{missing[0]} is missing")
    if unknown := [str(name) for name in given if name not in wanted]:
        raise BadRuleError(f"{unknown[0]} is no argument of it")
    return {name: _read(name, given[name], kind) for name, kind in wanted.items()}


@cache
def parameters(check: Callable[..., bool]) -> Mapping[str, str]:
    """Argument name -> annotation as written, response left out."""
    found = inspect.signature(check).parameters.values()
    return {parameter.name: parameter.annotation for parameter in found if parameter.kind is parameter.KEYWORD_ONLY}


def _read(name: str, value: Any, kind: str) -> Any:
    read, expected = _READERS[kind]
    found = read(value)
    if found is None:
        raise BadRuleError(f"{name}: found {value!r:.60}, expected {expected}")
    return found


def _count(value: Any) -> int | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and math.isfinite(value) and value >= 0 and value == int(value) else None


def _percentage(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= 100 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _texts(value: Any) -> list[str] | None:
    is_list = isinstance(value, list | tuple) and len(value) > 0
    return list(value) if is_list and all(_text(word) is not None for word in value) else None


def _one_of(names: frozenset[str]) -> Callable[[Any], str | None]:
    return lambda value: value if isinstance(value, str) and value in names else None


_READERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "int": (_count, "a whole number from 0"),
    "Ordinal": (lambda value: _count(value) or None, "a whole number from 1"),
    "Percentage": (_percentage, "a number from 0 to 100"),
    "str": (_text, "text"),
    "Letter": (lambda value: value if isinstance(value, str) and len(value.strip()) == 1 else None, "one character"),
    "list[str]": (_texts, "a list of texts"),
    "Relation": (_one_of(frozenset({"less than", "at least", "at most"})), "less than, at least or at most"),
    "Language": (_one_of(LANGUAGES), "a language code such as en"),
}


def holds(count: int, relation: Relation, bound: int) -> bool:
    """`less than` and `at least` are the data set's relations; `at most` is a common addition."""
    if relation == "less than":
        return count < bound
    return count >= bound if relation == "at least" else count <= bound
