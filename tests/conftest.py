"""One shrunk run of the whole recipe, made once and shared by the tests that need a finished run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

import shrunk


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
