"""The fork server: a warmed, clean interpreter that forks one child per program. Standard library only.

    parent --(head of an order)--> zygote --fork--> child: reads the parts of the order, run_program
    parent <--(reply: how it ended, control lines, output)-- zygote <--memory files-- child

Run as `python -I -S -X utf8 forkserver.py PLAN`, a JSON object, see isolation. One program at a time. This process, the
zygote, builds the walls and holds the clock: it kills the child at its CPU, idle or wall limit, kills what the child
left behind (it is a subreaper), and clears the working folder.

A page that is written to after the fork is copied (2 microseconds), and a library that is loaded is mapped again by the
fork and unmapped at exit (6 microseconds): so the zygote does little, and leaves out modules that few programs import.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import resource
import select
import signal
import sys
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from etalon.sandbox.zygote import child, functions
    from etalon.sandbox.zygote.clock import CHILD_ENDED, Watch, Watched, watch
    from etalon.sandbox.zygote.folder import WorkFolder, remove
    from etalon.sandbox.zygote.order import CONTROL_BYTES, HEAD_BYTES, OUR_CRASH, Order, unpack_order, unpack_parts
    from etalon.sandbox.zygote.syscalls import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG
    from etalon.sandbox.zygote.walls import Walls
else:  # the sibling file, as a module of its own: -I keeps this folder off the path, and etalon must not be imported
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import warm  # noqa: F401  # isort: skip
    import child  # isort: skip
    import functions  # isort: skip
    from order import CONTROL_BYTES, HEAD_BYTES, OUR_CRASH, unpack_order, unpack_parts  # isort: skip
    from clock import CHILD_ENDED, Watch, watch  # isort: skip
    from folder import WorkFolder, remove  # isort: skip
    from syscalls import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG
    from walls import Walls

PARENT_CHECK_SECONDS = 1.0  # (ours)
CHUNK_BYTES = 1 << 16
STACK_BYTES = 128 << 20  # (ours) deep recursion through C functions needs it
M_ARENA_MAX = -8
OURS = (
    "child", "clock", "folder", "functions", "landlock", "namespaces", "notes", "order", "privileges", "seccomp",
    "syscalls", "walls", "warm",
)  # fmt: skip
ORDERS, REPLIES, NOTHING = 0, 3, 4  # descriptors of the zygote, below those of a program

_keep: list[object] = []
_libc = ctypes.PyDLL(None)
_close, _setsid, _prctl, _sigprocmask, _setrlimit = (  # bound here, because the first use of a name looks it up
    _libc.close, _libc.setsid, _libc.prctl, _libc.sigprocmask, _libc.setrlimit
)  # fmt: skip
_fork = _libc.fork  # os.fork runs hooks that touch 180 pages; one thread, so none is needed
_KILL, _SET_MASK, _NO_SIGNALS = int(signal.SIGKILL), int(signal.SIG_SETMASK), (ctypes.c_ulong * 16)()
_CPU, _AS, _FSIZE = resource.RLIMIT_CPU, resource.RLIMIT_AS, resource.RLIMIT_FSIZE
_LIMITS = ctypes.c_ulong * 2
_HARD = {kind: resource.getrlimit(kind)[1] % 2**64 for kind in range(16)}  # RLIM_INFINITY is -1


def main() -> None:
    """Serve programs until the parent closes its end or dies."""
    plan, parent = json.loads(sys.argv[1]), os.getppid()
    os.dup2(1, REPLIES)
    os.dup2(2, NOTHING)  # the pool opens /dev/null there
    os.closerange(NOTHING + 1, 64)
    _warm_up(plan)
    walls = Walls(plan)
    try:
        work = WorkFolder(walls.folder, walls.set_folder)
        zygote = Watch(walls.proc, parent, walls.first, walls.can_fork, "files" not in walls.missing)
        child.write_all(REPLIES, json.dumps(walls.missing).encode() + b"\n")
        orders = select.poll()
        orders.register(ORDERS, select.POLLIN)
        gc.collect()
        gc.freeze()
        while _serve(orders, walls, zygote):
            work.clear()
    finally:  # the parent removes the folder, unless it died
        os.chdir("/")
        remove(walls.folder)


def _warm_up(plan: dict[str, Any]) -> None:
    sys.path[1:1] = plan["import_from"]
    _libc.mallopt(M_ARENA_MAX, 1)  # further arenas reserve address space by the 64 MiB
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
    for name in plan["libraries"]:
        with contextlib.suppress(ImportError):
            __import__(name)
    os.environ.clear()
    child.warm_up(NOTHING)
    functions.warm_up()
    sys.path[:] = sys.path[1 + len(plan["import_from"]) :]  # a program must not import these files
    for name in OURS:
        _keep.append(sys.modules.pop(name))
    child.settle()
    _limit(resource.RLIMIT_NOFILE, 64)
    _limit(resource.RLIMIT_CORE, 0)
    stack = resource.getrlimit(resource.RLIMIT_STACK)[1]
    resource.setrlimit(resource.RLIMIT_STACK, (STACK_BYTES if stack < 0 else min(stack, STACK_BYTES), stack))
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, CHILD_ENDED)


def _serve(orders: select.poll, walls: Walls, zygote: Watch) -> bool:
    """Run one program in a fresh child and send what it claims; False when there will be no more.

    PDEATHSIG would fire when the thread that started us ends, so the parent is asked for by its id instead.
    """
    while not orders.poll(PARENT_CHECK_SECONDS * 1000):
        if os.getppid() != zygote.parent:
            return False
    head = os.read(ORDERS, HEAD_BYTES)
    if len(head) != HEAD_BYTES:
        return False
    order = unpack_order(head)
    output, control = os.memfd_create("output"), os.memfd_create("control")
    pid = int(_fork())
    if pid == 0:
        _run_child(order, output, control, walls)
    if pid < 0:
        raise OSError("fork failed")
    watched = watch(pid, control, order, zygote)
    _reply(order, watched, output, control)
    os.close(output)
    os.close(control)
    return True


def _run_child(order: Order, output: int, control: int, walls: Walls) -> NoReturn:
    """All that happens in the child; the walls close before it runs anything of the order."""
    try:
        _close(REPLIES)
        _close(walls.proc)
        _setsid()
        _prctl(PR_SET_PDEATHSIG, _KILL, 0, 0, 0)
        _sigprocmask(_SET_MASK, _NO_SIGNALS, None)
        parts = unpack_parts(_read_parts(order.parts_bytes))
        _limit(_CPU, int(order.cpu_seconds * order.num_tests) + 2)
        _limit(_AS, order.memory_bytes)
        _limit(_FSIZE, order.file_bytes)
        walls.close_files()
        stdin = os.memfd_create("stdin") if order.mode == "stdin" else -1
        walls.close_calls()
        child.own(NOTHING)
        functions.run_program(order, parts, child.Descriptors(NOTHING, stdin, output, control))
        os._exit(0)
    finally:
        os._exit(OUR_CRASH)


def _limit(kind: int, limit: int) -> None:
    limit = min(limit, _HARD[kind])
    if _setrlimit(kind, _LIMITS(limit, limit)) != 0:
        raise OSError("setrlimit failed")


def _read_parts(size: int) -> bytes:
    content = os.read(ORDERS, size)
    if len(content) == size:  # the usual order
        return content
    whole, end = bytearray(size), len(content)
    whole[:end] = content
    rest = memoryview(whole)
    while end < size:
        num_read = os.readv(ORDERS, [rest[end:]])
        if not num_read:
            raise EOFError
        end += num_read
    return bytes(whole)


def _reply(order: Order, watched: Watched, output: int, control: int) -> None:
    num_output = os.lseek(output, 0, os.SEEK_END)
    claims = os.pread(control, order.num_tests * CONTROL_BYTES, 0)
    killed_for, exit_status, max_rss_bytes, marks = watched
    line = f"{killed_for} {exit_status} {max_rss_bytes} {len(claims)} {num_output} {marks}\n"
    child.write_all(REPLIES, line.encode() + claims + os.pread(output, CHUNK_BYTES, 0))
    for start in range(CHUNK_BYTES, num_output, CHUNK_BYTES):
        child.write_all(REPLIES, os.pread(output, CHUNK_BYTES, start))


if __name__ == "__main__":
    main()
