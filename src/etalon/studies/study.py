"""What a study asks: a recipe, arms that differ in some values, seeds, and the stages that are measured.

    --vary STAGE.KEY=a,b  -> varied    every combination is an arm, the first is what the others are compared with
    a TOML file           -> read_study
    Study + recipe        -> write_recipe -> DIR/recipe.toml: the recipe with the study's own stages, paths absolute

A file has a question, a recipe, the stages it measures and [[arms]], each with a name and the values it sets; an arm
may measure other stages than the first one, in the same order. [[stages]] are added to the recipe's own.
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from pydantic import ValidationError

from etalon import config
from etalon.config.help import explain
from etalon.config.stages import MODELLESS, NAME, default_stages, listed, no_stage
from etalon.config.toml import tuples
from etalon.errors import ConfigError
from etalon.recipe import Count, Positive, Recipe, Spec, StageSpec
from etalon.store import write_atomic

RECIPE = "recipe.toml"  # of a study's directory
MOST_ARMS = 64  # (ours) more of them are a mistake


class ArmSpec(Spec):
    """One entry of `[[arms]]`."""

    name: str  # names its runs and its rows
    set: tuple[str, ...] = ()  # KEY=VALUE over the recipe, as `etalon run --set` takes them
    measure: tuple[str, ...] = ()  # the stages that stand for the study's `measure`, in its order; empty: those


class StudySpec(Spec):
    """A study as a file."""

    name: str  # of its directory: runs/NAME
    question: str  # what it asks, in one sentence
    recipe: str  # packaged, or a path from the folder of this file
    measure: tuple[str, ...]  # stages whose scores are compared
    domains: tuple[str, ...] = ()  # that the answer is about; the others are shown beside them
    unit: str = ""  # of a `clr` stage: the column that arms are compared by
    seeds: Positive = 5
    first_seed: Count = 0
    set: tuple[str, ...] = ()  # KEY=VALUE of every arm
    arms: tuple[ArmSpec, ...]
    stages: tuple[StageSpec, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way to run the recipe. sets: its overrides. measure: its stages, one for each that the study measures."""

    name: str
    sets: tuple[str, ...]
    measure: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Study:
    """A recipe, arms and seeds. The first arm is what the others are compared with.

    measure: names of the measured stages, those of the first arm. domains: what the answer is about; empty is all.
    """

    name: str
    recipe: Path
    arms: tuple[Arm, ...]
    measure: tuple[str, ...]
    seeds: tuple[int, ...]
    question: str = ""
    domains: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    stages: tuple[StageSpec, ...] = field(default=())

    @property
    def baseline(self) -> Arm:
        return self.arms[0]


# ---- of a command line


def varied(
    recipe: Path, vary: Sequence[str], *, seeds: Sequence[int], sets: Sequence[str] = (), measure: Sequence[str] = ()
) -> Study:
    """A study of `STAGE.KEY=a,b` or `TABLE.KEY=a,b`: every combination of the values is an arm.

    measure: stages; empty is the one that is varied, or every stage that leaves a model where a table is. ConfigError
    for a key without two values, a name that is no key, and for more than 64 arms.
    """
    options = [_options(one) for one in vary]
    if not options:
        raise ConfigError("--vary: is missing; write --vary STAGE.KEY=a,b, such as rl.gamma=0,1")
    combinations = list(itertools.product(*options))
    if len(combinations) > MOST_ARMS:
        raise ConfigError(f"--vary: {len(combinations)} combinations; at most {MOST_ARMS} are run in one study")
    found = config.load(recipe, sets)
    stages = tuple(measure) or _varied_stages(found, [key for key, _ in (one[0].split("=", 1) for one in options)])
    shown = _short([one[0].partition("=")[0] for one in options])
    arms = tuple(
        Arm(name=", ".join(shown[key] + equals + value for key, equals, value in (text.partition("=") for text in one)),
            sets=one, measure=stages)
        for one in combinations
    )  # fmt: skip
    name = f"{found.name}-{'-'.join(one[0].partition('=')[0] for one in options)}"
    return Study(name=name, recipe=recipe, arms=arms, measure=stages, seeds=tuple(seeds), sets=tuple(sets))


