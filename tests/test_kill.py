"""Killed with SIGKILL at random instants and started again each time, a run ends in the same files."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import shrunk
from conftest import Finished

pytestmark = pytest.mark.torch
START_SECONDS = 0.3  # (ours) a kill before this hits an interpreter that has not begun
LOCK_WAIT = 60.0  # (ours) on a busy machine


def children(pid: int) -> list[int]:
    """Process ids of all descendants."""
    found = [int(child) for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()]
    return found + [grandchild for child in found for grandchild in children(child)]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_dead(pids: list[int]) -> None:
    deadline = time.monotonic() + LOCK_WAIT
    while alive := [pid for pid in pids if is_alive(pid)]:
        assert time.monotonic() < deadline, f"processes {alive} outlive the run that started them"
        time.sleep(0.02)


def kill_and_restart(recipe: Path, run: Path, pauses: Iterator[float], jobs: int) -> int:
    """Run to the end, killing the process after each pause; returns how many kills hit a running one."""
    kills = 0
    for pause in pauses:
        process = shrunk.start("run", recipe, "--run", run, "--set", f"jobs={jobs}")
        deadline = time.monotonic() + pause
        while time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.01)
        family = children(process.pid)
        process.send_signal(signal.SIGKILL)  # it alone: the workers must notice
        _, errors = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), errors
        kills += process.returncode != 0
        wait_until_dead(family)
    finishing = shrunk.etalon("run", recipe, "--run", run, "--set", f"jobs={jobs}")
    assert finishing.returncode == 0, finishing.stderr
    return kills


def assert_same_end(run: Path, finished: Finished) -> None:
    assert shrunk.timeless(shrunk.summary(run)) == shrunk.timeless(shrunk.summary(finished.run))
    assert shrunk.artifacts(run) == shrunk.artifacts(finished.run)
    keys = {name: payload["key"] for name, payload in shrunk.done(finished.run).items()}
    assert {name: payload["key"] for name, payload in shrunk.done(run).items()} == keys
    leftovers = [path for path in run.rglob("*") if path.name.endswith((".etalon-tmp", ".partial"))]
    assert not leftovers


def test_a_run_killed_twice_with_two_jobs_ends_like_an_uninterrupted_one_with_one(
    finished: Finished, tmp_path: Path
) -> None:
    assert kill_and_restart(finished.recipe, tmp_path / "run", iter((9.0, 12.0)), jobs=2) == 2
    assert_same_end(tmp_path / "run", finished)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_killed_ten_times_ends_like_an_uninterrupted_one(finished: Finished, tmp_path: Path, jobs: int) -> None:
    """Half of the kills hit a random instant of the run, the other half one shortly after its start."""
    rng = random.Random(int(os.environ.get("ETALON_KILL_SEED", jobs)))
    pauses = [rng.uniform(START_SECONDS, rng.choice((4.0, 10.0))) for _ in range(10)]
    assert kill_and_restart(finished.recipe, tmp_path / "run", iter(pauses), jobs) >= 8
    assert_same_end(tmp_path / "run", finished)


@pytest.mark.slow
def test_one_job_and_two_give_the_same_run(finished: Finished, tmp_path: Path) -> None:
    again = shrunk.etalon("run", finished.recipe, "--run", tmp_path / "run", "--set", "jobs=2")
    assert again.returncode == 0, again.stderr
    assert_same_end(tmp_path / "run", finished)
