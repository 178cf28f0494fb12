"""Rows over processes of this machine: the same function, the same output, in the same order.

parts of a file -> a thread for each worker -> worker: part.rows() -> work.start()'s function -> lines -> in file order

A worker is a fresh interpreter (no fork: this process may have threads) that reads parts from its standard input and
ends when that closes, so none outlives this process, however it ends. Ctrl-C reaches this process alone. Frames both
ways are a length of eight bytes and a pickle: both ends are ours, and what travels is never read from a file.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import traceback
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

from etalon.errors import RunError
from etalon.rows.parts import Part
from etalon.rows.work import RowFunction, RowWork, in_order

AHEAD = 4  # (ours) parts read ahead per worker
PATIENCE_SECONDS = 10.0  # (ours) for a worker to end after its standard input has closed
LENGTH_BYTES = 8
_WORKER = "import sys; sys.path[:] = {path!r}; from etalon.rows.pool import serve; serve()"


def map_over(
    parts: Iterable[tuple[str, Part]], work: RowWork, *, processes: int
) -> Iterator[tuple[str, Part, list[bytes]]]:
    """(file, part, output) for parts and the names of their files, in order: a line of output for each row.

    RunError when a worker dies; an error of the work is raised here as it was there. No worker is left in either case.
    """
    crew = _Crew(work)
    waiting: deque[tuple[str, Part, Future[list[bytes]]]] = deque()
    pool = ThreadPoolExecutor(processes, thread_name_prefix="parts")
    try:
        for name, part in parts:
            waiting.append((name, part, pool.submit(crew.lines, name, part)))
            if len(waiting) >= AHEAD * processes:
                yield _done(*waiting.popleft())
        while waiting:
            yield _done(*waiting.popleft())
    except BaseException:
        crew.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        crew.close()


def _done(name: str, part: Part, result: Future[list[bytes]]) -> tuple[str, Part, list[bytes]]:
    return name, part, result.result()


class _Crew:
    """The workers: each thread that asks has one of its own, started when it first asks."""

    def __init__(self, work: RowWork) -> None:
        self._work = pickle.dumps(work)
        self._own = threading.local()
        self._workers: list[_Worker] = []
        self._is_over = False

    def lines(self, name: str, part: Part) -> list[bytes]:
        """The output for a part's rows."""
        if not hasattr(self._own, "worker"):
            self._own.worker = _Worker(self._work)
            self._workers.append(self._own.worker)
            if self._is_over:
                self._own.worker.kill()
        worker: _Worker = self._own.worker
        try:
            return worker.ask(part)
        except (EOFError, OSError):
            places = part.places()
            held = places[0] if len(places) == 1 else f"{places[0]} to {places[-1]}"
            raise RunError(
                f"{name}: the process that worked on {held} died ({worker.how()}), perhaps for want of "
                "memory; look at these rows with one process; nothing was written"
            ) from None

    def kill(self) -> None:
        self._is_over = True
        for worker in self._workers:
            worker.kill()

    def close(self) -> None:
        """Let the workers end; returns when none is left."""
        for worker in self._workers:
            worker.close()
        for worker in self._workers:
            worker.wait()


class _Worker:
    """One process."""

    def __init__(self, work: bytes) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WORKER.format(path=sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._work = work

    def ask(self, part: Part) -> list[bytes]:
        """The lines that come back; EOFError or OSError when it died."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if self._work:
            _write(self._process.stdin, self._work)
            self._work = b""
        _write(self._process.stdin, pickle.dumps(part))
        answer = _read(self._process.stdout)
        if answer is None:
            raise EOFError
        told = pickle.loads(answer)  # noqa: S301
        if isinstance(told, _Failure):
            raise told.error from _TraceError(told.trace)
        lines: list[bytes] = told.split(b"\n")[:-1]
        return lines

    def how(self) -> str:
        """How it ended."""
        status = self._process.wait()
        return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):  # what it did not read before it died
            self._process.stdin.close()

    def wait(self) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(PATIENCE_SECONDS)
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def _write(stream: IO[bytes], content: bytes) -> None:
    stream.write(len(content).to_bytes(LENGTH_BYTES, "big") + content)
    stream.flush()


def _read(stream: IO[bytes]) -> bytes | None:
    """What `_write` wrote; None at the end, or where it is cut."""
    length = stream.read(LENGTH_BYTES)
    content = stream.read(int.from_bytes(length, "big")) if len(length) == LENGTH_BYTES else b""
    return content if len(length) == LENGTH_BYTES and len(content) == int.from_bytes(length, "big") else None


# ---- in the worker


@dataclass(frozen=True, kw_only=True)
class _Failure:
    error: BaseException
    trace: str


class _TraceError(Exception):
    """The traceback of an error that was raised in a worker, as its cause."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


def serve() -> None:
    """Answer parts until standard input closes. What the work prints goes to standard error."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    waiting: deque[bytes] = deque()
    arrived = threading.Semaphore(0)
    threading.Thread(target=_receive, args=(requests, waiting, arrived), daemon=True).start()
    function: RowFunction | None = None
    work: RowWork | None = None
    while True:
        arrived.acquire()
        if not waiting:
            return
        request = waiting.popleft()
        try:
            if function is None or work is None:
                work = pickle.loads(request)  # noqa: S301
                function = work.start()
                continue
            part: Part = pickle.loads(request)  # noqa: S301
            told: Any = b"".join(line + b"\n" for _, line in in_order(function, part.rows(), threads=work.threads))
        except Exception as error:
            told = _failure(error)
        try:
            _write(answers, pickle.dumps(told))
        except BrokenPipeError:  # nobody asks any more
            os._exit(1)


def _receive(requests: IO[bytes], waiting: deque[bytes], arrived: threading.Semaphore) -> None:
    """Take requests in while others are worked on: only so is the end of whoever asks seen at once."""
    while (request := _read(requests)) is not None:
        waiting.append(request)
        arrived.release()
    arrived.release()
    threading.Event().wait(PATIENCE_SECONDS)
    os._exit(1)  # in the middle of a part that takes for ever


def _failure(error: Exception) -> _Failure:
    trace = "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301
    except Exception:
        error = RuntimeError(f"{type(error).__name__}: {error}")
    return _Failure(error=error, trace=trace)
