"""What is wrong with a recipe, in words: the value that would do, the key that was meant."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic.fields import FieldInfo

from etalon.config.toml import toml_value
from etalon.recipe import Recipe, Spec

Keys = tuple[str, ...]

NEAR = 0.75  # (ours) likeness of a key elsewhere that may have been meant: `math` is not `paths`

EXPECTED: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "float_type": lambda _: "a number",
    "int_type": lambda _: "a whole number",
    "string_type": lambda _: "a string",
    "tuple_type": lambda _: "a list",
    "dict_type": lambda _: "a table",
    "model_type": lambda _: "a table",
    "literal_error": lambda context: str(context["expected"]),
    "greater_than_equal": lambda context: f"at least {context['ge']:g}",
    "greater_than": lambda context: f"above {context['gt']:g}",
    "less_than_equal": lambda context: f"at most {context['le']:g}",
    "less_than": lambda context: f"below {context['lt']:g}",
}


def explain(error: Mapping[str, Any]) -> str:
    """What is wrong with one value or key, given pydantic's account of it."""
    if error["type"] == "extra_forbidden":
        return _unknown_key(tuple(map(str, error["loc"])))
    if error["type"] == "missing":
        return "is missing"
    expected = EXPECTED.get(error["type"])
    if expected is None:
        return str(error["msg"]).removeprefix("Value error, ")
    found = toml_value(error["input"])
    return f"must be {expected(error.get('ctx', {}))}, found {found if len(found) <= 60 else found[:57] + '...'}"


def _unknown_key(keys: Keys) -> str:
    """Name the closest key of the same table, and the tables elsewhere that have this key or one close to it."""
    *table, key = keys
    spec = _spec_at(tuple(table))
    close = difflib.get_close_matches(key, _fields(spec), n=1) if spec else []
    hint = f"; did you mean {close[0]!r}?" if close else ""
    known = sorted({known[-1] for known in _all_keys(Recipe, ())})
    for name in [key] if key in known or close else difflib.get_close_matches(key, known, n=1, cutoff=NEAR):
        tables = [".".join(found[:-1]) or "the top level" for found in _all_keys(Recipe, ()) if found[-1] == name]
        if tables:
            hint += f"; {name!r} is a key of {', '.join(tables[:4])}{', ...' if len(tables) > 4 else ''}"
    return f"unknown key{hint}"


def _fields(spec: type[Spec]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in spec.model_fields.items()}


def _inner(field: FieldInfo) -> type[Spec] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Spec) else None


def field_at(keys: Keys) -> FieldInfo | None:
    """The field that a dotted key names, None when there is none."""
    spec = _spec_at(keys[:-1])
    return _fields(spec).get(keys[-1]) if spec else None


def _spec_at(keys: Keys) -> type[Spec] | None:
    spec: type[Spec] | None = Recipe
    for key in keys:
        field = _fields(spec).get(key) if spec else None
        spec = _inner(field) if field else None
    return spec


def _all_keys(spec: type[Spec], table: Keys) -> Iterator[Keys]:
    for name, field in _fields(spec).items():
        yield (*table, name)
        inner = _inner(field)
        if inner:
            yield from _all_keys(inner, (*table, name))
