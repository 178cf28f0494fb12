"""The benchmarks as a table on the terminal and as JSON, with where their files are (`etalon eval --list`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etalon.errors import InputError
from etalon.evaluate.benchmarks.catalogue import Benchmark, Published, catalogue
from etalon.evaluate.benchmarks.choose import found_in

if TYPE_CHECKING:
    from rich.console import Console

FULL_WIDTH = 160  # columns from which a second line has room


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A benchmark and where its file is. trouble: why what was found cannot be it."""

    benchmark: Benchmark
    path: Path | None
    trouble: str = ""

    @property
    def where(self) -> str:
        if self.benchmark.generated:
            return "generated"
        return self.trouble or ("not here" if self.path is None else str(self.path))

    def to_row(self) -> dict[str, Any]:
        """As JSON values; scores are shares, `problems` and `n` of published scores null where not known."""
        one = self.benchmark
        return {
            "name": one.name,
            "title": one.title,
            "domain": one.domain.value,
            "problems": one.expected or None,
            "n": one.n,
            "path": None if self.path is None else str(self.path),
            "trouble": self.trouble,
            "source": one.source,
            "revision": one.revision,
            "licence": one.licence,
            "notes": one.notes,
            "published": [published_row(score) for score in one.published],
        }


def published_row(score: Published) -> dict[str, Any]:
    """A published score as JSON values: {model, score, n, metric, source, settings}; n null where it is not told."""
    return {
        "model": score.model,
        "score": score.score,
        "n": score.n or None,
        "metric": score.metric,
        "source": score.source,
        "settings": score.settings,
    }


def listed(folders: Sequence[Path] = ()) -> list[Listed]:
    """Every benchmark of the catalogue, with where its file is: in `folders`, ETALON_BENCHMARKS or ./benchmarks."""
    return [_look(benchmark, folders) for benchmark in catalogue().values()]


def _look(benchmark: Benchmark, folders: Sequence[Path]) -> Listed:
    try:
        return Listed(benchmark=benchmark, path=found_in(benchmark, folders))
    except InputError as error:
        return Listed(benchmark=benchmark, path=None, trouble=str(error).removeprefix(f"{benchmark.name}: "))


def listed_json(rows: Sequence[Listed]) -> str:
    """The rows as one JSON array."""
    return json.dumps([row.to_row() for row in rows], ensure_ascii=False, indent=2)


def print_listed(rows: Sequence[Listed], console: Console | None = None) -> None:
    """Print a line for every benchmark; from 160 columns a second one has title, licence and published scores."""
    from rich.console import Console
    from rich.text import Text

    console = console or Console()
    names = max((len(row.benchmark.name) for row in rows), default=0)
    head = f"{'name':<{names}}  problems   n  domain    "
    room = console.width - len(head) if console.is_terminal else None
    console.print(Text(f"{head}file", style="bold"), soft_wrap=True)
    for row in rows:
        one = row.benchmark
        line = f"{one.name:<{names}}  {one.expected or '-':>8}  {one.n:>2}  {one.domain.value:<8}  "
        console.print(Text(line + _fitting(row.where, room)), soft_wrap=True)
        if console.is_terminal and console.width >= FULL_WIDTH:
            about = f"{one.title}; {one.licence}; {', '.join(map(shown, one.published)) or 'nothing published'}"
            console.print(Text(f"  {about}", style="dim"), no_wrap=True, overflow="ellipsis")
    console.print(Text("Titles, licences, sources and published scores: --list --format json"), soft_wrap=True)


def _fitting(where: str, room: int | None) -> str:
    """The end of what has no room, which of a path is its file; at least 20 letters."""
    most = None if room is None else max(room, 20)
    return where if most is None or len(where) <= most else f"…{where[1 - most :]}"


def shown(score: Published) -> str:
    """A published score in a few words: "VibeThinker-3B 91.4 (avg@64)"; percent."""
    metric = "CLR" if score.metric == "clr" else f"avg@{score.n}" if score.n else "n not told"
    return f"{score.model} {100 * score.score:.1f} ({metric})"
