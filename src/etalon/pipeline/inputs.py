"""What lies outside a run and must be there: files, models, servers, a GPU. Said before any work is done."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

from etalon.config import PATHS
from etalon.config.stages import Listed, base_model, listed
from etalon.errors import ConfigError, EtalonError, InputError, UnsupportedModelError
from etalon.model.directory import check_runnable
from etalon.prompts import PACKAGED
from etalon.recipe import BaseSpec, DataSpec, DistillSpec, Recipe, RlSpec, SftSpec
from etalon.rows.mapping import ColumnMap
from etalon.sampling.source import JUDGES, check_named, is_endpoint, is_program, named_sampler

COMMAND = re.compile(r"#\s+(etalon|hf) ")  # in a comment
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")


def named_inputs(recipe: Recipe) -> list[tuple[str, str]]:
    """(key, path) of every file and directory that the recipe and its stages name; endpoints and programs are none."""
    named = _named_files(recipe)
    if recipe.eval.judge:
        named.append(("eval.judge", recipe.eval.judge))
    for stage in listed(recipe):
        named += _named_by(stage, recipe)
    return [
        (key, path) for key, path in dict.fromkeys(named) if path and not is_endpoint(path) and not is_program(path)
    ]


def _named_files(recipe: Recipe) -> list[tuple[str, str]]:
    """Of problems, and of traces."""
    named = [("problems.files", file) for file in recipe.problems.files]
    named += [("problems.test_files", file) for file in recipe.problems.test_files]
    for stage in listed(recipe):
        if isinstance(stage.spec, SftSpec) and stage.spec.traces not in PATHS["sft", "traces"]:
            named.append((stage.key_of("traces"), stage.spec.traces))
    return named


def _named_by(stage: Listed, recipe: Recipe) -> list[tuple[str, str]]:
    """What one stage names; a value that its kind's table says goes by the table's key."""

    spec, key = stage.spec, stage.key_of
    if isinstance(spec, BaseSpec):
        named, path = base_model(stage, recipe)
        return [] if path == "scratch" else [(named, path)]
    if isinstance(spec, DataSpec):
        found = [] if spec.teacher in PATHS["data", "teacher"] else [(key("teacher"), spec.teacher)]
        return [*found, *([(key("judge"), spec.judge)] if spec.judge else [])]
    if isinstance(spec, RlSpec) and spec.judge and spec.judge not in JUDGES:
        return [(key("judge"), spec.judge)]
    if isinstance(spec, DistillSpec):
        names = {one.name for one in listed(recipe)}
        found = [(f"{key('teachers')}.{domain}", name) for domain, name in spec.teachers.items() if name not in names]
        judge = recipe.data.teacher if spec.own_claims else ""  # of the student's own claims
        return [*found, *([("data.teacher", judge)] if judge not in ("", *PATHS["data", "teacher"]) else [])]
    return []


def absent_inputs(recipe: Recipe) -> dict[str, str]:
    """What the recipe names and is not on this machine: a line that says so -> the path."""
    return {f"{key}: {path}: not here": path for key, path in named_inputs(recipe) if not Path(path).exists()}


def checked_inputs(recipe: Recipe, recipe_path: Path | None, *, is_plan: bool) -> list[str]:
    """`check_inputs`, but a plan does without what is not here: the lines that say so.

    Both end in where the recipe says how its files are made.
    """
    absent = absent_inputs(recipe)
    made = how_made(recipe_path) if absent else ""
    try:
        check_inputs(recipe, absent=absent.values() if is_plan else ())
    except ConfigError as error:
        raise ConfigError("; ".join(filter(None, (str(error), made)))) from None
    return [*absent, *([made] if made else [])] if is_plan else []


def how_made(recipe_path: Path | None) -> str:
    """Where a recipe says how its files are made: in the commands at its head. Empty for one without."""
    if recipe_path is None or not recipe_path.is_file():
        return ""
    head = itertools.takewhile(lambda line: line.startswith("#"), recipe_path.read_text(encoding="utf-8").splitlines())
    return (
        f"the commands that make what it needs are at the head of {recipe_path}"
        if any(map(COMMAND.match, head))
        else ""
    )


def check_inputs(recipe: Recipe, *, absent: Collection[str] = ()) -> None:
    """Everything outside the run that the recipe names exists; said before any work is done.

    absent: paths that a dry run does without.
    """
    ColumnMap.of(recipe.problems.map, key="problems.map")
    files = _named_files(recipe)
    for key, file in files:
        if file not in absent and not Path(file).is_file():
            otherwise = "" if key.startswith("problems.") else "; or use 'all' or 'hard'"
            raise ConfigError(f"{key}: {file}: no such file{otherwise}")
    if recipe.problems.source == "files" and not (recipe.problems.files or recipe.problems.test_files):
        raise ConfigError("problems.files: is empty; name a problem file, or set problems.source to 'nano'")
    if recipe.problems.source == "nano" and (recipe.problems.files or recipe.problems.test_files):
        raise ConfigError("problems.files: is set, but problems.source is 'nano'; set problems.source to 'files'")
    if recipe.prompts not in PACKAGED and not Path(recipe.prompts).is_dir():
        raise ConfigError(f"prompts: {recipe.prompts}: no such folder; use one of {', '.join(PACKAGED)} or a path")
    for key, path in named_inputs(recipe):
        if path not in absent and (key, path) not in files:
            _check_named(key, path)
    for key, name in asked_models(recipe):
        if is_program(name):
            check_named(name, key=key)
    for stage in listed(recipe):
        if isinstance(stage.spec, DataSpec) and stage.spec.teacher == "nano" and recipe.problems.source != "nano":
            raise ConfigError(
                "data.teacher: 'nano' can only answer the nano world; for problem files use 'reference' (their own "
                "solutions) or a model directory"
            )
    check_sampler(recipe)


OTHERWISE = {
    "model.base": "use 'scratch'",
    "teacher": "use 'nano' or 'reference'",
    "judge": "leave it empty for no judge",
    "model": "leave it empty for model.base",
}


def _check_named(key: str, path: str) -> None:
    """A model directory that a key names is one; a base has a tokenizer as well."""
    otherwise = OTHERWISE.get(key) or OTHERWISE.get(key.rpartition(".")[2]) or "name a stage of the recipe"
    check_model(key, Path(path), otherwise=otherwise)
    if key == "model.base" or key.endswith(".model"):
        check_tokenizer(key, Path(path))


def check_device(recipe: Recipe) -> None:
    """A GPU that the recipe insists on is there. Loads torch, with the recipe's threads."""
    from etalon.pipeline.runner import set_threads

    set_threads(recipe.threads)
    from etalon.model.loader import choose_device

    choose_device(recipe.device)


