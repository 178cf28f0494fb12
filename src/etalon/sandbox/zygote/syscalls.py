"""System calls by name, through ctypes: their numbers, and which of them programs need. Standard library only.

Numbers: asm/unistd_64.h and asm-generic/unistd.h of Linux 6.1, in this order; "-" where a machine has no such call.
"""

from __future__ import annotations

import ctypes
import os

MACHINES = ("x86_64", "aarch64")
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38  # linux/prctl.h
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # linux/audit.h

HARMLESS = """
read 0 63, write 1 64, pread64 17 67, pwrite64 18 68, readv 19 65, writev 20 66, lseek 8 62, open 2 -,
openat 257 56, close 3 57, close_range 436 436, fstat 5 80, stat 4 -, lstat 6 -, newfstatat 262 79,
statx 332 291, access 21 -, faccessat 269 48, faccessat2 439 439, readlink 89 -, readlinkat 267 78,
getdents64 217 61, getcwd 79 17, chdir 80 49, fchdir 81 50, mkdir 83 -, mkdirat 258 34, rmdir 84 -, unlink 87 -,
unlinkat 263 35, rename 82 -, renameat 264 38, renameat2 316 276, link 86 -, linkat 265 37, symlink 88 -,
symlinkat 266 36, chmod 90 -, fchmod 91 52, fchmodat 268 53, truncate 76 45, ftruncate 77 46, utimensat 280 88,
fsync 74 82, fdatasync 75 83, flock 73 32, fadvise64 221 223, sendfile 40 71, copy_file_range 326 285,
statfs 137 43, fstatfs 138 44, dup 32 23, dup2 33 -, dup3 292 24, pipe 22 -, pipe2 293 59, poll 7 -,
ppoll 271 73, select 23 -, pselect6 270 72, epoll_create 213 -, epoll_create1 291 20, epoll_ctl 233 21,
epoll_wait 232 -, epoll_pwait 281 22, eventfd2 290 19, fcntl 72 25, ioctl 16 29, mmap 9 222, mprotect 10 226,
munmap 11 215, mremap 25 216, madvise 28 233, msync 26 227, brk 12 214, futex 202 98, set_robust_list 273 99,
get_robust_list 274 100, rseq 334 293, set_tid_address 218 96, membarrier 324 283, rt_sigaction 13 134,
rt_sigprocmask 14 135, rt_sigreturn 15 139, rt_sigsuspend 130 133, rt_sigpending 127 136,
rt_sigtimedwait 128 137, sigaltstack 131 132, nanosleep 35 101, clock_nanosleep 230 115, clock_gettime 228 113,
clock_getres 229 114, gettimeofday 96 169, time 201 -, getitimer 36 102, setitimer 38 103, alarm 37 -,
pause 34 -, getpid 39 172, gettid 186 178, getppid 110 173, getuid 102 174, geteuid 107 175, getgid 104 176,
getegid 108 177, getgroups 115 158, getresuid 118 148, getresgid 120 150, getpgrp 111 -, getpgid 121 155,
getsid 124 156, setsid 112 157, getpriority 140 141, sched_yield 24 124, sched_getaffinity 204 123,
sched_getparam 143 121, sched_getscheduler 145 120, getcpu 309 168, getrlimit 97 163, setrlimit 160 164,
prlimit64 302 261, getrusage 98 165, times 100 153, uname 63 160, sysinfo 99 179, umask 95 166,
getrandom 318 278, exit 60 93, exit_group 231 94, restart_syscall 219 128, wait4 61 260, waitid 247 95,
socketpair 53 199, sendto 44 206, recvfrom 45 207, shutdown 48 210, getsockopt 55 209, setsockopt 54 208,
getsockname 51 204, getpeername 52 205, arch_prctl 158 -
"""  # what a Python program, the zygote and the C library do: nothing here reaches another process or the network

SPECIAL = """
kill 62 129, tgkill 234 131, clone 56 220, clone3 435 435, prctl 157 167, memfd_create 319 279, execve 59 221,
execveat 322 281, seccomp 317 277, landlock_create_ruleset 444 444, landlock_add_rule 445 445,
landlock_restrict_self 446 446, unshare 272 97, mount 165 40, umount2 166 39, pivot_root 155 41, capset 126 91,
sethostname 170 161
"""  # allowed to some, or with some arguments only, or to nobody


def _table(text: str) -> dict[str, int]:
    """Numbers of this machine; empty on a machine that is not in the table."""
    if os.uname().machine not in MACHINES:
        return {}
    column = 1 + MACHINES.index(os.uname().machine)
    rows = [row.split() for row in text.replace("\n", " ").split(",")]
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


ALLOWED = _table(HARMLESS)
NUMBERS = ALLOWED | _table(SPECIAL)
_libc = ctypes.PyDLL(None, use_errno=True)


def call(name: str, *arguments: object) -> int:
    """The result of a system call; raises OSError, ENOSYS included."""
    if name not in NUMBERS:
        raise OSError(38, f"{name}: no number known on {os.uname().machine}")
    words = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    result = int(_libc.syscall(ctypes.c_long(NUMBERS[name]), *words))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return result


def prctl(option: int, argument: int = 0) -> None:
    call("prctl", option, argument, 0, 0, 0)
