"""What a run may not be trained on: the problems that it holds out itself, and the benchmarks that its recipe names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from etalon.data.contamination.index import Index, index
from etalon.data.contamination.items import items_in, items_of, read_items
from etalon.data.gates import Gated, trace_overlap_gate
from etalon.errors import ConfigError, InputError
from etalon.evaluate.benchmarks import Chosen, choose
from etalon.problems import nano
from etalon.recipe import Recipe
from etalon.rows.mapping import ColumnMap
from etalon.store import hash_file
from etalon.types import Problem, Trace

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


def rule_of(recipe: Recipe) -> list[Any]:
    """The keys that decide what holds a held-out item."""
    spec = recipe.data
    return [spec.against, spec.overlap, spec.ngram, spec.drop_near]


def index_of(recipe: Recipe, splits: Mapping[str, Iterable[Problem]], *, common: Iterable[str] = ()) -> Index:
    """Finds the run's held-out problems and the items of its benchmarks.

    splits: with HELD_OUT among them; facts of the nano world are to be trained on, and hold nothing out.
    common: prompts to be searched, of which some share sentences that mean nothing.
    InputError for a benchmark that cannot be read.
    """
    own = {name: [p for p in splits.get(name, ()) if not nano.is_memorised(p)] for name in HELD_OUT}
    items = [item for name in HELD_OUT for item in items_of(name, own[name], prompts=recipe.prompts)]
    items += items_in(benchmarks(recipe), max_bad=recipe.problems.max_bad)
    return index(items, threshold=recipe.data.overlap, short=recipe.data.ngram, common=common)


def from_outside(
    recipe: Recipe, traces: Sequence[Trace], splits: Mapping[str, Iterable[Problem]] | None = None
) -> Gated[Trace] | None:
    """Traces of a file without those that hold an item of the recipe's benchmarks or held-out files; None without any.

    splits: of HELD_OUT, what the run holds out of its own files; the traces may be of the same ones.
    """
    columns = ColumnMap.of(recipe.problems.map, key="problems.map")
    files = [(Path(file).stem, Path(file)) for file in recipe.problems.test_files]
    items = items_in(benchmarks(recipe), max_bad=recipe.problems.max_bad)
    items += read_items(files, columns=columns, max_bad=recipe.problems.max_bad)
    items += [item for name, own in (splits or {}).items() for item in items_of(name, own, prompts=recipe.prompts)]
    if not items:
        return None
    spec = recipe.data
    found = index(items, threshold=spec.overlap, short=spec.ngram, common=(trace.prompt for trace in traces))
    return trace_overlap_gate(traces, found, drop_near=spec.drop_near)
