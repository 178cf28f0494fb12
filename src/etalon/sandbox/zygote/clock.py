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
    from etalon.sandbox.zygote.folder import FOLDER_BYTES, FOLDER_SECONDS, used_bytes
    from etalon.sandbox.zygote.order import CONTROL_BYTES, Order
else:  # sibling files of the zygote, see forkserver
    from folder import FOLDER_BYTES, FOLDER_SECONDS, used_bytes
    from order import CONTROL_BYTES

BYTES_PER_SECOND = 20e6  # (ours) a child that reads its order more slowly is late
POLL_SECONDS = 0.02  # (ours) how late a limit may be noticed
STRAY_SECONDS = 5.0  # (ours)
CHILD_ENDED = {signal.SIGCHLD}


class Watched(NamedTuple):
    """How a child ended. marks: now and then, how many control lines it had written (-1: all) and its CPU time."""

    killed_for: str
    exit_status: int
    max_rss_bytes: int
    marks: str


class Watch(NamedTuple):
    """What the clock needs to know of its zygote.

    proc: descriptor of /proc. parent: of the zygote. heir: the process that orphans go to, 0 for the zygote itself.
    can_fork: whether programs can leave orphans. is_bounded: whether the file system limits what they write.
    """

    proc: int
    parent: int
    heir: int
    can_fork: bool
    is_bounded: bool


_libc = ctypes.PyDLL(None)
_wait4, _waitpid = _libc.wait4, _libc.waitpid  # those of `os` import a module and raise, at 20 pages each
_sigtimedwait = signal.sigtimedwait
_STATUS, _USAGE = (ctypes.c_int * 1)(), (ctypes.c_long * 18)()  # int and struct rusage


def watch(child: int, control: int, order: Order, zygote: Watch) -> Watched:
    """Wait until the child ends, has written its last control line or oversteps its time; then all of it is dead.

    SIGCHLD is blocked, so that it can be waited for.
    """
    killed_for, marks, seen = "-", "", 0.0
    if _sigtimedwait(CHILD_ENDED, POLL_SECONDS) is None or _wait4(child, _STATUS, os.WNOHANG, _USAGE) == 0:
        killed_for, marks, seen = _watch_long(child, control, order, zygote)
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError):
                kill(child, signal.SIGKILL)
        _wait4(child, _STATUS, 0, _USAGE)
    if zygote.can_fork or _STATUS[0] != 0:
        _end_orphans(zygote)
    cpu = max(seen, _USAGE[0] + _USAGE[2] + (_USAGE[1] + _USAGE[3]) / 1e6)
    return Watched(killed_for, _STATUS[0], _USAGE[4] << 10, f"{marks}-1 {cpu}")


def _watch_long(child: int, control: int, order: Order, zygote: Watch) -> tuple[str, str, float]:
    """Look at the child now and then, until it is a zombie or must be killed; why, the marks, and its CPU time."""
    marks, size, num_lines, folder_at = "", 0, 0, 0.0
    reading = order.parts_bytes / BYTES_PER_SECOND  # comes before the first test
    cpu, cpu_before, idle = 0.0, reading, -reading
    last = time.monotonic()
    started = last + reading
    while True:
        is_dead = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        members = [child] if not zygote.can_fork else [child, *_children(zygote.proc, child)]
        cpu, now = max(cpu, sum(map(_cpu_seconds, members))), time.monotonic()
        if not any(_is_computing(zygote.proc, member) for member in members):
            idle += now - last
        last = now
        fresh, size = _count_lines(control, size, order.num_tests * CONTROL_BYTES)
        if fresh:
            num_lines += fresh
            started, idle, cpu_before = now, 0.0, cpu
            marks += f"{num_lines} {cpu} "
        if is_dead or num_lines >= order.num_tests:  # what the child would do from here on does not matter
            return "-", marks, cpu
        if size > order.num_tests * CONTROL_BYTES:
            return "nonsense", marks, cpu
        is_late = idle > order.idle_seconds or now - started > order.wall_seconds
        if cpu - cpu_before > order.cpu_seconds or is_late:
            return "timeout", marks, cpu
        if os.getppid() != zygote.parent:
            return "orphan", marks, cpu
        if not zygote.is_bounded and now > folder_at:
            folder_at = now + FOLDER_SECONDS
            if used_bytes() > FOLDER_BYTES:
                return "full", marks, cpu
        signal.sigtimedwait(CHILD_ENDED, POLL_SECONDS)


def _count_lines(control: int, size: int, limit: int) -> tuple[int, int]:
    """How many lines there are beyond `size`, and the size that has been seen now, little more than `limit`."""
    num_lines = 0
    while size <= limit and (chunk := os.pread(control, CONTROL_BYTES, size)):
        size, num_lines = size + len(chunk), num_lines + chunk.count(b"\n")
    return num_lines, size


def _cpu_seconds(process: int) -> float:
    clock = ((~process) << 3) | 2  # the CPU clock of another process, see clock_getcpuclockid(3)
    try:
        return time.clock_gettime(clock)
    except OSError:  # it is gone
        return 0.0


def _is_computing(proc: int, process: int) -> bool:
    """True when a thread of the process runs, could run, or waits for a disk: what a busy machine makes long."""
    return any(
        _read(proc, f"{process}/task/{thread}/stat").rpartition(b")")[2].split()[:1] in ([b"R"], [b"D"])
        for thread in _threads(proc, process)
    )


def _threads(proc: int, process: int) -> list[str]:
    try:
        folder = os.open(f"{process}/task", os.O_RDONLY | os.O_DIRECTORY, dir_fd=proc)
    except OSError:  # it is gone
        return []
    try:
        return os.listdir(folder)
    except OSError:
        return []
    finally:
        os.close(folder)


def _children(proc: int, process: int) -> list[int]:
    return [int(word) for word in _read(proc, f"{process}/task/{process}/children").split()]


def _read(proc: int, name: str) -> bytes:
    try:
        file = os.open(name, os.O_RDONLY, dir_fd=proc)
    except OSError:
        return b""
    try:
        return os.read(file, 1 << 16)
    except OSError:
        return b""
    finally:
        os.close(file)


def _end_orphans(zygote: Watch) -> None:
    """Kill what the child left: a process that loses its parent gets the heir for one."""
    deadline = time.monotonic() + STRAY_SECONDS
    while True:
        while not zygote.heir and _waitpid(-1, None, os.WNOHANG) > 0:
            pass
        orphans = _children(zygote.proc, zygote.heir or os.getpid())
        if not orphans:
            return
        for orphan in orphans:
            for kill in (os.killpg, os.kill):  # never our own group: the child left our session
                with contextlib.suppress(ProcessLookupError):
                    kill(orphan, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise RuntimeError("processes of a program outlive SIGKILL")  # this zygote ends, and the pool replaces it
        time.sleep(0.001)