def _options(vary: str) -> tuple[str, ...]:
    """`rl.gamma=0,1` as ("rl.gamma=0", "rl.gamma=1"); commas inside brackets, braces and quotes part nothing."""
    key, equals, text = vary.partition("=")
    values = list(dict.fromkeys(one.strip() for one in _parted(text) if one.strip()))
    if not equals or not key.strip() or len(values) < 2:
        raise ConfigError(f"--vary {vary}: expected STAGE.KEY=a,b with at least two values, such as rl.gamma=0,1")
    return tuple(f"{key.strip()}={value}" for value in values)


def _parted(text: str) -> list[str]:
    """The text at its commas, those inside brackets, braces and quotes aside."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if letter == "," and not depth and not quote:
            parts.append("")
            continue
        parts[-1] += letter
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        else:
            depth += (letter in "[{") - (letter in "]}")
    return parts


def _short(keys: Sequence[str]) -> dict[str, str]:
    """Keys as an arm's name says them: the last part alone where that tells them apart."""
    lasts = [key.rpartition(".")[2] for key in keys]
    return {key: last if lasts.count(last) == 1 else key for key, last in zip(keys, lasts, strict=True)}


def _varied_stages(recipe: Recipe, keys: Sequence[str]) -> tuple[str, ...]:
    """The stages that are varied, in the order of the list; of a table all stages that it may change."""
    names = [stage.name for stage in listed(recipe)]
    heads = [key.partition(".")[0] for key in keys]
    if all(head in names for head in heads):
        return (max(heads, key=names.index),)
    kinds = [stage.kind for stage in listed(recipe)]
    firsts = [names.index(head) if head in names else kinds.index(head) if head in kinds else 0 for head in heads]
    after = listed(recipe)[min(firsts) :]
    return tuple(stage.name for stage in after if stage.kind not in MODELLESS)


# ---- of a file


def packaged_studies() -> dict[str, Path]:
    """The studies that come with the package, by name."""
    folder = Path(str(resources.files("etalon"))) / "recipes" / "studies"
    return {file.stem: file for file in sorted(folder.glob("*.toml"))}


def read_study(path: Path, *, num_seeds: int | None = None, sets: Sequence[str] = ()) -> Study:
    """The study of a file. num_seeds: in place of its own, from its first seed on. sets: overrides after its own.

    ConfigError for a bad file.
    """
    try:
        spec = StudySpec.model_validate(tuples(tomllib.loads(path.read_text(encoding="utf-8-sig"))))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(key) for key in first["loc"])
        raise ConfigError(f"{path}: {place}: {explain(first)}") from None
    except ValueError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    if not spec.arms:
        raise ConfigError(f"{path}: arms: names none; a study has at least one [[arms]]")
    if not NAME.fullmatch(spec.name):
        raise ConfigError(f"{path}: name: {spec.name!r}: use letters, digits, '-', '_' and '.'")
    names = [arm.name for arm in spec.arms]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise ConfigError(f"{path}: arms: two are called {repeated[0]!r}; names are unique")
    arms = tuple(Arm(name=one.name, sets=one.set, measure=one.measure or spec.measure) for one in spec.arms)
    for arm in arms:
        if len(arm.measure) != len(arms[0].measure):
            raise ConfigError(
                f"{path}: {arm.name}: measures {len(arm.measure)} stages, and {arms[0].name} {len(arms[0].measure)}; "
                "they are compared one by one"
            )
    return Study(
        name=spec.name, recipe=_recipe_path(spec.recipe, path.parent), arms=arms, measure=arms[0].measure,
        seeds=tuple(range(spec.first_seed, spec.first_seed + (num_seeds or spec.seeds))),
        question=spec.question, domains=spec.domains, sets=(*spec.set, *sets), stages=spec.stages,
    )  # fmt: skip


def _recipe_path(name: str, folder: Path) -> Path:
    return folder / name if name.endswith(".toml") else config.packaged_recipe(name)


# ---- the recipe of all its runs


def write_recipe(study: Study, directory: Path) -> Path:
    """DIR/recipe.toml: the recipe with the study's stages behind its own and every path absolute.

    ConfigError for a measured stage that it does not have.
    """
    recipe = config.load(study.recipe)
    written = recipe.stages or default_stages()
    whole = recipe.model_copy(update={"stages": (*written, *study.stages)})
    names = [stage.name for stage in listed(whole)]
    for arm in study.arms:
        for stage in arm.measure:
            if stage not in names:
                raise ConfigError(f"{arm.name}: measures {no_stage(stage, names)}")
    path = directory / RECIPE
    write_atomic(path, config.to_toml(whole))
    return path
