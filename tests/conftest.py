"""One shrunk run of the whole recipe, made once and shared by the tests that need a finished run, in all workers."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from hypothesis import settings

import shrunk
from etalon.sandbox import describe
from etalon.sandbox import pool as sandbox_pool
from etalon.types import ISOLATION_ENV

# a module's own mark: every test of it is one with torch
ALL_TORCH = re.compile(r"^pytestmark = (?:\[\s*)?(?:pytest\.mark\.\w+,\s*)*pytest\.mark\.torch\b", re.MULTILINE)
SAYS_WALLS = ("test_config.py", "test_recipe_reference.py")  # of recipes as they are without the environment
WALLED = ("test_sandbox.py", "test_sandbox_isolation.py", "test_hostile.py")  # of walls, and of what holds them

# In this order before all others, so that no process waits for the other: neither for the shared runs, of which the
# first makes one, nor at the end.
LONGEST = (
    "test_studies.py", "test_given_model.py", "test_real_input.py", "test_report.py", "test_solve.py",
    "test_bad_input.py", "test_branches.py", "test_cli.py", "test_row_runs.py", "test_answer_hostile.py",
    "test_evaluate_endpoint.py", "test_row_processes.py", "test_nano_world.py", "test_conformance.py",
    "test_pipeline.py", "test_compression_study.py", "test_sandbox_service.py", "test_crew.py",
    "test_parts_of_a_run.py",
)  # fmt: skip

settings.register_profile("busy", deadline=None)  # a busy machine must not decide: no example is too slow by itself
settings.load_profile("busy")


def pytest_configure(config: pytest.Config) -> None:
    """Where no GPU tests are asked for, "auto" means the CPU on every machine."""
    if "not gpu" in config.option.markexpr:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False  # by their number of tests, where few may take long
    if os.environ.get(ISOLATION_ENV) is None and not _has_walls():
        os.environ[ISOLATION_ENV] = shrunk.ENVIRONMENT[ISOLATION_ENV] = "plain"
    if os.environ.get(ISOLATION_ENV) == "plain":
        sandbox_pool._POOLS["walls"] = sandbox_pool._POOLS["plain"]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where no test with torch is asked for, a module of nothing else is not imported: torch takes seconds to load."""
    if "not torch" not in config.option.markexpr or collection_path.suffix != ".py":
        return None
    return True if ALL_TORCH.search(collection_path.read_text(encoding="utf-8")) else None


def _has_walls() -> bool:
    try:
        describe()
    except OSError:
        return False
    return True


@pytest.fixture(autouse=True)
def no_isolation_of_the_environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.path.name in SAYS_WALLS:
        monkeypatch.delenv(ISOLATION_ENV, raising=False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest modules first; programs that only a wall keeps from this machine are not run without one."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))
    if os.environ.get(ISOLATION_ENV) == "plain":
        for item in items:
            if item.path.name in WALLED or item.get_closest_marker("walled"):
                item.add_marker(pytest.mark.skip(reason="needs walls around programs"))


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A finished run (never write into it: copy it) and what its command printed."""

    recipe: Path
    run: Path
    printed: CompletedProcess[str]


def made_once(
    factory: pytest.TempPathFactory, name: str, make: Callable[[Path], tuple[Path, list[str | Path]]]
) -> Finished:
    """The run DIR/run that a command makes, by whichever worker comes first; the others wait for it."""
    root = factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    folder = root / name
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = folder / "printed.json"
        if not kept.exists():
            folder.mkdir()
            recipe, options = make(folder)
            printed = shrunk.etalon("run", recipe, "--run", folder / "run", *options)
            assert printed.returncode == 0, printed.stderr
            kept.write_text(json.dumps([str(recipe), printed.args, printed.stdout, printed.stderr]))
        recipe_path, arguments, stdout, stderr = json.loads(kept.read_text())
    return Finished(
        recipe=Path(recipe_path), run=folder / "run", printed=CompletedProcess(arguments, 0, stdout, stderr)
    )


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """`etalon run shrunk.toml --run DIR`, from start to end."""
    return made_once(tmp_path_factory, "shrunk", lambda folder: (shrunk.write_recipe(folder), []))


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

    def make(folder: Path) -> tuple[Path, list[str | Path]]:
        recipe = folder / "branched.toml"
        recipe.write_text(shrunk.RECIPE + BRANCHES)
        return recipe, ["--reuse", finished.run, "--set", "instruct.gamma=0", "--set", "instruct.steps=3"]

    return made_once(tmp_path_factory, "branched", make)


@pytest.fixture(scope="session")
def four_phases(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The recipe of `shrunk.branches`; what it shares with the finished run is taken from there."""
    return made_once(
        tmp_path_factory,
        "phases",
        lambda folder: (shrunk.write_recipe(folder, shrunk.branches()), ["--reuse", finished.run]),
    )
