"""Compiles one C++ program, or runs a compiled one on its tests, without privileges. Standard library only.

    orders -> this process: a line of JSON {mode, limits...}, then the sizes and bytes of the parts
    compile: source -> reply: exit status, messages or binary
    run:     binary, inputs -> one reply per test in the form of a zygote's, see order.py; the first failure is the last

Run as `python -I -S runner.py FOLDER`. The binary is run from a memory file: no path leads to it.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from etalon.sandbox.zygote import landlock, privileges, seccomp, syscalls
    from etalon.sandbox.zygote.clock import CHILD_ENDED, Watch, watch
    from etalon.sandbox.zygote.order import OUR_CRASH, Order, unpack_parts
else:  # the files of the zygote, as modules of their own: -I keeps every folder of ours off the path
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "zygote"))
    import landlock
    import privileges
    import seccomp
    import syscalls
    from clock import CHILD_ENDED, Watch, watch
    from order import OUR_CRASH, Order, unpack_parts

COMPILE_CPU_SECONDS, COMPILE_WALL_SECONDS = 30, 300  # (ours)
COMPILE_BYTES = 3 << 30  # (ours) address space of the compiler
BINARY_BYTES = 1 << 27  # (ours)
STACK_BYTES = 1 << 28  # (ours) contest programs recurse deeply
FLAGS = ("-x", "c++", "-", "-o", "program", "-O2", "-std=c++17", "-w", "-pipe", "-fmax-errors=3")
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}

# besides those of its own prefix, what a compiler and its assembler and linker are made of
LIBRARIES = ("/usr/bin", "/usr/lib", "/usr/lib64", "/usr/libexec", "/usr/include", "/bin", "/lib", "/lib64")

_libc = ctypes.CDLL(None)


def main() -> None:
    folder, parent = os.path.abspath(sys.argv[1]), os.getppid()
    _libc.prctl(syscalls.PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    os.chdir(folder)
    _drop(folder)
    _libc.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _libc.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    line, _, packed = sys.stdin.buffer.read().partition(b"\n")
    order, parts = json.loads(line), unpack_parts(packed)
    if order["mode"] == "compile":
        _compile(order["compiler"], parts[0])
    else:
        signal.pthread_sigmask(signal.SIG_BLOCK, CHILD_ENDED)
        _run(parts[0], parts[1:], Order(**order["limits"]), parent)


def _drop(folder: str) -> None:
    """Become another user, wholly: a compiler asks for the real one. Nothing of Python is read from here on."""
    if os.geteuid() != 0:
        return privileges.drop(folder, os.open("/proc", os.O_RDONLY | os.O_DIRECTORY))
    user = privileges.FIRST_USER + os.getpid()
    try:
        os.chown(folder, user, user)
    except OSError:  # the container maps no such user
        user = privileges.NOBODY
        os.chown(folder, user, user)
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    return _limit(resource.RLIMIT_NPROC, privileges.SLACK)


def _compile(compiler: str, source: bytes) -> None:
    status, messages = _compiler([compiler, *FLAGS, "-static"], source)
    if status and b"cannot find -l" in messages:  # a system without static libraries
        status, messages = _compiler([compiler, *FLAGS], source)
    content = messages[:2000]
    if status == 0:
        with open("program", "rb") as program:
            content = program.read()
    _send(f"{status}\n".encode() + content)


def _compiler(command: list[str], source: bytes) -> tuple[int, bytes]:
    close_walls = _compiler_walls(command[0])

    def prepare() -> None:
        _limit_compiler()
        close_walls()

    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT | {"TMPDIR": os.getcwd()},
        start_new_session=True,
        preexec_fn=prepare,
    ) as process:
        try:
            messages = process.communicate(source, timeout=COMPILE_WALL_SECONDS)[1]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return -int(signal.SIGXCPU), b""
    return process.returncode, messages


def _compiler_walls(compiler: str) -> Callable[[], object]:
    """Landlock, where the kernel has it: a source may name any file of the machine, to include it or to look for it."""
    prefix = os.path.dirname(os.path.dirname(os.path.realpath(compiler)))
    parts = [os.path.join(prefix, part) for part in ("bin", "lib", "lib64", "libexec", "include")]
    try:
        rules = landlock.create(["/etc/ld.so.cache"], os.getcwd(), executable=(*parts, *LIBRARIES))
    except OSError:
        return lambda: None
    return lambda: syscalls.call("landlock_restrict_self", rules, 0)


def _limit_compiler() -> None:
    _limit(resource.RLIMIT_CPU, COMPILE_CPU_SECONDS)
    _limit(resource.RLIMIT_AS, COMPILE_BYTES)
    _limit(resource.RLIMIT_FSIZE, BINARY_BYTES)
    _limit(resource.RLIMIT_CORE, 0)


def _run(binary: bytes, inputs: list[bytes], order: Order, parent: int) -> None:
    """One process per test; the reply to each goes out at once."""
    program = os.memfd_create("program")
    _fill(program, binary)
    executable = os.open(f"/proc/self/fd/{program}", os.O_RDONLY)
    os.close(program)  # a file that is open for writing cannot be executed
    control = os.memfd_create("control")
    zygote = Watch(os.open("/proc", os.O_RDONLY | os.O_DIRECTORY), parent, 0, can_fork=True, is_bounded=False)
    close_walls = _walls(is_static=b"/ld-" not in binary[:4096])
    for text in inputs:
        stdin, output = os.memfd_create("stdin"), os.memfd_create("output")
        _fill(stdin, text)
        child = os.fork()
        if child == 0:
            _run_child(executable, stdin, output, order, close_walls)
        ended = watch(child, control, order, zygote)
        size = os.lseek(output, 0, os.SEEK_END)
        line = f"{ended.killed_for} {ended.exit_status} {ended.max_rss_bytes} 0 {size} {ended.marks}\n"
        _send(line.encode() + os.pread(output, size, 0))
        os.close(stdin)
        os.close(output)
        if ended.killed_for != "-" or ended.exit_status != 0:
            return


def _walls(*, is_static: bool) -> Callable[[], None]:
    """What closes the walls that the kernel has: no file outside, no socket. The program may still fork.

    is_static: whether it runs without a loader, which Landlock would not let it execute.
    """
    closing: list[Callable[[], object]] = []
    with contextlib.suppress(OSError):
        if is_static:
            rules = landlock.create([], os.getcwd())
            closing.append(lambda: syscalls.call("landlock_restrict_self", rules, 0))
    with contextlib.suppress(OSError):
        closing.append(seccomp.zygote_filter().load)

    def close() -> None:
        for wall in closing:
            wall()

    return close


def _run_child(executable: int, stdin: int, output: int, order: Order, close_walls: Callable[[], None]) -> NoReturn:
    try:
        os.setsid()
        _libc.prctl(syscalls.PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        for number in (signal.SIGXFSZ, signal.SIGPIPE):  # Python ignores them, and a program would inherit that
            signal.signal(number, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor, file in enumerate((stdin, output, nothing)):
            os.dup2(file, descriptor)
        _limit(resource.RLIMIT_STACK, STACK_BYTES)
        _limit(resource.RLIMIT_CPU, int(order.cpu_seconds) + 2)
        _limit(resource.RLIMIT_AS, order.memory_bytes)
        _limit(resource.RLIMIT_FSIZE, order.file_bytes)
        _limit(resource.RLIMIT_NOFILE, 64)
        _limit(resource.RLIMIT_CORE, 0)
        close_walls()
        os.execve(executable, ["program"], {})  # noqa: S606
    finally:
        os._exit(OUR_CRASH)


def _limit(kind: int, limit: int) -> None:
    hard = resource.getrlimit(kind)[1]
    limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(kind, (limit, limit))


def _fill(file: int, content: bytes) -> None:
    view: Any = memoryview(content)
    while view:
        view = view[os.write(file, view) :]
    os.lseek(file, 0, os.SEEK_SET)


def _send(content: bytes) -> None:
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
