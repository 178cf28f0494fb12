"""The items of benchmarks, as decontamination looks for them: the question without its instruction, and its options."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from etalon.errors import InputError
from etalon.problems.formats import Reading, read_row
from etalon.problems.instructions import without_instruction
from etalon.problems.options import without_options
from etalon.rows.bad import MAX_BAD, BadRows
from etalon.rows.files import read_rows
from etalon.rows.mapping import AS_NAMED, ColumnMap
from etalon.types import Problem

OPEN = Reading(needs_reference=False)  # what is asked is enough


@dataclass(frozen=True, kw_only=True)
class Item:
    """One question of a benchmark. row: its id there, or "line 3". options: the contents, in any order."""

    benchmark: str
    row: str
    text: str
    options: tuple[str, ...] = ()


class Benchmark(Protocol):
    """A named set of problems: in files, or drawn where it has none (`evaluate.benchmarks.Chosen`)."""

    @property
    def name(self) -> str: ...

    @property
    def files(self) -> tuple[Path, ...]: ...

    def problems(self) -> list[Problem]: ...


def items_in(benchmarks: Iterable[Benchmark], *, columns: ColumnMap = AS_NAMED, max_bad: float = MAX_BAD) -> list[Item]:
    """The items of benchmarks, every row of their files; for errors see `read_items`."""
    found: list[Item] = []
    for one in benchmarks:
        files = [(one.name, path) for path in one.files]
        found += read_items(files, columns=columns, max_bad=max_bad) if files else items_of(one.name, one.problems())
    return found


def read_items(
    files: Iterable[tuple[str, Path]], *, columns: ColumnMap = AS_NAMED, max_bad: float = MAX_BAD
) -> list[Item]:
    """The items of benchmarks, given as (name, file), in their order.

    Raises InputError for a benchmark that cannot be read, has no rows, or more unreadable ones than `max_bad`.
    """
    return [item for name, path in files for item in _items_of(name, path, columns, max_bad)]


def items_of(benchmark: str, problems: Iterable[Problem], *, prompts: str = "default") -> list[Item]:
    """The items of problems that were read already, such as held-out splits."""
    return [item_of(benchmark, problem.id, problem, prompts=prompts) for problem in problems]


def item_of(benchmark: str, row: str, problem: Problem, *, prompts: str = "default") -> Item:
    """The item that a problem is: its options stand beside its question, wherever its prompt lists them."""
    has_options = problem.options is not None
    question = without_instruction(problem.prompt, problem.domain, has_options=has_options, prompts=prompts)
    if problem.options:
        question = without_options(question, problem.options)
    return Item(benchmark=benchmark, row=row, text=question, options=tuple((problem.options or {}).values()))


def _items_of(name: str, path: Path, columns: ColumnMap, max_bad: float) -> Sequence[Item]:
    bad = BadRows(str(path), max_bad)
    found = []
    for row in read_rows(path):
        if row.is_blank:
            continue
        try:
            if row.columns is None:
                raise InputError(row.why)
            _, problem = read_row(columns.apply(row.columns), OPEN)
        except (InputError, RecursionError) as error:
            bad.count(row.place, str(error) or "nested too deep")
            continue
        bad.count(row.place)
        found.append(item_of(name, problem.id or row.place, problem))
    bad.check()
    bad.warn()
    if not found:
        raise InputError(f"{path}: benchmark {name} has no rows; nothing could be found against it")
    return found
