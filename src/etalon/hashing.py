"""Sixteen hex digits that name content: a JSON value, a file, a tree of files. Standard library only."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from etalon.errors import InputError

HASH_DIGITS = 16
TEMPORARY_SUFFIX = ".etalon-tmp"  # of a file that `store.write_atomic` has not finished


def stable_hash(value: Any) -> str:
    """Hash of a JSON value; key order does not matter."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:HASH_DIGITS]


def hash_file(path: Path) -> str:
    """Hash of a file's content; its name does not matter."""
    try:
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()[:HASH_DIGITS]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a directory, a file was expected") from None


def hash_tree(directory: Path) -> str:
    """Hash of the names and contents of all files below a directory."""
    if not directory.is_dir():
        raise InputError(f"{directory}: no such directory")
    files = [path for path in directory.rglob("*") if not path.is_dir() and path.suffix != TEMPORARY_SUFFIX]
    return stable_hash({path.relative_to(directory).as_posix(): hash_file(path) for path in files})
