"""Stages that begin beside what they need, in a worker: two kinds of a user's own, of which one awaits the other."""

from __future__ import annotations

from pathlib import Path
from subprocess import CompletedProcess

import pytest

import shrunk

pytestmark = [pytest.mark.torch, pytest.mark.live]

KINDS = '''
import time
from dataclasses import dataclass
from typing import ClassVar

from etalon.errors import RunError
from etalon.pipeline.stage import Outputs, Stage, Work
from etalon.recipe import Spec


class Keys(Spec):
    power: int = 3
    fails: bool = False


@dataclass(frozen=True, kw_only=True)
class First(Stage):
    """Ends once the other has begun, or fails then."""

    Spec: ClassVar[type] = Keys
    makes_model: ClassVar[bool] = False

    def run(self, work: Work) -> Outputs:
        deadline = time.monotonic() + 60
        while not (work.directory.parent.parent / "begun").exists():
            if time.monotonic() > deadline:
                raise RunError("nothing began beside it")
            time.sleep(0.05)
        if self.spec.fails:
            raise RunError("it was to fail")
        return {"powers": work.spread(pow, [(n, self.spec.power) for n in range(6)])}


@dataclass(frozen=True, kw_only=True)
class Second(Stage):
    """Begins beside it."""

    makes_model: ClassVar[bool] = False

    @property
    def needs(self):
        return (*super().needs, "first")

    @property
    def awaits(self):
        return frozenset({"first"})

    def run(self, work: Work) -> Outputs:
        (work.directory.parent.parent / "begun").touch()
        work.view.note("the other runs")
        return {"sum": sum(work.outputs("first")["powers"])}
'''
RECIPE = """
name = "beside"
threads = 1
jobs = 2
model = { vocabulary = 384, hidden = 32, layers = 1, heads = 2, kv_heads = 1, mlp = 64, max_positions = 512 }
problems = { train = 10, probe = 1, rl = 10, test = 4 }
eval = { n = 1, k = 1, max_tokens = 8, after = [] }

[base]
documents = 32
batch = 16

[[stages]]
name = "base"
kind = "base"

[[stages]]
name = "first"
kind = "kinds.py:First"

[[stages]]
name = "second"
kind = "kinds.py:Second"
"""


def run(folder: Path, *words: str) -> CompletedProcess[str]:
    (folder / "kinds.py").write_text(KINDS)
    (folder / "run" / "begun").unlink(missing_ok=True)
    return shrunk.etalon("run", shrunk.write_recipe(folder, RECIPE), "--run", folder / "run", *words, timeout=120)


def test_it_begins_beside_what_it_awaits_and_ends_with_it(tmp_path: Path) -> None:
    failed = run(tmp_path, "--set", "first.fails=true")
    assert failed.returncode == 2
    assert failed.stderr.splitlines()[-1] == "etalon: it was to fail"
    assert not (tmp_path / "run" / "stages" / "second" / "DONE.json").exists()

    done = run(tmp_path, "--set", "first.fails=false")
    assert done.returncode == 0, done.stderr
    told = done.stderr.partition("second: Begins beside it. (ours)\n")[2]
    assert told.startswith("  began beside first, took ")
    assert told.splitlines()[1] == "  the other runs"
    stages = shrunk.done(tmp_path / "run")
    assert stages["second"]["outputs"] == {"sum": sum(n**3 for n in range(6))}
    assert (stages["first"]["beside"], stages["second"]["beside"]) == (False, True)

    again = run(tmp_path, "--set", "first.power=2")  # what was there before is not taken for its end
    assert again.returncode == 0, again.stderr
    assert shrunk.done(tmp_path / "run")["second"]["outputs"] == {"sum": sum(n**2 for n in range(6))}
