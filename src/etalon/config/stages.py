"""The stages of a recipe with every value filled in: [[stages]] over the tables of their kinds.

    recipe.stages -> names and kinds checked -> `from` filled in -> kind's table + keys of the stage -> Listed
    Listed, in an order in which each comes after those it starts from

Engines, the pipeline and reports ask these for their kind, their domains and their values; nobody knows a name.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from pydantic import BaseModel, ValidationError

from etalon.config.help import explain
from etalon.config.plugins import is_named_code, load_named
from etalon.config.toml import tuples
from etalon.errors import ConfigError
from etalon.recipe import BaseSpec, ClrSpec, DataSpec, DistillSpec, FuseSpec, Recipe, RlSpec, SftSpec, Spec, StageSpec

KINDS: Mapping[str, type[Spec]] = {
    "base": BaseSpec, "data": DataSpec, "sft": SftSpec, "fuse": FuseSpec, "rl": RlSpec, "distill": DistillSpec,
    "clr": ClrSpec,
}  # fmt: skip
SCRATCH = "scratch"  # the base model that a run pretrains itself
MODELLESS = ("data", "clr")  # kinds that leave no checkpoint
ROOT = "base"  # the kind with no `from`, and the name of the stage that is implied where none of it is listed
PROBLEMS = "problems"  # the stage that every other needs, whatever the recipe lists
PREFLIGHT = "preflight"  # the stage that looks at a given model first
RESERVED = (PROBLEMS, PREFLIGHT)
EVALUATION = "eval-"  # and one per checkpoint
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
DEFAULT = "vibethinker-3b.toml"  # whose stages a recipe without a list has


class NoKeys(Spec):
    """The keys of a user's kind that has none."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One stage of a recipe. spec: the kind's table with the stage's own keys over it.

    source: the stage whose checkpoint it starts from, "" for a base. own: the keys that the list itself says.
    """

    name: str
    kind: str
    source: str
    spec: Any
    own: Mapping[str, Any]

    @property
    def makes_model(self) -> bool:
        return self.kind not in MODELLESS and getattr(kind_class(self.kind), "makes_model", True)

    @property
    def domains(self) -> tuple[str, ...]:
        """Whose problems it trains on, where it says so."""
        return tuple(getattr(self.spec, "domains", ()))

    def key_of(self, name: str) -> str:
        """Where the recipe says a value: at the stage itself, or in the table of its kind."""
        return f"{self.name if name in self.own else self.kind}.{name}"


def kind_class(kind: str) -> Any:
    """The class behind a user's kind; None for one of ours."""
    return None if kind in KINDS else load_named(kind, key="stages.kind")


@cache
def default_stages() -> tuple[StageSpec, ...]:
    """The stages of the 3B report."""
    text = (resources.files("etalon") / "recipes" / DEFAULT).read_text(encoding="utf-8")
    return tuple(StageSpec.model_validate(tuples(row)) for row in tomllib.loads(text)["stages"])


def entries(recipe: Recipe) -> tuple[StageSpec, ...]:
    """The list as written, or the default one; with the base that every run has."""
    found = recipe.stages or default_stages()
    if any(stage.kind == ROOT for stage in found):
        return found
    return (StageSpec(name=ROOT, kind=ROOT), *found)


def listed(recipe: Recipe) -> tuple[Listed, ...]:
    """Every stage, whole and in an order that can be run. ConfigError for the first that cannot be."""
    found = entries(recipe)
    check_names(found)
    stages = [_whole(recipe, stage, _source(recipe, found, position)) for position, stage in enumerate(found)]
    models = [stage.name for stage in stages if stage.makes_model]
    if recipe.eval.after != "all":
        for name in recipe.eval.after:
            if name not in models:
                leaves = any(stage.name == name for stage in stages)
                raise ConfigError(
                    f"eval.after: {f'{name!r} leaves no checkpoint' if leaves else no_stage(name, models)}"
                )
    return tuple(in_order(stages, {stage.name: (stage.source,) for stage in stages}))


def base_of(stage: Listed, stages: Sequence[Listed]) -> Listed:
    """The base that a stage's path begins with."""
    by_name = {one.name: one for one in stages}
    while stage.source:
        stage = by_name[stage.source]
    return stage


def base_model(base: Listed, recipe: Recipe) -> tuple[str, str]:
    """The key that names a base's model, and the name: a directory, or "scratch"."""
    return (base.key_of("model"), base.spec.model) if base.spec.model else ("model.base", recipe.model.base)


