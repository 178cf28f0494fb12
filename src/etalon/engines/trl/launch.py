"""Starts the workers of one job, follows their log, and ends them with this process.

One process is started as it is; several by `torch.distributed.run`, over the loopback interface. What they print goes
to trl/worker.log in the directory of the job.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from etalon import errors
from etalon.engines.jobs import OnStep
from etalon.engines.trl import wire
from etalon.errors import EtalonError, RunError
from etalon.recipe import Recipe
from etalon.store import read_json, read_jsonl, truncate_jsonl

POLL_SECONDS = 0.2  # (ours) between looks at the log
GRACE_SECONDS = 10.0  # (ours) for the workers to end when they are told to
PR_SET_PDEATHSIG = 1
WORKER = "etalon.engines.trl.worker"
_libc = ctypes.CDLL(None)


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


def run(directory: Path, recipe: Recipe, *, total: int, logs: Mapping[str, int], on_step: OnStep) -> None:
    """Do the job in `directory`, or what a killed run left of it.

    logs: files that gain so many rows a step; they are cut to the state that the workers continue from. Raises what
    the workers could say about an error that the user can fix, RunError for any other end.
    """
    done = whole_state(directory)
    for name, rows in logs.items():
        if (directory / name).exists():
            truncate_jsonl(directory / name, done * rows)
    folder = directory / wire.FOLDER
    (folder / wire.ERROR).unlink(missing_ok=True)
    parts = command(folder / wire.JOB, recipe.trl.processes)
    sys.stderr.write(f"  {shown(parts)}\n")
    with (folder / "worker.log").open("ab") as log:
        workers = start(parts, log.fileno(), recipe)
        try:
            seen = done
            while workers.poll() is None:
                time.sleep(POLL_SECONDS)
                seen = report(directory, seen, on_step)
            report(directory, seen, on_step)
        finally:
            stop(workers)
    if workers.returncode:
        raise failure(folder, workers.returncode)
    assert len(read_jsonl(directory / "metrics.jsonl")) == total


def start(parts: list[str], log: int, recipe: Recipe) -> subprocess.Popen[bytes]:
    """The workers, which die with this process."""
    environment = os.environ | {
        "OMP_NUM_THREADS": str(recipe.threads),
        "GLOO_SOCKET_IFNAME": "lo",
        "TOKENIZERS_PARALLELISM": "false",
        "TRL_EXPERIMENTAL_SILENCE": "1",
        "HF_HUB_OFFLINE": "1",
    }
    end = signal.SIGTERM if recipe.trl.processes > 1 else signal.SIGKILL  # torch's launcher passes the first on
    return subprocess.Popen(
        parts,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=environment,
        start_new_session=True,  # Ctrl-C is for this process
        preexec_fn=lambda: _libc.prctl(PR_SET_PDEATHSIG, end),
    )


def report(directory: Path, seen: int, on_step: OnStep) -> int:
    """Show the rows that were logged since `seen`; returns how many there are now."""
    if not (directory / "metrics.jsonl").exists():
        return seen
    rows = read_jsonl(directory / "metrics.jsonl")
    for number, row in enumerate(rows[seen:], start=seen + 1):
        on_step(number, row)
    return max(seen, len(rows))


def stop(workers: subprocess.Popen[bytes]) -> None:
    """End what still runs."""
    if workers.poll() is not None:
        return
    workers.terminate()
    try:
        workers.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(workers.pid, signal.SIGKILL)
        workers.wait()


def failure(folder: Path, code: int) -> EtalonError:
    """Why the workers ended, as far as they could say."""
    if (folder / wire.ERROR).exists():
        said = read_json(folder / wire.ERROR)
        kind = getattr(errors, said["kind"])
        assert issubclass(kind, EtalonError)
        found: EtalonError = kind(said["message"])
        return found
    ending = "were killed, perhaps for want of memory" if code < 0 else f"ended with exit code {code}"
    return RunError(f"the workers of TRL {ending}; {folder / 'worker.log'} has what they printed")
