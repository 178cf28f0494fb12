"""Killed or interrupted at random instants and started again each time, a run ends in the same files."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

import shrunk
from conftest import Finished
from etalon import config, pipeline
from etalon.pipeline.graph import graph_of

pytestmark = pytest.mark.torch
START_SECONDS = 0.5  # a signal before this hits an interpreter that has not begun
PATIENCE = 120.0  # on a busy machine


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_dead(pids: list[int]) -> None:
    deadline = time.monotonic() + PATIENCE
    while alive := [pid for pid in pids if is_alive(pid)]:
        assert time.monotonic() < deadline, f"processes {alive} outlive the run that started them"
        time.sleep(0.02)


def stop(process: subprocess.Popen[str], number: int) -> str:
    """End a run with a signal, and wait until nothing of it is left; returns what it printed on stderr.

    SIGKILL goes to the process alone: its workers must notice. SIGINT goes to the group, as a terminal sends it.
    """
    family = shrunk.children(process.pid)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    _, errors = process.communicate()
    wait_until_dead(family)
    return errors


def wait_for(process: subprocess.Popen[str], file: Path) -> None:
    """Wait until a running process has written a file."""
    deadline = time.monotonic() + PATIENCE
    while not file.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)


def finish(recipe: Path, run: Path, jobs: int, *more: str) -> None:
    last = shrunk.etalon("run", recipe, "--run", run, "--set", f"jobs={jobs}", *more)
    assert last.returncode == 0, last.stderr


def assert_same_end(run: Path, finished: Finished) -> None:
    assert shrunk.timeless(shrunk.summary(run)) == shrunk.timeless(shrunk.summary(finished.run))
    assert shrunk.artifacts(run) == shrunk.artifacts(finished.run)
    keys = {name: payload["key"] for name, payload in shrunk.done(finished.run).items()}
    assert {name: payload["key"] for name, payload in shrunk.done(run).items()} == keys
    leftovers = [path for path in run.rglob("*") if path.name.endswith((".etalon-tmp", ".partial"))]
    assert not leftovers


@pytest.mark.slow
def test_after_ctrl_c_and_a_kill_a_run_with_two_jobs_ends_like_an_uninterrupted_one_with_one(
    finished: Finished, tmp_path: Path
) -> None:
    run = shutil.copytree(finished.run, tmp_path / "run")
    (run / "summary.json").unlink()
    graph = graph_of(config.load(finished.recipe).resolved())
    pipeline.forget(graph.dependents(["rl-code"]), graph.directories(run))
    arguments = ("run", finished.recipe, "--run", run, "--set", "jobs=2")

    process = shrunk.start(*arguments)
    wait_for(process, run / "stages" / "rl-code" / "rollouts.jsonl")
    errors = stop(process, signal.SIGINT)
    assert process.returncode == 130
    assert errors.endswith("\ninterrupted; what was finished is kept, run the same command to continue\n")
    assert "Traceback" not in errors

    process = shrunk.start(*arguments)
    wait_for(process, run / "stages" / "distill" / "traces.jsonl")
    stop(process, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (run / "summary.json").exists()

    finish(finished.recipe, run, jobs=2)
    assert_same_end(run, finished)


@pytest.mark.slow
def test_a_kill_while_traces_are_made_beside_the_base_model_changes_nothing(finished: Finished, tmp_path: Path) -> None:
    run = tmp_path / "run"
    arguments = ("run", finished.recipe, "--run", run, "--set", "jobs=2", "--until", "data")
    process = shrunk.start(*arguments)
    wait_for(process, run / "stages" / "data" / "rollouts.jsonl")
    stop(process, signal.SIGKILL)
    assert not (run / "stages" / "data" / "DONE.json").exists()

    again = shrunk.etalon(*arguments)
    assert again.returncode == 0, again.stderr
    assert "trace: " in again.stderr.partition("data: label queries")[2]
    for name in ("rollouts.jsonl", "traces.jsonl", "gates.json"):
        assert (run / "stages" / "data" / name).read_bytes() == (finished.run / "stages" / "data" / name).read_bytes()
    assert shrunk.done(run)["data"]["outputs"] == shrunk.done(finished.run)["data"]["outputs"]


@pytest.mark.slow
def test_a_recipe_of_branches_that_is_killed_in_two_of_them_ends_like_an_uninterrupted_one(
    four_phases: Finished, tmp_path: Path
) -> None:
    run = shutil.copytree(four_phases.run, tmp_path / "run")
    (run / "summary.json").unlink()
    graph = graph_of(config.load(four_phases.recipe).resolved())
    pipeline.forget(graph.dependents(["math-grpo", "both"]), graph.directories(run))
    arguments = ("run", four_phases.recipe, "--run", run)
    for place in ("math-grpo/rollouts.jsonl", "both/pool.jsonl"):
        process = shrunk.start(*arguments)
        wait_for(process, run / "stages" / place)
        stop(process, signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        assert not (run / "summary.json").exists()
    finish(four_phases.recipe, run, jobs=1)
    assert_same_end(run, four_phases)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill", "ctrl-c"])
def test_a_run_stopped_at_ten_random_instants_ends_like_an_uninterrupted_one(
    finished: Finished, tmp_path: Path, jobs: int, number: int
) -> None:
    longest = 3.0 + 0.12 * shrunk.summary(finished.run)["seconds"]  # an interpreter with torch, and some work
    stop_again_and_again(finished, tmp_path / "run", longest, number, jobs)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_recipe_of_branches_killed_at_ten_random_instants_ends_like_an_uninterrupted_one(
    finished: Finished, four_phases: Finished, tmp_path: Path, jobs: int
) -> None:
    """From the copies of what it reuses to its last evaluation."""
    phases = [stage for stage in shrunk.summary(four_phases.run)["stages"] if stage["kind"] == "rl"]
    longest = 3.0 + 0.2 * sum(stage["seconds"] for stage in phases)
    reuse = ("--reuse", str(finished.run))
    stop_again_and_again(four_phases, tmp_path / "run", longest, signal.SIGKILL, jobs, *reuse)


def stop_again_and_again(finished: Finished, run: Path, longest: float, number: int, jobs: int, *more: str) -> None:
    """Ten signals at random instants, each at most `longest` seconds after a start; then to the end."""
    rng = random.Random(int(os.environ.get("ETALON_KILL_SEED", "0")) + jobs)
    stops = 0
    for _ in range(10):
        process = shrunk.start("run", finished.recipe, "--run", run, "--set", f"jobs={jobs}", *more)
        time.sleep(rng.uniform(START_SECONDS, longest))
        errors = stop(process, number)
        assert process.returncode in (0, -number if number == signal.SIGKILL else 130), errors
        assert "Traceback" not in errors
        stops += process.returncode != 0
    assert stops >= 8  # the last ones may find everything done
    finish(finished.recipe, run, jobs, *more)
    assert_same_end(run, finished)


@pytest.mark.slow
def test_one_job_and_two_give_the_same_run(finished: Finished, tmp_path: Path) -> None:
    again = shrunk.etalon("run", finished.recipe, "--run", tmp_path / "run", "--set", "jobs=2")
    assert again.returncode == 0, again.stderr
    assert_same_end(tmp_path / "run", finished)
