"""Every text of a row, wherever it stands: a question may hide in a message, in an option, in JSON inside a cell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

DEEPEST = 12  # (ours) of values inside values
MOST_JSON = 1 << 20  # (ours) characters of a text that is read as JSON; longer ones are tests
SHORTEST = 4  # (ours) characters of a text that can hold anything


def strings_of(value: Any, depth: int = DEEPEST) -> Iterator[str]:
    """All texts in a JSON value, in order; a text that is JSON itself gives those in it."""
    if isinstance(value, str):
        if len(value) >= SHORTEST:
            yield from _read(value, depth) if value[:2] in ('{"', '["', "[{", "[[") else (value,)
    elif isinstance(value, dict | list) and depth:
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings_of(inner, depth - 1)


def _read(text: str, depth: int) -> Iterator[str]:
    try:
        value = json.loads(text) if depth and len(text) <= MOST_JSON else text
    except (ValueError, RecursionError):
        value = text
    if isinstance(value, str):
        yield value
    else:
        yield from strings_of(value, depth - 1)
