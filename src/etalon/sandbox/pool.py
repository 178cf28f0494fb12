"""Zygotes and the threads that use them: each program takes a free zygote, or waits for one.

    run_program -> SandboxPool.run -> order -> zygote -> reply -> collect -> Outcomes

Zygotes are started by `subprocess` with an empty environment when first needed; programs that name a library get one
that has it. One that dies or does not answer is killed and replaced; the program is tried again, and in the end its
outcome is `INFRASTRUCTURE`.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from etalon.processes.per_process import PerProcess
from etalon.sandbox.evidence import Evidence, collect
from etalon.sandbox.isolation import HOW_WITHOUT, WALLS, Isolation, Level, Way, plan, tell, wanted_libraries
from etalon.sandbox.outcome import (
    LOOK_SECONDS,
    AssertTests,
    CallTests,
    GiveUp,
    Limits,
    Outcome,
    Status,
    StdinTests,
    Tests,
)
from etalon.sandbox.plain import PlainInterpreters
from etalon.sandbox.zygote.order import Ended, Order, pack_order, pack_parts, unpack_ended

START_SECONDS = 30.0  # (ours)
MARGIN_SECONDS = 10.0  # (ours) what a zygote may take beyond its program's own wall limits
RECYCLE_AFTER = 5000  # (ours) programs per zygote
# Words of programs whose tests get a process each: output that is opened anew would overwrite that of earlier tests,
# and pools of threads are closed for good when the interpreter ends.
ONE_EACH = (
    "/dev/std", "/dev/fd", "/proc/self/fd", "fdopen", "stdout.fileno", "open(1", "detach(",
    "concurrent.futures", "executor", "to_thread",
)  # fmt: skip
IDLE_PER_WORKER = 3  # (ours) zygotes kept for other libraries
ATTEMPTS = 3  # (ours) a program whose zygote died is tried again

_ZYGOTE = Path(__file__).parent / "zygote" / "forkserver.py"


class _Zygote:
    """One fork server. Any OSError from `ask` means that it must be killed."""

    def __init__(self, *, walls: tuple[str, ...] = WALLS, libraries: tuple[str, ...] = ()) -> None:
        self._folder = os.path.join(tempfile.gettempdir(), f"etalon-sandbox-{secrets.token_hex(8)}")
        self.served, self.libraries = 0, libraries
        if sys.platform != "linux":  # never silently weaker: without a wall of any kind programs do not run
            raise OSError(f"walls around programs take Linux, this is {sys.platform}")
        orders = json.dumps(plan(self._folder, walls=walls, libraries=libraries))
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-X", "utf8", str(_ZYGOTE), orders],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            start_new_session=True,
        )
        self._replies = select.poll()
        self._replies.register(self._process.stdout, select.POLLIN)  # type: ignore[arg-type]
        try:
            ready = self._read(time.monotonic() + START_SECONDS)
            self.isolation = Isolation(missing=json.loads(ready))
        except (OSError, ValueError):
            self.kill()
            raise

    def ask(
        self, head: bytes, parts: bytes, *, seconds: float, give_up: GiveUp | None = None
    ) -> tuple[Ended, bytes, bytes]:
        """Send one order; how the program ended, its control lines and its output.

        Raises OSError when the zygote died or let the deadline pass, GivenUpError when `give_up` was set.
        """
        assert self._process.stdin is not None
        self.served += 1
        self._process.stdin.write(head + parts)
        self._process.stdin.flush()
        deadline = time.monotonic() + seconds
        line, newline, content = self._read(deadline, give_up).partition(b"\n")
        while not newline:
            line, newline, content = (line + self._read(deadline, give_up)).partition(b"\n")
        ended = unpack_ended(line)
        chunks, size = [content], len(content)
        while size < ended.control_bytes + ended.output_bytes:
            chunks.append(self._read(deadline, give_up))
            size += len(chunks[-1])
        content = b"".join(chunks)
        return ended, content[: ended.control_bytes], content[ended.control_bytes :]

    def _read(self, deadline: float, give_up: GiveUp | None = None) -> bytes:
        assert self._process.stdout is not None
        while True:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimeoutError("the sandbox did not answer")
            if self._replies.poll(1000 * (remaining if give_up is None else min(remaining, LOOK_SECONDS))):
                break
            if give_up is not None:
                give_up.check()
        chunk = os.read(self._process.stdout.fileno(), 1 << 16)
        if not chunk:
            raise ConnectionError("the sandbox process ended")
        return chunk

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process.wait()
        with contextlib.suppress(RecursionError):
            shutil.rmtree(self._folder, ignore_errors=True)
        if os.path.exists(self._folder):  # a program may leave folders nested too deeply for shutil
            subprocess.run(["rm", "-rf", "--", self._folder], stderr=subprocess.DEVNULL, check=False)


_Host = _Zygote | PlainInterpreters


class SandboxPool:
    """At most `workers` zygotes, shared by any number of threads."""

    def __init__(
        self,
        workers: int | None = None,
        *,
        require: Level = Level.WEAK,
        walls: tuple[str, ...] = WALLS,
        isolation: Way = "walls",
    ) -> None:
        """require: programs do not run below this level. walls: those that zygotes try to build.

        isolation: "plain" is an interpreter per program without any.
        """
        self.workers = workers or _num_cores()
        self._require, self._walls, self._way = require, walls, isolation
        self._slots = threading.Semaphore(self.workers)
        self._lock = threading.Lock()
        self._idle: list[_Host] = []
        self._is_closed = False

    def run(self, program: str, tests: Tests, limits: Limits, *, give_up: GiveUp | None = None) -> tuple[Outcome, ...]:
        """Outcomes of the tests in order, ending early with the one that ended the child; never raises on input.

        GivenUpError soon after `give_up` is set.
        """
        if isinstance(tests, AssertTests) or not (tests.fork_each or any(name in program for name in ONE_EACH)):
            return self._run(program, tests, limits, give_up)
        outcomes: list[Outcome] = []
        for text in tests.inputs:
            outcomes += self._run(program, replace(tests, inputs=(text,), pause_after=0), limits, give_up)
            if outcomes[-1].status is not Status.OK:
                break
        return tuple(outcomes)

    def isolation(self) -> Isolation:
        """What the walls of this pool are; raises OSError when no zygote starts."""
        with self._slots:
            zygote = self._take(())
            self._give_back(zygote)
            return zygote.isolation

    def _run(self, program: str, tests: Tests, limits: Limits, give_up: GiveUp | None) -> tuple[Outcome, ...]:
        order, parts = _order(program, tests, limits)
        head, seconds = pack_order(order), order.num_tests * limits.wall_seconds + MARGIN_SECONDS
        libraries = wanted_libraries(program, *_code(tests))
        failure: OSError | None = None
        with self._slots:
            for _ in range(ATTEMPTS):
                if give_up is not None:
                    give_up.check()
                try:
                    zygote = self._take(libraries)
                except OSError as error:
                    failure = error
                    continue
                try:
                    ended, control, output = zygote.ask(head, parts, seconds=seconds, give_up=give_up)
                except OSError as error:
                    failure = error
                    zygote.kill()
                    continue
                except BaseException:
                    zygote.kill()
                    raise
                self._give_back(zygote)
                return collect(Evidence(order, limits, ended, control, output))
        return (Outcome(status=Status.INFRASTRUCTURE, detail=f"{type(failure).__name__}: {failure}"),)

    def _take(self, libraries: tuple[str, ...]) -> _Host:
        with self._lock:
            for at in reversed(range(len(self._idle))):
                if self._idle[at].libraries == libraries:
                    zygote = self._idle.pop(at)
                    if zygote.is_alive():
                        return zygote
                    zygote.kill()
        zygote = self._start(libraries)
        tell(zygote.isolation)
        if zygote.isolation.level < self._require:
            zygote.kill()
            raise OSError(f"isolation is {zygote.isolation.level.name}, below {self._require.name}")
        return zygote

    def _start(self, libraries: tuple[str, ...]) -> _Host:
        if self._way == "plain":
            return PlainInterpreters(libraries=libraries)
        try:
            return _Zygote(walls=self._walls, libraries=libraries)
        except OSError as error:
            raise OSError(f"{error}; {HOW_WITHOUT}") from error

    def _give_back(self, zygote: _Host) -> None:
        with self._lock:
            if not self._is_closed and zygote.served < RECYCLE_AFTER:
                self._idle.append(zygote)
                if len(self._idle) <= IDLE_PER_WORKER * self.workers:
                    return
                zygote = self._idle.pop(0)  # longest out of use
        zygote.kill()

    def close(self) -> None:
        """Kill the zygotes; one that is running a program is killed when it has answered."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for zygote in idle:
            zygote.kill()

    def __enter__(self) -> SandboxPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _code(tests: Tests) -> tuple[str, ...]:
    """Whatever in the tests is, or may hold, code that runs in the sandbox."""
    match tests:
        case AssertTests():
            return (tests.code,)
        case CallTests():
            return tests.setup, *tests.inputs
    return ()


