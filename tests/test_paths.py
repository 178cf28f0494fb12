"""The paths of docs/paths.md: all are planned; some run on a smaller model, and with -m slow all run as they stand.

A block's first line names its file. The first path makes the model that most others start from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import shrunk
from etalon import config, pipeline

PAGE = Path(__file__).parents[1] / "docs" / "paths.md"
BLOCK = re.compile(r"^```(?:toml|python)\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = dict(BLOCK.findall(PAGE.read_text()))
PATHS = [Path(name).stem for name in FILES if name.endswith(".toml")]
MAKER = "sft-only"
AFTER = {"continued": "rl-only"}  # a path that starts from another's checkpoint
REUSES = {"four-phases": MAKER}
SMALLER = ('problems.domains=["math","stem"]', "problems.train=500", "base.documents=1600", "eval.after=[]")
ORDINARY = ("own-reward", "own-kind")  # see test_row_runs and test_branches, too


def write(folder: Path) -> Path:
    for name, content in FILES.items():
        (folder / name).write_text(content)
    return folder


def run(folder: Path, name: str, *arguments: str) -> dict[str, Any]:
    """The summary of a path that ran from start to end."""
    done = shrunk.etalon("run", f"{name}.toml", "--set", "jobs=1", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    return shrunk.summary(folder / "runs" / name)


def overrides(*values: str) -> list[str]:
    return [word for value in values for word in ("--set", value)]


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all paths, and a small model where they expect one."""
    folder = write(tmp_path_factory.mktemp("quick"))
    run(folder, MAKER, *overrides(*SMALLER))
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, Any]]]:
    """The same with the model that the first path makes as it stands; and the summaries of what was run there."""
    folder = write(tmp_path_factory.mktemp("whole"))
    return folder, {MAKER: run(folder, MAKER)}


def stages(summary: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {stage["name"]: stage for stage in summary["stages"]}


def test_there_are_ten_paths_and_no_block_is_left_out() -> None:
    assert len(PATHS) == 10
    assert PAGE.read_text().count("```toml") == 10
    assert PAGE.read_text().count("```python") == len(FILES) - 10


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.live
def test_a_path_is_planned_without_what_it_starts_from(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path) / f"{name}.toml"
    recipe = config.load(path)
    assert recipe.name == name, "a path is called what its file is called"
    pipeline.run(recipe, run_dir=tmp_path / "run", recipe_path=path, dry_run=True)
    printed = capsys.readouterr().out
    for stage in recipe.stages:
        assert stage.name in printed
    assert not (tmp_path / "run").exists()


@pytest.mark.torch
@pytest.mark.live
@pytest.mark.slow
@pytest.mark.parametrize("name", ORDINARY)
def test_a_path_runs_and_moves_the_weights(name: str, quick: Path) -> None:
    found = stages(run(quick, name, *overrides("rl.steps=3", "problems.test=16", "eval.n=2", "eval.k=2")))
    assert found["rl"]["from"] == "base"
    assert "skipped" not in found["rl"]
    assert "as" not in found["rl"]
    if name == "own-kind":
        assert found["half-way"]["kind"].endswith("between.py:Between")
        assert found["half-way"]["from"] == "rl"


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize("name", PATHS)
def test_every_path_runs_as_it_stands(name: str, whole: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    folder, ran = whole
    for needed in (AFTER.get(name), name):
        if needed and needed not in ran:
            ran[needed] = run(folder, needed, *(["--reuse", f"runs/{REUSES[needed]}"] if needed in REUSES else []))
    recipe, found = config.load(folder / f"{name}.toml"), stages(ran[name])
    models = [stage.name for stage in recipe.stages if stage.kind != "data"]
    assert set(models) <= found.keys()
    assert not [name for name, stage in found.items() if "skipped" in stage]
    if name in REUSES:
        mades = [stages(ran[REUSES[name]])[stage]["seconds"] for stage in ("base", "sft", "fused")]
        assert mades == [found[stage]["seconds"] for stage in ("base", "sft", "fused")], "taken, not made again"
