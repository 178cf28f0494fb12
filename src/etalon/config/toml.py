"""Plain values as TOML text; `tomllib` of the standard library only reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any


def toml_lines(table: Mapping[str, Any], keys: tuple[str, ...] = ()) -> Iterator[str]:
    """Lines of TOML for a table: its values first, then its tables, then its arrays of tables."""
    for key, value in table.items():
        if not isinstance(value, Mapping) and not _is_tables(value):
            yield f"{toml_key(key)} = {toml_value(value)}"
    for key, value in table.items():
        if isinstance(value, Mapping):
            inner = (*keys, key)
            yield f"\n[{'.'.join(map(toml_key, inner))}]"
            yield from toml_lines(value, inner)
    for key, value in table.items():
        for row in value if _is_tables(value) else ():
            yield f"\n[[{'.'.join(map(toml_key, (*keys, key)))}]]"
            yield from (f"{toml_key(inner)} = {toml_value(one)}" for inner, one in row.items())


def _is_tables(value: Any) -> bool:
    """Whether a list is an array of tables, which TOML shows as [[key]]."""
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(one, Mapping) for one in value)


def toml_key(key: str) -> str:
    """A key, quoted when it has to be."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else toml_value(key)


def toml_value(value: Any) -> str:
    """One value as TOML on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{toml_key(key)} = {toml_value(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    return str(value)


def tuples(value: Any) -> Any:
    """A parsed table with tuples for its lists, which strict frozen models have; nothing else differs."""
    if isinstance(value, dict):
        return {key: tuples(inner) for key, inner in value.items()}
    return tuple(tuples(inner) for inner in value) if isinstance(value, list) else value
