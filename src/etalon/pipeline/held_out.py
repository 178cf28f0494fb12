"""What a run may not be trained on: the problems that it holds out itself, and the benchmarks that its recipe names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from etalon.data.contamination.index import Index, index
from etalon.data.contamination.items import items_in, items_of
from etalon.errors import ConfigError, InputError
from etalon.evaluate.benchmarks import Chosen, choose
from etalon.recipe import Recipe
from etalon.store import hash_file
from etalon.types import Problem

HELD_OUT = ("probe", "test")  # splits


def benchmarks(recipe: Recipe) -> list[Chosen]:
    """The benchmarks of `data.against`; ConfigError for one that is unknown or not here."""
    try:
        return choose(recipe.data.against)
    except InputError as error:
        raise ConfigError(f"data.against: {error}") from None


def files_of(recipe: Recipe) -> dict[str, str]:
    """Hashes of the files of those benchmarks, by path."""
    paths: list[Path] = [path for one in benchmarks(recipe) for path in one.files]
    return {str(path): hash_file(path) for path in paths}


def index_of(recipe: Recipe, splits: Mapping[str, Iterable[Problem]], *, common: Iterable[str] = ()) -> Index:
    """Finds the run's held-out problems and the items of its benchmarks.

    splits: with HELD_OUT among them. common: prompts to be searched, of which some share sentences that mean nothing.
    InputError for a benchmark that cannot be read.
    """
    items = [item for name in HELD_OUT for item in items_of(name, splits.get(name, ()), prompts=recipe.prompts)]
    items += items_in(benchmarks(recipe), max_bad=recipe.problems.max_bad)
    return index(items, threshold=recipe.data.overlap, common=common)
