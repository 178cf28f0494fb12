"""One shrunk run of the whole recipe, made once and shared by the tests that need a finished run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from hypothesis import settings

import shrunk

settings.register_profile("busy", deadline=None)  # a busy machine must not decide: no example is too slow by itself
settings.load_profile("busy")


def pytest_configure(config: pytest.Config) -> None:
    """Where no GPU tests are asked for, "auto" means the CPU on every machine."""
    if "not gpu" in config.option.markexpr:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A finished run (never write into it: copy it) and what its command printed."""

    recipe: Path
    run: Path
    printed: CompletedProcess[str]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """`etalon run shrunk.toml --run DIR`, from start to end."""
    folder = tmp_path_factory.mktemp("shrunk")
    recipe = shrunk.write_recipe(folder)
    printed = shrunk.etalon("run", recipe, "--run", folder / "run")
    assert printed.returncode == 0, printed.stderr
    return Finished(recipe=recipe, run=folder / "run", printed=printed)


BRANCHES = """
[[stages]]
name = "rl-stem-plain"
kind = "rl"
from = "rl-code"
domains = ["stem"]
gamma = 0.0
steps = 2

[[stages]]
name = "rl-none"
kind = "rl"
steps = 0
"""


@pytest.fixture(scope="session")
def branched(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The shrunk recipe with a branch, a phase that is skipped and another gamma; the rest is taken from `finished`."""
    folder = tmp_path_factory.mktemp("branched")
    recipe = folder / "branched.toml"
    recipe.write_text(shrunk.RECIPE + BRANCHES)
    options = ("--reuse", finished.run, "--set", "instruct.gamma=0", "--set", "instruct.steps=3")
    printed = shrunk.etalon("run", recipe, "--run", folder / "run", *options)
    assert printed.returncode == 0, printed.stderr
    return Finished(recipe=recipe, run=folder / "run", printed=printed)


@pytest.fixture(scope="session")
def four_phases(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The recipe of `shrunk.branches`; what it shares with the finished run is taken from there."""
    folder = tmp_path_factory.mktemp("phases")
    recipe = shrunk.write_recipe(folder, shrunk.branches())
    printed = shrunk.etalon("run", recipe, "--run", folder / "run", "--reuse", finished.run)
    assert printed.returncode == 0, printed.stderr
    return Finished(recipe=recipe, run=folder / "run", printed=printed)
