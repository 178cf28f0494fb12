"""Runs the cells of the study as processes, several at once, and says before and during it how long it takes here.

study.json -> world/ -> speed.json (a few timed steps of every size) -> forecast -> cells/NAME.json ...

Killed at any point, the same command goes on: a cell is done when its file is there, and resumes from its last state
otherwise. Cells are the same whatever their order, their company and the interruptions.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from etalon.errors import InputError, StoppedError
from etalon.processes.children import Child
from etalon.show.progress import Progress
from etalon.store import LOCK, RunLock, read_json, write_json_atomic
from etalon.studies.compression import plan, world
from etalon.studies.compression.cells import cell_file, take_cells
from etalon.studies.compression.plan import DOMAINS, Cell, Design

POLL_SECONDS = 0.5
FACT_TOKENS = 15  # of a name, its value and what the chat template puts around them
DOCUMENT_TOKENS = 39  # (ours) measured: the mean document, and below the mean trace
TRACE_TOKENS = 48
KEPT = 0.75  # (ours) measured: share of the asked traces that are right and of which there is no copy
START_SECONDS = 15.0  # (ours) of a process until it trains, and of its measuring
ONE_THREAD = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
Speeds = Mapping[str, float]  # width -> tokens per second


class View(Protocol):
    """Where it is shown how far the cells are."""

    def update(self, done: int, total: int, **numbers: float | int | str) -> None: ...


def tokens_of(cell: Cell, study: Design) -> float:
    """Tokens that a cell trains on, at most."""
    budget = study.budget
    if cell.facts:
        return float(cell.facts * FACT_TOKENS * budget.passes(cell.facts))
    traces = len(DOMAINS) * budget.train * budget.paths * KEPT
    return budget.documents * DOCUMENT_TOKENS + traces * TRACE_TOKENS * budget.epochs


def seconds_of(cell: Cell, study: Design, speed: Speeds) -> float:
    """What a cell takes, by the speed of its size."""
    return START_SECONDS + tokens_of(cell, study) / speed[str(cell.width)]


def makespan(seconds: Sequence[float], jobs: int) -> float:
    """When the last of these is done, taken in order by `jobs` processes."""
    free = [0.0] * jobs
    for one in seconds:
        first = free.index(min(free))
        free[first] += one
    return max(free)


def forecast(study: Design, speed: Speeds, *, jobs: int, finished: Mapping[str, float]) -> float:
    """Seconds until all cells are done. finished: cell -> seconds it took; how far they were off corrects the rest."""
    off: dict[str, float] = {}
    for part in (plan.REASONING, plan.FACTS):
        done = [cell for cell in study.cells if cell.part == part and cell.name in finished]
        expected = sum(seconds_of(cell, study, speed) for cell in done)
        off[part] = sum(finished[cell.name] for cell in done) / expected if expected else 1.0
    left = [cell for cell in study.cells if cell.name not in finished]
    return makespan([off[cell.part] * seconds_of(cell, study, speed) for cell in left], jobs)


def check_directory(run: Path) -> None:
    """InputError for a directory that holds something else."""
    if run.is_dir() and not (run / "study.json").exists() and any(one.name != LOCK for one in run.iterdir()):
        raise InputError(f"{run}: is not empty and not the directory of this study; use another --run directory")


def settle(run: Path, study: Design) -> None:
    """Write study.json; InputError where the directory holds a study with another budget."""
    path = run / "study.json"
    if path.exists():
        before = Design.of(read_json(path))
        if before.budget != study.budget:
            raise InputError(
                f"{run}: holds a study with another budget (study.json); name another directory with --run"
            )
    write_json_atomic(path, study.to_json())


def time_sizes(study: Design) -> dict[str, float]:
    """Tokens per second of every size on this machine, now: a few steps of each, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        write_json_atomic(run / "study.json", study.to_json())
        with _started(run, "--time") as child:
            child.wait(name="timing the sizes")
        found: dict[str, float] = read_json(run / "speed.json")
    return found


def _started(run: Path, name: str) -> Child:
    command = [sys.executable, "-m", "etalon.studies.compression.cell", str(run), name]
    return Child(command, log=run / "logs" / f"{name.strip('-')}.log", environment=ONE_THREAD)


def run_cells(run: Path, study: Design, *, jobs: int, progress: Progress, reuse: Sequence[Path] = ()) -> None:
    """Everything that is left to do. StoppedError on Ctrl-C, RunError for a cell that failed; what is done is kept.

    reuse: files of trained models, or directories of this study, that are looked through first.
    """
    check_directory(run)
    with RunLock(run):
        settle(run, study)
        for source in reuse:
            progress.say(f"{take_cells(source, run, study)} models of {source}")
        with progress.stage("world", "traces of the nano world, verified; held-out problems") as view:
            world.prepare(run, study.budget, view.update)
        speed = _speed(run, study, progress)
        left = forecast(study, speed, jobs=jobs, finished=_finished(run, study))
        progress.say(f"{len(study.cells)} models, {len(_finished(run, study))} are trained; about {about(left)} here")
        with progress.stage("study", f"{jobs} at a time") as view:
            try:
                _work(run, study, speed, jobs=jobs, view=view)
            except KeyboardInterrupt:
                raise StoppedError("interrupted; what was finished is kept, run the same command to continue") from None


def _speed(run: Path, study: Design, progress: Progress) -> Speeds:
    path = run / "speed.json"
    known: dict[str, float] = read_json(path) if path.exists() else {}
    if any(str(width) not in known for width in study.widths):
        with progress.stage("speed", "a few steps of every size"):
            known |= time_sizes(study)
        write_json_atomic(path, known)
    return known


def _finished(run: Path, study: Design) -> dict[str, float]:
    """Cell -> seconds it trained, of those that are done."""
    done = [cell for cell in study.cells if cell_file(run, cell).exists()]
    return {cell.name: START_SECONDS + read_json(cell_file(run, cell))["train_seconds"] for cell in done}


def _work(run: Path, study: Design, speed: Speeds, *, jobs: int, view: View) -> None:
    waiting = [cell for cell in study.cells if not cell_file(run, cell).exists()]
    running: dict[str, Child] = {}
    started = time.monotonic()
    with ExitStack() as stack:
        while waiting or running:
            while waiting and len(running) < jobs:
                cell = waiting.pop(0)
                running[cell.name] = stack.enter_context(_started(run, cell.name))
            for name, child in list(running.items()):
                if child.status is not None:
                    child.wait(name=name)
                    del running[name]
            finished = _finished(run, study)
            seconds = forecast(study, speed, jobs=jobs, finished=finished)
            elapsed = round(time.monotonic() - started)
            models = f"{len(finished)}/{len(study.cells)}"
            view.update(elapsed, elapsed + round(seconds), models=models, **_beats(run, running))
            time.sleep(POLL_SECONDS)


def _beats(run: Path, running: Mapping[str, Child]) -> dict[str, str]:
    """How far the running cells are, by name."""
    found = {}
    for name in running:
        path = run / "work" / f"{name}.beat.json"
        if path.exists():
            beat = read_json(path)
            found[name] = f"{beat['done'] / beat['total']:.0%}"
    return found


def about(seconds: float) -> str:
    """A forecast, as exact as it is."""
    if seconds < 90:
        return f"{max(10, round(seconds, -1)):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{seconds / 3600:.1f} h"
