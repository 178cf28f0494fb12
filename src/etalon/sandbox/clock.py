"""The clock of one program: wakes when its child ends, kills it at its limits, and leaves nothing of it alive.

Runs in the zygote. Standard library only. A zygote that has forked shares its memory with the child, and each page that
either of them writes to is copied first: so a program that ends soon is not looked at before it has ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from etalon.sandbox.order import Order

POLL_SECONDS = 0.02  # (ours) how late a limit may be noticed
STRAY_SECONDS = 5.0  # (ours)
CONTROL_BYTES = 4096  # (ours) longest control line
CHILD_ENDED = {signal.SIGCHLD}


class Watched(NamedTuple):
    """How a child ended. marks: now and then, how many control lines it had written (-1: all) and its CPU time."""

    killed_for: str
    exit_status: int
    max_rss_bytes: int
    marks: str


_libc = ctypes.PyDLL(None)
_wait4, _waitpid = _libc.wait4, _libc.waitpid  # those of `os` import a module and raise, at 20 pages each
_sigtimedwait = signal.sigtimedwait
_STATUS, _USAGE = (ctypes.c_int * 1)(), (ctypes.c_long * 18)()  # int and struct rusage


def watch(child: int, control: int, order: Order, parent: int) -> Watched:
    """Wait until the child ends, has written its last control line or oversteps its time; then all of it is dead.

    SIGCHLD is blocked, so that it can be waited for.
    """
    killed_for, marks = "-", ""
    if _sigtimedwait(CHILD_ENDED, POLL_SECONDS) is None or _wait4(child, _STATUS, os.WNOHANG, _USAGE) == 0:
        killed_for, marks = _watch_long(child, control, order, parent)
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError):
                kill(child, signal.SIGKILL)
        _wait4(child, _STATUS, 0, _USAGE)
    if _waitpid(-1, None, os.WNOHANG) == 0:
        _end_strays()
    seconds, microseconds = _USAGE[0] + _USAGE[2], _USAGE[1] + _USAGE[3]
    return Watched(killed_for, _STATUS[0], _USAGE[4] << 10, f"{marks}-1 {seconds + microseconds / 1e6}")


def _watch_long(child: int, control: int, order: Order, parent: int) -> tuple[str, str]:
    """Look at the child now and then, until it is a zombie or must be killed; why, and the marks."""
    clock = ((~child) << 3) | 2  # the CPU clock of another process, see clock_getcpuclockid(3)
    marks, size, num_lines = "", 0, 0
    cpu, cpu_before, idle = 0.0, 0.0, 0.0
    started = last = time.monotonic()
    while True:
        is_dead = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        cpu, now = _cpu_seconds(clock, cpu), time.monotonic()
        if not _is_computing(child):
            idle += now - last
        last = now
        fresh, size = _count_lines(control, size, order.num_tests * CONTROL_BYTES)
        if fresh:
            num_lines += fresh
            started, idle, cpu_before = now, 0.0, cpu
            marks += f"{num_lines} {cpu} "
        if is_dead or num_lines >= order.num_tests:  # what the child would do from here on does not matter
            return "-", marks
        if size > order.num_tests * CONTROL_BYTES:
            return "nonsense", marks
        is_late = idle > order.idle_seconds or now - started > order.wall_seconds
        if cpu - cpu_before > order.cpu_seconds or is_late:
            return "timeout", marks
        if os.getppid() != parent:
            return "orphan", marks
        signal.sigtimedwait(CHILD_ENDED, POLL_SECONDS)


def _count_lines(control: int, size: int, limit: int) -> tuple[int, int]:
    """How many lines there are beyond `size`, and the size that has been seen now, little more than `limit`."""
    num_lines = 0
    while size <= limit and (chunk := os.pread(control, CONTROL_BYTES, size)):
        size, num_lines = size + len(chunk), num_lines + chunk.count(b"\n")
    return num_lines, size


def _cpu_seconds(clock: int, last: float) -> float:
    try:
        return time.clock_gettime(clock)
    except OSError:  # the child is gone
        return last


def _is_computing(child: int) -> bool:
    """True when the child runs, could run, or waits for a disk: what a busy machine makes long."""
    try:
        with open(f"/proc/{child}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[0] in (b"R", b"D")
    except (OSError, IndexError):
        return False


def _end_strays() -> None:
    """Kill what the child left: a process that loses its parent becomes our child, because we are a subreaper."""
    deadline = time.monotonic() + STRAY_SECONDS
    while (stray := _waitpid(-1, None, os.WNOHANG)) >= 0:
        if stray == 0:
            _kill_strays()
        if time.monotonic() > deadline:
            raise RuntimeError("processes of a program outlive SIGKILL")  # this zygote ends, and the pool replaces it


def _kill_strays() -> None:
    with open(f"/proc/self/task/{os.getpid()}/children") as children:
        for stray in children.read().split():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(os.getpgid(int(stray)), signal.SIGKILL)  # never our own group: the child left our session
    time.sleep(0.001)
