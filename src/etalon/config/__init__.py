"""A recipe file plus `--set` overrides become one Recipe, or one line that says what to change.

TOML text -> dict -> overrides -> paths -> Recipe (strict)            to_toml writes a Recipe back
"""

from __future__ import annotations

import difflib
import math
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from etalon.config.help import Keys, explain, field_at
from etalon.config.plugins import search_in
from etalon.config.stages import KINDS, default_stages, entries, listed
from etalon.config.toml import toml_key, toml_lines, toml_value, tuples
from etalon.errors import ConfigError
from etalon.recipe import Recipe
from etalon.types import ISOLATION_ENV

FROM, STUDENT = "from", "student"  # keys of a stage and not of its table; of a distill stage, both name its start
OVERRIDES = "overrides"  # file of a run directory: the --set of its calls, one a line

# values that may be paths, with the words that are never taken for one
PATHS: dict[Keys, frozenset[str]] = {
    ("prompts",): frozenset({"auto", "default", "nano"}),
    ("model", "base"): frozenset({"scratch"}),
    ("problems", "files"): frozenset(),
    ("problems", "test_files"): frozenset(),
    ("base", "model"): frozenset({"", "scratch"}),
    ("data", "teacher"): frozenset({"auto", "nano", "reference"}),
    ("data", "judge"): frozenset({""}),
    ("eval", "judge"): frozenset({""}),
    ("sft", "traces"): frozenset({"all", "hard"}),
    ("rl", "reward"): frozenset({""}),
    ("rl", "judge"): frozenset({"", "nano"}),
    ("distill", "teachers"): frozenset(),
}