def check_sampler(recipe: Recipe) -> None:
    """A server for every checkpoint has the machine to itself."""
    if recipe.sampler.name == "vllm" and recipe.jobs > 1:
        raise ConfigError("jobs: sampler.name 'vllm' needs jobs = 1, or servers of evaluations would start beside it")


def check_endpoints(recipe: Recipe) -> None:
    """Teachers and judges of other machines answer, and vLLM is where it is said to be; ConfigError for what is not."""
    for key, name in asked_models(recipe):
        if is_endpoint(name):
            try:
                named_sampler(name, recipe).check()  # type: ignore[attr-defined]
            except EtalonError as error:
                raise ConfigError(f"{key}: {error}") from None
    if recipe.sampler.name == "vllm":
        check_vllm(recipe.sampler.python or sys.executable)


def asked_models(recipe: Recipe) -> list[tuple[str, str]]:
    """(key, name) of every teacher and judge that is no checkpoint of the run, named in whatever form."""
    named = [("eval.judge", recipe.eval.judge)]
    for stage in listed(recipe):
        spec = stage.spec
        if isinstance(spec, DataSpec):
            named += [("data.teacher", spec.teacher), ("data.judge", spec.judge)]
        if isinstance(spec, RlSpec):
            named.append((f"{stage.name}.judge", spec.judge))
        if isinstance(spec, DistillSpec) and spec.own_claims:
            named.append(("data.teacher", recipe.data.teacher))
    return [(key, name) for key, name in dict.fromkeys(named) if name]


def check_vllm(python: str) -> None:
    """The interpreter that is to serve checkpoints has vLLM; found out without loading it."""
    question = "import importlib.util, sys; sys.exit(importlib.util.find_spec('vllm') is None)"
    try:
        answer = subprocess.run([python, "-c", question], capture_output=True, timeout=60, check=False).returncode
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(
            f"sampler.python: {python}: cannot be run ({error}); name the Python of an environment with vLLM"
        ) from None
    if answer:
        raise ConfigError(f"sampler.python: {python} has no vLLM; name the Python of an environment that has it")


def check_model(key: str, path: Path, *, otherwise: str) -> None:
    """The value of `key` is a model that the local engine runs, or ConfigError names the key and the other choice."""
    if "://" in str(path) or ":/" in str(path):
        raise ConfigError(f"{key}: a model of a server is written NAME@http://HOST:PORT/v1; or {otherwise}")
    try:
        check_runnable(path)
    except (InputError, UnsupportedModelError) as error:
        raise ConfigError(f"{key}: {error}; or {otherwise}") from None


def check_tokenizer(key: str, path: Path) -> None:
    """A base brings its tokenizer (checked without loading torch)."""
    if not any((path / name).exists() for name in TOKENIZER_FILES):
        raise ConfigError(f"{key}: {path}: has no tokenizer ({', '.join(TOKENIZER_FILES)}); copy it from its source")
