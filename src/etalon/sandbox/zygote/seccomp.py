"""Two seccomp filters: a long one that the zygote loads once, a short one that programs add. Standard library only.

    zygote   only the calls of `syscalls`; no sockets but pairs, no signals by file descriptor
    program  no new process, no exec, no signal and no limit for another process, no further walls, no memory files

What is refused fails with EPERM. Loading costs by the length of the filter, so the long one is not loaded per program.
The kernel caches what both allow whatever the arguments, so an allowed call costs nothing more.
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

SET_MODE_FILTER = 1
LOAD, EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06  # linux/bpf_common.h
NUMBER, ARCH = 0, 4  # offsets in struct seccomp_data
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000  # the lower half of REFUSE is the error
EPERM, ENOTTY, ENOSYS, EAFNOSUPPORT = 1, 25, 38, 97
AF_UNIX, CLONE_THREAD = 1, 0x00010000

TERMINAL_QUESTIONS = (
    0x5401,
    0x5413,
    0x541B,
    0x5421,
    0x5450,
    0x5451,
)  # TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIO(N)CLEX
SIGNALLING = (8, 10, 15, 1024, 1026, 1031)  # fcntl F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE, F_NOTIFY, F_SETPIPE_SZ
OWN_NAMES = (3, 15, 16, 21, 39, 0x53564D41)  # prctl: dumpable?, name, seccomp?, no new privileges?, PR_SET_VMA
ZYGOTE_ONLY = (
    "memfd_create", "execve", "execveat", "seccomp",
    "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self",
)  # fmt: skip
_getpid, _pack_into, _syscall = os.getpid, struct.pack_into, ctypes.PyDLL(None).syscall
_PID = 0xFFFFFFF0  # stands for the id of a program until the filter is loaded


def _argument(index: int) -> int:
    return 16 + 8 * index


def _is(value: int, then: int) -> list[tuple[int, int, int, int]]:
    return [(EQUAL, 0, 1, value), (RETURN, 0, 0, then)]


def _block(name: str, *body: tuple[int, int, int, int]) -> list[tuple[int, int, int, int]]:
    """Instructions for one call, which must end in a return; no instruction where the machine lacks the call."""
    if name not in syscalls.NUMBERS:
        return []
    return [(EQUAL, 0, len(body), syscalls.NUMBERS[name]), *body]


def _among(index: int, values: tuple[int, ...], then: int, otherwise: int) -> list[tuple[int, int, int, int]]:
    checks = [instruction for value in values for instruction in _is(value, then)]
    return [(LOAD, 0, 0, _argument(index)), *checks, (RETURN, 0, 0, otherwise)]


def _zygote_filter() -> list[tuple[int, int, int, int]]:
    checked = ("ioctl", "fcntl", "socketpair", "sendto")
    allowed = [number for name, number in syscalls.ALLOWED.items() if name not in checked]
    allowed += [syscalls.NUMBERS[name] for name in (*ZYGOTE_ONLY, "kill", "tgkill", "clone", "prctl")]
    no_address = ((LOAD, 0, 0, _argument(4)), (EQUAL, 0, 3, 0), (LOAD, 0, 0, _argument(4) + 4), *_is(0, ALLOW))
    return [
        (LOAD, 0, 0, ARCH),
        (EQUAL, 1, 0, syscalls.AUDIT_ARCH[os.uname().machine]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        *(instruction for number in allowed for instruction in _is(number, ALLOW)),
        *_block("ioctl", *_among(1, TERMINAL_QUESTIONS, ALLOW, REFUSE | ENOTTY)),
        *_block("fcntl", *_among(1, SIGNALLING, REFUSE | EPERM, ALLOW)),
        *_block("socketpair", *_among(0, (AF_UNIX,), ALLOW, REFUSE | EAFNOSUPPORT)),
        *_block("sendto", *no_address, (RETURN, 0, 0, REFUSE | EPERM)),
        *_block(
            "clone3", (RETURN, 0, 0, REFUSE | ENOSYS)
        ),  # its flags are in memory, out of reach; clone is tried next
        (RETURN, 0, 0, REFUSE | EPERM),
    ]


def _program_filter() -> list[tuple[int, int, int, int]]:
    is_thread = ((LOAD, 0, 0, _argument(0)), (ANY_BIT, 0, 1, CLONE_THREAD), (RETURN, 0, 0, ALLOW))
    return [
        (LOAD, 0, 0, NUMBER),
        *_block("clone", *is_thread, (RETURN, 0, 0, REFUSE | EPERM)),
        *_block("kill", *_among(0, (_PID,), ALLOW, REFUSE | EPERM)),
        *_block("tgkill", *_among(0, (_PID,), ALLOW, REFUSE | EPERM)),
        *_block("prlimit64", *_among(0, (0, _PID), ALLOW, REFUSE | EPERM)),
        *_block("prctl", *_among(0, OWN_NAMES, ALLOW, REFUSE | EPERM)),
        *(i for name in ZYGOTE_ONLY for i in _block(name, (RETURN, 0, 0, REFUSE | EPERM))),
        (RETURN, 0, 0, ALLOW),
    ]


class Filter:
    """A filter in the form that the kernel reads, assembled once."""

    def __init__(self, instructions: list[tuple[int, int, int, int]]) -> None:
        packed = b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
        self._holes = [8 * at + 4 for at, code in enumerate(instructions) if code[3] == _PID]
        self._code = ctypes.create_string_buffer(packed, len(packed))
        self._program = struct.pack("@HP", len(instructions), ctypes.addressof(self._code))
        number = ctypes.c_long(syscalls.NUMBERS["seccomp"])
        self._call = (number, ctypes.c_long(SET_MODE_FILTER), ctypes.c_long(0), self._program)

    def load(self) -> None:
        """Put this process behind the filter for ever; raises OSError."""
        own = _getpid()
        for at in self._holes:
            _pack_into("=I", self._code, at, own)
        if _syscall(*self._call) != 0:
            raise OSError("seccomp refuses")


def zygote_filter() -> Filter:
    """Raises OSError on a machine whose calls are not known."""
    if not syscalls.NUMBERS:
        raise OSError(ENOSYS, f"no system call table for {os.uname().machine}")
    return Filter(_zygote_filter())


def program_filter() -> Filter:
    return Filter(_program_filter())
