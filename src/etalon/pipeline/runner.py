"""Runs the graph: one stage after the other, evaluations beside them in worker processes, everything resumable.

A stage directory belongs to a content key (inputs.json, written first) and is done when DONE.json, written last,
exists. Another key empties the directory; the same key without DONE.json resumes.
"""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from etalon.errors import RunError
from etalon.pipeline.graph import Graph, graph_of
from etalon.pipeline.stage import (
    Outputs,
    Silent,
    Stage,
    View,
    Work,
    checkpoint_path,
    dump,
    finished,
    in_this_process,
    peak_memory_mb,
)
from etalon.processes.interrupts import interrupts_held
from etalon.recipe import Recipe, SandboxSpec
from etalon.sandbox import connect
from etalon.show.progress import Progress, show_seconds
from etalon.store import TEMPORARY_SUFFIX, StageDir, append_jsonl, read_json, system_error, write_json_atomic, writing
from etalon.verifiers.math.engine.symbolic import judge_by_cpu_time

PR_SET_PDEATHSIG = 1
BESIDE_NICE = 5  # (ours) the stages that wait for one another come first, what runs beside them takes what is left


@dataclass
class Runner:
    """One run of one recipe in one directory. chosen: the stages it may run. goes_on: also where nothing is learned."""

    graph: Graph
    run_dir: Path
    progress: Progress
    keys: Mapping[str, str]
    directories: Mapping[str, Path]
    chosen: frozenset[str]
    goes_on: bool = False
    pool: ProcessPoolExecutor | None = None
    beside: dict[Future[Outputs], Stage] = field(default_factory=dict)
    ahead: dict[str, Future[Silent]] = field(default_factory=dict)  # stages that began beside what they need

    @property
    def recipe(self) -> Recipe:
        return self.graph.recipe

    def run(self) -> float:
        """Run whatever is not done. Returns the seconds spent waiting for evaluations at the end."""
        set_threads(self.recipe.threads)
        set_verifiers(self.recipe.sandbox)
        if self.recipe.jobs > 1:
            self.pool = worker_pool(self.recipe.jobs - 1, self.recipe.threads, self.recipe.sandbox)
        try:
            for stage in self.graph.pipeline:
                if stage.name in self.ahead:
                    self.run_here(stage)
                elif stage.name in self.chosen and not self.is_done(stage):
                    self.submit_ahead(stage)
                    self.run_here(stage)
                self.submit_ready()
            return self.finish_background()
        except BrokenProcessPool as error:
            self.stop_workers()
            raise RunError(
                "a worker process was killed, perhaps for want of memory; run the same command again, "
                "with --set jobs=1 if it happens again"
            ) from error
        except BaseException:
            self.stop_workers()
            raise
        finally:
            if self.pool:
                self.pool.shutdown(wait=False, cancel_futures=True)

    def is_done(self, stage: Stage) -> bool:
        """Whether the stage was finished with the very inputs it has now."""
        return finished(stage, self.keys[stage.name], self.directories[stage.name]) is not None

    def run_here(self, stage: Stage) -> None:
        """Run a stage, or wait for it where a worker has begun it."""
        future = self.ahead.pop(stage.name, None)
        with self.progress.stage(stage.name, stage.purpose, stage.section) as view:
            if future is None or future.cancel():
                execute(
                    stage, self.keys[stage.name], self.directories, view, self.spread, goes_on=self.goes_on
                )  # fmt: skip
            else:
                shown = future.result()
                done = StageDir(self.directories[stage.name]).done()
                assert done is not None
                view.note(f"began beside {', '.join(sorted(stage.awaits))}, took {show_seconds(done['seconds'])}")
                shown.show(view)
        self.log(stage)
        for line in stage.afterwords(self.directories, self.graph.stages):
            self.progress.say(f"  {line}")
        self.report_finished()

    @property
    def may_share(self) -> bool:
        """Whether anything may run beside a stage: there are workers, and none that runs alone is to come."""
        alone = [one for one in self.graph.pipeline if one.runs_alone and one.name in self.chosen]
        return self.pool is not None and all(self.is_done(one) for one in alone)

    def submit_ahead(self, running: Stage) -> None:
        """Hand to the workers the stages that need what runs now, but not before they end themselves."""
        for stage in self.graph.pipeline if self.may_share else ():
            if running.name not in stage.awaits or stage.name in self.ahead:
                continue
            if stage.name not in self.chosen or self.is_done(stage):
                continue
            others = [name for name in stage.needs if name != running.name]
            if self.pool is not None and all(self.is_done(self.graph.by_name[name]) for name in others):
                prepared(running, self.keys[running.name], self.directories)  # what was done before is not waited for
                arguments = (self.recipe, stage.name, self.keys[stage.name], dict(self.directories))
                with interrupts_held():
                    self.ahead[stage.name] = self.pool.submit(execute_ahead, *arguments, running.name)

    def submit_ready(self) -> None:
        """Hand every evaluation whose checkpoint exists to the workers."""
        if not self.may_share:
            return
        waiting = {stage.name for stage in self.beside.values()}
        for stage in self.waiting_background():
            if stage.name in waiting or self.pool is None:
                continue
            if all(self.is_done(self.graph.by_name[name]) for name in stage.needs):
                arguments = (self.recipe, stage.name, self.keys[stage.name], dict(self.directories))
                with interrupts_held():
                    self.beside[self.pool.submit(execute_silently, *arguments)] = stage

    def waiting_background(self) -> list[Stage]:
        """What may run beside other stages, was chosen, and is not done."""
        stages = [stage for stage in self.graph.stages if stage.is_background and stage.name in self.chosen]
        return [stage for stage in stages if not self.is_done(stage)]

    def finish_background(self) -> float:
        """Take evaluations that no worker has begun into this process; then wait for the others, so many seconds."""
        for stage in self.waiting_background():
            future = next((f for f, s in self.beside.items() if s is stage), None)
            if future is None or future.cancel():
                if future:
                    del self.beside[future]
                self.run_here(stage)
        started = time.monotonic()
        wait(self.beside)
        waited = time.monotonic() - started
        self.report_finished()
        return waited

    def spread(self, function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Independent calls over this process and the workers; the result does not depend on who did what."""
        waiting = sum(not future.done() for future in self.ahead.values())  # perhaps for this very stage
        if self.pool is None or len(arguments) < 2 or waiting >= self.recipe.jobs - 1:
            return in_this_process(function, arguments)
        with interrupts_held():
            futures = [self.pool.submit(function, *one) for one in arguments]
        results: list[Any] = [None] * len(arguments)
        for index in reversed(range(len(arguments))):  # from the end, while workers take from the front
            if futures[index].cancel():
                results[index] = function(*arguments[index])
        return [
            result if future.cancelled() else future.result() for result, future in zip(results, futures, strict=True)
        ]

    def report_finished(self) -> None:
        """Say what the workers have finished; their errors surface here."""
        for future in [f for f in self.beside if f.done()]:
            stage = self.beside.pop(future)
            outputs = future.result()
            self.log(stage)
            scores = outputs.get("scores", {})
            same = f"as {outputs['as']}" if "as" in outputs else "done"
            shown = ", ".join(
                f"{domain} {score['pass1']:.2f}/{score['passk']:.2f}"
                for domain, score in scores.items()
                if score["pass1"] is not None and score["passk"] is not None
            )
            k = min(self.recipe.eval.k, self.recipe.eval.n)
            self.progress.say(f"  {stage.name} (beside): {f'Pass@1/Pass@{k} {shown}' if shown else same}")

    def log(self, stage: Stage) -> None:
        done = StageDir(self.directories[stage.name]).done()
        assert done is not None
        append_jsonl(
            self.run_dir / "events.jsonl",
            [{"event": "done", "stage": stage.name, "seconds": done["seconds"], "time": round(time.time(), 3)}],
        )

    def stop_workers(self) -> None:
        """End the workers at once; what they were doing is resumed next time."""
        if self.pool is None:
            return
        threading.excepthook = lambda _: None  # python/cpython#107219: cancelled calls break its thread
        for process in list((self.pool._processes or {}).values()):
            process.kill()


def execute(
    stage: Stage,
    key: str,
    directories: Mapping[str, Path],
    view: View,
    spread: Callable[[Callable[..., Any], Sequence[tuple[Any, ...]]], list[Any]] = in_this_process,
    *,
    beside: bool = False,
    goes_on: bool = False,
    awaited: str = "",
) -> Outputs:
    """Do the work of one stage in its directory, resuming what the same key has left there."""
    directory = prepared(stage, key, directories)
    if (directory.path / "metrics.jsonl").exists():
        view.note("continues what an interrupted run left")
    started = time.monotonic()
    work = Work(
        recipe=stage.recipe, stage=stage, directories=directories, view=view, spread=spread, goes_on=goes_on,
        awaited=awaited,
    )  # fmt: skip
    with writing(directory.path), damage_named(directory.path, stage.name):
        outputs = stage.run(work)
    if stage.makes_model:
        outputs |= sameness(work, outputs)
    state = directory.path / "state"  # several times the weights, and of no more use
    (state / "state.json").unlink(missing_ok=True)  # first: killed half way, there is no state rather than a torn one
    shutil.rmtree(state, ignore_errors=True)
    directory.finish(
        {
            "stage": stage.name,
            "key": key,
            "seconds": round(time.monotonic() - started - sum(work.waits), 2),
            "peak_memory_mb": peak_memory_mb(),
            "beside": beside,
            "outputs": outputs,
        }
    )
    return outputs


def prepared(stage: Stage, key: str, directories: Mapping[str, Path]) -> StageDir:
    """Its directory, of this key and not done: empty, or as the same key has left it."""
    directory = StageDir(directories[stage.name])
    inputs = directory.path / "inputs.json"
    if directory.done() is not None or not inputs.exists() or read_json(inputs)["key"] != key:
        directory.clear()
        write_json_atomic(inputs, inputs_of(stage, key))
    else:
        unshare(directory.path)
    return directory


def unshare(directory: Path) -> None:
    """Make every file below a directory its own: what a study took of another run is that run's file as well."""
    for path in directory.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_nlink > 1:
            copy = path.with_name(f".{path.name}{TEMPORARY_SUFFIX}")
            with writing(path):
                shutil.copy2(path, copy)
                copy.replace(path)


def inputs_of(stage: Stage, key: str) -> dict[str, Any]:
    """What inputs.json says: whose directory it is, for resuming and for whoever reads a run later."""
    return {
        "stage": stage.name,
        "kind": stage.kind,
        "from": stage.source or None,
        "domains": [domain.value for domain in stage.domains],
        "keys": json.loads(json.dumps(dump(stage.spec, as_written=True), default=str)),
        "section": stage.section,
        "purpose": stage.purpose,
        "key": key,
        "needs": list(stage.needs),
    }


def sameness(work: Work, outputs: Outputs) -> Outputs:
    """{"same_as": STAGE} when the checkpoint holds the very weights of the one it started from, or of one before it."""
    source = work.stage.source
    if not source or "checkpoint" not in outputs:
        return {}
    before, after = work.source, checkpoint_path(outputs, work.directory)
    if before.resolve() != after.resolve() and not same_weights(before, after):
        return {}
    return {"same_as": work.outputs(source).get("same_as", source)}


def same_weights(one: Path, other: Path) -> bool:
    """Whether two model directories hold the same bytes of weights; different ones differ early, so this is quick."""
    files = [{path.name: path for path in folder.glob("*.safetensors")} for folder in (one, other)]
    if not files[0] or files[0].keys() != files[1].keys():
        return False
    return all(filecmp.cmp(path, files[1][name], shallow=False) for name, path in files[0].items())


@contextmanager
def damage_named(path: Path, stage: str) -> Iterator[None]:
    """Turn weights or a saved state that cannot be read into a RunError that says how to redo the stage."""
    try:
        yield
    except Exception as error:
        if not type(error).__module__.startswith("safetensors") or system_error(error) is not None:
            raise
        raise RunError(f"{path}: its saved state is damaged ({error}); redo it with --from {stage}") from error


def execute_silently(recipe: Recipe, name: str, key: str, directories: Mapping[str, Path]) -> Outputs:
    """`execute` in a worker process."""
    return execute(graph_of(recipe).by_name[name], key, directories, Silent(), beside=True)


def execute_ahead(recipe: Recipe, name: str, key: str, directories: Mapping[str, Path], awaited: str) -> Silent:
    """`execute` in a worker process, of a stage that awaits another; what it would have shown."""
    view = Silent()
    execute(graph_of(recipe).by_name[name], key, directories, view, beside=True, awaited=awaited)
    return view


def set_threads(threads: int) -> None:
    """Threads of torch in this process; must come before torch is imported to hold for OpenMP as well."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import torch

    torch.set_num_threads(threads)


def set_verifiers(spec: SandboxSpec) -> None:
    """Where the programs of this process run from here on; and no reward depends on how busy the machine is."""
    judge_by_cpu_time()
    connect(spec.url, concurrency=spec.concurrency, key_env=spec.key_env, isolation=spec.isolation)


def worker_pool(size: int, threads: int, sandbox: SandboxSpec) -> ProcessPoolExecutor:
    """Fresh processes that die with this one and leave Ctrl-C to it."""
    return ProcessPoolExecutor(
        size, mp_context=get_context("spawn"), initializer=start_worker, initargs=(threads, os.getpid(), sandbox)
    )


def start_worker(threads: int, parent: int, sandbox: SandboxSpec) -> None:
    """Set up a worker: threads, no Ctrl-C, death with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked to die with it
        os._exit(1)
    os.nice(BESIDE_NICE)
    set_verifiers(sandbox)
    set_threads(threads)
