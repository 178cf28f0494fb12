"""What goes wrong when tests are read, and JSON that may already be a value."""

from __future__ import annotations

import json
from typing import Any

from etalon.errors import InputError


class BadRowError(InputError):
    """Tests that are not what their columns promise."""


def read_json(column: str, value: Any) -> Any:
    """The value of a column that holds JSON as text, or the value itself."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise BadRowError(f"{column}: {error}") from error
