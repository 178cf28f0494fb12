"""Starts the workers of one job, follows their log, and ends them with this process.

One process is started as it is; several by `torch.distributed.run`. gloo uses the loopback interface, but the store at
which the processes meet listens on all of them (docs/trl.md). What they print goes to trl/worker.log in the directory
of the job.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from etalon import errors
from etalon.engines.jobs import OnStep
from etalon.engines.trl import wire
from etalon.errors import EtalonError, RunError
from etalon.processes.children import Child
from etalon.recipe import Recipe
from etalon.store import read_json, read_jsonl, truncate_jsonl

WORKER = "etalon.engines.trl.worker"
ENVIRONMENT = {
    "GLOO_SOCKET_IFNAME": "lo",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRL_EXPERIMENTAL_SILENCE": "1",  # it warns of rollout_func
}


def command(job: Path, processes: int) -> list[str]:
    """What is started for a job file."""
    several = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m"]
    return [sys.executable, "-m", *(several if processes > 1 else []), WORKER, str(job)]


def shown(parts: list[str]) -> str:
    """The command as one would type it."""
    return shlex.join([Path(parts[0]).name, *parts[1:]])


def whole_state(directory: Path) -> int:
    """Steps of the last state of a job that was saved whole; 0 when there is none."""
    mark = directory / wire.STATE / wire.DONE
    step = int(read_json(mark)["step"]) if mark.exists() else 0
    return step if (directory / wire.STATE / f"checkpoint-{step}").is_dir() else 0


def run(directory: Path, recipe: Recipe, *, at_least: int, logs: Mapping[str, int], on_step: OnStep) -> None:
    """Do the job in `directory`, or what a killed run left of it.

    at_least: steps that it takes. logs: files that gain so many rows a step; they are cut to the state that the workers
    continue from. Raises what the workers could say about an error that the user can fix, RunError for any other end.
    """
    done = whole_state(directory)
    for name, rows in logs.items():
        if (directory / name).exists():
            truncate_jsonl(directory / name, done * rows)
    folder = directory / wire.FOLDER
    (folder / wire.ERROR).unlink(missing_ok=True)
    parts = command(folder / wire.JOB, recipe.trl.processes)
    sys.stderr.write(f"  {shown(parts)}\n")
    seen = done

    def look() -> None:
        nonlocal seen
        seen = report(directory, seen, on_step)

    environment = ENVIRONMENT | {"OMP_NUM_THREADS": str(recipe.threads)}
    with Child(parts, log=folder / "worker.log", environment=environment) as workers:
        try:
            workers.wait(look, name="the workers of TRL")
        except RunError:
            if not (folder / wire.ERROR).exists():
                raise
            raise said(folder / wire.ERROR) from None
    assert seen >= at_least


def report(directory: Path, seen: int, on_step: OnStep) -> int:
    """Show the rows that were logged since `seen`; returns how many there are now."""
    if not (directory / "metrics.jsonl").exists():
        return seen
    rows = read_jsonl(directory / "metrics.jsonl")
    for number, row in enumerate(rows[seen:], start=seen + 1):
        on_step(number, row)
    return max(seen, len(rows))


def said(path: Path) -> EtalonError:
    """The error that a worker wrote down."""
    found = read_json(path)
    kind = getattr(errors, found["kind"])
    assert issubclass(kind, EtalonError)
    error: EtalonError = kind(found["message"])
    return error
