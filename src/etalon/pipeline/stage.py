"""What a stage is, and what it is given to work with. No torch: a dry run loads only this and `stages/`.

Stage: an entry of the recipe's list as an object: what it needs, the knobs it reads, what it does, costs and shows
Work:  recipe, directories, upstream outputs, a place to report to; one per running stage
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from etalon.config.stages import PROBLEMS, Listed
from etalon.cost.work import Cost
from etalon.errors import ConfigError
from etalon.problems.rows import problem_from_row
from etalon.recipe import Recipe
from etalon.store import StageDir, read_jsonl, seed_from
from etalon.types import Domain, Problem

Outputs = dict[str, Any]
SPLITS = ("train", "probe", "rl", "test")
AWAIT_SECONDS = 0.1  # (ours) between two looks whether a stage is done


class View(Protocol):
    """Where a running stage shows what it does (`progress.StageView`)."""

    def update(self, done: int, total: int, **numbers: float | int | str) -> None: ...

    def note(self, text: str) -> None: ...


class Silent:
    """The view of a stage that runs beside another: what it would show is kept."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.last: tuple[int, int, dict[str, float | int | str]] | None = None

    def update(self, done: int, total: int, **numbers: float | int | str) -> None:
        self.last = (done, total, numbers)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def show(self, view: View) -> None:
        """Show all of it in another view."""
        if self.last:
            done, total, numbers = self.last
            view.update(done, total, **numbers)
        for text in self.notes:
            view.note(text)


# How independent calls of one module-level function are spread: in this process, or over the workers as well.
Spread = Callable[[Callable[..., Any], Sequence[tuple[Any, ...]]], list[Any]]


