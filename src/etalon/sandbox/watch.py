"""The clock of one program: reads its control lines, kills it at its limits, and leaves nothing of it alive.

Runs in the zygote. Standard library only.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
from typing import Any, NamedTuple

POLL_SECONDS = 0.02  # (ours) how late a limit may be noticed
STRAY_SECONDS = 5.0  # (ours)
CONTROL_BYTES = 4096  # (ours) longest control line

_STATUSES = {"ok", "runtime_error", "memory", "syntax_error"}


class Claim(NamedTuple):
    """One control line, and the CPU seconds that the child had used when it arrived."""

    nonce: str | None
    status: str
    end: int
    detail: str
    cpu_seconds: float


class Ended(NamedTuple):
    """How a child ended. killed_for: "", "timeout" or "nonsense"."""

    claims: list[Claim]
    killed_for: str
    exit_status: int
    cpu_seconds: float
    max_rss_bytes: int


def watch(child: int, control: int, request: dict[str, Any], parent: int) -> Ended:
    """Read control lines until the child ends or oversteps its time; then nothing of it is left alive."""
    clock = ((~child) << 3) | 2  # the CPU clock of another process, see clock_getcpuclockid(3)
    death = os.pidfd_open(child)
    poller = select.poll()
    poller.register(death, select.POLLIN)
    poller.register(control, select.POLLIN)
    claims: list[Claim] = []
    pending, killed_for = b"", ""
    cpu, idle, is_dead = 0.0, 0.0, False
    started = last = time.monotonic()
    while not is_dead and not killed_for:
        ready = {descriptor for descriptor, _ in poller.poll(POLL_SECONDS * 1000)}
        is_dead = death in ready
        cpu, now = _cpu_seconds(clock, cpu), time.monotonic()
        if not ready and not _is_computing(child):
            idle += now - last
        last = now
        if control in ready:
            chunk = os.read(control, 1 << 16)
            if not chunk:
                poller.unregister(control)
            fresh, pending, is_sane = _parse_claims(pending + chunk, cpu)
            claims += fresh
            started, idle = (now, 0.0) if fresh else (started, idle)
            if not is_sane:
                killed_for = "nonsense"
            elif len(claims) >= request["count"]:  # what the child would do from here on does not matter
                break
        used_by_test = cpu - (claims[-1].cpu_seconds if claims else 0.0)
        is_late = idle > request["idle_seconds"] or now - started > request["wall_seconds"]
        if not is_dead and (used_by_test > request["cpu_seconds"] or is_late):
            killed_for = "timeout"
        if os.getppid() != parent:
            killed_for = "orphan"
    os.close(death)
    exit_status, used = _end(child)
    return Ended(claims, killed_for, exit_status, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


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


def _parse_claims(content: bytes, cpu: float) -> tuple[list[Claim], bytes, bool]:
    """Complete control lines, the incomplete rest, and whether all of it makes sense: the child is not trusted."""
    *lines, pending = content.split(b"\n")
    claims: list[Claim] = []
    for line in lines:
        try:
            nonce, status, end, detail = json.loads(line)
        except (ValueError, TypeError, RecursionError):
            return claims, b"", False
        if status not in _STATUSES or type(end) is not int or not isinstance(detail, str):
            return claims, b"", False
        claims.append(Claim(nonce, status, end, detail, cpu))
    return claims, pending, len(pending) <= CONTROL_BYTES


def _end(child: int) -> tuple[int, Any]:
    """Kill the child's process group and everything else that descends from us; the exit status and usage."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError):
            kill(child, signal.SIGKILL)
    _, exit_status, used = os.wait4(child, 0)
    deadline = time.monotonic() + STRAY_SECONDS
    while time.monotonic() < deadline:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                _kill_strays()
        except ChildProcessError:
            return exit_status, used
    raise RuntimeError("processes of a program outlive SIGKILL")  # this zygote ends, and the pool replaces it


def _kill_strays() -> None:
    """Children that left their group were re-parented to us, because we are a subreaper."""
    with open(f"/proc/self/task/{os.getpid()}/children") as children:
        for stray in children.read().split():
            os.kill(int(stray), signal.SIGKILL)
    time.sleep(0.001)
