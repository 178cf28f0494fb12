"""What a stage is, and what it is given to work with. No torch: a dry run loads only this.

Stage: name, purpose, paper section, the stages it needs, the knobs it reads, where its work is written
Work:  recipe, directories, upstream outputs, a place to report to; one per running stage
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from etalon.problems.rows import problem_from_row
from etalon.recipe import Recipe
from etalon.store import StageDir, read_jsonl, stable_hash
from etalon.types import Domain, Problem

Outputs = dict[str, Any]


class View(Protocol):
    """Where a running stage shows what it does (`progress.StageView`)."""

    def update(self, done: int, total: int, **numbers: float | int | str) -> None: ...

    def note(self, text: str) -> None: ...


class Silent:
    """The view of a stage that runs beside another."""

    def update(self, done: int, total: int, **numbers: float | int | str) -> None:
        return None

    def note(self, text: str) -> None:
        return None


# How independent calls of one module-level function are spread: in this process, or over the workers as well.
Spread = Callable[[Callable[..., Any], Sequence[tuple[Any, ...]]], list[Any]]


def in_this_process(function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
    """The simplest `Spread`."""
    return [function(*one) for one in arguments]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One node of the graph.

    knobs: the part of the recipe that the stage depends on; a change there, or in a stage it needs, redoes it.
    work: "module:function" under `etalon.pipeline`, called with a `Work`, returning JSON outputs.
    is_background: nothing but the summary waits for it (evaluations), so it may run beside other stages.
    """

    name: str
    purpose: str
    section: str
    needs: tuple[str, ...]
    knobs: Callable[[Recipe], Any]
    work: str
    version: int = 1
    is_background: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def function(self) -> Callable[..., Outputs]:
        """Import the work; this is where torch loads."""
        module, _, name = self.work.partition(":")
        function: Callable[..., Outputs] = getattr(importlib.import_module(f"etalon.pipeline.{module}"), name)
        return function


@dataclass(frozen=True, kw_only=True)
class Work:
    """A running stage's view of the run."""

    recipe: Recipe
    stage: Stage
    directories: Mapping[str, Path]
    view: View = field(default_factory=Silent)
    spread: Spread = in_this_process

    @property
    def directory(self) -> Path:
        return self.directories[self.stage.name]

    @property
    def seed(self) -> int:
        """A seed of this stage's own."""
        return int(stable_hash({"seed": self.recipe.seed, "stage": self.stage.name}), 16) % 2**31

    def outputs(self, name: str) -> Outputs:
        """What a stage it needs has left."""
        assert name in self.stage.needs, f"{self.stage.name} reads {name} without needing it"
        done = StageDir(self.directories[name]).done()
        assert done is not None, f"{name} is not done"
        outputs: Outputs = done["outputs"]
        return outputs

    def checkpoint(self, name: str) -> Path:
        """The model that a stage it needs has left; inside the run, or the user's own directory."""
        path = Path(self.outputs(name)["checkpoint"])
        return path if path.is_absolute() else self.directories[name].parent / path

    def keep_checkpoint(self, path: Path) -> str:
        """How a checkpoint of this stage is named in its outputs: relative, so that a run can be moved."""
        return str(path.relative_to(self.directory.parent))

    def problems(self, split: str, *domains: Domain) -> list[Problem]:
        """The problems of a split, of some domains or of all."""
        assert "problems" in self.stage.needs
        rows = read_jsonl(self.directories["problems"] / f"{split}.jsonl")
        problems = [problem_from_row(row) for row in rows]
        return [p for p in problems if not domains or p.domain in domains]
