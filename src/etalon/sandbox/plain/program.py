"""One program in an interpreter of its own, by what every Unix has. Standard library only.

    standard input: the order and its parts -> limits, clock -> a byte on READY: our part is done -> the program
    standard output, standard error: files, for its output and its control lines

Run as `python -I -S -X utf8 program.py PLAN READY` in an empty folder; PLAN as for a zygote, see isolation. CPU time is
the kernel's to judge: SIGPROF at the limit of a test, RLIMIT_CPU behind it. A thread of ours ends a program that only
waits, or that grows where no address space is limited; the wall clock is with whoever started this.
"""

from __future__ import annotations

import _thread
import contextlib
import json
import os
import resource
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from etalon.sandbox.zygote import child, functions
    from etalon.sandbox.zygote.order import HEAD_BYTES, OUR_CRASH, Order, unpack_order, unpack_parts
else:  # the files of the zygote, as modules of their own: -I keeps every folder of ours off the path
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "zygote"))
    import child
    import functions
    from order import HEAD_BYTES, OUR_CRASH, unpack_order, unpack_parts

OURS = ("child", "functions", "notes", "order")
NUM_FILES = 64  # (ours)
STACK_BYTES = 128 << 20  # (ours) deep recursion through C functions needs it
LOOK_SECONDS = 0.25  # (ours) between two looks of the thread
IDLE_SHARE = 0.01  # (ours) of a processor: a program that takes less is waiting; a busy machine leaves it more
WATCH_STACK_BYTES = 1 << 18


class Clock:
    """The time of one test: begun anew behind each control line."""

    def __init__(self, order: Order) -> None:
        self._order, self._parent, self._idle = order, os.getppid(), 0.0
        self._inherited = peak_bytes()  # Linux keeps that of the process which started this one

    def begin(self) -> None:
        """The next test has all of its time."""
        self._idle = 0.0
        with contextlib.suppress(OSError, ValueError):  # a limit that a program has lowered
            signal.setitimer(signal.ITIMER_PROF, self._order.cpu_seconds)

    def watch(self) -> None:
        """In a thread: end the program when it waits for too long, takes too much memory, or nobody waits for it."""
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # those of the program are for its threads
        wall, cpu = time.monotonic(), time.process_time()
        while True:
            time.sleep(LOOK_SECONDS)
            now, used = time.monotonic(), time.process_time()
            if used - cpu < IDLE_SHARE * (now - wall):
                self._idle += now - wall
            wall, cpu = now, used
            if self._idle > self._order.idle_seconds:
                os.kill(os.getpid(), signal.SIGPROF)
            peak = peak_bytes()
            is_large = peak > max(self._order.memory_bytes, self._inherited)
            if is_large or os.getppid() != self._parent:
                os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    try:
        plan, ready = json.loads(sys.argv[1]), int(sys.argv[2])
        with open(0, "rb", closefd=False) as orders:
            order, parts = unpack_order(orders.read(HEAD_BYTES)), unpack_parts(orders.read())
        files = _files(order)
        _load(plan, order, parts)
        clock = Clock(order)
        stack = _thread.stack_size(WATCH_STACK_BYTES)
        _thread.start_new_thread(clock.watch, ())
        _thread.stack_size(stack)
        _set_limits(order)
        child.between_tests, child.cpu_before = clock.begin, time.process_time()
        clock.begin()
        for descriptor in range(3):  # what the compiler warns of is no control line
            os.dup2(files.nothing, descriptor)
        os.write(ready, b"1")
        os.close(ready)
    except BaseException as error:
        os.write(2, child.describe(error).encode("utf-8", "replace"))
        os._exit(OUR_CRASH)
    try:
        functions.run_program(order, parts, files)
        os._exit(0)
    finally:
        os._exit(OUR_CRASH)


def _files(order: Order) -> child.Descriptors:
    """The files of the program, on other descriptors than those that are its own streams."""
    nothing = os.open(os.devnull, os.O_RDWR)
    output, control, stdin = os.dup(1), os.dup(2), -1
    if order.mode == "stdin":
        stdin = os.open("../stdin", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.unlink("../stdin")
    return child.Descriptors(nothing, stdin, output, control)


def _load(plan: dict[str, Any], order: Order, parts: list[bytes]) -> None:
    """Libraries that programs and tests name, and what else they find; nothing of ours can be imported behind it."""
    num_ours = 1 + len(plan["import_from"])
    sys.path[1:1] = plan["import_from"]
    for name in plan["libraries"]:
        with contextlib.suppress(ImportError):
            __import__(name)
    if any(b"tempfile" in part or b"tmp_path" in part for part in parts):
        import tempfile

        tempfile.tempdir = os.getcwd()
    if order.mode != "stdin":
        functions.warm_up()
    os.environ.clear()
    sys.path[:] = sys.path[num_ours:]
    for name in OURS:
        sys.modules.pop(name)
    child.settle()


def _set_limits(order: Order) -> None:
    """As much of them as the system knows; macOS refuses some."""
    cpu_seconds = int(time.process_time() + order.cpu_seconds * order.num_tests) + 2
    _limit(resource.RLIMIT_CPU, cpu_seconds, cpu_seconds + 1)  # the softer one tells by its signal
    _limit(resource.RLIMIT_STACK, STACK_BYTES, resource.getrlimit(resource.RLIMIT_STACK)[1])
    for kind, size in (
        (resource.RLIMIT_AS, order.memory_bytes),
        (resource.RLIMIT_FSIZE, order.file_bytes),
        (resource.RLIMIT_NOFILE, NUM_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        _limit(kind, size, size)


def _limit(kind: int, soft: int, hard: int) -> None:
    most = resource.getrlimit(kind)[1]
    if most != resource.RLIM_INFINITY:
        soft = min(soft, most)
        hard = most if hard == resource.RLIM_INFINITY else min(hard, most)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (soft, hard))


def peak_bytes() -> int:
    """The most memory that this process has held, or one before it whose place it took."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size << 10


if __name__ == "__main__":
    main()
