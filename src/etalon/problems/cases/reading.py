"""Text that holds JSON or a Python literal, and what is said of tests that are none."""

from __future__ import annotations

import json
from typing import Any

from etalon.errors import InputError
from etalon.problems.syntax import literal

LONGEST_INTEGER = 4300  # digits that Python turns into an integer, and back, at most
_LITERAL = ("{'", "[{'", "['", "[[", "[(")


class BadRowError(InputError):
    """Tests that are not what their columns promise."""


def read_json(column: str, value: Any) -> Any:
    """The value of a column that holds JSON as text, a Python literal where it is no JSON, or the value itself.

    Integers of more than 4,300 digits come as the text of their digits.
    """
    if not isinstance(value, str):
        return value
    try:
        return _loaded(value)
    except (ValueError, RecursionError) as error:
        if value.lstrip().startswith(_LITERAL) and (found := literal(value)) is not None:
            return found
        raise BadRowError(f"{column}: {error}") from error


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # Python's own limit
        return json.loads(text, parse_int=lambda digits: int(digits) if len(digits) <= LONGEST_INTEGER else digits)
