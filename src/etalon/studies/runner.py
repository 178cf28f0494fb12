"""Runs the tasks of a study as processes of their own, several at once, and never the same stage twice.

A task waits while another computes a stage that it needs as well; then it takes that stage's files. Killed at any
point, the same command goes on: what is finished lies in the runs, and a run resumes as `etalon run` does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from etalon.errors import EtalonError, StoppedError
from etalon.pipeline.runner import PR_SET_PDEATHSIG
from etalon.report.html import UNPRINTABLE
from etalon.show.progress import Progress
from etalon.store import RunLock
from etalon.studies.tasks import Finished, Task

POLL_SECONDS = 0.5
LAST_LINES = 3  # of a run that failed, that are shown
GRACE_SECONDS = 30.0  # (ours) for a run to keep its state when it is told to stop


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A run that ended with another exit code than 0, and its last words."""

    name: str
    code: int
    words: str
    log: str


@dataclass(kw_only=True)
class Runner:
    """jobs: runs at a time. done: what other runs have finished, whose stages are taken."""

    tasks: Sequence[Task]
    done: Finished
    progress: Progress
    jobs: int = 2
    running: dict[int, tuple[Task, subprocess.Popen[bytes], set[str]]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)  # key of a stage that failed -> the run it failed in

    def run(self) -> list[Failure]:
        """Everything that is left to do; the runs that failed. StoppedError on Ctrl-C, after the runs have stopped."""
        waiting = [task for task in self.tasks if not task.is_told]
        for task in self.tasks:
            self.done.add(task.directory)
        total = len({key for task in waiting for key in task.pending(self.done)})
        words = f"{len(waiting)} of {len(self.tasks)} runs to do, {total} stages, {self.jobs} at a time"
        with self.progress.stage("study", words) as view:
            try:
                while waiting or self.running:
                    self.start_ready(waiting)
                    self.collect()
                    left = {key for task in [*waiting, *self.at_work()] for key in task.pending(self.done)}
                    view.update(total - len(left), max(total, 1), runs=len(self.running), failed=len(self.failures))
                    if self.running:
                        time.sleep(POLL_SECONDS)
            except KeyboardInterrupt:
                self.stop()
                raise StoppedError("interrupted; what was finished is kept, run the same command to continue") from None
            except BaseException:
                self.stop()
                raise
        return self.failures

    def at_work(self) -> list[Task]:
        return [task for task, _, _ in self.running.values()]

    def start_ready(self, waiting: list[Task]) -> None:
        """Start the first tasks that need nothing which a running one computes."""
        for task in list(waiting):
            if len(self.running) >= self.jobs:
                return
            keys = task.pending(self.done)
            if broken := keys & self.broken.keys():
                waiting.remove(task)
                names = [stage.name for stage in task.stages if task.keys[stage.name] in broken]
                self.fail(task, 2, f"needs {names[0]}, which failed in {self.broken[task.keys[names[0]]]}")
            elif not any(keys & computed for _, _, computed in self.running.values()):
                waiting.remove(task)
                self.start(task, keys)

    def start(self, task: Task, keys: set[str]) -> None:
        """A run in a process group of its own, so that Ctrl-C reaches it once: from here."""
        try:
            with RunLock(task.directory, wait_seconds=GRACE_SECONDS):  # of a killed study it may be ending yet
                task.take(self.done)
        except EtalonError as error:
            self.fail(task, 2, str(error))
            return
        task.log.parent.mkdir(parents=True, exist_ok=True)
        self.progress.say(f"  {task.name}: {len(keys)} stages")
        with task.log.open("ab") as log:
            process = subprocess.Popen(
                task.command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                preexec_fn=_bound,
            )  # fmt: skip
        self.running[process.pid] = (task, process, keys)

    def collect(self) -> None:
        """Take in what has ended, and the stages that runs under way have finished."""
        for pid, (task, process, keys) in list(self.running.items()):
            code = process.poll()
            self.done.add(task.directory)
            keys -= {task.keys[stage.name] for stage in task.stages if self.done.find(stage, task.keys[stage.name])}
            if code is None:
                continue
            del self.running[pid]
            if code:
                lines = task.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
                self.fail(task, code, " / ".join(lines[-LAST_LINES:]))
                self.broken |= dict.fromkeys(task.begun(keys), task.name)
            else:
                self.progress.say(f"  {task.name}: done")

    def fail(self, task: Task, code: int, words: str) -> None:
        """Note a run that failed, and say it; what a model wrote steers no terminal."""
        told = UNPRINTABLE.sub("\ufffd", words)
        self.failures.append(Failure(name=task.name, code=code, words=told, log=str(task.log)))
        self.progress.say(f"  {task.name}: failed with exit code {code}: {told}")

    def stop(self) -> None:
        """Interrupt every run, and wait until each has kept its state; one that hangs is killed."""
        for _, process, _ in self.running.values():
            process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + GRACE_SECONDS
        for _, process, _ in self.running.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _bound() -> None:
    """In the run, before it starts: hear SIGINT, which a shell that puts us in the background has ignored, and get it
    when this process dies (on Linux), so that nothing is left at work in a directory that the next call wants."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)