def _order(program: str, tests: Tests, limits: Limits) -> tuple[Order, bytes]:
    """The head of the order, and its parts."""
    num_tests, pause_after = 1, 0
    inputs: tuple[str, ...]
    match tests:
        case StdinTests():
            mode, inputs = "stdin", tests.inputs
        case CallTests():
            mode, inputs = "call", (tests.setup, tests.function, *tests.inputs)
        case AssertTests():
            mode, inputs = "assert", (tests.code, "starter" if tests.starter else "")
    if not isinstance(tests, AssertTests):
        num_tests, pause_after = len(tests.inputs), tests.pause_after
    contents = [text.encode("utf-8", "surrogatepass") for text in (program, *inputs)]
    parts = pack_parts(*contents)
    order = Order(
        mode=mode,
        num_tests=num_tests,
        pause_after=pause_after,
        cpu_seconds=limits.cpu_seconds,
        idle_seconds=limits.idle_seconds,
        wall_seconds=limits.wall_seconds,
        memory_bytes=limits.memory_mb << 20,
        file_bytes=max(limits.output_mb << 20, *map(len, contents)) + 1,
        parts_bytes=len(parts),
    )
    return order, parts


_POOLS: dict[Way, PerProcess[SandboxPool]] = {
    "walls": PerProcess(SandboxPool),
    "plain": PerProcess(lambda: SandboxPool(isolation="plain")),
}


def default_pool(isolation: Way = "walls") -> SandboxPool:
    """The pool of this process, one program per core at a time, created on first use and closed at exit."""
    return _POOLS[isolation].get()


def describe(pool: SandboxPool | None = None) -> Isolation:
    """How well programs are isolated on this machine, from a zygote that has tried; raises OSError when none starts."""
    return (pool or default_pool()).isolation()
