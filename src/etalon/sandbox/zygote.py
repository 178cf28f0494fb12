"""The fork server: a warmed, clean interpreter that forks one child per program. Standard library only.

    parent --(two JSON lines: open part, sealed part)--> zygote --fork--> child (driver.run)
    parent <--(one JSON line: outcome per test, as claimed)-- zygote <--control lines, memory files-- child

Run as `python -I -S -X utf8 zygote.py FOLDER`. One program at a time. The zygote holds the clock: it kills the child at
its CPU, idle or wall limit, kills whatever the child left behind (it is a subreaper), and empties the working folder.
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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from etalon.sandbox import driver, privileges
    from etalon.sandbox.collect import collect
    from etalon.sandbox.watch import watch
else:  # the sibling file, as a module of its own: -I keeps this folder off the path, and etalon must not be imported
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import driver
    import privileges
    from collect import collect
    from watch import watch

PARENT_CHECK_SECONDS = 1.0  # (ours)
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
WARM = (
    "array", "bisect", "cmath", "collections", "copy", "dataclasses", "datetime", "decimal", "enum", "fractions",
    "functools", "heapq", "io", "itertools", "operator", "queue", "random", "re", "statistics", "string",
    "threading", "typing",
)  # fmt: skip

_libc = ctypes.CDLL(None)
_fork_raw = ctypes.PyDLL(None).fork  # os.fork runs hooks that touch 180 pages; one thread, so none is needed


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
    sys.path.pop(0)  # a program must not import these files
    for name in ("collect", "driver", "privileges", "watch"):
        del sys.modules[name]
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
        ended = watch(child, control, request, parent)
        output = files[1] if request["mode"] == "stdin" else files[3]
        return {"outcomes": collect(ended, request, output)}
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


if __name__ == "__main__":
    main()
