"""Zygotes and the threads that use them: each program takes a free zygote, or waits for one.

    run_program -> SandboxPool.run -> order -> zygote -> reply -> collect -> Outcomes

Zygotes are started by `subprocess` with an empty environment when first needed. One that dies or does not answer is
killed and replaced; the program is tried once more, and then its outcome is `INFRASTRUCTURE`.
"""

from __future__ import annotations

import atexit
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
from pathlib import Path
from types import TracebackType
from typing import Any

from etalon.sandbox.claims import Evidence, collect
from etalon.sandbox.order import Ended, Order, pack_order, pack_parts, unpack_ended
from etalon.sandbox.outcome import AssertTests, CallTests, Limits, Outcome, Status, StdinTests, Tests

START_SECONDS = 30.0  # (ours)
MARGIN_SECONDS = 10.0  # (ours) what a zygote may take beyond its program's own wall limits
RECYCLE_AFTER = 5000  # (ours) programs per zygote
ATTEMPTS = 2  # (ours) a program whose zygote died is tried once more

_ZYGOTE = Path(__file__).with_name("forkserver.py")


class _Zygote:
    """One fork server. Any OSError from `ask` means that it must be killed."""

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="etalon-sandbox-")
        os.chmod(self._folder, 0o711)  # noqa: S103  # children may run as another user
        self.served = 0
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-X", "utf8", str(_ZYGOTE), self._folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd=self._folder,
            start_new_session=True,
        )
        self._replies = select.poll()
        self._replies.register(self._process.stdout, select.POLLIN)  # type: ignore[arg-type]
        try:
            self._read(time.monotonic() + START_SECONDS)
        except OSError:
            self.kill()
            raise

    def ask(self, head: bytes, parts: bytes, *, seconds: float) -> tuple[Ended, bytes, bytes]:
        """Send one order; how the program ended, its control lines and its output.

        Raises OSError when the zygote died or let the deadline pass.
        """
        assert self._process.stdin is not None
        self.served += 1
        self._process.stdin.write(head + parts)
        self._process.stdin.flush()
        deadline = time.monotonic() + seconds
        line, newline, content = self._read(deadline).partition(b"\n")
        while not newline:
            line, newline, content = (line + self._read(deadline)).partition(b"\n")
        ended = unpack_ended(line)
        chunks, size = [content], len(content)
        while size < ended.control_bytes + ended.output_bytes:
            chunks.append(self._read(deadline))
            size += len(chunks[-1])
        content = b"".join(chunks)
        return ended, content[: ended.control_bytes], content[ended.control_bytes :]

    def _read(self, deadline: float) -> bytes:
        assert self._process.stdout is not None
        remaining = deadline - time.monotonic()
        if remaining <= 0 or not self._replies.poll(remaining * 1000):
            raise TimeoutError("the sandbox did not answer")
        chunk = os.read(self._process.stdout.fileno(), 1 << 16)
        if not chunk:
            raise ConnectionError("the sandbox process ended")
        return chunk

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


class SandboxPool:
    """At most `workers` zygotes, shared by any number of threads."""

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or len(os.sched_getaffinity(0))
        self._slots = threading.Semaphore(self.workers)
        self._lock = threading.Lock()
        self._idle: list[_Zygote] = []
        self._is_closed = False

    def run(self, program: str, tests: Tests, limits: Limits) -> tuple[Outcome, ...]:
        """Outcomes of the tests in order, ending early with the one that ended the child; never raises on input."""
        order, nonce, parts = _order(program, tests, limits)
        head, seconds = pack_order(order), order.num_tests * limits.wall_seconds + MARGIN_SECONDS
        failure: OSError | None = None
        with self._slots:
            for _ in range(ATTEMPTS):
                try:
                    zygote = self._take()
                except OSError as error:
                    failure = error
                    continue
                try:
                    ended, control, output = zygote.ask(head, parts, seconds=seconds)
                except OSError as error:
                    failure = error
                    zygote.kill()
                    continue
                except BaseException:
                    zygote.kill()
                    raise
                self._give_back(zygote)
                return collect(Evidence(order, limits, nonce, ended, control, output))
        return (Outcome(status=Status.INFRASTRUCTURE, detail=f"{type(failure).__name__}: {failure}"),)

    def _take(self) -> _Zygote:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return _Zygote()

    def _give_back(self, zygote: _Zygote) -> None:
        with self._lock:
            if not self._is_closed and zygote.served < RECYCLE_AFTER:
                self._idle.append(zygote)
                return
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


def _order(program: str, tests: Tests, limits: Limits) -> tuple[Order, str, bytes]:
    """The head of the order, the nonce that proves the end of the last two kinds of tests, and the other parts."""
    nonce, pause_after = secrets.token_hex(16), 0
    opened = [program.encode("utf-8", "surrogatepass")]
    sealed: dict[str, Any] = {"nonce": nonce}
    match tests:
        case StdinTests():
            mode, num_tests, pause_after, sealed = "stdin", len(tests.inputs), tests.pause_after, {}
            opened += [text.encode("utf-8", "surrogatepass") for text in tests.inputs]
        case CallTests():
            mode, num_tests, pause_after = "call", len(tests.inputs), tests.pause_after
            sealed |= {"function": tests.function, "inputs": tests.inputs, "setup": tests.setup}
        case AssertTests():
            mode, num_tests = "assert", 1
            sealed |= {"code": tests.code}
    parts, seal = pack_parts(*opened), json.dumps(sealed).encode() if sealed else b""
    order = Order(
        mode=mode,
        num_tests=num_tests,
        pause_after=pause_after,
        cpu_seconds=limits.cpu_seconds,
        idle_seconds=limits.idle_seconds,
        wall_seconds=limits.wall_seconds,
        memory_bytes=limits.memory_mb << 20,
        file_bytes=max(limits.output_mb << 20, *map(len, opened)) + 1,
        open_bytes=len(parts),
        sealed_bytes=len(seal),
    )
    return order, nonce, parts + seal


_POOL: tuple[int, SandboxPool] | None = None
_POOL_LOCK = threading.Lock()


def default_pool() -> SandboxPool:
    """The pool of this process, one zygote per core, created on first use and closed at exit."""
    global _POOL
    with _POOL_LOCK:
        if _POOL is None or _POOL[0] != os.getpid():  # a forked child must not share its parent's pipes
            pool = SandboxPool()
            atexit.register(_close, os.getpid(), pool)
            _POOL = (os.getpid(), pool)
        return _POOL[1]


def _close(owner: int, pool: SandboxPool) -> None:
    if os.getpid() == owner:  # a forked child inherits this exit handler
        pool.close()


def run_program(
    program: str, tests: Tests, limits: Limits | None = None, *, pool: SandboxPool | None = None
) -> tuple[Outcome, ...]:
    """Run an untrusted program on its tests: one outcome per test, ending early with the one that ended the child."""
    return (pool or default_pool()).run(program, tests, limits or Limits())
