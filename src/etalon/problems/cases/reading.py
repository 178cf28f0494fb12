"""Text that holds JSON or a Python literal, and what is said of tests that are none."""

from __future__ import annotations

import json
import re
from typing import Any

from etalon.errors import InputError
from etalon.problems.syntax import literal

LONGEST_INTEGER = 4300  # digits that Python turns into an integer, and back, at most
_LONG = re.compile(r"\d{4301}")


class BadRowError(InputError):
    """Tests that are not what their columns promise."""


def read_json(column: str, value: Any) -> Any:
    """The value of a column that holds JSON as text, a Python literal where it is no JSON, or the value itself.

    Integers of more than 4,300 digits come as the text of their digits.
    """
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, parse_int=_integer if _LONG.search(value) else None)
    except (ValueError, RecursionError) as error:
        if value.lstrip().startswith(("{'", "[{'", "['", "[[", "[(")) and (found := literal(value)) is not None:
            return found
        raise BadRowError(f"{column}: {error}") from error


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= LONGEST_INTEGER else digits
