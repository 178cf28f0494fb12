"""One benchmark of a command: its problems, read from the file that was found or drawn from the nano world."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from functools import cached_property
from pathlib import Path
from typing import Any

from etalon import prompts as prompt_files
from etalon.config import load, packaged_recipe
from etalon.errors import InputError
from etalon.evaluate.benchmarks.catalogue import Benchmark
from etalon.problems import nano
from etalon.problems.files import read_problems
from etalon.problems.formats import Reading
from etalon.problems.formats.columns import date_of
from etalon.problems.instructions import MARKERS, is_template
from etalon.problems.rows import problem_to_row
from etalon.rows.bad import MAX_BAD
from etalon.rows.mapping import AS_NAMED, ColumnMap
from etalon.store import stable_hash, to_json
from etalon.types import Problem

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What one argument of `etalon eval` names.

    name: unique in a command, and fit for a file's name. benchmark: None for a file that is no benchmark of the
    catalogue. path: a file, or a folder with the benchmark's parts; None for a set that is drawn.
    """

    name: str
    benchmark: Benchmark | None
    path: Path | None

    @property
    def files(self) -> tuple[Path, ...]:
        """What is read, in order; nothing for a set that is drawn."""
        if self.path is None:
            return ()
        parts = self.benchmark.parts if self.benchmark and self.path.is_dir() else ()
        return tuple(self.path / part for part in parts) or (self.path,)

    def problems(
        self,
        *,
        columns: ColumnMap = AS_NAMED,
        max_bad: float = MAX_BAD,
        prompts: str = "",
        limit: int | None = None,
    ) -> list[Problem]:
        """The first `limit` problems; InputError names the benchmark, the file, the line and what was expected.

        A number of problems other than the published file's is a warning.

        Args:
            columns: other names of the file's columns.
            max_bad: share of rows that may be left out because they cannot be read.
            prompts: a folder of the user's own, whose files win over the packaged ones.
        """
        if self.benchmark is None:
            assert self.path is not None
            found = read_problems(self.path, prompts=prompts or "default", columns=columns, max_bad=max_bad)
            return found[:limit]
        found = self._read(self.benchmark, columns, max_bad, prompts)
        if self.benchmark.expected not in (0, len(found)):
            LOG.warning(
                "%s: %s has %d problems, the published set %d",
                self.name,
                self.path,
                len(found),
                self.benchmark.expected,
            )
        return found[:limit]

    def _read(self, benchmark: Benchmark, columns: ColumnMap, max_bad: float, prompts: str) -> list[Problem]:
        if benchmark.generated:
            return _drawn(benchmark)
        reading = Reading(prompts=prompts or "default", instruction=benchmark.prompt, domain=benchmark.domain)
        try:
            read = [
                read_problems(file, columns=columns, max_bad=max_bad, reading=reading, wanted=_wanted(benchmark))
                for file in self.files
            ]
        except InputError as error:
            told = f"{self.name}: {error}"
            raise InputError(
                f"{told}; expected {', '.join(benchmark.fields)}" if _is_of_columns(told) else told
            ) from None
        found = [problem for part in read for problem in part if problem.id not in benchmark.without]
        self._check(benchmark, found)
        return found

    def _check(self, benchmark: Benchmark, found: list[Problem]) -> None:
        """InputError for a file that cannot be the benchmark's."""
        where = f"{self.name}: {self.path}"
        if not found:
            told = "from {} to {}".format(*benchmark.window) if benchmark.window else "that count"
            raise InputError(f"{where}: has no problems {told}; it is had from {benchmark.had_from}")
        domains = sorted({problem.domain.value for problem in found})
        if benchmark.domain not in domains:
            raise InputError(f"{where}: has {', '.join(domains)} problems, {self.name} has {benchmark.domain} problems")
        undated = sum(not problem.date for problem in found) if benchmark.window else 0
        if undated:
            raise InputError(f"{where}: {undated} problems have no date; expected contest_date, such as 2025-02-01")

    def prompt_hash(self, prompts: str = "") -> str:
        """Hash of the prompt files that say how to answer; "" where the prompts of the set are complete."""
        if self.benchmark is None:
            names = [domain.value for domain in MARKERS]
        else:
            names = [self.benchmark.prompt] if self.benchmark.prompt else []
        folder = prompts or "default"
        names += [f"{name}_starter" for name in names if is_template(name, prompts=folder)]
        return stable_hash({name: prompt_files.load(name, folder=folder) for name in names}) if names else ""

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file, in hexadecimal; of the parts' for several, of the problems for a set that is drawn."""
        if self.benchmark and self.benchmark.generated:
            rows = [problem_to_row(problem) for problem in self.problems()]
            return hashlib.sha256(to_json(rows)).hexdigest()
        digests = [_sha256(file) for file in self.files]
        return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _drawn(benchmark: Benchmark) -> list[Problem]:
    """The test problems of one domain that a run of recipes/nano.toml is evaluated on."""
    recipe = load(packaged_recipe(benchmark.generated))
    return nano.problems(
        benchmark.domain,
        "test",
        benchmark.expected,
        seed=recipe.seed,
        m=recipe.clr.m,
        operations=recipe.problems.operations,
    )


def _sha256(path: Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _is_of_columns(told: str) -> bool:
    return "columns found" in told or "missing" in told


def _wanted(benchmark: Benchmark) -> Any:
    """Which rows lie in the benchmark's window, by their date; a row without one is kept, and refused later."""
    if benchmark.window is None:
        return None
    first, last = (datetime.combine(day, time()) for day in benchmark.window)

    def wanted(row: Mapping[str, Any]) -> bool:
        stated = date_of(row)
        return not stated or first <= datetime.fromisoformat(stated).replace(tzinfo=None) <= last

    return wanted
