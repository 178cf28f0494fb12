"""Code of the user's own that a recipe names: "FILE.py:NAME" or "package.module:NAME".

A file is loaded once per process under a name made of its path; a module is imported as Python finds it, with the
recipe's folder and the working folder searched last (`search_in`).
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from etalon.errors import ConfigError
from etalon.store import hash_file, stable_hash

EXPECTED = 'expected "FILE.py:NAME" or "package.module:NAME"'


def is_named_code(text: str) -> bool:
    """Whether a value has the form of a name in a file or module; nothing is loaded."""
    place, colon, name = text.rpartition(":")
    return bool(colon) and bool(place) and name.isidentifier()


def file_of(text: str) -> Path | None:
    """The file in "FILE.py:NAME"; None for a module."""
    place = text.rpartition(":")[0]
    return Path(place) if place.endswith(".py") else None


_searched: dict[Path, None] = {}


def bare(text: str) -> str:
    """The name without the folder of its file: a recipe that is moved names the same code."""
    path = file_of(text)
    return f"{path.name}:{text.rpartition(':')[2]}" if path is not None else text


def search_in(*folders: Path) -> None:
    """Let modules beside a recipe be imported; after everything that is installed."""
    for folder in folders:
        _searched[folder] = None
        if str(folder) not in sys.path:
            sys.path.append(str(folder))


def searched() -> tuple[str, ...]:
    """The folders of `search_in` so far, for a process elsewhere that loads the same code."""
    return tuple(map(str, _searched))


def load_named(text: str, *, key: str) -> Any:
    """The object that a recipe's value names. ConfigError with the key for what is not there or cannot be imported."""
    if not is_named_code(text):
        raise ConfigError(f"{key}: found {text!r}, {EXPECTED}")
    place, _, name = text.rpartition(":")
    path = file_of(text)
    if path is not None and not path.is_file():
        raise ConfigError(f"{key}: {path}: no such file")
    try:
        module = _module_of(path) if path is not None else importlib.import_module(place)
    except ModuleNotFoundError as error:
        if path is None and error.name and place.startswith(error.name):
            raise ConfigError(f"{key}: there is no module {place!r}; {EXPECTED}") from None
        raise ConfigError(f"{key}: {place}: cannot be imported: {error}") from None
    except (
        Exception,
        SystemExit,
    ) as error:  # whatever the user's module does when it is imported is the user's to mend
        raise ConfigError(f"{key}: {place}: cannot be imported: {type(error).__name__}: {error}") from None
    if not hasattr(module, name):
        names = ", ".join(sorted(n for n, v in vars(module).items() if callable(v) and not n.startswith("_"))[:8])
        raise ConfigError(f"{key}: {place} has no {name!r}{f'; it has {names}' if names else ''}")
    return getattr(module, name)


def _module_of(path: Path) -> ModuleType:
    name = f"etalon_user_{stable_hash(str(path.resolve()))}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: dataclasses look themselves up
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def fingerprint(text: str) -> str:
    """What the results of named code depend on: the content of its file, or of its module's."""
    path = file_of(text)
    if path is None:
        try:
            spec = importlib.util.find_spec(text.rpartition(":")[0])
        except (ImportError, ValueError):
            spec = None
        path = Path(spec.origin) if spec is not None and spec.origin else None
    return hash_file(path) if path is not None and path.is_file() else ""
