"""Programs without walls, where no zygote can run: a fresh interpreter for each, by what every Unix has.

    order -> interpreter (program.py) in a session and a folder of its own -> its output and control files -> reply

The same children's code as behind walls runs here, and so are the verdicts; but a program can read the files of this
user, reach the network and start processes. What it started in its process group dies with it. Never chosen by itself:
`isolation = "plain"` asks for it.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any, NamedTuple

from etalon.sandbox.isolation import PLAIN, Isolation, plan
from etalon.sandbox.outcome import LOOK_SECONDS, GiveUp
from etalon.sandbox.zygote.folder import FOLDER_BYTES, FOLDER_SECONDS, remove, used_bytes
from etalon.sandbox.zygote.order import CONTROL_BYTES, Ended, Order, unpack_order

START_SECONDS = 30.0  # (ours)
POLL_SECONDS = 0.02  # (ours) how late the end of a program may be noticed
STARTING_SHARE = 0.1  # (ours) of the time that a program has run: how long the next look may wait
ENVIRONMENT = {  # of the interpreter; it empties its own before a program runs
    "MALLOC_ARENA_MAX": "1",  # of glibc: further arenas reserve address space by the 64 MiB
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}

_PROGRAM = Path(__file__).with_name("program.py")


class _Death(NamedTuple):
    """How an interpreter ended."""

    killed_for: str
    exit_status: int
    cpu_seconds: float
    max_rss_bytes: int


class PlainInterpreters:
    """In place of a zygote: an interpreter per order, at most one at a time. libraries: loaded before the program."""

    isolation: Isolation = PLAIN

    def __init__(self, *, libraries: tuple[str, ...] = ()) -> None:
        self.served, self.libraries = 0, libraries
        self._plan = plan("", walls=(), libraries=libraries)

    def ask(
        self, head: bytes, parts: bytes, *, seconds: float, give_up: GiveUp | None = None
    ) -> tuple[Ended, bytes, bytes]:
        """Run one order; how the program ended, its control lines and its output.

        Raises OSError when the interpreter does not start, TimeoutError when `seconds` have passed, GivenUpError.
        """
        self.served += 1
        folder = tempfile.mkdtemp(prefix="etalon-plain-")
        try:
            os.mkdir(f"{folder}/work")
            with (
                tempfile.TemporaryFile(dir=folder) as orders,
                tempfile.TemporaryFile(dir=folder) as output,
                tempfile.TemporaryFile(dir=folder) as control,
            ):
                orders.write(head + parts)
                orders.seek(0)
                run = _Run(unpack_order(head), f"{folder}/work", self._plan, (orders, output, control))
                death = run.end(time.monotonic() + seconds, give_up)
                return _reply(run.order, death, output.fileno(), control.fileno())
        finally:
            remove(folder)

    def is_alive(self) -> bool:
        return True

    def kill(self) -> None:
        """Nothing of an order is left when `ask` returns."""


class _Run:
    """One interpreter, from its start to its end."""

    def __init__(self, order: Order, folder: str, plan: dict[str, object], files: tuple[IO[bytes], ...]) -> None:
        self.order, self._folder, self._control = order, folder, files[2].fileno()
        self._ended: tuple[int, Any] | None = None
        self._inherited = _peak_bytes(resource.getrusage(resource.RUSAGE_SELF))  # Linux counts it for the child, too
        self._ready, ready = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-X", "utf8", str(_PROGRAM), json.dumps(plan), str(ready)],
                stdin=files[0],
                stdout=files[1],
                stderr=files[2],
                env=ENVIRONMENT,
                cwd=folder,
                start_new_session=True,
                pass_fds=(ready,),
            )
        except BaseException:
            os.close(self._ready)
            raise
        finally:
            os.close(ready)

    def end(self, deadline: float, give_up: GiveUp | None) -> _Death:
        """Wait until the program ends or oversteps a limit; then all of its process group is dead."""
        killed_for = "-"
        try:
            self._wait_until_ready()
            killed_for = self._watch(deadline, give_up)
        finally:
            os.close(self._ready)
            if self._ended is None or not hasattr(os, "waitid"):
                self._kill_group()
            self._has_ended(0)
        assert self._ended is not None
        status, usage = self._ended
        peak = _peak_bytes(usage)
        rss = peak if peak > self._inherited else 0
        cpu = usage.ru_utime + usage.ru_stime
        return _Death(_reason(killed_for, status, cpu > self.order.cpu_seconds), status, cpu, rss)

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says the latter of zombies
            os.killpg(self._process.pid, signal.SIGKILL)

    def _wait_until_ready(self) -> None:
        """Our own part is over when a byte comes: what happens from then on is the program's doing."""
        replies = select.poll()
        replies.register(self._ready, select.POLLIN)
        if not replies.poll(1000 * START_SECONDS):
            raise TimeoutError("the interpreter of a program did not start")
        if not os.read(self._ready, 1):
            told = os.pread(self._control, CONTROL_BYTES, 0).decode("utf-8", "replace").strip()
            raise ConnectionError(f"the interpreter of a program did not start: {told[-200:] or 'it said nothing'}")

    def _watch(self, deadline: float, give_up: GiveUp | None) -> str:
        """Why the program must be killed; "-" when it has ended, or has written its last control line."""
        order, num_lines, size = self.order, 0, 0
        started = since = look_at = folder_at = time.monotonic()
        while not self._has_ended():
            now = time.monotonic()
            if now > deadline:
                raise TimeoutError("the sandbox did not answer")
            if give_up is not None and now > look_at:
                look_at = now + LOOK_SECONDS
                give_up.check()
            if os.fstat(self._control).st_size != size:
                size = os.fstat(self._control).st_size
                fresh = os.pread(self._control, order.num_tests * CONTROL_BYTES, 0).count(b"\n")
                num_lines, since = max(num_lines, fresh), now if fresh > num_lines else since
            if num_lines >= order.num_tests:
                return "-"
            if size > order.num_tests * CONTROL_BYTES:
                return "nonsense"
            if now - since > order.wall_seconds:
                return "timeout"
            if now > folder_at:
                folder_at = now + FOLDER_SECONDS
                if used_bytes(self._folder) > FOLDER_BYTES:
                    return "full"
            time.sleep(min(POLL_SECONDS, 0.001 + STARTING_SHARE * (now - started)))
        return "-"

    def _has_ended(self, options: int = os.WNOHANG) -> bool:
        if self._ended is None:
            if options and hasattr(os, "waitid"):  # its group is killed while its number is still its own
                if os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                    return False
                self._kill_group()
            process, status, usage = os.wait4(self._process.pid, options)
            if process:
                self._ended = status, usage
                self._process.returncode = status  # so that nobody waits for it again
        return self._ended is not None


def _peak_bytes(usage: Any) -> int:
    peak = int(usage.ru_maxrss)
    return peak if sys.platform == "darwin" else peak << 10


def _reason(killed_for: str, status: int, is_long: bool) -> str:
    """Its own clock ends a program by a signal, see program.py; the kernel ends one that is deaf to it."""
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    is_late = number == signal.SIGPROF or (number == signal.SIGKILL and is_long)
    return "timeout" if killed_for == "-" and is_late else killed_for


def _reply(order: Order, death: _Death, output: int, control: int) -> tuple[Ended, bytes, bytes]:
    claims = os.pread(control, order.num_tests * CONTROL_BYTES, 0)
    printed = os.pread(output, order.file_bytes, 0)
    ended = Ended(
        killed_for=death.killed_for,
        exit_status=death.exit_status,
        max_rss_bytes=death.max_rss_bytes,
        control_bytes=len(claims),
        output_bytes=len(printed),
        marks=((-1, death.cpu_seconds),),
    )
    return ended, claims, printed
