"""The trl engine where TRL is not installed: one line, before anything is done; a dry run needs nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from shrunk import ENVIRONMENT, etalon, write_recipe

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

WITHOUT_TRL = """
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "trl" else find(name, *rest)
sys.modules["trl"] = None
"""


def without_trl(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TRL + program, *map(str, arguments)],
        capture_output=True, text=True, env=ENVIRONMENT, timeout=120, check=False,
    )  # fmt: skip


def test_a_run_says_what_to_install_before_anything_is_done(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path)
    program = "from etalon.cli import main; raise SystemExit(main())"
    ran = without_trl(program, "run", recipe, "--set", "engine=trl", "--run", tmp_path / "run")
    assert ran.returncode == 2
    [line] = ran.stderr.strip().splitlines()
    assert "TRL, which is not installed here; in Etalon's folder run pip install -e '.[trl]'" in line
    assert not (tmp_path / "run" / "stages").exists()


def test_the_trainer_says_what_to_install() -> None:
    ran = without_trl("from etalon.engines.trl import MGPOTrainer")
    assert ran.stderr.strip().splitlines()[-1].startswith("etalon.errors.ConfigError: the trl engine needs TRL")


def test_a_dry_run_shows_the_command_and_needs_nothing(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path)
    on_two = ("--set", "engine=trl", "--set", "trl.processes=2")
    shown = etalon("run", recipe, *on_two, "--run", tmp_path / "run", "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert "-m torch.distributed.run --standalone --nproc-per-node 2 -m etalon.engines.trl.worker" in shown.stdout
    assert not (tmp_path / "run").exists()
