"""Landlock: the files that a program may open; no port, no process outside. Standard library only.

    readable   the standard library, the shared libraries, time zones      read
    writable   the working folder                                          all but exec, sockets and devices

Needs Linux 5.13; ports since 6.7, signals and abstract sockets since 6.12 (seccomp refuses those as well).
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etalon.sandbox.zygote import syscalls
else:  # a sibling file of the zygote, see forkserver
    import syscalls

GET_VERSION, PATH_BENEATH = 1, 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG, MAKE_SYM = (
    1 << bit for bit in (0, 1, 2, 3, 4, 5, 7, 8, 12)
)
REFER, TRUNCATE = 1 << 13, 1 << 14
RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}  # how many rights on files each version handles, see landlock(7)
PORTS_SINCE, SCOPES_SINCE = 4, 6
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


def version() -> int:
    """Of the kernel's Landlock; raises OSError where there is none."""
    return syscalls.call("landlock_create_ruleset", None, 0, GET_VERSION)


def create(readable: list[str], writable: str, *, executable: tuple[str, ...] = ()) -> int:
    """Descriptor of a rule set; paths that do not exist are left out. Raises OSError.

    executable: may be read, too.
    """
    number = version()
    handled = (1 << max(bits for since, bits in RIGHTS.items() if since <= number)) - 1
    head = struct.pack("=QQQ", handled, 3 if number >= PORTS_SINCE else 0, 3 if number >= SCOPES_SINCE else 0)
    rules = syscalls.call("landlock_create_ruleset", head, 8 if number < PORTS_SINCE else len(head), 0)
    for path in readable:
        _allow(rules, path, handled & (READ_FILE | READ_DIR))
    for path in executable:
        _allow(rules, path, handled & (EXECUTE | READ_FILE | READ_DIR))
    for path in DEVICES:
        _allow(rules, path, handled & (READ_FILE | WRITE_FILE))
    written = WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SYM | REFER | TRUNCATE
    _allow(rules, writable, handled & (READ_FILE | READ_DIR | written))
    return rules


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH)
    except OSError:
        return
    if not os.path.isdir(path):
        rights &= EXECUTE | READ_FILE | WRITE_FILE | TRUNCATE
    try:
        syscalls.call("landlock_add_rule", rules, PATH_BENEATH, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)


def restriction(rules: int) -> tuple[ctypes.c_long, ...]:
    """Arguments of the system call that puts a process behind the rules for ever."""
    return tuple(map(ctypes.c_long, (syscalls.NUMBERS["landlock_restrict_self"], rules, 0)))
