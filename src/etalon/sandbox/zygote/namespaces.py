"""Namespaces: a file system with nothing in it but what programs need, no network, no process but their own.

    unshare -> tmpfs with read-only binds -> first process of the process namespace (mounts its /proc) -> pivot_root

Done once by the zygote, which stays outside the process namespace: what it forks is inside. Standard library only.
Needs root, or a kernel that lets users make namespaces; the default profile of Docker allows neither.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from etalon.sandbox.zygote import syscalls
    from etalon.sandbox.zygote.privileges import FIRST_USER, NOBODY
else:  # sibling files of the zygote, see forkserver
    import syscalls
    from privileges import FIRST_USER, NOBODY

NEW_MOUNTS, NEW_HOST_NAME, NEW_IPC, NEW_USERS, NEW_PROCESSES, NEW_NETWORK = (
    0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
READ_ONLY, NO_SUID, NO_DEVICES, NO_EXEC, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
LOCKED = 0x2 | 0x4 | 0x8 | 0x400 | 0x800  # flags of a mount that a remount in a user namespace must repeat
DETACH = 2
ROOT = "/sys"  # where the new file system is mounted at first: any folder that exists and holds nothing a program needs
BOX = "/box"
BOX_OPTIONS = "size=64m,nr_inodes=8192,mode=755"  # (ours) what the files of one program may hold together
DEVICES = ("null", "zero", "full", "random", "urandom")
STREAMS = {"stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2", "fd": "/proc/self/fd"}
HOST_NAME = b"sandbox"

_libc = ctypes.PyDLL(None)


def unshare() -> None:
    """Leave the namespaces of the caller; children will have process ids of their own. Raises OSError."""
    kinds = NEW_MOUNTS | NEW_HOST_NAME | NEW_IPC | NEW_PROCESSES | NEW_NETWORK
    try:
        syscalls.call("unshare", kinds)
    except PermissionError:  # a user, or a root without rights, needs a user namespace around the others
        user, group = os.geteuid(), os.getegid()
        syscalls.call("unshare", NEW_USERS)
        for name, line in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(line)
        syscalls.call("unshare", kinds)  # only now: a process namespace without a first process could not fork
    with contextlib.suppress(OSError):
        syscalls.call("sethostname", HOST_NAME, len(HOST_NAME))


def build_root(readable: list[str], hidden: list[str]) -> None:
    """Mount a file system at ROOT: the readable paths, without the hidden folders, and an empty box. Raises OSError."""
    root = ROOT
    _mount("none", "/", None, RECURSIVE | PRIVATE)
    _mount("tmpfs", root, "tmpfs", NO_SUID | NO_DEVICES, "size=1m,mode=755")
    for folder in ("/proc", "/dev", BOX):
        os.mkdir(root + folder)
    covers = []
    for path in sorted({*readable, *hidden}):
        if not os.path.exists(path):
            continue
        if path in hidden:
            os.makedirs(root + path, exist_ok=True)
            _mount("tmpfs", root + path, "tmpfs", NO_SUID | NO_DEVICES, "size=1m,mode=755")
            covers.append(root + path)
        else:
            _bind(path, root + path)
    for name in DEVICES:
        _touch(f"{root}/dev/{name}")
        _mount(f"/dev/{name}", f"{root}/dev/{name}", None, BIND)
    for name, target in STREAMS.items():
        os.symlink(target, f"{root}/dev/{name}")
    _mount("tmpfs", root + BOX, "tmpfs", NO_SUID | NO_DEVICES | NO_EXEC, BOX_OPTIONS)
    for cover in (*covers, root):
        _mount("none", cover, None, REMOUNT | BIND | READ_ONLY | NO_SUID | NO_DEVICES)


def enter_root() -> None:
    """Make ROOT the file system of this process and its children; the old one is gone. Raises OSError."""
    os.chdir(ROOT)
    syscalls.call("pivot_root", b".", b".")
    syscalls.call("umount2", b".", DETACH)
    os.chdir("/")


def leave_root() -> None:
    """Undo `build_root`."""
    with contextlib.suppress(OSError):
        syscalls.call("umount2", ROOT.encode(), DETACH)


def start_first(*, has_root: bool) -> int:
    """Fork the first process of the process namespace, which reaps and does nothing else; its id.

    It mounts the /proc of the new file system. Raises OSError when that fails; the first process lives on even then.
    """
    done, report = os.pipe()
    zygote = os.getpid()
    pid = int(_libc.fork())
    if pid == 0:
        _first(has_root, report, zygote)
    os.close(report)
    with open(done, "rb") as lines:
        code = lines.read()
    if pid < 0 or code != b"0":
        raise FirstProcessError(int(code or 1), "the first process cannot mount /proc", pid)
    return pid


class FirstProcessError(OSError):
    """args[2]: the id of the first process, negative when there is none."""

    def __init__(self, code: int, message: str, pid: int) -> None:
        super().__init__(code, f"{message}: {os.strerror(code)}")
        self.pid = pid


def _first(has_root: bool, report: int, zygote: int) -> NoReturn:
    try:
        code = 0
        try:
            if has_root:
                flags = NO_SUID | NO_DEVICES | NO_EXEC
                _mount("proc", f"{ROOT}/proc", "proc", flags, "subset=pid,hidepid=2")
        except OSError as error:
            code = error.errno or 1
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps for us
        # The user that the zygote becomes: the kernel lets its death signal no other
        for user in (FIRST_USER + zygote, NOBODY):
            with contextlib.suppress(OSError):
                os.setresgid(user, user, user)
                os.setresuid(user, user, user)
                break
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, int(signal.SIGKILL))  # after the user: a change of user clears it
        os.write(report, b"%d" % code)
        os.closerange(0, 64)
        while True:
            _libc.pause()
    finally:
        os._exit(1)


def _bind(path: str, target: str) -> None:
    if os.path.isdir(path):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        _touch(target)
    _mount(path, target, None, BIND)
    flags = os.statvfs(target).f_flag & LOCKED
    _mount("none", target, None, REMOUNT | BIND | READ_ONLY | NO_SUID | NO_DEVICES | flags)


def _touch(path: str) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o644))


def _mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    kind_bytes = kind.encode() if kind else None
    syscalls.call("mount", source.encode(), os.fsencode(target), kind_bytes, flags, options.encode() or None)