def check_names(found: Sequence[StageSpec]) -> None:
    """Names that can name a directory, each once; kinds that there are."""
    seen: set[str] = set()
    for stage in found:
        if not NAME.fullmatch(stage.name):
            raise ConfigError(f"stages.name: {stage.name!r}: use letters, digits, '-', '_' and '.'")
        if stage.name in RESERVED or stage.name.startswith(EVALUATION):
            raise ConfigError(f"stages.name: {stage.name!r} is a stage that every run has; take another name")
        if stage.name in seen:
            raise ConfigError(f"stages.name: two stages are called {stage.name!r}; names are unique")
        if stage.name in Recipe.model_fields and stage.name != stage.kind:
            raise ConfigError(
                f"stages.name: {stage.name!r} is a key of every recipe, and --set could not tell the two apart; take "
                "another name"
            )
        seen.add(stage.name)
        if stage.kind not in KINDS and not is_named_code(stage.kind):
            close = difflib.get_close_matches(stage.kind, KINDS, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise ConfigError(
                f"{stage.name}.kind: no kind {stage.kind!r}; {hint}kinds are {', '.join(KINDS)}, or "
                '"package.module:Kind" of your own'
            )
        if stage.kind not in KINDS:
            load_named(stage.kind, key=f"{stage.name}.kind")


def no_stage(name: str, names: Collection[str]) -> str:
    """Words for a name that no stage has."""
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"no stage {name!r}; {hint}stages are {', '.join(names)}"


def _has_model(stage: StageSpec) -> bool:
    return stage.kind not in MODELLESS and getattr(kind_class(stage.kind), "makes_model", True)


def is_distill(stage: StageSpec) -> bool:
    """Whether a stage may call what it starts from its student."""
    return stage.kind == "distill"


def _source(recipe: Recipe, found: Sequence[StageSpec], position: int) -> str:
    """The stage that one starts from: the one it names, or the model stage before it in the list."""
    stage = found[position]
    models = [other.name for other in found if _has_model(other)]
    wanted = stage.from_ or (str(stage.keys.get("student") or recipe.distill.student) if is_distill(stage) else "")
    if stage.kind == ROOT:
        if stage.from_:
            raise ConfigError(f"{stage.name}.from: a stage of kind {ROOT!r} starts from no other; name a `model`")
        return ""
    if not wanted and stage.kind == "data":  # which takes no more of it than its tokenizer
        return next(other.name for other in found if other.kind == ROOT)
    if not wanted:
        before = [other.name for other in found[:position] if _has_model(other)]
        return before[-1] if before else next(other.name for other in found if other.kind == ROOT)
    if wanted not in [other.name for other in found]:
        raise ConfigError(f"{stage.name}.from: {no_stage(wanted, models)}")
    if wanted not in models:
        raise ConfigError(f"{stage.name}.from: {wanted!r} leaves no checkpoint; name one of {', '.join(models)}")
    return wanted


def _whole(recipe: Recipe, stage: StageSpec, source: str) -> Listed:
    """The kind's table with the stage's keys over it, validated as the table is."""
    if stage.kind in KINDS:
        model: Any = KINDS[stage.kind]
        table = getattr(recipe, stage.kind).model_dump(by_alias=True)
    else:
        model, table = getattr(kind_class(stage.kind), "Spec", NoKeys), {}
    try:
        if dataclasses.is_dataclass(model):
            spec: Any = model(**stage.keys)  # type: ignore[operator]
        else:
            spec = model.model_validate(over(table, stage.keys))
    except ValidationError as error:
        first = error.errors()[0]
        keys = ".".join(str(key) for key in first["loc"] if key != "[key]")
        raise ConfigError(f"{stage.name}.{keys}: {_problem(first, stage, model)}") from None
    except TypeError as error:
        raise ConfigError(f"{stage.name}: {error}") from None
    return Listed(name=stage.name, kind=stage.kind, source=source, spec=spec, own=dict(stage.keys))


def over(table: Mapping[str, Any], keys: Mapping[str, Any]) -> dict[str, Any]:
    """The table with keys laid over it: an optimiser's values one by one, anything else whole."""
    return {**table, **{key: {**table[key], **value} if key == "optim" and isinstance(value, Mapping) and key in table
                        else value for key, value in keys.items()}}  # fmt: skip


def _problem(error: Mapping[str, Any], stage: StageSpec, model: type[BaseModel]) -> str:
    """What is wrong with one key of a stage; a key of another kind is said to be one."""
    if error["type"] != "extra_forbidden" or len(error["loc"]) > 1:
        return explain({**error, "loc": (stage.kind, *error["loc"])})
    key = str(error["loc"][0])
    known = {field.alias or name for name, field in model.model_fields.items()}
    owners = [kind for kind, spec in KINDS.items() if key in {f.alias or n for n, f in spec.model_fields.items()}]
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    if owners:
        hint += f"; {key!r} is a key of kind {', '.join(owners)}, and this stage is of kind {stage.kind}"
    return f"unknown key{hint}"


def in_order(stages: Sequence[Any], needs: Mapping[str, Collection[str]]) -> list[Any]:
    """The stages, each after those it needs, otherwise as listed. ConfigError for a circle, with its members."""
    left, placed = list(stages), []
    names = {stage.name for stage in stages}
    done: set[str] = set()
    while left:
        ready = next((stage for stage in left if not (set(needs[stage.name]) & names) - done), None)
        if ready is None:
            circle = " -> ".join(_circle([stage.name for stage in left], needs))
            raise ConfigError(f"stages.from: a circle: {circle}; one of these must start from another stage")
        left.remove(ready)
        placed.append(ready)
        done.add(ready.name)
    return placed


def _circle(names: Sequence[str], needs: Mapping[str, Collection[str]]) -> list[str]:
    """The members of one circle, the first of them again at the end."""
    walked = [names[0]]
    while True:
        following = next(name for name in needs[walked[-1]] if name in names)
        if following in walked:
            return [*walked[walked.index(following) :], following]
        walked.append(following)
