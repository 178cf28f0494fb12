"""math-verify in a few killable worker processes, forked from one warm process when a comparison needs one.

    compare -> a free worker (JSON line in, JSON line out) -> Comparison
    no answer by the deadline -> that worker is killed, the comparison is undecided, the next one forks another

A worker serves one comparison at a time, so nobody waits behind a hung answer; any thread of any event loop may call.
math-verify's own timeouts need signals and the main thread: they are off, and no signal handler is ever installed.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field

from etalon.processes.per_process import PerProcess
from etalon.verifiers.math import Comparison, Reason
from etalon.verifiers.math.engine.process import Template, Worker

DEADLINE_SECONDS = 2.0  # (ours) of engine time per verdict
WORKERS = min(4, max(2, os.cpu_count() or 1))  # (ours)
PATIENCE = 5.0  # (ours) wall clock per CPU second where rewards are at stake, see `judge_by_cpu_time`
MAX_USES = 2_000  # (ours) comparisons before a worker is replaced: its caches grow


@dataclass
class EngineTime:
    """Seconds of engine time left to one verdict; its comparisons share them."""

    seconds: float = field(default_factory=lambda: DEADLINE_SECONDS)


@dataclass(frozen=True, kw_only=True)
class SymbolicResult(Comparison):
    """hung: which text the engine could not even read by the deadline ("reference", "answer"), if that was it."""

    hung: str | None = None


_UNDECIDED = SymbolicResult(is_equal=None, reason=Reason.TIMEOUT)


class SymbolicPool:
    """Up to `workers` math-verify processes, shared by all threads of this process."""

    def __init__(
        self, *, workers: int = WORKERS, deadline_seconds: float = DEADLINE_SECONDS, wall_factor: float = 1.0
    ) -> None:
        """wall_factor: wall clock per CPU second of a deadline; with 1 all verdicts are on time, busy or not."""
        self._wall_factor = wall_factor
        self._deadline_seconds = deadline_seconds
        self._slots = threading.Semaphore(workers)
        self._idle: list[Worker] = []
        self._template: Template | None = None
        self._lock = threading.Lock()

    def compare(
        self, reference: str, answer: str, *, is_exact: bool = False, budget: EngineTime | None = None
    ) -> SymbolicResult:
        """Whether both parse and mean the same; never raises on input, ends by the deadline once a worker is free.

        is_exact: a decimal is the number it writes, not the rounding of one.
        """
        budget = budget or EngineTime(self._deadline_seconds)
        if budget.seconds <= 0:
            return _UNDECIDED
        with self._slots:
            started = time.monotonic()
            try:
                worker = self._take()
            except OSError:
                return _UNDECIDED
            budget.seconds -= min(time.monotonic() - started, budget.seconds / 2)  # the first verdict starts the engine
            request: dict[str, object] = {"reference": reference, "answer": answer, "is_exact": is_exact}
            try:
                reply = worker.ask(request, seconds=budget.seconds, wall_factor=self._wall_factor)
            except BaseException:
                worker.kill()
                raise
            budget.seconds -= reply["seconds"]
            if reply.get("is_spent") or worker.uses >= MAX_USES:
                worker.kill()
            else:
                with self._lock:
                    self._idle.append(worker)
        if "is_equal" not in reply:
            hung = reply["hung"]
            return SymbolicResult(is_equal=None, reason=Reason.TIMEOUT, hung=None if hung is None else str(hung))
        is_equal = reply["is_equal"]
        assert is_equal is None or isinstance(is_equal, bool)
        return SymbolicResult(is_equal=is_equal, reason=Reason(str(reply["reason"])))

    def _take(self) -> Worker:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            if self._template is None or not self._template.is_alive():
                self._template = Template()
            return self._template.fork()

    def close(self) -> None:
        """Kill the template and the idle workers; a later `compare` starts new ones."""
        with self._lock:
            idle, self._idle = self._idle, []
            template, self._template = self._template, None
        for worker in idle:
            worker.kill()
        if template is not None:
            template.kill()


_wall_factor = 1.0
_POOLS = PerProcess(lambda: SymbolicPool(wall_factor=_wall_factor))


def judge_by_cpu_time() -> None:
    """From here on a busy machine makes the verdicts of this process late, not undecided. Before the first one."""
    global _wall_factor
    _wall_factor = PATIENCE


def compare(reference: str, answer: str, *, is_exact: bool = False, budget: EngineTime | None = None) -> SymbolicResult:
    """`SymbolicPool.compare` on the pool of this process, which is created here on first use."""
    return _POOLS.get().compare(reference, answer, is_exact=is_exact, budget=budget)
