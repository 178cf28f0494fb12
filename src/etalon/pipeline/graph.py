"""The recipe as a graph of stages, in an order that can be run, and the content key of each.

problems -> the stages of the recipe, each after what it needs;  an evaluation beside every checkpoint asked about
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from etalon import prompts
from etalon.config.plugins import bare, fingerprint, is_named_code
from etalon.config.stages import (
    EVALUATION,
    KINDS,
    PREFLIGHT,
    PROBLEMS,
    Listed,
    entries,
    in_order,
    kind_class,
    listed,
    no_stage,
)
from etalon.errors import ConfigError
from etalon.model import ARITHMETIC
from etalon.pipeline.stage import SPLITS, Stage, is_evaluated
from etalon.pipeline.stages.base import Base
from etalon.pipeline.stages.clr import Clr
from etalon.pipeline.stages.data import Data
from etalon.pipeline.stages.distill import Distill
from etalon.pipeline.stages.evaluate import Evaluation
from etalon.pipeline.stages.fuse import Fuse
from etalon.pipeline.stages.preflight import Preflight
from etalon.pipeline.stages.problems import Problems
from etalon.pipeline.stages.rl import Rl
from etalon.pipeline.stages.sft import Sft
from etalon.problems import nano
from etalon.recipe import Recipe
from etalon.store import hash_tree, stable_hash

STAGE_KINDS: dict[str, type[Stage]] = {
    "base": Base, "data": Data, "sft": Sft, "fuse": Fuse, "rl": Rl, "distill": Distill, "clr": Clr,
}  # fmt: skip
assert STAGE_KINDS.keys() == KINDS.keys()


@dataclass(frozen=True)
class Graph:
    """The stages of one recipe. Made by `graph_of`, which checks them."""

    recipe: Recipe
    stages: tuple[Stage, ...]  # in an order that can be run; what only the summary waits for comes last

    @cached_property
    def by_name(self) -> dict[str, Stage]:
        return {stage.name: stage for stage in self.stages}

    @property
    def pipeline(self) -> Iterator[Stage]:
        """What runs one after the other."""
        return (stage for stage in self.stages if not stage.is_background)

    @property
    def models(self) -> list[Stage]:
        """The stages that leave a checkpoint, in the order of the list."""
        return [stage for stage in self.stages if stage.makes_model]

    def directories(self, run_dir: Path) -> dict[str, Path]:
        """Stage name -> runs/<name>/stages/<stage>."""
        return {stage.name: run_dir / "stages" / stage.name for stage in self.stages}

    def find(self, name: str, *, option: str) -> Stage:
        """The stage of a name; ConfigError with the option that named it."""
        if name not in self.by_name:
            raise ConfigError(f"{option} {name}: {no_stage(name, self.by_name)}")
        return self.by_name[name]

    def dependents(self, names: Sequence[str]) -> set[str]:
        """These stages and all that need one of them."""
        found = set(names)
        for stage in self.stages:
            if found & set(stage.needs):
                found.add(stage.name)
        return found

    def needed(self, names: Sequence[str]) -> set[str]:
        """These stages and all that they need."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self.by_name[name].needs
        return found

    def keys(self) -> dict[str, str]:
        """The content key of every stage: its version and knobs, the keys of what it needs, and outside inputs."""
        texts = sorted(hash_tree(folder) for folder in prompts.folders(self.recipe.prompts))
        found: dict[str, str] = {}
        for stage in self.stages:
            found[stage.name] = stable_hash(
                {
                    "stage": stage.name,
                    "kind": bare(stage.kind),
                    "version": stage.version,
                    "common": _common(self.recipe, stage),
                    "knobs": stage.knobs,
                    "needs": [found[name] for name in stage.needs],
                    "outside": [*sorted(stage.outside.values()), *([] if stage.needs else texts), *_own_code(stage)],
                }
            )
        return found


