"""The runs of a study, one per arm and seed: which stages each needs, and which of them another run has already.

Study -> tasks -> Task (recipe, graph, keys)     Task.pending(Finished) -> keys of what is left to do
Finished: key -> directory of a stage, in any run of the study and in runs that are reused
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from etalon import config, pipeline
from etalon.config.stages import EVALUATION
from etalon.errors import ConfigError
from etalon.pipeline.graph import Graph, graph_of
from etalon.pipeline.inputs import check_inputs
from etalon.pipeline.stage import Stage, finished
from etalon.recipe import Recipe
from etalon.store import StageDir, read_json, stable_hash
from etalon.studies.study import Arm, Study

RUNS = "runs"  # below a study's directory: seed-S/ARM
LOGS = "logs"  # what each run printed
MOST_LETTERS = 100  # (ours) of a directory's name
PLAIN = re.compile(r"[^A-Za-z0-9._=+-]+")


@dataclass
class Finished:
    """Finished stages by content key, whichever run they are of."""

    places: dict[str, Path] = field(default_factory=dict)

    def add(self, run_dir: Path) -> None:
        """Every finished stage of a run."""
        for path in sorted((run_dir / "stages").glob("*")):
            if not path.name.startswith(".") and (done := StageDir(path).done()) is not None:
                self.places.setdefault(str(done.get("key")), path)

    def find(self, stage: Stage, key: str) -> Path | None:
        """Where a stage with this key lies that still says all that the recipe asks for."""
        place = self.places.get(key)
        return place if place is not None and finished(stage, key, place) is not None else None


@dataclass(frozen=True, kw_only=True)
class Task:
    """One run of a study. sets: its overrides, in the order in which they apply."""

    arm: Arm
    seed: int
    recipe_path: Path
    directory: Path
    log: Path
    recipe: Recipe
    sets: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.arm.name}, seed {self.seed}"

    @cached_property
    def graph(self) -> Graph:
        return graph_of(self.recipe, preflight=False)

    @cached_property
    def keys(self) -> Mapping[str, str]:
        return self.graph.keys()

    @cached_property
    def directories(self) -> Mapping[str, Path]:
        return self.graph.directories(self.directory)

    @cached_property
    def only(self) -> tuple[str, ...]:
        """The stages to run: those that are measured and all that they need, in the order of the graph."""
        needed = self.graph.needed(self.arm.measure)
        return tuple(stage.name for stage in self.graph.stages if stage.name in needed)

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """The same with their evaluations."""
        names = {*self.only, *(f"{EVALUATION}{name}" for name in self.only)}
        return tuple(stage for stage in self.graph.stages if stage.name in names)

    def is_done(self, stage: Stage) -> bool:
        return finished(stage, self.keys[stage.name], self.directories[stage.name]) is not None

    @property
    def is_whole(self) -> bool:
        """Whether all of it is done, and was told."""
        return (self.directory / "summary.json").is_file() and all(map(self.is_done, self.stages))

    @property
    def is_told(self) -> bool:
        """Whether it is whole, and its summary is of the very recipe that it has now."""
        path = self.directory / "resolved.toml"
        return self.is_whole and path.is_file() and path.read_bytes() == config.to_toml(self.recipe).encode()

    def pending(self, done: Finished) -> set[str]:
        """Keys of the stages that no run has finished."""
        left = [stage for stage in self.stages if not self.is_done(stage)]
        return {self.keys[stage.name] for stage in left if done.find(stage, self.keys[stage.name]) is None}

    def begun(self, keys: Collection[str]) -> list[str]:
        """Those of the keys whose stage this run has begun and not finished."""
        found = [(self.keys[stage.name], self.directories[stage.name] / "inputs.json") for stage in self.stages]
        return [key for key, path in found if key in keys and path.is_file() and read_json(path).get("key") == key]

    def take(self, done: Finished) -> None:
        """Make the run directory, with what other runs have finished; what it told before is told anew."""
        pipeline.check_owner(self.directory, self.recipe.name)
        (self.directory / "summary.json").unlink(missing_ok=True)
        pipeline.write_run_files(self.recipe.resolved(), self.directory, self.recipe_path, self.sets)
        pipeline.clear_partial(self.directory)
        for stage in self.stages:
            place = None if self.is_done(stage) else done.find(stage, self.keys[stage.name])
            if place is not None:
                self.directories[stage.name].parent.mkdir(parents=True, exist_ok=True)
                pipeline.take(place, self.directories[stage.name], link=True)

    @property
    def command(self) -> list[str]:
        """What runs it; it may be run by hand as well."""
        sets = [word for one in self.sets for word in ("--set", one)]
        return [
            sys.executable, "-m", "etalon", "run", str(self.recipe_path), "--run", str(self.directory),
            "--only", ",".join(self.only), "--no-preflight", "--no-keep-overrides", *sets,
        ]  # fmt: skip


def tasks_of(study: Study, recipe_path: Path, directory: Path) -> list[Task]:
    """Every run of a study, by seed and then by arm. ConfigError for an arm whose recipe cannot be run."""
    names = _slugs([arm.name for arm in study.arms])
    tasks = [
        _task(study, arm, seed, recipe_path, directory, names[arm.name]) for seed in study.seeds for arm in study.arms
    ]
    _check_distinct(tasks[: len(study.arms)])
    return tasks


def _check_distinct(tasks: Sequence[Task]) -> None:
    """ConfigError for two arms that are one and the same run, which would pass for a comparison."""
    found: dict[tuple[str, ...], Task] = {}
    for task in tasks:
        measured = tuple(task.keys[f"{EVALUATION}{name}"] if f"{EVALUATION}{name}" in task.keys else task.keys[name]
                         for name in task.arm.measure)  # fmt: skip
        if (twin := found.setdefault(measured, task)) is not task:
            raise ConfigError(
                f"arms: {twin.arm.name!r} and {task.arm.name!r} are the same; nothing that is measured "
                f"({', '.join(task.arm.measure)}) depends on what they set"
            )


def _task(study: Study, arm: Arm, seed: int, recipe_path: Path, directory: Path, slug: str) -> Task:
    sets = (*study.sets, *arm.sets, f"seed={seed}", "jobs=1")
    plain = config.load(recipe_path, sets)
    sets = (*sets, f"eval.after={_evaluated(plain, arm)}")
    recipe = config.load(recipe_path, sets)
    check_inputs(recipe.resolved())
    log = directory / LOGS / f"seed-{seed}" / f"{slug}.txt"
    return Task(
        arm=arm, seed=seed, recipe_path=recipe_path, directory=directory / RUNS / f"seed-{seed}" / slug, log=log,
        recipe=recipe.resolved(), sets=sets,
    )  # fmt: skip


def _evaluated(recipe: Recipe, arm: Arm) -> list[str]:
    """The measured stages and those that they start from, as far as they leave a model."""
    stages = graph_of(recipe.resolved(), preflight=False).by_name
    models = [name for name in arm.measure if stages[name].makes_model]
    sources = [stages[name].source for name in arm.measure if stages[name].source]
    return list(dict.fromkeys((*sources, *models)))


def _short(slug: str, name: str) -> str:
    """A slug that fits into a file's name."""
    return slug if len(slug) <= MOST_LETTERS else f"{slug[:MOST_LETTERS]}-{stable_hash(name)}"


def _slugs(names: Sequence[str]) -> dict[str, str]:
    """A directory's name for every arm; ConfigError where two would share one."""
    found = {name: _short(PLAIN.sub("-", name).strip("-.") or "arm", name) for name in names}
    if len(set(found.values())) < len(found):
        raise ConfigError(f"arms: two names differ in signs that no directory has: {', '.join(names)}")
    return found
