"""Runs by name and letter, and which of them are seeds of one recipe.

entries([DIR, ...]) -> Entry, one a run -> groups -> Group, one a recipe; what differs between two groups is no seed
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from etalon.errors import InputError
from etalon.report.files import Run
from etalon.report.load import load_run
from etalon.report.several.paired import SEED, recipe_of

MOST_LETTERS = 100  # (ours) of the name of the page


@dataclass(frozen=True)
class Entry:
    """One run. name: the end of its path, as much as tells it from the others; letter: what charts call it."""

    letter: str
    name: str
    path: Path
    recipe: Mapping[str, Any]

    @cached_property
    def run(self) -> Run:
        """What its files say; read when it is first asked for."""
        return load_run(self.path)

    @property
    def seed(self) -> Any:
        return self.recipe.get(SEED)


@dataclass(frozen=True)
class Group:
    """Seeds of one recipe, or a run alone."""

    letter: str
    members: tuple[Entry, ...]

    @property
    def told(self) -> str:
        """`A`, or `A: seeds 0, 1, 2`."""
        seeds = ", ".join(str(one.seed) for one in self.members)
        return self.letter if len(self.members) == 1 else f"{self.letter}: seeds {seeds}"


def distinct(paths: Sequence[Path]) -> list[Path]:
    """The real paths; InputError where two are one and the same, or one is not there."""
    found: dict[Path, Path] = {}
    for path in paths:
        if not path.is_dir():
            raise InputError(f"{path}: no such directory")
        real = path.resolve()
        if real in found:
            raise InputError(f"{path}: is the same directory as {found[real]}; name different ones")
        found[real] = path
    return list(found)


def names_of(paths: Sequence[Path]) -> list[str]:
    """Of real paths: their last parts, as few as tell each from the others."""
    most = max(len(path.parts) for path in paths)
    ends = (["/".join(path.parts[-num:]) for path in paths] for num in range(1, most + 1))
    return next(names for names in ends if len(set(names)) == len(names))


def default_name(names: Sequence[str]) -> str:
    """`report-A-B.html`; where the names are long, only as many as there is room for."""
    plain = [name.strip("/").replace("/", "-") for name in names]
    shown = "-".join(plain)
    if len(shown) > MOST_LETTERS:
        first = [plain[0][:MOST_LETTERS], f"and-{len(plain) - 1}-more"]
        shown = "-".join(first)
    return f"report-{shown}.html"


def letters() -> Iterator[str]:
    """A, B, ..., Z, A2, B2, ..."""
    turn = 1
    while True:
        for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
            yield letter if turn == 1 else f"{letter}{turn}"
        turn += 1


def entries(paths: Sequence[Path]) -> list[Entry]:
    """Of real paths of runs, in their order."""
    names = names_of(paths)
    return [
        Entry(letter, name, path, recipe_of(path)) for letter, name, path in zip(letters(), names, paths, strict=False)
    ]


def groups(runs: Sequence[Entry]) -> list[Group]:
    """The runs whose recipes are equal but for the seed, together; a second run of one seed begins another group."""
    found: list[list[Entry]] = []
    for one in runs:
        for members in found:
            if _rest(members[0]) == _rest(one) and all(member.seed != one.seed for member in members):
                members.append(one)
                break
        else:
            found.append([one])
    return [Group(letter, tuple(members)) for letter, members in zip(letters(), found, strict=False)]


def _rest(run: Entry) -> dict[str, Any]:
    return {key: value for key, value in run.recipe.items() if key != SEED}