def load(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in `path` with each "a.b=value" of `overrides` applied; ConfigError when it cannot be run."""
    table = _read(path)
    _take_isolation(table)
    is_packaged = path.resolve().parent == _packaged().resolve()  # where nobody keeps files
    folder = Path.cwd() if is_packaged else path.parent
    _resolve_paths(table, folder)
    search_in(folder.absolute(), Path.cwd())
    changed: set[Keys] = set()
    for override in overrides:
        keys, value = _parse_override(override)
        check_place(table, keys, override)
        if not _put_in_stage(table, keys, value, override):
            _put(table, keys, _here(keys, value, override, {}), override)
        changed.add(keys)
    try:
        recipe = Recipe.model_validate(tuples(table))
    except ValidationError as error:
        problems = [(_keys(one["loc"]), explain(one)) for one in error.errors()]
    else:
        problems = []
    problems += [(keys, f"must be a finite number, found {number}") for keys, number in _non_finite(table, ())]
    if problems:
        raise ConfigError(_one_line(problems, path, changed))
    try:
        listed(recipe)
    except ConfigError as error:
        told = str(error)
        dotted = [".".join(map(toml_key, keys)) for keys in changed]
        is_override = any(told.startswith((f"{key}:", f"{key}.")) for key in dotted)
        raise ConfigError(f"--set {told}" if is_override else f"{path}: {told}") from None
    return recipe


def _take_isolation(table: dict[str, Any]) -> None:
    """What the environment says of isolation, where the recipe says nothing of it and asks no service."""
    isolation, sandbox = os.environ.get(ISOLATION_ENV), table.get("sandbox", {})
    if isolation and isinstance(sandbox, dict) and not sandbox.get("url"):
        table["sandbox"] = {"isolation": isolation, **sandbox}


def _keys(location: Sequence[int | str]) -> Keys:
    """Where pydantic found it; a bad key of a table carries a marker behind it, which is no key."""
    return tuple(str(key) for key in location if key != "[key]")


def packaged_recipe(name: str) -> Path:
    """The file of a recipe that comes with the package, such as "nano"."""
    folder = _packaged()
    names = sorted(file.stem for file in folder.glob("*.toml"))
    if name not in names:
        raise ConfigError(f"no recipe named {name!r} comes with etalon; there are: {', '.join(names)}")
    return folder / f"{name}.toml"


def _packaged() -> Path:
    return Path(str(resources.files("etalon"))) / "recipes"


def to_toml(recipe: Recipe) -> str:
    """All values of a recipe as TOML that `load` reads back to an equal recipe."""
    values = recipe.model_dump(by_alias=True, exclude={"stages"})
    stages = [stage.model_dump(by_alias=True) for stage in entries(recipe)]
    values["stages"] = [{key: value for key, value in row.items() if key != "from" or value} for row in stages]
    return "\n".join(toml_lines(values)) + "\n"


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a directory; name the .toml file in it") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}: line {line} is not valid UTF-8; save the file as UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: invalid TOML: {error}") from None


def name_of(path: Path, overrides: Sequence[str] = ()) -> str:
    """The name of the recipe in `path`, whatever else is in it; the default where it is none."""
    named = [value for keys, value in map(_parse_override, overrides) if keys == ("name",)]
    name = named[-1] if named else _read(path).get("name")
    return name if isinstance(name, str) else Recipe().name


def key_of(override: str) -> str:
    """The dotted key that an override sets."""
    return ".".join(map(toml_key, _parse_override(override)[0]))


def is_same(override: str, other: str) -> bool:
    """Whether two overrides say the same, however it is written."""
    return _parse_override(override) == _parse_override(other)


def settled(override: str, recipe: Recipe) -> str:
    """The same override on one line, for a later call that may come from another folder."""
    keys, value = _parse_override(override)
    kinds = {stage.name: stage.kind for stage in entries(recipe)} if len(keys) > 1 else {}
    return f"{key_of(override)}={toml_value(_here(keys, value, override, kinds))}"


def _parse_override(override: str) -> tuple[Keys, Any]:
    """`a.b=value`: the value as TOML where it is TOML, as plain text where it is not or where text is wanted."""
    dotted, equals, text = override.partition("=")
    keys = _parse_keys(dotted)
    if not equals or keys is None:
        raise ConfigError(f"--set {override}: expected KEY=VALUE, such as rl.gamma=0")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"--set {dotted}: the value is not valid UTF-8") from None
    return keys, _parse_value(text, field_at(keys))


def _parse_value(text: str, field: FieldInfo | None) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        parsed = {}
    value = parsed["value"] if parsed.keys() == {"value"} else text
    if field and field.annotation is str and not isinstance(value, str):
        return text  # name=2026 means the text
    if field and isinstance(value, str) and _is_list(field.annotation, value):
        return [value]  # problems.files=mine.jsonl means a list of one
    return value


def _is_list(annotation: Any, text: str) -> bool:
    """Whether a field wants a list where this text stands; not where the text is a word of its own ("all")."""
    kinds = (annotation,) if get_origin(annotation) is tuple else get_args(annotation)
    words = [word for kind in kinds if get_origin(kind) is Literal for word in get_args(kind)]
    return text not in words and any(get_origin(kind) is tuple for kind in kinds)


def _parse_keys(dotted: str) -> Keys | None:
    """The keys of a dotted TOML key, quoted parts included."""
    try:
        node: Any = tomllib.loads(f"{dotted} = 0")
    except ValueError:
        return None
    keys = []
    while isinstance(node, dict):
        if len(node) != 1:
            return None
        ((key, node),) = node.items()
        keys.append(key)
    return tuple(keys) if node == 0 else None


def _put(table: dict[str, Any], keys: Keys, value: Any, override: str) -> None:
    for depth, key in enumerate(keys[:-1], start=1):
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise ConfigError(f"--set {override}: {'.'.join(keys[:depth])} is a value, not a table")
    table[keys[-1]] = value


def check_place(table: Mapping[str, Any], keys: Keys, override: str) -> None:
    """ConfigError for an override of a key of something that is neither a table nor a stage of the recipe."""
    stages = table.get("stages")
    rows = [row for row in stages if isinstance(row, dict)] if isinstance(stages, list) else []
    names = [str(row.get("name")) for row in rows] if "stages" in table else [one.name for one in default_stages()]
    if len(keys) > 1 and keys[0] not in Recipe.model_fields and keys[0] not in names:
        close = difflib.get_close_matches(keys[0], [*Recipe.model_fields, *names], n=1)
        hint = f"; did you mean {close[0]!r}?" if close else f"; stages are {', '.join(names)}" if names else ""
        raise ConfigError(f"--set {override}: no table and no stage is called {keys[0]!r}{hint}")


def _put_in_stage(table: dict[str, Any], keys: Keys, value: Any, override: str) -> bool:
    """Set a key of the stage that the first part names; whether that was all there is to set.

    Where a table has the name as well (the stage "distill"), its value is set too, for other stages of the kind; but
    not its `from`, which tables do not have.
    """
    if len(keys) < 2:
        return False
    if "stages" not in table and keys[0] in {stage.name for stage in default_stages()} - set(Recipe.model_fields):
        table["stages"] = [stage.model_dump(by_alias=True) for stage in default_stages()]
    stages = table.get("stages")
    found = [row for row in stages if isinstance(row, dict) and row.get("name") == keys[0]] if stages else []
    if not found:
        return False
    if keys[1:] == (FROM,):
        found[0].pop(STUDENT, None)  # another word for the same, which would contradict it
        found[0][FROM] = value if isinstance(value, str) else override.partition("=")[2]  # a stage may be called 2026
        return True
    kind = str(found[0].get("kind"))
    if kind in Recipe.model_fields and isinstance(value, str) and len(keys) == 2:
        value = _parse_value(toml_value(value), field_at((kind, keys[1])))
    kinds = {str(row.get("name")): str(row.get("kind")) for row in stages or () if isinstance(row, dict)}
    _put(found[0], keys[1:], _here(keys, value, override, kinds), override)
    return keys[0] not in Recipe.model_fields


def _here(keys: Keys, value: Any, override: str, kinds: Mapping[str, str]) -> Any:
    """An override's value with its paths from the working folder; kinds: of the stages, by name."""
    rows: list[dict[str, Any]] = [{"name": name, "kind": kind} for name, kind in kinds.items()]
    single: dict[str, Any] = {"stages": rows}
    place = next((row for row in rows if row["name"] == keys[0]), None)
    if place is None:
        _put(single, keys, value, override)
    else:
        _put(place, keys[1:], value, override)
    _resolve_paths(single, Path.cwd())
    return _get(single, keys) if place is None else _get(place, keys[1:])


def _get(table: Any, keys: Keys) -> Any:
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table


def _resolve_paths(table: dict[str, Any], folder: Path) -> None:
    """Make the relative paths that exist below `folder` absolute; words and names of models stay as they are."""
    for keys, words in PATHS.items():
        parent, value = _get(table, keys[:-1]), _get(table, keys)
        if value is not None:
            parent[keys[-1]] = _resolve(value, words, folder)
    stages = table.get("stages")
    rows = [row for row in stages if isinstance(row, dict)] if isinstance(stages, list) else []
    names = frozenset(str(row.get("name")) for row in rows)  # a folder may have the name of a stage
    for row in rows:
        for keys, words in PATHS.items():
            if keys[0] == row.get("kind") and keys[-1] in row:
                row[keys[-1]] = _resolve(row[keys[-1]], words | names, folder)
        if isinstance(row.get("kind"), str):
            row["kind"] = _resolve(row["kind"], frozenset(KINDS), folder)


def _resolve(value: Any, words: frozenset[str], folder: Path) -> Any:
    """A path below `folder` as an absolute one, alone, in a list or in a table; "FILE.py:NAME" keeps its name."""
    if isinstance(value, list):
        return [_resolve(one, words, folder) for one in value]
    if isinstance(value, dict):
        return {key: _resolve(one, words, folder) for key, one in value.items()}
    if not isinstance(value, str) or not value or value in words:
        return value
    file, colon, name = value.rpartition(":")
    if colon and file.endswith(".py"):
        return f"{_resolve(file, words, folder)}:{name}"
    candidate = folder / (os.path.expanduser(value) if value.startswith("~/") else value)
    return os.path.abspath(candidate) if os.path.exists(candidate) else value


def _non_finite(value: Any, keys: Keys) -> Iterator[tuple[Keys, float]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _non_finite(inner, (*keys, key))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            named = inner.get("name") if isinstance(inner, dict) else None  # of a stage
            yield from _non_finite(inner, (named,) if isinstance(named, str) else (*keys, str(position)))
    elif isinstance(value, float) and not math.isfinite(value):
        yield keys, value


def _one_line(problems: Sequence[tuple[Keys, str]], path: Path, changed: set[Keys]) -> str:
    keys, text = problems[0]
    is_override = any(keys[: len(override)] == override for override in changed)
    dotted = ".".join(map(toml_key, keys))
    place = f"--set {dotted}" if is_override else f"{path}: {dotted}" if keys else f"{path}"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{place}: {text}{more}"
