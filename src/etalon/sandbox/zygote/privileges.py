"""Who the zygote and its programs are, and how many processes they may have. Decided once, before the first fork.

    started by a user                        -> that user; the limit leaves room for what the user already runs
    started by root                          -> a user of their own
    ... and only root can read the library   -> root without any capability, counted as that other user
    ... and may not change users             -> root without any capability

The kernel does not hold root to RLIMIT_NPROC, so a fork bomb of root would only end at its time limit.
"""

from __future__ import annotations

import contextlib
import os
import resource
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etalon.sandbox.zygote import syscalls
else:  # a sibling file of the zygote, see forkserver
    import syscalls

FIRST_USER = 2_000_000  # (ours) beyond the users of ordinary systems; one per zygote, so that bombs do not add up
NOBODY = 65534  # where the container maps no such user
SLACK = 256  # (ours) processes and threads of one program
_HEADER, _NO_CAPABILITIES = struct.pack("=Ii", 0x20080522, 0), bytes(24)  # version 3, see capset(2)


def drop(folder: str, proc: int) -> None:
    """Give up what this process has no use for, keeping `folder` its own, and set the process limit.

    proc: descriptor of the /proc that shows the processes of all users.
    """
    limit = SLACK
    if os.geteuid() != 0:
        limit += _num_tasks(os.geteuid(), proc)
        _drop_capabilities()  # those in a user namespace of our own
    elif (user := _other_user()) is not None and _can_read(os.__file__, user) and _can_give(folder, user):
        _become(user)
    else:
        if user is not None:
            os.setresuid(user, 0, 0)
        _drop_capabilities()
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))


def _other_user() -> int | None:
    """A user that nobody else is; None where this root may not change users."""
    for user in (FIRST_USER + os.getpid(), NOBODY):
        with contextlib.suppress(OSError):
            os.setresuid(user, 0, 0)
            os.setresuid(0, 0, 0)
            return user
    return None


def _can_give(folder: str, user: int) -> bool:
    try:
        os.chown(folder, user, user)
    except OSError:
        return False
    return True


def _become(user: int) -> None:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def _drop_capabilities() -> None:
    if syscalls.NUMBERS:
        syscalls.call("capset", _HEADER, _NO_CAPABILITIES)


def _can_read(path: str, user: int) -> bool:
    """Tried in a child, because the kernel decides by the user of the process."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    try:
        _become(user)
        with open(path, "rb"):
            os._exit(0)
    finally:
        os._exit(1)


def _num_tasks(user: int, proc: int) -> int:
    """Processes and threads of a user, as far as /proc shows them."""
    count = 0
    for name in os.listdir(proc):
        try:
            if name.isdigit() and os.stat(name, dir_fd=proc).st_uid == user:
                count += os.stat(f"{name}/task", dir_fd=proc).st_nlink - 2
        except OSError:
            continue
    return count
