"""Every prompt is a file one can open: packaged folders ("default", "nano"), or a folder of the user's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path

from etalon.errors import InputError

PACKAGED = ("default", "nano")


@cache
def load(name: str, folder: str = "default") -> str:
    """The text of prompt `name` (without .txt), without its final newline.

    folder: a packaged folder's name or a path. A file missing from a folder of the user's own or from "nano" is
    taken from "default". Raises InputError naming the missing file.
    """
    roots = folders(folder)
    if not roots[0].is_dir():
        raise InputError(f"prompts: {folder}: no such folder; use one of {', '.join(PACKAGED)} or a path")
    for root in roots:
        file = root / f"{name}.txt"
        if file.is_file():
            return file.read_text(encoding="utf-8").removesuffix("\n")
    raise InputError(f"prompts: {folder}/{name}.txt: no such prompt file, and the default folder has none either")


def filled(template: str, **values: str) -> str:
    """The template with {name} replaced for each of `values`, in one pass: braces in a value stay as they are."""
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], match[0]), template)


def numbered(lines: Sequence[str]) -> str:
    """The lines, each behind its number and a dot."""
    return "\n".join(f"{number}. {line}" for number, line in enumerate(lines, start=1))


def folders(name: str) -> list[Path]:
    """The folders that prompts are read from: the named one, and the packaged default that fills its gaps."""
    packaged = Path(str(resources.files(__name__)))
    return [packaged / name if name in PACKAGED else Path(name), packaged / "default"]
