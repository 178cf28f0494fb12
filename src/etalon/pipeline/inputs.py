"""What lies outside a run and must be there: files, models, servers, a GPU. Said before any work is done."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

from etalon.config import PATHS
from etalon.errors import ConfigError, EtalonError, InputError, UnsupportedModelError
from etalon.model.directory import check_runnable
from etalon.pipeline.samplers import is_endpoint, named_sampler
from etalon.prompts import PACKAGED
from etalon.recipe import Recipe

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")


def absent_inputs(recipe: Recipe) -> dict[str, str]:
    """What the recipe names and is not on this machine: a line that says so -> the path."""
    named = [("problems.files", file) for file in recipe.problems.files]
    for keys, words in PATHS.items():
        value = recipe.model_dump()[keys[0]][keys[1]] if len(keys) == 2 else ""
        if isinstance(value, str) and value not in words and not is_endpoint(value):
            named.append((".".join(keys), value))
    return {f"{key}: {path}: not here": path for key, path in named if path and not Path(path).exists()}


def check_inputs(recipe: Recipe, *, absent: Collection[str] = ()) -> None:
    """Everything outside the run that the recipe names exists; said before any work is done.

    absent: paths that a dry run does without.
    """
    for file in recipe.problems.files:
        if file not in absent and not Path(file).is_file():
            raise ConfigError(f"problems.files: {file}: no such file")
    if recipe.problems.source == "files" and not recipe.problems.files:
        raise ConfigError("problems.files: is empty; name a problem file, or set problems.source to 'nano'")
    if recipe.problems.source == "nano" and recipe.problems.files:
        raise ConfigError("problems.files: is set, but problems.source is 'nano'; set problems.source to 'files'")
    if recipe.prompts not in PACKAGED and not Path(recipe.prompts).is_dir():
        raise ConfigError(f"prompts: {recipe.prompts}: no such folder; use one of {', '.join(PACKAGED)} or a path")
    if recipe.model.base not in ("scratch", *absent):
        check_base(Path(recipe.model.base))
    check_teacher(recipe, absent=absent)
    check_sampler(recipe)
    if recipe.eval.temperature == 0:
        raise ConfigError("eval.temperature: 0 is greedy, and the last stage, CLR, compares different trajectories")


def check_device(recipe: Recipe) -> None:
    """A GPU that the recipe insists on is there. Loads torch, with the recipe's threads."""
    from etalon.pipeline.runner import set_threads

    set_threads(recipe.threads)
    from etalon.model.loader import choose_device

    choose_device(recipe.device)


def check_teacher(recipe: Recipe, *, absent: Collection[str] = ()) -> None:
    """Somebody can answer the training queries; said now, not when the data stage asks."""
    name = recipe.data.teacher
    if name == "nano" and recipe.problems.source != "nano":
        raise ConfigError(
            "data.teacher: 'nano' can only answer the nano world; for problem files use 'reference' (their own "
            "solutions) or a model directory"
        )
    if name not in ("nano", "reference", *absent) and not is_endpoint(name):
        check_model("data.teacher", Path(name), otherwise="use 'nano' or 'reference'")
    for key, judge in (("data.judge", recipe.data.judge), ("eval.judge", recipe.eval.judge)):
        if judge and judge not in absent and not is_endpoint(judge):
            check_model(key, Path(judge), otherwise="leave it empty for no judge")


def check_sampler(recipe: Recipe) -> None:
    """A server for every checkpoint has the machine to itself."""
    if recipe.sampler.name == "vllm" and recipe.jobs > 1:
        raise ConfigError("jobs: sampler.name 'vllm' needs jobs = 1, or servers of evaluations would start beside it")


def check_endpoints(recipe: Recipe) -> None:
    """Teachers and judges of other machines answer, and vLLM is where it is said to be; ConfigError for what is not."""
    named = {"data.teacher": recipe.data.teacher, "data.judge": recipe.data.judge, "eval.judge": recipe.eval.judge}
    for key, name in named.items():
        if is_endpoint(name):
            try:
                named_sampler(name, recipe).check()  # type: ignore[attr-defined]
            except EtalonError as error:
                raise ConfigError(f"{key}: {error}") from None
    if recipe.sampler.name == "vllm":
        check_vllm(recipe.sampler.python or sys.executable)


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


def check_base(path: Path) -> None:
    """The base is a whole model directory with a tokenizer (checked without loading torch)."""
    check_model("model.base", path, otherwise="use 'scratch'")
    if not any((path / name).exists() for name in TOKENIZER_FILES):
        raise ConfigError(
            f"model.base: {path}: has no tokenizer ({', '.join(TOKENIZER_FILES)}); copy it from its source"
        )