def in_this_process(function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
    """The simplest `Spread`."""
    return [function(*one) for one in arguments]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One node of the graph; a kind is a subclass, and a user's kind is one of the user's.

    `run` does the work in `work.directory` and returns JSON outputs; killed and run again it must end the same. A stage
    that makes a model names it there as "checkpoint". What `run` alone needs (torch) is imported inside it.
    """

    version: ClassVar[int] = 1  # part of the key: another one redoes the stage
    makes_model: ClassVar[bool] = True
    trains: ClassVar[bool] = True  # its result depends on the engine
    is_background: ClassVar[bool] = False  # nothing but the summary waits for it, so it may run beside other stages
    runs_alone: ClassVar[bool] = False  # nothing runs beside it: it uses every core, and may end the run

    listed: Listed
    recipe: Recipe
    others: tuple[Listed, ...] = ()  # every stage of the recipe, in the order of the list

    @property
    def purpose(self) -> str:
        """What it is for, in a line; a class attribute will do."""
        return (type(self).__doc__ or "").partition("\n")[0]

    @property
    def section(self) -> str:
        """Of the paper."""
        return "(ours)"

    @property
    def name(self) -> str:
        return self.listed.name

    @property
    def kind(self) -> str:
        return self.listed.kind

    @property
    def source(self) -> str:
        """The stage whose checkpoint it starts from."""
        return self.listed.source

    @property
    def spec(self) -> Any:
        """The values of its keys."""
        return self.listed.spec

    @property
    def domains(self) -> tuple[Domain, ...]:
        """Whose problems it is meant to get better at; none where it is about no one in particular."""
        return ()

    @property
    def samples(self) -> bool:
        """Whether its result depends on the sampler."""
        return True

    @property
    def needs(self) -> tuple[str, ...]:
        """The stages whose outputs it reads."""
        return (PROBLEMS, self.source) if self.source else (PROBLEMS,)

    @property
    def awaits(self) -> frozenset[str]:
        """Those of them beside which it may begin, in a worker process: `Work.outputs` waits for their end."""
        return frozenset()

    @property
    def splits(self) -> frozenset[str]:
        """The splits of the problems that it reads."""
        return frozenset()

    @property
    def knobs(self) -> Any:
        """The part of the recipe that it depends on; a change there, or in a stage it needs, redoes it."""
        return dump(self.spec)

    @property
    def outside(self) -> Mapping[str, str]:
        """Hashes of files outside the run that it reads."""
        return {}

    def check(self) -> None:
        """ConfigError for keys that cannot be run, before anything is."""

    @property
    def cost(self) -> Cost:
        """Steps and tokens, as far as the recipe says them."""
        return Cost()

    @property
    def shown(self) -> tuple[str, str]:
        """Optimiser steps and sampled rollouts in words, for a plan without GPUs."""
        return "", ""

    def run(self, work: Work) -> Outputs:
        """Do the work; this is where torch loads."""
        raise NotImplementedError

    def stands(self, outputs: Outputs) -> bool:
        """Whether outputs of this very key still say all that the recipe asks for."""
        return True

    def afterwords(self, directories: Mapping[str, Path], stages: Sequence[Stage]) -> list[str]:
        """Lines for the user once it is done."""
        return []

    def before(self, kind: str) -> list[Listed]:
        """The stages of a kind that stand before it in the list, the nearest last."""
        names = [one.name for one in self.others]
        return [one for one in self.others[: names.index(self.name)] if one.kind == kind]

    def data_stage(self) -> str:
        """The stage whose traces it trains on. ConfigError when there is none."""
        found = self.before("data")
        if not found:
            raise ConfigError(
                f"{self.name}: trains on traces, and no stage of kind 'data' stands before it; add one, or name a "
                "file of traces"
            )
        return found[-1].name


def finished(stage: Stage, key: str, directory: Path) -> dict[str, Any] | None:
    """DONE.json of a stage that was finished with the very inputs it has now; None where there is work to do."""
    done = StageDir(directory).done()
    return done if done is not None and done["key"] == key and stage.stands(done["outputs"]) else None


def is_evaluated(recipe: Recipe, name: str) -> bool:
    """Whether the recipe asks for an evaluation of a stage's checkpoint."""
    return recipe.eval.after == "all" or name in recipe.eval.after


def dump(spec: Any, *, as_written: bool = False) -> Any:
    """The values of a kind's keys as plain data; `as_written` under the names that a recipe gives them: lambda."""
    if hasattr(spec, "model_dump"):
        return spec.model_dump(by_alias=as_written)
    return dict(vars(spec)) if hasattr(spec, "__dict__") else repr(spec)


@dataclass(frozen=True, kw_only=True)
class Work:
    """A running stage's view of the run."""

    recipe: Recipe
    stage: Stage
    directories: Mapping[str, Path]
    view: View = field(default_factory=Silent)
    spread: Spread = in_this_process
    goes_on: bool = False  # also where nothing can be learned
    awaited: str = ""  # the stage beside which it began
    waits: list[float] = field(default_factory=list)  # seconds in which it did nothing else

    @property
    def directory(self) -> Path:
        return self.directories[self.stage.name]

    @property
    def source(self) -> Path:
        """The checkpoint that the stage starts from."""
        return self.checkpoint(self.stage.source)

    @property
    def seed(self) -> int:
        """A seed of this stage's own."""
        return seed_from({"seed": self.recipe.seed, "stage": self.stage.name})

    def outputs(self, name: str) -> Outputs:
        """What a stage it needs has left; waits for the end of one that runs beside it."""
        assert name in self.stage.needs, f"{self.stage.name} reads {name} without needing it"
        directory, started = StageDir(self.directories[name]), time.monotonic()
        while (done := directory.done()) is None and name == self.awaited:
            time.sleep(AWAIT_SECONDS)
        self.waits.append(time.monotonic() - started)
        assert done is not None, f"{name} is not done"
        outputs: Outputs = done["outputs"]
        return outputs

    def checkpoint(self, name: str) -> Path:
        """The model that a stage it needs has left; inside the run, or the user's own directory."""
        return checkpoint_path(self.outputs(name), self.directories[name])

    def keep_checkpoint(self, path: Path) -> str:
        """How a checkpoint of this stage is named in its outputs: relative, so that a run can be moved."""
        return str(path.relative_to(self.directory.parent))

    def problems(self, split: str, *domains: Domain) -> list[Problem]:
        """The problems of a split, of some domains or of all."""
        problems = [problem_from_row(row) for row in read_jsonl(self.problem_file(split))]
        return [p for p in problems if not domains or p.domain in domains]

    def problem_file(self, split: str) -> Path:
        """Where the problems of a split lie."""
        assert PROBLEMS in self.stage.needs
        assert split in self.stage.splits, f"{self.stage.name} reads {split} without saying so"
        return self.directories[PROBLEMS] / f"{split}.jsonl"

    def show(self, total: int, *names: str) -> Callable[[int, Mapping[str, Any]], None]:
        """A callback that shows a logged row's numbers in the progress bar."""

        def on_step(done: int, row: Mapping[str, Any]) -> None:
            self.view.update(done, total, **{name: row[name] for name in names if row.get(name) is not None})

        return on_step

    def watch(self, done: int, total: int, numbers: Mapping[str, float | int | str]) -> None:
        """The `watch` of `sampling.attempt`: live numbers of what was sampled so far."""
        self.view.update(done, total, **numbers)


def checkpoint_path(outputs: Mapping[str, Any], directory: Path) -> Path:
    """Where the checkpoint lies that a stage with these outputs, in this directory, has left."""
    path = Path(outputs["checkpoint"])
    return path if path.is_absolute() else directory.parent / path


def known(names: Collection[str]) -> tuple[Domain, ...]:
    """Names of domains as domains, in the order of `Domain`."""
    return tuple(domain for domain in Domain if domain.value in names)


def peak_memory_mb() -> float:
    """Largest resident size of this process so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 if sys.platform != "darwin" else peak / 1024**2
