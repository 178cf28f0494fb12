"""The fork server: a warmed, clean interpreter that forks one child per program. Standard library only.

    parent --(two JSON lines: open part, sealed part)--> zygote --fork--> child (driver.run)
    parent <--(one JSON line: outcome per test, as claimed)-- zygote <--control lines, memory files-- child

Run as `python -I -S -X utf8 zygote.py FOLDER`. One program at a time. The zygote holds the clock: it kills the child at
its CPU or wall limit, kills whatever the child left behind (it is a subreaper), and empties the working folder.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import random
import resource
import select
import shutil
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from etalon.sandbox import driver, privileges
else:  # the sibling file, as a module of its own: -I keeps this folder off the path, and etalon must not be imported
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import driver
    import privileges

POLL_SECONDS = 0.02  # (ours) how late a limit may be noticed
PARENT_CHECK_SECONDS = 1.0  # (ours)
STRAY_SECONDS = 5.0  # (ours)
CONTROL_BYTES = 4096  # (ours) longest control line
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
WARM = (
    "array", "bisect", "cmath", "collections", "copy", "dataclasses", "datetime", "decimal", "enum", "fractions",
    "functools", "heapq", "io", "itertools", "operator", "queue", "random", "re", "statistics", "string",
    "threading", "typing",
)  # fmt: skip

_libc = ctypes.CDLL(None)
_fork_raw = ctypes.PyDLL(None).fork  # os.fork runs hooks that touch 180 pages; one thread, so none is needed


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


def main() -> None:
    """Serve programs until the parent closes its end or dies."""
    folder = os.path.abspath(sys.argv[1])
    parent = os.getppid()
    requests = os.fdopen(0, "rb", buffering=1 << 16, closefd=False)
    replies = os.dup(1)
    _warm_up(folder)
    driver._write_all(replies, b'{"ready": true}\n')
    number = 0
    try:
        while _wait_for_request(parent):
            opened = requests.readline()
            if not opened.endswith(b"\n"):
                return
            number += 1
            reply = serve(json.loads(opened), requests, os.path.join(folder, str(number)), parent)
            driver._write_all(replies, json.dumps(reply).encode() + b"\n")
    finally:  # the parent removes the folder, unless it died
        _remove(folder)


def _warm_up(folder: str) -> None:
    import builtins

    for name in WARM:
        __import__(name)
    driver.warm_up()
    privileges.drop(folder)
    sys.path.pop(0)  # a program must import neither this file nor the driver
    del sys.modules["driver"], sys.modules["privileges"]
    sys.argv = ["solution.py"]
    builtins.exit = builtins.quit = _leave  # type: ignore[assignment]  # site defines them, -S leaves site out
    random.seed(0)  # every program finds the same state
    _set_limit(resource.RLIMIT_NOFILE, 64)
    _set_limit(resource.RLIMIT_CORE, 0)
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    gc.collect()
    gc.freeze()


def _leave(code: object = None) -> None:
    raise SystemExit(code)


def _wait_for_request(parent: int) -> bool:
    """True when a request (or the end of them) can be read; False when the parent died.

    PDEATHSIG would fire when the thread that started us ends, so the parent is asked for by its id instead.
    """
    poller = select.poll()
    poller.register(0, select.POLLIN)
    while not poller.poll(PARENT_CHECK_SECONDS * 1000):
        if os.getppid() != parent:
            return False
    return True


def serve(request: dict[str, Any], requests: Any, work: str, parent: int) -> dict[str, Any]:
    """Run one program in a fresh child and collect what it claims.

    The sealed part goes from the pipe to a memory file; no variable holds it when the child is forked.
    """
    os.mkdir(work)
    files = [os.memfd_create(name) for name in ("stdin", "stdout", "stderr", "values", "sealed")]
    control, child_control = os.pipe()
    try:
        driver._write_all(files[4], requests.readline())
        child = _fork(request, driver.Files._make([*files, child_control]), work, control)
        os.close(child_control)
        ended = _watch(child, control, request, parent)
        output = files[1] if request["mode"] == "stdin" else files[3]
        return {"outcomes": _collect(ended, request, output)}
    finally:
        for descriptor in (*files, control):
            os.close(descriptor)
        _remove(work)


def _remove(work: str) -> None:
    try:
        os.rmdir(work)
    except OSError:  # the program left files
        with contextlib.suppress(RecursionError):
            shutil.rmtree(work, ignore_errors=True)


def _fork(request: dict[str, Any], files: driver.Files, work: str, control: int) -> int:
    child = int(_fork_raw())
    if child < 0:
        raise OSError("fork failed")
    if child:
        return child
    try:
        os.setsid()
        os.chdir(work)
        os.close(control)
        os.closerange(3, min(files))
        _limit(request)
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        driver.run(request, files)
        os._exit(0)
    finally:
        os._exit(70)


def _limit(request: dict[str, Any]) -> None:
    """What the child may use; the limits that never change were set by `_warm_up` for the zygote itself."""
    output = request["output_mb"] << 20
    for text in request["inputs"]:
        output = max(output, 4 * len(text))
    _set_limit(resource.RLIMIT_CPU, int(request["cpu_seconds"] * request["count"]) + 2)
    _set_limit(resource.RLIMIT_AS, request["memory_mb"] << 20)
    _set_limit(resource.RLIMIT_FSIZE, output + 1)


def _set_limit(kind: int, limit: int) -> None:
    hard = resource.getrlimit(kind)[1]
    limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(kind, (limit, limit))


def _watch(child: int, control: int, request: dict[str, Any], parent: int) -> Ended:
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


def _collect(ended: Ended, request: dict[str, Any], output: int) -> list[dict[str, Any]]:
    """One outcome per test that ran; the last one says how the child died, if it died early."""
    outcomes: list[dict[str, Any]] = []
    size, start, cpu = os.fstat(output).st_size, 0, 0.0
    for claim in ended.claims[: request["count"]]:
        if not start <= claim.end <= size and claim.status == "ok" and request["mode"] != "assert":
            ended = ended._replace(killed_for="nonsense")
            break
        is_full = claim.status != "ok" and size > request["output_mb"] << 20
        text = _read(output, start, claim.end) if claim.status == "ok" else ""
        status = "output_limit" if is_full else claim.status
        outcomes.append(_outcome(status, claim.nonce, text, claim.detail, claim.cpu_seconds - cpu))
        start, cpu = max(start, claim.end), claim.cpu_seconds
    is_loaded = not (outcomes and outcomes[-1]["status"] == "syntax_error")
    if len(outcomes) < request["count"] and is_loaded:
        status, detail = _death(ended, request, size)
        text = _read(output, start, size) if status == "ok" else ""
        outcomes.append(_outcome(status, None, text, detail, ended.cpu_seconds - cpu))
    return outcomes


def _outcome(status: str, nonce: str | None, output: str, detail: str, seconds: float) -> dict[str, Any]:
    return {"status": status, "nonce": nonce, "output": output, "detail": detail, "seconds": max(0.0, seconds)}


def _read(file: int, start: int, end: int) -> str:
    return os.pread(file, end - start, start).decode("utf-8", "replace")


def _death(ended: Ended, request: dict[str, Any], size: int) -> tuple[str, str]:
    """Why a child ended before its last control line. Leaving with status 0 is a normal end of a whole program."""
    status = ended.exit_status
    if ended.killed_for == "timeout" or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU):
        return "timeout", ""
    if ended.killed_for:
        return "runtime_error", "wrote to a descriptor that is not its own"
    if size > request["output_mb"] << 20:
        return "output_limit", ""
    if status != 0:
        is_full = ended.max_rss_bytes > 0.8 * (request["memory_mb"] << 20)
        return "memory" if is_full else "runtime_error", f"ended with status {os.waitstatus_to_exitcode(status)}"
    return ("ok", "") if request["mode"] == "stdin" else ("runtime_error", "left before the end")


if __name__ == "__main__":
    main()