def graph_of(recipe: Recipe, *, preflight: bool = True) -> Graph:
    """Every stage of a resolved recipe, checked. ConfigError for what cannot be run as it is listed."""
    found = listed(recipe)
    places = [stage.name for stage in entries(recipe)]
    others = tuple(sorted(found, key=lambda stage: places.index(stage.name)))
    stages = [_stage(one, recipe, others) for one in found]
    for stage in stages:
        stage.check()
    evaluated = [stage.name for stage in stages if stage.makes_model and is_evaluated(recipe, stage.name)]
    evaluations = [_evaluation(name, recipe, others) for name in evaluated]
    background = [stage for stage in stages if stage.is_background]
    front = [stage for stage in stages if not stage.is_background]
    check_known_needs(stages)
    ordered = in_order(front, {stage.name: stage.needs for stage in front})
    ordered += [*evaluations, *background]
    wanted = frozenset(split for stage in ordered for split in stage.splits)
    documents = max((s.spec.documents for s in stages if isinstance(s, Base) and s.is_scratch), default=0)
    first = Problems(listed=_always(PROBLEMS, recipe.problems), recipe=recipe, others=others, documents=documents,
                     wanted=wanted or frozenset(SPLITS))  # fmt: skip
    first.check()
    look = _preflight(recipe, ordered, others) if preflight else None
    if look is not None:
        place = next(i for i, stage in enumerate(ordered) if stage.name == look.source) + 1
        ordered.insert(place, look)
    return Graph(recipe, (first, *ordered))


def _stage(one: Listed, recipe: Recipe, others: tuple[Listed, ...]) -> Stage:
    kind: Any = STAGE_KINDS.get(one.kind) or kind_class(one.kind)
    if not (isinstance(kind, type) and issubclass(kind, Stage)):
        raise ConfigError(f"{one.name}.kind: {one.kind}: is no subclass of etalon.pipeline.stage.Stage")
    return kind(listed=one, recipe=recipe, others=others)


def _always(name: str, spec: Any, source: str = "") -> Listed:
    return Listed(name=name, kind=name, source=source, spec=spec, own={})


def _evaluation(name: str, recipe: Recipe, others: tuple[Listed, ...]) -> Evaluation:
    one = replace(_always(f"{EVALUATION}{name}", recipe.eval, name), kind="eval")
    return Evaluation(listed=one, recipe=recipe, others=others)


def _preflight(recipe: Recipe, ordered: Sequence[Stage], others: tuple[Listed, ...]) -> Preflight | None:
    """The look at a given model before the first stage that trains it; a model from scratch knows nothing yet."""
    trains = [stage for stage in ordered if stage.trains and not isinstance(stage, Base)]
    trained = next((stage for stage in trains if not (isinstance(stage, Rl) and not stage.spec.steps)), None)
    base = next((stage for stage in ordered if trained is not None and stage.name == trained.source), None)
    if trained is None or not isinstance(base, Base) or base.is_scratch:
        return None
    return Preflight(
        listed=_always(PREFLIGHT, trained.spec, base.name), recipe=recipe, others=others, first=trained
    )  # fmt: skip


def check_known_needs(stages: Sequence[Stage]) -> None:
    """ConfigError for a stage, of a user's kind, that needs one which the recipe does not have."""
    names = [PROBLEMS, *(stage.name for stage in stages)]
    for stage in stages:
        for name in stage.needs:
            if name not in names:
                raise ConfigError(f"{stage.name}: its kind {stage.kind} needs {no_stage(name, names)}")


def _own_code(stage: Stage) -> list[str]:
    """Of a user's kind, its file: who edits it has no version to remember."""
    return [fingerprint(stage.kind)] if is_named_code(stage.kind) else []


def _common(recipe: Recipe, stage: Stage) -> Any:
    """What every stage depends on, with how it trains and samples where it does; not where and how fast that is."""
    shared: dict[str, Any] = {"seed": recipe.seed, "world": nano.FINGERPRINT}
    if stage.trains or stage.samples:
        shared |= {"device": recipe.device, "autocast": recipe.autocast, "arithmetic": ARITHMETIC}
    if stage.trains:
        adapter = recipe.trl.model_dump(include={"lora_rank", "lora_alpha"}) if recipe.engine == "trl" else {}
        overrides = {"overrides": recipe.verl.overrides} if recipe.engine == "verl" else {}
        shared |= {"engine": recipe.engine, **adapter, **overrides}
    if stage.samples:
        shared["sampler"] = recipe.sampler.name
    return shared
