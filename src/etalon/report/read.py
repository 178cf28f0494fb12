"""Untrusted JSON -> dataclasses: the declared type decides, and what does not fit is left empty, never an error."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

Number = float | None


def read(kind: Any, raw: object) -> Any:
    """`raw` as `kind`: a dataclass of Number, str, bool | None, object, tuple[x, ...] and Mapping[str, x]."""
    if isinstance(kind, type) and is_dataclass(kind):
        source = raw if isinstance(raw, dict) else {}
        return kind(**{name: read(inner, source.get(name)) for name, inner in _hints(kind).items()})
    if get_origin(kind) is tuple:
        inner = get_args(kind)[0]
        found = raw if isinstance(raw, list) else []
        kept = [row for row in found if isinstance(row, dict)] if is_dataclass(inner) else found
        return tuple(value for value in (read(inner, row) for row in kept) if value is not None)
    if get_origin(kind) is Mapping:
        inner = get_args(kind)[1]
        return {str(key): read(inner, row) for key, row in raw.items()} if isinstance(raw, dict) else {}
    return SCALARS[kind](raw)


@lru_cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def number(raw: object) -> Number:
    """A finite number, or None for everything else."""
    if not isinstance(raw, int | float) or isinstance(raw, bool):
        return None
    return float(raw) if abs(raw) < 1e300 else None  # a NaN compares as false


def text(raw: object) -> str:
    return raw if isinstance(raw, str) else "" if raw is None else json.dumps(raw, ensure_ascii=False)


SCALARS: dict[Any, Any] = {
    Number: number,
    str: text,
    bool | None: lambda raw: bool(raw) if raw in (0, 1) else None,
    object: lambda raw: raw,
}


class Reader:
    """Reads files below a run directory and notes those that cannot be read."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.missing: list[str] = []

    def text(self, name: str, *, expected: bool = False) -> str:
        try:
            return (self.directory / name).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            if expected:
                self.missing.append(f"{name} is not there")
        except OSError as error:
            self.missing.append(f"{name} cannot be read: {error.strerror}")
        return ""

    def json(self, name: str, *, expected: bool = False) -> Any:
        content = self.text(name, expected=expected)
        try:
            return json.loads(content) if content else None
        except (ValueError, RecursionError):
            self.missing.append(f"{name} is not valid JSON")
            return None

    def jsonl(self, name: str) -> list[Any]:
        parsed: list[Any] = []
        num_bad = 0
        for line in self.text(name).split("\n"):
            try:
                parsed += [json.loads(line)] if line.strip() else []
            except (ValueError, RecursionError):
                num_bad += 1
        if num_bad:
            self.missing.append(f"{name}: unreadable lines left out: {num_bad}")
        return parsed

    def toml(self, name: str) -> tuple[str, dict[str, Any]]:
        content = self.text(name, expected=True)
        try:
            return content, tomllib.loads(content)
        except (ValueError, RecursionError):
            self.missing.append(f"{name} is not valid TOML")
            return content, {}
