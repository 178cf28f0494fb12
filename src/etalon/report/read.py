"""Untrusted JSON -> models: the declared type decides, and what does not fit is left empty, never an error."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainValidator, model_validator

from etalon.store import is_special

T = TypeVar("T")


def number(raw: object) -> float | None:
    """A finite number, or None for everything else."""
    if not isinstance(raw, int | float) or isinstance(raw, bool):
        return None
    return float(raw) if abs(raw) < 1e300 else None  # a NaN compares as false


def text(raw: object) -> str:
    return raw if isinstance(raw, str) else "" if raw is None else json.dumps(raw, ensure_ascii=False)


def numbers(raw: Mapping[str, Any]) -> dict[str, float]:
    """The entries that are numbers."""
    return {name: found for name, value in raw.items() if (found := number(value)) is not None}


def objects(raw: object) -> list[Any]:
    return [row for row in raw if isinstance(row, dict)] if isinstance(raw, list) else []


def mapping(raw: object) -> dict[str, Any]:
    return raw if isinstance(raw, dict) else {}


def _values(raw: object) -> tuple[float, ...]:
    return tuple(found for value in raw if (found := number(value)) is not None) if isinstance(raw, list) else ()


def _texts(raw: object) -> tuple[str, ...]:
    return tuple(map(text, raw)) if isinstance(raw, list) else ()


# plain validators: a lone surrogate, which models do emit, is no str to pydantic itself
Number = Annotated[float | None, PlainValidator(number)]
Words = Annotated[str, PlainValidator(text)]
Flag = Annotated[bool | None, PlainValidator(lambda raw: bool(raw) if raw in (0, 1) else None)]
Numbers = Annotated[tuple[float, ...], PlainValidator(_values)]
Texts = Annotated[tuple[str, ...], PlainValidator(_texts)]
Anything = Annotated[Any, PlainValidator(lambda raw: raw)]
Rows = Annotated[tuple[T, ...], BeforeValidator(objects)]
Table = Annotated[dict[Words, T], BeforeValidator(mapping)]


class Part(BaseModel):
    """A JSON object as far as it has the fields, all of one of the types above; whatever else it holds is left."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, raw: object) -> dict[str, Any]:
        found = mapping(raw)
        return {key: found.get(key) for key in _keys(cls)}


@cache
def _keys(part: type[Part]) -> tuple[str, ...]:
    """The keys of a part's fields; pydantic makes them anew at every look."""
    return tuple(field.alias or name for name, field in part.model_fields.items())


class Reader:
    """Reads files below a run directory and notes those that cannot be read."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.missing: list[str] = []

    def text(self, name: str, *, expected: bool = False) -> str:
        try:
            if is_special(self.directory / name):
                self.missing.append(f"{name} is a pipe or a device: not read")
                return ""
            return (self.directory / name).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            if expected:
                self.missing.append(f"{name} is not there")
        except OSError as error:
            self.missing.append(f"{name} cannot be read: {error.strerror}")
        except ValueError as error:  # a NUL in a name
            self.missing.append(f"{name} cannot be read: {error}")
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
