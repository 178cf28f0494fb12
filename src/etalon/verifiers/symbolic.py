"""math-verify in a few killable worker processes, started when the first comparison needs one.

    compare -> a free worker (JSON line in, JSON line out) -> SymbolicResult
    no answer by the deadline -> the worker is killed, the comparison is undecided, the next one starts a new worker

A worker serves one comparison at a time, so nobody waits behind a hung answer, and any thread may call.
math-verify's own timeouts use SIGALRM, which fails outside the main thread: they are off.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

DEADLINE_SECONDS = 2.0  # (ours) of CPU per comparison
START_SECONDS = 30.0  # (ours) of CPU; sympy imports in less than one
WALL_FACTOR = 10  # (ours) wall-clock seconds per CPU second allowed, on a busy machine
POLL_SECONDS = 0.05  # (ours)
MEMORY_MB = 2048  # (ours) address space of a worker
WORKERS = 2  # (ours)

_WORKER = Path(__file__).with_name("symbolic_worker.py")


@dataclass(frozen=True, kw_only=True)
class SymbolicResult:
    """is_equal is None on timeout, a reference that does not parse, or a worker that died."""

    is_equal: bool | None
    reason: str


class _Worker:
    """One math-verify process. Any failure to answer makes it unusable; the pool then drops it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # an interrupt at the terminal is for the parent
        )
        self._pending = b""
        try:
            setup = {"path": [entry for entry in sys.path if entry], "memory_mb": MEMORY_MB}
            reply = self.ask(setup, seconds=START_SECONDS)
        except BaseException:
            self.kill()
            raise
        if reply is None or not reply.get("ready"):
            self.kill()
            raise OSError("the math-verify worker did not start")

    def ask(self, request: dict[str, object], *, seconds: float) -> dict[str, object] | None:
        """The reply, or None after `seconds` of CPU. Raises OSError when the process is gone."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        cpu_deadline, wall_deadline = self._cpu_seconds() + seconds, time.monotonic() + WALL_FACTOR * seconds
        poller = select.poll()
        poller.register(self._process.stdout, select.POLLIN | select.POLLHUP)
        while b"\n" not in self._pending:
            if not poller.poll(POLL_SECONDS * 1000):
                if self._cpu_seconds() > cpu_deadline or time.monotonic() > wall_deadline:
                    return None
                continue
            chunk = os.read(self._process.stdout.fileno(), 65536)
            if not chunk:
                raise OSError("the math-verify worker died")
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        reply = json.loads(line)
        assert isinstance(reply, dict)
        return reply

    def _cpu_seconds(self) -> float:
        """CPU time of the worker: a busy machine must not make answers undecided. See clock_getcpuclockid(3)."""
        try:
            return time.clock_gettime((~self._process.pid << 3) | 2)
        except OSError as error:
            raise OSError("the math-verify worker died") from error

    def kill(self) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process.wait()


class SymbolicPool:
    """Up to `workers` math-verify processes, shared by all threads of this process."""

    def __init__(self, *, workers: int = WORKERS, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._deadline_seconds = deadline_seconds
        self._slots = threading.Semaphore(workers)
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()

    def compare(self, reference: str, answer: str) -> SymbolicResult:
        """Whether both parse and mean the same; never raises on input, always ends by the deadline."""
        with self._slots:
            try:
                worker = self._take()
            except OSError as error:
                return SymbolicResult(is_equal=None, reason=f"infrastructure: {error}")
            try:
                reply = worker.ask({"reference": reference, "answer": answer}, seconds=self._deadline_seconds)
            except OSError:
                worker.kill()
                return SymbolicResult(is_equal=None, reason="memory_or_crash")
            except BaseException:
                worker.kill()
                raise
            if reply is None:
                worker.kill()
                return SymbolicResult(is_equal=None, reason="timeout")
            with self._lock:
                self._idle.append(worker)
        is_equal, reason = reply["is_equal"], reply["reason"]
        assert is_equal is None or isinstance(is_equal, bool)
        return SymbolicResult(is_equal=is_equal, reason=str(reason))

    def _take(self) -> _Worker:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return _Worker()

    def close(self) -> None:
        """Kill the idle workers; a later `compare` starts new ones."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.kill()


_POOL: tuple[int, SymbolicPool] | None = None
_POOL_LOCK = threading.Lock()


def compare(reference: str, answer: str) -> SymbolicResult:
    """`SymbolicPool.compare` on the pool of this process, which is created here on first use."""
    return _pool().compare(reference, answer)


def _pool() -> SymbolicPool:
    global _POOL
    with _POOL_LOCK:
        if _POOL is None or _POOL[0] != os.getpid():  # a forked child must not share its parent's pipes
            pool = SymbolicPool()
            atexit.register(_close, os.getpid(), pool)
            _POOL = (os.getpid(), pool)
        return _POOL[1]


def _close(owner: int, pool: SymbolicPool) -> None:
    if os.getpid() == owner:  # a forked child inherits this exit handler
        pool.close()
