"""The keys of a recipe as Markdown tables, read from `recipe.py`: types and defaults as they are, words as commented.

    recipe.py -> source (ast, tokenize) -> comment of each field ─┐
    recipe.py -> models (pydantic) -> type, default ──────────────┴-> Row -> table of a page

`python -m etalon.config.reference docs/recipe.md` writes the tables of that page again, between the marks
`<!-- keys: NAME -->` and `<!-- end -->`; whatever else stands there stays.
"""

from __future__ import annotations

import ast
import inspect
import io
import re
import sys
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from etalon import recipe
from etalon.config.toml import toml_value
from etalon.errors import ConfigError
from etalon.recipe import DomainName, OptimSpec, Recipe, Spec, StageSpec
from etalon.store import write_atomic

SOURCE = re.compile(r"(\(ours\)|(?:CLR|1\.5B|\d(?:\.\d)+)(?: section \d)?)(?:[:,;]\s*|\s+|$)(.*)", re.DOTALL)
MARKED = re.compile(r"(<!-- keys: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)
OURS = "(ours)"
HEAD = "| Key | Type | Default | From | Meaning |\n|---|---|---|---|---|\n"
BOUNDS = {"ge": "at least {:g}", "gt": "above {:g}", "le": "at most {:g}", "lt": "below {:g}"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One key. source: the section its value is from, "(ours)", or "" for a key without a value to argue about."""

    key: str
    kind: str
    default: str
    source: str
    meaning: str

    def __str__(self) -> str:
        cells = (f"`{self.key}`", self.kind, self.default, self.source.strip("()"), self.meaning)
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def models() -> dict[str, type[BaseModel]]:
    """Every table of a recipe by its name in the page: the top level, the tables, and what stands inside tables."""
    tables = {name: field.annotation for name, field in Recipe.model_fields.items() if _is_table(field)}
    return {"recipe": Recipe, "stages": StageSpec, **tables, "optim": OptimSpec}  # type: ignore[dict-item]


def rows(model: type[BaseModel]) -> list[Row]:
    """The keys of one table, in the order of `recipe.py`."""
    comments = _comments(model)
    is_ours = "All (ours)" in (model.__doc__ or "")
    found = []
    for name, field in model.model_fields.items():
        if _is_table(field) or (model is Recipe and name == "stages"):
            continue
        source, meaning = _parted(comments.get(name, ""))
        found.append(
            Row(
                key=field.alias or name,
                kind=_kind(field.annotation, field.metadata),
                default=_default(field),
                source=source or (OURS if is_ours else ""),
                meaning=meaning,
            )
        )
    return found


def written(page: str) -> str:
    """The page with all its tables as they are now. ConfigError for a mark of no table, or a table without its mark."""
    known = models()
    named = [name for _, name, _ in MARKED.findall(page)]
    for name in named:
        if name not in known:
            raise ConfigError(f"<!-- keys: {name} -->: there is no such table")
    for name in known:
        if named.count(name) != 1:
            raise ConfigError(f"<!-- keys: {name} -->: stands there {named.count(name)} times, expected once")
    return MARKED.sub(lambda mark: f"{mark[1]}{_table(known[mark[2]])}{mark[3]}", page)


def _table(model: type[BaseModel]) -> str:
    return f"\n{inspect.getdoc(model)}\n\n{HEAD}{''.join(map(str, rows(model)))}\n"


def _is_table(field: FieldInfo) -> bool:
    """Whether a key of the top level is a table of its own; optimisers have one table for all."""
    kind = field.annotation
    return isinstance(kind, type) and issubclass(kind, Spec) and kind is not OptimSpec


def _parted(comment: str) -> tuple[str, str]:
    """The section that a comment begins with, and its words."""
    found = SOURCE.fullmatch(comment)
    return (found[1], found[2]) if found else ("", comment)


def _kind(annotation: Any, bounds: list[Any] | tuple[Any, ...] = ()) -> str:
    """A type in words, with the values that it takes."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation == DomainName:
        return "domain"
    if origin is Literal:
        return ", ".join(f"`{toml_value(value)}`" for value in inner)
    if origin is tuple:
        return f"list of {_kind(inner[0])}"
    if origin is dict:
        return f"table: {_kind(inner[0])} = {_kind(inner[1])}"
    if hasattr(annotation, "__metadata__"):
        return _kind(inner[0], annotation.__metadata__)
    if inner:  # a union
        return " or ".join(map(_kind, inner))
    if annotation is OptimSpec:
        return "[optimiser](#optimisers)"
    words = {str: "text", bool: "`true`, `false`", int: "whole number", float: "number"}[annotation]
    limits = _limits(bounds)
    return f"{words}, {limits}" if limits else words


def _limits(bounds: list[Any] | tuple[Any, ...]) -> str:
    flat = [one for bound in bounds for one in getattr(bound, "metadata", [bound])]
    values = {name: getattr(one, name) for one in flat for name in BOUNDS if hasattr(one, name)}
    if {"ge", "le"} <= values.keys():
        return f"{values['ge']:g} to {values['le']:g}"
    return " and ".join(BOUNDS[name].format(value) for name, value in values.items())


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if isinstance(value, OptimSpec):
        value = value.model_dump(include=value.model_fields_set)
    return f"`{toml_value(value)}`" if value != {} else "`{}`"


def _comments(model: type[BaseModel]) -> Mapping[str, str]:
    """Field -> its comment: the one behind it, else the lines above it."""
    source = Path(str(inspect.getsourcefile(recipe))).read_text(encoding="utf-8")
    remarks = dict(_remarks(source))
    lines = source.splitlines()
    found = {}
    for statement in _class(source, model.__name__).body:
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        own = [remarks[n] for n in range(statement.lineno, (statement.end_lineno or 0) + 1) if n in remarks]
        above: list[str] = []
        number = statement.lineno - 1
        while lines[number - 1].lstrip().startswith("#"):
            above.insert(0, remarks[number])
            number -= 1
        found[statement.target.id] = " ".join(own or above)
    return found


def _class(source: str, name: str) -> ast.ClassDef:
    return next(node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == name)


def _remarks(source: str) -> Iterator[tuple[int, str]]:
    """(line, comment) of a source text."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("# ")


def main(arguments: list[str]) -> int:
    """Write the tables of each page that is named again."""
    for argument in arguments:
        path = Path(argument)
        write_atomic(path, written(path.read_text(encoding="utf-8")))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
